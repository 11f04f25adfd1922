# SPDX-License-Identifier: Apache-2.0
"""Operators that work on lines of their inputs: normalisations, attention, rotary embedding, recurrent cells, losses."""

import mpmath
import numpy

from golden_arithmetic import FLOATS, each
from golden_cases import Case, Draw, Exact, rounded
from golden_formats import mpf
from golden_functions import attribute, sigmoid
from golden_reductions import softmax


def mean(values, axes):
    count = mpf(int(numpy.prod([values.shape[axis] for axis in axes])))
    return numpy.add.reduce(values, axis=axes, keepdims=True) / count


def standardised(values, axes, epsilon):
    centred = values - mean(values, axes)
    return centred / each(lambda v: mpmath.sqrt(v + epsilon), mean(centred * centred, axes))


def along_channels(vector_, rank):
    return vector_.reshape((1, -1) + (1,) * (rank - 2))


EPSILON = attribute(1e-5)


def normalisations():
    for kind in FLOATS:
        far = {"float64": 1e6, "float32": 1e3, "float16": 30.0, "bfloat16": 8.0}[kind]
        for name, shift, why in (("drawn", 0.0, "ordinary data"), ("large-mean", far, "the mean is far larger than the spread: one-pass formulas fail")):
            key = f"{kind}-{name}"
            draw = Draw("LayerNormalization", key)
            x, g, b = draw.normal("x", kind, (3, 4, 50), shift=shift), draw.normal("g", kind, (50,)), draw.normal("b", kind, (50,))
            values = standardised(x.numbers(), (2,), EPSILON) * g.numbers() + b.numbers()
            yield Case("LayerNormalization", key, [x, g, b], [Exact(kind, values)], why)
            draw = Draw("InstanceNormalization", key)
            x, g, b = draw.normal("x", kind, (2, 3, 5, 7), shift=shift), draw.normal("g", kind, (3,)), draw.normal("b", kind, (3,))
            values = standardised(x.numbers(), (2, 3), EPSILON) * along_channels(g.numbers(), 4) + along_channels(b.numbers(), 4)
            yield Case("InstanceNormalization", key, [x, g, b], [Exact(kind, values)], why)
            draw = Draw("GroupNormalization", key)
            x, g, b = draw.normal("x", kind, (2, 6, 5, 3), shift=shift), draw.normal("g", kind, (6,)), draw.normal("b", kind, (6,))
            groups = standardised(x.numbers().reshape(2, 3, 2, 5, 3), (2, 3, 4), EPSILON).reshape(2, 6, 5, 3)
            values = groups * along_channels(g.numbers(), 4) + along_channels(b.numbers(), 4)
            yield Case("GroupNormalization", key, [x, g, b], [Exact(kind, values)], why, {"num_groups": 3})
        draw = Draw("RMSNormalization", f"{kind}-drawn")
        x, g = draw.normal("x", kind, (4, 60)), draw.normal("g", kind, (60,))
        squares = mean(x.numbers() * x.numbers(), (1,))
        values = x.numbers() / each(lambda v: mpmath.sqrt(v + EPSILON), squares) * g.numbers()
        yield Case("RMSNormalization", f"{kind}-drawn", [x, g], [Exact(kind, values)], "no mean is taken off")
        draw = Draw("BatchNormalization", f"{kind}-given")
        x = draw.normal("x", kind, (2, 4, 6), shift=3.0)
        g, b, m = (draw.normal(name, kind, (4,)) for name in "gbm")
        v = draw.uniform("v", kind, (4,), 0.25, 4.0)
        scale = g.numbers() / each(lambda value: mpmath.sqrt(value + EPSILON), v.numbers())
        values = (x.numbers() - along_channels(m.numbers(), 3)) * along_channels(scale, 3) + along_channels(b.numbers(), 3)
        yield Case("BatchNormalization", f"{kind}-given", [x, g, b, m, v], [Exact(kind, values)], "mean and variance are given")
        for p in (1, 2):
            draw = Draw("LpNormalization", f"{kind}-{p}")
            x = draw.normal("x", kind, (5, 33))
            powers = each(abs, x.numbers()) if p == 1 else x.numbers() * x.numbers()
            sums = numpy.add.reduce(powers, axis=1, keepdims=True)
            values = x.numbers() / (sums if p == 1 else each(mpmath.sqrt, sums))
            yield Case("LpNormalization", f"{kind}-{p}", [x], [Exact(kind, values)], f"by the sum of powers {p}", {"axis": 1, "p": p})
        draw = Draw("LRN", f"{kind}-window")
        x, size = draw.normal("x", kind, (1, 7, 2, 3)), 3
        values, squares = x.numbers(), x.numbers() * x.numbers()
        alpha, beta, bias = attribute(0.05), attribute(0.75), attribute(1.5)
        out = numpy.empty(values.shape, dtype=object)
        for place in numpy.ndindex(values.shape):
            channels = range(max(0, place[1] - 1), min(7, place[1] + 2))
            total = sum((squares[place[0], channel, place[2], place[3]] for channel in channels), mpf(0))
            out[place] = values[place] / (bias + alpha / size * total) ** beta
        attributes = {"size": 3, "alpha": 0.05, "beta": 0.75, "bias": 1.5}
        yield Case("LRN", f"{kind}-window", [x], [Exact(kind, out)], "a window over the channels, cut at both ends", attributes)


