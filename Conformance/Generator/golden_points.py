# SPDX-License-Identifier: Apache-2.0
"""Hand-chosen arguments at which right functions are hard to compute."""

import math

import mpmath
import numpy

from golden_formats import FORMATS, mpf, rounded

# Arguments whose reduction by multiples of pi/2 needs the most bits: found by continued fractions, the classic tests of argument reduction.
NEAR_MULTIPLES_OF_HALF_PI = {
    "float64": [math.ldexp(6381956970095103, 797), math.ldexp(5319372264832271, -50) * 2.0**20, 1e22, math.ldexp(1, 1023)],
    "float32": [math.ldexp(16367173, 72), math.ldexp(13253587, 6), 1e22, math.ldexp(1, 127)],
    "float16": [22.0, 355.0, 1420.0, 65504.0],
    "bfloat16": [22.0, 356.0, math.ldexp(201, 50), math.ldexp(255, 119)],
}


def tiny(kind):
    """Denormals and the smallest normal numbers, of both signs."""
    table = FORMATS[kind]
    smallest, normal = table.smallest, table.smallest_normal
    values = [smallest, 2 * smallest, 3 * smallest, normal - smallest, normal, normal + smallest, 2 * normal]
    return values + [-value for value in values]


def around(kind, *centres, steps=2):
    """The numbers of the type nearest to each centre, and the next ones on both sides."""
    table = FORMATS[kind]
    values = []
    for centre in centres:
        near = rounded(kind, [centre]).numbers()[0]
        if not mpmath.isfinite(near):
            continue
        exponent = max(int(mpmath.frexp(near)[1]) - 1, table.smallest_exponent) if near else table.smallest_exponent
        step = mpmath.ldexp(1, exponent - table.precision + 1)
        values += [near + index * step for index in range(-steps, steps + 1)]
    return [value for value in values if abs(value) <= table.largest]


def special(kind, infinities=True):
    values = [0.0, -0.0, mpf("nan")]
    return values + ([mpf("inf"), mpf("-inf"), FORMATS[kind].largest, -FORMATS[kind].largest] if infinities else [])


def logarithmic(low, high, count):
    """Positive numbers whose logarithms are evenly spaced; ends included."""
    first, last = mpmath.log(mpf(low)), mpmath.log(mpf(high))
    return [mpmath.exp(first + (last - first) * index / (count - 1)) for index in range(count)]


def linear(low, high, count):
    return [mpf(low) + (mpf(high) - mpf(low)) * index / (count - 1) for index in range(count)]


def tensor(kind, values):
    """A vector of the points that the type has, in order; infinities that rounding would make are left out."""
    kept = [value for value in values if not mpmath.isfinite(value) or abs(mpf(value)) <= FORMATS[kind].largest]
    array = numpy.empty(len(kept), dtype=object)
    array[:] = kept
    return rounded(kind, array)
