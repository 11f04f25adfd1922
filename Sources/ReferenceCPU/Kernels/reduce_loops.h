/* SPDX-License-Identifier: Apache-2.0
 *
 * The reductions of one element type; included once for each, with these defined:
 *   ELEMENT   the type            STORED  the same at any address     SUFFIX  as in reduce_SUFFIX
 *   LOWEST, HIGHEST  where a maximum and a minimum start
 *   ADD, MULTIPLY, MAGNITUDE, ROOT, LOGARITHM, MEAN, IS_NAN of elements (integers wrap)
 *   CLONED    CLONES, or nothing where one instruction set is enough
 *
 * Every reduction folds mapped elements with +, * or with a maximum or minimum. A long row of neighbours is folded in 4 * LANES chains, which are then
 * joined in a fixed order. That also keeps the rounding error of a sum of n terms near n/64 units.
 */
#define JOIN_NAMES(a, b)   a##_##b
#define EXPAND_NAMES(a, b) JOIN_NAMES(a, b)
#define OF(name)           EXPAND_NAMES(name, SUFFIX)

INLINE ELEMENT OF(start_value)(cpu_reduce operator) {
    return operator== CPU_REDUCE_MAX ? LOWEST : operator== CPU_REDUCE_MIN ? HIGHEST : operator== CPU_REDUCE_PROD ? (ELEMENT)1 : (ELEMENT)0;
}

INLINE ELEMENT OF(map)(cpu_reduce operator, ELEMENT x) {
    return operator== CPU_REDUCE_SUM_SQUARE || operator== CPU_REDUCE_L2 ? MULTIPLY(x, x) : operator== CPU_REDUCE_L1 ? MAGNITUDE(x) : x;
}

/* A NaN comes through; integers have none. */
INLINE ELEMENT OF(fold)(cpu_reduce operator, ELEMENT a, ELEMENT b) {
    if (operator== CPU_REDUCE_MAX) return a >= b || IS_NAN(a) ? a : b;
    if (operator== CPU_REDUCE_MIN) return a <= b || IS_NAN(a) ? a : b;
    if (operator== CPU_REDUCE_PROD) return MULTIPLY(a, b);
    return ADD(a, b);
}

INLINE ELEMENT OF(finish)(cpu_reduce operator, ELEMENT sum, int64_t count) {
    (void)count;
    return operator== CPU_REDUCE_MEAN ? MEAN(sum, count) :
           operator== CPU_REDUCE_L2   ? ROOT(sum)
           :
           operator== CPU_REDUCE_LOG_SUM ? LOGARITHM(sum)
                                         : sum;
}

/* Folds at least `chains` neighbours into `sum`; `chains` is a constant, a power of two. */
INLINE ELEMENT OF(reduce_chains)(cpu_reduce operator, const int chains, ELEMENT sum, const STORED *x, int64_t count) {
    ELEMENT partial[4 * LANES];
    for (int c = 0; c < chains; ++c) partial[c] = OF(map)(operator, x[c]);
    int64_t i = chains;
    for (; i + chains <= count; i += chains)
        for (int c = 0; c < chains; ++c) partial[c] = OF(fold)(operator, partial[c], OF(map)(operator, x[i + c]));
    for (int c = 0; i + c < count; ++c) partial[c] = OF(fold)(operator, partial[c], OF(map)(operator, x[i + c]));
    for (int width = chains / 2; width > 0; width /= 2)
        for (int c = 0; c < width; ++c) partial[c] = OF(fold)(operator, partial[c], partial[c + width]);
    return OF(fold)(operator, sum, partial[0]);
}

/* Folds `count` elements that lie `step` apart into `sum`. */
INLINE ELEMENT OF(reduce_row)(cpu_reduce operator, ELEMENT sum, const STORED *x, int64_t count, int64_t step) {
    if (step == 1 && count >= 4 * LANES) return OF(reduce_chains)(operator, 4 * LANES, sum, x, count);
    if (step == 1 && count >= LANES) return OF(reduce_chains)(operator, LANES, sum, x, count);
    for (int64_t i = 0; i < count; ++i) sum = OF(fold)(operator, sum, OF(map)(operator, x[i * step]));
    return sum;
}

