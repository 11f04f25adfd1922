#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# dist.sh: makes build/dist/southbridge-VERSION-MACHINE-linux.tar.gz of a built tree. Unpacked anywhere, it runs on any system with the same or a newer glibc, without Swift,
# Python or a network. Called by `make dist`, which builds first.
set -eu
cd "$(dirname "$0")/.."
fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}
command -v patchelf >/dev/null || fail 'patchelf is missing: run  apt-get install patchelf  and then this again'

name=southbridge-$(.build/release/southbridge --version)-$(uname -m)-linux
root=build/dist/$name
rm -rf "$root"
mkdir -p build/dist
scripts/install.sh "$root" >/dev/null
runtime=$root/lib/southbridge/runtime
mkdir -p "$runtime"

# libraries FILE...: the shared libraries that they need, but for glibc, which belongs to the system.
libraries() {
    ldd "$@" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | sort -u |
        grep -Ev '/(ld-linux[^/]*|lib(c|m|dl|rt|pthread|resolv|util))\.so\.[0-9]+$'
}
blas=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p | sed -n 's/.*libopenblas\.so\.0 .* => //p' | head -n 1)
[ -n "$blas" ] || fail 'libopenblas.so.0 is missing: run  make setup  and then this again'
{
    libraries .build/release/southbridge .build/release/libsouthbridge_cpu.so .build/release/libsouthbridge_npu.so "$blas"
    echo "$blas"
} | sort -u | while read -r library; do
    cp -L "$library" "$runtime/$(basename "$library")"
done
# shellcheck disable=SC2016  # $ORIGIN is the loader's
{
    patchelf --set-rpath '$ORIGIN/../lib/southbridge/runtime' "$root/bin/southbridge"
    patchelf --set-rpath '$ORIGIN/runtime' "$root"/lib/southbridge/*.so
    for library in "$runtime"/*; do patchelf --set-rpath '$ORIGIN' "$library"; done
}
cp LICENSE README.md CHANGELOG.md "$root/"

# The weights of the networks do not compress: the fastest level is as good as any.
archive=build/dist/$name.tar.gz
tar -C build/dist -cf - "$name" | gzip -1 >"$archive.partial"
mv -f "$archive.partial" "$archive"
echo "made $archive ($(du -h "$archive" | cut -f 1))"
