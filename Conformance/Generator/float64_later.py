# SPDX-License-Identifier: Apache-2.0
"""Operators of opsets 17 to 21 in float64, beside those of `float64_networks`, written from their specification with numpy alone."""

import math

import numpy

import float64_networks
from float64_networks import average_pool, batch_normalization, convolution, gemm, reshape


def shape(attributes, x):
    attributes.refuse("start", "end")
    return numpy.array(x.shape, numpy.int64)


def softmax(attributes, x):
    """From opset 13 on: over one axis."""
    axis = attributes.integer("axis", -1)
    powers = numpy.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def reduce_mean(attributes, x, axes=None):
    """`axes` is an attribute before opset 18 and an input from there on."""
    attributes.refuse("noop_with_empty_axes")
    axes = attributes.integers("axes", ()) if axes is None else [int(axis) for axis in axes]
    return x.mean(axis=tuple(axes) or None, keepdims=bool(attributes.integer("keepdims", 1)))


def slices(attributes, x, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    chosen = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise NotImplementedError("a step below one")
        chosen[int(axis)] = slice(int(start), int(end), int(step))
    return x[tuple(chosen)]


def split(attributes, x, extents):
    return numpy.split(x, numpy.cumsum(extents)[:-1], axis=attributes.integer("axis", 0))


def normalised(x, axes, epsilon):
    centred = x - x.mean(axis=axes, keepdims=True)
    return centred / numpy.sqrt((centred * centred).mean(axis=axes, keepdims=True) + epsilon)


def along_channels(values, rank):
    return values.reshape(1, -1, *[1] * (rank - 2))


def layer_normalization(attributes, x, scale, bias=0.0):
    axis = attributes.integer("axis", -1) % x.ndim
    return normalised(x, tuple(range(axis, x.ndim)), attributes.number("epsilon", 1e-5)) * scale + bias


def instance_normalization(attributes, x, scale, bias):
    y = normalised(x, tuple(range(2, x.ndim)), attributes.number("epsilon", 1e-5))
    return y * along_channels(scale, x.ndim) + along_channels(bias, x.ndim)


def group_normalization(attributes, x, scale, bias):
    """From opset 21 on: scale and bias by channel."""
    groups = x.reshape(x.shape[0], attributes.integer("num_groups", 0), -1)
    y = normalised(groups, (2,), attributes.number("epsilon", 1e-5)).reshape(x.shape)
    return y * along_channels(scale, x.ndim) + along_channels(bias, x.ndim)


def error_function(x):
    return numpy.vectorize(math.erf, otypes=[float])(x)


def gelu(attributes, x):
    if "approximate" in attributes.values and attributes.values["approximate"].s == b"tanh":
        return 0.5 * x * (1 + numpy.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + error_function(x / math.sqrt(2)))


def resize(attributes, x, roi, scales):
    """Nearest, output pixel i from input pixel floor(i / scale)."""
    wanted = {"mode": b"nearest", "coordinate_transformation_mode": b"asymmetric", "nearest_mode": b"floor"}
    if {key: attributes.values[key].s for key in wanted if key in attributes.values} != wanted:
        raise NotImplementedError("another mode")
    for axis, scale in enumerate(scales):
        places = numpy.floor(numpy.arange(int(x.shape[axis] * scale)) / scale).astype(int)
        x = numpy.take(x, places, axis=axis)
    return x


def transposed_convolution(attributes, x, weight, bias=None):
    """Weight (C, M, KH, KW), one group, no padding: each input pixel adds its multiple of the kernel to the output."""
    attributes.refuse("auto_pad", "output_padding", "output_shape", "group", "pads", "dilations")
    rows, columns = attributes.integers("strides", (1, 1))
    kernel = weight.shape[2:]
    (batch, _, height, width), channels = x.shape, weight.shape[1]
    y = numpy.zeros((batch, channels, (height - 1) * rows + kernel[0], (width - 1) * columns + kernel[1]))
    for i, j in numpy.ndindex(*kernel):
        part = numpy.einsum("nchw,cm->nmhw", x, weight[:, :, i, j], optimize=True)
        y[:, :, i : i + (height - 1) * rows + 1 : rows, j : j + (width - 1) * columns + 1 : columns] += part
    return y if bias is None else y + along_channels(bias, 4)


OPERATORS = {
    "Add": lambda attributes, a, b: a + b,
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Concat": float64_networks.OPERATORS["Concat"],
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "Cos": lambda attributes, x: numpy.cos(x),
    "Div": lambda attributes, a, b: a / b,
    "Erf": lambda attributes, x: error_function(x),
    "Expand": lambda attributes, x, shape: numpy.broadcast_to(x, numpy.broadcast_shapes(x.shape, tuple(map(int, shape)))),
    "Gather": lambda attributes, x, indices: numpy.take(x, indices, axis=attributes.integer("axis", 0)),
    "Gelu": gelu,
    "Gemm": gemm,
    "GroupNormalization": group_normalization,
    "InstanceNormalization": instance_normalization,
    "LayerNormalization": layer_normalization,
    "MatMul": lambda attributes, a, b: numpy.matmul(a, b),
    "Mul": lambda attributes, a, b: a * b,
    "Neg": lambda attributes, x: -x,
    "Pow": lambda attributes, x, exponent: x**exponent,
    "Reciprocal": lambda attributes, x: 1.0 / x,
    "ReduceMean": reduce_mean,
    "Reshape": reshape,
    "Resize": resize,
    "Shape": shape,
    "Sigmoid": lambda attributes, x: 1.0 / (1.0 + numpy.exp(-x)),
    "Sin": lambda attributes, x: numpy.sin(x),
    "Slice": slices,
    "Softmax": softmax,
    "Split": split,
    "Sqrt": lambda attributes, x: numpy.sqrt(x),
    "Sub": lambda attributes, a, b: a - b,
    "Tanh": lambda attributes, x: numpy.tanh(x),
    "Transpose": float64_networks.OPERATORS["Transpose"],
    "Unsqueeze": lambda attributes, x, axes: numpy.expand_dims(x, tuple(map(int, axes))),
    "Where": lambda attributes, condition, a, b: numpy.where(condition, a, b),
}
