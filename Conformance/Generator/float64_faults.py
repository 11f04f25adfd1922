# SPDX-License-Identifier: Apache-2.0
"""Kernels with one fault each, planted in one node of a network at a time: do the networks' outputs show it?"""

import numpy

import float64_later as later
import float64_networks as right
from float64_networks import OPERATORS


class Changed:
    """The attributes of a node with some lists of integers replaced."""

    def __init__(self, attributes, **changes):
        self.attributes = attributes
        self.changes = changes

    def __getattr__(self, name):
        return getattr(self.attributes, name)

    def integers(self, name, default):
        return self.changes.get(name) or self.attributes.integers(name, default)


def first_two_swapped(array, axis=0):
    """`array` with the first two entries along `axis` exchanged."""
    order = numpy.arange(array.shape[axis])
    order[:2] = (1, 0)
    return numpy.take(array, order, axis)


def swapped(array, axis=0):
    """`array` with each even entry along `axis` exchanged with the one after it."""
    order = numpy.arange(array.shape[axis])
    pairs = order.size // 2 * 2
    order[:pairs] ^= 1
    return numpy.take(array, order, axis)


def wrong_stride(operator):
    """Steps one short of the stride, as many of them as the output needs."""

    def faulty(attributes, x, *weights):
        y = operator(attributes, x, *weights)
        strides = attributes.integers("strides", (1, 1))
        short = operator(Changed(attributes, strides=[strides[0] - 1, strides[1] - 1]), x, *weights)
        return short[:, :, : y.shape[2], : y.shape[3]]

    return faulty


def shifted_window(operator):
    """The window starts one pixel late in both axes."""

    def faulty(attributes, x, *weights):
        top, left, bottom, right_pad = attributes.integers("pads", (0, 0, 0, 0))
        pads = [top - 1, left - 1, bottom + 1, right_pad + 1]
        return operator(Changed(attributes, pads=pads), x, *weights)

    return faulty


def edge_repeated(attributes, x, *weights):
    """Pads with the value at the edge instead of with zero."""
    top, left, bottom, right_pad = attributes.integers("pads", (0, 0, 0, 0))
    x = numpy.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right_pad)), mode="edge")
    return right.convolution(Changed(attributes, pads=[0, 0, 0, 0]), x, *weights)


def counting_padding(attributes, x):
    """Divides by the whole window where part of it is padding."""
    kernel, strides, pads = right.window_attributes(attributes)
    return right.windows(x, kernel, strides, pads, 0.0).mean(axis=(4, 5))


def padded(node):
    return any(right.Attributes(node).integers("pads", (0, 0, 0, 0)))


def strided(node):
    return min(right.Attributes(node).integers("strides", (1, 1))) > 1


def starts_padded(node):
    return min(right.Attributes(node).integers("pads", (0, 0, 0, 0))[:2]) > 0


def spatial(node):
    return max(right.Attributes(node).integers("kernel_shape", (1, 1))) > 1


def always(node):
    return True


CONV, GEMM, NORMALIZE = right.convolution, right.gemm, right.batch_normalization
MAXIMUM, AVERAGE = right.maximum_pool, right.average_pool

# (operator, fault, which nodes can have it, faulty kernel)
FAULTS = (
    ("Conv", "bias dropped", lambda node: len(node.input) > 2, lambda a, x, w, b: CONV(a, x, w)),
    ("Conv", "output channels swapped", always, lambda a, x, *w: swapped(CONV(a, x, *w), 1)),
    ("Conv", "first two output channels swapped", always, lambda a, x, *w: first_two_swapped(CONV(a, x, *w), 1)),
    ("Conv", "input channels swapped", always, lambda a, x, *w: CONV(a, swapped(x, 1), *w)),
    ("Conv", "stride one short", strided, wrong_stride(CONV)),
    ("Conv", "window one pixel late", starts_padded, shifted_window(CONV)),
    ("Conv", "kernel transposed", spatial, lambda a, x, w, *b: CONV(a, x, w.swapaxes(2, 3), *b)),
    ("Conv", "edge repeated as padding", padded, edge_repeated),
    ("Gemm", "bias dropped", always, lambda a, x, w, b: GEMM(a, x, w, 0.0 * b)),
    ("Gemm", "output channels swapped", always, lambda a, x, *w: swapped(GEMM(a, x, *w), 1)),
    ("BatchNormalization", "bias dropped", always, lambda a, x, s, b, m, v: NORMALIZE(a, x, s, 0 * b, m, v)),
    ("BatchNormalization", "mean dropped", always, lambda a, x, s, b, m, v: NORMALIZE(a, x, s, b, 0 * m, v)),
    ("BatchNormalization", "variance not rooted", always, lambda a, x, s, b, m, v: NORMALIZE(a, x, s, b, m, v * v)),
    ("BatchNormalization", "channels swapped", always, lambda a, x, *w: NORMALIZE(a, x, *map(swapped, w))),
    ("Mul", "scale dropped", always, lambda a, x, s: x),
    ("Add", "bias dropped", always, lambda a, x, b: x),
    ("Sum", "second input dropped", always, lambda a, x, *others: x),
    ("MaxPool", "channels swapped", always, lambda a, x: swapped(MAXIMUM(a, x), 1)),
    ("MaxPool", "stride one short", strided, wrong_stride(MAXIMUM)),
    ("MaxPool", "window one pixel late", starts_padded, shifted_window(MAXIMUM)),
    ("AveragePool", "stride one short", strided, wrong_stride(AVERAGE)),
    ("AveragePool", "padding counted", padded, counting_padding),
    ("LRN", "left out", always, lambda a, x: x),
    ("Relu", "left out", always, lambda a, x: x),
    ("Concat", "inputs in the wrong order", always, lambda a, *x: OPERATORS["Concat"](a, *reversed(x))),
    ("Transpose", "left out, bytes kept", always, lambda a, x: x.reshape(OPERATORS["Transpose"](a, x).shape)),
)


