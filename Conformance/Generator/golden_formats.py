# SPDX-License-Identifier: Apache-2.0
"""Numbers and tensors of the golden results: element types, exact values, rounding once to a type.

Exact values are mpmath's mpf (60 digits) or Python integers. Rounding works on integers alone, so that neither the processor nor a library decides.
"""

import mpmath
import numpy

mpmath.mp.dps = 60
mpf = mpmath.mpf


class Format:
    """A binary floating-point type: significand with the hidden bit, exponent of the smallest normal number, largest finite number."""

    def __init__(self, bits, precision, smallest_exponent, largest, infinity=None, nan=None, negative_zero=True):
        self.bits = bits
        self.precision = precision
        self.smallest_exponent = smallest_exponent
        self.largest = mpf(largest)
        self.infinity = infinity
        self.nan = nan
        self.negative_zero = negative_zero

    @property
    def unit(self):
        """The distance of 1 to the next number."""
        return 2.0 ** (1 - self.precision)

    @property
    def smallest_normal(self):
        return mpmath.ldexp(1, self.smallest_exponent)

    @property
    def smallest(self):
        return mpmath.ldexp(1, self.smallest_exponent - self.precision + 1)

    def code(self, value, saturate=False):
        """The bits of `value`, rounded to nearest, ties to even. What is too large gives infinity (NaN where there is none), or the largest number."""
        if mpmath.isnan(value):
            return self.nan
        negative, magnitude = value < 0, abs(value)
        sign = 1 << (self.bits - 1) if negative else 0
        over = self.infinity if self.infinity is not None else self.nan
        largest = self._finite_code(self.largest)
        if mpmath.isinf(magnitude):
            code = largest if saturate else over
        else:
            code = self._finite_code(magnitude)
            if code > largest:
                code = largest if saturate else over
        if code == self.nan and over == self.nan and not self.negative_zero:
            return code
        return code if code == 0 and not self.negative_zero else code | sign

    def _finite_code(self, magnitude):
        """Without a limit to the exponent: codes beyond the largest number's go on."""
        _, man, exponent, width = mpf(magnitude)._mpf_
        man = int(man)
        if man == 0:
            return 0
        # The power of two of the last place that is kept.
        place = max(exponent + width - self.precision, self.smallest_exponent - self.precision + 1)
        kept = shifted_to_even(man, exponent - place)
        mantissa = self.precision - 1
        return kept + ((place - (self.smallest_exponent - self.precision + 1)) << mantissa)

    def value(self, code):
        """The exact number of a code."""
        top = 1 << (self.bits - 1)
        if code == self.nan or (code & (top - 1)) == self.nan:
            return mpf("nan")
        negative, code = code & top, code & (top - 1)
        if code == self.infinity:
            return mpf("-inf") if negative else mpf("inf")
        if self.infinity is not None and code > self.infinity:
            return mpf("nan")
        mantissa = self.precision - 1
        field, fraction = code >> mantissa, code & ((1 << mantissa) - 1)
        number = fraction + ((1 << mantissa) if field else 0)
        number = mpmath.ldexp(number, self.smallest_exponent - mantissa + max(field, 1) - 1)
        return -number if negative else number


def shifted_to_even(integer, shift):
    """integer * 2^shift, rounded to the nearest integer, ties to even."""
    if shift >= 0:
        return integer << shift
    if -shift > integer.bit_length() + 1:
        return 0
    whole = integer >> -shift
    rest = integer - (whole << -shift)
    half = 1 << (-shift - 1)
    return whole + (1 if rest > half or (rest == half and whole & 1) else 0)


FORMATS = {
    "float64": Format(64, 53, -1022, mpmath.ldexp(2**53 - 1, 971), 0x7FF << 52, 0xFFF << 51),
    "float32": Format(32, 24, -126, mpmath.ldexp(2**24 - 1, 104), 0xFF << 23, 0x1FF << 22),
    "float16": Format(16, 11, -14, 65504, 0x7C00, 0x7E00),
    "bfloat16": Format(16, 8, -126, mpmath.ldexp(2**8 - 1, 120), 0x7F80, 0x7FC0),
    "float8e4m3fn": Format(8, 4, -6, 448, None, 0x7F),
    "float8e5m2": Format(8, 3, -14, 57344, 0x7C, 0x7E),
    "float8e4m3fnuz": Format(8, 4, -7, 240, None, 0x80, negative_zero=False),
    "float8e5m2fnuz": Format(8, 3, -15, 57344, None, 0x80, negative_zero=False),
}

# Bits and whether there is a sign.
INTEGERS = {
    "int4": (4, True), "uint4": (4, False), "int8": (8, True), "uint8": (8, False), "int16": (16, True), "uint16": (16, False),
    "int32": (32, True), "uint32": (32, False), "int64": (64, True), "uint64": (64, False),
}  # fmt: skip

