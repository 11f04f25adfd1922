#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the suite `onnx` on the reference plugin, on the current release of ONNX Runtime and on the reference evaluator of the `onnx` package,
# and writes the tables of docs/onnx-corpus.md. `make compare-onnx` builds first.
#
#   build/bridges      Python packages of its own, upgraded each time
#   build/compare-onnx the three runs
#
# SOUTHBRIDGE_BRIDGE_PYTHON   a Python that has onnxruntime, onnx, ml_dtypes and pillow, instead of build/bridges
set -eu
cd "$(dirname "$0")/.."

python=${SOUTHBRIDGE_BRIDGE_PYTHON:-}
if [ -z "$python" ]; then
    python=build/bridges/bin/python
    [ -x "$python" ] || python3 -m venv build/bridges
    "$python" -m pip install --quiet --disable-pip-version-check --upgrade --requirement Conformance/requirements.txt onnxruntime pillow
fi

# conform NAME [OPTION...]: one run. A negative verdict is a result; anything past it is an error.
runs=build/compare-onnx
rm -rf $runs
conform() {
    name=$1
    shift
    status=0
    .build/release/southbridge conform "$name" --suite onnx --seed 1 --output "$runs/$name" "$@" || status=$?
    [ $status -le 1 ] || exit $status
}

conform cpu
conform onnxruntime --worker "'$python' Conformance/Bridges/onnxruntime_worker.py"
conform onnx-reference --worker "'$python' Conformance/Bridges/onnxruntime_worker.py --reference"
"$python" Conformance/Bridges/corpus_table.py build/corpus $runs/cpu $runs/onnxruntime $runs/onnx-reference --document docs/onnx-corpus.md
