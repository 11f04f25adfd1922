/* SPDX-License-Identifier: Apache-2.0 */
#include "elementwise_types.h"

/* WIDE is unsigned and at least as wide as int: arithmetic in it wraps without undefined behaviour, also where short types are promoted. */
#define BINARY_COMMON(OPERATOR, TYPE, WIDE)                                                                                                \
    OPERATOR(TYPE, TYPE, ADD, (WIDE)a + (WIDE)b)                                                                                           \
    OPERATOR(TYPE, TYPE, SUB, (WIDE)a - (WIDE)b)                                                                                           \
    OPERATOR(TYPE, TYPE, MUL, (WIDE)a *(WIDE)b)                                                                                            \
    OPERATOR(TYPE, TYPE, MAX, a > b ? a : b)                                                                                               \
    OPERATOR(TYPE, TYPE, MIN, a < b ? a : b)                                                                                               \
    OPERATOR(TYPE, TYPE, BITWISE_AND, a &b)                                                                                                \
    OPERATOR(TYPE, TYPE, BITWISE_OR, a | b)                                                                                                \
    OPERATOR(TYPE, TYPE, BITWISE_XOR, a ^ b)                                                                                               \
    COMPARISONS(OPERATOR, TYPE)
#define BINARY_SIGNED(OPERATOR, TYPE, WIDE)                                                                                                \
    OPERATOR(TYPE, TYPE, DIV, b == 0 ? 0 : b == -1 ? (TYPE)(0 - (WIDE)a) : a / b)                                                          \
    OPERATOR(TYPE, TYPE, MOD, b == 0 || b == -1 ? 0 : flooring(a % b, b))                                                                  \
    OPERATOR(TYPE, TYPE, REMAINDER, b == 0 || b == -1 ? 0 : a % b)                                                                         \
    OPERATOR(TYPE, TYPE, PRELU, a < 0 ? (TYPE)((WIDE)a * (WIDE)b) : a)                                                                     \
    BINARY_COMMON(OPERATOR, TYPE, WIDE)
#define BINARY_UNSIGNED(OPERATOR, TYPE, WIDE)                                                                                              \
    OPERATOR(TYPE, TYPE, DIV, b == 0 ? 0 : a / b)                                                                                          \
    OPERATOR(TYPE, TYPE, MOD, b == 0 ? 0 : a % b)                                                                                          \
    OPERATOR(TYPE, TYPE, REMAINDER, b == 0 ? 0 : a % b)                                                                                    \
    OPERATOR(TYPE, TYPE, PRELU, ((void)b, a))                                                                                              \
    OPERATOR(TYPE, TYPE, SHIFT_LEFT, b < 8 * sizeof(TYPE) ? (WIDE)a << b : 0)                                                              \
    OPERATOR(TYPE, TYPE, SHIFT_RIGHT, b < 8 * sizeof(TYPE) ? a >> b : 0)                                                                   \
    BINARY_COMMON(OPERATOR, TYPE, WIDE)

/* A remainder that has not the divisor's sign is moved by one divisor. */
INLINE int64_t flooring(int64_t remainder, int64_t divisor) {
    return remainder != 0 && (remainder < 0) != (divisor < 0) ? remainder + divisor : remainder;
}

#define BINARY_INT8(OPERATOR)   BINARY_SIGNED(OPERATOR, int8_t, uint32_t)
#define BINARY_INT16(OPERATOR)  BINARY_SIGNED(OPERATOR, int16_t, uint32_t)
#define BINARY_INT32(OPERATOR)  BINARY_SIGNED(OPERATOR, int32_t, uint32_t)
#define BINARY_INT64(OPERATOR)  BINARY_SIGNED(OPERATOR, int64_t, uint64_t)
#define BINARY_UINT8(OPERATOR)  BINARY_UNSIGNED(OPERATOR, uint8_t, uint32_t)
#define BINARY_UINT16(OPERATOR) BINARY_UNSIGNED(OPERATOR, uint16_t, uint32_t)
#define BINARY_UINT32(OPERATOR) BINARY_UNSIGNED(OPERATOR, uint32_t, uint32_t)
#define BINARY_UINT64(OPERATOR) BINARY_UNSIGNED(OPERATOR, uint64_t, uint64_t)

/* One instruction set is enough here: these loops wait for memory. */
#define DEFINE(TYPE, RESULT, NAME, EXPRESSION) DEFINE_BINARY(, TYPE, RESULT, NAME, EXPRESSION)
#define ENTRY(NAME, TAG)                                                                                                                   \
    BINARY_##TAG(DEFINE) bool binary_##NAME(cpu_binary operator, const cpu_walk * walk, const void *a, const void *b, void *y,             \
                                            int64_t begin, int64_t end) {                                                                  \
        switch (operator) { BINARY_##TAG(DISPATCH_BINARY) default : return false; }                                                        \
    }
INTEGER_TYPES(ENTRY)
