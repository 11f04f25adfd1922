// SPDX-License-Identifier: Apache-2.0
//
// Copies to buffers, and fills, for streams on which an earlier kernel may have failed: after a fault they do nothing.

__kernel void copy(__global const int *fault, __global uchar *to, ulong to_offset, __global const uchar *from, ulong from_offset,
                   ulong bytes) {
    if (*fault) return;
    for (ulong i = get_global_id(0); i < bytes; i += get_global_size(0)) to[to_offset + i] = from[from_offset + i];
}

__kernel void fill(__global const int *fault, __global uchar *to, ulong offset, uchar byte, ulong bytes) {
    if (*fault) return;
    for (ulong i = get_global_id(0); i < bytes; i += get_global_size(0)) to[offset + i] = byte;
}
