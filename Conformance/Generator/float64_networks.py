# SPDX-License-Identifier: Apache-2.0
"""Evaluates the refilled networks in float64, written from the operators' specification at opset 9 with numpy alone.

Golden outputs come from here: from no plugin, no ONNX runtime and no code of the `onnx` package beyond reading the file.
"""

import math

import numpy
from onnx import numpy_helper


class Attributes:
    """The attributes of one node by name."""

    def __init__(self, node):
        self.values = {attribute.name: attribute for attribute in node.attribute}

    def integer(self, name, default):
        return self.values[name].i if name in self.values else default

    def number(self, name, default):
        return float(self.values[name].f) if name in self.values else default

    def integers(self, name, default):
        return list(self.values[name].ints) if name in self.values else list(default)

    def refuse(self, *names):
        for name in names:
            if name in self.values:
                raise NotImplementedError(f"attribute '{name}'")


def windows(x, kernel, strides, pads, fill):
    """View of `x` (N, C, H, W), padded by `fill`, as (N, C, OH, OW, KH, KW). `pads` is top, left, bottom, right."""
    top, left, bottom, right = pads
    padded = numpy.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    view = numpy.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
    return view[:, :, :: strides[0], :: strides[1]]


def window_attributes(attributes, kernel=None):
    """(kernel, strides, pads) of a convolution or pooling in two dimensions."""
    attributes.refuse("auto_pad", "ceil_mode", "storage_order")
    if attributes.integers("dilations", (1, 1)) != [1, 1]:
        raise NotImplementedError("dilations")
    kernel = attributes.integers("kernel_shape", kernel or ())
    return kernel, attributes.integers("strides", (1, 1)), attributes.integers("pads", (0, 0, 0, 0))


