/* SPDX-License-Identifier: Apache-2.0 */
#include "vector_math.h"

/* Each operator is an expression in x, p and q. */
#define UNARY_FLOAT32(OPERATOR)                                                                                                            \
    OPERATOR(float, ABS, magnitude(x))                                                                                                     \
    OPERATOR(float, CEIL, __builtin_ceilf(x))                                                                                              \
    OPERATOR(float, CLIP, clip_float(x, p, q))                                                                                             \
    OPERATOR(float, ERF, vector_erf(x))                                                                                                    \
    OPERATOR(float, EXP, vector_exp(x))                                                                                                    \
    OPERATOR(float, FLOOR, __builtin_floorf(x))                                                                                            \
    OPERATOR(float, HARD_SIGMOID, clip_float(p *x + q, 0.0f, 1.0f))                                                                        \
    OPERATOR(float, HARD_SWISH, x *clip_float(x *(1.0f / 6.0f) + 0.5f, 0.0f, 1.0f))                                                        \
    OPERATOR(float, LEAKY_RELU, x < 0.0f ? p * x : x)                                                                                      \
    OPERATOR(float, LOG, vector_log(x))                                                                                                    \
    OPERATOR(float, NEG, -x)                                                                                                               \
    OPERATOR(float, RECIPROCAL, 1.0f / x)                                                                                                  \
    OPERATOR(float, RELU, x < 0.0f ? 0.0f : x)                                                                                             \
    OPERATOR(float, ROUND, __builtin_rintf(x))                                                                                             \
    OPERATOR(float, SIGMOID, vector_sigmoid(x))                                                                                            \
    OPERATOR(float, SIGN, x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x + 0.0f)                                                                   \
    OPERATOR(float, SOFTSIGN, x / (1.0f + magnitude(x)))                                                                                   \
    OPERATOR(float, SQRT, __builtin_sqrtf(x))                                                                                              \
    OPERATOR(float, TANH, vector_tanh(x))                                                                                                  \
    OPERATOR(float, THRESHOLDED_RELU, x <= p ? 0.0f : x)

#define UNARY_FLOAT64(OPERATOR)                                                                                                            \
    OPERATOR(double, ABS, __builtin_fabs(x))                                                                                               \
    OPERATOR(double, CEIL, __builtin_ceil(x))                                                                                              \
    OPERATOR(double, CLIP, clip_double(x, p, q))                                                                                           \
    OPERATOR(double, FLOOR, __builtin_floor(x))                                                                                            \
    OPERATOR(double, LEAKY_RELU, x < 0.0 ? p * x : x)                                                                                      \
    OPERATOR(double, NEG, -x)                                                                                                              \
    OPERATOR(double, RECIPROCAL, 1.0 / x)                                                                                                  \
    OPERATOR(double, RELU, x < 0.0 ? 0.0 : x)                                                                                              \
    OPERATOR(double, ROUND, __builtin_rint(x))                                                                                             \
    OPERATOR(double, SIGN, x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x + 0.0)                                                                       \
    OPERATOR(double, SQRT, __builtin_sqrt(x))                                                                                              \
    OPERATOR(double, THRESHOLDED_RELU, x <= p ? 0.0 : x)

/* The negative of the smallest integer is itself. */
#define UNARY_INTEGER(OPERATOR, TYPE, UNSIGNED)                                                                                            \
    OPERATOR(TYPE, ABS, x < 0 ? (TYPE)(0 - (UNSIGNED)x) : x)                                                                               \
    OPERATOR(TYPE, CLIP, (x < p ? p : x) > q ? q : (x < p ? p : x))                                                                        \
    OPERATOR(TYPE, NEG, (TYPE)(0 - (UNSIGNED)x))                                                                                           \
    OPERATOR(TYPE, RELU, x < 0 ? 0 : x)                                                                                                    \
    OPERATOR(TYPE, SIGN, (x > 0) - (x < 0))
#define UNARY_INT32(OPERATOR) UNARY_INTEGER(OPERATOR, int32_t, uint32_t)
#define UNARY_INT64(OPERATOR) UNARY_INTEGER(OPERATOR, int64_t, uint64_t)

/* NaN comes through; where low > high, high wins. */
INLINE float clip_float(float x, float low, float high) {
    float raised = x < low ? low : x;
    return raised > high ? high : raised;
}
INLINE double clip_double(double x, double low, double high) {
    double raised = x < low ? low : x;
    return raised > high ? high : raised;
}

#define DEFINE(TYPE, NAME, EXPRESSION)                                                                                                     \
    CLONES static void unary_##TYPE##_##NAME(const TYPE *parameters, const void *from, void *to, int64_t begin, int64_t end) {             \
        typedef TYPE element UNALIGNED;                                                                                                    \
        const element *input = from;                                                                                                       \
        element *output = to;                                                                                                              \
        const TYPE p = parameters[0], q = parameters[1];                                                                                   \
        (void)p, (void)q;                                                                                                                  \
        EACH(int64_t i = begin; i < end; ++i) {                                                                                            \
            const TYPE x = input[i];                                                                                                       \
            output[i] = EXPRESSION;                                                                                                        \
        }                                                                                                                                  \
    }
UNARY_FLOAT32(DEFINE)
UNARY_FLOAT64(DEFINE)
UNARY_INT32(DEFINE)
UNARY_INT64(DEFINE)

#define DISPATCH(TYPE, NAME, EXPRESSION)                                                                                                   \
    case CPU_UNARY_##NAME:                                                                                                                 \
        unary_##TYPE##_##NAME(parameters, x, y, begin, end);                                                                               \
        return true;

void cpu_unary_float32(cpu_unary operator, const float parameters[2], const void *x, void *y, int64_t begin, int64_t end) {
#define DISPATCH_VOID(TYPE, NAME, EXPRESSION)                                                                                              \
    case CPU_UNARY_##NAME:                                                                                                                 \
        unary_##TYPE##_##NAME(parameters, x, y, begin, end);                                                                               \
        return;
    switch (operator) { UNARY_FLOAT32(DISPATCH_VOID) }
}

bool cpu_unary_float64(cpu_unary operator, const double parameters[2], const void *x, void *y, int64_t begin, int64_t end) {
    switch (operator) { UNARY_FLOAT64(DISPATCH) default : return false; }
}

bool cpu_unary_int32(cpu_unary operator, const int32_t parameters[2], const void *x, void *y, int64_t begin, int64_t end) {
    switch (operator) { UNARY_INT32(DISPATCH) default : return false; }
}

bool cpu_unary_int64(cpu_unary operator, const int64_t parameters[2], const void *x, void *y, int64_t begin, int64_t end) {
    switch (operator) { UNARY_INT64(DISPATCH) default : return false; }
}

CLONES void cpu_not(const void *x, void *y, int64_t begin, int64_t end) {
    const uint8_t *input = x;
    uint8_t *output = y;
    EACH(int64_t i = begin; i < end; ++i) output[i] = !input[i];
}
