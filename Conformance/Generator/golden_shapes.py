# SPDX-License-Identifier: Apache-2.0
"""Further operators that move elements: special values keep their bits, reductions of scattered updates, shapes, caches."""

import mpmath
import numpy

import golden_points as points
from golden_arithmetic import FLOATS, each, result
from golden_cases import Case, Draw, Exact, Tensor, rounded, scalar, vector
from golden_formats import INTEGERS, mpf, wrapped


def specials():
    """NaN, infinities, denormals and both zeros go through every operator that only moves."""
    for kind in FLOATS:
        x = points.tensor(kind, points.special(kind) + points.tiny(kind) + [mpf(1)])
        x = x.like(numpy.tile(x.array, 2).reshape(2, -1))
        width = x.shape[1]
        places = Tensor("int64", numpy.arange(width)[::-1])
        why = "NaN, infinities, denormals, both zeros keep their bits"
        table = {
            "Identity": ([], {}, x.array),
            "Transpose": ([], {}, x.array.T),
            "Reshape": ([vector(-1)], {}, x.array.reshape(-1)),
            "Flatten": ([], {"axis": 0}, x.array.reshape(1, -1)),
            "Unsqueeze": ([vector(1, -1)], {}, x.array.reshape(2, 1, width, 1)),
            "Gather": ([places], {"axis": 1}, x.array[:, ::-1]),
            "Slice": ([vector(-1), vector(-width - 1), vector(1), vector(-1)], {}, x.array[:, ::-1]),
            "Expand": ([vector(3, 1, 1)], {}, numpy.broadcast_to(x.array, (3, 2, width))),
            "Tile": ([vector(1, 2)], {}, numpy.tile(x.array, (1, 2))),
        }
        for operator, (further, attributes, values) in table.items():
            yield Case(operator, f"{kind}-special", [x, *further], [x.like(values)], why, attributes)
        yield Case("Concat", f"{kind}-special", [x, x], [x.like(numpy.concatenate([x.array, x.array]))], why, {"axis": 0})
        # Magnitude and sign of zero are the sign bit's alone.
        signless = rounded(kind, each(abs, x.numbers()))
        yield Case("Abs", f"{kind}-special", [x], [signless], "the sign bit is cleared, that of zero too")


def shapes():
    for kind in ("float32", "bfloat16", "int8", "bool"):
        draw = Draw("Squeeze", f"{kind}-given")
        x = draw.data("x", kind, (1, 3, 1, 5, 1))
        yield Case("Squeeze", f"{kind}-given", [x, vector(0, -1)], [x.like(x.array.reshape(3, 1, 5))], "some of the axes of one")
        yield Case("Squeeze", f"{kind}-all", [x], [x.like(x.array.reshape(3, 5))], "all axes of one")
        x = Draw("Flatten", f"{kind}-middle").data("x", kind, (2, 3, 4, 5))
        yield Case("Flatten", f"{kind}-middle", [x], [x.like(x.array.reshape(6, 20))], "an axis counted from the end", {"axis": -2})
        x = Draw("Pad", f"{kind}-constant").data("x", kind, (2, 3, 4))
        value = scalar(kind, True if kind == "bool" else 7 if kind == "int8" else mpf("-2.5"))
        # Negative pads cut; the axes are given in another order.
        wide = numpy.pad(x.array, [(0, 0), (2, 1), (0, 3)], constant_values=value.array.item())[:, :, 1:]
        inputs = [x, vector(-1, 2, 3, 1), value, vector(2, 1)]
        yield Case("Pad", f"{kind}-constant", inputs, [x.like(wide)], "a constant, a pad that cuts, axes in another order")
        x = Draw("CenterCropPad", f"{kind}-both").data("x", kind, (7, 4))
        wide = numpy.pad(x.array[2:5], [(0, 0), (1, 2)])
        yield Case("CenterCropPad", f"{kind}-both", [x, vector(3, 7)], [x.like(wide)], "one axis is cut, the other padded; odd rests go to the end")
        x = Draw("Split", f"{kind}-uneven").data("x", kind, (3, 7))
        parts = [x.like(x.array[:, start : start + 3]) for start in (0, 3, 6)]
        yield Case("Split", f"{kind}-uneven", [x], parts, "the last part is smaller", {"axis": 1, "num_outputs": 3})
        x = Draw("DepthToSpace", f"{kind}-dcr").data("x", kind, (1, 8, 2, 3))
        wide = x.array.reshape(1, 2, 2, 2, 2, 3).transpose(0, 3, 4, 1, 5, 2).reshape(1, 2, 4, 6)
        yield Case("DepthToSpace", f"{kind}-dcr", [x], [x.like(wide)], "depth-column-row order", {"blocksize": 2})
    for kind in ("float32", "float64", "int32"):
        x = Draw("EyeLike", f"{kind}-below").data("x", kind, (4, 6))
        eye = rounded(kind, numpy.eye(4, 6, k=-1, dtype=int).astype(object))
        yield Case("EyeLike", f"{kind}-below", [x], [eye], "ones below the main diagonal", {"k": -1})


