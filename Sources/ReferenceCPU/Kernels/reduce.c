/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

/*
 * Every reduction folds mapped elements with + or with a maximum or minimum. A long row of neighbours is folded in 4 * LANES chains, which are then
 * joined in a fixed order. That also keeps the rounding error of a sum of n terms near n/64 units.
 */
INLINE float start_value(cpu_reduce operator) {
    return operator== CPU_REDUCE_MAX ? -__builtin_inff() : operator== CPU_REDUCE_MIN ? __builtin_inff() : 0.0f;
}

INLINE float map(cpu_reduce operator, float x) {
    return operator== CPU_REDUCE_SUM_SQUARE || operator== CPU_REDUCE_L2 ? x * x : operator== CPU_REDUCE_L1 ? __builtin_fabsf(x) : x;
}

INLINE float fold(cpu_reduce operator, float a, float b) {
    if (operator== CPU_REDUCE_MAX) return a >= b || a != a ? a : b;
    if (operator== CPU_REDUCE_MIN) return a <= b || a != a ? a : b;
    return a + b;
}

INLINE float finish(cpu_reduce operator, float sum, int64_t count) {
    return operator== CPU_REDUCE_MEAN ? sum / (float)count : operator== CPU_REDUCE_L2 ? __builtin_sqrtf(sum) : sum;
}

/* Folds at least `chains` neighbours into `sum`; `chains` is a constant, a power of two. */
INLINE float reduce_chains(cpu_reduce operator, const int chains, float sum, const float32_u *x, int64_t count) {
    float partial[4 * LANES];
    for (int c = 0; c < chains; ++c) partial[c] = map(operator, x[c]);
    int64_t i = chains;
    for (; i + chains <= count; i += chains)
        for (int c = 0; c < chains; ++c) partial[c] = fold(operator, partial[c], map(operator, x[i + c]));
    for (int c = 0; i + c < count; ++c) partial[c] = fold(operator, partial[c], map(operator, x[i + c]));
    for (int width = chains / 2; width > 0; width /= 2)
        for (int c = 0; c < width; ++c) partial[c] = fold(operator, partial[c], partial[c + width]);
    return fold(operator, sum, partial[0]);
}

/* Folds `count` elements that lie `step` apart into `sum`. */
INLINE float reduce_row(cpu_reduce operator, float sum, const float32_u *x, int64_t count, int64_t step) {
    if (step == 1 && count >= 4 * LANES) return reduce_chains(operator, 4 * LANES, sum, x, count);
    if (step == 1 && count >= LANES) return reduce_chains(operator, LANES, sum, x, count);
    for (int64_t i = 0; i < count; ++i) sum = fold(operator, sum, map(operator, x[i * step]));
    return sum;
}

/* Where the innermost dimension is reduced: output by output. */
INLINE void reduce_inner(cpu_reduce operator, const cpu_walk * kept, const cpu_walk *reduced, int64_t count, const float32_u *x,
                         float32_u *y, int64_t begin, int64_t end) {
    const int64_t step = reduced->strides[0][reduced->rank - 1];
    cursor at;
    cursor_place(&at, kept, begin);
    for (int64_t item = begin; item < end; ++item) {
        float sum = start_value(operator);
        cursor inside;
        cursor_place(&inside, reduced, 0);
        for (int64_t done = 0; done < count;) {
            const int64_t run = cursor_run(&inside, reduced, count - done);
            sum = reduce_row(operator, sum, x + at.offset[0] + inside.offset[0], run, step);
            cursor_advance(&inside, reduced, run);
            done += run;
        }
        y[item] = finish(operator, sum, count);
        cursor_advance(&at, kept, 1);
    }
}

/* Where neighbouring outputs have neighbouring inputs: a strip of outputs at once, so that a strip stays in the first-level cache. */
INLINE void reduce_outer(cpu_reduce operator, const cpu_walk * kept, const cpu_walk *reduced, int64_t count, const float32_u *x,
                         float32_u *y, int64_t begin, int64_t end) {
    enum { STRIP = 1024 };
    cursor at;
    cursor_place(&at, kept, begin);
    for (int64_t item = begin; item < end;) {
        const int64_t run = cursor_run(&at, kept, minimum(end - item, STRIP));
        float32_u *sums = y + item;
        for (int64_t i = 0; i < run; ++i) sums[i] = start_value(operator);
        cursor inside;
        cursor_place(&inside, reduced, 0);
        for (int64_t done = 0; done < count; ++done) {
            const float32_u *row = x + at.offset[0] + inside.offset[0];
            EACH(int64_t i = 0; i < run; ++i) sums[i] = fold(operator, sums[i], map(operator, row[i]));
            cursor_advance(&inside, reduced, 1);
        }
        for (int64_t i = 0; i < run; ++i) sums[i] = finish(operator, sums[i], count);
        cursor_advance(&at, kept, run);
        item += run;
    }
}

#define DEFINE(NAME)                                                                                                                       \
    CLONES static void reduce_##NAME(const cpu_walk *kept, const cpu_walk *reduced, int64_t count, const void *x, void *y, int64_t begin,  \
                                     int64_t end) {                                                                                        \
        if (kept->strides[0][kept->rank - 1] == 1 && kept->shape[kept->rank - 1] > 1)                                                      \
            reduce_outer(CPU_REDUCE_##NAME, kept, reduced, count, x, y, begin, end);                                                       \
        else                                                                                                                               \
            reduce_inner(CPU_REDUCE_##NAME, kept, reduced, count, x, y, begin, end);                                                       \
    }
#define OPERATORS(OPERATOR) OPERATOR(SUM) OPERATOR(MEAN) OPERATOR(MAX) OPERATOR(MIN) OPERATOR(SUM_SQUARE) OPERATOR(L1) OPERATOR(L2)
OPERATORS(DEFINE)

void cpu_reduce_float32(cpu_reduce operator, const cpu_walk * kept, const cpu_walk *reduced, const void *x, void *y, int64_t begin,
                        int64_t end) {
    int64_t count = 1;
    for (int32_t d = 0; d < reduced->rank; ++d) count *= reduced->shape[d];
#define DISPATCH(NAME)                                                                                                                     \
    case CPU_REDUCE_##NAME:                                                                                                                \
        reduce_##NAME(kept, reduced, count, x, y, begin, end);                                                                             \
        return;
    switch (operator) { OPERATORS(DISPATCH) }
}
