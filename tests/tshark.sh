#!/usr/bin/env bash
# Runs every bundled scenario and has tshark read its capture: frames and drop comments must be there, and no packet may be
# malformed or have a bad checksum, other than those that a scenario damages on purpose.
# usage: tests/tshark.sh path/to/hopwise
set -euo pipefail
hopwise=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
checks=(-o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE)
status=0
count=0
for name in $("$hopwise" examples --names); do
    capture=$folder/$name.pcapng
    mkdir -p "$(dirname "$capture")"
    "$hopwise" run "$name" --quiet --output "pcapng=$capture" --output "json=$folder/trace.json" || { echo "$name: the run failed" >&2; status=1; continue; }
    frames=$(tshark -r "$capture" 2>"$folder/errors" | wc -l)
    if [ "$frames" -eq 0 ] || grep -v 'Running as user' "$folder/errors" | grep -q .; then
        echo "$name: tshark cannot read the capture ($frames frames)" >&2; cat "$folder/errors" >&2; status=1
    fi
    # tshark takes the first half of a segment that an ICMP error quotes for all of it, and finds its checksum wrong.
    bad='_ws.malformed || ip.checksum.status == "Bad" || (tcp.checksum.status == "Bad" && !icmp && !icmpv6) || udp.checksum.status == "Bad" || icmp.checksum.status == "Bad" || icmpv6.checksum.status == "Bad"'
    unexpected="($bad) && !(frame.comment contains \"flipped\" || frame.comment contains \"damaged\")"
    found=$(tshark "${checks[@]}" -r "$capture" -Y "$unexpected" 2>/dev/null || true)
    if [ -n "$found" ]; then
        # A capture of all links has each segment several times. When tshark puts streams together, it takes some of them for
        # overlapping; when it does not, it takes the middle of a message for a message. What is bad both ways is bad.
        alone=$(tshark "${checks[@]}" -o tcp.desegment_tcp_streams:FALSE -r "$capture" -Y "$unexpected" -T fields -e frame.number 2>/dev/null || true)
        found=$(awk 'NR == FNR { bad[$1]; next } $1 in bad' <(echo "$alone") <(echo "$found"))
    fi
    if [ -n "$found" ]; then echo "$name: bad packets:" >&2; echo "$found" >&2; status=1; fi
    # OSPF's own sum has no field to filter by; it is told of in words.
    wrong=$(tshark -r "$capture" -Y ospf -V 2>/dev/null | grep -c '^    *Checksum: .*incorrect' || true)
    if [ "$wrong" -gt 0 ]; then echo "$name: $wrong OSPF packets with a bad checksum" >&2; status=1; fi
    # A frame that was dropped, on a link or where it arrived, says so in the capture.
    if grep '"event":"dropped"' "$folder/trace.json" | grep -q '"frame":'; then
        comments=$(tshark -r "$capture" -Y 'frame.comment contains "dropped"' 2>/dev/null | wc -l)
        [ "$comments" -gt 0 ] || { echo "$name: no drop comment in the capture" >&2; status=1; }
    fi
    # The check of the check: what is damaged on purpose is found to be bad.
    if [ "$name" = corruption ]; then
        known=$(tshark "${checks[@]}" -r "$capture" -Y "$bad" 2>/dev/null | wc -l)
        [ "$known" -gt 0 ] || { echo "tshark does not see the damage in $name: no checksum is checked" >&2; status=1; }
    fi
    count=$((count + 1))
done
echo "$count captures read by tshark"
exit $status