/* Where the innermost dimension is reduced: output by output. */
INLINE void OF(reduce_inner)(cpu_reduce operator, const cpu_walk * kept, const cpu_walk *reduced, int64_t count, const STORED *x, STORED *y,
                             int64_t begin, int64_t end) {
    const int64_t step = reduced->strides[0][reduced->rank - 1];
    cursor at;
    cursor_place(&at, kept, begin);
    for (int64_t item = begin; item < end; ++item) {
        ELEMENT sum = OF(start_value)(operator);
        cursor inside;
        cursor_place(&inside, reduced, 0);
        for (int64_t done = 0; done < count;) {
            const int64_t run = cursor_run(&inside, reduced, count - done);
            sum = OF(reduce_row)(operator, sum, x + at.offset[0] + inside.offset[0], run, step);
            cursor_advance(&inside, reduced, run);
            done += run;
        }
        y[item] = OF(finish)(operator, sum, count);
        cursor_advance(&at, kept, 1);
    }
}

/* Where neighbouring outputs have neighbouring inputs: a strip of outputs at once, so that a strip stays in the first-level cache. */
INLINE void OF(reduce_outer)(cpu_reduce operator, const cpu_walk * kept, const cpu_walk *reduced, int64_t count, const STORED *x, STORED *y,
                             int64_t begin, int64_t end) {
    enum { STRIP = 1024 };
    cursor at;
    cursor_place(&at, kept, begin);
    for (int64_t item = begin; item < end;) {
        const int64_t run = cursor_run(&at, kept, minimum(end - item, STRIP));
        STORED *sums = y + item;
        for (int64_t i = 0; i < run; ++i) sums[i] = OF(start_value)(operator);
        cursor inside;
        cursor_place(&inside, reduced, 0);
        for (int64_t done = 0; done < count; ++done) {
            const STORED *row = x + at.offset[0] + inside.offset[0];
            EACH(int64_t i = 0; i < run; ++i) sums[i] = OF(fold)(operator, sums[i], OF(map)(operator, row[i]));
            cursor_advance(&inside, reduced, 1);
        }
        for (int64_t i = 0; i < run; ++i) sums[i] = OF(finish)(operator, sums[i], count);
        cursor_advance(&at, kept, run);
        item += run;
    }
}

#define REDUCTION(NAME)                                                                                                                    \
    CLONED static void OF(reduce_##NAME)(const cpu_walk *kept, const cpu_walk *reduced, int64_t count, const void *x, void *y,             \
                                         int64_t begin, int64_t end) {                                                                     \
        if (kept->strides[0][kept->rank - 1] == 1 && kept->shape[kept->rank - 1] > 1)                                                      \
            OF(reduce_outer)(CPU_REDUCE_##NAME, kept, reduced, count, x, y, begin, end);                                                   \
        else                                                                                                                               \
            OF(reduce_inner)(CPU_REDUCE_##NAME, kept, reduced, count, x, y, begin, end);                                                   \
    }
REDUCE_OPERATORS(REDUCTION)

static bool OF(reduce)(cpu_reduce operator, const cpu_walk * kept, const cpu_walk *reduced, int64_t count, const void *x, void *y,
                       int64_t begin, int64_t end) {
#define REDUCTION_CASE(NAME)                                                                                                               \
    case CPU_REDUCE_##NAME:                                                                                                                \
        OF(reduce_##NAME)(kept, reduced, count, x, y, begin, end);                                                                         \
        return true;
    switch (operator) {
        REDUCE_OPERATORS(REDUCTION_CASE)
    default:
        return false;
    }
}

#undef REDUCTION_CASE
#undef REDUCTION
#undef OF
#undef EXPAND_NAMES
#undef JOIN_NAMES
#undef REDUCE_OPERATORS
#undef ELEMENT
#undef STORED
#undef SUFFIX
#undef LOWEST
#undef HIGHEST
#undef ADD
#undef MULTIPLY
#undef MAGNITUDE
#undef ROOT
#undef LOGARITHM
#undef MEAN
#undef IS_NAN
#undef CLONED
