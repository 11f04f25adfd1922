# SPDX-License-Identifier: Apache-2.0
"""Checks every .onnx file of a folder with ONNX's own checker and, where the package onnxruntime is there, opens it there.

Prints JSON: {"models", "checked", "opened", "notImplemented", "failures": {file: reason}}. Operators, types, opsets and format versions that ONNX Runtime
does not know are no failure of the file, and are counted.

  check_models.py FOLDER
"""

import json
import pathlib
import sys

import onnx

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

UNKNOWN = ("NOT_IMPLEMENTED", "is not a registered function/op", "Unsupported model IR version", "is till opset", "under development")


def main(folder):
    result = {"models": 0, "checked": 0, "opened": 0, "notImplemented": 0, "failures": {}}
    for path in sorted(pathlib.Path(folder).glob("*.onnx")):
        result["models"] += 1
        try:
            onnx.checker.check_model(str(path), full_check=True)
            result["checked"] += 1
        except Exception as error:  # whatever the checker says
            result["failures"][path.name] = f"onnx: {error}"
            continue
        if onnxruntime is None:
            continue
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            result["opened"] += 1
        except Exception as error:  # ONNX Runtime has a class for each status
            if any(word in str(error) or word in type(error).__name__.upper() for word in UNKNOWN) or "NotImplemented" in type(error).__name__:
                result["notImplemented"] += 1
            else:
                result["failures"][path.name] = f"onnxruntime: {error}"
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
