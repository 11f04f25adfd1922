# SPDX-License-Identifier: Apache-2.0
"""Decoders like GPT-2 and LLaMA, as exporters write them: in primitive operators, shapes computed in the graph; or with the operators that opset 20 has.

Every value is of about the size 1 wherever it enters a product, so that a fault anywhere reaches the logits.
"""

import math

import numpy
from onnx import TensorProto

from network_builder import NetworkBuilder

# What exporters add to a score that must not count.
MASKED = float(numpy.finfo(numpy.float32).min)


def token_input(b, tokens, vocabulary):
    return b.input(
        "input_ids", (1, tokens), TensorProto.INT64, lambda random, start, count: random.integers(start, count, vocabulary)
    )


def integers(*values):
    return numpy.array(values, numpy.int64)


class Gpt2:
    """Pre-norm blocks of causal attention and a feed-forward network of four times the width; learned positions."""

    def __init__(self, name, layers, width, heads, tokens, vocabulary, primitive):
        self.b = NetworkBuilder(name, opset=17 if primitive else 20)
        self.width, self.heads, self.tokens, self.primitive = width, heads, tokens, primitive
        b = self.b
        ids = token_input(b, tokens, vocabulary)
        with b.scope("transformer"):
            x = self.embed(ids, vocabulary)
            for layer in range(layers):
                with b.scope(f"h.{layer}"):
                    x = b.Add(x, self.attention(self.normalise(x, "ln_1")))
                    x = b.Add(x, self.feed_forward(self.normalise(x, "ln_2")))
            x = self.normalise(x, "ln_f")
        head = b.matrix("lm_head.weight", (width, vocabulary), width, 3.0)
        b.output(b.MatMul(x, head), "logits", (1, tokens, vocabulary))

    def embed(self, ids, vocabulary):
        b = self.b
        table = b.weight("wte.weight", (vocabulary, self.width), "weight", math.sqrt(3.0))
        places = b.weight("wpe.weight", (self.tokens, self.width), "weight", math.sqrt(3.0) / 2)
        # Known before the run: exporters leave it in the graph all the same.
        position = b.Gather(places, numpy.arange(self.tokens, dtype=numpy.int64).reshape(1, -1))
        return b.Add(b.Gather(table, ids), position)

    def normalise(self, x, name):
        b = self.b
        with b.scope(name):
            scale = b.weight("weight", (self.width,), "scale")
            bias = b.weight("bias", (self.width,), "bias", 0.2)
            if not self.primitive:
                return b.LayerNormalization(x, scale, bias, axis=-1, epsilon=1e-5)
            centred = b.Sub(x, b.ReduceMean(x, axes=[-1]))
            variance = b.ReduceMean(b.Pow(centred, numpy.float32(2)), axes=[-1])
            deviation = b.Sqrt(b.Add(variance, numpy.float32(1e-5)))
            return b.Add(b.Mul(b.Div(centred, deviation), scale), bias)

    def project(self, x, name, inputs, outputs, gain):
        """(1, tokens, inputs) to (1, tokens, outputs)."""
        b = self.b
        with b.scope(name):
            weight = b.matrix("weight", (inputs, outputs), inputs, gain)
            bias = b.weight("bias", (outputs,), "bias", 0.3)
            if not self.primitive:
                return b.Add(b.MatMul(x, weight), bias)
            rows = b.Gemm(b.Reshape(x, integers(-1, inputs)), weight, bias)
            return b.Reshape(rows, self.shape_of(x, self.extent(x, 0), self.extent(x, 1), integers(outputs)))

    def extent(self, x, axis):
        """One extent of `x`, computed in the graph, as a vector of one."""
        b = self.b
        return b.Unsqueeze(b.Gather(b.Shape(x), numpy.int64(axis), axis=0), integers(0))

    def shape_of(self, x, *extents):
        return self.b.Concat(*extents, axis=0)

    def heads_first(self, x, name, permutation):
        """(1, tokens, width) as heads."""
        b, depth = self.b, self.width // self.heads
        with b.scope(name):
            shape = integers(1, self.tokens, self.heads, depth)
            if self.primitive:
                shape = self.shape_of(x, self.extent(x, 0), self.extent(x, 1), integers(self.heads), integers(depth))
            return b.Transpose(b.Reshape(x, shape), perm=permutation)

    def attention(self, x):
        b, width = self.b, self.width
        with b.scope("attn"):
            joined = self.project(x, "c_attn", width, 3 * width, 1.2)
            query, key, value = b.Split(joined, integers(width, width, width), axis=2, outputs=3)
            query = self.heads_first(query, "query", [0, 2, 1, 3])
            key = self.heads_first(key, "key", [0, 2, 3, 1])
            value = self.heads_first(value, "value", [0, 2, 1, 3])
            scores = b.Div(b.MatMul(query, key), numpy.float32(math.sqrt(width // self.heads)))
            seen = numpy.tril(numpy.ones((1, 1, 2 * self.tokens, 2 * self.tokens), bool))
            if self.primitive:
                length = self.extent(x, 1)
                allowed = b.Slice(seen, integers(0), length, integers(2), integers(1))
                allowed = b.Slice(allowed, integers(0), length, integers(3), integers(1))
            else:
                allowed = b.constant(seen[:, :, : self.tokens, : self.tokens])
            weights = b.Softmax(b.Where(allowed, scores, numpy.float32(MASKED)), axis=-1)
            mixed = b.Transpose(b.MatMul(weights, value), perm=[0, 2, 1, 3])
            mixed = b.Reshape(mixed, integers(1, self.tokens, width))
            return self.project(mixed, "c_proj", width, width, 2.0)

    def feed_forward(self, x):
        b, width = self.b, self.width
        with b.scope("mlp"):
            hidden = self.gelu(self.project(x, "c_fc", width, 4 * width, 1.2))
            return self.project(hidden, "c_proj", 4 * width, width, 1.5)

    def gelu(self, x):
        """With the hyperbolic tangent, as GPT-2 has it."""
        b = self.b
        with b.scope("act"):
            if not self.primitive:
                return b.Gelu(x, approximate="tanh")
            inner = b.Add(x, b.Mul(b.Pow(x, numpy.float32(3)), numpy.float32(0.044715)))
            bent = b.Tanh(b.Mul(inner, numpy.float32(math.sqrt(2 / math.pi))))
            return b.Mul(b.Mul(x, numpy.float32(0.5)), b.Add(bent, numpy.float32(1)))


class Llama:
    """Root-mean-square norms, rotated queries and keys, key heads that several query heads share, a gated feed-forward network; no biases."""

    def __init__(self, name, layers, width, heads, key_heads, hidden, tokens, vocabulary):
        self.b = NetworkBuilder(name, opset=18)
        self.width, self.heads, self.key_heads, self.hidden, self.tokens = width, heads, key_heads, hidden, tokens
        self.depth = width // heads
        b = self.b
        ids = token_input(b, tokens, vocabulary)
        with b.scope("model"):
            x = b.Gather(b.weight("embed_tokens.weight", (vocabulary, width), "weight", math.sqrt(3.0)), ids)
            self.cosine, self.sine = self.angles()
            above = numpy.triu(numpy.full((tokens, tokens), MASKED, numpy.float32), 1)
            self.mask = b.constant(above.reshape(1, 1, tokens, tokens))
            for layer in range(layers):
                with b.scope(f"layers.{layer}"):
                    x = b.Add(x, self.attention(self.normalise(x, "input_layernorm")))
                    x = b.Add(x, self.feed_forward(self.normalise(x, "post_attention_layernorm")))
            x = self.normalise(x, "norm")
        head = b.matrix("lm_head.weight", (width, vocabulary), width, 3.0)
        b.output(b.MatMul(x, head), "logits", (1, tokens, vocabulary))

    def angles(self):
        """Cosines and sines of position times frequency, (1, 1, tokens, depth): known before the run, computed in the graph."""
        b = self.b
        with b.scope("rotary_emb"):
            frequencies = 10000.0 ** (-numpy.arange(0, self.depth, 2) / self.depth)
            positions = numpy.arange(self.tokens, dtype=numpy.float32).reshape(1, 1, -1)
            angles = b.Transpose(b.MatMul(frequencies.reshape(1, -1, 1), positions), perm=[0, 2, 1])
            angles = b.Concat(angles, angles, axis=-1)
            return b.Unsqueeze(b.Cos(angles), integers(1)), b.Unsqueeze(b.Sin(angles), integers(1))

    def normalise(self, x, name):
        b = self.b
        with b.scope(name):
            scale = b.weight("weight", (self.width,), "scale")
            square = b.ReduceMean(b.Pow(x, numpy.float32(2)), integers(-1))
            inverse = b.Reciprocal(b.Sqrt(b.Add(square, numpy.float32(1e-5))))
            return b.Mul(scale, b.Mul(x, inverse))

    def project(self, x, name, inputs, outputs, gain):
        return self.b.MatMul(x, self.b.matrix(f"{name}.weight", (inputs, outputs), inputs, gain))

    def rotate(self, x):
        """Each pair (i, i + depth / 2) turned by its angle."""
        b, half = self.b, self.depth // 2
        first = b.Slice(x, integers(0), integers(half), integers(3), integers(1))
        second = b.Slice(x, integers(half), integers(numpy.iinfo(numpy.int64).max), integers(3), integers(1))
        turned = b.Concat(b.Neg(second), first, axis=-1)
        return b.Add(b.Mul(x, self.cosine), b.Mul(turned, self.sine))

    def heads_first(self, x, heads):
        b = self.b
        return b.Transpose(b.Reshape(x, integers(1, self.tokens, heads, self.depth)), perm=[0, 2, 1, 3])

    def shared(self, x):
        """Each key head repeated for the query heads that share it."""
        b, share = self.b, self.heads // self.key_heads
        wide = b.Expand(b.Unsqueeze(x, integers(2)), integers(1, self.key_heads, share, self.tokens, self.depth))
        return b.Reshape(wide, integers(1, self.heads, self.tokens, self.depth))

    def attention(self, x):
        b = self.b
        with b.scope("self_attn"):
            query = self.heads_first(self.project(x, "q_proj", self.width, self.width, 1.2), self.heads)
            narrow = self.key_heads * self.depth
            key = self.heads_first(self.project(x, "k_proj", self.width, narrow, 1.2), self.key_heads)
            value = self.heads_first(self.project(x, "v_proj", self.width, narrow, 1.2), self.key_heads)
            key = self.shared(self.rotate(key))
            scores = b.MatMul(self.rotate(query), b.Transpose(key, perm=[0, 1, 3, 2]))
            scores = b.Add(b.Mul(scores, numpy.float32(self.depth**-0.5)), self.mask)
            mixed = b.MatMul(b.Softmax(scores, axis=-1), self.shared(value))
            mixed = b.Reshape(b.Transpose(mixed, perm=[0, 2, 1, 3]), integers(1, self.tokens, self.width))
            return self.project(mixed, "o_proj", self.width, self.width, 2.0)

    def feed_forward(self, x):
        b = self.b
        with b.scope("mlp"):
            gate = self.project(x, "gate_proj", self.width, self.hidden, 1.5)
            up = self.project(x, "up_proj", self.width, self.hidden, 1.2)
            gated = b.Mul(b.Mul(gate, b.Sigmoid(gate)), up)
            return self.project(gated, "down_proj", self.hidden, self.width, 1.2)
