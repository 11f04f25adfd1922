# SPDX-License-Identifier: Apache-2.0
"""Operators that move elements: every type by its bytes, with numpy's own indexing as the meaning."""

import mpmath
import numpy

from golden_cases import Case, Draw, Exact, Tensor, rounded, scalar, vector
from golden_formats import mpf

KINDS = ("float32", "float16", "bfloat16", "float64", "int8", "int64", "uint16", "bool")


def moved():
    for kind in KINDS:
        def drawn(operator, name, shape):
            return Draw(operator, f"{kind}-{name}").data("x", kind, shape)

        x = drawn("Transpose", "three-axes", (3, 5, 4))
        yield Case("Transpose", f"{kind}-three-axes", [x], [x.like(x.array.transpose(2, 0, 1))], "a cycle of axes, whose inverse is another", {"perm": [2, 0, 1]})
        x = drawn("Concat", "middle", (2, 3, 4))
        y = Draw("Concat", f"{kind}-middle").data("y", kind, (2, 1, 4))
        yield Case("Concat", f"{kind}-middle", [x, y], [x.like(numpy.concatenate([x.array, y.array], 1))], "unequal parts on the middle axis", {"axis": 1})
        x = drawn("Split", "unequal", (7, 3))
        parts = [x.like(part) for part in numpy.split(x.array, [2, 6])]
        yield Case("Split", f"{kind}-unequal", [x, vector(2, 4, 1)], parts, "unequal parts", {"axis": 0})
        x = drawn("Slice", "backward", (9, 8))
        yield Case(
            "Slice", f"{kind}-backward", [x, vector(-2, 1), vector(0, 100), vector(0, 1), vector(-3, 2)], [x.like(x.array[-2:0:-3, 1:100:2])],
            "a step backward, an end beyond the axis",
        )  # fmt: skip
        x = drawn("Pad", "edge", (3, 4))
        for mode in ("edge", "reflect", "wrap"):
            yield Case("Pad", f"{kind}-{mode}", [x, vector(2, 1, 1, 3)], [x.like(numpy.pad(x.array, [(2, 1), (1, 3)], mode))], f"mode {mode}, unlike on all sides", {"mode": mode})
        x = drawn("Tile", "twice", (2, 3))
        yield Case("Tile", f"{kind}-twice", [x, vector(3, 2)], [x.like(numpy.tile(x.array, (3, 2)))], "both axes")
        x = drawn("Expand", "both", (3, 1))
        yield Case("Expand", f"{kind}-both", [x, vector(2, 1, 4)], [x.like(numpy.broadcast_to(x.array, (2, 3, 4)))], "each side has an axis of one")
        x = drawn("Reshape", "inferred", (4, 6))
        yield Case("Reshape", f"{kind}-inferred", [x, vector(0, -1, 2)], [x.like(x.array.reshape(4, 3, 2))], "a copied and an inferred size")
        x = drawn("Trilu", "above", (2, 5, 6))
        for upper in (0, 1):
            values = numpy.triu(x.array, 1) if upper else numpy.tril(x.array, 1)
            yield Case("Trilu", f"{kind}-{'upper' if upper else 'lower'}", [x, scalar("int64", 1)], [x.like(values)], "one diagonal above the main one", {"upper": upper})
        x = drawn("SpaceToDepth", "blocks", (1, 2, 4, 6))
        deep = x.array.reshape(1, 2, 2, 2, 3, 2).transpose(0, 3, 5, 1, 2, 4).reshape(1, 8, 2, 3)
        yield Case("SpaceToDepth", f"{kind}-blocks", [x], [x.like(deep)], "blocks of two by two", {"blocksize": 2})
        x = drawn("DepthToSpace", "crd", (1, 8, 2, 3))
        wide = x.array.reshape(1, 2, 2, 2, 2, 3).transpose(0, 1, 4, 2, 5, 3).reshape(1, 2, 4, 6)
        yield Case("DepthToSpace", f"{kind}-crd", [x], [x.like(wide)], "column-row-depth order", {"blocksize": 2, "mode": "CRD"})
        x = drawn("ReverseSequence", "lengths", (5, 3))
        values = x.array.copy()
        for column, length in enumerate((2, 5, 1)):
            values[:length, column] = values[:length, column][::-1]
        yield Case("ReverseSequence", f"{kind}-lengths", [x, vector(2, 5, 1)], [x.like(values)], "only the beginning of each line is turned", {"time_axis": 0, "batch_axis": 1})


