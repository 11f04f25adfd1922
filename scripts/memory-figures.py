#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Memory that is planned for models, as a table for docs/memory.md.

    scripts/memory-figures.py DEVICES MODEL.onnx ...

Each model is run once on DEVICES (as --device takes them), with random inputs. A row per model: the bound of the model's own order of
nodes, the bound of the order that was chosen, the bytes that were planned over it, all arenas together, and how order and offsets were found.
Fails if a plan is more than 1.02 times its bound.
"""
import json
import os
import subprocess
import sys

PROGRAM = os.environ.get("SOUTHBRIDGE", ".build/release/southbridge")


def name(path):
    stem = os.path.splitext(os.path.basename(path))[0]
    return os.path.basename(os.path.dirname(os.path.abspath(path))) if stem == "model" else stem


def figures(devices, path):
    command = [PROGRAM, "run", path, "--device", devices, "--seed", "1", "--json"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{path}: {result.stderr.strip()}")
    return json.loads(result.stdout)["memory"]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    devices, paths = sys.argv[1], sys.argv[2:]
    print(f"| network on `{devices}` | bound, given order | bound, chosen order | planned / bound | order; offsets |")
    print("|---|---:|---:|---:|---|")
    worst = 0
    for path in paths:
        memory = figures(devices, path)
        planned = sum(arena["bytes"] for arena in memory["arenas"])
        bound = sum(arena["lower_bound"] for arena in memory["arenas"])
        worst = max(worst, planned / bound if bound else 1)
        gain = 100 * (memory["bound"] / memory["given_order_bound"] - 1) if memory["given_order_bound"] else 0
        strategies = ", ".join(sorted({arena["strategy"] for arena in memory["arenas"]}))
        print(
            f"| {name(path)} | {memory['given_order_bound']:,} | {memory['bound']:,} ({gain:+.1f} %) "
            f"| {planned / bound if bound else 1:.4f} | {memory['order']}; {strategies} |",
            flush=True,
        )
    if worst > 1.02:
        sys.exit(f"a plan is {worst:.4f} times its bound")


main()
