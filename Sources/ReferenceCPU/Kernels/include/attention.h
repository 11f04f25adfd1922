/* SPDX-License-Identifier: Apache-2.0
 *
 * Loops of attention. What holds for every function is in kernels.h.
 */
#ifndef REFERENCE_CPU_ATTENTION_H
#define REFERENCE_CPU_ATTENTION_H

#include "kernels.h"

typedef enum cpu_mask { CPU_MASK_NONE, CPU_MASK_BOOL, CPU_MASK_FLOAT32 } cpu_mask;

/* From products of a query with keys to weights. Keys outside first ... last - 1, behind the mask's end or masked get no weight. */
typedef struct cpu_attention_row {
    int64_t keys;
    float softcap; /* 0: none */
    cpu_mask mask_kind;
    const void *mask; /* `mask_length` numbers to add, or booleans */
    int64_t mask_length;
    int64_t first, last;
    /* A copy of the row is kept here: as it comes (mode 0), after the soft cap (1), after the mask (2) or as weights (3). NULL: none. */
    float *kept;
    int32_t kept_mode;
} cpu_attention_row;

/* In place. A row without any key that counts becomes zero. */
void cpu_attention_weights(const cpu_attention_row *how, float *row);

/* Whether all of `rows` rows of `size` numbers are finite: only then may a weight of zero be multiplied with them. */
bool cpu_all_finite(int64_t rows, int64_t size, int64_t stride, const void *x);

/* y[0 ..< size] += the sum over `keys` keys of weights[k] * v[k * stride ...], without the keys whose weight is zero. */
void cpu_weighted_sum(int64_t keys, int64_t size, int64_t stride, const float *weights, const void *v, float *y);

/* Pairs (x1, x2) of the first `2 * half` entries of each head are turned: (x1 c - x2 s, x1 s + x2 c); the rest is copied. */
typedef struct cpu_rotary {
    int64_t batch, heads, steps, size, half;
    int64_t batch_stride, head_stride, step_stride; /* of x and y */
    bool is_interleaved;                            /* pairs are neighbours, else `half` entries apart */
    int64_t positions;                              /* rows of the caches, where the steps name theirs */
} cpu_rotary;

/*
 * An item is a step of a batch. `position_ids` (int64) names its row of the caches, which lies inside; NULL: row `item`.
 */
void cpu_rotate(const cpu_rotary *how, const void *position_ids, const void *x, const void *cosines, const void *sines, void *y,
                int64_t begin, int64_t end);

#endif
