# SPDX-License-Identifier: Apache-2.0
"""Functions of one number: transcendental ones, and activations with their tails."""

import mpmath
import numpy

import golden_points as points
from golden_cases import Case, Draw, Exact
from golden_formats import FORMATS, mpf, rounded

TYPES = ("float64", "float32", "float16", "bfloat16")
ONE, HALF = mpf(1), mpf("0.5")


def attribute(value):
    """An attribute as models hold it: float32."""
    return rounded("float32", [value]).numbers()[0]


def complementary_error(x):
    """erfc without the cost of its far tail, where float64 has long underflown."""
    if x > 60:
        return mpf(0)
    return mpf(2) if x < -60 else mpmath.erfc(x)


def gelu(x):
    return x / 2 * complementary_error(-x / mpmath.sqrt(2))


def gelu_tanh(x):
    inner = mpmath.sqrt(2 / mpmath.pi) * (x + mpf("0.044715") * x**3)
    return x * sigmoid(2 * inner)


def sigmoid(x):
    if x < -2000:
        return mpf(0)
    return ONE if x > 2000 else 1 / (1 + mpmath.exp(-x))


def softplus(x):
    if x < -2000:
        return mpf(0)
    return x if x > 2000 else mpmath.log1p(mpmath.exp(x))


def mish(x):
    return x * mpmath.tanh(softplus(x))


def exponential(x):
    if abs(x) > 3000 and mpmath.isfinite(x):
        return mpf("inf") if x > 0 else mpf(0)
    return mpmath.exp(x)


def hyperbolic(function):
    """sinh and cosh beyond every type's overflow."""
    return lambda x: function(x) if abs(x) < 3000 else mpf("inf") * (1 if x > 0 or function is mpmath.cosh else -1)


def selu(alpha, gamma):
    return lambda x: gamma * x if x > 0 else gamma * alpha * mpmath.expm1(max(x, mpf(-5000)))


def clipped(value, low, high):
    return low if value < low else high if value > high else value


def on(function, tensor):
    """The function of each element; NaN outside its domain."""

    def one(x):
        if mpmath.isnan(x):
            return mpf("nan")
        try:
            y = function(x)
        except (ValueError, ZeroDivisionError):
            return mpf("nan")
        return y if isinstance(y, mpmath.mpf) else mpf(y) if not isinstance(y, mpmath.mpc) else mpf("nan")

    numbers = tensor.numbers()
    values = numpy.empty(numbers.size, dtype=object)
    values[:] = [one(x) for x in numbers.reshape(-1).tolist()]
    return values.reshape(numbers.shape)


def overflow_of_exponential(kind):
    table = FORMATS[kind]
    return [mpmath.log(table.largest), mpmath.log(table.smallest_normal), mpmath.log(table.smallest) - mpmath.log(2)]


def trigonometric(kind):
    hard = points.NEAR_MULTIPLES_OF_HALF_PI[kind]
    multiples = [index * mpmath.pi / 2 for index in (1, 2, 3, 4, 5, 8, 16, 100, 1001)]
    return {
        "large-arguments": (
            hard + [-value for value in hard] + points.logarithmic(100, FORMATS[kind].largest, 60),
            "argument reduction needs more bits of pi than a float holds",
        ),
        "near-multiples-of-half-pi": (points.around(kind, *multiples, steps=3), "results near zero or one: cancellation in the argument reduction"),
        "tiny-and-special": (points.tiny(kind) + points.special(kind), "denormal arguments, signed zero, infinities"),
    }


def unit_interval(kind):
    edge = points.around(kind, 1, -1, steps=4)
    return {
        "ends-of-domain": (edge + points.linear(-1, 1, 41) + [mpf(2), mpf(-2)], "the derivative is infinite at the ends; NaN outside"),
        "tiny-and-special": (points.tiny(kind) + points.special(kind), "denormal arguments, signed zero, infinities"),
    }


def everywhere(kind):
    spread = points.logarithmic(FORMATS[kind].smallest_normal, FORMATS[kind].largest, 50)
    return {
        "all-magnitudes": (spread + [-value for value in spread], "arguments of every magnitude, both signs"),
        "around-one": (points.around(kind, 1, -1, steps=6) + points.linear(-3, 3, 61), "where formulas change"),
        "tiny-and-special": (points.tiny(kind) + points.special(kind), "denormal arguments, signed zero, infinities"),
    }


def positive(kind):
    return {
        "all-magnitudes": (points.logarithmic(FORMATS[kind].smallest, FORMATS[kind].largest, 80), "denormals to the largest number"),
        "around-one": (points.around(kind, 1, 2, 4, mpmath.e, 10, steps=5), "results near zero, and where the exponent changes"),
        "special": (points.special(kind) + [mpf(-1), -FORMATS[kind].smallest], "zeros, infinities, negative arguments"),
    }


