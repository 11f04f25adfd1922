/* SPDX-License-Identifier: Apache-2.0 */
#include "elementwise_types.h"
#include <math.h>

/* Loops around functions of the C library stay scalar. */
#pragma clang diagnostic ignored "-Wpass-failed"

/* Functions of more than one rounding are the C library's: float64 is for exactness, and rare. */
#define UNARY_FLOAT64(OPERATOR)                                                                                                            \
    OPERATOR(double, ABS, __builtin_fabs(x))                                                                                               \
    OPERATOR(double, ACOS, acos(x))                                                                                                        \
    OPERATOR(double, ACOSH, acosh(x))                                                                                                      \
    OPERATOR(double, ASIN, asin(x))                                                                                                        \
    OPERATOR(double, ASINH, asinh(x))                                                                                                      \
    OPERATOR(double, ATAN, atan(x))                                                                                                        \
    OPERATOR(double, ATANH, atanh(x))                                                                                                      \
    OPERATOR(double, CEIL, __builtin_ceil(x))                                                                                              \
    OPERATOR(double, CELU, (x < 0.0 ? 0.0 : x) + least0(p * expm1(x / p)))                                                                 \
    OPERATOR(double, CLIP, clip_double(x, p, q))                                                                                           \
    OPERATOR(double, COS, cos(x))                                                                                                          \
    OPERATOR(double, COSH, cosh(x))                                                                                                        \
    OPERATOR(double, ELU, x < 0.0 ? p * expm1(x) : x)                                                                                      \
    OPERATOR(double, ERF, erf(x))                                                                                                          \
    OPERATOR(double, EXP, exp(x))                                                                                                          \
    OPERATOR(double, FLOOR, __builtin_floor(x))                                                                                            \
    OPERATOR(double, LEAKY_RELU, x < 0.0 ? p * x : x)                                                                                      \
    OPERATOR(double, LOG, log(x))                                                                                                          \
    OPERATOR(double, NEG, -x)                                                                                                              \
    OPERATOR(double, RECIPROCAL, 1.0 / x)                                                                                                  \
    OPERATOR(double, RELU, x < 0.0 ? 0.0 : x)                                                                                              \
    OPERATOR(double, ROUND, __builtin_rint(x))                                                                                             \
    OPERATOR(double, SELU, q *(x > 0.0 ? x : p * expm1(x)))                                                                                \
    OPERATOR(double, SHRINK, x<-q ? x + p : x> q ? x - p : x == x ? 0.0 : x)                                                               \
    OPERATOR(double, SIGMOID, 1.0 / (1.0 + exp(-x)))                                                                                       \
    OPERATOR(double, SIGN, x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x + 0.0)                                                                       \
    OPERATOR(double, SIN, sin(x))                                                                                                          \
    OPERATOR(double, SINH, sinh(x))                                                                                                        \
    OPERATOR(double, SOFTPLUS, x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x)))                                                               \
    OPERATOR(double, SQRT, __builtin_sqrt(x))                                                                                              \
    OPERATOR(double, TAN, tan(x))                                                                                                          \
    OPERATOR(double, TANH, tanh(x))                                                                                                        \
    OPERATOR(double, THRESHOLDED_RELU, x <= p ? 0.0 : x)

INLINE double least0(double x) {
    return x > 0.0 ? 0.0 : x;
}

/* NaN comes through; where low > high, high wins. */
INLINE double clip_double(double x, double low, double high) {
    double raised = x < low ? low : x;
    return raised > high ? high : raised;
}

#define DEFINE_FLOAT64(TYPE, NAME, EXPRESSION) DEFINE_UNARY(CLONES, double, TYPE, NAME, EXPRESSION)
UNARY_FLOAT64(DEFINE_FLOAT64)

bool unary_float64(cpu_unary operator, const double * parameters, const void *x, void *y, int64_t begin, int64_t end) {
    switch (operator) { UNARY_FLOAT64(DISPATCH_UNARY) default : return false; }
}

/* The negative of the smallest integer is itself; where low > high, high wins. */
#define CLIPPED (x < p ? p : x) > q ? q : (x < p ? p : x)
#define UNARY_SIGNED(OPERATOR, TYPE, UNSIGNED)                                                                                             \
    OPERATOR(TYPE, ABS, x < 0 ? (UNSIGNED)(0 - (UNSIGNED)x) : (UNSIGNED)x)                                                                 \
    OPERATOR(TYPE, BITWISE_NOT, ~x)                                                                                                        \
    OPERATOR(TYPE, CLIP, CLIPPED)                                                                                                          \
    OPERATOR(TYPE, NEG, (UNSIGNED)(0 - (UNSIGNED)x))                                                                                       \
    OPERATOR(TYPE, RELU, x < 0 ? 0 : x)                                                                                                    \
    OPERATOR(TYPE, SIGN, (x > 0) - (x < 0))
