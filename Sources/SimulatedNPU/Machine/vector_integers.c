/* SPDX-License-Identifier: Apache-2.0 */
#include "numbers.h"
#include "vector_loops.h"

#define EACH(EXPRESSION)                                                                                                                   \
    {                                                                                                                                      \
        for (uint64_t i = 0; i < count; ++i) {                                                                                             \
            const uint64_t p = (uint64_t)a[i], q = b ? (uint64_t)b[i] : 0;                                                                 \
            const int64_t s = (int64_t)p, t = (int64_t)q;                                                                                  \
            (void)s, (void)t;                                                                                                              \
            y[i] = (int64_t)(EXPRESSION);                                                                                                  \
        }                                                                                                                                  \
        break;                                                                                                                             \
    }
#define LESS(a, b) (isUnsigned ? (uint64_t)(a) < (uint64_t)(b) : (int64_t)(a) < (int64_t)(b))

/* -2^63 / -1 wraps. */
INLINE uint64_t quotient(uint64_t p, uint64_t q, bool isUnsigned) {
    if (q == 0) return 0;
    if (isUnsigned) return p / q;
    return (int64_t)q == -1 ? 0 - p : (uint64_t)((int64_t)p / (int64_t)q);
}

INLINE uint64_t remainder_of(uint64_t p, uint64_t q, bool isUnsigned) {
    return q == 0 ? 0 : p - quotient(p, q, isUnsigned) * q;
}

INLINE uint64_t modulo_of(uint64_t p, uint64_t q, bool isUnsigned) {
    const uint64_t rest = remainder_of(p, q, isUnsigned);
    return !isUnsigned && rest != 0 && (int64_t)(rest ^ q) < 0 ? rest + q : rest;
}

/* Powers with a negative exponent are whole only of 1 and -1; all others truncate to 0. */
static uint64_t power(uint64_t base, uint64_t exponent, bool isUnsigned) {
    if (!isUnsigned && (int64_t)exponent < 0) return base == 1 ? 1 : base == ~(uint64_t)0 ? (exponent & 1 ? base : 1) : 0;
    uint64_t result = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}

CLONES void vector_integers(uint32_t operation, bool isUnsigned, uint32_t bits, uint64_t count, const int64_t *restrict a,
                            const int64_t *restrict b, const int64_t *restrict c, int64_t *restrict y) {
    switch (operation) {
    case NPU_V_COPY:
        EACH(p)
    case NPU_V_NEGATE:
        EACH(0 - p)
    case NPU_V_ABSOLUTE:
        EACH(s < 0 && !isUnsigned ? 0 - p : p)
    case NPU_V_SIGN:
        EACH(isUnsigned ? p != 0 : (s > 0) - (s < 0))
    case NPU_V_FLOOR:
    case NPU_V_CEILING:
    case NPU_V_ROUND:
        EACH(p)
    case NPU_V_LOGICAL_NOT:
        EACH(p == 0)
    case NPU_V_BITWISE_NOT:
        EACH(~p)
    case NPU_V_ADD:
        EACH(p + q)
    case NPU_V_SUBTRACT:
        EACH(p - q)
    case NPU_V_MULTIPLY:
        EACH(p * q)
    case NPU_V_DIVIDE:
        EACH(quotient(p, q, isUnsigned))
    case NPU_V_REMAINDER:
        EACH(remainder_of(p, q, isUnsigned))
    case NPU_V_MODULO:
        EACH(modulo_of(p, q, isUnsigned))
    case NPU_V_POWER:
        EACH(power(p, q, isUnsigned))
    case NPU_V_MAXIMUM:
        EACH(LESS(p, q) ? q : p)
    case NPU_V_MINIMUM:
        EACH(LESS(q, p) ? q : p)
    case NPU_V_AND:
        EACH(p & q)
    case NPU_V_OR:
        EACH(p | q)
    case NPU_V_XOR:
        EACH(p ^ q)
    case NPU_V_SHIFT_LEFT:
        EACH(q < bits ? p << q : 0)
    case NPU_V_SHIFT_RIGHT:
        EACH(q >= bits ? 0 : isUnsigned ? p >> q : (uint64_t)(s >> q))
    case NPU_V_EQUAL:
        EACH(p == q)
    case NPU_V_LESS:
        EACH(LESS(p, q))
    case NPU_V_LESS_OR_EQUAL:
        EACH(!LESS(q, p))
    case NPU_V_MULTIPLY_ADD:
        EACH(p * q + (uint64_t)c[i])
    default:
        break;
    }
}
