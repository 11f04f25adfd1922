# SPDX-License-Identifier: Apache-2.0
"""The network topologies of the `onnx` package, and how their weights and inputs are drawn.

As shipped every weight is 0.02 and every output a constant vector, so a run of them proves nothing. Here each weight,
a ConstantOfShape node in the shipped file, becomes an initialiser with random values that keep the activations alive:
of about the same size in every layer, so that a fault in any one of them reaches the outputs.
"""

import dataclasses
import hashlib
import math
import pathlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from counter_random import CounterRandom

SEED = 20260101
# By network, the size of the last layer's weights: such that softmax outputs are neither even nor one-hot.
LOGIT_SCALES = {
    "bvlc_alexnet": 1.6,
    "densenet121": 2.0,
    "inception_v1": 3.0,
    "inception_v2": 2.0,
    "resnet50": 1.0,
    "shufflenet": 0.4,
    "squeezenet": 1.8,
    "vgg19": 3.5,
    "zfnet512": 3.5,
}
# Size of the values that enter a local response normalisation. At size 1 its divisor would be 1 within 1e-4.
NORMALISED_SIZE = 64.0
# By operator without weights, what it does to the root mean square of its input, roughly.
SIZE_FACTORS = {
    "AveragePool": 1.0,
    "Concat": 1.0,
    "Dropout": 1.0,
    "GlobalAveragePool": 1.0,
    "LRN": 0.6,
    "MaxPool": 1.7,
    "Relu": math.sqrt(0.5),
    "Reshape": 1.0,
    "Softmax": 1.0,
    "Transpose": 1.0,
}


def shipped_model(name):
    path = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"
    return onnx.load(path)


@dataclasses.dataclass
class Weight:
    """One tensor to be drawn. `kind` is a key of DRAWN; `size` is the bound of the values, where the kind has one."""

    name: str
    shape: tuple
    kind: str
    size: float

    def values(self, network):
        """The weight as a float32 array."""
        random = CounterRandom(SEED, f"networks/{network}", self.name)
        flat = numpy.empty(math.prod(self.shape), numpy.float32)
        random.fill(flat, lambda start, count: DRAWN[self.kind](random.uniform(start, count), self.size))
        return flat.reshape(self.shape)


def signed_away_from_zero(uniform, size):
    """Even in ±[size/3, size]: each channel has its own value and none is near zero."""
    upper_half = uniform >= 0.5
    magnitude = (uniform - numpy.where(upper_half, 0.5, 0.0)) * (4.0 / 3.0) + 1.0 / 3.0
    return numpy.where(upper_half, magnitude, -magnitude) * size


DRAWN = {
    "weight": lambda uniform, size: (uniform * 2.0 - 1.0) * size,
    "bias": signed_away_from_zero,
    # Keeps most outputs of a last layer with a rectifier behind it above zero, where they differ.
    "positive": lambda uniform, size: (uniform * 2.0 + 2.0) * size,
    "scale": lambda uniform, size: (0.8 + 0.4 * uniform) * size,
    "variance": lambda uniform, size: (0.7 + 0.7 * uniform) * size,
}
# By operator, how its weights are drawn, in their order.
DRAWN_OPERANDS = {
    "BatchNormalization": (("scale", 1.0), ("bias", 0.3), ("bias", 0.2), ("variance", 1.0)),
    "Mul": (("scale", 1.0),),
    "Add": (("bias", 0.3),),
}


