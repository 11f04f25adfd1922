#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the build and the conformance suite need and this machine lacks. A second call finds everything and is quick.
#
#   system packages    by apt-get where we are root; else the command to run is printed
#   build/venv         Python packages pinned by Conformance/requirements.txt
#   .build/checkouts   Swift packages of Package.swift
#
# SOUTHBRIDGE_WHEELS   folder of Python wheels to install from instead of the network
set -eu
cd "$(dirname "$0")/.."

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

# probe PACKAGE COMMAND...: notes PACKAGE as missing where COMMAND fails.
missing=
probe() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

probe_all() {
    missing=
    probe ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
    probe cmake command -v cmake
    probe gcc command -v gcc
    probe g++ command -v g++
    probe git command -v git
    probe libhwloc-dev pkg-config --exists hwloc
    probe libopenblas0-pthread sh -c 'PATH=$PATH:/sbin:/usr/sbin ldconfig -p | grep -q "libopenblas\.so\.0"'
    probe pkg-config command -v pkg-config
    probe python3-venv python3 -c 'import ensurepip, venv'
}

install_packages() {
    probe_all
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null ||
        fail "missing what Debian calls$missing; this system has no apt-get: install them with its own package manager"
    [ "$(id -u)" = 0 ] ||
        fail "missing$missing, and installing them takes root: run  sudo apt-get install$missing  and then this again"
    echo "installing$missing"
    # shellcheck disable=SC2086  # a list
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } \
        >build/setup.log 2>&1; then
        tail -n 5 build/setup.log >&2
        fail "could not install$missing: without a network, get these Debian packages from elsewhere and run  apt-get install ./*.deb"
    fi
    probe_all
    [ -z "$missing" ] || fail "still missing after apt-get install:$missing (see build/setup.log)"
}

check_swift() {
    command -v "${SWIFT:-swift}" >/dev/null ||
        fail "no Swift toolchain: install Swift 6.3 or later for this system from swift.org/install and put it on PATH"
}

# venv_stamp: what build/venv has to be made from.
venv_stamp() {
    python3 -c 'import sys; print(sys.version)'
    cat Conformance/requirements.txt
}

make_venv() {
    wanted=$(venv_stamp)
    if [ -x build/venv/bin/python ] && [ "$(cat build/venv/stamp 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    echo "making build/venv"
    rm -rf build/venv
    python3 -m venv build/venv >build/setup.log 2>&1 || {
        tail -n 5 build/setup.log >&2
        fail "python3 -m venv failed (see build/setup.log)"
    }
    if [ -n "${SOUTHBRIDGE_WHEELS:-}" ]; then
        set -- --no-index --find-links "$SOUTHBRIDGE_WHEELS"
    else
        set -- --retries 2 --timeout 20
    fi
    build/venv/bin/python -m pip install --quiet --disable-pip-version-check "$@" \
        --requirement Conformance/requirements.txt >build/setup.log 2>&1 || {
        tail -n 1 build/setup.log >&2
        fail "the Python packages of Conformance/requirements.txt could not be installed. Without a network: on a machine that has one, \
run  python3 -m pip download -r Conformance/requirements.txt -d wheels,  bring the folder here and run  SOUTHBRIDGE_WHEELS=wheels make setup"
    }
    printf '%s\n' "$wanted" >build/venv/stamp.partial
    mv build/venv/stamp.partial build/venv/stamp
}

resolve_swift_packages() {
    wanted=$(cat Package.swift)
    if [ -d .build/checkouts ] && [ "$(cat build/swift-packages 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    echo "fetching the Swift packages"
    "${SWIFT:-swift}" package resolve >build/setup.log 2>&1 || {
        tail -n 5 build/setup.log >&2
        fail "the Swift packages of Package.swift could not be fetched. Without a network: on a machine that has one, \
run  swift package resolve  in a checkout and bring its folder .build and its file Package.resolved here"
    }
    printf '%s\n' "$wanted" >build/swift-packages.partial
    mv build/swift-packages.partial build/swift-packages
}

mkdir -p build
install_packages
check_swift
make_venv
resolve_swift_packages