#define UNARY_UNSIGNED(OPERATOR, TYPE)                                                                                                     \
    OPERATOR(TYPE, ABS, x)                                                                                                                 \
    OPERATOR(TYPE, BITWISE_NOT, ~x)                                                                                                        \
    OPERATOR(TYPE, CLIP, CLIPPED)                                                                                                          \
    OPERATOR(TYPE, SIGN, x > 0)

#define UNARY_INT8(OPERATOR)   UNARY_SIGNED(OPERATOR, int8_t, uint8_t)
#define UNARY_INT16(OPERATOR)  UNARY_SIGNED(OPERATOR, int16_t, uint16_t)
#define UNARY_INT32(OPERATOR)  UNARY_SIGNED(OPERATOR, int32_t, uint32_t)
#define UNARY_INT64(OPERATOR)  UNARY_SIGNED(OPERATOR, int64_t, uint64_t)
#define UNARY_UINT8(OPERATOR)  UNARY_UNSIGNED(OPERATOR, uint8_t)
#define UNARY_UINT16(OPERATOR) UNARY_UNSIGNED(OPERATOR, uint16_t)
#define UNARY_UINT32(OPERATOR) UNARY_UNSIGNED(OPERATOR, uint32_t)
#define UNARY_UINT64(OPERATOR) UNARY_UNSIGNED(OPERATOR, uint64_t)

/* One instruction set is enough here: these loops wait for memory. */
#define DEFINE_INTEGER(TYPE, NAME, EXPRESSION) DEFINE_UNARY(, int64_t, TYPE, NAME, EXPRESSION)
#define ENTRY(NAME, TAG)                                                                                                                   \
    UNARY_##TAG(DEFINE_INTEGER) bool unary_##NAME(cpu_unary operator, const int64_t * parameters, const void *x, void *y, int64_t begin,   \
                                                  int64_t end) {                                                                           \
        switch (operator) { UNARY_##TAG(DISPATCH_UNARY) default : return false; }                                                          \
    }
INTEGER_TYPES(ENTRY)

CLONES void cpu_not(const void *x, void *y, int64_t begin, int64_t end) {
    const uint8_t *input = x;
    uint8_t *output = y;
    EACH(int64_t i = begin; i < end; ++i) output[i] = !input[i];
}

/* By their bits: a NaN is above infinity, the sign aside. `infinity` is a bound that no number reaches, or infinity itself. */
#define PREDICATES(BITS)                                                                                                                   \
    CLONES static void is_nan_##BITS(const uint##BITS##_u *x, uint##BITS##_t infinity, uint8_t *y, int64_t begin, int64_t end) {           \
        const uint##BITS##_t magnitude = (uint##BITS##_t) ~(uint##BITS##_t)0 >> 1;                                                         \
        for (int64_t i = begin; i < end; ++i) y[i] = (x[i] & magnitude) > infinity;                                                        \
    }                                                                                                                                      \
    CLONES static void equals_##BITS(const uint##BITS##_u *x, uint##BITS##_t first, uint##BITS##_t second, uint8_t *y, int64_t begin,      \
                                     int64_t end) {                                                                                        \
        for (int64_t i = begin; i < end; ++i) y[i] = (x[i] == first) | (x[i] == second);                                                   \
    }
PREDICATES(16)
PREDICATES(32)
PREDICATES(64)

static uint64_t infinity_bits(cpu_type type) {
    return type == CPU_TYPE_FLOAT64   ? 0x7ff0000000000000u
           : type == CPU_TYPE_FLOAT32 ? 0x7f800000u
           : type == CPU_TYPE_FLOAT16 ? 0x7c00u
                                      : 0x7f80u;
}

void cpu_is_nan(cpu_type type, const void *x, void *y, int64_t begin, int64_t end) {
    const uint64_t infinity = infinity_bits(type);
    if (type == CPU_TYPE_FLOAT64)
        is_nan_64(x, infinity, y, begin, end);
    else if (type == CPU_TYPE_FLOAT32)
        is_nan_32(x, (uint32_t)infinity, y, begin, end);
    else
        is_nan_16(x, (uint16_t)infinity, y, begin, end);
}

/* Where one sign alone is wanted, both patterns to look for are that one. */
void cpu_is_infinite(cpu_type type, bool positive, bool negative, const void *x, void *y, int64_t begin, int64_t end) {
    const int32_t width = cpu_type_width(type);
    const uint64_t up = infinity_bits(type), down = up | (uint64_t)1 << (8 * width - 1);
    const uint64_t first = positive ? up : down, second = negative ? down : up;
    if (!positive && !negative) {
        for (int64_t i = begin; i < end; ++i) ((uint8_t *)y)[i] = 0;
    } else if (width == 8) {
        equals_64(x, first, second, y, begin, end);
    } else if (width == 4) {
        equals_32(x, (uint32_t)first, (uint32_t)second, y, begin, end);
    } else {
        equals_16(x, (uint16_t)first, (uint16_t)second, y, begin, end);
    }
}
