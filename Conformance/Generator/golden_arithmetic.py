# SPDX-License-Identifier: Apache-2.0
"""Elementwise arithmetic of two and more numbers, comparison, logic, and integers that wrap."""

import mpmath
import numpy

import golden_points as points
from golden_cases import Case, Draw, Exact, Tensor, rounded, scalar
from golden_formats import FORMATS, INTEGERS, limits, mpf, to_even, wrapped

FLOATS = ("float64", "float32", "float16", "bfloat16")
WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def each(function, *arrays):
    """The function on broadcast arrays of objects."""
    broadcast = numpy.broadcast_arrays(*arrays)
    values = numpy.empty(broadcast[0].size, dtype=object)
    values[:] = [function(*row) for row in zip(*(array.reshape(-1).tolist() for array in broadcast))]
    return values.reshape(broadcast[0].shape)


def result(kind, values):
    """Floating-point results exactly, integers wrapped, booleans as they are."""
    if kind in FORMATS:
        return Exact(kind, values)
    return rounded(kind, each(lambda value: bool(value) if kind == "bool" else wrapped(value, kind), values))


def hard_pairs(kind):
    """Cancellation, absorption, ties of sums and products, denormal results."""
    table = FORMATS[kind]
    unit = mpf(table.unit)
    values = [1 + unit, 1 - unit / 2, 1 + 3 * unit, unit, unit / 2, unit * 3 / 2, mpf(2), mpf(3), mpf(10), 1 / unit, 1 / unit + 1, mpf(0), mpf(-1)]
    values += [table.smallest, table.smallest_normal, 3 * table.smallest, table.largest, -table.largest / 2, mpf("0.1"), mpf("-0.7"), -1 - unit]
    numbers = points.tensor(kind, values).numbers()
    return rounded(kind, numpy.repeat(numbers, numbers.size)), rounded(kind, numpy.tile(numbers, numbers.size))


def bounded(kind, value):
    """What no correctly rounded result can be told from infinity is left out."""
    return mpmath.isfinite(value) and abs(value) <= FORMATS[kind].largest


def quotient(x, y):
    return x / y


def whole_quotient(x, y):
    size = abs(x) // abs(y)
    return size if (x < 0) == (y < 0) else -size


def remainder_of_dividend(x, y):
    if isinstance(x, int):
        return x - y * whole_quotient(x, y)
    # Exact: both are integers times a power of two.
    size = mpmath.fmod(abs(x), abs(y))
    return -size if x < 0 else size


BINARY = {"Add": lambda x, y: x + y, "Sub": lambda x, y: x - y, "Mul": lambda x, y: x * y, "Div": quotient}


def binary():
    for operator, function in BINARY.items():
        for kind in FLOATS:
            x, y = hard_pairs(kind)
            keep = [
                index
                for index, (a, b) in enumerate(zip(x.numbers(), y.numbers()))
                if not (operator == "Div" and b == 0) and bounded(kind, function(a, b))
            ]
            x, y = x.like(x.array[keep]), y.like(y.array[keep])
            values = each(function, x.numbers(), y.numbers())
            why = "cancellation, absorbed terms, ties, denormal operands and results"
            yield Case(operator, f"{kind}-hard-pairs", [x, y], [Exact(kind, values)], why)
            draw = Draw(operator, f"{kind}-broadcast")
            x, y = draw.wide("x", kind, (3, 1, 41), -4, 4), draw.wide("y", kind, (7, 1), -4, 4)
            yield Case(operator, f"{kind}-broadcast", [x, y], [Exact(kind, each(function, x.numbers(), y.numbers()))], "exponents spread, shapes broadcast")
        for kind in WHOLE:
            draw = Draw(operator, f"{kind}-wraps")
            low, high = limits(kind)
            edges = [low, low + 1, high, high - 1, 1, 2, 3, 7] + ([-1, -2, -7] if low < 0 else [])
            x = rounded(kind, numpy.array(edges + draw.integers("x", kind, [60]).numbers().tolist(), dtype=object))
            y = rounded(kind, numpy.array(edges[::-1] + draw.integers("y", kind, [60]).numbers().tolist(), dtype=object))
            if operator == "Div":
                y = rounded(kind, each(lambda value: value or 5, y.numbers()))
                # The one quotient that its type does not have is left out.
                y = rounded(kind, each(lambda a, b: 3 if a == low and b == -1 else b, x.numbers(), y.numbers()))
            values = each(whole_quotient if operator == "Div" else function, x.numbers(), y.numbers())
            yield Case(operator, f"{kind}-wraps", [x, y], [result(kind, values)], "the whole range: modular results, truncated quotients of all signs")


