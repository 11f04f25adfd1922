#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds each plugin of VendorExamples with its own build file, against the header alone, and runs the conformance suite on it. Installs what their libraries need
# where it can; an example whose library cannot be had is skipped with the reason. Exits with 1 if one does not build or fails a case that is not listed as known.
#
#   scripts/vendors.sh [NAME ...]    these examples; all without a name
#
# SEED         of the runs (default: 1)
# SOUTHBRIDGE  the command line to test with (default: that of the build tree)
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
seed=${SEED:-1}
southbridge=${SOUTHBRIDGE:-$root/.build/release/southbridge}
output=$root/build/vendors
failed=
skipped=

[ -x "$southbridge" ] || {
    echo "error: $southbridge is not built: run  make build" >&2
    exit 1
}

skip() {
    echo "skipped  $name: $1"
    skipped="$skipped $name"
}

# debian PROBE PACKAGE...: whether PROBE succeeds, perhaps after installing the Debian packages. Says why not.
debian() {
    probe=$1
    shift
    if sh -c "$probe" >/dev/null 2>&1; then return 0; fi
    if ! command -v apt-get >/dev/null; then
        skip "this system has no apt-get to install $* with"
    elif [ "$(id -u)" != 0 ]; then
        skip "installing what it needs takes root: apt-get install $*"
    elif ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } \
        >"$output/$name/install.log" 2>&1; then
        skip "could not install $*: $(tail -n 1 "$output/$name/install.log")"
    elif sh -c "$probe" >/dev/null 2>&1; then
        return 0
    else
        skip "$* are installed, and it is still missing"
    fi
    return 1
}

# build COMMAND...: in the example's folder.
build() {
    if (cd "VendorExamples/$name" && "$@") >"$output/$name/build.log" 2>&1; then return 0; fi
    echo "FAILED   $name: does not build; the end of build/vendors/$name/build.log:"
    tail -n 5 "$output/$name/build.log"
    failed="$failed $name"
    return 1
}

# try LABEL COMMAND...: a part of an example's trial, with how long it took.
try() {
    label=$1
    shift
    begun=$(date +%s)
    if "$@" >"$output/$name/$label.log" 2>&1; then
        echo "passed   $name, $label: $(verdict "$label")$(($(date +%s) - begun)) s"
    else
        echo "FAILED   $name, $label: the end of build/vendors/$name/$label.log:"
        tail -n 15 "$output/$name/$label.log"
        failed="$failed $name"
    fi
}

# The counts of all levels in one line.
verdict() {
    sed -n 's/^  \([a-z]*\)  *\(passed\|notReached\|notApplicable\|failed\)\(.*\)$/\1 \2\3; /p' "$output/$name/$1.log" | tr -s ' ' | tr -d '\n'
}

# conform LABEL LIBRARY OPTION...
conform() {
    label=$1
    library=VendorExamples/$name/$2
    shift 2
    rm -rf "$output/$name/$label"
    try "$label" "$southbridge" conform "$library" --seed "$seed" --output "$output/$name/$label" "$@"
}

try_minimal() {
    build make || return 0
    conform operators libminimal.so --level operators
}

try_swift() {
    build "${SWIFT:-swift}" build -c release || return 0
    conform operators .build/release/libswift_example.so --level operators
}

try_pass() {
    build make || return 0
    conform load libsilu.so --level load
    conform passes libsilu.so --suite passes --level graphs
}

# PoCL compiles each kernel anew: the whole suite takes long on two cores, a fifth of the smoke tier less than a minute.
try_opencl() {
    debian 'test -e /usr/include/CL/cl.h && test -e /usr/lib/*/libOpenCL.so && test -n "$(ls /etc/OpenCL/vendors)"' \
        pocl-opencl-icd ocl-icd-opencl-dev opencl-headers || return 0
    build make || return 0
    conform driver libopencl.so --level driver
    conform operators libopencl.so --suite operators --tier smoke --shard 1/5 --expected-failures VendorExamples/opencl/expected-failures.json
    try check make -C VendorExamples/opencl check
}

try_onednn() {
    debian 'test -e /usr/include/dnnl.hpp' libdnnl-dev || return 0
    build make || return 0
    conform operators libonednn_plugin.so --level operators --option onednn.threads=1 --jobs 2 \
        --expected-failures VendorExamples/onednn/expected-failures.json
    try check make -C VendorExamples/onednn check
}

try_openvino() {
    if ! make -C VendorExamples/openvino fetch "PYTHON=$root/build/venv/bin/python" >"$output/$name/install.log" 2>&1; then
        skip "could not install openvino from PyPI: $(tail -n 2 "$output/$name/install.log" | head -n 1)"
        return 0
    fi
    build make || return 0
    conform graphs libopenvino_plugin.so --level graphs
    conform operators libopenvino_plugin.so --suite operators --tier smoke --expected-failures VendorExamples/openvino/expected-failures.json
}

[ $# -gt 0 ] || set -- minimal swift pass onednn openvino opencl
for name in "$@"; do
    [ -d "VendorExamples/$name" ] || {
        echo "error: there is no VendorExamples/$name" >&2
        exit 2
    }
    mkdir -p "$output/$name"
    "try_$name"
done
[ -z "$skipped" ] || echo "skipped:$skipped"
[ -z "$failed" ] || {
    echo "failed:$failed" >&2
    exit 1
}