def exponent(kind):
    ends = points.around(kind, *overflow_of_exponential(kind), steps=4)
    reach = mpmath.log(FORMATS[kind].largest)
    return {
        "near-overflow-and-underflow": (ends, "the last arguments before infinity, gradual underflow and zero"),
        "whole-range": (points.linear(-reach, reach, 101), "every exponent of the result"),
        "tiny-and-special": (points.tiny(kind) + points.special(kind), "denormal arguments, signed zero, infinities"),
    }


def tails(kind):
    """Activations: no infinities, where 0 times infinity has no agreed meaning."""
    reach = -mpmath.log(FORMATS[kind].smallest)
    return {
        "tails": (
            points.linear(-reach, reach, 121) + points.linear(-8, 8, 65),
            "the left tail is tiny and needs relative accuracy, the right one is the identity or one",
        ),
        "near-zero": (points.tiny(kind) + points.around(kind, 0, mpf(2) ** -8, -(mpf(2) ** -8), steps=3), "results are small differences"),
        "large": (points.logarithmic(64, FORMATS[kind].largest, 20) + [-x for x in points.logarithmic(64, FORMATS[kind].largest, 20)], "no overflow on the way"),
    }


# Operator: (function, its hard points, attributes, opset).
FUNCTIONS = {
    "Sin": (mpmath.sin, trigonometric), "Cos": (mpmath.cos, trigonometric), "Tan": (mpmath.tan, trigonometric),
    "Asin": (mpmath.asin, unit_interval), "Acos": (mpmath.acos, unit_interval), "Atanh": (mpmath.atanh, unit_interval),
    "Atan": (mpmath.atan, everywhere), "Asinh": (mpmath.asinh, everywhere), "Tanh": (mpmath.tanh, everywhere),
    "Erf": (lambda x: 1 - complementary_error(x) if abs(x) > 1 else mpmath.erf(x), everywhere),
    "Acosh": (mpmath.acosh, positive), "Log": (mpmath.log, positive), "Sqrt": (mpmath.sqrt, positive),
    "Reciprocal": (lambda x: 1 / x, everywhere),
    "Exp": (exponential, exponent), "Sinh": (hyperbolic(mpmath.sinh), exponent), "Cosh": (hyperbolic(mpmath.cosh), exponent),
    "Sigmoid": (sigmoid, tails), "Softplus": (softplus, tails), "Mish": (mish, tails), "Gelu": (gelu, tails),
    "Softsign": (lambda x: x / (1 + abs(x)), tails),
    "Swish": (lambda x: x * sigmoid(x), tails), "HardSwish": (lambda x: x * clipped(x / 6 + HALF, mpf(0), ONE), tails),
}  # fmt: skip


def parametric():
    """(operator, name of the variant, function, attributes)"""
    a, b, s = attribute(1.25), attribute(0.7), attribute(0.3)
    alpha, gamma = attribute(1.67326319217681884765625), attribute(1.05070102214813232421875)
    yield "Elu", "", lambda x: x if x > 0 else a * mpmath.expm1(max(x, mpf(-5000))), {"alpha": 1.25}
    yield "Celu", "", lambda x: x if x > 0 else b * mpmath.expm1(max(x / b, mpf(-5000))), {"alpha": 0.7}
    yield "Selu", "", selu(alpha, gamma), {}
    yield "Selu", "-given", selu(a, b), {"alpha": 1.25, "gamma": 0.7}
    yield "LeakyRelu", "", lambda x: x if x >= 0 else s * x, {"alpha": 0.3}
    yield "ThresholdedRelu", "", lambda x: x if x > a else mpf(0), {"alpha": 1.25}
    yield "HardSigmoid", "", lambda x: clipped(s * x + b, mpf(0), ONE), {"alpha": 0.3, "beta": 0.7}
    yield "Shrink", "", lambda x: x + s if x < -b else x - s if x > b else mpf(0), {"bias": 0.3, "lambd": 0.7}
    yield "Gelu", "-tanh", gelu_tanh, {"approximate": "tanh"}
    yield "Swish", "-alpha", lambda x: x * sigmoid(b * x), {"alpha": 0.7}


def cases():
    for operator, (function, hard) in FUNCTIONS.items():
        for kind in TYPES:
            for name, (values, why) in hard(kind).items():
                if operator == "Reciprocal":
                    values = [value for value in values if value != 0]
                x = points.tensor(kind, values)
                yield Case(operator, f"{kind}-{name}", [x], [Exact(kind, on(function, x))], why)
            name = f"{kind}-drawn"
            x = Draw(operator, name).normal("x", kind, [200], scale=0.5 if hard is unit_interval else 4.0)
            yield Case(operator, name, [x], [Exact(kind, on(function, x))], "two hundred ordinary arguments")
    for operator, variant, function, attributes in parametric():
        for kind in TYPES:
            if operator == "Celu" and kind != "float32":
                continue
            for name, (values, why) in tails(kind).items():
                x = points.tensor(kind, values)
                yield Case(operator, f"{kind}-{name}{variant}", [x], [Exact(kind, on(function, x))], why, attributes)