def scattered():
    functions = {"add": lambda a, b: a + b, "mul": lambda a, b: a * b, "max": max, "min": min}
    for kind in ("float64", "float32", "float16", "bfloat16", "int32", "int64"):
        for reduction, function in functions.items():
            name = f"{kind}-{reduction}"
            draw = Draw("ScatterElements", name)
            if kind in INTEGERS:
                x, y = draw.integers("x", kind, (4, 5)), draw.integers("y", kind, (9, 5))
            else:
                x, y = draw.uniform("x", kind, (4, 5), 0.5, 1.75), draw.uniform("y", kind, (9, 5), 0.5, 1.75)
            places = draw.integers("i", "int64", (9, 5), -4, 3)
            values, rows = x.numbers().copy(), x.numbers().copy()
            for row, column in numpy.ndindex(9, 5):
                place = places.array[row, column]
                values[place, column] = function(values[place, column], y.numbers()[row, column])
            moves = reduction in ("max", "min")
            output = rounded(kind, values) if moves else result(kind, values)
            yield Case("ScatterElements", name, [x, places, y], [output], "several updates of one element", {"axis": 0, "reduction": reduction})
            lines = draw.integers("lines", "int64", (9, 1), -4, 3)
            for row in range(9):
                place = lines.array[row, 0]
                for column in range(5):
                    rows[place, column] = function(rows[place, column], y.numbers()[row, column])
            output = rounded(kind, rows) if moves else result(kind, rows)
            yield Case("ScatterND", name, [x, lines, y], [output], "several updates of one line", {"reduction": reduction})


def caches():
    for kind in ("float32", "float16", "int8"):
        for mode in ("linear", "circular"):
            draw = Draw("TensorScatter", f"{kind}-{mode}")
            cache, update = draw.data("cache", kind, (2, 3, 6, 4)), draw.data("update", kind, (2, 3, 2, 4))
            starts = numpy.array([3, 5 if mode == "circular" else 4])
            values = cache.array.copy()
            for batch, step in numpy.ndindex(2, 2):
                values[batch, :, (starts[batch] + step) % 6] = update.array[batch, :, step]
            inputs = [cache, update, Tensor("int64", starts)]
            why = "another place for each batch" + ("; the second one wraps" if mode == "circular" else "")
            yield Case("TensorScatter", f"{kind}-{mode}", inputs, [cache.like(values)], why, {"mode": mode})


def columns():
    """Col2Im: overlapping blocks are added."""
    for kind in FLOATS + ("int32",):
        draw = Draw("Col2Im", f"{kind}-overlapping")
        x = draw.data("x", kind, (1, 2 * 6, 5 * 3))
        image = numpy.full((1, 2, 6, 7), 0 if kind in INTEGERS else mpf(0), dtype=object)
        blocks = x.numbers().reshape(1, 2, 2, 3, 5, 3)
        # Blocks of 2 x 3, step 1 down and 2 across, one column of padding in front.
        for channel, i, j, row, column in numpy.ndindex(2, 2, 3, 5, 3):
            down, across = row + i, 2 * column + j - 1
            if 0 <= across < 7:
                image[0, channel, down, across] += blocks[0, channel, i, j, row, column]
        attributes = {"strides": [1, 2], "pads": [0, 1, 0, 0]}
        output = rounded(kind, each(lambda value: wrapped(value, kind), image)) if kind in INTEGERS else Exact(kind, image)
        yield Case("Col2Im", f"{kind}-overlapping", [x, vector(6, 7), vector(2, 3)], [output], "overlapping blocks are added, padding is dropped", attributes)


def suppression():
    """Boxes far from the thresholds: no rounding decides."""
    boxes = [[0, 0, 4, 4], [0, 0.5, 4, 4.5], [0, 10, 4, 14], [0, 10.25, 4, 14.25], [20, 0, 24, 4], [4, 4, 0, 0]]
    scores = [[[0.9, 0.75, 0.5, 0.95, 0.3, 0.2], [0.1, 0.8, 0.7, 0.6, 0.05, 0.9]]]
    kept = [[0, 0, 3], [0, 0, 0], [0, 0, 4], [0, 1, 5], [0, 1, 2]]
    inputs = [
        rounded("float32", numpy.array([boxes], dtype=object)), rounded("float32", numpy.array(scores, dtype=object)), scalar("int64", 3),
        rounded("float32", numpy.array(0.5, dtype=object)), rounded("float32", numpy.array(0.125, dtype=object)),
    ]  # fmt: skip
    why = "two classes, a limit per class, a box with its corners swapped, scores below the threshold"
    yield Case("NonMaxSuppression", "float32-two-classes", inputs, [Tensor("int64", numpy.array(kept))], why)


def determinants():
    for kind in FLOATS:
        x = Draw("Det", f"{kind}-drawn").normal("x", kind, (2, 3, 4, 4))
        values = numpy.empty((2, 3), dtype=object)
        for place in numpy.ndindex(2, 3):
            values[place] = mpmath.det(mpmath.matrix(x.numbers()[place].tolist()))
        yield Case("Det", f"{kind}-drawn", [x], [Exact(kind, values)], "batches of four by four")


def cases():
    for part in (specials, shapes, scattered, caches, columns, suppression, determinants):
        yield from part()
