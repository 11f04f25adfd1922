# SPDX-License-Identifier: Apache-2.0
"""Matrix products, convolutions, poolings: sums of products in exact arithmetic."""

import itertools

import mpmath
import numpy

from golden_arithmetic import each, result
from golden_cases import Case, Draw, Exact, Tensor, rounded
from golden_formats import mpf

FLOATS = ("float64", "float32", "float16", "bfloat16")


def matrix_products():
    for kind in FLOATS:
        draw = Draw("MatMul", f"{kind}-deep")
        a, b = draw.normal("a", kind, (2, 1536)), draw.normal("b", kind, (1536, 3))
        yield Case("MatMul", f"{kind}-deep", [a, b], [Exact(kind, a.numbers() @ b.numbers())], "1,536 terms")
        draw = Draw("MatMul", f"{kind}-cancelling")
        half, other = draw.wide("half", kind, (5, 60), -4, 4), draw.normal("b", kind, (60, 4))
        a = rounded(kind, numpy.concatenate([half.numbers(), -half.numbers()], axis=1))
        b = numpy.concatenate([other.numbers(), each(lambda x: x * (1 + mpf(2) ** -6), other.numbers())])
        b = rounded(kind, b)
        yield Case("MatMul", f"{kind}-cancelling", [a, b], [Exact(kind, a.numbers() @ b.numbers())], "the two halves of the sum nearly cancel")
        draw = Draw("MatMul", f"{kind}-batched")
        a, b = draw.normal("a", kind, (2, 1, 5, 7)), draw.normal("b", kind, (3, 7, 4))
        yield Case("MatMul", f"{kind}-batched", [a, b], [Exact(kind, numpy.matmul(a.numbers(), b.numbers()))], "batches broadcast")
        v = draw.normal("v", kind, (7,))
        yield Case("MatMul", f"{kind}-vector", [a, v], [Exact(kind, numpy.matmul(a.numbers(), v.numbers()))], "a vector on the right")
        for name, left, right in (("plain", 0, 0), ("both-transposed", 1, 1), ("left-transposed", 1, 0), ("right-transposed", 0, 1)):
            draw = Draw("Gemm", f"{kind}-{name}")
            a, b = draw.normal("a", kind, (33, 6) if left else (6, 33)), draw.normal("b", kind, (9, 33) if right else (33, 9))
            c = draw.normal("c", kind, (9,) if left else (6, 1))
            x, y = a.numbers().T if left else a.numbers(), b.numbers().T if right else b.numbers()
            values = mpf("0.75") * (x @ y) + mpf("-1.5") * c.numbers()
            attributes = {"alpha": 0.75, "beta": -1.5, "transA": left, "transB": right}
            yield Case("Gemm", f"{kind}-{name}", [a, b, c], [Exact(kind, values)], "scales of both parts, a bias that broadcasts", attributes)
    for kind in ("int32", "int64", "uint32"):
        draw = Draw("MatMul", f"{kind}-wraps")
        a, b = draw.integers("a", kind, (5, 9)), draw.integers("b", kind, (9, 4))
        yield Case("MatMul", f"{kind}-wraps", [a, b], [result(kind, a.numbers() @ b.numbers())], "modulo the range")


def contraction(equation, *operands):
    """Einstein's sum by its definition."""
    left, right = equation.replace(" ", "").split("->")
    terms = left.split(",")
    sizes = {letter: size for term, operand in zip(terms, operands) for letter, size in zip(term, operand.shape)}
    summed = sorted(set("".join(terms)) - set(right))
    out = numpy.empty([sizes[letter] for letter in right], dtype=object)
    for place in numpy.ndindex(*out.shape):
        fixed = dict(zip(right, place))
        accumulated = 0
        for inner in itertools.product(*(range(sizes[letter]) for letter in summed)):
            index = fixed | dict(zip(summed, inner))
            product = 1
            for term, operand in zip(terms, operands):
                product = product * operand[tuple(index[letter] for letter in term)]
            accumulated = accumulated + product
        out[place] = accumulated
    return out


