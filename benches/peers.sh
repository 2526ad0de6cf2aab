#!/usr/bin/env bash
# hopwise and ns-3 on the same work, one after the other, several times: prints the medians and their ratios.
#
#   benches/peers.sh NS3_PROGRAMS [RUNS]
#
# NS3_PROGRAMS is a folder with the programs chain, dumbbell, star and grid, built against ns-3's optimized profile; each prints
# one JSON line. docs/performance.md says what they do and in what the work differs.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=${1:?where are the ns-3 programs?}
runs=${2:-5}
cargo build --release --quiet --bench peers
ours=$(cargo bench --quiet --bench peers --no-run --message-format=json 2>/dev/null |
    python3 -c 'import json, sys
for line in sys.stdin:
    artifact = json.loads(line)
    if artifact.get("target", {}).get("name") == "peers" and artifact.get("executable"):
        print(artifact["executable"])')
exec python3 - "$programs" "$ours" "$runs" <<'PYTHON'
import json, statistics, subprocess, sys

programs, ours, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
WORK = [  # workload, its ratio to reach
    ("chain", 12), ("dumbbell --flows=1", 12), ("dumbbell --flows=10", 12), ("dumbbell --flows=100", 20),
    ("dumbbell --flows=10 --cc=cubic", 12), ("star --hosts=100 --routing=table", 10),
    ("star --hosts=10000 --routing=table", 25), ("grid --routing=table", 15),
]


def once(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


print("| workload | hops per CPU-second | ns-3 | ratio | wanted | set-up | ns-3 | peak memory | ns-3 | goodput Mbit/s | ns-3 |")
print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
for work, wanted in WORK:
    name, *options = work.split()
    results = {"us": [], "ns-3": []}
    for _ in range(runs):
        results["us"].append(once([ours, name, *options]))
        results["ns-3"].append(once([f"{programs}/{name}", *options]))
    cells = {}
    for who, lines in results.items():
        middle = lambda key: statistics.median(line[key] for line in lines)
        cells[who] = {
            "rate": statistics.median(line["hops"] / line["run_cpu_s"] for line in lines),
            "setup": middle("setup_s"), "memory": middle("rss_peak_kib") / 1024,
            "goodput": lines[0].get("goodput_bytes", 0) * 8 / 60e6,
        }
    us, peer = cells["us"], cells["ns-3"]
    goodput = [f"{who['goodput']:.1f}" if name == "dumbbell" else "" for who in (us, peer)]
    print(f"| `{work}` | {us['rate']:,.0f} | {peer['rate']:,.0f} | {us['rate'] / peer['rate']:.1f} | {wanted} "
          f"| {us['setup']:.3f} s | {peer['setup']:.3f} s | {us['memory']:.0f} MiB | {peer['memory']:.0f} MiB "
          f"| {goodput[0]} | {goodput[1]} |", flush=True)
PYTHON
