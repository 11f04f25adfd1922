# SPDX-License-Identifier: Apache-2.0
"""Puts runs of the suite `onnx` side by side, as Markdown on standard output, or in the place of the last tables of --document.

    corpus_table.py CORPUS RUN ... [--document FILE]

Each RUN is the folder of a `southbridge conform ... --suite onnx` run of its own.
"""

import argparse
import collections
import json
import pathlib
import re

import onnx

BEGIN = "<!-- tables: made by `make compare-onnx` -->\n"
END = "<!-- end of tables -->\n"

# Types that numpy has not got. Cases without them are those that other reports call "what numpy can carry".
FOREIGN_TYPES = {
    onnx.TensorProto.DataType.Value(name)
    for name in "BFLOAT16 FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ FLOAT8E8M0 FLOAT4E2M1 UINT4 INT4 UINT2 INT2".split()
}
GROUPS = ["node", "pytorch-converted", "pytorch-operator", "simple"]
# How `southbridge` says that nothing of a case was left for a plugin.
ON_HOST = "the stack runs all of it itself, rightly"


def kind_of(model):
    """Of which kind the values are that go into and out of a model: tensors that numpy can carry, other tensors, or more than tensors."""
    graph = onnx.load(model, load_external_data=False).graph
    types = [value.type for value in [*graph.input, *graph.output]]
    if any(kind.WhichOneof("value") != "tensor_type" for kind in types):
        return "no tensors"
    return "foreign" if any(kind.tensor_type.elem_type in FOREIGN_TYPES for kind in types) else "numpy"


class Run:
    def __init__(self, folder):
        report = json.loads((folder / "report.json").read_text())
        plugin = report["plugin"]
        self.name = plugin["name"]
        self.version = plugin["version"]
        self.cases = {case["id"].removeprefix("onnx/"): case for case in report["cases"]}

    def counts(self, ids):
        return collections.Counter(self.cases[case]["status"] for case in ids)

    def on_host(self, ids):
        return sum((self.cases[case]["message"] or "").startswith(ON_HOST) for case in ids)


def comparison(runs, kinds):
    rows = [(group, [case for case in kinds if case.startswith(group + "/")]) for group in GROUPS]
    node = rows[0][1]
    rows.append(("all", list(kinds)))
    rows.append(("node, types that numpy has", [case for case in node if kinds[case] != "foreign"]))
    rows.append(("... of these, tensors alone", [case for case in node if kinds[case] == "numpy"]))
    rows.append(("node, other types", [case for case in node if kinds[case] == "foreign"]))
    yield "| cases | of | " + " | ".join(f"{run.name} {run.version}" for run in runs) + " |\n"
    yield "|---|---:|" + "---|" * len(runs) + "\n"
    for name, ids in rows:
        cells = [describe(run.counts(ids), run.on_host(ids)) for run in runs]
        yield f"| {name} | {len(ids):,} | " + " | ".join(cells) + " |\n"


def describe(counts, on_host):
    """`1,768 passed; 3 expectedFailure, 113 unsupported (48 of them right, by the host)`"""
    rest = [f"{count:,} {status}" for status, count in sorted(counts.items()) if status != "passed"]
    text = f"**{counts['passed']:,}** passed"
    if rest:
        text += "; " + ", ".join(rest)
    return text + (f" ({on_host} of them right, by the host)" if on_host else "")


def reason_of(case):
    """A word on why a case did not pass, and the operator that it is about."""
    message = case["message"] or ""
    operator = case["operator"] or "several operators"
    if found := re.search(r"(?:implementation|kernel) for (\w+\(\d+\))", message):
        return "no kernel", found[1]
    if found := re.search(r"Fatal error: (?:[\w.]+:)?(\w+)\(-?\d+\) is not a registered", message):
        return "operator not known", found[1]
    if "is no tensor" in message or "is a sequence" in message or "is an optional" in message:
        return "values that are no tensors", "sequence or optional"
    if "locale" in message:
        return "error: a locale that this machine lacks", operator
    if case["status"] == "unsupported":
        found = re.search(r"(?:uses|for) operator '(?:[\w.]+::)?(\w+)'|does not run '(\w+)'|\((?:[\w.]+::)?(\w+)\) runs on none", message)
        return "not covered", (found and (found[1] or found[2] or found[3])) or ("an old opset" if "imports opset" in message else operator)
    if case["failure"] == "errorCode":
        return "error while it was opened or run", operator
    return f"{case['status']} ({case['failure']})" if case["failure"] else case["status"], operator


def reasons(run):
    table = collections.defaultdict(collections.Counter)
    for case in run.cases.values():
        if case["status"] != "passed" and not (case["message"] or "").startswith(ON_HOST):
            reason, operator = reason_of(case)
            table[reason][operator] += 1
    yield f"\nWhat {run.name} {run.version} does not pass, by reason:\n\n| reason | cases | operators |\n|---|---:|---|\n"
    for reason, operators in sorted(table.items(), key=lambda entry: (-entry[1].total(), entry[0])):
        ordered = sorted(operators.items(), key=lambda entry: (-entry[1], entry[0]))
        names = ", ".join(name if count == 1 else f"{name} {count}" for name, count in ordered)
        yield f"| {reason} | {operators.total()} | {names} |\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("runs", type=pathlib.Path, nargs="+")
    parser.add_argument("--document", type=pathlib.Path)
    arguments = parser.parse_args()
    models = sorted(arguments.corpus.glob("*/*/model.onnx"))
    kinds = {f"{model.parent.parent.name}/{model.parent.name}": kind_of(model) for model in models}
    runs = [Run(folder) for folder in arguments.runs]
    for run in runs:
        if set(run.cases) != set(kinds):
            parser.error(f"the run of {run.name} has not the cases of {arguments.corpus}")
    text = "".join([*comparison(runs, kinds), *(line for run in runs for line in reasons(run))])
    if not arguments.document:
        print(text, end="")
        return
    old = arguments.document.read_text()
    before, rest = old.split(BEGIN)
    arguments.document.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
