# SPDX-License-Identifier: Apache-2.0
"""Tests of the golden results' generator: the committed bytes are those that it makes, and its rounding is right. Run by `make test`."""

import hashlib
import itertools
import json
import pathlib
import struct
import unittest

import mpmath
import numpy

import golden_formats
import golden_operators
from golden_formats import FORMATS, Exact, Tensor, mpf, rounded

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Golden" / "operators"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))


def parts(data):
    """Header and elements of a safetensors file."""
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


class CommittedFilesTests(unittest.TestCase):
    def test_manifest_names_this_generator_and_these_files(self):
        self.assertEqual(MANIFEST["generator"], golden_operators.digest_of_generator(), "the generator changed: run `make golden`")
        files = {path.name: path.read_bytes() for path in FOLDER.glob("*.safetensors")}
        self.assertEqual(MANIFEST["files"], {name: "sha256:" + hashlib.sha256(data).hexdigest() for name, data in files.items()})
        self.assertLess(max(map(len, files.values())), 1 << 20)
        self.assertLess(sum(map(len, files.values())), 12_000_000)

    def test_a_sample_of_every_family_has_the_same_bytes(self):
        records = {record["id"]: record for record in MANIFEST["cases"]}
        stored = {name: parts((FOLDER / name).read_bytes()) for name in MANIFEST["files"]}
        for family, module in golden_operators.FAMILIES.items():
            for case in itertools.islice(module.cases(), 15):
                with self.subTest(case.identifier):
                    made = golden_operators.File()
                    expected = records[case.identifier]
                    self.assertEqual(golden_operators.record(case, made, expected["file"]), expected)
                    self.assertTrue(expected["file"].startswith(family))
                    header, elements = stored[expected["file"]]
                    for name, (kind, shape, data) in made.tensors.items():
                        start, end = header[name]["data_offsets"]
                        self.assertEqual((header[name]["dtype"], header[name]["shape"], elements[start:end]), (kind, shape, data))

    def test_whole_files_have_the_same_bytes(self):
        files, _ = golden_operators.make(families=["quantised", "shapes"])
        for name, data in files.items():
            self.assertEqual(hashlib.sha256(data).digest(), hashlib.sha256((FOLDER / name).read_bytes()).digest(), name)


class RoundingTests(unittest.TestCase):
    def test_against_the_processor(self):
        """numpy rounds float64 once to float32 and float16."""
        words = numpy.random.default_rng(5).integers(0, 1 << 64, 20_000, dtype=numpy.uint64)
        for kind, exponents in (("float32", (890, 1155)), ("float16", (995, 1045))):
            fields = (words >> numpy.uint64(12)) % numpy.uint64(exponents[1] - exponents[0]) + numpy.uint64(exponents[0])
            values = ((words & numpy.uint64((1 << 63) | ((1 << 52) - 1))) | fields << numpy.uint64(52)).view(numpy.float64)
            with numpy.errstate(over="ignore"):
                numpy.testing.assert_array_equal(rounded(kind, values).array, values.astype(kind))

    def test_every_narrow_code_survives(self):
        for kind in ("float16", "bfloat16", "float8e4m3fn", "float8e5m2", "float8e4m3fnuz", "float8e5m2fnuz"):
            table = FORMATS[kind]
            for code in range(0, 1 << table.bits, 1 if table.bits == 8 else 7):
                value = table.value(code)
                if mpmath.isnan(value) or value == 0:
                    continue
                self.assertEqual(table.code(value), code, (kind, code))

    def test_ties_and_the_hair_beside_them(self):
        table = FORMATS["float8e4m3fn"]
        hair = mpf(2) ** -150
        for low in range(0, 0x7E):
            middle = (table.value(low) + table.value(low + 1)) / 2
            self.assertEqual(table.code(middle), low + low % 2)
            self.assertEqual((table.code(middle - hair), table.code(middle + hair)), (low, low + 1))
        self.assertEqual([table.code(mpf(value)) for value in (464, 465)], [0x7E, 0x7F])
        self.assertEqual(table.code(mpf(465), saturate=True), 0x7E)
        self.assertEqual(FORMATS["float8e5m2"].code(mpf(61440)), 0x7C)

    def test_zeros_keep_their_signs_when_moved(self):
        for kind in ("float64", "float32", "float16", "bfloat16"):
            moved = rounded(kind, [-0.0, 0.0]).widened().array
            self.assertEqual(numpy.signbit(moved).tolist(), [True, False])

    def test_high_and_low_make_up_the_value(self):
        value = mpmath.sqrt(2) * mpf(10) ** 20
        high, low = (tensor.numbers()[0] for tensor in Exact("float64", [value]).high_and_low())
        self.assertLess(abs(value - high - low), abs(value) * mpf(2) ** -105)
        self.assertLessEqual(abs(low), abs(high) * mpf(2) ** -53)

    def test_wrapping_and_rounding_of_integers(self):
        self.assertEqual([golden_formats.wrapped(value, "int8") for value in (127, 128, -129, 256)], [127, -128, 127, 0])
        halves = [mpf(value) / 2 for value in (-5, -3, -1, 1, 3, 5)]
        self.assertEqual([golden_formats.to_even(value) for value in halves], [-2, -2, 0, 0, 2, 2])
        self.assertEqual(golden_operators.packed(Tensor("int4", [-8, 7, 1])).tolist(), [0x78, 0x01])


if __name__ == "__main__":
    unittest.main()
