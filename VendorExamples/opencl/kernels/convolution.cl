// SPDX-License-Identifier: Apache-2.0
//
// Convolution over height and width.
#define TILE  (16 * EACH)
#define DEPTH 16

typedef struct {
    uint batch, channels, rows, depth, columns, groups; // channels: of the input, per group; rows: output channels per group
    int input[3], output[3], kernel_size[3], stride[3], dilation[3], pad[3], pad_end[3];
} convolution_t;

// Row m of the product is an output channel of the group, column n a point of an image of the batch; they share k: input channel and tap.
__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void convolve(__global int *fault, __global const T *x, ulong x_offset,
                                                                        __global const T *w, ulong w_offset,
#if HAS_BIAS
                                                                        __global const T *bias, ulong bias_offset,
#endif
                                                                        __global T *y, ulong y_offset, convolution_t shape) {
    __local T_COMPUTE w_tile[DEPTH][TILE + 1], x_tile[DEPTH][TILE + 1];
    if (*fault) return;
    const uint column = get_local_id(0), row = get_local_id(1), item = row * 16 + column;
    const uint first_m = get_group_id(1) * TILE, first_n = get_group_id(0) * TILE, group = get_group_id(2);
    const uint plane = shape.input[1] * shape.input[2], points = shape.output[1] * shape.output[2];
    w += w_offset + (ulong)group * shape.rows * shape.depth;
    x += x_offset + (ulong)group * shape.channels * plane;
    y += y_offset + (ulong)group * shape.rows * points;
    // This work-item gathers one column: where its window begins.
    const uint j = item % TILE, n = first_n + j;
    const bool has_column = n < shape.columns;
    const uint image = n / points, point = n - image * points;
    const ulong image_start = (ulong)image * shape.groups * shape.channels * plane;
    const int top = (int)(point / shape.output[2]) * shape.stride[1] - shape.pad[1];
    const int left = (int)(point % shape.output[2]) * shape.stride[2] - shape.pad[2];
    const uint taps = shape.kernel_size[1] * shape.kernel_size[2];
    T_COMPUTE sums[EACH][EACH];
    for (uint i = 0; i < EACH; ++i)
        for (uint l = 0; l < EACH; ++l) sums[i][l] = 0;
    for (uint start = 0; start < shape.depth; start += DEPTH) {
        for (uint part = 0; part < EACH; ++part) {
            const uint i = item / DEPTH + 16 * part, w_k = item % DEPTH;
            const bool in_w = first_m + i < shape.rows && start + w_k < shape.depth;
            w_tile[w_k][i] = in_w ? T_LOAD(w, (ulong)(first_m + i) * shape.depth + start + w_k) : (T_COMPUTE)0;
            const uint x_k = (item + 256 * part) / TILE, k = start + x_k;
#if IS_POINTWISE
            const bool in_x = has_column && k < shape.depth;
            x_tile[x_k][j] = in_x ? T_LOAD(x, image_start + (ulong)k * plane + point) : (T_COMPUTE)0;
#else
            const uint channel = k / taps, tap = k - channel * taps, tap_row = tap / shape.kernel_size[2];
            const int h = top + (int)tap_row * shape.dilation[1];
            const int v = left + (int)(tap - tap_row * shape.kernel_size[2]) * shape.dilation[2];
            const bool in_x = has_column && k < shape.depth && h >= 0 && h < shape.input[1] && v >= 0 && v < shape.input[2];
            x_tile[x_k][j] = in_x ? T_LOAD(x, image_start + (ulong)channel * plane + h * shape.input[2] + v) : (T_COMPUTE)0;
#endif
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint k = 0; k < DEPTH; ++k) {
            T_COMPUTE values[EACH];
            for (uint l = 0; l < EACH; ++l) values[l] = x_tile[k][column + 16 * l];
            for (uint i = 0; i < EACH; ++i) {
                const T_COMPUTE factor = w_tile[k][row * EACH + i];
                for (uint l = 0; l < EACH; ++l) sums[i][l] += factor * values[l];
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (uint l = 0; l < EACH; ++l) {
        const uint at = first_n + column + 16 * l;
        if (at >= shape.columns) continue;
        const uint of_image = at / points;
        const ulong place = (ulong)of_image * shape.groups * shape.rows * points + (at - of_image * points);
        for (uint i = 0; i < EACH; ++i) {
            const uint m = first_m + row * EACH + i;
            if (m >= shape.rows) continue;
            T_COMPUTE value = sums[i][l];
#if HAS_BIAS
            value += T_LOAD(bias + bias_offset, group * shape.rows + m);
#endif
            T_STORE(y, place + (ulong)m * points, value);
        }
    }
}

__kernel void convolve_points(__global int *fault, __global const T *x, ulong x_offset, __global const T *w, ulong w_offset,
#if HAS_BIAS
                              __global const T *bias, ulong bias_offset,
#endif
                              __global T *y, ulong y_offset, convolution_t shape) {
    const uint i = get_global_id(0), points = shape.output[1] * shape.output[2], all = shape.groups * shape.rows;
    if (i >= shape.columns * all || *fault) return;
    const uint point = i % points, channel = i / points % all, image = i / points / all, group = channel / shape.rows;
    const uint plane = shape.input[1] * shape.input[2];
    const int top = (int)(point / shape.output[2]) * shape.stride[1] - shape.pad[1];
    const int left = (int)(point % shape.output[2]) * shape.stride[2] - shape.pad[2];
    x += x_offset + ((ulong)image * shape.groups + group) * shape.channels * plane;
    w += w_offset + (ulong)channel * shape.depth;
    T_COMPUTE sum = 0;
    for (uint c = 0; c < shape.channels; ++c)
        for (int r = 0; r < shape.kernel_size[1]; ++r) {
            const int h = top + r * shape.dilation[1];
            if (h < 0 || h >= shape.input[1]) continue;
            for (int s = 0; s < shape.kernel_size[2]; ++s) {
                const int v = left + s * shape.dilation[2];
                if (v < 0 || v >= shape.input[2]) continue;
                sum += T_LOAD(w, (c * shape.kernel_size[1] + r) * shape.kernel_size[2] + s) *
                       T_LOAD(x, (ulong)c * plane + h * shape.input[2] + v);
            }
        }
#if HAS_BIAS
    sum += T_LOAD(bias + bias_offset, channel);
#endif
    T_STORE(y + y_offset, i, sum);
}
