// SPDX-License-Identifier: Apache-2.0
//
// Elements along some axes become one. Before this stand BEGIN, JOIN, MERGE and FINISH, which say how.
#define GROUP 64

#ifdef BEGIN
typedef struct {
    uint outputs, length, kept_rank, folded_rank, kept_sizes[RANK], kept_strides[RANK], folded_sizes[RANK], folded_strides[RANK];
} reduction_t;

// Where output `i` begins in the input.
ulong kept_place(uint i, const reduction_t *shape) {
    ulong place = 0;
    for (uint axis = shape->kept_rank; axis-- > 0;) {
        const uint next = i / shape->kept_sizes[axis];
        place += (ulong)(i - next * shape->kept_sizes[axis]) * shape->kept_strides[axis];
        i = next;
    }
    return place;
}

// Where element `i` of an output lies from there on.
ulong folded_place(uint i, const reduction_t *shape) {
    if (shape->folded_rank == 1) return (ulong)i * shape->folded_strides[0];
    ulong place = 0;
    for (uint axis = shape->folded_rank; axis-- > 0;) {
        const uint next = i / shape->folded_sizes[axis];
        place += (ulong)(i - next * shape->folded_sizes[axis]) * shape->folded_strides[axis];
        i = next;
    }
    return place;
}

T_COMPUTE greater(T_COMPUTE a, T_COMPUTE b) {
    return b > a || b != b ? b : a;
}

__kernel void reduce(__global int *fault, __global const T *x, ulong x_offset, __global T *y, ulong y_offset, reduction_t shape) {
    const uint i = get_global_id(0);
    if (i >= shape.outputs || *fault) return;
    x += x_offset + kept_place(i, &shape);
#if HAS_EXPONENTS
    T_COMPUTE m = LOWEST;
    for (uint k = 0; k < shape.length; ++k) m = greater(m, T_LOAD(x, folded_place(k, &shape)));
    // An infinite maximum is no shift: infinity - infinity would be NaN.
    if (!isfinite(m)) m = 0;
#endif
    T_COMPUTE sum = BEGIN;
    for (uint k = 0; k < shape.length; ++k) {
        const T_COMPUTE next = T_LOAD(x, folded_place(k, &shape));
        sum = JOIN(sum, next);
    }
    T_STORE(y + y_offset, i, (FINISH(sum, (T_COMPUTE)shape.length)));
}

// All work-items of the group get what MERGE makes of their parts, always in the same order.
#define SHARE(part, merge)                                                                                                                 \
    parts[item] = part;                                                                                                                    \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                                                          \
    for (uint half_size = GROUP / 2; half_size > 0; half_size /= 2) {                                                                      \
        if (item < half_size) parts[item] = merge(parts[item], parts[item + half_size]);                                                   \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                                      \
    }                                                                                                                                      \
    part = parts[0];                                                                                                                       \
    barrier(CLK_LOCAL_MEM_FENCE);

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void reduce_shared(__global int *fault, __global const T *x, ulong x_offset,
                                                                               __global T *y, ulong y_offset, reduction_t shape) {
    __local T_COMPUTE parts[GROUP];
    if (*fault) return;
    const uint i = get_group_id(0), item = get_local_id(0);
    x += x_offset + kept_place(i, &shape);
#if HAS_EXPONENTS
    T_COMPUTE m = LOWEST;
    for (uint k = item; k < shape.length; k += GROUP) m = greater(m, T_LOAD(x, folded_place(k, &shape)));
    SHARE(m, greater)
    if (!isfinite(m)) m = 0;
#endif
    T_COMPUTE sum = BEGIN;
    for (uint k = item; k < shape.length; k += GROUP) {
        const T_COMPUTE next = T_LOAD(x, folded_place(k, &shape));
        sum = JOIN(sum, next);
    }
    SHARE(sum, MERGE)
    if (item == 0) T_STORE(y + y_offset, i, (FINISH(sum, (T_COMPUTE)shape.length)));
}
#endif

#ifdef BEATS
typedef struct {
    uint count, size, inner, takes_last;
} extreme_t;

__kernel void extreme(__global int *fault, __global const T *x, ulong x_offset, __global long *y, ulong y_offset, extreme_t shape) {
    const uint i = get_global_id(0);
    if (i >= shape.count || *fault) return;
    x += x_offset + (ulong)(i / shape.inner) * shape.size * shape.inner + i % shape.inner;
    T_COMPUTE best = T_LOAD(x, 0);
    uint place = 0;
    for (uint k = 1; k < shape.size; ++k) {
        const T_COMPUTE value = T_LOAD(x, (ulong)k * shape.inner);
        // NaN beats all numbers.
        const bool is_tie = value == best || (value != value && best != best);
        if (value BEATS best || (value != value && best == best) || (shape.takes_last && is_tie)) {
            best = value;
            place = k;
        }
    }
    y[y_offset + i] = place;
}
#endif

typedef struct {
    uint count, size, inner, exclusive, reverse;
} running_t;

__kernel void running_sum(__global int *fault, __global const T *x, ulong x_offset, __global T *y, ulong y_offset, running_t shape) {
    const uint i = get_global_id(0);
    if (i >= shape.count || *fault) return;
    const ulong start = (ulong)(i / shape.inner) * shape.size * shape.inner + i % shape.inner;
    T_COMPUTE sum = 0;
    for (uint k = 0; k < shape.size; ++k) {
        const ulong at = start + (ulong)(shape.reverse ? shape.size - 1 - k : k) * shape.inner;
        const T_COMPUTE next = sum + T_LOAD(x + x_offset, at);
        T_STORE(y + y_offset, at, (shape.exclusive ? sum : next));
        sum = next;
    }
}
