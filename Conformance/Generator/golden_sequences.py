# SPDX-License-Identifier: Apache-2.0
"""Recurrent cells in all their variants, attention with caches and caps, losses that ignore samples."""

import mpmath
import numpy

from golden_arithmetic import FLOATS, each
from golden_cases import Case, Draw, Exact, vector
from golden_formats import mpf
from golden_functions import attribute, sigmoid
from golden_reductions import softmax

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def relu(x):
    return max(x, mpf(0))


class Cell:
    """The equations of ONNX for one direction and one sample."""

    def __init__(self, operator, w, r, b, peepholes, first, before_reset=False, activation=mpmath.tanh):
        gates, hidden = GATES[operator], r.shape[1]
        self.operator, self.before_reset, self.activation = operator, before_reset, activation
        self.w, self.r = w.reshape(gates, hidden, -1), r.reshape(gates, hidden, hidden)
        self.bw, self.br = b.reshape(2, gates, hidden)
        self.peepholes = None if peepholes is None else peepholes.reshape(3, hidden)
        self.h, self.c = first

    def gate(self, index, x):
        return self.w[index] @ x + self.bw[index] + self.r[index] @ self.h + self.br[index]

    def step(self, x):
        if self.operator == "RNN":
            self.h = each(self.activation, self.gate(0, x))
        elif self.operator == "GRU":
            z, reset = each(sigmoid, self.gate(0, x)), each(sigmoid, self.gate(1, x))
            inner = reset * (self.r[2] @ self.h + self.br[2]) if self.before_reset else self.r[2] @ (reset * self.h) + self.br[2]
            self.h = (1 - z) * each(self.activation, self.w[2] @ x + self.bw[2] + inner) + z * self.h
        else:
            p = self.peepholes if self.peepholes is not None else [mpf(0)] * 3
            i, f = each(sigmoid, self.gate(0, x) + p[0] * self.c), each(sigmoid, self.gate(2, x) + p[2] * self.c)
            candidate = each(self.activation, self.gate(3, x))
            # The output gate sees the new cell.
            cell = f * self.c + i * candidate
            o = each(sigmoid, self.gate(1, x) + p[1] * cell)
            self.c, self.h = cell, o * each(mpmath.tanh, cell)
        return self.h


def recurrent():
    steps, batch, size, hidden = 5, 3, 4, 3
    lengths = (5, 2, 4)
    for operator, gates in GATES.items():
        for kind in ("float64", "float32", "float16"):
            for direction in ("forward", "reverse", "bidirectional"):
                name = f"{kind}-{direction}-lengths"
                draw = Draw(operator, name)
                count = 2 if direction == "bidirectional" else 1
                x = draw.normal("x", kind, (steps, batch, size))
                w, r = draw.normal("w", kind, (count, gates * hidden, size)), draw.normal("r", kind, (count, gates * hidden, hidden), scale=0.5)
                b = draw.normal("b", kind, (count, 2 * gates * hidden), scale=0.5)
                h = draw.normal("h", kind, (count, batch, hidden))
                c = draw.normal("c", kind, (count, batch, hidden)) if operator == "LSTM" else None
                p = draw.normal("p", kind, (count, 3 * hidden), scale=0.5) if operator == "LSTM" else None
                reset = operator == "GRU" and direction != "reverse"
                attributes = {"hidden_size": hidden, "direction": direction}
                activation = mpmath.tanh
                if operator == "GRU":
                    attributes["linear_before_reset"] = int(reset)
                if operator == "RNN" and direction == "reverse":
                    attributes["activations"], activation = ["Relu"], relu
                y = numpy.full((steps, count, batch, hidden), mpf(0), dtype=object)
                last_h, last_c = (numpy.empty((count, batch, hidden), dtype=object) for _ in range(2))
                for d, sample in numpy.ndindex(count, batch):
                    first = h.numbers()[d, sample], c.numbers()[d, sample] if c else None
                    cell = Cell(operator, w.numbers()[d], r.numbers()[d], b.numbers()[d], p.numbers()[d] if p else None, first, reset, activation)
                    backwards = direction == "reverse" or d == 1
                    order = range(lengths[sample])
                    for step in reversed(order) if backwards else order:
                        y[step, d, sample] = cell.step(x.numbers()[step, sample])
                    last_h[d, sample], last_c[d, sample] = cell.h, cell.c
                inputs = [x, w, r, b, vector(*lengths, kind="int32"), h] + ([c, p] if c else [])
                outputs = [Exact(kind, y), Exact(kind, last_h)] + ([Exact(kind, last_c)] if c else [])
                why = "sequences of different lengths, first states given" + (", peepholes" if p else "")
                yield Case(operator, name, inputs, outputs, why, attributes)


