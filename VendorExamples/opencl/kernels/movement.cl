// SPDX-License-Identifier: Apache-2.0
//
// Elements moved as units: boxes with strides, borders, triangles.

typedef struct {
    long to_start, from_start;
    uint count, rank, sizes[RANK];
    int to_strides[RANK], from_strides[RANK];
} box_t;

__kernel void move(__global int *fault, __global const UNIT *from, ulong from_offset, __global UNIT *to, ulong to_offset, box_t box) {
    const uint i = get_global_id(0);
    if (i >= box.count || *fault) return;
    long source = box.from_start, target = box.to_start;
    uint rest = i;
    for (uint axis = box.rank; axis-- > 0;) {
        const uint next = rest / box.sizes[axis], place = rest - next * box.sizes[axis];
        rest = next;
        source += (long)place * box.from_strides[axis];
        target += (long)place * box.to_strides[axis];
    }
    to[to_offset + target] = from[from_offset + source];
}

typedef struct {
    uint count, rank, mode, has_value, sizes[RANK];
    int begin[RANK], first[RANK], length[RANK], strides[RANK];
} pad_t;

// The place along an axis of `length` elements that is seen `place` elements from its start; -1: none.
int seen(int place, int length, uint mode) {
    if (place >= 0 && place < length) return place;
    if (mode == 0 || length == 0) return -1;
    if (mode == 1) {
        if (length == 1) return 0;
        const int period = 2 * (length - 1);
        int rest = place % period;
        if (rest < 0) rest += period;
        return rest < length ? rest : period - rest;
    }
    if (mode == 2) return place < 0 ? 0 : length - 1;
    const int rest = place % length;
    return rest < 0 ? rest + length : rest;
}

__kernel void pad(__global int *fault, __global const UNIT *from, ulong from_offset, __global const UNIT *value, ulong value_offset,
                  __global UNIT *to, ulong to_offset, pad_t pad) {
    const uint i = get_global_id(0);
    if (i >= pad.count || *fault) return;
    long source = 0;
    bool is_border = false;
    uint rest = i;
    for (uint axis = pad.rank; axis-- > 0;) {
        const uint next = rest / pad.sizes[axis];
        const int place = seen((int)(rest - next * pad.sizes[axis]) - pad.begin[axis], pad.length[axis], pad.mode);
        rest = next;
        is_border |= place < 0;
        source += (long)(pad.first[axis] + place) * pad.strides[axis];
    }
    to[to_offset + i] = !is_border ? from[from_offset + source] : pad.has_value ? value[value_offset] : (UNIT)0;
}

typedef struct {
    uint count, rows, columns;
    int shift, upper;
} trilu_t;

__kernel void trilu(__global int *fault, __global const UNIT *from, ulong from_offset, __global UNIT *to, ulong to_offset, trilu_t matrix) {
    const uint i = get_global_id(0);
    if (i >= matrix.count || *fault) return;
    const int column = (int)(i % matrix.columns), row = (int)(i / matrix.columns % matrix.rows);
    const bool is_kept = matrix.upper ? column >= row + matrix.shift : column <= row + matrix.shift;
    to[to_offset + i] = is_kept ? from[from_offset + i] : (UNIT)0;
}
