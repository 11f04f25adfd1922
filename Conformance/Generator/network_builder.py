# SPDX-License-Identifier: Apache-2.0
"""Builds a network node by node. What comes out has the face of `networks.Refill`: topology, weights and inputs, drawn by name."""

import contextlib
import dataclasses
import math
import typing

import numpy
from onnx import TensorProto, helper, numpy_helper

from counter_random import CounterRandom
from networks import SEED, Weight


@dataclasses.dataclass
class Input:
    """One input of a network; `draw(random, start, count)` gives its values."""

    name: str
    shape: tuple
    data_type: int
    draw: typing.Callable

    def info(self):
        return helper.make_tensor_value_info(self.name, self.data_type, self.shape)


class NetworkBuilder:
    """A graph under construction. Names of nodes and weights begin with the scopes that they stand in, as exporters write them."""

    def __init__(self, name, opset):
        self.name = name
        self.opset = opset
        self.nodes = []
        self.weights = {}
        self.constants = {}
        self.inputs = []
        self.outputs = []
        self._prefix = ""
        self._counts = {}

    @contextlib.contextmanager
    def scope(self, name):
        outer = self._prefix
        self._prefix = f"{outer}{name}/"
        yield
        self._prefix = outer

    def input(self, name, shape, data_type, draw):
        self.inputs.append(Input(name, tuple(shape), data_type, draw))
        return name

    def output(self, value, name, shape):
        """Names `value` as the output; its type is float32."""
        for node in self.nodes:
            for index, output in enumerate(node.output):
                if output == value:
                    node.output[index] = name
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def weight(self, name, shape, kind, size=1.0):
        """A tensor to be drawn; `kind` and `size` as in `networks.Weight`."""
        name = self._prefix + name
        self.weights[name] = Weight(name, tuple(shape), kind, size)
        return name

    def matrix(self, name, shape, fan_in, gain=1.0):
        """Weights that give sums of `fan_in` terms of root mean square 1 the root mean square `gain`."""
        return self.weight(name, shape, "weight", gain * math.sqrt(3.0 / fan_in))

    def constant(self, array):
        """An initialiser with these values; floats become float32. Equal ones are one."""
        array = numpy.asarray(array)
        if array.dtype == numpy.float64:
            array = array.astype(numpy.float32)
        for name, known in self.constants.items():
            if known.dtype == array.dtype and known.shape == array.shape and numpy.array_equal(known, array):
                return name
        name = f"constant_{len(self.constants)}"
        self.constants[name] = array
        return name

    def __getattr__(self, operator):
        """`builder.Add(a, b)` adds a node and returns the name of its output, or of its `outputs` where there are several."""
        if not operator[0].isupper():
            raise AttributeError(operator)

        def add(*inputs, outputs=1, **attributes):
            inputs = [value if isinstance(value, str) else self.constant(value) for value in inputs]
            path = self._prefix + operator
            number = self._counts[path] = self._counts.get(path, -1) + 1
            name = path if number == 0 else f"{path}_{number}"
            results = [f"{name}_output_{index}" for index in range(outputs)]
            self.nodes.append(helper.make_node(operator, inputs, results, name=name, **attributes))
            return results[0] if outputs == 1 else results

        return add

    # What the generators ask of a network

    def arrays(self):
        """(name, float32 array) of every weight, one at a time."""
        for weight in self.weights.values():
            yield weight.name, weight.values(self.name)

    def input_arrays(self):
        """(name, array) of every input, in order."""
        arrays = []
        for given in self.inputs:
            random = CounterRandom(SEED, f"networks/{self.name}", given.name)
            flat = numpy.empty(math.prod(given.shape), helper.tensor_dtype_to_np_dtype(given.data_type))
            random.fill(flat, lambda start, count, draw=given.draw: draw(random, start, count))
            arrays.append((given.name, flat.reshape(given.shape)))
        return arrays

    def output_name(self):
        return self.outputs[0].name

    def bare_model(self):
        """The model without weights: the topology, the constants, the inputs and the output."""
        constants = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(
            self.nodes, self.name, [given.info() for given in self.inputs], self.outputs, initializer=constants
        )
        opsets = [helper.make_operatorsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="southbridge")
