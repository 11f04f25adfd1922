#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the table of docs/partition.md: every network of a folder on every profile of the simulated NPU beside the CPU."""
import json
import pathlib
import subprocess
import sys

PROFILES = ["endpoint", "edge", "cloud"]


def explain(program, model, profile):
    command = [program, "explain", str(model), "--device", "npu,cpu", "--option", f"npu.profile={profile}",
               "--option", "cpu.measure=true", "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def milliseconds(seconds):
    return f"{seconds * 1e3:.3g}" if seconds is not None else "–"


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    print("| network | profile | all on the NPU | all on the CPU | by cost | copies | nodes on NPU, CPU | copied values |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    slower = 0
    for model in sorted(folder.glob("*/model.onnx")):
        for profile in PROFILES:
            result = explain(program, model, profile)
            choice = result["choice"]
            single = choice["seconds_on_one_device"]
            slower += choice["seconds"] > min(single.values()) * (1 + 1e-9)
            counts = [sum(node["device"] == device for node in result["nodes"]) for device in ("npu:0", "cpu:0")]
            cells = [model.parent.name, profile, milliseconds(single.get("npu:0")), milliseconds(single.get("cpu:0")),
                     milliseconds(choice["seconds"]), milliseconds(choice["copy_seconds"]), f"{counts[0]}, {counts[1]}", str(len(result["copies"]))]
            print("| " + " | ".join(cells) + " |", flush=True)
    sys.exit(1 if slower else 0)


if __name__ == "__main__":
    main()
