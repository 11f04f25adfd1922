/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "vector_math.h"
#include <math.h>

/* ---- Floats -------------------------------------------------------------------------------------------------------------------------- */

#define FLOAT_OPERATORS(ENTRY) ENTRY(SUM) ENTRY(MEAN) ENTRY(MAX) ENTRY(MIN) ENTRY(SUM_SQUARE) ENTRY(L1) ENTRY(L2) ENTRY(PROD) ENTRY(LOG_SUM)
#define ADD_FLOATS(a, b)       ((a) + (b))
#define MULTIPLY_FLOATS(a, b)  ((a) * (b))

#define ELEMENT          float
#define STORED           float32_u
#define SUFFIX           float32
#define LOWEST           -__builtin_inff()
#define HIGHEST          __builtin_inff()
#define ADD              ADD_FLOATS
#define MULTIPLY         MULTIPLY_FLOATS
#define MAGNITUDE(x)     __builtin_fabsf(x)
#define ROOT(x)          __builtin_sqrtf(x)
#define LOGARITHM(x)     logf(x)
#define MEAN(sum, count) ((sum) / (float)(count))
#define IS_NAN(x)        ((x) != (x))
#define CLONED           CLONES
#define REDUCE_OPERATORS FLOAT_OPERATORS
#include "reduce_loops.h"

#define ELEMENT          double
#define STORED           float64_u
#define SUFFIX           float64
#define LOWEST           -__builtin_inf()
#define HIGHEST          __builtin_inf()
#define ADD              ADD_FLOATS
#define MULTIPLY         MULTIPLY_FLOATS
#define MAGNITUDE(x)     __builtin_fabs(x)
#define ROOT(x)          __builtin_sqrt(x)
#define LOGARITHM(x)     log(x)
#define MEAN(sum, count) ((sum) / (double)(count))
#define IS_NAN(x)        ((x) != (x))
#define CLONED           CLONES
#define REDUCE_OPERATORS FLOAT_OPERATORS
#include "reduce_loops.h"

/* ---- Integers: sums wrap --------------------------------------------------------------------------------------------------------------- */

#define INTEGER_OPERATORS(ENTRY) ENTRY(SUM) ENTRY(MAX) ENTRY(MIN) ENTRY(SUM_SQUARE) ENTRY(L1) ENTRY(PROD)
#define SHORT_OPERATORS(ENTRY)   ENTRY(MAX) ENTRY(MIN)

#define ELEMENT          int32_t
#define STORED           int32_u
#define SUFFIX           int32
#define LOWEST           INT32_MIN
#define HIGHEST          INT32_MAX
#define ADD(a, b)        (int32_t)((uint32_t)(a) + (uint32_t)(b))
#define MULTIPLY(a, b)   (int32_t)((uint32_t)(a) * (uint32_t)(b))
#define MAGNITUDE(x)     ((x) < 0 ? (int32_t)(0 - (uint32_t)(x)) : (x))
#define ROOT(x)          (x)
#define LOGARITHM(x)     (x)
#define MEAN(sum, count) (sum)
#define IS_NAN(x)        false
#define CLONED           CLONES
#define REDUCE_OPERATORS INTEGER_OPERATORS
#include "reduce_loops.h"

#define ELEMENT          int64_t
#define STORED           int64_u
#define SUFFIX           int64
#define LOWEST           INT64_MIN
#define HIGHEST          INT64_MAX
#define ADD(a, b)        (int64_t)((uint64_t)(a) + (uint64_t)(b))
#define MULTIPLY(a, b)   (int64_t)((uint64_t)(a) * (uint64_t)(b))
#define MAGNITUDE(x)     ((x) < 0 ? (int64_t)(0 - (uint64_t)(x)) : (x))
#define ROOT(x)          (x)
#define LOGARITHM(x)     (x)
#define MEAN(sum, count) (sum)
#define IS_NAN(x)        false
#define CLONED           CLONES
#define REDUCE_OPERATORS INTEGER_OPERATORS
#include "reduce_loops.h"

