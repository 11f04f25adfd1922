# SPDX-License-Identifier: Apache-2.0
"""The counter-based random numbers of docs/random.md, vectorised. Sources/Tensors/CounterRandom.swift gives the same bits."""

import argparse
import pathlib

import numpy

import artefacts

MASK = (1 << 64) - 1
GOLDEN_GAMMA = 0x9E3779B97F4A7C15
SECOND_KEY = 0xD1B54A32D192ED03
FNV_OFFSET_BASIS = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
# Indices are worked through in blocks that stay in the cache.
BLOCK = 1 << 14


def fnv1a(text):
    """64-bit FNV-1a over the UTF-8 bytes of `text`."""
    value = FNV_OFFSET_BASIS
    for byte in text.encode("utf-8"):
        value = ((value ^ byte) * FNV_PRIME) & MASK
    return value


def mix(value):
    """The finaliser of SplitMix64 on one Python integer."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def mix_in_place(values, scratch):
    """The same on an array of uint64; `scratch` has its shape."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        numpy.right_shift(values, numpy.uint64(shift), out=scratch)
        numpy.bitwise_xor(values, scratch, out=values)
        numpy.multiply(values, numpy.uint64(factor), out=values)
    numpy.right_shift(values, numpy.uint64(31), out=scratch)
    numpy.bitwise_xor(values, scratch, out=values)


class CounterRandom:
    """The numbers of one tensor. Every method is a function of the key and the indices alone."""

    def __init__(self, seed, case, tensor):
        of_case = mix((mix((seed + GOLDEN_GAMMA) & MASK) + fnv1a(case)) & MASK)
        self.first_key = mix((of_case + fnv1a(tensor)) & MASK)
        self.second_key = mix(self.first_key ^ SECOND_KEY)

    def words(self, start, count):
        """The 64-bit words of the indices start ..< start + count."""
        words = numpy.arange(1, count + 1, dtype=numpy.uint64)
        words += numpy.uint64(start & MASK)
        words *= numpy.uint64(GOLDEN_GAMMA)
        words += numpy.uint64(self.first_key)
        scratch = numpy.empty_like(words)
        mix_in_place(words, scratch)
        words ^= numpy.uint64(self.second_key)
        mix_in_place(words, scratch)
        return words

    def uniform(self, start, count):
        """float64 in [0, 1), multiples of 2^-53."""
        return (self.words(start, count) >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-53

    def integers(self, start, count, below):
        """uint64 in 0 ..< below, for 1 <= below <= 2^32."""
        if not 1 <= below <= 1 << 32:
            raise ValueError(f"the bound {below} is outside 1 ... 2^32")
        return ((self.words(start, count) >> numpy.uint64(32)) * numpy.uint64(below)) >> numpy.uint64(32)

    def normal(self, start, count):
        """float64, mean 0, variance 1, within ±6: the sum of twelve 32-bit uniforms (Irwin-Hall)."""
        words = self.words(6 * start, 6 * count)
        halves = (words >> numpy.uint64(32)) + (words & numpy.uint64(0xFFFFFFFF))
        sums = halves.reshape(count, 6).sum(axis=1, dtype=numpy.uint64).astype(numpy.float64)
        return (sums - 25769803770.0) * 2.0**-32

    def fill(self, values, function):
        """Sets the flat array `values` to function(start, count) of this generator, block by block."""
        for start in range(0, values.size, BLOCK):
            count = min(BLOCK, values.size - start)
            values[start : start + count] = function(start, count)


KNOWN_KEYS = (
    (0, "", ""),
    (1, "case", "x"),
    (2026, "operators/Conv/float32/17", "weights"),
    (MASK, "naïve/Größe", "張量"),
)
KNOWN_INDICES = (0, 1, 2, 3, 1000, (1 << 32) + 1, (1 << 63) + 12345)


def known_answers():
    """The table that the Swift tests compare against; doubles as the hexadecimal of their bits."""

    def bits(value):
        return f"0x{value.view(numpy.uint64):016x}"

    answers = []
    for seed, case, tensor in KNOWN_KEYS:
        random = CounterRandom(seed, case, tensor)
        for index in KNOWN_INDICES:
            answers.append(
                {
                    "seed": f"0x{seed:016x}",
                    "case": case,
                    "tensor": tensor,
                    "index": f"0x{index:016x}",
                    "word": f"0x{random.words(index, 1)[0]:016x}",
                    "uniform": bits(random.uniform(index, 1)[0]),
                    "integerBelow1000": int(random.integers(index, 1, 1000)[0]),
                    "normal": bits(random.normal(index, 1)[0]),
                }
            )
    return answers


def main():
    parser = argparse.ArgumentParser(description="Write the table of known answers.")
    default = pathlib.Path(__file__).resolve().parent.parent / "Golden" / "counter-random.json"
    parser.add_argument("--output", type=pathlib.Path, default=default)
    options = parser.parse_args()
    artefacts.write_json(options.output, known_answers())


if __name__ == "__main__":
    main()