def attended(q, k, v, scale, mask=None, causal=False):
    """Heads are axis 1 of q, k and v; queries may share the heads of keys."""
    share = q.shape[1] // k.shape[1]
    out = numpy.empty(q.shape[:3] + (v.shape[3],), dtype=object)
    for batch, head in numpy.ndindex(*q.shape[:2]):
        scores = (q[batch, head] @ k[batch, head // share].T) * scale
        for row, column in numpy.ndindex(*scores.shape):
            if causal and column > row or mask is not None and not mask[row, column]:
                scores[row, column] = mpf("-inf")
        out[batch, head] = softmax(scores, 1) @ v[batch, head // share]
    return out


def attention():
    for kind in FLOATS:
        for name, heads, causal, masked in (("plain", 2, 0, False), ("causal", 2, 1, False), ("shared-heads", 4, 0, False), ("masked", 2, 0, True)):
            draw = Draw("Attention", f"{kind}-{name}")
            q = draw.normal("q", kind, (1, heads, 5, 8))
            k, v = draw.normal("k", kind, (1, 2, 6, 8)), draw.normal("v", kind, (1, 2, 6, 4))
            mask = (numpy.arange(30).reshape(5, 6) % 4 != 1) if masked else None
            values = attended(q.numbers(), k.numbers(), v.numbers(), 1 / mpmath.sqrt(8), mask, causal)
            inputs = [q, k, v] + ([rounded("bool", mask)] if masked else [])
            yield Case("Attention", f"{kind}-{name}", inputs, [Exact(kind, values)], name.replace("-", " "), {"is_causal": 1} if causal else {})
        for interleaved in (0, 1) if kind != "float64" else ():
            name = f"{kind}-{'interleaved' if interleaved else 'halves'}"
            draw = Draw("RotaryEmbedding", name)
            x = draw.normal("x", kind, (1, 2, 3, 8))
            angles = draw.uniform("angles", "float64", (5, 4), -3.0, 3.0).numbers()
            cosines, sines = rounded(kind, each(mpmath.cos, angles)), rounded(kind, each(mpmath.sin, angles))
            positions = rounded("int64", [[4, 0, 2]])
            c = cosines.numbers()[[4, 0, 2]]
            s = sines.numbers()[[4, 0, 2]]
            values = x.numbers()
            a, b = (values[..., 0::2], values[..., 1::2]) if interleaved else (values[..., :4], values[..., 4:])
            real, imaginary = a * c - b * s, a * s + b * c
            out = numpy.empty(values.shape, dtype=object)
            if interleaved:
                out[..., 0::2], out[..., 1::2] = real, imaginary
            else:
                out[..., :4], out[..., 4:] = real, imaginary
            yield Case("RotaryEmbedding", name, [x, cosines, sines, positions], [Exact(kind, out)], "rotated by the cached angles", {"interleaved": interleaved})


def recurrent():
    """One direction, default activations: the equations of ONNX, h(0) and c(0) zero."""
    tanh, steps, batch, size, hidden = mpmath.tanh, 4, 2, 3, 5
    for kind in ("float64", "float32", "float16"):
        for operator, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
            draw = Draw(operator, f"{kind}-steps")
            x = draw.normal("x", kind, (steps, batch, size))
            w, r = draw.normal("w", kind, (1, gates * hidden, size), scale=0.5), draw.normal("r", kind, (1, gates * hidden, hidden), scale=0.5)
            b = draw.normal("b", kind, (1, 2 * gates * hidden), scale=0.5)
            values, wx, wr = x.numbers(), w.numbers()[0].reshape(gates, hidden, size), r.numbers()[0].reshape(gates, hidden, hidden)
            bw, br = b.numbers()[0][: gates * hidden].reshape(gates, hidden), b.numbers()[0][gates * hidden :].reshape(gates, hidden)
            h = numpy.full((batch, hidden), mpf(0), dtype=object)
            c, out = h, []
            for step in range(steps):
                def gate(index, state):
                    return values[step] @ wx[index].T + bw[index] + state @ wr[index].T + br[index]
                if operator == "RNN":
                    h = each(tanh, gate(0, h))
                elif operator == "GRU":
                    z, reset = each(sigmoid, gate(0, h)), each(sigmoid, gate(1, h))
                    candidate = each(tanh, values[step] @ wx[2].T + bw[2] + (reset * h) @ wr[2].T + br[2])
                    h = (1 - z) * candidate + z * h
                else:
                    i, o, f = (each(sigmoid, gate(index, h)) for index in range(3))
                    c = f * c + i * each(tanh, gate(3, h))
                    h = o * each(tanh, c)
                out.append(h)
            y = numpy.array(out, dtype=object)[:, None]
            outputs = [Exact(kind, y), Exact(kind, h[None])] + ([Exact(kind, c[None])] if operator == "LSTM" else [])
            yield Case(operator, f"{kind}-steps", [x, w, r, b], outputs, "four steps of the cell", {"hidden_size": hidden})


def losses():
    for kind in FLOATS:
        draw = Draw("NegativeLogLikelihoodLoss", f"{kind}-weighted")
        x, target = draw.normal("x", kind, (6, 5)), draw.integers("t", "int64", (6,), 0, 4)
        w = draw.uniform("w", kind, (5,), 0.5, 2.0)
        picked = [-x.numbers()[row, column] for row, column in enumerate(target.numbers())]
        weights = [w.numbers()[column] for column in target.numbers()]
        value = sum((p * v for p, v in zip(picked, weights)), mpf(0)) / sum(weights, mpf(0))
        yield Case("NegativeLogLikelihoodLoss", f"{kind}-weighted", [x, target, w], [Exact(kind, value)], "a weighted mean", {"reduction": "mean"})
        draw = Draw("SoftmaxCrossEntropyLoss", f"{kind}-none")
        x, target = draw.normal("x", kind, (6, 5), scale=6.0), draw.integers("t", "int64", (6,), 0, 4)
        logarithms = each(mpmath.log, softmax(x.numbers(), 1))
        value = numpy.array([-logarithms[row, column] for row, column in enumerate(target.numbers())], dtype=object)
        yield Case("SoftmaxCrossEntropyLoss", f"{kind}-none", [x, target], [Exact(kind, value)], "one loss per sample", {"reduction": "none"})


def cases():
    for part in (normalisations, attention, recurrent, losses):
        yield from part()