def attended(q, k, v, scale, bias=None, cap=None):
    """One head: the weighted mean of v."""
    scores = (q @ k.T) * scale
    if cap is not None:
        scores = each(lambda s: cap * mpmath.tanh(s / cap), scores)
    return softmax(scores if bias is None else scores + bias, 1) @ v


def attention():
    for kind in FLOATS:
        draw = Draw("Attention", f"{kind}-packed-heads")
        q, k, v = draw.normal("q", kind, (2, 3, 4 * 5)), draw.normal("k", kind, (2, 6, 2 * 5)), draw.normal("v", kind, (2, 6, 2 * 3))
        y = numpy.empty((2, 3, 4, 3), dtype=object)
        for batch, head in numpy.ndindex(2, 4):
            heads = [t.numbers().reshape(t.shape[0], t.shape[1], n, -1)[batch, :, h] for t, n, h in ((q, 4, head), (k, 2, head // 2), (v, 2, head // 2))]
            y[batch, :, head] = attended(*heads, attribute(0.3))
        attributes = {"q_num_heads": 4, "kv_num_heads": 2, "scale": 0.3}
        yield Case("Attention", f"{kind}-packed-heads", [q, k, v], [Exact(kind, y.reshape(2, 3, 12))], "heads within the last axis, a scale that is given", attributes)
        for name, count, size, cap in (("long", 600, 1.0, None), ("steep", 40, 6.0, None), ("capped", 40, 6.0, mpf(3))):
            draw = Draw("Attention", f"{kind}-{name}")
            q, k = draw.normal("q", kind, (1, 2, 3, 8), size), draw.normal("k", kind, (1, 2, count, 8), size)
            v, bias = draw.normal("v", kind, (1, 2, count, 4)), draw.normal("bias", kind, (3, count))
            y = numpy.empty((1, 2, 3, 4), dtype=object)
            for head in range(2):
                y[0, head] = attended(q.numbers()[0, head], k.numbers()[0, head], v.numbers()[0, head], 1 / mpmath.sqrt(8), None if cap else bias.numbers(), cap)
            inputs = [q, k, v] if cap else [q, k, v, bias]
            why = {"long": "many keys, a bias on the scores", "steep": "weights that underflow", "capped": "scores capped by a tanh"}[name]
            yield Case("Attention", f"{kind}-{name}", inputs, [Exact(kind, y)], why, {"softcap": 3.0} if cap else {})
        draw = Draw("Attention", f"{kind}-cached")
        q, k, v = draw.normal("q", kind, (1, 2, 2, 4)), draw.normal("k", kind, (1, 2, 2, 4)), draw.normal("v", kind, (1, 2, 2, 4))
        past_k, past_v = draw.normal("past_k", kind, (1, 2, 5, 4)), draw.normal("past_v", kind, (1, 2, 5, 4))
        present_k, present_v = (k.like(numpy.concatenate([old.array, new.array], 2)) for old, new in ((past_k, k), (past_v, v)))
        y = numpy.empty((1, 2, 2, 4), dtype=object)
        for head in range(2):
            y[0, head] = attended(q.numbers()[0, head], present_k.numbers()[0, head], present_v.numbers()[0, head], mpf("0.5"))
        yield Case("Attention", f"{kind}-cached", [q, k, v, None, past_k, past_v], [Exact(kind, y), present_k, present_v], "new keys behind those of the cache")


def losses():
    for kind in FLOATS:
        for operator in ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"):
            for reduction in ("mean", "sum", "none"):
                name = f"{kind}-{reduction}-ignoring"
                draw = Draw(operator, name)
                x = draw.normal("x", kind, (3, 5, 4), scale=4.0)
                target, w = draw.integers("t", "int64", (3, 4), 0, 4), draw.uniform("w", kind, (5,), 0.5, 2.0)
                logarithms = each(mpmath.log, softmax(x.numbers(), 1)) if operator == "SoftmaxCrossEntropyLoss" else x.numbers()
                single, weights = numpy.full((3, 4), mpf(0), dtype=object), mpf(0)
                for row, column in numpy.ndindex(3, 4):
                    label = int(target.array[row, column])
                    if label != 2:
                        single[row, column] = -logarithms[row, label, column] * w.numbers()[label]
                        weights += w.numbers()[label]
                total = numpy.add.reduce(single.reshape(-1))
                value = single if reduction == "none" else total if reduction == "sum" else total / weights
                outputs = [Exact(kind, value)]
                if operator == "SoftmaxCrossEntropyLoss" and reduction == "mean":
                    outputs.append(Exact(kind, logarithms))
                attributes = {"reduction": reduction, "ignore_index": 2}
                yield Case(operator, name, [x, target, w], outputs, "weights, and a class that does not count", attributes)


def normalisations():
    """What golden_lines leaves out: statistics as outputs, training mode, a spread far below epsilon."""
    epsilon = attribute(1e-5)
    for kind in FLOATS:
        for name, scale, shift in (("statistics", 1.0, 2.0), ("tiny-spread", 2.0**-10, 0.0)):
            draw = Draw("LayerNormalization", f"{kind}-{name}")
            x, g = draw.normal("x", kind, (3, 4, 9), scale, shift), draw.normal("g", kind, (4, 9))
            values = x.numbers().reshape(3, 36)
            mean = numpy.add.reduce(values, axis=1, keepdims=True) / 36
            inverse = each(lambda v: 1 / mpmath.sqrt(v + epsilon), numpy.add.reduce((values - mean) ** 2, axis=1, keepdims=True) / 36)
            y = ((values - mean) * inverse).reshape(3, 4, 9) * g.numbers()
            outputs = [Exact(kind, y)]
            # Their type is that of the attribute stash_type: float32.
            if kind != "float64":
                outputs += [Exact("float32", mean.reshape(3, 1, 1)), Exact("float32", inverse.reshape(3, 1, 1))]
            why = "two axes; epsilon weighs more than the variance" if name == "tiny-spread" else "two axes; mean and inverse deviation are outputs"
            yield Case("LayerNormalization", f"{kind}-{name}", [x, g], outputs, why, {"axis": 1})
        draw = Draw("RMSNormalization", f"{kind}-tiny")
        x, g = draw.normal("x", kind, (4, 30), 2.0**-10), draw.normal("g", kind, (30,))
        squares = numpy.add.reduce(x.numbers() ** 2, axis=1, keepdims=True) / 30
        y = x.numbers() / each(lambda v: mpmath.sqrt(v + epsilon), squares) * g.numbers()
        yield Case("RMSNormalization", f"{kind}-tiny", [x, g], [Exact(kind, y)], "epsilon weighs more than the squares")
        draw = Draw("BatchNormalization", f"{kind}-training")
        x = draw.normal("x", kind, (4, 3, 6), shift=2.0)
        g, b, m = (draw.normal(letter, kind, (3,)) for letter in "gbm")
        v = draw.uniform("v", kind, (3,), 0.5, 2.0)
        mean = numpy.add.reduce(x.numbers(), axis=(0, 2)) / 24
        variance = numpy.add.reduce((x.numbers() - mean.reshape(1, 3, 1)) ** 2, axis=(0, 2)) / 24
        scale = g.numbers() * each(lambda value: 1 / mpmath.sqrt(value + epsilon), variance)
        y = (x.numbers() - mean.reshape(1, 3, 1)) * scale.reshape(1, 3, 1) + b.numbers().reshape(1, 3, 1)
        kept = attribute(0.8)
        running = [old.numbers() * kept + new * (1 - kept) for old, new in ((m, mean), (v, variance))]
        outputs = [Exact(kind, y), Exact(kind, running[0]), Exact(kind, running[1])]
        attributes = {"training_mode": 1, "momentum": 0.8}
        yield Case("BatchNormalization", f"{kind}-training", [x, g, b, m, v], outputs, "statistics of the batch, running ones updated", attributes)
    for kind in ("float32", "float16"):
        x = Draw("MeanVarianceNormalization", f"{kind}-drawn").normal("x", kind, (3, 2, 4, 5), shift=1.0)
        mean = numpy.add.reduce(x.numbers(), axis=(0, 2, 3), keepdims=True) / 60
        centred = x.numbers() - mean
        deviation = each(mpmath.sqrt, numpy.add.reduce(centred**2, axis=(0, 2, 3), keepdims=True) / 60)
        values = centred / (deviation + mpf("1e-9"))
        yield Case("MeanVarianceNormalization", f"{kind}-drawn", [x], [Exact(kind, values)], "over all axes but the channels")


def cases():
    for part in (recurrent, attention, losses, normalisations):
        yield from part()
