// SPDX-License-Identifier: Apache-2.0
//
// Poolings over depth, height and width: one work-item per output.

typedef struct {
    uint count, counts_pads;
    int input[3], output[3], kernel_size[3], stride[3], dilation[3], pad[3], pad_end[3];
} pool_t;

// Calls the code that follows for each tap in the input, with `at` as its place in the plane of an image.
#define FOR_EACH_TAP                                                                                                                       \
    for (int d = 0; d < shape.kernel_size[0]; ++d)                                                                                         \
        for (int h = 0; h < shape.kernel_size[1]; ++h)                                                                                     \
            for (int w = 0; w < shape.kernel_size[2]; ++w)

#define PLACE                                                                                                                              \
    const uint i = get_global_id(0);                                                                                                       \
    if (i >= shape.count || *fault) return;                                                                                                \
    const uint area = shape.output[1] * shape.output[2], points = shape.output[0] * area, plane = i / points, point = i - plane * points;  \
    const int front = (int)(point / area) * shape.stride[0] - shape.pad[0];                                                                \
    const int top = (int)(point % area / shape.output[2]) * shape.stride[1] - shape.pad[1];                                                \
    const int left = (int)(point % shape.output[2]) * shape.stride[2] - shape.pad[2];                                                      \
    const ulong start = (ulong)plane * shape.input[0] * shape.input[1] * shape.input[2];

#define TAP                                                                                                                                \
    const int z = front + d * shape.dilation[0], v = top + h * shape.dilation[1], u = left + w * shape.dilation[2];                        \
    const bool is_inside = z >= 0 && z < shape.input[0] && v >= 0 && v < shape.input[1] && u >= 0 && u < shape.input[2];                   \
    const ulong at = start + ((ulong)z * shape.input[1] + v) * shape.input[2] + u;

__kernel void max_pool(__global int *fault, __global const T *x, ulong x_offset, __global T *y, ulong y_offset,
#if HAS_INDICES
                       __global long *indices, ulong indices_offset,
#endif
                       pool_t shape) {
    PLACE
    ulong place = 0;
    bool is_found = false;
#if T_FLOAT
    T_COMPUTE best = -INFINITY;
#else
    T_COMPUTE best = IS_INT8 ? -128 : 0;
#endif
    FOR_EACH_TAP {
        TAP if (!is_inside) continue;
        const T_COMPUTE value = T_LOAD(x + x_offset, at);
        // NaN stays once it is met.
        if (!is_found || value > best || (value != value && best == best)) {
            best = value;
            place = at;
            is_found = true;
        }
    }
    T_STORE(y + y_offset, i, best);
#if HAS_INDICES
    indices[indices_offset + i] = (long)place;
#endif
}

#if T_FLOAT
__kernel void average_pool(__global int *fault, __global const T *x, ulong x_offset, __global T *y, ulong y_offset, pool_t shape) {
    PLACE
    T_COMPUTE sum = 0;
    uint count = 0;
    FOR_EACH_TAP {
        TAP if (is_inside) sum += T_LOAD(x + x_offset, at);
        // Taps behind the padding, where the last window is rounded up, never count.
        count += is_inside || (shape.counts_pads && z < shape.input[0] + shape.pad_end[0] && v < shape.input[1] + shape.pad_end[1] &&
                               u < shape.input[2] + shape.pad_end[2]);
    }
    T_STORE(y + y_offset, i, sum / count);
}
#endif
