# SPDX-License-Identifier: Apache-2.0
"""Reductions, running sums, softmax, arg-max and top-k: wide sums, cancellation, long lines, ties."""

import mpmath
import numpy

from golden_arithmetic import each, result
from golden_cases import Case, Draw, Exact, Tensor, is_integer, rounded, vector
from golden_formats import FORMATS, mpf

FLOATS = ("float64", "float32", "float16", "bfloat16")


def zero(kind):
    return 0 if is_integer(kind) else mpf(0)


def total(values, axis, keepdims, start):
    return numpy.add.reduce(values, axis=axis, keepdims=keepdims, initial=start)


def reduced(operator, kind, values, axis, keepdims=True):
    """The reduction of an array of exact numbers; integers are not wrapped yet."""
    start = zero(kind)
    count = values.size // max(numpy.size(numpy.add.reduce(values, axis=axis)), 1)
    if operator == "ReduceSum":
        return total(values, axis, keepdims, start)
    if operator == "ReduceMean":
        sums = total(values, axis, keepdims, start)
        if is_integer(kind):
            return each(lambda value: abs(value) // count * (1 if value >= 0 else -1), sums)
        return sums / mpf(count)
    if operator == "ReduceL1":
        return total(each(abs, values), axis, keepdims, start)
    if operator == "ReduceSumSquare":
        return total(values * values, axis, keepdims, start)
    if operator == "ReduceL2":
        return each(mpmath.sqrt, total(values * values, axis, keepdims, start))
    if operator == "ReduceLogSum":
        return each(mpmath.log, total(values, axis, keepdims, start))
    if operator == "ReduceLogSumExp":
        return each(mpmath.log, total(each(mpmath.exp, values), axis, keepdims, start))
    if operator == "ReduceProd":
        return numpy.multiply.reduce(values, axis=axis, keepdims=keepdims, initial=1 if is_integer(kind) else mpf(1))
    if operator == "ReduceMax":
        return numpy.maximum.reduce(values, axis=axis, keepdims=keepdims)
    return numpy.minimum.reduce(values, axis=axis, keepdims=keepdims)


LINEAR = ("ReduceSum", "ReduceMean", "ReduceL1", "ReduceSumSquare", "ReduceL2")
EVERY = LINEAR + ("ReduceLogSum", "ReduceLogSumExp", "ReduceProd", "ReduceMax", "ReduceMin")


def as_result(operator, kind, values):
    values = numpy.array(values, dtype=object)
    if operator in ("ReduceMax", "ReduceMin"):
        return rounded(kind, values)
    return result(kind, values)


def reductions():
    for operator in EVERY:
        for kind in FLOATS:
            name = f"{kind}-axes"
            draw = Draw(operator, name)
            if operator == "ReduceProd":
                x = draw.uniform("x", kind, (3, 7, 2, 9), 0.5, 1.75)
            elif operator == "ReduceLogSum":
                x = draw.uniform("x", kind, (3, 7, 2, 9), 0.125, 4)
            else:
                x = draw.normal("x", kind, (3, 7, 2, 9))
            values = x.numbers()
            why = "several axes, one of them counted from the end; kept and dropped"
            yield Case(operator, name, [x, vector(1, -1)], [as_result(operator, kind, reduced(operator, kind, values, (1, 3)))], why)
            flat = reduced(operator, kind, values, (0, 2), keepdims=False)
            yield Case(operator, f"{kind}-outer-axes", [x, vector(0, 2)], [as_result(operator, kind, flat)], why, {"keepdims": 0})
            everything = reduced(operator, kind, values, (0, 1, 2, 3), keepdims=False)
            yield Case(operator, f"{kind}-all", [x], [as_result(operator, kind, everything)], "no axes: all of them", {"keepdims": 0})
    for operator in ("ReduceSum", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceSumSquare", "ReduceMax", "ReduceMin"):
        for kind in ("int32", "int64", "uint32", "uint64"):
            draw = Draw(operator, f"{kind}-wraps")
            small = operator in ("ReduceMean", "ReduceL1")
            x = draw.integers("x", kind, (5, 11, 4), 0 if small else None, 1000 if small else None)
            values = reduced(operator, kind, x.numbers(), (1,))
            yield Case(operator, f"{kind}-wraps", [x, vector(1)], [result(kind, values)], "integer sums and products modulo the range; nothing beyond 2^53 lost")


def wide_sums():
    for kind in FLOATS:
        count = 70_000 if kind in ("float32", "bfloat16") else 66_000 if kind == "float16" else 30_000
        for operator in ("ReduceSum", "ReduceMean"):
            name = f"{kind}-wide"
            x = Draw(operator, name).uniform("x", kind, (1, count), 0.0, 0.5)
            values = reduced(operator, kind, x.numbers(), (1,))
            why = f"{count} positive terms: a narrow accumulator stops growing"
            yield Case(operator, name, [x, vector(1)], [as_result(operator, kind, values)], why)
        name = f"{kind}-cancelling"
        draw = Draw("ReduceSum", name)
        half = draw.wide("half", kind, (40, 30), -3, 3)
        rest = draw.normal("rest", kind, (40, 3), scale=0.01)
        parts = numpy.concatenate([half.numbers(), rest.numbers(), -half.numbers()], axis=1)
        x = rounded(kind, parts)
        yield Case(
            "ReduceSum", name, [x, vector(1)], [as_result("ReduceSum", kind, reduced("ReduceSum", kind, x.numbers(), (1,)))],
            "all but three terms cancel: what is left is far smaller than the terms",
        )  # fmt: skip
        for operator, shift in (("ReduceLogSumExp", 0.9), ("ReduceLogSumExp", -0.9)):
            reach = float(mpmath.log(FORMATS[kind].largest)) * 1.5
            name = f"{kind}-{'far-above' if shift > 0 else 'far-below'}"
            x = Draw(operator, name).normal("x", kind, (6, 50), scale=2.0, shift=reach if shift > 0 else -reach)
            values = reduced(operator, kind, x.numbers(), (1,))
            yield Case(operator, name, [x, vector(1)], [as_result(operator, kind, values)], "every exponential overflows or underflows; the result does not")
        x = Draw("ReduceL2", f"{kind}-long").normal("x", kind, (4, 2000))
        yield Case("ReduceL2", f"{kind}-long", [x, vector(1)], [as_result("ReduceL2", kind, reduced("ReduceL2", kind, x.numbers(), (1,)))], "two thousand terms")
        x = Draw("ReduceProd", f"{kind}-long").uniform("x", kind, (4, 64), 0.875, 1.25)
        yield Case("ReduceProd", f"{kind}-long", [x, vector(1)], [as_result("ReduceProd", kind, reduced("ReduceProd", kind, x.numbers(), (1,)))], "64 factors")


def running(values, axis, exclusive, reverse, function, start):
    lines = numpy.moveaxis(values, axis, -1)
    out = numpy.empty(lines.shape, dtype=object)
    for place in numpy.ndindex(lines.shape[:-1]):
        order = range(lines.shape[-1])
        accumulated = start
        for index in reversed(order) if reverse else order:
            after = function(accumulated, lines[place + (index,)])
            out[place + (index,)] = accumulated if exclusive else after
            accumulated = after
    return numpy.moveaxis(out, -1, axis)


def running_sums():
    for operator, function, opset in (("CumSum", lambda a, b: a + b, 24), ("CumProd", lambda a, b: a * b, 26)):
        for kind in ("float64", "float32", "float16", "bfloat16", "int32", "int64"):
            draw = Draw(operator, f"{kind}-axis")
            if is_integer(kind):
                x = draw.integers("x", kind, (4, 25, 3))
            elif operator == "CumSum":
                x = draw.normal("x", kind, (4, 25, 3))
            else:
                x = draw.uniform("x", kind, (4, 25, 3), 0.5, 1.75)
            start = (0 if operator == "CumSum" else 1) + (0 if is_integer(kind) else mpf(0))
            for exclusive, reverse in ((0, 0), (1, 0), (0, 1), (1, 1)):
                values = running(x.numbers(), 1, exclusive, reverse, function, start)
                name = f"{kind}-axis" + ("-exclusive" if exclusive else "") + ("-reverse" if reverse else "")
                attributes = {"exclusive": exclusive, "reverse": reverse}
                axis = rounded("int64", numpy.array(1, dtype=object))
                yield Case(operator, name, [x, axis], [result(kind, values)], "both directions, with and without the element itself", attributes, opset)
    for kind in ("float32", "float16"):
        x = Draw("CumSum", f"{kind}-long").uniform("x", kind, (5000,), 0.0, 0.5)
        values = running(x.numbers(), 0, 0, 0, lambda a, b: a + b, mpf(0))
        yield Case("CumSum", f"{kind}-long", [x, rounded("int64", numpy.array(0, dtype=object))], [result(kind, values)], "five thousand terms")


def softmax(values, axis):
    exponentials = each(mpmath.exp, values)
    return exponentials / numpy.add.reduce(exponentials, axis=axis, keepdims=True)


def softmaxes():
    for kind in FLOATS:
        for name, shape, axis, scale, shift in (
            ("middle-axis", (3, 17, 4), 1, 1.0, 0.0), ("long", (2, 5000), -1, 1.0, 0.0), ("far-from-zero", (4, 60), -1, 4.0, 900.0), ("steep", (6, 40), -1, 60.0, 0.0),
        ):  # fmt: skip
            why = {
                "middle-axis": "not the last axis", "long": "five thousand elements", "far-from-zero": "every exponential overflows without the maximum taken off",
                "steep": "tails that underflow; for the logarithm, large negative results",
            }[name]  # fmt: skip
            for operator in ("Softmax", "LogSoftmax"):
                x = Draw(operator, f"{kind}-{name}").normal("x", kind, shape, scale, shift)
                values = softmax(x.numbers(), axis)
                if operator == "LogSoftmax":
                    values = each(mpmath.log, values)
                yield Case(operator, f"{kind}-{name}", [x], [Exact(kind, values)], why, {"axis": axis})
        for operator in ("Softmax", "LogSoftmax"):
            x = Draw(operator, f"{kind}-old").normal("x", kind, (2, 3, 5))
            values = softmax(x.numbers().reshape(2, 15), -1).reshape(2, 3, 5)
            values = each(mpmath.log, values) if operator == "LogSoftmax" else values
            yield Case(operator, f"{kind}-old", [x], [Exact(kind, values)], "operator set 11: all axes from the given one on are one", {"axis": 1}, 11)
        x = rounded(kind, numpy.array(Draw("Hardmax", f"{kind}-ties").integers("x", "int8", (6, 9), 0, 4).numbers() * mpf(1)))
        hot = numpy.zeros((6, 9))
        hot[numpy.arange(6), x.numbers().argmax(axis=1)] = 1.0
        yield Case("Hardmax", f"{kind}-ties", [x], [rounded(kind, hot)], "the first of equal elements is hot", {"axis": -1})


def choices():
    for kind in ("float64", "float32", "float16", "int8", "int32", "int64", "uint8"):
        draw = Draw("ArgMax", f"{kind}-ties")
        small = draw.integers("x", "int8", (5, 13, 3), 0, 5).numbers()
        x = rounded(kind, small * mpf(1) if kind in FORMATS else small)
        numbers = small.astype(int)
        for operator, find in (("ArgMax", numpy.argmax), ("ArgMin", numpy.argmin)):
            first = find(numbers, axis=1)
            yield Case(operator, f"{kind}-ties-first", [x], [Tensor("int64", first)], "the first of equal elements", {"axis": 1, "keepdims": 0})
            last = 12 - find(numbers[:, ::-1], axis=1)
            attributes = {"axis": 1, "keepdims": 1, "select_last_index": 1}
            yield Case(operator, f"{kind}-ties-last", [x], [Tensor("int64", last[:, None])], "the last of equal elements", attributes)
    for kind in ("float64", "float32", "float16", "bfloat16", "int32", "int64"):
        for largest in (1, 0):
            name = f"{kind}-{'largest' if largest else 'smallest'}"
            draw = Draw("TopK", name)
            x = draw.normal("x", kind, (4, 40)) if kind in FORMATS else draw.integers("x", kind, (4, 40), -6, 6)
            numbers = x.numbers()
            places = numpy.empty((4, 7), dtype=numpy.int64)
            for row in range(4):
                key = (lambda index: (-numbers[row, index], index)) if largest else (lambda index: (numbers[row, index], index))
                places[row] = sorted(range(40), key=key)[:7]
            values = x.like(numpy.take_along_axis(x.array, places, axis=1))
            attributes = {"axis": -1, "largest": largest, "sorted": 1}
            yield Case("TopK", name, [x, vector(7)], [values, Tensor("int64", places)], "of equal elements the lower index comes first", attributes)


def cases():
    for part in (reductions, wide_sums, running_sums, softmaxes, choices):
        yield from part()

