/* SPDX-License-Identifier: Apache-2.0
 *
 * npu_vector.h - what the vector unit of the simulated NPU can do, and what it costs.
 *
 * Operations work in one domain: in float32 if an operand is a float, else in 64-bit integers (unsigned if an operand is UINT64), wrapping. Results are rounded or wrapped
 * once, to the destination's type: floats to nearest, ties to even; floats to integers truncate and saturate, NaN gives 0; whatever is not zero is a true BOOL.
 *
 * Functions are evaluated by polynomials of our own in a wider format inside the unit and rounded to float32: within NPU_VECTOR_FUNCTION_ERROR ULP of the exact
 * function of the float32 operand, with the same bits on every machine.
 */
#ifndef NPU_VECTOR_H
#define NPU_VECTOR_H

#include "npu.h"

/* Of every function below, in ULP of float32, measured. */
#define NPU_VECTOR_FUNCTION_ERROR 1.0

typedef enum npu_vector_operation {
    /* One operand. */
    NPU_V_COPY, /* a, converted to the destination's type */
    NPU_V_NEGATE,
    NPU_V_ABSOLUTE,
    NPU_V_SIGN,
    NPU_V_FLOOR,
    NPU_V_CEILING,
    NPU_V_ROUND,       /* to an integer, ties to even           */
    NPU_V_LOGICAL_NOT, /* a == 0                                */
    NPU_V_BITWISE_NOT, /* integers                              */
    NPU_V_IS_NAN,
    NPU_V_IS_INFINITE, /* of the sign of `parameter`; 0: either */
    NPU_V_SQUARE_ROOT, /* correctly rounded                     */
    NPU_V_EXP,
    NPU_V_LOG,
    NPU_V_SIN,
    NPU_V_COS,
    NPU_V_TAN,
    NPU_V_ASIN,
    NPU_V_ACOS,
    NPU_V_ATAN,
    NPU_V_SINH,
    NPU_V_COSH,
    NPU_V_TANH,
    NPU_V_ASINH,
    NPU_V_ACOSH,
    NPU_V_ATANH,
    NPU_V_ERF,
    NPU_V_EXP_MINUS_ONE,
    NPU_V_SIGMOID,  /* 1 / (1 + exp(-a))  */
    NPU_V_SOFTPLUS, /* log(1 + exp(a))    */
    NPU_V_HEAD,     /* the nearest bfloat16, but a finite number stays finite */
    NPU_V_REST,     /* a - head(a), exact */
    /* None: the place of an element, an integer. */
    NPU_V_ROW,    /* row + parameter    */
    NPU_V_COLUMN, /* column + parameter */
    /* Two. */
    NPU_V_ADD,
    NPU_V_SUBTRACT,
    NPU_V_MULTIPLY,
    NPU_V_DIVIDE,    /* correctly rounded; integers truncate, divided by zero give zero */
    NPU_V_REMAINDER, /* of a division that truncates: the sign of a; exact */
    NPU_V_MODULO,    /* of a division that rounds down: the sign of b; exact for integers */
    NPU_V_POWER,     /* integers wrap */
    NPU_V_MAXIMUM,   /* NaN if an operand is */
    NPU_V_MINIMUM,
    NPU_V_AND, /* bits of integers */
    NPU_V_OR,
    NPU_V_XOR,
    NPU_V_SHIFT_LEFT, /* by `parameter` bits or more, the width of the type: 0 */
    NPU_V_SHIFT_RIGHT,
    NPU_V_EQUAL, /* 0 or 1, an integer */
    NPU_V_LESS,
    NPU_V_LESS_OR_EQUAL,
    NPU_V_SCALE, /* integer a times float b, rounded once */
    /* Three. */
    NPU_V_SELECT,       /* a != 0 ? b : c, in the domain of b and c */
    NPU_V_MULTIPLY_ADD, /* a * b + c, rounded twice */
    NPU_V_GATE,         /* a * sigmoid(c * a) * b, rounded once */
    /* Reductions of each row of a to one element: blocks of 512 elements in sixteen interleaved parts, each in order, the parts in pairs, and the blocks in order. */
    NPU_V_SUM,
    NPU_V_SUM_OF_SQUARES,
    NPU_V_SUM_OF_MAGNITUDES,
    NPU_V_PRODUCT,
    NPU_V_GREATEST, /* NaN if an element is */
    NPU_V_LEAST,
    NPU_V_GREATEST_INDEX, /* of the first, or with NPU_VECTOR_LAST the last of them; a NaN is greatest and least */
    NPU_V_LEAST_INDEX,
    /* Along each row, one result per element; unless `parameter` is 0 without the element itself. An operand b, one element per row, is what it starts from and
     * what it leaves its sum in. */
    NPU_V_RUNNING_SUM,
    NPU_V_OPERATION_COUNT,
} npu_vector_operation;

/* An operand is not in memory but `parameter`. */
#define NPU_VECTOR_CONSTANT_A (1u << 0)
#define NPU_VECTOR_CONSTANT_B (1u << 1)
#define NPU_VECTOR_CONSTANT_C (1u << 2)
/* A reduction goes on from what the destination holds (not those to an index). */
#define NPU_VECTOR_ACCUMULATE (1u << 3)
#define NPU_VECTOR_LAST       (1u << 4)

/* Carries the instruction out; `memory[space]` are the core's local memories. The destination may be exactly an operand's elements. */
void npu_vector_run(const npu_vector *instruction, unsigned char *const memory[NPU_SPACE_COUNT]);
/* Elements that one operation takes the unit for, in plain operations per element: 1 for an addition. */
double npu_vector_cost(uint32_t operation);
/* Whether the operation gives one element per row. */
bool npu_vector_reduces(uint32_t operation);
/* The operations of a roofline per element: 1 for all that compute, 0 for copies. */
double npu_vector_useful(uint32_t operation);
/* NULL, or why the unit does not take it: an unknown operation or type, or a type that the operation is not for. */
const char *npu_vector_refusal(const npu_vector *instruction);

#endif