def modulus():
    signs = [(7, 3), (-7, 3), (7, -3), (-7, -3), (6, 3), (-6, 3), (6, -3), (0, 5), (1, -128), (100, 7), (-100, 7), (-1, 2)]
    for kind in ("int8", "int32", "int64", "uint8", "uint64"):
        pairs = [(a, b) for a, b in signs if INTEGERS[kind][1] or (a >= 0 and b > 0)]
        low, high = limits(kind)
        pairs += [(high, 2), (high, 3), (high - 1, high), (low, 7), (low, 3)]
        x, y = (rounded(kind, numpy.array(column, dtype=object)) for column in zip(*pairs))
        yield Case("Mod", f"{kind}-sign-of-divisor", [x, y], [result(kind, each(lambda a, b: a % b, x.numbers(), y.numbers()))], "all signs")
        yield Case(
            "Mod", f"{kind}-sign-of-dividend", [x, y], [result(kind, each(remainder_of_dividend, x.numbers(), y.numbers()))], "all signs", {"fmod": 1}
        )
    for kind in FLOATS:
        draw = Draw("Mod", f"{kind}-far-apart")
        x, y = draw.wide("x", kind, [150], -8, 15), draw.wide("y", kind, [150], -8, 2)
        values = each(remainder_of_dividend, x.numbers(), y.numbers())
        yield Case("Mod", f"{kind}-far-apart", [x, y], [Exact(kind, values)], "the quotient has more bits than the type: the remainder is exact", {"fmod": 1})


def power():
    for kind in FLOATS:
        table = FORMATS[kind]
        unit = mpf(table.unit)
        bases = [1 + unit, 1 - unit / 2, mpf(2), mpf("1.5"), mpf("0.5"), mpf(10), mpf("1.1"), mpf("0.9")]
        pairs = []
        for base in points.tensor(kind, bases).numbers():
            reach = mpmath.log(table.largest) / abs(mpmath.log(base))
            pairs += [(base, reach * part) for part in (mpf("0.999"), mpf("-0.999"), mpf("0.5"), mpf("0.01"), mpf("-0.31"))]
        pairs += [(mpf(-2), mpf(3)), (mpf(-2), mpf(4)), (mpf(-3), mpf(-3)), (mpf(-2), mpf("0.5")), (mpf(0), mpf(0)), (mpf(0), mpf(2)), (mpf(5), mpf(0))]
        pairs = [(a, b) for a, b in pairs if abs(b) <= table.largest]
        x, y = (rounded(kind, numpy.array(column, dtype=object)) for column in zip(*pairs))

        def raised(a, b):
            if a < 0 and b != mpmath.floor(b):
                return mpf("nan")
            return mpf(1) if b == 0 else mpmath.power(a, b)

        values = each(raised, x.numbers(), y.numbers())
        yield Case("Pow", f"{kind}-near-overflow", [x, y], [Exact(kind, values)], "bases near one with huge exponents; results near both ends; negative bases")
    base, exponents = rounded("int64", [3, -3, 7, 2, -2, 0, 1, 10]), rounded("int64", [39, 39, 22, 62, 63, 0, 5, 18])
    values = each(lambda a, b: a**b, base.numbers(), exponents.numbers())
    yield Case("Pow", "int64-exact", [base, exponents], [result("int64", values)], "powers beyond 2^53 are exact integers")


