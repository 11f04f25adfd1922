# SPDX-License-Identifier: Apache-2.0
"""Casts: ties, double rounding, denormals, saturation; and the bits of BitCast."""

import mpmath
import numpy

import golden_points as points
from golden_cases import Case, Draw, Tensor, rounded
from golden_formats import FORMATS, ONNX_TYPES, limits, mpf, wrapped

FLOATS = ("float64", "float32", "float16", "bfloat16")
FLOAT8 = ("float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz")


def ties(kind):
    """Midpoints of the type's neighbouring numbers, and what lies a hair beside them: where rounding twice gives another number than rounding once."""
    table = FORMATS[kind]
    values = []
    exponents = {0, 1, -1, table.smallest_exponent, table.smallest_exponent + 1, int(mpmath.frexp(table.largest)[1]) - 1}
    for exponent in sorted(exponents):
        step = mpmath.ldexp(1, exponent - table.precision + 1)
        for place in (0, 1, 2, 3, 2 ** (table.precision - 1) - 2, 2 ** (table.precision - 1) - 1):
            middle = mpmath.ldexp(1, exponent) + (place + mpf("0.5")) * step
            for hair in (0, 1, -1):
                for size in (2, 12, 28):
                    values.append(middle + hair * mpmath.ldexp(step, -size))
    for place in (0, 1, 2, 3):
        for hair in (0, 1, -1):
            values.append((place + mpf("0.5")) * table.smallest + hair * mpmath.ldexp(table.smallest, -9))
    return values


def narrowing():
    for source in ("float64", "float32", "float16", "bfloat16"):
        for target in FLOATS:
            if FORMATS[target].precision >= FORMATS[source].precision and source != "bfloat16":
                continue
            x = points.tensor(source, [sign * value for value in ties(target) for sign in (1, -1)] + points.special(source) + points.tiny(target))
            unique = sorted(set(x.array.view("<u8" if source == "float64" else "<u4" if source == "float32" else "<u2").tolist()))
            x = Tensor(source, numpy.array(unique, dtype=f"<u{FORMATS[source].bits // 8}").view(x.array.dtype))
            why = "ties to even, a hair beside them, denormal results, the step to infinity"
            yield Case("Cast", f"{source}-to-{target}", [x], [rounded(target, x.numbers())], why, {"to": ONNX_TYPES[target]})


def eights():
    for target in FLOAT8:
        for source in FLOATS:
            x = points.tensor(source, [sign * value for value in ties(target) for sign in (1, -1)] + points.special(source))
            codes = sorted(set(x.array.view(f"<u{FORMATS[source].bits // 8}").tolist()))
            x = Tensor(source, numpy.array(codes, dtype=f"<u{FORMATS[source].bits // 8}").view(x.array.dtype))
            for saturate in (1, 0):
                name = f"{source}-to-{target}" + ("" if saturate else "-no-saturation")
                y = rounded(target, x.numbers(), saturate=bool(saturate))
                attributes = {"to": ONNX_TYPES[target], "saturate": saturate}
                yield Case("Cast", name, [x], [y], "ties, denormals, and what becomes of numbers too large", attributes)
        # All 256 numbers back.
        every = Tensor(target, numpy.arange(256, dtype=numpy.uint8))
        for back in FLOATS:
            yield Case("Cast", f"{target}-to-{back}", [every], [rounded(back, every.numbers())], "all 256 codes", {"to": ONNX_TYPES[back]})


def integers_to_floats():
    for source in ("int64", "uint64", "int32", "uint32", "int8", "int4", "uint4"):
        low, high = limits(source)
        for target in FLOATS:
            precision = FORMATS[target].precision
            values = {low, high, low + 1, high - 1, 0, 1, 5}
            for exponent in range(precision, high.bit_length()):
                # A tie of the target, and a tie broken by the last bit of all, which a way over float64 loses.
                middle = (1 << exponent) + (1 << (exponent - precision))
                values |= {middle, middle + 1, middle - 1, middle + (1 << (exponent - precision + 1)), -middle, -middle - 1, -middle + 1}
            kept = sorted(value for value in values if low <= value <= high)
            x = rounded(source, numpy.array(kept, dtype=object))
            yield Case("Cast", f"{source}-to-{target}", [x], [rounded(target, x.numbers())], "ties broken by the last bit", {"to": ONNX_TYPES[target]})


