# SPDX-License-Identifier: Apache-2.0
"""Makes and checks the golden outputs of the networks. Needed only when the generator changes; set-up never runs it.

--write         evaluate the networks in float64 and write Conformance/Golden/networks; those that are not named stay as they are
--verify        evaluate them again and compare with what is there
--cross-check   compare with ONNX Runtime in float32, where that package is installed
--faults        plant faults one at a time and report by how much each moves the outputs (float64_faults.py)
"""

import argparse
import hashlib
import shutil

import numpy
from onnx import TensorProto, numpy_helper

import artefacts
import networks
from built_networks import BUILT, NAMES, network
from float64_networks import Evaluation
from refill_networks import GOLDEN

# Softmax outputs are positive and compared relatively. The outputs of densenet121 are logits of both signs, of size 3 and some
# near zero; so are those of the decoders and of the U-Net. ONNX Runtime's float32 comes within 0.04 of these tolerances; what faults do is
# in docs/networks.md.
LOGITS = {"rtol": 1e-3, "atol": 3e-4}
TOLERANCES = {name: LOGITS for name in ("densenet121", *BUILT)}
DEFAULT_TOLERANCE = {"rtol": 1e-3, "atol": 1e-7}


def tolerance(name):
    return TOLERANCES.get(name, DEFAULT_TOLERANCE)


def excess(name, actual, golden):
    """The largest difference as a multiple of what the case allows: above 1 the case fails."""
    allowed = tolerance(name)
    bound = allowed["atol"] + allowed["rtol"] * numpy.abs(golden)
    difference = numpy.abs(actual.astype(numpy.float64) - golden)
    return float(numpy.max(numpy.where(numpy.isfinite(difference), difference / bound, numpy.inf)))


def evaluate(source, weights):
    return Evaluation(source.bare_model(), weights).run(dict(source.input_arrays()))


def golden_output(name):
    message = TensorProto()
    message.ParseFromString((GOLDEN / name / "output_0.pb").read_bytes())
    return numpy_helper.to_array(message).astype(numpy.float64)


def write(names):
    manifest = {name: kept for name, kept in (artefacts.read_json(GOLDEN / "manifest.json") or {}).items() if name in NAMES}
    with artefacts.replacing_folder(GOLDEN) as work:
        for name in manifest.keys() - set(names):
            shutil.copytree(GOLDEN / name, work / name)
        for name in names:
            source = network(name)
            digest = networks.WeightsDigest()
            weights = {}
            for weight, array in source.arrays():
                digest.add(weight, array)
                weights[weight] = array
            given = networks.WeightsDigest()
            for value, array in source.input_arrays():
                given.add(value, array)
            output = evaluate(source, weights).astype(numpy.float32)
            message = numpy_helper.from_array(output, source.output_name())
            content = message.SerializeToString(deterministic=True)
            (work / name).mkdir()
            (work / name / "output_0.pb").write_bytes(content)
            manifest[name] = {
                "weights": str(digest),
                "input": str(given),
                "output": artefacts.digest_of_files(work / name / "output_0.pb"),
                "tolerance": tolerance(name),
            }
            print(f"{name}: {hashlib.sha256(content).hexdigest()[:16]}")
        artefacts.write_json(work / "manifest.json", manifest)


def verify(names):
    """Compares within one float32 ULP: another BLAS adds in another order, which float64 leaves almost no trace of."""
    bad = 0
    for name in names:
        source = network(name)
        output = evaluate(source, dict(source.arrays())).astype(numpy.float32)
        golden = golden_output(name).astype(numpy.float32)
        ulps = numpy.abs(output.view(numpy.int32).astype(numpy.int64) - golden.view(numpy.int32))
        print(f"{name}: {numpy.count_nonzero(ulps)} of {ulps.size} values differ, by at most {ulps.max()} ULP")
        bad += ulps.max() > 1
    if bad:
        artefacts.stop(f"{bad} golden outputs are not what the evaluator gives")


def cross_check(names):
    try:
        import onnxruntime
    except ModuleNotFoundError:
        artefacts.stop("the Python package onnxruntime is not installed here: the cross-check needs it")
    bad = 0
    for name in names:
        source = network(name)
        model = source.bare_model()
        for weight, array in source.arrays():
            model.graph.initializer.append(numpy_helper.from_array(array, weight))
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        (output,) = session.run(None, dict(source.input_arrays()))
        golden = golden_output(name)
        relative = float(numpy.max(numpy.abs(output - golden)) / numpy.max(numpy.abs(golden)))
        multiple = excess(name, output, golden)
        print(f"{name}: largest difference {relative:.1e} of the largest output, {multiple:.3f} of the tolerance")
        bad += multiple > 1
    if bad:
        artefacts.stop(f"{bad} networks differ from ONNX Runtime by more than the tolerance")


def faults(names):
    import float64_faults

    for name in names:
        source = network(name)
        evaluation = Evaluation(source.bare_model(), dict(source.arrays()))
        golden = evaluation.run(dict(source.input_arrays()), keep=True)
        for fault, multiples in float64_faults.plant_all(
            evaluation, lambda output: excess(name, output, golden)
        ).items():
            missed = sum(multiple <= 1 for multiple in multiples)
            print(
                f"{name}: {fault}: {len(multiples)} planted, {missed} missed, "
                f"smallest {min(multiples):.3g} and median {numpy.median(multiples):.3g} times the tolerance"
            )


def main():
    parser = argparse.ArgumentParser(description="Make and check the golden outputs of the networks.")
    action = parser.add_mutually_exclusive_group(required=True)
    for name in (write, verify, cross_check, faults):
        option = "--" + name.__name__.replace("_", "-")
        action.add_argument(option, dest="action", action="store_const", const=name)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="all, if none is named")
    options = parser.parse_args()
    unknown = set(options.networks) - set(NAMES)
    if unknown:
        parser.error(f"no such network: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    options.action(options.networks or NAMES)


if __name__ == "__main__":
    main()