# How numpy holds a type: by value where it has the type, else by code. Integers of 4 bits by value in a byte.
STORAGE = {
    "float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2", "float8e4m3fn": "u1", "float8e5m2": "u1",
    "float8e4m3fnuz": "u1", "float8e5m2fnuz": "u1", "int4": "i1", "uint4": "u1", "int8": "i1", "uint8": "u1", "int16": "<i2",
    "uint16": "<u2", "int32": "<i4", "uint32": "<u4", "int64": "<i8", "uint64": "<u8", "bool": "?",
}  # fmt: skip

CODES = {"float64": "<u8", "float32": "<u4", "float16": "<u2"}

# ONNX's numbers of the types.
ONNX_TYPES = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "float64": 11,
    "uint32": 12, "uint64": 13, "bfloat16": 16, "float8e4m3fn": 17, "float8e4m3fnuz": 18, "float8e5m2": 19, "float8e5m2fnuz": 20,
    "uint4": 21, "int4": 22,
}  # fmt: skip


def limits(name):
    """The smallest and the largest number of an integer type."""
    bits, signed = INTEGERS[name]
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def wrapped(integer, name):
    """An integer modulo the range of a type."""
    bits, signed = INTEGERS[name]
    low = integer & ((1 << bits) - 1)
    return low - (1 << bits) if signed and low >> (bits - 1) else low


def saturated(integer, name):
    low, high = limits(name)
    return min(max(integer, low), high)


def to_even(value):
    """The nearest integer, ties to even, of a finite mpf or integer."""
    sign, man, exponent, _ = mpf(value)._mpf_
    integer = shifted_to_even(int(man), int(exponent))
    return -integer if sign else integer


class Tensor:
    """Elements of one type. `array` holds them as STORAGE says."""

    def __init__(self, name, array):
        self.type = name
        self.array = numpy.ascontiguousarray(array, dtype=STORAGE[name]).reshape(numpy.shape(array))

    @property
    def shape(self):
        return self.array.shape

    @property
    def is_float(self):
        return self.type in FORMATS

    def numbers(self):
        """The exact values: mpf or Python integers (booleans as 0 and 1), in an array of objects."""
        result = numpy.empty(self.array.size, dtype=object)
        flat = self.array.reshape(-1)
        if self.type in ("float64", "float32", "float16"):
            for index, value in enumerate(flat.tolist()):
                result[index] = mpf(value)
        elif self.is_float:
            table = FORMATS[self.type]
            for index, code in enumerate(flat.tolist()):
                result[index] = table.value(code)
        else:
            for index, value in enumerate(flat.tolist()):
                result[index] = int(value)
        return result.reshape(self.shape)

    def widened(self):
        """Floating-point elements as float64, with the signs of zeros, which mpf does not have."""
        if self.type in CODES:
            return Tensor("float64", self.array.astype(numpy.float64))
        table = FORMATS[self.type]
        top = 1 << (table.bits - 1)
        values = [-0.0 if code == top and table.negative_zero else float(table.value(code)) for code in self.array.reshape(-1).tolist()]
        return Tensor("float64", numpy.array(values).reshape(self.shape))

    def like(self, array):
        """Other elements of the same type, moved from this tensor's."""
        return Tensor(self.type, array)


def rounded(name, values, saturate=False):
    """A tensor of exact values (numbers, nested lists or arrays of them), each rounded once. Integers must be in range."""
    values = numpy.array(values, dtype=object)
    if name == "bool":
        return Tensor(name, values.astype(bool))
    flat = [values.item()] if values.ndim == 0 else values.reshape(-1).tolist()
    if name in INTEGERS:
        low, high = limits(name)
        integers = [int(value) for value in flat]
        assert all(low <= value <= high for value in integers), (name, integers)
        return Tensor(name, numpy.array(integers, dtype=STORAGE[name]).reshape(values.shape))
    table = FORMATS[name]
    # A float keeps the sign of zero, which mpf does not have.
    codes = [
        table.code(mpf(value), saturate)
        | ((1 << (table.bits - 1)) if isinstance(value, float) and value == 0 and table.negative_zero and str(value)[0] == "-" else 0)
        for value in flat
    ]
    array = numpy.array(codes, dtype=CODES.get(name, STORAGE[name])).reshape(values.shape)
    return Tensor(name, array.view(STORAGE[name]) if name in CODES else array)


class Exact:
    """Results of a floating-point type before they are rounded to it: written as float64, correctly rounded, with the rest where the type is float64."""

    def __init__(self, name, values):
        self.type = name
        self.values = numpy.array(values, dtype=object)

    @property
    def shape(self):
        return self.values.shape

    def high_and_low(self):
        high = rounded("float64", self.values)
        low = None
        if self.type == "float64":
            rests = [
                value - mpf(near) if mpmath.isfinite(value) and numpy.isfinite(near) else mpf(0)
                for value, near in zip(self.values.reshape(-1).tolist(), high.array.reshape(-1).tolist())
            ]
            low = rounded("float64", numpy.array(rests, dtype=object).reshape(self.shape))
        return high, low
