/* SPDX-License-Identifier: Apache-2.0 */
#include "convert.h"
#include "double_math.h"
#include "elementwise_types.h"
#include "vector_math.h"
#include <math.h>

/* Each operator is an expression in x, p and q. */
#define UNARY_FLOAT32(OPERATOR)                                                                                                            \
    OPERATOR(float, ABS, magnitude(x))                                                                                                     \
    OPERATOR(float, ACOS, acos64(x))                                                                                                       \
    OPERATOR(float, ACOSH, acosh64(x))                                                                                                     \
    OPERATOR(float, ASIN, asin64(x))                                                                                                       \
    OPERATOR(float, ASINH, asinh64(x))                                                                                                     \
    OPERATOR(float, ATAN, atan64(x))                                                                                                       \
    OPERATOR(float, ATANH, atanh64(x))                                                                                                     \
    OPERATOR(float, CEIL, __builtin_ceilf(x))                                                                                              \
    OPERATOR(float, CELU, (x < 0.0f ? 0.0 : (double)x) + least0(p * expm1_64((double)x / (double)p)))                                      \
    OPERATOR(float, CLIP, clip_float(x, p, q))                                                                                             \
    OPERATOR(float, COSH, cosh64(x))                                                                                                       \
    OPERATOR(float, ELU, x < 0.0f ? (double)p * expm1_64(x) : (double)x)                                                                   \
    OPERATOR(float, ERF, vector_erf(x))                                                                                                    \
    OPERATOR(float, EXP, vector_exp(x))                                                                                                    \
    OPERATOR(float, FLOOR, __builtin_floorf(x))                                                                                            \
    OPERATOR(float, GELU, gelu64(x))                                                                                                       \
    OPERATOR(float, GELU_TANH, gelu_tanh64(x))                                                                                             \
    OPERATOR(float, HARD_SIGMOID, clip_float(p *x + q, 0.0f, 1.0f))                                                                        \
    OPERATOR(float, HARD_SWISH, x *clip_float(x *(1.0f / 6.0f) + 0.5f, 0.0f, 1.0f))                                                        \
    OPERATOR(float, LEAKY_RELU, x < 0.0f ? p * x : x)                                                                                      \
    OPERATOR(float, LOG, vector_log(x))                                                                                                    \
    OPERATOR(float, MISH, mish64(x))                                                                                                       \
    OPERATOR(float, NEG, -x)                                                                                                               \
    OPERATOR(float, RECIPROCAL, 1.0f / x)                                                                                                  \
    OPERATOR(float, RELU, x < 0.0f ? 0.0f : x)                                                                                             \
    OPERATOR(float, ROUND, __builtin_rintf(x))                                                                                             \
    OPERATOR(float, SELU, (double)q *(x > 0.0f ? (double)x : p * expm1_64(x)))                                                             \
    OPERATOR(float, SHRINK, x<-q ? x + p : x> q ? x - p : x == x ? 0.0f : x)                                                               \
    OPERATOR(float, SIGMOID, vector_sigmoid(x))                                                                                            \
    OPERATOR(float, SIGN, x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x + 0.0f)                                                                   \
    OPERATOR(float, SINH, sinh64(x))                                                                                                       \
    OPERATOR(float, SOFTPLUS, softplus64(x))                                                                                               \
    OPERATOR(float, SOFTSIGN, x / (1.0 + magnitude64(x)))                                                                                  \
    OPERATOR(float, SQRT, __builtin_sqrtf(x))                                                                                              \
    OPERATOR(float, SWISH, x *sigmoid64((double)p *(double)x))                                                                             \
    OPERATOR(float, TANH, vector_tanh(x))                                                                                                  \
    OPERATOR(float, THRESHOLDED_RELU, x <= p ? 0.0f : x)

/* NaN comes through; where low > high, high wins. */
INLINE float clip_float(float x, float low, float high) {
    float raised = x < low ? low : x;
    return raised > high ? high : raised;
}

