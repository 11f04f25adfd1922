# SPDX-License-Identifier: Apache-2.0
"""Resize in its modes, GridSample, AffineGrid, DFT and windows."""

import mpmath
import numpy

from golden_arithmetic import FLOATS, each
from golden_cases import Case, Draw, Exact, rounded, scalar, vector
from golden_formats import ONNX_TYPES, mpf, to_even
from golden_functions import attribute

HALF = mpf("0.5")


def place(mode, out, size, length, scale):
    """Where output element `out` of `size` lies among `length` input elements."""
    if mode == "align_corners":
        return mpf(out) * (length - 1) / (size - 1) if size > 1 else mpf(0)
    if mode == "asymmetric":
        return out / scale
    if mode == "pytorch_half_pixel" and size == 1:
        return mpf(0)
    centred = (out + HALF) / scale - HALF
    if mode == "half_pixel_symmetric":
        return mpf(length) / 2 * (1 - size / (scale * length)) + centred
    return centred


def cubic(distance, a):
    t = abs(distance)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else mpf(0)


def taps(kind, x, length, scale, antialias, exclude, a):
    """(index, weight) of the input elements that make up an output element."""
    shrink = min(scale, mpf(1)) if antialias else mpf(1)
    reach = (2 if kind == "cubic" else 1) / shrink
    base = int(mpmath.floor(x))
    first, last = (int(mpmath.floor(x - reach)) + 1, int(mpmath.ceil(x + reach)) - 1) if antialias else (base - (kind == "cubic"), base + (2 if kind == "cubic" else 1))
    weigh = (lambda d: cubic(d, a)) if kind == "cubic" else (lambda d: max(1 - abs(d), mpf(0)))
    found = [(index, weigh((index - x) * shrink)) for index in range(first, last + 1)]
    if exclude:
        found = [(index, weight) for index, weight in found if 0 <= index < length]
    total = sum(weight for _, weight in found) if exclude or antialias else mpf(1)
    return [(min(max(index, 0), length - 1), weight / total) for index, weight in found]


def along(values, axis, size, scale, choose):
    """One axis after the other: the weights are a product."""
    lines = numpy.moveaxis(values, axis, 0)
    rows = []
    for out in range(size):
        rows.append(sum((lines[index] * weight for index, weight in choose(out, size, lines.shape[0], scale)), mpf(0)))
    return numpy.moveaxis(numpy.array(rows, dtype=object), 0, axis)


RESIZES = (
    # name, mode, coordinates, scales of the last two axes, antialias, exclude outside
    ("linear-up", "linear", "half_pixel", ("1.75", "2.5"), 0, 0),
    ("linear-down", "linear", "half_pixel", ("0.625", "0.75"), 0, 0),
    ("linear-corners", "linear", "align_corners", ("1.75", "0.5"), 0, 0),
    ("linear-asymmetric", "linear", "asymmetric", ("1.25", "0.75"), 0, 0),
    ("linear-pytorch", "linear", "pytorch_half_pixel", ("0.1875", "1.5"), 0, 0),
    ("linear-symmetric", "linear", "half_pixel_symmetric", ("1.3125", "0.7"), 0, 0),
    ("linear-antialias", "linear", "half_pixel", ("0.375", "0.6"), 1, 1),
    ("cubic-up", "cubic", "half_pixel", ("1.75", "2.5"), 0, 0),
    ("cubic-down-excluding", "cubic", "half_pixel", ("0.8125", "0.75"), 0, 1),
    ("cubic-corners", "cubic", "align_corners", ("1.5", "0.75"), 0, 0),
    ("cubic-antialias", "cubic", "half_pixel", ("0.5", "0.6"), 1, 1),
)  # fmt: skip


def resizes():
    for kind in FLOATS:
        for name, mode, coordinates, factors, antialias, exclude in RESIZES:
            x = Draw("Resize", f"{kind}-{name}").normal("x", kind, (1, 2, 8, 7))
            scales = rounded("float32", [mpf(1), mpf(1)] + [mpf(factor) for factor in factors])
            a = attribute(-0.5)

            def choose(out, size, length, scale):
                return taps(mode, place(coordinates, out, size, length, scale), length, scale, antialias, exclude, a)

            values = x.numbers()
            for axis in (2, 3):
                scale = scales.numbers()[axis]
                values = along(values, axis, int(mpmath.floor(scale * values.shape[axis])), scale, choose)
            attributes = {"mode": mode, "coordinate_transformation_mode": coordinates, "antialias": antialias, "exclude_outside": exclude}
            if mode == "cubic":
                attributes["cubic_coeff_a"] = -0.5
            yield Case("Resize", f"{kind}-{name}", [x, None, scales], [Exact(kind, values)], "weights that need exact coordinates; edges", attributes)
    rules = {
        "round_prefer_floor": lambda x: int(mpmath.ceil(x - HALF)), "round_prefer_ceil": lambda x: int(mpmath.floor(x + HALF)),
        "floor": lambda x: int(mpmath.floor(x)), "ceil": lambda x: int(mpmath.ceil(x)),
    }  # fmt: skip
    for kind in ("float32", "bfloat16", "uint8"):
        for rule, function in rules.items():
            for coordinates in ("half_pixel", "asymmetric"):
                name = f"{kind}-{rule.replace('_', '-')}-{coordinates.replace('_', '-')}"
                x = Draw("Resize", name).data("x", kind, (1, 1, 6, 8))
                scales = rounded("float32", [mpf(1), mpf(1), mpf(2), mpf("0.5")])
                picks = []
                for length, size, scale in ((6, 12, mpf(2)), (8, 4, HALF)):
                    picks.append([min(max(function(place(coordinates, out, size, length, scale)), 0), length - 1) for out in range(size)])
                values = x.array[:, :, picks[0]][:, :, :, picks[1]]
                attributes = {"mode": "nearest", "nearest_mode": rule, "coordinate_transformation_mode": coordinates}
                yield Case("Resize", name, [x, None, scales], [x.like(values)], "every other coordinate is a tie", attributes)