def einsums():
    for kind in FLOATS:
        for name, equation, shapes in (
            ("matrix", "ij,jk->ik", [(4, 30), (30, 3)]), ("batched-transposed", "bij,bkj->bik", [(2, 3, 12), (2, 4, 12)]), ("trace", "ii->", [(9, 9)]),
            ("diagonal", "bii->bi", [(2, 5, 5)]), ("outer", "i,j->ij", [(5,), (6,)]), ("three", "ij,jk,kl->il", [(3, 4), (4, 5), (5, 2)]), ("sum", "ijk->j", [(3, 4, 5)]),
        ):  # fmt: skip
            draw = Draw("Einsum", f"{kind}-{name}")
            inputs = [draw.normal(f"x{index}", kind, shape) for index, shape in enumerate(shapes)]
            values = contraction(equation, *(tensor.numbers() for tensor in inputs))
            yield Case("Einsum", f"{kind}-{name}", inputs, [Exact(kind, values)], "repeated, summed and swapped letters", {"equation": equation})


def padded(x, pads, value):
    """Pads the axes behind the first two."""
    rank = x.ndim - 2
    return numpy.pad(x, [(0, 0), (0, 0)] + [(pads[axis], pads[axis + rank]) for axis in range(rank)], constant_values=value)


def windows(x, kernel, strides, dilations):
    """(place, the window's elements) of an already padded input; the window's axes are those of the kernel."""
    sizes = [
        (size - (extent - 1) * dilation - 1) // stride + 1
        for size, extent, stride, dilation in zip(x.shape[2:], kernel, strides, dilations)
    ]
    for place in numpy.ndindex(*sizes):
        cut = tuple(
            slice(start * stride, start * stride + (extent - 1) * dilation + 1, dilation)
            for start, stride, extent, dilation in zip(place, strides, kernel, dilations)
        )
        yield place, x[(slice(None), slice(None)) + cut]


def convolution(x, w, bias, pads, strides, dilations, group, zero=0):
    x = padded(x, pads, zero)
    kernel = w.shape[2:]
    per_group, outputs = w.shape[1], w.shape[0] // group
    columns = list(windows(x, kernel, strides, dilations))
    sizes = [last + 1 for last in columns[-1][0]]
    y = numpy.empty([x.shape[0], w.shape[0]] + sizes, dtype=object)
    for place, window in columns:
        for g in range(group):
            patch = window[:, g * per_group : (g + 1) * per_group].reshape(x.shape[0], -1)
            y[(slice(None), slice(g * outputs, (g + 1) * outputs)) + place] = patch @ w[g * outputs : (g + 1) * outputs].reshape(outputs, -1).T
    return y if bias is None else y + bias.reshape((-1,) + (1,) * len(kernel))


CONVOLUTIONS = (
    # name, input, weights, pads, strides, dilations, group, bias
    ("plain", (1, 3, 7, 6), (4, 3, 3, 3), (1, 1, 1, 1), (1, 1), (1, 1), 1, True),
    ("one-dimensional", (2, 3, 19), (4, 3, 5), (2, 1), (2,), (1,), 1, True),
    ("three-dimensional", (1, 2, 4, 5, 4), (3, 2, 2, 3, 2), (0, 1, 1, 1, 0, 0), (1, 2, 1), (1, 1, 1), 1, False),
    ("grouped", (1, 6, 5, 5), (4, 3, 3, 2), (0, 0, 1, 1), (1, 1), (1, 1), 2, True),
    ("depthwise-strided", (1, 5, 8, 7), (5, 1, 3, 3), (1, 1, 1, 1), (2, 2), (1, 1), 5, True),
    ("dilated", (1, 2, 9, 10), (3, 2, 3, 2), (2, 1, 0, 2), (1, 2), (2, 3), 1, False),
    ("pointwise", (2, 40, 3, 3), (5, 40, 1, 1), (0, 0, 0, 0), (1, 1), (1, 1), 1, True),
)


def convolutions():
    for kind in FLOATS:
        for name, shape, weights, pads, strides, dilations, group, has_bias in CONVOLUTIONS:
            draw = Draw("Conv", f"{kind}-{name}")
            x, w = draw.normal("x", kind, shape), draw.normal("w", kind, weights)
            bias = draw.normal("b", kind, weights[:1]) if has_bias else None
            values = convolution(x.numbers(), w.numbers(), bias.numbers() if bias else None, pads, strides, dilations, group, mpf(0))
            attributes = {"pads": list(pads), "strides": list(strides), "dilations": list(dilations), "group": group, "kernel_shape": list(weights[2:])}
            inputs = [x, w, bias] if bias else [x, w]
            yield Case("Conv", f"{kind}-{name}", inputs, [Exact(kind, values)], "padding, strides, dilations and groups of odd sizes", attributes)


