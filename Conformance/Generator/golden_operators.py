# SPDX-License-Identifier: Apache-2.0
"""Makes Conformance/Golden/operators: calls of operators and their right results, by mpmath to 60 digits and by exact integers.

Nothing here runs a plugin, the catalogue's references or the onnx package: the results are independent of all that they judge. The same program gives the same bytes.

    python golden_operators.py --output Conformance/Golden/operators
"""

import argparse
import hashlib
import json
import pathlib
import struct

import mpmath
import numpy

import artefacts
import golden_arithmetic
import golden_casts
import golden_functions
import golden_lines
import golden_movement
import golden_products
import golden_quantised
import golden_reductions
import golden_sampling
import golden_sequences
import golden_shapes
from golden_cases import Exact

FAMILIES = {
    "arithmetic": golden_arithmetic, "casts": golden_casts, "functions": golden_functions, "lines": golden_lines, "movement": golden_movement,
    "products": golden_products, "quantised": golden_quantised, "reductions": golden_reductions, "sampling": golden_sampling,
    "sequences": golden_sequences, "shapes": golden_shapes,
}  # fmt: skip

# What safetensors calls the types that it has; the others are stored as bytes.
NAMES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8e4m3fn": "F8_E4M3", "float8e5m2": "F8_E5M2",
    "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64", "bool": "BOOL",
}  # fmt: skip

LARGEST_FILE = 1 << 20


def packed(tensor):
    """Two 4-bit elements to a byte, the first in the low bits."""
    codes = tensor.array.reshape(-1).astype(numpy.int64) & 15
    codes = numpy.append(codes, [0] * (codes.size % 2)).astype(numpy.uint8)
    return codes[0::2] | codes[1::2] << 4


class File:
    """A safetensors file under construction: its tensors by name, all in one order."""

    def __init__(self):
        self.tensors = {}

    def add(self, name, tensor):
        """Returns the manifest's entry."""
        entry = {"tensor": name, "dataType": tensor.type}
        if tensor.type in NAMES:
            self.tensors[name] = (NAMES[tensor.type], list(tensor.shape), tensor.array.tobytes())
            return entry
        data = (packed(tensor) if tensor.type in ("int4", "uint4") else tensor.array).tobytes()
        self.tensors[name] = ("U8", [len(data)], data)
        return entry | {"shape": list(tensor.shape)}

    def add_result(self, name, result):
        if not isinstance(result, Exact):
            # A floating-point result is stored as float64, whatever its type.
            return self.add(name, result.widened()) | {"dataType": result.type} if result.is_float else self.add(name, result)
        high, low = result.high_and_low()
        entry = self.add(name, high) | {"dataType": result.type}
        if low is not None and any(float(value) != 0 for value in low.array.reshape(-1).tolist()):
            entry["rest"] = self.add(name + "/rest", low)["tensor"]
        return entry

    @property
    def size(self):
        return sum(len(data) for _, _, data in self.tensors.values())

    def bytes(self):
        header, offset = {}, 0
        for name, (kind, shape, data) in sorted(self.tensors.items()):
            header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + len(data)]}
            offset += len(data)
        text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        return struct.pack("<Q", len(text)) + text + b"".join(self.tensors[name][2] for name in sorted(self.tensors))


def record(case, file, name):
    """Adds the case's tensors to a file; the manifest's record of it."""
    key = case.identifier.removeprefix("golden/")
    inputs = [None if tensor is None else file.add(f"{key}/input_{index}", tensor) for index, tensor in enumerate(case.inputs)]
    outputs = [None if result is None else file.add_result(f"{key}/output_{index}", result) for index, result in enumerate(case.outputs)]
    found = {"id": case.identifier, "operator": case.operator, "opset": case.opset, "file": name, "why": case.why, "inputs": inputs, "outputs": outputs}
    if case.attributes:
        found["attributes"] = {key: plain(value) for key, value in case.attributes.items()}
    return found


def plain(value):
    """Attribute values as JSON has them."""
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, mpmath.mpf):
        return float(value)
    return value.item() if isinstance(value, numpy.generic) else value


def make(families=tuple(FAMILIES)):
    """(file name, bytes) of every data file, and the records of all cases."""
    files, records, seen = {}, [], set()
    for family in families:
        part, file = 0, File()
        for case in FAMILIES[family].cases():
            assert case.identifier not in seen, case.identifier
            seen.add(case.identifier)
            if file.size > LARGEST_FILE * 3 // 4:
                files[f"{family}-{part}.safetensors"] = file.bytes()
                part, file = part + 1, File()
            records.append(record(case, file, f"{family}-{part}.safetensors"))
        files[f"{family}-{part}.safetensors"] = file.bytes()
    return files, sorted(records, key=lambda found: found["id"])


def digest_of_generator():
    """Over every program that decides a byte."""
    here = pathlib.Path(__file__).parent
    apart = ("golden_networks.py", "golden_operators_tests.py")
    return artefacts.digest_of_files(*sorted(path for path in here.glob("golden_*.py") if path.name not in apart), here / "counter_random.py")


def manifest(files, records):
    return {
        "generator": digest_of_generator(),
        "files": {name: "sha256:" + hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "cases": records,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", required=True, type=pathlib.Path)
    target = parser.parse_args().output
    files, records = make()
    with artefacts.replacing_folder(target) as folder:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        text = json.dumps(manifest(files, records), sort_keys=True, separators=(",", ":"))
        # A line per case, so that a change can be read.
        (folder / "manifest.json").write_text(text.replace('},{"attributes"', '},\n{"attributes"').replace('},{"file"', '},\n{"file"') + "\n", encoding="utf-8")
    operators = len({found["operator"] for found in records})
    size = sum(len(data) for data in files.values())
    print(f"{target}: {len(records)} cases of {operators} operators, {size / 1e6:.1f} MB in {len(files)} files")


if __name__ == "__main__":
    main()