def gathered():
    for kind in KINDS:
        x = Draw("Gather", f"{kind}-negative").data("x", kind, (4, 5, 3))
        places = numpy.array([[0, -1, 4], [2, 2, -5]])
        yield Case("Gather", f"{kind}-negative", [x, Tensor("int64", places)], [x.like(x.array[:, places])], "indices from the end, repeated", {"axis": 1})
        draw = Draw("GatherElements", f"{kind}-negative")
        x, places = draw.data("x", kind, (4, 5)), draw.integers("i", "int64", (6, 5), -4, 3)
        values = numpy.take_along_axis(x.array, places.array % 4, 0)
        yield Case("GatherElements", f"{kind}-negative", [x, places], [x.like(values)], "more rows of indices than of data", {"axis": 0})
        x = Draw("GatherND", f"{kind}-batched").data("x", kind, (2, 3, 4))
        places = numpy.array([[[2], [-1]], [[0], [1]]])
        values = numpy.stack([x.array[batch][places[batch, :, 0]] for batch in range(2)])
        yield Case("GatherND", f"{kind}-batched", [x, Tensor("int64", places)], [x.like(values)], "one batch axis, indices that leave whole rows", {"batch_dims": 1})
        draw = Draw("ScatterElements", f"{kind}-permuted")
        x, y = draw.data("x", kind, (5, 4)), draw.data("y", kind, (3, 4))
        places = numpy.stack([draw.permutation(f"p{column}", 5)[:3] for column in range(4)], 1)
        values = x.array.copy()
        numpy.put_along_axis(values, places, y.array, 0)
        yield Case("ScatterElements", f"{kind}-permuted", [x, Tensor("int64", places), y], [x.like(values)], "each place at most once", {"axis": 0})
        draw = Draw("ScatterND", f"{kind}-rows")
        x, y = draw.data("x", kind, (5, 4)), draw.data("y", kind, (2, 4))
        values = x.array.copy()
        values[[3, 1]] = y.array
        yield Case("ScatterND", f"{kind}-rows", [x, Tensor("int64", numpy.array([[3], [-4]])), y], [x.like(values)], "whole rows, one counted from the end")
    for kind in ("float64", "float32", "float16", "bfloat16"):
        draw = Draw("ScatterElements", f"{kind}-adding")
        x, y = draw.normal("x", kind, (3, 4)), draw.normal("y", kind, (30, 4))
        places = draw.integers("i", "int64", (30, 4), 0, 2)
        values = x.numbers().copy()
        for row, column in numpy.ndindex(30, 4):
            values[places.array[row, column], column] += y.numbers()[row, column]
        yield Case("ScatterElements", f"{kind}-adding", [x, places, y], [Exact(kind, values)], "many updates of one element", {"axis": 0, "reduction": "add"})


def chosen():
    x = Draw("NonZero", "int32-drawn").integers("x", "int32", (4, 7), 0, 2)
    yield Case("NonZero", "int32-drawn", [x], [Tensor("int64", numpy.stack(numpy.nonzero(x.array)))], "as many columns as there are")
    x = Draw("Compress", "float32-axis").data("x", "float32", (3, 6))
    condition = numpy.array([True, False, True, True, False])
    yield Case("Compress", "float32-axis", [x, rounded("bool", condition)], [x.like(x.array[:, [0, 2, 3]])], "a condition shorter than the axis", {"axis": 1})
    x = Draw("Unique", "int64-sorted").integers("x", "int64", (40,), -6, 6)
    values, first, inverse, counts = numpy.unique(x.array, return_index=True, return_inverse=True, return_counts=True)
    outputs = [x.like(values), Tensor("int64", first), Tensor("int64", inverse), Tensor("int64", counts)]
    yield Case("Unique", "int64-sorted", [x], outputs, "sorted, with all four outputs", {"sorted": 1})
    for kind in ("float32", "int32"):
        places = numpy.array([0, -1, 3, 5, -6, 2])
        hot = numpy.full((6, 4), 7)
        for row, place in enumerate(places):
            if -4 <= place < 4:
                hot[row, place % 4] = -3
        depth, values = scalar("int64", 4), rounded(kind, [mpf(7), mpf(-3)] if kind == "float32" else [7, -3])
        result = rounded(kind, hot.astype(object) * (mpf(1) if kind == "float32" else 1))
        yield Case("OneHot", f"{kind}-outside", [Tensor("int64", places), depth, values], [result], "indices outside the depth give a cold line", {"axis": -1})
    for kind, start, limit, delta in (("int32", 10, -5, -4), ("int64", -3, 9, 5), ("float32", 0.5, 3.0, 0.5)):
        is_float = kind == "float32"
        values = numpy.arange(start, limit, delta).tolist()
        inputs = [scalar(kind, mpf(value) if is_float else value) for value in (start, limit, delta)]
        yield Case("Range", f"{kind}-step", inputs, [rounded(kind, [mpf(v) if is_float else v for v in values])], "the end is not reached")
    for kind in KINDS:
        draw = Draw("Where", f"{kind}-broadcast")
        x, y, c = draw.data("x", kind, (3, 1)), draw.data("y", kind, (4,)), draw.integers("c", "bool", (3, 4))
        yield Case("Where", f"{kind}-broadcast", [c, x, y], [x.like(numpy.where(c.array, x.array, y.array))], "all three broadcast")


def resized():
    for kind in ("float32", "float64", "float16"):
        x = Draw("Resize", f"{kind}-linear").normal("x", kind, (1, 1, 4, 5))
        scales = rounded("float32", [mpf(1), mpf(1), mpf(2), mpf(2)])
        sizes = (8, 10)

        def at(values, length, out):
            """ONNX's half_pixel: the place of an output element in the input, cut at the edges."""
            place = (mpf(out) + mpf("0.5")) / 2 - mpf("0.5")
            low = int(mpmath.floor(place))
            weight = place - low
            clip = lambda index: min(max(index, 0), length - 1)  # noqa: E731
            return values(clip(low)) * (1 - weight) + values(clip(low + 1)) * weight

        numbers = x.numbers()[0, 0]
        out = numpy.empty(sizes, dtype=object)
        for row, column in numpy.ndindex(*sizes):
            out[row, column] = at(lambda i: at(lambda j, i=i: numbers[i, j], 5, column), 4, row)
        yield Case("Resize", f"{kind}-linear", [x, None, scales], [Exact(kind, out[None, None])], "twice as large, half-pixel coordinates", {"mode": "linear"})
        nearest = x.array[:, :, [0, 0, 1, 1, 2, 2, 3, 3]][:, :, :, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]]
        attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        yield Case("Resize", f"{kind}-nearest", [x, None, scales], [x.like(nearest)], "each element four times", attributes)


def cases():
    for part in (moved, gathered, chosen, resized):
        yield from part()