# The same for the networks that are built here, of opsets 17 to 21. Shapes computed in the graph are left alone.
LATER = later.OPERATORS
LATER_FAULTS = (
    *(fault for fault in FAULTS if fault[0] in ("Conv", "BatchNormalization", "Transpose")),
    ("Add", "second operand dropped", always, lambda a, x, y: x + 0 * y),
    ("Mul", "second operand dropped", always, lambda a, x, y: x + 0 * y),
    ("Sub", "operands swapped", always, lambda a, x, y: y - x),
    ("Div", "not divided", always, lambda a, x, y: x + 0 * y),
    ("MatMul", "output columns swapped", always, lambda a, x, y: swapped(x @ y, -1)),
    ("MatMul", "last term dropped", always, lambda a, x, y: x[..., :-1] @ y[..., :-1, :]),
    ("Gemm", "bias dropped", always, lambda a, x, w, b: GEMM(a, x, w, 0.0 * b)),
    ("Softmax", "not divided", always, lambda a, x: numpy.exp(x - x.max(axis=-1, keepdims=True))),
    ("Where", "condition inverted", always, lambda a, condition, x, y: numpy.where(condition, y, x)),
    ("Gather", "next row", lambda node: "Shape" not in node.input[0], lambda a, x, i: LATER["Gather"](a, x, (i + 1) % x.shape[0])),
    ("Split", "first two parts swapped", always, lambda a, x, e: swap_first(LATER["Split"](a, x, e))),
    ("Slice", "one element late", lambda node: "constant" not in node.input[0], lambda a, x, *w: numpy.roll(later.slices(a, x, *w), -1, -1)),
    ("Concat", "inputs in the wrong order", lambda node: "Unsqueeze" not in node.input[0], lambda a, *x: LATER["Concat"](a, *reversed(x))),
    ("Tanh", "left out", always, lambda a, x: x),
    ("Erf", "left out", always, lambda a, x: x),
    ("Sigmoid", "left out", always, lambda a, x: x),
    ("Neg", "left out", always, lambda a, x: x),
    ("Gelu", "sigmoid for the error function", always, lambda a, x: x / (1 + numpy.exp(-1.702 * x))),
    ("Pow", "exponent one more", always, lambda a, x, e: x ** (e + 1)),
    ("ReduceMean", "sum instead of mean", always, lambda a, x, *axes: LATER["ReduceMean"](a, x, *axes) * x.shape[-1]),
    ("LayerNormalization", "bias dropped", always, lambda a, x, s, b: later.layer_normalization(a, x, s)),
    ("LayerNormalization", "mean kept", always, lambda a, x, s, b: s * x / numpy.sqrt((x * x).mean(-1, keepdims=True)) + b),
    ("InstanceNormalization", "channels swapped", always, lambda a, x, s, b: swapped(later.instance_normalization(a, x, s, b), 1)),
    ("GroupNormalization", "bias dropped", always, lambda a, x, s, b: later.group_normalization(a, x, s, 0 * b)),
    ("AveragePool", "channels swapped", always, lambda a, x: swapped(AVERAGE(a, x), 1)),
    ("ConvTranspose", "kernel transposed", always, lambda a, x, w, b: later.transposed_convolution(a, x, w.swapaxes(2, 3), b)),
    ("Resize", "one pixel late", always, lambda a, x, roi, s: numpy.roll(later.resize(a, x, roi, s), 1, 2)),
    ("Expand", "heads in turn instead of repeated", always, lambda a, x, s: swapped(LATER["Expand"](a, x, s), 1)),
)  # fmt: skip


def swap_first(parts):
    return [parts[1], parts[0], *parts[2:]]


def plant(evaluation, index, kernel):
    """The network's output with `kernel` in place of the node at `index`: only what depends on it is computed again."""
    node = evaluation.nodes[index]
    inputs = [right.widened(evaluation.values[name]) if name else None for name in node.input]
    results = kernel(right.Attributes(node), *inputs)
    changed = dict(zip(node.output, results if isinstance(results, list) else [results]))
    for later in evaluation.nodes[index + 1 :]:
        if any(name in changed for name in later.input):
            given = [changed.get(name, evaluation.values.get(name)) for name in later.input]
            changed.update(evaluation.apply(later, given))
    return changed[evaluation.output]


def plant_all(evaluation, excess, most=12):
    """By fault, `excess` of the output for up to `most` nodes spread evenly over the network. All values must be kept."""
    found = {}
    for operator, fault, applies, kernel in FAULTS if evaluation.operators is OPERATORS else LATER_FAULTS:
        places = [i for i, node in enumerate(evaluation.nodes) if node.op_type == operator and applies(node)]
        # The first, the last, and nodes evenly between them.
        count = min(most, len(places))
        chosen = {places[round(k * (len(places) - 1) / max(1, count - 1))] for k in range(count)}
        for index in sorted(chosen):
            with numpy.errstate(all="ignore"):
                multiple = excess(plant(evaluation, index, kernel))
            found.setdefault(f"{operator} {fault}", []).append(multiple)
    return found