def convolution(attributes, x, weight, bias=None):
    """Weight (M, C / groups, KH, KW), bias (M)."""
    kernel, strides, pads = window_attributes(attributes, weight.shape[2:])
    groups = attributes.integer("group", 1)
    view = windows(x, kernel, strides, pads, 0.0)
    batch, channels, height, width = view.shape[:4]
    # (N, groups, OH · OW, C / groups · KH · KW) times (groups, C / groups · KH · KW, M / groups)
    columns = view.reshape(batch, groups, channels // groups, height, width, *kernel)
    columns = columns.transpose(0, 1, 3, 4, 2, 5, 6).reshape(batch, groups, height * width, -1)
    matrices = weight.reshape(groups, weight.shape[0] // groups, -1).transpose(0, 2, 1)
    y = numpy.matmul(columns, matrices).transpose(0, 1, 3, 2).reshape(batch, weight.shape[0], height, width)
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


def gemm(attributes, a, b, c):
    a = a.T if attributes.integer("transA", 0) else a
    b = b.T if attributes.integer("transB", 0) else b
    return attributes.number("alpha", 1.0) * (a @ b) + attributes.number("beta", 1.0) * c


def batch_normalization(attributes, x, scale, bias, mean, variance):
    def channelwise(values):
        return values.reshape(1, -1, *[1] * (x.ndim - 2))

    inverse = 1.0 / numpy.sqrt(variance + attributes.number("epsilon", 1e-5))
    return channelwise(scale * inverse) * (x - channelwise(mean)) + channelwise(bias)


def maximum_pool(attributes, x):
    view = windows(x, *window_attributes(attributes), -numpy.inf)
    return view.max(axis=(4, 5))


def average_pool(attributes, x):
    """Padding does not count, neither in the sum nor in the number of terms, unless the node says so."""
    geometry = window_attributes(attributes)
    total = windows(x, *geometry, 0.0).sum(axis=(4, 5))
    inside = numpy.ones((1, 1, *x.shape[2:]))
    counted = 1.0 if attributes.integer("count_include_pad", 0) else 0.0
    return total / windows(inside, *geometry, counted).sum(axis=(4, 5))


def global_average_pool(attributes, x):
    return x.mean(axis=tuple(range(2, x.ndim)), keepdims=True)


def local_response_normalization(attributes, x):
    """Each value over a power of the squares of its neighbours in the channel axis; floor((size - 1) / 2) before it."""
    size = attributes.integer("size", 0)
    before = (size - 1) // 2
    squares = numpy.pad(x * x, ((0, 0), (before, size - 1 - before), (0, 0), (0, 0)))
    sums = numpy.lib.stride_tricks.sliding_window_view(squares, size, axis=1).sum(axis=-1)
    base = attributes.number("bias", 1.0) + attributes.number("alpha", 1e-4) / size * sums
    return x / base ** attributes.number("beta", 0.75)


def softmax(attributes, x):
    """Before opset 13: over all axes from `axis` on, taken as one."""
    axis = attributes.integer("axis", 1)
    rows = x.reshape(math.prod(x.shape[:axis]), -1)
    powers = numpy.exp(rows - rows.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).reshape(x.shape)


def reshape(attributes, x, shape):
    """An extent of 0 keeps the input's, one of -1 is what is left."""
    extents = [x.shape[axis] if extent == 0 else int(extent) for axis, extent in enumerate(shape)]
    return x.reshape(extents)


def unsqueeze(attributes, x):
    return numpy.expand_dims(x, tuple(attributes.integers("axes", ())))


OPERATORS = {
    "Add": lambda attributes, a, b: a + b,
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Concat": lambda attributes, *inputs: numpy.concatenate(inputs, axis=attributes.integer("axis", None)),
    "Conv": convolution,
    "Dropout": lambda attributes, x: x,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "LRN": local_response_normalization,
    "MaxPool": maximum_pool,
    "Mul": lambda attributes, a, b: a * b,
    "Relu": lambda attributes, x: numpy.maximum(x, 0.0),
    "Reshape": reshape,
    "Softmax": softmax,
    "Sum": lambda attributes, *inputs: sum(inputs),
    "Transpose": lambda attributes, x: x.transpose(attributes.integers("perm", reversed(range(x.ndim)))),
    "Unsqueeze": unsqueeze,
}


def widened(array):
    return array.astype(numpy.float64) if array.dtype == numpy.float32 else array


def operators_of(model):
    """The table for the model's opset."""
    opsets = [(opset.domain, opset.version) for opset in model.opset_import]
    if opsets == [("", 9)]:
        return OPERATORS
    if len(opsets) == 1 and opsets[0][0] == "" and 17 <= opsets[0][1] <= 21:
        import float64_later

        return float64_later.OPERATORS
    raise ValueError("the operators here are those of opset 9 and of opsets 17 to 21")


class Evaluation:
    """One network over given weights. `values` holds weights, constants and inputs as they were, and results in float64."""

    def __init__(self, model, weights):
        self.operators = operators_of(model)
        self.nodes = list(model.graph.node)
        self.output = model.graph.output[0].name
        self.values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.values.update(weights)
        self.last_use = {value: index for index, node in enumerate(self.nodes) for value in node.input}

    def apply(self, node, inputs):
        """The node's results by name, as many as are computed; None is an input left out."""
        given = [value if value is None else widened(value) for value in inputs]
        try:
            result = self.operators[node.op_type](Attributes(node), *given)
            return dict(zip(node.output, result if isinstance(result, list) else [result]))
        except (KeyError, NotImplementedError) as error:
            raise ValueError(f"the node {node.name} ({node.op_type}) asks for what this evaluator lacks: {error}") from error

    def run(self, inputs, keep=False):
        """The network's one output. Unless `keep`, results are dropped after their last use."""
        self.values.update(inputs)
        for index, node in enumerate(self.nodes):
            self.values.update(self.apply(node, [self.values.get(name) for name in node.input]))
            if not keep:
                for name in set(node.input):
                    if name and self.last_use[name] == index:
                        del self.values[name]
        return self.values[self.output]
