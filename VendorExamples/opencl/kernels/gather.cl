// SPDX-License-Identifier: Apache-2.0
//
// Elements read at places that an index tensor names. Nothing is read where an index is out of range.

typedef struct {
    uint count, size, indices, inner;
} gather_t;

__kernel void gather(__global int *fault, __global const UNIT *from, ulong from_offset, __global const INDEX *index, ulong index_offset,
                     __global UNIT *to, ulong to_offset, gather_t shape, uint correlation_low, uint correlation_high) {
    const uint i = get_global_id(0);
    if (i >= shape.count || *fault) return;
    const uint row = i / shape.inner, outer = row / shape.indices;
    long place = index[index_offset + row - outer * shape.indices];
    if (place < 0) place += shape.size;
    if (place < 0 || place >= shape.size)
        report(fault, correlation_low, correlation_high);
    else
        to[to_offset + i] = from[from_offset + ((ulong)outer * shape.size + place) * shape.inner + (i - row * shape.inner)];
}

typedef struct {
    uint count, rank, axis, size, sizes[RANK], strides[RANK];
} elements_t;

__kernel void gather_elements(__global int *fault, __global const UNIT *from, ulong from_offset, __global const INDEX *index,
                              ulong index_offset, __global UNIT *to, ulong to_offset, elements_t shape, uint correlation_low,
                              uint correlation_high) {
    const uint i = get_global_id(0);
    if (i >= shape.count || *fault) return;
    long named = index[index_offset + i];
    if (named < 0) named += shape.size;
    if (named < 0 || named >= shape.size) {
        report(fault, correlation_low, correlation_high);
        return;
    }
    ulong source = 0;
    uint rest = i;
    for (uint axis = shape.rank; axis-- > 0;) {
        const uint next = rest / shape.sizes[axis];
        const uint place = axis == shape.axis ? (uint)named : rest - next * shape.sizes[axis];
        rest = next;
        source += (ulong)place * shape.strides[axis];
    }
    to[to_offset + i] = from[from_offset + source];
}

typedef struct {
    uint count, depth, inner, tuples_per_batch, batch_stride, sizes[RANK], strides[RANK];
} tuples_t;

__kernel void gather_nd(__global int *fault, __global const UNIT *from, ulong from_offset, __global const INDEX *index, ulong index_offset,
                        __global UNIT *to, ulong to_offset, tuples_t shape, uint correlation_low, uint correlation_high) {
    const uint i = get_global_id(0);
    if (i >= shape.count || *fault) return;
    const uint tuple = i / shape.inner;
    ulong source = (ulong)(tuple / shape.tuples_per_batch) * shape.batch_stride + (i - tuple * shape.inner);
    for (uint k = 0; k < shape.depth; ++k) {
        long place = index[index_offset + (ulong)tuple * shape.depth + k];
        if (place < 0) place += shape.sizes[k];
        if (place < 0 || place >= shape.sizes[k]) {
            report(fault, correlation_low, correlation_high);
            return;
        }
        source += place * shape.strides[k];
    }
    to[to_offset + i] = from[from_offset + source];
}
