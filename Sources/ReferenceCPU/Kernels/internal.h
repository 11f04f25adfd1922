/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernels share: instruction-set clones, unaligned element types, loops that may run in place, and the cursor of a walk.
 */
#ifndef REFERENCE_CPU_INTERNAL_H
#define REFERENCE_CPU_INTERNAL_H

#include "kernels.h"
#include <stddef.h>

/* One body, three instruction sets, chosen when the library is loaded. Helpers of a cloned function must be INLINE to be compiled with it. */
#if defined(__x86_64__) && defined(__clang__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif
#define INLINE static inline __attribute__((always_inline))

/* Elements at any byte address. */
#define UNALIGNED __attribute__((aligned(1), may_alias))
typedef float float32_u UNALIGNED;
typedef double float64_u UNALIGNED;
typedef int8_t int8_u UNALIGNED;
typedef uint8_t uint8_u UNALIGNED;
typedef int16_t int16_u UNALIGNED;
typedef uint16_t uint16_u UNALIGNED;
typedef int32_t int32_u UNALIGNED;
typedef uint32_t uint32_u UNALIGNED;
typedef int64_t int64_u UNALIGNED;
typedef uint64_t uint64_u UNALIGNED;

/* For a loop whose iterations are independent even if its output is exactly one of its inputs (where `restrict` would be a lie). */
#define EACH _Pragma("clang loop vectorize(assume_safety)") for

/* Sixteen partial results, enough for one 512-bit register or its equal in narrower ones. */
#define LANES 16
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef float lanes_u __attribute__((vector_size(LANES * sizeof(float)), aligned(1), may_alias));
typedef int32_t lane_mask __attribute__((vector_size(LANES * sizeof(float))));

/* Macros and pointers, because a vector argument or result would tie a function to one instruction set. */
#define LOAD_LANES(p)            (*(const lanes_u *)(p))
#define STORE_LANES(p, v)        (*(lanes_u *)(p) = (v))
#define ALL_LANES(v)             ((lanes){v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v})
#define SELECT_LANES(mask, a, b) ((lanes)(((mask) & (lane_mask)(a)) | (~(mask) & (lane_mask)(b))))

/* Every `stride`th element from `from` on; touches nothing after the last. */
INLINE void load_strided(lanes *to, const float32_u *from, int64_t stride) {
    if (stride == 1) {
        *to = LOAD_LANES(from);
    } else if (stride == 2) {
        const lanes low = LOAD_LANES(from), high = LOAD_LANES(from + LANES - 1);
        *to = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
    } else {
        for (int i = 0; i < LANES; ++i) (*to)[i] = from[i * stride];
    }
}

INLINE int64_t minimum(int64_t a, int64_t b) {
    return a < b ? a : b;
}
INLINE int64_t maximum(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Where a walk stands: the index of the next element, and its offset in every operand. */
typedef struct cursor {
    int64_t index[CPU_WALK_RANK];
    int64_t offset[CPU_WALK_OPERANDS];
} cursor;

INLINE void cursor_place(cursor *c, const cpu_walk *walk, int64_t flat) {
    for (int32_t o = 0; o < walk->operands; ++o) c->offset[o] = 0;
    for (int32_t d = walk->rank - 1; d >= 0; --d) {
        c->index[d] = flat % walk->shape[d];
        flat /= walk->shape[d];
        for (int32_t o = 0; o < walk->operands; ++o) c->offset[o] += c->index[d] * walk->strides[o][d];
    }
}

/* Elements that are left of the innermost dimension, at most `limit`. */
INLINE int64_t cursor_run(const cursor *c, const cpu_walk *walk, int64_t limit) {
    return minimum(walk->shape[walk->rank - 1] - c->index[walk->rank - 1], limit);
}

/* Moves on by `count`, which is at most what cursor_run gave. */
INLINE void cursor_advance(cursor *c, const cpu_walk *walk, int64_t count) {
    int32_t d = walk->rank - 1;
    c->index[d] += count;
    for (int32_t o = 0; o < walk->operands; ++o) c->offset[o] += count * walk->strides[o][d];
    while (c->index[d] == walk->shape[d] && d > 0) {
        for (int32_t o = 0; o < walk->operands; ++o) c->offset[o] += walk->strides[o][d - 1] - walk->shape[d] * walk->strides[o][d];
        c->index[d] = 0;
        ++c->index[--d];
    }
}

#endif