def floats_to_integers():
    for source in FLOATS:
        for target in ("int64", "int32", "int8", "uint8", "uint32", "uint64"):
            low, high = limits(target)
            near = [mpf(index) / 4 for index in range(-19, 20)] + points.around(source, low, high, 2**31, 2**53, 2**24, 1000, steps=3)
            # Beyond the range of the target no value is demanded.
            kept = [value for value in near if low <= value <= high and low <= mpmath.floor(rounded(source, [value]).numbers()[0]) <= high]
            x = points.tensor(source, kept)
            y = rounded(target, [int(value) for value in x.numbers()])
            yield Case("Cast", f"{source}-to-{target}", [x], [y], "towards zero; the last numbers inside the range", {"to": ONNX_TYPES[target]})
        x = points.tensor(source, points.special(source) + points.tiny(source) + [mpf(1), mpf("-0.25")])
        y = Tensor("bool", [bool(mpmath.isnan(value) or value != 0) for value in x.numbers()])
        yield Case("Cast", f"{source}-to-bool", [x], [y], "denormals, infinities and NaN are true, both zeros are not", {"to": ONNX_TYPES["bool"]})


def integers_to_integers():
    for source, target in (
        ("int64", "int32"), ("int64", "int8"), ("int64", "uint64"), ("uint64", "int64"), ("int32", "uint8"), ("uint8", "int8"), ("int16", "uint16"),
        ("int8", "int64"), ("int8", "uint32"), ("uint32", "int64"), ("int4", "int32"), ("uint4", "uint8"),
    ):  # fmt: skip
        name = f"{source}-to-{target}"
        low, high = limits(source)
        drawn = Draw("Cast", name).integers("x", source, [50]).numbers().tolist()
        x = rounded(source, numpy.array([low, low + 1, high, high - 1, 0, 1] + drawn, dtype=object))
        y = rounded(target, numpy.array([wrapped(value, target) for value in x.numbers()], dtype=object))
        yield Case("Cast", name, [x], [y], "the higher bits are dropped, the sign is carried", {"to": ONNX_TYPES[target]})


def bits():
    for source, target in (("float32", "int32"), ("int32", "float32"), ("float64", "uint64"), ("float16", "uint16"), ("uint16", "bfloat16"), ("int64", "float64")):
        name = f"{source}-to-{target}"
        width = FORMATS.get(source, FORMATS.get(target)).bits
        words = Draw("BitCast", name).random("x").words(0, 60) >> numpy.uint64(64 - width)
        # No NaN: a payload may change on its way through a register.
        codes = words.astype(f"<u{width // 8}") & numpy.array(~(1 << (width - 2)) & ((1 << width) - 1), dtype=f"<u{width // 8}")
        x, y = (Tensor(kind, codes.view(dtype(kind))) for kind in (source, target))
        yield Case("BitCast", name, [x], [y], "the same bits under another type", {"to": ONNX_TYPES[target]}, opset=26)


def dtype(kind):
    return Tensor(kind, numpy.zeros(1)).array.dtype


def like():
    x = points.tensor("float32", ties("float16"))
    target = rounded("float16", [1.0])
    yield Case("CastLike", "float32-to-float16", [x, target], [rounded("float16", x.numbers())], "ties to even")
    y = rounded("int8", [wrapped(value, "int8") for value in range(-300, 300, 7)])
    x = rounded("int32", list(range(-300, 300, 7)))
    yield Case("CastLike", "int32-to-int8", [x, rounded("int8", [0])], [y], "the higher bits are dropped")


def cases():
    for part in (narrowing, eights, integers_to_floats, floats_to_integers, integers_to_integers, bits, like):
        yield from part()