def transposed(x, w, bias, pads, strides, dilations, group, output_padding):
    """Every input element adds its scaled kernel to the output."""
    kernel, rank = w.shape[2:], x.ndim - 2
    full = [
        (size - 1) * stride + (extent - 1) * dilation + 1 + extra
        for size, stride, extent, dilation, extra in zip(x.shape[2:], strides, kernel, dilations, output_padding)
    ]
    outputs, inputs = w.shape[1], x.shape[1] // group
    y = numpy.full([x.shape[0], outputs * group] + full, mpf(0), dtype=object)
    for place in numpy.ndindex(*x.shape[2:]):
        for g in range(group):
            column = x[(slice(None), slice(g * inputs, (g + 1) * inputs)) + place]
            spread = numpy.tensordot(column, w[g * inputs : (g + 1) * inputs], axes=1)
            cut = tuple(
                slice(p * stride, p * stride + (extent - 1) * dilation + 1, dilation) for p, stride, extent, dilation in zip(place, strides, kernel, dilations)
            )
            target = (slice(None), slice(g * outputs, (g + 1) * outputs)) + cut
            y[target] = y[target] + spread
    cut = tuple(slice(pads[axis], full[axis] - pads[axis + rank]) for axis in range(rank))
    y = y[(slice(None), slice(None)) + cut]
    return y if bias is None else y + bias.reshape((-1,) + (1,) * rank)


def transposed_convolutions():
    table = (
        ("plain", (1, 3, 4, 5), (3, 2, 3, 3), (0, 0, 0, 0), (1, 1), (1, 1), 1, (0, 0), True),
        ("strided-padded", (1, 2, 4, 3), (2, 3, 3, 4), (1, 1, 0, 2), (2, 3), (1, 1), 1, (1, 2), False),
        ("grouped-dilated", (1, 4, 3, 4), (4, 2, 2, 3), (1, 0, 1, 0), (1, 2), (2, 1), 2, (0, 0), True),
        ("one-dimensional", (2, 3, 7), (3, 2, 4), (1, 2), (3,), (1,), 1, (0,), True),
    )
    for kind in FLOATS:
        for name, shape, weights, pads, strides, dilations, group, extra, has_bias in table:
            draw = Draw("ConvTranspose", f"{kind}-{name}")
            x, w = draw.normal("x", kind, shape), draw.normal("w", kind, weights)
            bias = draw.normal("b", kind, (weights[1] * group,)) if has_bias else None
            values = transposed(x.numbers(), w.numbers(), bias.numbers() if bias else None, pads, strides, dilations, group, extra)
            attributes = {
                "pads": list(pads), "strides": list(strides), "dilations": list(dilations), "group": group, "output_padding": list(extra),
                "kernel_shape": list(weights[2:]),
            }  # fmt: skip
            inputs = [x, w, bias] if bias else [x, w]
            yield Case("ConvTranspose", f"{kind}-{name}", inputs, [Exact(kind, values)], "overlapping kernels, padding cut off, groups", attributes)


def pooled(x, kernel, pads, strides, dilations, function, fill):
    columns = list(windows(padded(x, pads, fill), kernel, strides, dilations))
    y = numpy.empty(list(x.shape[:2]) + [last + 1 for last in columns[-1][0]], dtype=object)
    for place, window in columns:
        for pair in numpy.ndindex(*x.shape[:2]):
            y[pair + place] = function([value for value in window[pair].reshape(-1).tolist() if value is not None])
    return y


POOLS = (
    # name, input, kernel, pads, strides, dilations
    ("plain", (1, 3, 7, 8), (2, 2), (0, 0, 0, 0), (2, 2), (1, 1)),
    ("padded", (2, 2, 6, 5), (3, 3), (1, 1, 1, 1), (1, 2), (1, 1)),
    ("one-dimensional", (2, 3, 17), (4,), (1, 2), (3,), (1,)),
    ("three-dimensional", (1, 2, 5, 4, 6), (2, 3, 2), (0, 1, 0, 1, 1, 0), (1, 1, 2), (1, 1, 1)),
    ("dilated", (1, 2, 9, 8), (3, 2), (0, 1, 1, 0), (1, 1), (2, 3)),
)


