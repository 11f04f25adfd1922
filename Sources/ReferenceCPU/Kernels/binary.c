/* SPDX-License-Identifier: Apache-2.0 */
#include "elementwise_types.h"
#include <math.h>

/* Loops around functions of the C library stay scalar. */
#pragma clang diagnostic ignored "-Wpass-failed"

/* Each operator is an expression in a and b; the second argument is the type of its result. */
#define BINARY_FLOAT(OPERATOR, TYPE, POWER, REMAINDER_OF)                                                                                  \
    OPERATOR(TYPE, TYPE, ADD, a + b)                                                                                                       \
    OPERATOR(TYPE, TYPE, SUB, a - b)                                                                                                       \
    OPERATOR(TYPE, TYPE, MUL, a *b)                                                                                                        \
    OPERATOR(TYPE, TYPE, DIV, a / b)                                                                                                       \
    OPERATOR(TYPE, TYPE, MAX, a > b || a != a ? a : b)                                                                                     \
    OPERATOR(TYPE, TYPE, MIN, a < b || a != a ? a : b)                                                                                     \
    OPERATOR(TYPE, TYPE, REMAINDER, REMAINDER_OF(a, b))                                                                                    \
    OPERATOR(TYPE, TYPE, PRELU, a < 0 ? a * b : a)                                                                                         \
    OPERATOR(TYPE, TYPE, POW, POWER(a, b))                                                                                                 \
    COMPARISONS(OPERATOR, TYPE)
#define BINARY_FLOAT32(OPERATOR) BINARY_FLOAT(OPERATOR, float, powf, fmodf)
#define BINARY_FLOAT64(OPERATOR) BINARY_FLOAT(OPERATOR, double, pow, fmod)
#define BINARY_BOOL(OPERATOR)                                                                                                              \
    OPERATOR(uint8_t, uint8_t, AND, a &b)                                                                                                  \
    OPERATOR(uint8_t, uint8_t, OR, a | b)                                                                                                  \
    OPERATOR(uint8_t, uint8_t, XOR, a ^ b)

#define DEFINE(TYPE, RESULT, NAME, EXPRESSION) DEFINE_BINARY(CLONES, TYPE, RESULT, NAME, EXPRESSION)
BINARY_FLOAT32(DEFINE)
BINARY_FLOAT64(DEFINE)
BINARY_BOOL(DEFINE)

bool binary_float32(cpu_binary operator, const cpu_walk * walk, const void *a, const void *b, void *y, int64_t begin, int64_t end) {
    switch (operator) { BINARY_FLOAT32(DISPATCH_BINARY) default : return false; }
}

bool binary_float64(cpu_binary operator, const cpu_walk * walk, const void *a, const void *b, void *y, int64_t begin, int64_t end) {
    switch (operator) { BINARY_FLOAT64(DISPATCH_BINARY) default : return false; }
}

bool binary_bool(cpu_binary operator, const cpu_walk * walk, const void *a, const void *b, void *y, int64_t begin, int64_t end) {
    if (operator== CPU_BINARY_EQUAL) return binary_uint8(operator, walk, a, b, y, begin, end);
    switch (operator) { BINARY_BOOL(DISPATCH_BINARY) default : return false; }
}
