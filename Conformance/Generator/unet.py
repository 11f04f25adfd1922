# SPDX-License-Identifier: Apache-2.0
"""A denoiser like the U-Nets of diffusion models: residual blocks with group norms, two ways down and two ways up, skips, attention in the middle."""

import math

import numpy
from onnx import TensorProto

from counter_random import CounterRandom
from network_builder import NetworkBuilder
from transformers import integers

GROUPS = 8


class UNet:
    """(1, 4, size, size) and a time to (1, 4, size, size); three resolutions of `channels`, twice and four times as many."""

    def __init__(self, name, channels, size, heads, primitive):
        self.b = NetworkBuilder(name, opset=18 if primitive else 21)
        self.heads, self.primitive, self.wide = heads, primitive, 4 * channels
        b = self.b
        sample = b.input("sample", (1, 4, size, size), TensorProto.FLOAT, CounterRandom.normal)
        time = b.input("timestep", (1,), TensorProto.FLOAT, CounterRandom.normal)
        self.time = self.embed(time, channels)
        with b.scope("stem"):
            x = self.convolve(sample, "conv", 4, channels, 3, bias=False)
            x = self.silu(self.batch_norm(x, channels))
        first = x = self.residual(x, "down.0", channels, channels)
        x = self.convolve(x, "down.0/downsample", channels, channels, 3, stride=2)
        second = x = self.residual(x, "down.1", channels, 2 * channels)
        x = b.AveragePool(x, kernel_shape=[2, 2], strides=[2, 2])
        x = self.residual(x, "middle.0", 2 * channels, 4 * channels)
        x = self.attention(x, "middle.1", 4 * channels, size // 4)
        x = self.residual(x, "middle.2", 4 * channels, 4 * channels)
        with b.scope("up.1/upsample"):
            weight = b.matrix("weight", (4 * channels, 2 * channels, 2, 2), 4 * channels)
            bias = b.weight("bias", (2 * channels,), "bias", 0.2)
            x = b.ConvTranspose(x, weight, bias, strides=[2, 2], kernel_shape=[2, 2])
        x = self.residual(b.Concat(x, second, axis=1), "up.1", 4 * channels, 2 * channels)
        with b.scope("up.0/upsample"):
            scales = numpy.array([1, 1, 2, 2], numpy.float32)
            x = b.Resize(x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
            x = self.convolve(x, "conv", 2 * channels, channels, 3)
        x = self.residual(b.Concat(x, first, axis=1), "up.0", 2 * channels, channels)
        with b.scope("out"):
            x = self.convolve(self.silu(self.group_norm(x, "norm", channels)), "conv", channels, 4, 3, gain=2.0)
        b.output(x, "noise", (1, 4, size, size))

    def embed(self, time, channels):
        """Sines and cosines of the time at falling frequencies, through two layers: (1, 4 · channels)."""
        b, half = self.b, channels // 2
        with b.scope("time"):
            frequencies = 4.0 * 100.0 ** (-numpy.arange(half) / half)
            angles = b.Mul(b.Unsqueeze(time, integers(1)), frequencies.reshape(1, -1))
            x = b.Concat(b.Sin(angles), b.Cos(angles), axis=-1)
            x = self.silu(self.dense(x, "linear_1", channels, self.wide, 1.5))
            return self.silu(self.dense(x, "linear_2", self.wide, self.wide, 1.5))

    def dense(self, x, name, inputs, outputs, gain):
        b = self.b
        weight = b.matrix(f"{name}.weight", (outputs, inputs), inputs, gain)
        return b.Gemm(x, weight, b.weight(f"{name}.bias", (outputs,), "bias", 0.2), transB=1)

    def silu(self, x):
        return self.b.Mul(x, self.b.Sigmoid(x))

    def convolve(self, x, name, inputs, outputs, kernel, stride=1, gain=1.2, bias=True):
        b, pad = self.b, kernel // 2
        with b.scope(name):
            operands = [b.matrix("weight", (outputs, inputs, kernel, kernel), inputs * kernel * kernel, gain)]
            if bias:
                operands.append(b.weight("bias", (outputs,), "bias", 0.2))
            return b.Conv(
                x, *operands, kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[pad, pad, pad, pad]
            )

    def batch_norm(self, x, channels):
        b = self.b
        with b.scope("norm"):
            drawn = (("scale", 1.0), ("bias", 0.3), ("bias", 0.2), ("variance", 1.0))
            operands = [b.weight(f"operand_{index}", (channels,), *kind) for index, kind in enumerate(drawn)]
            return b.BatchNormalization(x, *operands)

    def group_norm(self, x, name, channels):
        """As GroupNormalization, or as exporters without it write it."""
        b = self.b
        with b.scope(name):
            shape = (channels, 1, 1) if self.primitive else (channels,)
            scale, bias = b.weight("weight", shape, "scale"), b.weight("bias", shape, "bias", 0.2)
            if not self.primitive:
                return b.GroupNormalization(x, scale, bias, num_groups=GROUPS, epsilon=1e-5)
            grouped = b.Reshape(x, integers(0, GROUPS, -1))
            ones, zeros = numpy.ones(GROUPS, numpy.float32), numpy.zeros(GROUPS, numpy.float32)
            normal = b.InstanceNormalization(grouped, ones, zeros, epsilon=1e-5)
            return b.Add(b.Mul(b.Reshape(normal, b.Shape(x)), scale), bias)

    def residual(self, x, name, inputs, outputs):
        b = self.b
        with b.scope(name):
            y = self.convolve(self.silu(self.group_norm(x, "norm1", inputs)), "conv1", inputs, outputs, 3)
            time = self.dense(self.time, "time_emb_proj", self.wide, outputs, 1.0)
            y = b.Add(y, b.Unsqueeze(time, integers(2, 3)))
            y = self.convolve(self.silu(self.group_norm(y, "norm2", outputs)), "conv2", outputs, outputs, 3)
            if inputs != outputs:
                x = self.convolve(x, "shortcut", inputs, outputs, 1, gain=1.0)
            return b.Add(x, y)

    def attention(self, x, name, channels, size):
        """Every pixel looks at every pixel; then a feed-forward network, pixel by pixel."""
        b, depth, pixels = self.b, channels // self.heads, size * size
        with b.scope(name):
            rows = b.Reshape(self.group_norm(x, "norm", channels), integers(1, channels, pixels))
            rows = b.Transpose(rows, perm=[0, 2, 1])
            query, key, value = (self.rows(rows, f"to_{part}", channels, channels, 1.2) for part in "qkv")
            shape = integers(1, pixels, self.heads, depth)
            query = b.Transpose(b.Reshape(query, shape), perm=[0, 2, 1, 3])
            key = b.Transpose(b.Reshape(key, shape), perm=[0, 2, 3, 1])
            value = b.Transpose(b.Reshape(value, shape), perm=[0, 2, 1, 3])
            scores = b.Mul(b.MatMul(query, key), numpy.float32(depth**-0.5))
            mixed = b.Transpose(b.MatMul(b.Softmax(scores, axis=-1), value), perm=[0, 2, 1, 3])
            rows = b.Add(rows, self.rows(b.Reshape(mixed, integers(1, pixels, channels)), "to_out", channels, channels, 2.0))
            with b.scope("ff"):
                scale = b.weight("norm.weight", (channels,), "scale")
                bias = b.weight("norm.bias", (channels,), "bias", 0.2)
                normal = b.LayerNormalization(rows, scale, bias, axis=-1)
                hidden = self.gelu(self.rows(normal, "fc1", channels, 2 * channels, 1.2))
                rows = b.Add(rows, self.rows(hidden, "fc2", 2 * channels, channels, 1.5))
            y = b.Reshape(b.Transpose(rows, perm=[0, 2, 1]), integers(1, channels, size, size))
            return b.Add(x, y)

    def rows(self, x, name, inputs, outputs, gain):
        b = self.b
        weight = b.matrix(f"{name}.weight", (inputs, outputs), inputs, gain)
        return b.Add(b.MatMul(x, weight), b.weight(f"{name}.bias", (outputs,), "bias", 0.3))

    def gelu(self, x):
        """x · Φ(x), with the error function."""
        b = self.b
        if not self.primitive:
            return b.Gelu(x)
        inner = b.Add(b.Erf(b.Div(x, numpy.float32(math.sqrt(2)))), numpy.float32(1))
        return b.Mul(b.Mul(x, inner), numpy.float32(0.5))