def comparisons():
    relations = {
        "Equal": lambda a, b: a == b, "Greater": lambda a, b: a > b, "Less": lambda a, b: a < b,
        "GreaterOrEqual": lambda a, b: a >= b, "LessOrEqual": lambda a, b: a <= b,
    }  # fmt: skip
    for operator, relation in relations.items():
        for kind in FLOATS:
            values = points.tensor(kind, points.special(kind) + points.around(kind, 1, -1, steps=1) + points.tiny(kind)[:3])
            column = values.like(values.array.reshape(-1, 1))
            # NaN compares false with everything, itself included; mpmath agrees.
            y = each(relation, column.numbers(), values.numbers())
            yield Case(operator, f"{kind}-special", [column, values], [result("bool", y)], "NaN, signed zeros, infinities, neighbours, denormals")
        for kind in ("int32", "int64", "uint64", "uint8"):
            low, high = limits(kind)
            edges = [low, low + 1, 0, 1, 2**53 % (high + 1), (2**53 + 1) % (high + 1), high - 1, high]
            values = rounded(kind, numpy.array(edges, dtype=object))
            column = values.like(values.array.reshape(-1, 1))
            y = each(relation, column.numbers(), values.numbers())
            yield Case(operator, f"{kind}-limits", [column, values], [result("bool", y)], "neighbours beyond 2^53, which float64 cannot tell apart")


def logic():
    x, y = Tensor("bool", [False, False, True, True]), Tensor("bool", [False, True, False, True])
    for operator, function in {"And": lambda a, b: a & b, "Or": lambda a, b: a | b, "Xor": lambda a, b: a ^ b}.items():
        column = x.like(x.array.reshape(-1, 1))
        yield Case(operator, "bool-table", [column, y], [result("bool", each(function, column.numbers(), y.numbers()))], "the truth table, broadcast")
    yield Case("Not", "bool-table", [x], [Tensor("bool", ~x.array)], "the truth table")
    bitwise = {"BitwiseAnd": lambda a, b: a & b, "BitwiseOr": lambda a, b: a | b, "BitwiseXor": lambda a, b: a ^ b}
    for operator, function in bitwise.items():
        for kind in WHOLE:
            draw = Draw(operator, f"{kind}-drawn")
            x, y = draw.integers("x", kind, (5, 1, 7)), draw.integers("y", kind, (3, 1))
            yield Case(operator, f"{kind}-drawn", [x, y], [result(kind, each(function, x.numbers(), y.numbers()))], "every bit, sign bits included")
    for kind in WHOLE:
        x = Draw("BitwiseNot", f"{kind}-drawn").integers("x", kind, [40])
        yield Case("BitwiseNot", f"{kind}-drawn", [x], [result(kind, each(lambda a: ~a, x.numbers()))], "every bit, sign bits included")
    for kind in ("uint8", "uint16", "uint32", "uint64"):
        bits = INTEGERS[kind][0]
        for direction in ("LEFT", "RIGHT"):
            name = f"{kind}-{direction.lower()}"
            x = Draw("BitShift", name).integers("x", kind, (3, bits))
            y = rounded(kind, numpy.array(range(bits), dtype=object))
            shift = (lambda a, b: a << b) if direction == "LEFT" else (lambda a, b: a >> b)
            yield Case("BitShift", name, [x, y], [result(kind, each(shift, x.numbers(), y.numbers()))], "every distance below the width", {"direction": direction})


