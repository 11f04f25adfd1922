# SPDX-License-Identifier: Apache-2.0
"""One golden case, and how its inputs are drawn."""

import numpy

from counter_random import CounterRandom
from golden_formats import FORMATS, INTEGERS, Exact, Tensor, limits, rounded

SEED = 2026
OPSET = 24


class Case:
    """A call of an operator and its right results. Outputs: `Exact`, `Tensor`, or None for one left out; inputs: `Tensor` or None."""

    def __init__(self, operator, name, inputs, outputs, why, attributes=None, opset=OPSET):
        self.operator = operator
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.why = why
        self.attributes = attributes or {}
        self.opset = opset

    @property
    def identifier(self):
        return f"golden/{self.operator}/{self.name}"


class Draw:
    """The drawn inputs of a case: functions of the seed, the case's name, the tensor's name and the index."""

    def __init__(self, operator, name):
        self.key = f"golden/{operator}/{name}"

    def random(self, tensor):
        return CounterRandom(SEED, self.key, tensor)

    def normal(self, tensor, kind, shape, scale=1.0, shift=0.0):
        count = int(numpy.prod(shape))
        return rounded(kind, (self.random(tensor).normal(0, count) * scale + shift).reshape(shape))

    def uniform(self, tensor, kind, shape, low=-1.0, high=1.0):
        count = int(numpy.prod(shape))
        return rounded(kind, (self.random(tensor).uniform(0, count) * (high - low) + low).reshape(shape))

    def integers(self, tensor, kind, shape, low=None, high=None):
        """Both ends included; the whole range of the type where none is given."""
        count = int(numpy.prod(shape))
        if kind == "bool":
            return Tensor(kind, self.random(tensor).integers(0, count, 2).astype(bool).reshape(shape))
        least, most = limits(kind)
        low, high = least if low is None else low, most if high is None else high
        if high - low < 1 << 32:
            values = [low + int(value) for value in self.random(tensor).integers(0, count, high - low + 1)]
        else:
            values = [low + int(value) % (high - low + 1) for value in self.random(tensor).words(0, count)]
        return rounded(kind, numpy.array(values, dtype=object).reshape(shape))

    def wide(self, tensor, kind, shape, low=-20, high=20):
        """Signed numbers whose exponents are spread evenly over low ... high."""
        count = int(numpy.prod(shape))
        random = self.random(tensor)
        fractions = random.uniform(0, count) + 1.0
        exponents = random.integers(count, count, high - low + 1).astype(numpy.int64) + low
        signs = 1.0 - 2.0 * random.integers(2 * count, count, 2).astype(numpy.float64)
        return rounded(kind, (signs * numpy.ldexp(fractions, exponents)).reshape(shape))

    def data(self, tensor, kind, shape):
        """What suits the type."""
        if kind in FORMATS:
            return self.normal(tensor, kind, shape)
        return self.integers(tensor, kind, shape)

    def permutation(self, tensor, count):
        """0, 1 ... count - 1 in a drawn order."""
        return numpy.argsort(self.random(tensor).words(0, count), kind="stable").astype(numpy.int64)


def vector(*values, kind="int64"):
    return rounded(kind, numpy.array(values, dtype=object))


def scalar(kind, value):
    return rounded(kind, numpy.array(value, dtype=object))


def is_integer(kind):
    return kind in INTEGERS


__all__ = ["Case", "Draw", "Exact", "Tensor", "is_integer", "rounded", "scalar", "vector"]