INLINE double least0(double x) {
    return x > 0.0 ? 0.0 : x;
}

#define DEFINE(TYPE, NAME, EXPRESSION) DEFINE_UNARY(CLONES, double, TYPE, NAME, EXPRESSION)
UNARY_FLOAT32(DEFINE)

/*
 * For operators with a parameter, which has more digits than a float of 16 bits: rounded to float32 and then to 16 bits it would be rounded twice. So these round
 * to odd first (see to_odd_float).
 */
#define DEFINE_ODD(NAME, EXPRESSION)                                                                                                       \
    CLONES static void unary_odd_##NAME(const double *parameters, const float *input, float *output, int64_t count) {                      \
        const double p = parameters[0], q = parameters[1];                                                                                 \
        (void)q;                                                                                                                           \
        EACH(int64_t i = 0; i < count; ++i) {                                                                                              \
            const double x = input[i];                                                                                                     \
            output[i] = to_odd_float(EXPRESSION);                                                                                          \
        }                                                                                                                                  \
    }
DEFINE_ODD(LEAKY_RELU, x < 0.0 ? p * x : x)
DEFINE_ODD(SHRINK, x<-q ? x + p : x> q ? x - p : x == x ? 0.0 : x)

void unary_before_narrowing(cpu_unary operator, const double * parameters, const float *x, float *y, int64_t count) {
    if (operator== CPU_UNARY_LEAKY_RELU)
        unary_odd_LEAKY_RELU(parameters, x, y, count);
    else if (operator== CPU_UNARY_SHRINK)
        unary_odd_SHRINK(parameters, x, y, count);
    else
        unary_float32(operator, parameters, x, y, 0, count);
}

/* Angles beyond LARGEST_ANGLE are rare and need a reduction of hundreds of bits: those are left to the C library, one by one. */
#define DEFINE_ANGULAR(NAME, EXPRESSION, LIBRARY)                                                                                          \
    CLONES static void unary_float_##NAME(const double *parameters, const void *from, void *to, int64_t begin, int64_t end) {              \
        enum { BLOCK = 256 };                                                                                                              \
        const float32_u *input = from;                                                                                                     \
        float32_u *output = to;                                                                                                            \
        (void)parameters;                                                                                                                  \
        for (int64_t at = begin; at < end; at += BLOCK) {                                                                                  \
            const int64_t last = minimum(at + BLOCK, end);                                                                                 \
            int32_t large = 0;                                                                                                             \
            for (int64_t i = at; i < last; ++i) large |= magnitude(input[i]) > LARGEST_ANGLE;                                              \
            if (!large) {                                                                                                                  \
                EACH(int64_t i = at; i < last; ++i) {                                                                                      \
                    const double x = input[i];                                                                                             \
                    output[i] = (float)(EXPRESSION);                                                                                       \
                }                                                                                                                          \
            } else {                                                                                                                       \
                for (int64_t i = at; i < last; ++i) {                                                                                      \
                    const double x = input[i];                                                                                             \
                    output[i] = (float)(magnitude64(x) > LARGEST_ANGLE ? LIBRARY(x) : (EXPRESSION));                                       \
                }                                                                                                                          \
            }                                                                                                                              \
        }                                                                                                                                  \
    }
DEFINE_ANGULAR(SIN, turned_sine(x, 0), sin)
DEFINE_ANGULAR(COS, turned_sine(x, 1), cos)
DEFINE_ANGULAR(TAN, tan64(x), tan)

bool unary_float32(cpu_unary operator, const double * parameters, const void *x, void *y, int64_t begin, int64_t end) {
    switch (operator) {
        UNARY_FLOAT32(DISPATCH_UNARY)
        DISPATCH_UNARY(float, SIN, )
        DISPATCH_UNARY(float, COS, )
        DISPATCH_UNARY(float, TAN, )
    default:
        return false;
    }
}
