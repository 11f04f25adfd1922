# SPDX-License-Identifier: Apache-2.0
"""A foreign worker for the tests: Add and Relu in numpy, Sub wrongly, Neg fatally, Abs noisily and only where no signal is blocked, and nothing else."""

import os
import pathlib
import signal
import sys

import numpy
import onnx
import onnx.numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Conformance" / "Bridges"))
import worker_protocol


def noisily(x):
    print("SBW1 on standard output")
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    if blocked:
        raise worker_protocol.Refusal("device", f"signals are blocked: {blocked}")
    return numpy.abs(x)


OPERATORS = {
    "Add": numpy.add,
    "Relu": lambda x: numpy.maximum(x, 0),
    "Sub": numpy.add,
    "Neg": lambda x: os._exit(7),
    "Abs": noisily,
}


class NumpySample:
    program = f"numpy {numpy.__version__}"

    def load(self, request):
        return {"name": "numpy-sample", "vendor": "", "version": numpy.__version__, "abi": "", "path": request["plugin"]}

    def run(self, model, inputs):
        graph = onnx.load_from_string(model).graph
        (node,) = graph.node
        if node.op_type not in OPERATORS:
            raise worker_protocol.Refusal("noKernel", f"no kernel for {node.op_type}")
        values = [onnx.numpy_helper.to_array(onnx.TensorProto.FromString(blob)) for blob in inputs]
        result = OPERATORS[node.op_type](*values)
        return {"numpy-sample:0": 1}, [onnx.numpy_helper.from_array(result).SerializeToString()]


worker_protocol.serve(NumpySample())
