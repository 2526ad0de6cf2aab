#!/usr/bin/env bash
# Measures what docs/attach.md tells: throughput through devices against a plain path in the kernel, and the goodput of the
# kernel's congestion controls over a simulated link. All in network namespaces that end with this script.
# usage: sudo tests/attach/measure.sh path/to/hopwise
set -euo pipefail
hopwise=$(realpath "$1")
folder=$(mktemp -d)
seconds=${SECONDS_EACH:-10}
unshare --net sleep 900 & left=$!
unshare --net sleep 900 & right=$!
session=
cleanup() { kill $left $right $session 2>/dev/null || true; rm -rf "$folder"; }
trap cleanup EXIT
sleep 0.3
in_left() { nsenter --target $left --net -- "$@"; }
in_right() { nsenter --target $right --net -- "$@"; }
in_left ip link set lo up; in_right ip link set lo up

iperf() { # iperf ADDRESS [OPTIONS]: what arrives, in Mbit/s, and what was sent again
    local address=$1; shift
    in_right timeout 60 iperf3 -s -1 >/dev/null 2>&1 & local server=$!
    sleep 0.5
    in_left timeout 60 iperf3 -c "$address" -t "$seconds" -f m "$@" > "$folder/iperf" || true
    wait $server || true
    awk '/sender/ { for (i = 1; i <= NF; i++) if ($i == "Mbits/sec") again = $(i + 1) } /receiver/ { for (i = 1; i <= NF; i++) if ($i == "Mbits/sec") rate = $(i - 1) } END { printf "%8.1f Mbit/s, %d segments sent again\n", rate, again }' "$folder/iperf"
}
attach() { # attach SCENARIO [OPTIONS]
    printf '%s\n' "$1" > "$folder/scenario.toml"; shift
    unshare --net -- "$hopwise" attach "$folder/scenario.toml" "$@" < /dev/null > "$folder/out" 2> "$folder/err" & session=$!
    for _ in $(seq 50); do grep -q 'Ctrl-C ends' "$folder/err" && return; sleep 0.1; done
    cat "$folder/err" >&2; exit 1
}
detach() { # detach: also tells how much processor time the session took
    local pid; pid=$session
    ps -o cputimes= -p "$pid" | awk '{ printf "           %d s of processor time\n", $1 }'
    kill -INT "$pid"; wait "$pid" || true; session=
}
both=(--at "left=l0@/proc/$left/ns/net" --at "right=r0@/proc/$right/ns/net")

echo "== plain veth in the kernel"
ip link add va type veth peer name vb 2>/dev/null && {
    ip link set va netns $left; ip link set vb netns $right
    in_left ip addr add 10.99.0.1/24 dev va; in_left ip link set va up
    in_right ip addr add 10.99.0.2/24 dev vb; in_right ip link set vb up
    iperf 10.99.0.2
    if in_left ethtool -K va tso off gso off gro off >/dev/null 2>&1 && in_right ethtool -K vb tso off gso off gro off >/dev/null 2>&1; then
        echo "   the same, packets of 1500 bytes one by one (no TSO, GSO, GRO)"
        iperf 10.99.0.2
    fi
    in_left ip link del va
} || echo "   this kernel has no veth"

for routers in 1 6; do
    echo "== two devices, $routers simulated router(s), nobody watching"
    nodes="left = { kind = \"gateway\" }, right = { kind = \"gateway\" }"; links=""; last=left
    for r in $(seq "$routers"); do
        nodes="$nodes, r$r = { kind = \"router\" }"; links="$links l$r = { ends = [\"$last\", \"r$r\"] },"; last=r$r
    done
    links="$links end = { ends = [\"$last\", \"right\"] }"
    attach "nodes = { $nodes }
links = { $links }" "${both[@]}"
    iperf "10.0.$routers.2"
    detach
done
echo "== the same with one router, and a recording"
one='nodes = { left = { kind = "gateway" }, r1 = { kind = "router" }, right = { kind = "gateway" } }
links = { a = { ends = ["left", "r1"] }, b = { ends = ["r1", "right"] } }'
attach "$one" "${both[@]}" --record "$folder/s.hop"
iperf 10.0.1.2
detach
echo "== the same with one router, and a capture of everything"
attach "$one" "${both[@]}" -o "pcapng=$folder/s.pcapng"
iperf 10.0.1.2
detach

lossy='delay = "10ms", rate = "50Mbit", loss = "1%", queue = "100 packets"'
clean='delay = "10ms", rate = "50Mbit", queue = "100 packets"'
for control in cubic reno bbr; do
    grep -qw $control /proc/sys/net/ipv4/tcp_available_congestion_control || { echo "== this kernel has no $control"; continue; }
    for link in "$clean" "$lossy"; do
        echo "== $control, kernel to kernel: $link (both ways)"
        attach "nodes = { left = { kind = \"gateway\" }, r1 = { kind = \"router\" }, right = { kind = \"gateway\" } }
links = { a = { ends = [\"left\", \"r1\"], $link }, b = { ends = [\"r1\", \"right\"] } }" "${both[@]}" --seed 7
        iperf 10.0.1.2 -C $control
        detach
    done
    echo "== $control, kernel to a simulated sink: $lossy (both ways)"
    attach "nodes = { left = { kind = \"gateway\" }, r1 = { kind = \"router\" }, sink = {} }
links = { a = { ends = [\"left\", \"r1\"], $lossy }, b = { ends = [\"r1\", \"sink\"] } }
apps = { sink = { on = \"sink\", kind = \"tcp-sink\", port = 9 } }" --at "left=l0@/proc/$left/ns/net" --seed 7 -o summary
    in_left timeout $((seconds + 5)) python3 -c '
import socket, time
s = socket.socket(); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"'$control'"); s.connect(("10.0.1.2", 9))
s.settimeout(0.2); end = time.time() + '"$seconds"'
while time.time() < end:
    try: s.send(bytes(65536))
    except TimeoutError: pass' || true
    kill -INT $session; wait $session || true; session=
    grep -o 'bytes [0-9]*, connections' "$folder/out" | awk -v s="$seconds" '{ printf "%8.1f Mbit/s\n", $2 * 8 / s / 1000000 }'
done
echo "== a simulated sender to the kernel (smoltcp's TCP): $lossy (both ways)"
attach "nodes = { left = { kind = \"gateway\" }, r1 = { kind = \"router\" }, source = {} }
links = { a = { ends = [\"left\", \"r1\"], $lossy }, b = { ends = [\"r1\", \"source\"] } }
apps = { bulk = { on = \"source\", kind = \"tcp-bulk\", to = \"left:5001\", for = \"600s\", start = \"2s\" } }" --at "left=l0@/proc/$left/ns/net" --seed 7
in_left timeout $((seconds + 2)) python3 -c '
import socket, time
s = socket.create_server(("", 5001)); c, _ = s.accept(); t = time.time(); n = 0
c.settimeout(1)
while time.time() - t < '"$seconds"':
    try: n += len(c.recv(65536))
    except TimeoutError: pass
print(f"{n * 8 / '"$seconds"' / 1e6:8.1f} Mbit/s")' || true
detach
