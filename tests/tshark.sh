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
    "$hopwise" run "$name" --quiet --output "pcapng=$capture" || { echo "$name: the run failed" >&2; status=1; continue; }
    frames=$(tshark -r "$capture" 2>"$folder/errors" | wc -l)
    if [ "$frames" -eq 0 ] || grep -v 'Running as user' "$folder/errors" | grep -q .; then
        echo "$name: tshark cannot read the capture ($frames frames)" >&2; cat "$folder/errors" >&2; status=1
    fi
    bad='_ws.malformed || ip.checksum.status == "Bad" || tcp.checksum.status == "Bad" || udp.checksum.status == "Bad" || icmp.checksum.status == "Bad" || icmpv6.checksum.status == "Bad"'
    found=$(tshark "${checks[@]}" -r "$capture" -Y "($bad) && !(frame.comment contains \"flipped\" || frame.comment contains \"damaged\")" 2>/dev/null || true)
    if [ -n "$found" ]; then echo "$name: bad packets:" >&2; echo "$found" >&2; status=1; fi
    if grep -q '^do *= *"drop"' "scenarios/$name.toml" 2>/dev/null; then
        comments=$(tshark -r "$capture" -Y 'frame.comment contains "dropped"' 2>/dev/null | wc -l)
        [ "$comments" -gt 0 ] || { echo "$name: no drop comment in the capture" >&2; status=1; }
    fi
    count=$((count + 1))
done
echo "$count captures read by tshark"
exit $status