def reflected(index, length, corners):
    """An index thrown back at both ends: at the centres of the outer elements, or at their outer edges."""
    period = 2 * (length - 1) if corners else 2 * length
    index %= period
    return index if index < length else (period - index if corners else period - 1 - index)


def fetch(values, row, column, padding, corners):
    height, width = values.shape
    if padding == "zeros" and not (0 <= row < height and 0 <= column < width):
        return mpf(0)
    if padding == "reflection":
        return values[reflected(row, height, corners), reflected(column, width, corners)]
    return values[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]


def grids():
    for kind in FLOATS:
        for mode in ("linear", "nearest", "cubic"):
            for padding in ("zeros", "border", "reflection"):
                corners = 1 if padding == "border" or (mode, padding) == ("linear", "reflection") else 0
                name = f"{kind}-{mode}-{padding}"
                draw = Draw("GridSample", name)
                x, grid = draw.normal("x", kind, (1, 2, 5, 6)), draw.uniform("grid", kind, (1, 4, 3, 2), -1.3, 1.3)
                values = numpy.empty((1, 2, 4, 3), dtype=object)
                for channel, i, j in numpy.ndindex(2, 4, 3):
                    image = x.numbers()[0, channel]
                    across, down = grid.numbers()[0, i, j]
                    if corners:
                        px, py = (across + 1) / 2 * 5, (down + 1) / 2 * 4
                    else:
                        px, py = ((across + 1) * 6 - 1) / 2, ((down + 1) * 5 - 1) / 2
                    if mode == "nearest":
                        values[0, channel, i, j] = fetch(image, to_even(py), to_even(px), padding, corners)
                        continue
                    total, column, row = mpf(0), int(mpmath.floor(px)), int(mpmath.floor(py))
                    near = range(-1, 3) if mode == "cubic" else range(2)
                    weigh = (lambda d: cubic(d, mpf("-0.75"))) if mode == "cubic" else (lambda d: 1 - abs(d))
                    for dy in near:
                        for dx in near:
                            weight = weigh(py - row - dy) * weigh(px - column - dx)
                            total += weight * fetch(image, row + dy, column + dx, padding, corners)
                    values[0, channel, i, j] = total
                output = rounded(kind, values) if mode == "nearest" else Exact(kind, values)
                attributes = {"mode": mode, "padding_mode": padding, "align_corners": corners}
                yield Case("GridSample", name, [x, grid], [output], "places inside and outside the image", attributes)
        for corners in (0, 1):
            name = f"{kind}-{'corners' if corners else 'centres'}"
            theta = Draw("AffineGrid", name).normal("theta", kind, (2, 2, 3))
            values = numpy.empty((2, 4, 5, 2), dtype=object)
            for batch, i, j in numpy.ndindex(2, 4, 5):
                x, y = ((mpf(2 * j) / 4 - 1, mpf(2 * i) / 3 - 1) if corners else (mpf(2 * j + 1) / 5 - 1, mpf(2 * i + 1) / 4 - 1))
                values[batch, i, j] = theta.numbers()[batch] @ numpy.array([x, y, mpf(1)], dtype=object)
            yield Case("AffineGrid", name, [theta, vector(2, 3, 4, 5)], [Exact(kind, values)], "the grid's ends", {"align_corners": corners})


def transforms():
    for kind in FLOATS:
        for name, inverse, onesided in (("forward", 0, 0), ("inverse", 1, 0), ("one-sided", 0, 1)):
            x = Draw("DFT", f"{kind}-{name}").normal("x", kind, (2, 21, 1 if onesided else 2))
            numbers, count = x.numbers(), 21
            size = count // 2 + 1 if onesided else count
            values = numpy.empty((2, size, 2), dtype=object)
            for batch, k in numpy.ndindex(2, size):
                total = mpmath.mpc(0)
                for n in range(count):
                    turn = mpmath.expjpi(mpf(2 * (k * n % count)) / count * (1 if inverse else -1))
                    total += turn * mpmath.mpc(numbers[batch, n, 0], 0 if onesided else numbers[batch, n, 1])
                total = total / count if inverse else total
                values[batch, k] = [total.real, total.imag]
            attributes = {"inverse": inverse, "onesided": onesided}
            yield Case("DFT", f"{kind}-{name}", [x, None, scalar("int64", 1)], [Exact(kind, values)], "a length that is no power of two", attributes)
    terms = {"HannWindow": ("0.5", "0.5", "0"), "BlackmanWindow": ("0.42", "0.5", "0.08")}
    for operator, coefficients in terms.items():
        for kind in ("float32", "float64", "float16"):
            for periodic in (1, 0):
                a, b, c = (mpf(value) for value in coefficients)
                span = 17 if periodic else 16
                angles = numpy.array([2 * mpmath.pi * index / span for index in range(17)], dtype=object)
                values = each(lambda t, a=a, b=b, c=c: a - b * mpmath.cos(t) + c * mpmath.cos(2 * t), angles)
                name = f"{kind}-{'periodic' if periodic else 'symmetric'}"
                attributes = {"periodic": periodic, "output_datatype": ONNX_TYPES[kind]}
                yield Case(operator, name, [scalar("int64", 17)], [Exact(kind, values)], "the ends are small differences", attributes)


def cases():
    for part in (resizes, grids, transforms):
        yield from part()
