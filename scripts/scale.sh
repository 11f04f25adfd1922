#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How the time of reading, partitioning and planning grows with the graph: the table of docs/scale.md.
# Usage: scripts/scale.sh [DEVICES [NODES ...]]
set -eu
cd "$(dirname "$0")/.."
devices=${1:-npu,cpu}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- 1000 3000 10000 30000 100000
for nodes in "$@"; do
    model=build/scale/$nodes.onnx
    [ -f "$model" ] || build/venv/bin/python Conformance/Generator/scale_graph.py --nodes "$nodes" --output "$model" >&2
    .build/release/southbridge run "$model" --device "$devices" --seed 1 --repeat 2 --json
done | build/venv/bin/python -c '
import json, sys

text, decoder, first = sys.stdin.read(), json.JSONDecoder(), True
while text.strip():
    result, end = decoder.raw_decode(text.lstrip())
    text = text.lstrip()[end:]
    phases = result["phases"]
    if first:
        print("| nodes | " + " | ".join(phase["phase"] for phase in phases) + " | together, ms | per node, µs | peak memory |")
        print("|" + "---:|" * (len(phases) + 4))
        first = False
    nodes, total = sum(result["placement"].values()), sum(phase["ms"] for phase in phases)
    figures = ["%.0f" % phase["ms"] for phase in phases]
    resident = result["peak_resident_bytes"] / 2**20
    print(f"| {nodes:,} | " + " | ".join(figures) + f" | {total:.0f} | {1000 * total / nodes:.1f} | {resident:.0f} MiB |")
'
