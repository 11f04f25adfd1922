# SPDX-License-Identifier: Apache-2.0
"""Writes the networks with their drawn weights, in the layout of the corpus, beside their golden outputs.

OUTPUT/manifest.json
OUTPUT/NETWORK/model.onnx, weights.bin where the weights are large
OUTPUT/NETWORK/case.json                      {"rtol", "atol"}
OUTPUT/NETWORK/test_data_set_0/input_N.pb, output_0.pb

Weights are drawn anew on each machine and checked against the digests that were recorded with the golden outputs.
Does nothing where OUTPUT was made by this version of the programs from the same golden outputs.
"""

import argparse
import pathlib
import shutil
import time

import artefacts

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "Golden" / "networks"
# Weights beyond this stand in a file of their own, where a reader can map them. Below it they are in the model itself.
LARGEST_EMBEDDED = 64 << 20
PAGE = 4096


def programs_digest():
    names = (
        "artefacts.py",
        "built_networks.py",
        "counter_random.py",
        "network_builder.py",
        "networks.py",
        "refill_networks.py",
        "transformers.py",
        "unet.py",
    )
    return artefacts.digest_of_files(*(HERE / name for name in names))


def write_network(source, folder):
    """Writes model and inputs into `folder`; returns the digests of the weights and of the inputs."""
    import math

    from onnx import numpy_helper

    import networks

    folder.mkdir(parents=True)
    model = source.bare_model()
    weights = networks.WeightsDigest()
    size = 4 * sum(math.prod(weight.shape) for weight in source.weights.values())
    if size > LARGEST_EMBEDDED:
        with open(folder / "weights.bin", "wb") as file:
            for name, array in source.arrays():
                weights.add(name, array)
                model.graph.initializer.append(append_external(name, array, file))
    else:
        for name, array in source.arrays():
            weights.add(name, array)
            model.graph.initializer.append(numpy_helper.from_array(array, name))
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))

    given = networks.WeightsDigest()
    data_set = folder / "test_data_set_0"
    data_set.mkdir()
    for index, (name, array) in enumerate(source.input_arrays()):
        given.add(name, array)
        message = numpy_helper.from_array(array, name)
        (data_set / f"input_{index}.pb").write_bytes(message.SerializeToString(deterministic=True))
    return {"weights": str(weights), "input": str(given)}


def append_external(name, array, file):
    """Appends the array's bytes to `file` at a page's border and returns the tensor that points there."""
    from onnx import TensorProto

    file.write(b"\0" * (-file.tell() % PAGE))
    tensor = TensorProto(
        name=name, data_type=TensorProto.FLOAT, dims=array.shape, data_location=TensorProto.EXTERNAL
    )
    for key, value in (("location", "weights.bin"), ("offset", file.tell()), ("length", array.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    file.write(array.data)
    return tensor


def main():
    parser = argparse.ArgumentParser(description="Write the networks with drawn weights and their golden outputs.")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("build/networks"))
    parser.add_argument("--force", action="store_true", help="write even where the folder is up to date")
    options = parser.parse_args()

    golden = artefacts.read_json(GOLDEN / "manifest.json")
    if golden is None:
        artefacts.stop(f"{GOLDEN / 'manifest.json'} is missing or broken: the checkout is incomplete")
    source = {"programs": programs_digest(), "golden": golden}
    present = artefacts.read_json(options.output / "manifest.json")
    if present == source and not options.force:
        print(f"{options.output}: up to date, {len(golden)} networks")
        return
    start = time.monotonic()
    try:
        from built_networks import network
    except ModuleNotFoundError as error:
        artefacts.stop(f"the Python package {error.name} is missing: run scripts/setup.sh, which makes build/venv")
    with artefacts.replacing_folder(options.output) as work:
        for name, expected in sorted(golden.items()):
            made = write_network(network(name), work / name)
            output = GOLDEN / name / "output_0.pb"
            made["output"] = artefacts.digest_of_files(output)
            for part, digest in made.items():
                if digest != expected[part]:
                    artefacts.stop(
                        f"network {name}: the {part} differs from the one that {GOLDEN / 'manifest.json'} records; "
                        "after a change of the generator, run golden_networks.py --write"
                    )
            shutil.copyfile(output, work / name / "test_data_set_0" / "output_0.pb")
            artefacts.write_json(work / name / "case.json", expected["tolerance"])
        artefacts.write_json(work / "manifest.json", source)
    print(f"{options.output}: {len(golden)} networks in {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