class Refill:
    """Walks one shipped model in its order and decides how each weight is drawn."""

    def __init__(self, name):
        self.name = name
        self.shipped = shipped_model(name)
        graph = self.shipped.graph
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        # Weights and their shapes: outputs of ConstantOfShape, and initialisers of floating-point type.
        self.shapes = {
            tensor.name: tuple(tensor.dims) for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT
        }
        self.nodes = []
        for node in graph.node:
            if node.op_type == "ConstantOfShape":
                self.shapes[node.output[0]] = tuple(int(extent) for extent in self.constants[node.input[0]])
            else:
                self.nodes.append(node)
        self.consumers = {}
        for node in self.nodes:
            for value in node.input:
                self.consumers.setdefault(value, []).append(node)
        self.last_product = [node for node in self.nodes if node.op_type in ("Conv", "Gemm")][-1]
        self.weights = {}
        self._assign()

    def _reaches_normalisation(self, value):
        """Whether `value` enters a local response normalisation, past rectifiers and maximum pools alone."""
        return any(
            node.op_type == "LRN"
            or (node.op_type in ("Relu", "MaxPool") and self._reaches_normalisation(node.output[0]))
            for node in self.consumers.get(value, [])
        )

    def _draw(self, value, kind, size):
        if value in self.weights:
            raise ValueError(f"network {self.name}: the weight '{value}' has two users")
        self.weights[value] = Weight(value, self.shapes[value], kind, size)

    def _assign(self):
        # By value, its root mean square as expected.
        sizes = {self.input_info().name: 1.0}
        # Weights by the names under which the operators see them: some are reshaped first.
        viewed = {name: name for name in self.shapes}
        for node in self.nodes:
            kind, result = node.op_type, node.output[0]
            if kind in ("Unsqueeze", "Reshape") and node.input[0] in viewed:
                viewed[result] = viewed[node.input[0]]
                continue
            inputs = [sizes[value] for value in node.input if value in sizes]
            weights = [viewed[value] for value in node.input if value in viewed]
            if kind in ("Conv", "Gemm"):
                sizes[result] = self._assign_product(node, max(inputs), *weights)
                continue
            if kind == "Sum":
                # A trunk that was rectified before stays mostly positive: the next rectifier takes little of it.
                sizes[result] = math.hypot(*inputs) * 1.25
            elif kind in SIZE_FACTORS:
                sizes[result] = max(inputs) * SIZE_FACTORS[kind]
            elif kind in DRAWN_OPERANDS:
                sizes[result] = max(inputs)
            else:
                raise ValueError(f"network {self.name}: no rule for the operator {kind}")
            for weight, (drawn, size) in zip(weights, DRAWN_OPERANDS.get(kind, ()), strict=True):
                self._draw(weight, drawn, size)

    def _assign_product(self, node, size_in, weight, bias=None):
        """Draws for a Conv or Gemm whose input has the root mean square `size_in`; returns that of its output."""
        size = 1.0
        rule = "bias"
        if node is self.last_product:
            size = LOGIT_SCALES[self.name]
            if any(user.op_type == "Relu" for user in self.consumers.get(node.output[0], [])):
                rule = "positive"
        elif self._reaches_normalisation(node.output[0]):
            size = NORMALISED_SIZE
        self._draw(weight, "weight", size / size_in * math.sqrt(3.0 / self._fan_in(weight)))
        if bias is not None:
            self._draw(bias, rule, 0.3 * size if rule == "bias" else size)
        return size

    def _fan_in(self, weight):
        """Terms of one output's sum: the weight has the output channels first, after leading ones in one network."""
        shape = [extent for extent in self.shapes[weight] if extent != 1]
        return math.prod(shape[1:])

    def arrays(self):
        """(name, float32 array) of every weight, one at a time: together they may be larger than memory allows."""
        for weight in self.weights.values():
            yield weight.name, weight.values(self.name)

    def input_info(self):
        """Name and type of the one input that is not a constant."""
        known = set(self.constants)
        (info,) = [value for value in self.shipped.graph.input if value.name not in known]
        return info

    def input_array(self):
        """The one input: standard normal noise, (1, 3, 224, 224)."""
        info = self.input_info()
        shape = tuple(extent.dim_value for extent in info.type.tensor_type.shape.dim)
        random = CounterRandom(SEED, f"networks/{self.name}", info.name)
        flat = numpy.empty(math.prod(shape), numpy.float32)
        random.fill(flat, random.normal)
        return flat.reshape(shape)

    def input_arrays(self):
        """(name, array) of every input: there is one."""
        return [(self.input_info().name, self.input_array())]

    def output_name(self):
        return self.shipped.graph.output[0].name

    def bare_model(self):
        """The model without weights: the topology, the shape constants still in use, the input and the output."""
        used = set(value for node in self.nodes for value in node.input)
        constants = [
            tensor
            for tensor in self.shipped.graph.initializer
            if tensor.name in used and tensor.name not in self.weights
        ]
        graph = helper.make_graph(
            self.nodes, self.name, [self.input_info()], list(self.shipped.graph.output), initializer=constants
        )
        opsets = [helper.make_operatorsetid(opset.domain, opset.version) for opset in self.shipped.opset_import]
        # From version 4 on an initialiser need not be a graph input as well.
        return helper.make_model(graph, opset_imports=opsets, ir_version=4, producer_name="southbridge")


class WeightsDigest:
    """SHA-256 over names, shapes and bytes of arrays, in the order in which they are added."""

    def __init__(self):
        self.digest = hashlib.sha256()

    def add(self, name, array):
        self.digest.update(f"{name} {array.shape}\n".encode("utf-8"))
        self.digest.update(numpy.ascontiguousarray(array).data)

    def __str__(self):
        return "sha256:" + self.digest.hexdigest()
