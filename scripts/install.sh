#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install.sh PREFIX: copies a built tree to PREFIX. Called by `make install`, which builds first.
#
#   bin/southbridge
#   lib/southbridge/            the built-in plugins
#   include/southbridge.h
#   share/southbridge/          include, Templates, PluginKit, Conformance, profiles, schemas, corpus, networks
set -eu
[ $# = 1 ] && [ -n "$1" ] || {
    echo 'usage: install.sh PREFIX' >&2
    exit 2
}
cd "$(dirname "$0")/.."
prefix=$1
share=$prefix/share/southbridge
header=Sources/CSouthbridge/include/southbridge.h

# put MODE SOURCE TARGET: one file, complete or not there.
put() {
    mkdir -p "$(dirname "$3")"
    install -m "$1" "$2" "$3.partial"
    mv -f "$3.partial" "$3"
}

# put_folder SOURCE TARGET: a folder that takes the place of an older one.
put_folder() {
    rm -rf "$2.partial" "$2.old"
    mkdir -p "$(dirname "$2")"
    cp -R --reflink=auto "$1" "$2.partial"
    [ ! -e "$2" ] || mv "$2" "$2.old"
    mv "$2.partial" "$2"
    rm -rf "$2.old"
}

mkdir -p "$prefix" 2>/dev/null && [ -w "$prefix" ] || {
    echo "error: $prefix cannot be written: choose another with  make install PREFIX=DIR,  or run this as root" >&2
    exit 1
}
put 755 .build/release/southbridge "$prefix/bin/southbridge"
put 755 .build/release/libsouthbridge_cpu.so "$prefix/lib/southbridge/libsouthbridge_cpu.so"
put 755 .build/release/libsouthbridge_npu.so "$prefix/lib/southbridge/libsouthbridge_npu.so"
put 644 $header "$prefix/include/southbridge.h"
put 644 $header "$share/include/southbridge.h"
put_folder Templates "$share/Templates"
put_folder Sources/PluginKit "$share/PluginKit"
put_folder Conformance/Golden "$share/Conformance/Golden"
put_folder Conformance/ExpectedFailures "$share/Conformance/ExpectedFailures"
put_folder Conformance/profiles "$share/profiles"
put_folder Conformance/schemas "$share/schemas"
put_folder build/corpus "$share/corpus"
put_folder build/networks "$share/networks"
echo "installed to $prefix; run $prefix/bin/southbridge"
