# SPDX-License-Identifier: Apache-2.0
"""Shows, in OpenVINO alone, the faults that the plugin's lists go around, and the one that they cannot.

    PYTHONPATH=build python known_faults.py

Needs numpy and onnx, and the openvino package that `make fetch` puts into build/. Prints a line per fault, and exits with 1 if one is gone: then the lists in claims.cpp can grow.
"""

import sys

import numpy as np
import openvino
from onnx import TensorProto, helper

CORE = openvino.Core()
POISON = 77.0
INFINITY = float("inf")


def compute(operator, *inputs, shape=None, version=13, types=TensorProto.FLOAT, gives=None, **attributes):
    """One node, its output in memory that was filled with POISON before."""
    arrays = [np.asarray(each, dtype=helper.tensor_dtype_to_np_dtype(types)) for each in inputs]
    names = [f"x{number}" for number in range(len(arrays))]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], **attributes)],
        "fault",
        [helper.make_tensor_value_info(name, types, array.shape) for name, array in zip(names, arrays)],
        [helper.make_tensor_value_info("y", gives or types, shape or arrays[0].shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
    compiled = CORE.compile_model(CORE.read_model(model.SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    result = np.full(shape or arrays[0].shape, POISON, helper.tensor_dtype_to_np_dtype(gives or types))
    for number, array in enumerate(arrays):
        request.set_input_tensor(number, openvino.Tensor(array))
    request.set_output_tensor(0, openvino.Tensor(result, shared_memory=True))
    request.infer()
    return result


def faults():
    """What each fault is, whether the plugin takes such nodes all the same, and whether it is there."""
    row = [[1.0, -2.0]]
    window = dict(kernel_shape=[1, 1], shape=(1, 1, 1, 1))
    yield "MaxPool of nothing but -infinity is the lowest number", True, compute("MaxPool", [[[[-INFINITY]]]], **window)[0, 0, 0, 0] != -INFINITY
    yield "Dropout on its own does not write its output", False, (compute("Dropout", row) == POISON).all()
    yield "Max of one input does not write its output", False, (compute("Max", row) == POISON).all()
    channels = np.ones((1, 5, 1, 1))
    halves = compute("LRN", channels, size=3, alpha=0.05, bias=1.5), compute("LRN", channels, size=3, alpha=0.05, bias=1.0)
    yield "Max of 5, NaN and 3 is 3", False, compute("Max", [[5.0]], [[np.nan]], [[3.0]])[0, 0] == 3
    yield "Clip without limits makes infinity finite", False, np.isfinite(compute("Clip", [[INFINITY]])[0, 0])
    yield "LRN drops the fraction of its bias", False, (halves[0] == halves[1]).all()
    yield "Exp of NaN is no NaN", False, not np.isnan(compute("Exp", [[np.nan]])[0, 0])
    yield "Exp of 88.5 is infinite", False, compute("Exp", [[88.5]])[0, 0] == INFINITY
    yield "Gelu of infinity is NaN (with AVX-512)", False, np.isnan(compute("Gelu", [[INFINITY] * 64], version=20)[0, 0])
    yield "Softplus of -86.98 is 7.6e-6", False, compute("Softplus", [[-86.98] * 64])[0, 0] > 1e-6
    yield "Erf of 1e-20 is 0", False, compute("Erf", [[1e-20]])[0, 0] == 0
    steps = compute("Softmax", np.zeros((1, 2, 2)), version=11, axis=1)
    yield "Softmax of operator set 11 sums one axis for all", False, steps[0, 0, 0] != 0.25
    yield "Add of uint8 saturates", False, compute("Add", [200], [100], types=TensorProto.UINT8, version=14)[0] == 255
    least = compute("Cast", [-(1 << 31)], types=TensorProto.INT32, gives=TensorProto.BOOL, to=TensorProto.BOOL)[0]
    yield "Cast of the smallest int32 to bool is false", False, not least
    yield "Identity of int64 keeps 32 bits", False, compute("Identity", [1 << 40], types=TensorProto.INT64)[0] != 1 << 40


def main():
    gone = 0
    print(openvino.get_version())
    for name, is_taken, is_there in faults():
        gone += not is_there
        print(f"{'there' if is_there else 'GONE ':5}  {'taken all the same' if is_taken else 'left to others':18}  {name}")
    sys.exit(1 if gone else 0)


if __name__ == "__main__":
    main()
