/* SPDX-License-Identifier: Apache-2.0
 *
 * Elementwise loops: an item is an element of the output. What holds for every function is in kernels.h.
 */
#ifndef REFERENCE_CPU_ELEMENTWISE_H
#define REFERENCE_CPU_ELEMENTWISE_H

#include "kernels.h"

/* Bytes of an element. */
int32_t cpu_type_width(cpu_type type);

/* Floats to integers truncate and saturate, NaN gives 0; integers to narrower integers wrap; everything but zero is true; all else rounds once, to nearest. */
void cpu_cast(cpu_type from, cpu_type to, const void *x, void *y, int64_t begin, int64_t end);

/* Float16 or bfloat16 to float32 and back. */
void cpu_widen(cpu_type from, const void *x, float *y, int64_t begin, int64_t end);
void cpu_narrow(cpu_type to, const float *x, void *y, int64_t begin, int64_t end);

/* Operators of one input. `p` and `q` below are parameters[0] and parameters[1]. */
typedef enum cpu_unary {
    CPU_UNARY_ABS,
    CPU_UNARY_ACOS,
    CPU_UNARY_ACOSH,
    CPU_UNARY_ASIN,
    CPU_UNARY_ASINH,
    CPU_UNARY_ATAN,
    CPU_UNARY_ATANH,
    CPU_UNARY_BITWISE_NOT, /* integers only */
    CPU_UNARY_CEIL,
    CPU_UNARY_CELU, /* alpha p */
    CPU_UNARY_CLIP, /* to p ... q */
    CPU_UNARY_COS,
    CPU_UNARY_COSH,
    CPU_UNARY_ELU, /* alpha p */
    CPU_UNARY_ERF,
    CPU_UNARY_EXP,
    CPU_UNARY_FLOOR,
    CPU_UNARY_GELU,
    CPU_UNARY_GELU_TANH,
    CPU_UNARY_HARD_SIGMOID, /* max(0, min(1, p*x + q)) */
    CPU_UNARY_HARD_SWISH,
    CPU_UNARY_LEAKY_RELU, /* p*x below zero */
    CPU_UNARY_LOG,
    CPU_UNARY_MISH,
    CPU_UNARY_NEG,
    CPU_UNARY_RECIPROCAL,
    CPU_UNARY_RELU,
    CPU_UNARY_ROUND,  /* ties to even */
    CPU_UNARY_SELU,   /* alpha p, gamma q */
    CPU_UNARY_SHRINK, /* bias p, lambda q */
    CPU_UNARY_SIGMOID,
    CPU_UNARY_SIGN,
    CPU_UNARY_SIN,
    CPU_UNARY_SINH,
    CPU_UNARY_SOFTPLUS,
    CPU_UNARY_SOFTSIGN,
    CPU_UNARY_SQRT,
    CPU_UNARY_SWISH, /* alpha p */
    CPU_UNARY_TAN,
    CPU_UNARY_TANH,
    CPU_UNARY_THRESHOLDED_RELU /* 0 unless above p */
} cpu_unary;

/*
 * Parameters are in float64 for floats, in int64 (or the bits of uint64) for integers. False, with nothing done, where the type does not have the operator.
 * The floats of 16 bits are computed in float32; the float64 of functions that are more than one rounding is the C library's.
 */
typedef union cpu_parameters {
    double floats[2];
    int64_t integers[2];
} cpu_parameters;
bool cpu_elementwise(cpu_unary operator, cpu_type type, cpu_parameters parameters, const void *x, void *y, int64_t begin, int64_t end);

/* y = !x on booleans. */
void cpu_not(const void *x, void *y, int64_t begin, int64_t end);

/* Whether elements of a float type are NaN, or an infinity of a wanted sign; y is bool. */
void cpu_is_nan(cpu_type type, const void *x, void *y, int64_t begin, int64_t end);
void cpu_is_infinite(cpu_type type, bool positive, bool negative, const void *x, void *y, int64_t begin, int64_t end);

/* Operators of two inputs; a NaN in either input of MAX and MIN comes through. Integers wrap, and divided by zero give zero. */
typedef enum cpu_binary {
    CPU_BINARY_ADD,
    CPU_BINARY_SUB,
    CPU_BINARY_MUL,
    CPU_BINARY_DIV,
    CPU_BINARY_MAX,
    CPU_BINARY_MIN,
    CPU_BINARY_MOD,       /* the sign of b; integers only */
    CPU_BINARY_REMAINDER, /* the sign of a */
    CPU_BINARY_PRELU,     /* a*b where a is below zero, else a */
    CPU_BINARY_POW,       /* floats only */
    /* Integers only; a shift by the width or more gives 0. */
    CPU_BINARY_BITWISE_AND,
    CPU_BINARY_BITWISE_OR,
    CPU_BINARY_BITWISE_XOR,
    CPU_BINARY_SHIFT_LEFT,
    CPU_BINARY_SHIFT_RIGHT,
    /* The output of these is bool. */
    CPU_BINARY_EQUAL,
    CPU_BINARY_LESS,
    CPU_BINARY_LESS_OR_EQUAL,
    CPU_BINARY_GREATER,
    CPU_BINARY_GREATER_OR_EQUAL,
    /* Inputs and output of these are bool. */
    CPU_BINARY_AND,
    CPU_BINARY_OR,
    CPU_BINARY_XOR
} cpu_binary;

/* Operands 0 and 1 of `walk` are a and b; y is dense. False, with nothing done, where the type does not have the operator. */
bool cpu_pairwise(cpu_binary operator, cpu_type type, const cpu_walk *walk, const void *a, const void *b, void *y, int64_t begin,
                  int64_t end);

/*
 * Folds `count` operands from the left with ADD, MAX or MIN; `walks[i]` has operand 0 alone, x[i]. `mean` divides by their number (floats only).
 * The sums of the floats of 16 bits are kept in float32. At least one operand, and CPU_FOLD_OPERANDS at most.
 */
#define CPU_FOLD_OPERANDS 64
bool cpu_fold(cpu_binary operator, cpu_type type, bool mean, int32_t count, const cpu_walk *const *walks, const void *const *x, void *y,
              int64_t begin, int64_t end);

/* y = condition ? a : b for elements of `width` bytes (1, 2, 4 or 8). Operands: condition (bool), a, b; y is dense. */
void cpu_where(int32_t width, const cpu_walk *walk, const void *condition, const void *a, const void *b, void *y, int64_t begin,
               int64_t end);

#endif
