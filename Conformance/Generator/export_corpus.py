# SPDX-License-Identifier: Apache-2.0
"""Exports the ONNX backend-test corpus of the `onnx` package to the standard folder layout.

OUTPUT/manifest.json                      version, counts by group, digest of the whole
OUTPUT/GROUP/CASE/model.onnx
OUTPUT/GROUP/CASE/case.json               {"rtol", "atol"} and, for the RANDOM_CASES, "random": true
OUTPUT/GROUP/CASE/test_data_set_N/input_K.pb, output_K.pb

The group `node` is made by calling the package's own case modules; the other groups are copied from its data folder.
Does nothing where OUTPUT was made by this version of this program from the wanted version of the package.
"""

import argparse
import importlib.metadata
import pathlib
import random
import shutil
import time
import warnings

import artefacts

ONNX_VERSION = "1.23.2"
COPIED_GROUPS = ("simple", "pytorch-converted", "pytorch-operator")
EXPECTED_CASES = {"node": 1884, "simple": 23, "pytorch-converted": 82, "pytorch-operator": 35}
# What the package's runner uses for cases that state no tolerance of their own.
DEFAULT_TOLERANCE = {"rtol": 1e-3, "atol": 1e-7}

# What they expect was drawn by numpy's generator, which no operator prescribes: only types and shapes can be compared.
RANDOM_CASES = {
    "test_bernoulli",
    "test_bernoulli_double",
    "test_bernoulli_double_expanded",
    "test_bernoulli_expanded",
    "test_bernoulli_seed",
    "test_bernoulli_seed_expanded",
    "test_training_dropout",
    "test_training_dropout_default",
    "test_training_dropout_default_mask",
    "test_training_dropout_mask",
}


def collect_node_cases():
    """All node cases. The modules seed numpy before each case; the seeds here cover what they draw beside that."""
    import numpy
    import onnx.backend.test.case.node as node

    random.seed(0)
    numpy.random.seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with numpy.errstate(all="ignore"):
            return node.collect_testcases(None)


def encode(value, value_info):
    """The bytes of one input or output as the message that its declared type asks for, named after the value."""
    import numpy
    from onnx import SequenceProto, TensorProto, numpy_helper

    name = value_info.name
    kind = value_info.type.WhichOneof("value")
    if kind == "sequence_type":
        message = numpy_helper.from_list(value, name)
        if not value:
            element = value_info.type.sequence_type.elem_type.WhichOneof("value")
            if element == "sequence_type":
                message.elem_type = SequenceProto.SEQUENCE
    elif kind == "optional_type":
        message = numpy_helper.from_optional(value, name)
    elif kind == "map_type":
        message = numpy_helper.from_dict(value, name)
    elif kind == "tensor_type":
        if isinstance(value, TensorProto):
            message = TensorProto()
            message.CopyFrom(value)
            message.name = name
        else:
            message = numpy_helper.from_array(numpy.asarray(value), name)
    else:
        raise TypeError(f"value '{name}' has the type {kind}, which the layout has no file for")
    return message.SerializeToString(deterministic=True)


def write_node_case(case, folder):
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString(deterministic=True))
    rules = {"rtol": case.rtol, "atol": case.atol}
    if case.name in RANDOM_CASES:
        rules["random"] = True
    artefacts.write_json(folder / "case.json", rules)
    for number, (inputs, outputs) in enumerate(case.data_sets):
        data_set = folder / f"test_data_set_{number}"
        data_set.mkdir()
        for prefix, values, infos in (
            ("input", inputs, case.model.graph.input),
            ("output", outputs, case.model.graph.output),
        ):
            if len(values) != len(infos):
                raise ValueError(f"case {case.name} has {len(values)} {prefix} values and {len(infos)} {prefix}s")
            for index, (value, info) in enumerate(zip(values, infos)):
                (data_set / f"{prefix}_{index}.pb").write_bytes(encode(value, info))


def copy_case(source, folder):
    folder.mkdir(parents=True)
    shutil.copyfile(source / "model.onnx", folder / "model.onnx")
    stated = artefacts.read_json(source / "data.json") or {}
    tolerance = {key: stated.get(key, default) for key, default in DEFAULT_TOLERANCE.items()}
    artefacts.write_json(folder / "case.json", tolerance)
    for data_set in sorted(source.glob("test_data_set_*")):
        (folder / data_set.name).mkdir()
        for file in sorted(data_set.glob("*.pb")):
            shutil.copyfile(file, folder / data_set.name / file.name)


def export(output, source):
    import onnx

    data = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data"
    counts = dict.fromkeys(EXPECTED_CASES, 0)
    with artefacts.replacing_folder(output) as work:
        for case in collect_node_cases():
            write_node_case(case, work / "node" / case.name)
            counts["node"] += 1
        for group in COPIED_GROUPS:
            for case in sorted(path.parent for path in (data / group).glob("*/model.onnx")):
                copy_case(case, work / group / case.name)
                counts[group] += 1
        if counts != EXPECTED_CASES:
            artefacts.stop(f"the onnx package gave {counts} cases where {EXPECTED_CASES} were expected")
        digest = artefacts.digest_of_tree(work)
        artefacts.write_json(work / "manifest.json", {"source": source, "groups": counts, "digest": digest})
    return counts


def main():
    parser = argparse.ArgumentParser(description="Export the ONNX backend-test corpus to the standard folder layout.")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("build/corpus"))
    parser.add_argument("--force", action="store_true", help="export even where the folder is up to date")
    options = parser.parse_args()

    try:
        source = {name: importlib.metadata.version(name) for name in ("onnx", "numpy")}
    except importlib.metadata.PackageNotFoundError as error:
        artefacts.stop(f"the Python package {error.name} is missing: run scripts/setup.sh, which makes build/venv")
    if source["onnx"] != ONNX_VERSION:
        artefacts.stop(f"the corpus is pinned to onnx {ONNX_VERSION}, found {source['onnx']}: run scripts/setup.sh")
    source["exporter"] = artefacts.digest_of_files(__file__, artefacts.__file__)

    present = artefacts.read_json(options.output / "manifest.json")
    if present and present.get("source") == source and not options.force:
        print(f"{options.output}: up to date, {sum(present['groups'].values())} cases")
        return
    start = time.monotonic()
    counts = export(options.output, source)
    parts = ", ".join(f"{count} {group}" for group, count in counts.items())
    print(f"{options.output}: {parts} cases in {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