def mean(values):
    return sum(values, mpf(0)) / len(values)


def poolings():
    for kind in FLOATS:
        for name, shape, kernel, pads, strides, dilations in POOLS:
            base = {"kernel_shape": list(kernel), "pads": list(pads), "strides": list(strides), "dilations": list(dilations)}
            x = Draw("AveragePool", f"{kind}-{name}").normal("x", kind, shape)
            for include in (0, 1):
                values = pooled(x.numbers(), kernel, pads, strides, dilations, mean, mpf(0) if include else None)
                suffix = "-padding-counts" if include else ""
                why = "padding is left out of the mean" if not include else "padding counts as zeros"
                yield Case("AveragePool", f"{kind}-{name}{suffix}", [x], [Exact(kind, values)], why, base | {"count_include_pad": include})
            x = Draw("MaxPool", f"{kind}-{name}").normal("x", kind, shape, shift=-4.0)
            values = pooled(x.numbers(), kernel, pads, strides, dilations, max, None)
            yield Case("MaxPool", f"{kind}-{name}", [x], [rounded(kind, values)], "all elements are negative: padding must not win", base)
            # The root of a sum of squares; before its root the padding adds nothing.
            x = Draw("LpPool", f"{kind}-{name}").normal("x", kind, shape)
            values = pooled(x.numbers(), kernel, pads, strides, dilations, lambda row: mpmath.sqrt(sum((v * v for v in row), mpf(0))), mpf(0))
            yield Case("LpPool", f"{kind}-{name}", [x], [Exact(kind, values)], "the root of a sum of squares", base | {"p": 2})
        for operator, function in (("GlobalAveragePool", mean), ("GlobalMaxPool", max), ("GlobalLpPool", lambda row: mpmath.sqrt(sum((v * v for v in row), mpf(0))))):
            x = Draw(operator, f"{kind}-drawn").normal("x", kind, (2, 3, 13, 11))
            values = pooled(x.numbers(), (13, 11), (0, 0, 0, 0), (1, 1), (1, 1), function, None)
            output = rounded(kind, values) if operator == "GlobalMaxPool" else Exact(kind, values)
            yield Case(operator, f"{kind}-drawn", [x], [output], "over all places of a channel")
    for kind in ("int8", "uint8"):
        x = Draw("MaxPool", f"{kind}-padded").integers("x", kind, (1, 2, 6, 6), None, -1 if kind == "int8" else None)
        values = pooled(x.numbers(), (3, 3), (1, 1, 1, 1), (2, 2), (1, 1), max, None)
        attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
        yield Case("MaxPool", f"{kind}-padded", [x], [rounded(kind, values)], "padding must not win", attributes)
    # Indices count over the whole tensor.
    x = Draw("MaxPool", "float32-indices").normal("x", "float32", (2, 2, 4, 5))
    values, places = x.numbers(), numpy.arange(80).reshape(2, 2, 4, 5)
    winners = pooled(places.astype(object), (2, 3), (0, 0, 0, 0), (2, 2), (1, 1), lambda row: max(row, key=lambda place: values.reshape(-1)[place]), None)
    largest = each(lambda place: values.reshape(-1)[place], winners)
    attributes = {"kernel_shape": [2, 3], "strides": [2, 2]}
    outputs = [rounded("float32", largest), rounded("int64", winners)]
    yield Case("MaxPool", "float32-indices", [x], outputs, "where the largest elements were", attributes)
    back = numpy.zeros(80)
    back[winners.astype(int).reshape(-1)] = largest.astype(float).reshape(-1)
    unpool = {"kernel_shape": [2, 3], "strides": [2, 2]}
    inputs = [outputs[0], outputs[1], Tensor("int64", numpy.array([2, 2, 4, 5]))]
    yield Case("MaxUnpool", "float32-indices", inputs, [rounded("float32", back.reshape(2, 2, 4, 5))], "back to where they were", unpool)


def cases():
    for part in (matrix_products, einsums, convolutions, transposed_convolutions, poolings):
        yield from part()
