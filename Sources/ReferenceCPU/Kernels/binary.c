/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include <math.h>

/* Each operator is an expression in a and b; the second argument is the type of its result. */
#define BINARY_FLOAT(OPERATOR, TYPE, POWER)                                                                                                \
    OPERATOR(TYPE, TYPE, ADD, a + b)                                                                                                       \
    OPERATOR(TYPE, TYPE, SUB, a - b)                                                                                                       \
    OPERATOR(TYPE, TYPE, MUL, a *b)                                                                                                        \
    OPERATOR(TYPE, TYPE, DIV, a / b)                                                                                                       \
    OPERATOR(TYPE, TYPE, MAX, a > b || a != a ? a : b)                                                                                     \
    OPERATOR(TYPE, TYPE, MIN, a < b || a != a ? a : b)                                                                                     \
    OPERATOR(TYPE, TYPE, PRELU, a < 0 ? a * b : a)                                                                                         \
    OPERATOR(TYPE, TYPE, POW, POWER(a, b))                                                                                                 \
    COMPARISONS(OPERATOR, TYPE)

#define BINARY_INTEGER(OPERATOR, TYPE, UNSIGNED)                                                                                           \
    OPERATOR(TYPE, TYPE, ADD, (TYPE)((UNSIGNED)a + (UNSIGNED)b))                                                                           \
    OPERATOR(TYPE, TYPE, SUB, (TYPE)((UNSIGNED)a - (UNSIGNED)b))                                                                           \
    OPERATOR(TYPE, TYPE, MUL, (TYPE)((UNSIGNED)a * (UNSIGNED)b))                                                                           \
    OPERATOR(TYPE, TYPE, DIV, b == 0 ? 0 : b == -1 ? (TYPE)(0 - (UNSIGNED)a) : a / b)                                                      \
    OPERATOR(TYPE, TYPE, MAX, a > b ? a : b)                                                                                               \
    OPERATOR(TYPE, TYPE, MIN, a < b ? a : b)                                                                                               \
    OPERATOR(TYPE, TYPE, PRELU, a < 0 ? (TYPE)((UNSIGNED)a * (UNSIGNED)b) : a)                                                             \
    COMPARISONS(OPERATOR, TYPE)

#define COMPARISONS(OPERATOR, TYPE)                                                                                                        \
    OPERATOR(TYPE, uint8_t, EQUAL, a == b)                                                                                                 \
    OPERATOR(TYPE, uint8_t, LESS, a < b)                                                                                                   \
    OPERATOR(TYPE, uint8_t, LESS_OR_EQUAL, a <= b)                                                                                         \
    OPERATOR(TYPE, uint8_t, GREATER, a > b)                                                                                                \
    OPERATOR(TYPE, uint8_t, GREATER_OR_EQUAL, a >= b)

#define BINARY_FLOAT32(OPERATOR) BINARY_FLOAT(OPERATOR, float, powf)
#define BINARY_FLOAT64(OPERATOR) BINARY_FLOAT(OPERATOR, double, pow)
#define BINARY_INT32(OPERATOR)   BINARY_INTEGER(OPERATOR, int32_t, uint32_t)
#define BINARY_INT64(OPERATOR)   BINARY_INTEGER(OPERATOR, int64_t, uint64_t)
#define BINARY_BOOL(OPERATOR)                                                                                                              \
    OPERATOR(uint8_t, uint8_t, AND, a &b)                                                                                                  \
    OPERATOR(uint8_t, uint8_t, OR, a | b)                                                                                                  \
    OPERATOR(uint8_t, uint8_t, XOR, a ^ b)                                                                                                 \
    OPERATOR(uint8_t, uint8_t, EQUAL, a == b)

/* Row by row along the walk, with loops of their own for the three cases that make up nearly all of the work. */
#define DEFINE(TYPE, RESULT, NAME, EXPRESSION)                                                                                             \
    CLONES static void binary_##TYPE##_##NAME(const cpu_walk *walk, const void *first, const void *second, void *to, int64_t begin,        \
                                              int64_t end) {                                                                               \
        typedef TYPE element UNALIGNED;                                                                                                    \
        typedef RESULT result UNALIGNED;                                                                                                   \
        const int64_t step_a = walk->strides[0][walk->rank - 1], step_b = walk->strides[1][walk->rank - 1];                                \
        cursor at;                                                                                                                         \
        cursor_place(&at, walk, begin);                                                                                                    \
        for (int64_t done = begin; done < end;) {                                                                                          \
            const int64_t count = cursor_run(&at, walk, end - done);                                                                       \
            const element *row_a = (const element *)first + at.offset[0], *row_b = (const element *)second + at.offset[1];                 \
            result *output = (result *)to + done;                                                                                          \
            if (step_a == 1 && step_b == 1) {                                                                                              \
                EACH(int64_t i = 0; i < count; ++i) {                                                                                      \
                    const TYPE a = row_a[i], b = row_b[i];                                                                                 \
                    output[i] = EXPRESSION;                                                                                                \
                }                                                                                                                          \
            } else if (step_a == 1 && step_b == 0) {                                                                                       \
                const TYPE b = *row_b;                                                                                                     \
                EACH(int64_t i = 0; i < count; ++i) {                                                                                      \
                    const TYPE a = row_a[i];                                                                                               \
                    output[i] = EXPRESSION;                                                                                                \
                }                                                                                                                          \
            } else if (step_a == 0 && step_b == 1) {                                                                                       \
                const TYPE a = *row_a;                                                                                                     \
                EACH(int64_t i = 0; i < count; ++i) {                                                                                      \
                    const TYPE b = row_b[i];                                                                                               \
                    output[i] = EXPRESSION;                                                                                                \
                }                                                                                                                          \
            } else {                                                                                                                       \
                for (int64_t i = 0; i < count; ++i) {                                                                                      \
                    const TYPE a = row_a[i * step_a], b = row_b[i * step_b];                                                               \
                    output[i] = EXPRESSION;                                                                                                \
                }                                                                                                                          \
            }                                                                                                                              \
            done += count;                                                                                                                 \
            cursor_advance(&at, walk, count);                                                                                              \
        }                                                                                                                                  \
    }
BINARY_FLOAT32(DEFINE)
BINARY_FLOAT64(DEFINE)
BINARY_INT32(DEFINE)
BINARY_INT64(DEFINE)
BINARY_BOOL(DEFINE)

#define DISPATCH(TYPE, RESULT, NAME, EXPRESSION)                                                                                           \
    case CPU_BINARY_##NAME:                                                                                                                \
        binary_##TYPE##_##NAME(walk, a, b, y, begin, end);                                                                                 \
        return true;
#define ENTRY(SUFFIX, LIST)                                                                                                                \
    bool cpu_binary_##SUFFIX(cpu_binary operator, const cpu_walk * walk, const void *a, const void *b, void *y, int64_t begin,             \
                             int64_t end) {                                                                                                \
        switch (operator) { LIST(DISPATCH) default : return false; }                                                                       \
    }
ENTRY(float32, BINARY_FLOAT32)
ENTRY(float64, BINARY_FLOAT64)
ENTRY(int32, BINARY_INT32)
ENTRY(int64, BINARY_INT64)
ENTRY(bool, BINARY_BOOL)