def choices():
    """Results are some of the inputs, with their bits: moved, not computed."""
    for kind in FLOATS + WHOLE:
        for operator, function in {"Max": max, "Min": min}.items():
            draw = Draw(operator, f"{kind}-three")
            if kind in FLOATS:
                inputs = [draw.wide(f"x{index}", kind, shape, -6, 6) for index, shape in enumerate([(4, 1, 9), (5, 1), (1,)])]
            else:
                inputs = [draw.integers(f"x{index}", kind, shape) for index, shape in enumerate([(4, 1, 9), (5, 1), (1,)])]
            values = each(lambda *row, function=function: function(row), *(tensor.numbers() for tensor in inputs))
            yield Case(operator, f"{kind}-three", inputs, [rounded(kind, values)], "three inputs broadcast; integers beyond 2^53")
    for kind in ("float64", "float32", "float16", "bfloat16", "int8", "int32", "int64"):
        draw = Draw("Clip", f"{kind}-drawn")
        is_float = kind in FORMATS
        x = draw.wide("x", kind, [120], -5, 5) if is_float else draw.integers("x", kind, [120])
        low, high = (mpf("-0.75"), mpf("1.25")) if is_float else (limits(kind)[0] // 2 - 1, limits(kind)[1] // 2 + 1)
        values = each(lambda value: min(max(value, low), high), x.numbers())
        yield Case("Clip", f"{kind}-drawn", [x, scalar(kind, low), scalar(kind, high)], [rounded(kind, values)], "both limits")
        yield Case("Clip", f"{kind}-crossed", [x, scalar(kind, high), scalar(kind, low)], [rounded(kind, each(lambda value: low, x.numbers()))], "crossed limits: the upper one wins")
        absolute = each(abs, x.numbers()) if is_float else each(lambda value: wrapped(abs(value), kind), x.numbers())
        yield Case("Abs", f"{kind}-drawn", [x], [rounded(kind, absolute)], "magnitudes")
        negated = each(lambda value: -value, x.numbers()) if is_float else each(lambda value: wrapped(-value, kind), x.numbers())
        yield Case("Neg", f"{kind}-drawn", [x], [rounded(kind, negated)], "both signs")
        yield Case("Sign", f"{kind}-drawn", [x], [rounded(kind, each(lambda value: (value > 0) - (value < 0), x.numbers()))], "both signs")
        zero = mpf(0) if is_float else 0
        yield Case("Relu", f"{kind}-drawn", [x], [rounded(kind, each(lambda value: max(value, zero), x.numbers()))], "both signs")


def whole_numbers():
    """Ceil, Floor and Round, with ties and where the type has no fractions any more."""
    functions = {"Ceil": lambda x: -((-x) // 1), "Floor": lambda x: x // 1, "Round": lambda x: mpf(to_even(x))}
    for kind in FLOATS:
        halves = [mpf(index) / 2 for index in range(-13, 14)]
        edge = mpmath.ldexp(1, FORMATS[kind].precision - 1)
        near = points.around(kind, "0.5", "1.5", "2.5", "-0.5", edge, -edge, edge / 2 + HALF, 3 * edge / 4, steps=3)
        x = points.tensor(kind, halves + near + points.tiny(kind) + [FORMATS[kind].largest])
        for operator, function in functions.items():
            why = "ties, neighbours of ties, denormals, and numbers so large that all are whole"
            yield Case(operator, f"{kind}-ties", [x], [rounded(kind, each(function, x.numbers()))], why)


HALF = mpf("0.5")


def predicates():
    for kind in FLOATS:
        x = points.tensor(kind, points.special(kind) + points.tiny(kind) + [mpf(1)])
        yield Case("IsNaN", f"{kind}-special", [x], [result("bool", each(mpmath.isnan, x.numbers()))], "special values")
        yield Case("IsInf", f"{kind}-special", [x], [result("bool", each(mpmath.isinf, x.numbers()))], "special values")
        negative = each(lambda value: mpmath.isinf(value) and value < 0, x.numbers())
        yield Case("IsInf", f"{kind}-negative-alone", [x], [result("bool", negative)], "one sign alone", {"detect_positive": 0})


def several():
    """Sum, Mean, PRelu."""
    for kind in FLOATS:
        draw = Draw("Sum", f"{kind}-cancelling")
        a, b = draw.wide("a", kind, (6, 1, 20), -3, 3), draw.wide("b", kind, (5, 20), -3, 3)
        c = rounded(kind, -a.numbers())
        values = a.numbers() + b.numbers() + c.numbers()
        yield Case("Sum", f"{kind}-cancelling", [a, b, c], [Exact(kind, values)], "the first and the last input cancel")
        yield Case("Mean", f"{kind}-cancelling", [a, b, c], [Exact(kind, values / mpf(3))], "the first and the last input cancel")
        draw = Draw("PRelu", f"{kind}-channels")
        x, slope = draw.normal("x", kind, (2, 3, 4, 5)), draw.normal("slope", kind, (3, 1, 1))
        values = each(lambda value, factor: value if value >= 0 else value * factor, x.numbers(), slope.numbers())
        yield Case("PRelu", f"{kind}-channels", [x, slope], [Exact(kind, values)], "a slope for each channel")


def cases():
    for part in (binary, modulus, power, comparisons, logic, choices, whole_numbers, predicates, several):
        yield from part()
