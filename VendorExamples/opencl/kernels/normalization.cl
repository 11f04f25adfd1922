// SPDX-License-Identifier: Apache-2.0
//
// Lines of a tensor, one work-group each.
#define GROUP 64

// All work-items of the group get the sum, or the largest, of their values, made in the same order always.
T_COMPUTE add_up(T_COMPUTE value, __local T_COMPUTE *parts) {
    const uint item = get_local_id(0);
    parts[item] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint half_size = GROUP / 2; half_size > 0; half_size /= 2) {
        if (item < half_size) parts[item] += parts[item + half_size];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const T_COMPUTE sum = parts[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum;
}

T_COMPUTE largest_of(T_COMPUTE value, __local T_COMPUTE *parts) {
    const uint item = get_local_id(0);
    parts[item] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint half_size = GROUP / 2; half_size > 0; half_size /= 2) {
        const T_COMPUTE other = item < half_size ? parts[item + half_size] : parts[item];
        if (other > parts[item] || other != other) parts[item] = other;
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const T_COMPUTE largest = parts[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return largest;
}

typedef struct {
    uint length, inner;
} softmax_t;

#ifdef IS_LOGARITHM
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void softmax(__global int *fault, __global const T *x, ulong x_offset,
                                                                         __global T *y, ulong y_offset, softmax_t shape) {
    __local T_COMPUTE parts[GROUP];
    if (*fault) return;
    const uint line = get_group_id(0), item = get_local_id(0);
    const ulong start = (ulong)(line / shape.inner) * shape.length * shape.inner + line % shape.inner;
    x += x_offset + start;
    y += y_offset + start;
    T_COMPUTE largest = -INFINITY;
    for (uint i = item; i < shape.length; i += GROUP) {
        const T_COMPUTE value = T_LOAD(x, (ulong)i * shape.inner);
        if (value > largest || value != value) largest = value;
    }
    largest = largest_of(largest, parts);
    T_COMPUTE sum = 0;
    for (uint i = item; i < shape.length; i += GROUP) sum += exp(T_LOAD(x, (ulong)i * shape.inner) - largest);
    sum = add_up(sum, parts);
    for (uint i = item; i < shape.length; i += GROUP) {
        const T_COMPUTE value = T_LOAD(x, (ulong)i * shape.inner) - largest;
#if IS_LOGARITHM
        T_STORE(y, (ulong)i * shape.inner, value - log(sum));
#else
        T_STORE(y, (ulong)i * shape.inner, exp(value) / sum);
#endif
    }
}
#endif

#ifdef HAS_MEAN
typedef struct {
    uint length, lines, step, run;
    float epsilon;
} lines_t;

// Two passes: the mean first, then the squares of what is left without it.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void normalize_lines(__global int *fault, __global const T *x, ulong x_offset,
                                                                                 __global const S *scale, ulong scale_offset,
#if HAS_BIAS
                                                                                 __global const S *bias, ulong bias_offset,
#endif
                                                                                 __global Y *y, ulong y_offset,
#if HAS_MEANS
                                                                                 __global M *means, ulong means_offset,
#endif
#if HAS_DEVIATIONS
                                                                                 __global D *deviations, ulong deviations_offset,
#endif
                                                                                 lines_t shape) {
    __local T_COMPUTE parts[GROUP];
    if (*fault) return;
    const uint line = get_group_id(0), item = get_local_id(0);
    x += x_offset + (ulong)line * shape.length;
    y += y_offset + (ulong)line * shape.length;
    T_COMPUTE mean = 0;
#if HAS_MEAN
    T_COMPUTE sum = 0;
    for (uint i = item; i < shape.length; i += GROUP) sum += T_LOAD(x, i);
    mean = add_up(sum, parts) / shape.length;
#endif
    T_COMPUTE squares = 0;
    for (uint i = item; i < shape.length; i += GROUP) {
        const T_COMPUTE value = T_LOAD(x, i) - mean;
        squares += value * value;
    }
    const T_COMPUTE inverse = 1 / sqrt(add_up(squares, parts) / shape.length + (T_COMPUTE)shape.epsilon);
    for (uint i = item; i < shape.length; i += GROUP) {
        const uint place = line % shape.lines * shape.step + i / shape.run;
        T_COMPUTE value = (T_LOAD(x, i) - mean) * inverse * S_LOAD(scale + scale_offset, place);
#if HAS_BIAS
        value += S_LOAD(bias + bias_offset, place);
#endif
        Y_STORE(y, i, value);
    }
#if HAS_MEANS
    if (item == 0) M_STORE(means + means_offset, line, mean);
#endif
#if HAS_DEVIATIONS
    if (item == 0) D_STORE(deviations + deviations_offset, line, inverse);
#endif
}
#endif

typedef struct {
    uint count, channels, inner;
    int size;
    float alpha, beta, bias;
} response_t;

__kernel void response(__global int *fault, __global const T *x, ulong x_offset, __global T *y, ulong y_offset, response_t shape) {
    const uint i = get_global_id(0);
    if (i >= shape.count || *fault) return;
    const uint channel = i / shape.inner % shape.channels;
    const ulong first = (ulong)i - (ulong)channel * shape.inner;
    const int low = max((int)channel - (shape.size - 1) / 2, 0), high = min((int)channel + shape.size / 2, (int)shape.channels - 1);
    T_COMPUTE squares = 0;
    for (int c = low; c <= high; ++c) {
        const T_COMPUTE value = T_LOAD(x + x_offset, first + (ulong)c * shape.inner);
        squares += value * value;
    }
    const T_COMPUTE base = (T_COMPUTE)shape.bias + (T_COMPUTE)shape.alpha / shape.size * squares;
    T_STORE(y + y_offset, i, T_LOAD(x + x_offset, i) / pow(base, (T_COMPUTE)shape.beta));
}
