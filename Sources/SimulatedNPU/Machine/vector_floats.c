/* SPDX-License-Identifier: Apache-2.0 */
#include "numbers.h"
#include "vector_loops.h"
#include "vector_trigonometry.h"

/* Loops around functions with branches stay scalar. */
#pragma clang diagnostic ignored "-Wpass-failed"

#define EACH(EXPRESSION)                                                                                                                   \
    {                                                                                                                                      \
        for (uint64_t i = 0; i < count; ++i) y[i] = EXPRESSION;                                                                            \
        break;                                                                                                                             \
    }
#define FUNCTION(NAME) EACH((float)wide_##NAME(a[i]))

INLINE float sign_of(float x) {
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x + 0.0f;
}

/* x - trunc(x/y)*y without rounding: quotients of at most 28 bits at a time, whose products with a float32 are exact in float64. */
INLINE float remainder_of(float x, float y) {
    const double size = magnitude(y);
    double rest = magnitude(x);
    if (!(rest <= 0x1.fffffep127) || size == 0.0 || y != y) return __builtin_nanf("");
    while (rest >= size) {
        const int64_t gap = (int64_t)(double_bits(rest) >> 52) - (int64_t)(double_bits(size) >> 52) - 27;
        const double scaled = gap > 0 ? size * bits_double((uint64_t)(1023 + gap) << 52) : size;
        rest -= __builtin_trunc(rest / scaled) * scaled;
        if (rest < 0.0) rest += scaled;
    }
    return (float)with_sign(rest, x);
}

/* The sign of y; a remainder of zero has it, too. */
INLINE float modulo_of(float x, float y) {
    const float rest = remainder_of(x, y);
    if (rest == 0.0f) return (float)with_sign(0.0, y);
    return (rest < 0.0f) != (y < 0.0f) ? rest + y : rest;
}

CLONES static void functions(uint32_t operation, uint64_t count, const float *restrict a, float *restrict y) {
    switch (operation) {
    case NPU_V_EXP:
        FUNCTION(exp)
    case NPU_V_LOG:
        FUNCTION(log)
    case NPU_V_SIN:
        FUNCTION(sin)
    case NPU_V_COS:
        FUNCTION(cos)
    case NPU_V_TAN:
        FUNCTION(tan)
    case NPU_V_ASIN:
        FUNCTION(asin)
    case NPU_V_ACOS:
        FUNCTION(acos)
    case NPU_V_ATAN:
        FUNCTION(atan)
    case NPU_V_SINH:
        FUNCTION(sinh)
    case NPU_V_COSH:
        FUNCTION(cosh)
    case NPU_V_TANH:
        FUNCTION(tanh)
    case NPU_V_ASINH:
        FUNCTION(asinh)
    case NPU_V_ACOSH:
        FUNCTION(acosh)
    case NPU_V_ATANH:
        FUNCTION(atanh)
    case NPU_V_ERF:
        FUNCTION(erf)
    case NPU_V_EXP_MINUS_ONE:
        FUNCTION(expm1)
    case NPU_V_SIGMOID:
        FUNCTION(sigmoid)
    case NPU_V_SOFTPLUS:
        FUNCTION(softplus)
    default:
        break;
    }
}

CLONES void vector_floats(uint32_t operation, uint64_t count, const float *restrict a, const float *restrict b, const float *restrict c,
                          float *restrict y) {
    switch (operation) {
    case NPU_V_COPY:
        EACH(a[i])
    case NPU_V_NEGATE:
        EACH(-a[i])
    case NPU_V_ABSOLUTE:
        EACH(__builtin_fabsf(a[i]))
    case NPU_V_SIGN:
        EACH(sign_of(a[i]))
    case NPU_V_FLOOR:
        EACH(__builtin_floorf(a[i]))
    case NPU_V_CEILING:
        EACH(__builtin_ceilf(a[i]))
    case NPU_V_ROUND:
        EACH(__builtin_rintf(a[i]))
    case NPU_V_SQUARE_ROOT:
        EACH(__builtin_sqrtf(a[i]))
    case NPU_V_HEAD:
        EACH(head_of(a[i]))
    case NPU_V_REST:
        EACH(a[i] - head_of(a[i]))
    case NPU_V_ADD:
        EACH(a[i] + b[i])
    case NPU_V_SUBTRACT:
        EACH(a[i] - b[i])
    case NPU_V_MULTIPLY:
        EACH(a[i] * b[i])
    case NPU_V_DIVIDE:
        EACH(a[i] / b[i])
    case NPU_V_REMAINDER:
        EACH(remainder_of(a[i], b[i]))
    case NPU_V_MODULO:
        EACH(modulo_of(a[i], b[i]))
    case NPU_V_POWER:
        EACH((float)wide_pow(a[i], b[i]))
    case NPU_V_MAXIMUM:
        EACH(a[i] > b[i] || a[i] != a[i] ? a[i] : b[i])
    case NPU_V_MINIMUM:
        EACH(a[i] < b[i] || a[i] != a[i] ? a[i] : b[i])
    case NPU_V_GATE:
        EACH((float)(a[i] * wide_sigmoid((double)c[i] * a[i]) * b[i]))
    case NPU_V_MULTIPLY_ADD:
        EACH(a[i] * b[i] + c[i])
    default:
        functions(operation, count, a, y);
    }
}

CLONES void vector_predicates(uint32_t operation, uint64_t count, const float *restrict a, const float *restrict b, double sign,
                              int64_t *restrict y) {
    switch (operation) {
    case NPU_V_LOGICAL_NOT:
        EACH(a[i] == 0.0f)
    case NPU_V_IS_NAN:
        EACH(a[i] != a[i])
    case NPU_V_IS_INFINITE:
        EACH((sign >= 0.0 && a[i] > 0x1.fffffep127f) || (sign <= 0.0 && a[i] < -0x1.fffffep127f))
    case NPU_V_EQUAL:
        EACH(a[i] == b[i])
    case NPU_V_LESS:
        EACH(a[i] < b[i])
    case NPU_V_LESS_OR_EQUAL:
        EACH(a[i] <= b[i])
    default:
        break;
    }
}