#define ELEMENT          int8_t
#define STORED           int8_u
#define SUFFIX           int8
#define LOWEST           INT8_MIN
#define HIGHEST          INT8_MAX
#define ADD(a, b)        (a)
#define MULTIPLY(a, b)   (a)
#define MAGNITUDE(x)     (x)
#define ROOT(x)          (x)
#define LOGARITHM(x)     (x)
#define MEAN(sum, count) (sum)
#define IS_NAN(x)        false
#define CLONED
#define REDUCE_OPERATORS SHORT_OPERATORS
#include "reduce_loops.h"

#define ELEMENT          uint8_t
#define STORED           uint8_u
#define SUFFIX           uint8
#define LOWEST           0
#define HIGHEST          UINT8_MAX
#define ADD(a, b)        (a)
#define MULTIPLY(a, b)   (a)
#define MAGNITUDE(x)     (x)
#define ROOT(x)          (x)
#define LOGARITHM(x)     (x)
#define MEAN(sum, count) (sum)
#define IS_NAN(x)        false
#define CLONED
#define REDUCE_OPERATORS SHORT_OPERATORS
#include "reduce_loops.h"

bool cpu_reduction(cpu_reduce operator, cpu_type type, const cpu_walk *kept, const cpu_walk *reduced, const void *x, void *y, int64_t begin,
                   int64_t end) {
    int64_t count = 1;
    for (int32_t d = 0; d < reduced->rank; ++d) count *= reduced->shape[d];
    switch (type) {
    case CPU_TYPE_FLOAT32:
        return reduce_float32(operator, kept, reduced, count, x, y, begin, end);
    case CPU_TYPE_FLOAT64:
        return reduce_float64(operator, kept, reduced, count, x, y, begin, end);
    case CPU_TYPE_INT32:
        return reduce_int32(operator, kept, reduced, count, x, y, begin, end);
    case CPU_TYPE_INT64:
        return reduce_int64(operator, kept, reduced, count, x, y, begin, end);
    case CPU_TYPE_INT8:
        return reduce_int8(operator, kept, reduced, count, x, y, begin, end);
    case CPU_TYPE_UINT8:
    case CPU_TYPE_BOOL:
        return reduce_uint8(operator, kept, reduced, count, x, y, begin, end);
    default:
        return false;
    }
}

/* Two passes: the greatest, then the sum of what is left of the exponentials. An infinite maximum is no shift: infinity - infinity would be NaN. */
CLONES void cpu_log_sum_exp_float32(const cpu_walk *kept, const cpu_walk *reduced, const void *x, void *y, int64_t begin, int64_t end) {
    const int64_t step = reduced->strides[0][reduced->rank - 1];
    int64_t count = 1;
    for (int32_t d = 0; d < reduced->rank; ++d) count *= reduced->shape[d];
    cursor at;
    cursor_place(&at, kept, begin);
    for (int64_t item = begin; item < end; ++item) {
        const float32_u *from = (const float32_u *)x + at.offset[0];
        float top = -__builtin_inff(), chains[LANES] = {0};
        cursor inside;
        cursor_place(&inside, reduced, 0);
        for (int64_t done = 0; done < count;) {
            const int64_t run = cursor_run(&inside, reduced, count - done);
            top = reduce_row_float32(CPU_REDUCE_MAX, top, from + inside.offset[0], run, step);
            cursor_advance(&inside, reduced, run);
            done += run;
        }
        const float shift = top - top == 0 ? top : 0;
        cursor_place(&inside, reduced, 0);
        for (int64_t done = 0; done < count;) {
            const int64_t run = cursor_run(&inside, reduced, count - done);
            const float32_u *row = from + inside.offset[0];
            for (int64_t i = 0; i < run; i += LANES)
                for (int64_t c = 0; c < minimum(run - i, LANES); ++c) chains[c] += vector_exp(row[(i + c) * step] - shift);
            cursor_advance(&inside, reduced, run);
            done += run;
        }
        for (int width = LANES / 2; width > 0; width /= 2)
            for (int c = 0; c < width; ++c) chains[c] += chains[c + width];
        ((float32_u *)y)[item] = logf(chains[0]) + shift;
        cursor_advance(&at, kept, 1);
    }
}
