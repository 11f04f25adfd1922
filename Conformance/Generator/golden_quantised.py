# SPDX-License-Identifier: Apache-2.0
"""Quantised operators: exact integers inside, one rounding at the end."""

import numpy

from golden_cases import Case, Draw, Exact, Tensor, rounded, scalar
from golden_formats import limits, mpf, saturated, to_even
from golden_products import convolution

PAIRS = (("uint8", "uint8"), ("uint8", "int8"), ("int8", "int8"), ("int8", "uint8"))


def stored(kind, values, scale, zero):
    """round(values / scale) + zero, saturated."""
    values = numpy.array(values, dtype=object)
    flat = [saturated(to_even(value / scale) + zero, kind) for value in values.reshape(-1).tolist()]
    return rounded(kind, numpy.array(flat, dtype=object).reshape(values.shape))


def scale_of(value):
    return rounded("float32", numpy.array(mpf(value), dtype=object))


def linear():
    for source in ("float32", "float16"):
        for kind in ("uint8", "int8", "uint16", "int16", "uint4", "int4"):
            low, high = limits(kind)
            zero = (low + high) // 2 + 3 if kind != "int8" else -5
            name = f"{source}-{kind}-ties"
            halves = [mpf(step) / 2 * mpf("0.25") for step in range(-60, 61)]
            x = rounded(source, halves + [mpf(60000), mpf(-60000)])
            scale, zero_point = rounded(source, numpy.array(mpf("0.25"), dtype=object)), scalar(kind, zero)
            yield Case("QuantizeLinear", name, [x, scale, zero_point], [stored(kind, x.numbers(), mpf("0.25"), zero)], "every tie, and what saturates")
    for kind in ("uint8", "int8", "uint16", "int16"):
        draw = Draw("DequantizeLinear", f"{kind}-axis")
        x, s = draw.integers("x", kind, (3, 4)), draw.uniform("s", "float32", (4,), 0.01, 0.1)
        z = draw.integers("z", kind, (4,), *((0, 9) if kind.startswith("u") else (-9, 9)))
        values = (x.numbers() - z.numbers()) * s.numbers()
        yield Case("DequantizeLinear", f"{kind}-axis", [x, s, z], [Exact("float32", values)], "a scale and a zero point per column", {"axis": 1})
    x = Draw("DynamicQuantizeLinear", "float32-whole").integers("x", "int16", (5, 7), -255, 255).numbers()
    # A range of exactly 255 steps of two: no rounding hides in the scale.
    x = numpy.where(numpy.arange(35).reshape(5, 7) == 0, 255, numpy.where(numpy.arange(35).reshape(5, 7) == 1, -255, x))
    tensor, zero = rounded("float32", x * mpf(1)), 128
    y = [saturated(to_even(mpf(value) / 2) + zero, "uint8") for value in x.reshape(-1).tolist()]
    outputs = [rounded("uint8", numpy.array(y, dtype=object).reshape(5, 7)), Exact("float32", numpy.array(mpf(2), dtype=object)), scalar("uint8", zero)]
    yield Case("DynamicQuantizeLinear", "float32-whole", [tensor], outputs, "a scale of two: odd numbers are ties")


def narrow():
    """8-bit floats and 4-bit integers, scales per axis and per block."""
    for kind in ("float8e4m3fn", "float8e5m2", "float8e4m3fnuz", "float8e5m2fnuz"):
        x = Draw("QuantizeLinear", f"float32-{kind}").normal("x", "float32", (3, 50), scale=200.0)
        s, zero = rounded("float32", [mpf("0.25"), mpf(2), mpf(8)]), rounded(kind, [mpf(0)] * 3)
        y = rounded(kind, x.numbers() / s.numbers().reshape(3, 1), saturate=True)
        yield Case("QuantizeLinear", f"float32-{kind}", [x, s, zero], [y], "a scale per row, some results saturate", {"axis": 0})
        every = Tensor(kind, numpy.arange(256, dtype=numpy.uint8).reshape(2, 128))
        scale = rounded("float32", [mpf("0.75"), mpf(3)])
        values = every.numbers() * scale.numbers().reshape(2, 1)
        yield Case("DequantizeLinear", f"{kind}-all", [every, scale], [Exact("float32", values)], "all 256 codes", {"axis": 0})
    for kind in ("int4", "uint4", "int8", "uint8"):
        draw = Draw("DequantizeLinear", f"{kind}-blocks")
        x, s = draw.integers("x", kind, (3, 8)), draw.uniform("s", "float32", (3, 2), 0.01, 0.1)
        z = draw.integers("z", kind, (3, 2))
        wide = [numpy.repeat(tensor.numbers(), 4, axis=1) for tensor in (s, z)]
        values = (x.numbers() - wide[1]) * wide[0]
        yield Case("DequantizeLinear", f"{kind}-blocks", [x, s, z], [Exact("float32", values)], "a scale and a zero point per block", {"axis": 1, "block_size": 4})
        low, high = limits(kind)
        draw = Draw("QuantizeLinear", f"float32-{kind}-blocks")
        x, s = draw.normal("x", "float32", (3, 8)), draw.uniform("s", "float32", (3, 2), 0.01, 0.5)
        z = draw.integers("z", kind, (3, 2), (3 * low + high) // 4, (low + 3 * high) // 4)
        wide = [numpy.repeat(tensor.numbers(), 4, axis=1) for tensor in (s, z)]
        steps = [saturated(to_even(a / b) + c, kind) for a, b, c in zip(*(array.reshape(-1).tolist() for array in (x.numbers(), *wide)))]
        y = rounded(kind, numpy.array(steps, dtype=object).reshape(3, 8))
        attributes = {"axis": 1, "block_size": 4}
        yield Case("QuantizeLinear", f"float32-{kind}-blocks", [x, s, z], [y], "scales that are no powers of two, per block", attributes)
    for name, shift in (("both-signs", 0.0), ("positive", 9.0), ("negative", -9.0)):
        x = Draw("DynamicQuantizeLinear", f"float32-{name}").normal("x", "float32", (7, 11), shift=shift)
        numbers = x.numbers().reshape(-1).tolist()
        low, high = min(min(numbers), mpf(0)), max(max(numbers), mpf(0))
        scale = (high - low) / 255
        zero = saturated(to_even(-low / scale), "uint8")
        y = stored("uint8", x.numbers(), scale, zero)
        outputs = [y, Exact("float32", numpy.array(scale, dtype=object)), scalar("uint8", zero)]
        yield Case("DynamicQuantizeLinear", f"float32-{name}", [x], outputs, "the range always holds zero")


def products():
    for left, right in PAIRS:
        draw = Draw("MatMulInteger", f"{left}-{right}-extremes")
        a, b = draw.integers("a", left, (5, 67)), draw.integers("b", right, (67, 9))
        za, zb = draw.integers("za", left, ()), draw.integers("zb", right, (9,))
        values = (a.numbers() - int(za.array)) @ (b.numbers() - zb.numbers())
        yield Case("MatMulInteger", f"{left}-{right}-extremes", [a, b, za, zb], [rounded("int32", values)], "the whole range of both types: pairs of products overflow 16 bits")
        ends = rounded(left, numpy.full((3, 64), limits(left)[1], dtype=object)), rounded(right, numpy.full((64, 5), limits(right)[1], dtype=object))
        yield Case("MatMulInteger", f"{left}-{right}-all-largest", list(ends), [rounded("int32", ends[0].numbers() @ ends[1].numbers())], "nothing but the largest numbers")
        draw = Draw("QLinearMatMul", f"{left}-{right}-drawn")
        a, b = draw.integers("a", left, (4, 33)), draw.integers("b", right, (33, 6))
        za, zb, zy = draw.integers("za", left, ()), draw.integers("zb", right, ()), scalar(left, 7)
        sums = (a.numbers() - int(za.array)) @ (b.numbers() - int(zb.array))
        y = stored(left, sums * (mpf("0.0625") * mpf("0.03125")), mpf("2.0"), 7)
        inputs = [a, scale_of("0.0625"), za, b, scale_of("0.03125"), zb, scale_of("2.0"), zy]
        yield Case("QLinearMatMul", f"{left}-{right}-drawn", inputs, [y], "scales that are powers of two: every tie is one")
        draw = Draw("ConvInteger", f"{left}-{right}-padded")
        x, w = draw.integers("x", left, (1, 2, 6, 7)), draw.integers("w", right, (3, 2, 3, 3))
        zx, zw = draw.integers("zx", left, ()), draw.integers("zw", right, ())
        values = convolution(x.numbers() - int(zx.array), w.numbers() - int(zw.array), None, [1, 1, 1, 1], [2, 1], [1, 1], 1)
        attributes = {"pads": [1, 1, 1, 1], "strides": [2, 1]}
        yield Case("ConvInteger", f"{left}-{right}-padded", [x, w, zx, zw], [rounded("int32", values)], "padding has the value of the zero point", attributes)
        b = draw.integers("b", "int32", (3,), -500, 500)
        y = stored(left, (values + b.numbers().reshape(1, 3, 1, 1)) * (mpf("0.0625") * mpf("0.03125")), mpf("1.0"), 3)
        inputs = [x, scale_of("0.0625"), zx, w, scale_of("0.03125"), zw, scale_of("1.0"), scalar(left, 3), b]
        yield Case("QLinearConv", f"{left}-{right}-padded", inputs, [y], "bias in the accumulator's scale", attributes)


def cases():
    for part in (linear, narrow, products):
        yield from part()
