/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "vector_operations.h"

#define FUNCTION_OF_ONE(COST)                                                                                                              \
    { 1, ELEMENTWISE, FLOATS, 0, COST }

const vector_operation vector_operations[NPU_V_OPERATION_COUNT] = {
    [NPU_V_COPY] = {1, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_NEGATE] = {1, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_ABSOLUTE] = {1, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_SIGN] = {1, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_FLOOR] = {1, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_CEILING] = {1, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_ROUND] = {1, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_LOGICAL_NOT] = {1, ELEMENTWISE, ALL, 1, 1},
    [NPU_V_BITWISE_NOT] = {1, ELEMENTWISE, INTEGERS, 0, 1},
    [NPU_V_IS_NAN] = {1, ELEMENTWISE, FLOATS, 1, 1},
    [NPU_V_IS_INFINITE] = {1, ELEMENTWISE, FLOATS, 1, 1},
    [NPU_V_SQUARE_ROOT] = FUNCTION_OF_ONE(4),
    [NPU_V_EXP] = FUNCTION_OF_ONE(8),
    [NPU_V_LOG] = FUNCTION_OF_ONE(8),
    [NPU_V_SIN] = FUNCTION_OF_ONE(12),
    [NPU_V_COS] = FUNCTION_OF_ONE(12),
    [NPU_V_TAN] = FUNCTION_OF_ONE(16),
    [NPU_V_ASIN] = FUNCTION_OF_ONE(16),
    [NPU_V_ACOS] = FUNCTION_OF_ONE(16),
    [NPU_V_ATAN] = FUNCTION_OF_ONE(16),
    [NPU_V_SINH] = FUNCTION_OF_ONE(12),
    [NPU_V_COSH] = FUNCTION_OF_ONE(12),
    [NPU_V_TANH] = FUNCTION_OF_ONE(8),
    [NPU_V_ASINH] = FUNCTION_OF_ONE(16),
    [NPU_V_ACOSH] = FUNCTION_OF_ONE(16),
    [NPU_V_ATANH] = FUNCTION_OF_ONE(16),
    [NPU_V_ERF] = FUNCTION_OF_ONE(12),
    [NPU_V_EXP_MINUS_ONE] = FUNCTION_OF_ONE(8),
    [NPU_V_SIGMOID] = FUNCTION_OF_ONE(8),
    [NPU_V_SOFTPLUS] = FUNCTION_OF_ONE(12),
    [NPU_V_HEAD] = FUNCTION_OF_ONE(1),
    [NPU_V_REST] = FUNCTION_OF_ONE(1),
    [NPU_V_ROW] = {0, PLACE, ALL, 0, 1},
    [NPU_V_COLUMN] = {0, PLACE, ALL, 0, 1},
    [NPU_V_ADD] = {2, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_SUBTRACT] = {2, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_MULTIPLY] = {2, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_DIVIDE] = {2, ELEMENTWISE, ALL, 0, 4},
    [NPU_V_REMAINDER] = {2, ELEMENTWISE, ALL, 0, 8},
    [NPU_V_MODULO] = {2, ELEMENTWISE, ALL, 0, 8},
    [NPU_V_POWER] = {2, ELEMENTWISE, ALL, 0, 16},
    [NPU_V_MAXIMUM] = {2, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_MINIMUM] = {2, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_AND] = {2, ELEMENTWISE, INTEGERS, 0, 1},
    [NPU_V_OR] = {2, ELEMENTWISE, INTEGERS, 0, 1},
    [NPU_V_XOR] = {2, ELEMENTWISE, INTEGERS, 0, 1},
    [NPU_V_SHIFT_LEFT] = {2, ELEMENTWISE, INTEGERS, 0, 1},
    [NPU_V_SHIFT_RIGHT] = {2, ELEMENTWISE, INTEGERS, 0, 1},
    [NPU_V_EQUAL] = {2, ELEMENTWISE, ALL, 1, 1},
    [NPU_V_LESS] = {2, ELEMENTWISE, ALL, 1, 1},
    [NPU_V_LESS_OR_EQUAL] = {2, ELEMENTWISE, ALL, 1, 1},
    [NPU_V_SCALE] = {2, ELEMENTWISE, INTEGERS, 0, 1},
    [NPU_V_SELECT] = {3, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_MULTIPLY_ADD] = {3, ELEMENTWISE, ALL, 0, 1},
    [NPU_V_GATE] = {3, ELEMENTWISE, FLOATS, 0, 12},
    [NPU_V_SUM] = {1, REDUCTION, ALL, 0, 1},
    [NPU_V_SUM_OF_SQUARES] = {1, REDUCTION, ALL, 0, 1},
    [NPU_V_SUM_OF_MAGNITUDES] = {1, REDUCTION, ALL, 0, 1},
    [NPU_V_PRODUCT] = {1, REDUCTION, ALL, 0, 1},
    [NPU_V_GREATEST] = {1, REDUCTION, ALL, 0, 1},
    [NPU_V_LEAST] = {1, REDUCTION, ALL, 0, 1},
    [NPU_V_GREATEST_INDEX] = {1, INDEX, ALL, 0, 2},
    [NPU_V_LEAST_INDEX] = {1, INDEX, ALL, 0, 2},
    [NPU_V_RUNNING_SUM] = {1, RUNNING, ALL, 0, 2},
};

double npu_vector_cost(uint32_t code) {
    return code < NPU_V_OPERATION_COUNT ? vector_operations[code].cost : 1;
}

double npu_vector_useful(uint32_t code) {
    return code == NPU_V_COPY ? 0 : 1;
}

/* Which operands are read from memory: bit 0 for a, 1 for b, 2 for c. */
static uint32_t reads(const npu_vector *v) {
    if (v->operation >= NPU_V_OPERATION_COUNT) return 0;
    return ((1u << vector_operations[v->operation].operands) - 1) & ~(v->flags & 7u);
}

bool npu_vector_reduces(uint32_t code) {
    return code < NPU_V_OPERATION_COUNT && (vector_operations[code].kind == REDUCTION || vector_operations[code].kind == INDEX);
}

static bool is_float(uint32_t type) {
    return type == NPU_FLOAT32 || type == NPU_FLOAT16 || type == NPU_BFLOAT16;
}

/* The operands in memory that the domain depends on. */
static uint32_t domain_operands(const npu_vector *v) {
    return reads(v) & (v->operation == NPU_V_SELECT ? 6u : 7u);
}

const npu_operand *vector_operand(const npu_vector *v, int index) {
    return index == 0 ? &v->a : index == 1 ? &v->b : &v->c;
}

static bool has_domain(const npu_vector *v, bool (*test)(uint32_t)) {
    const uint32_t operands = domain_operands(v);
    for (int i = 0; i < 3; ++i)
        if (operands >> i & 1 && test(vector_operand(v, i)->type)) return true;
    return operands == 0 && vector_operations[v->operation].kind != PLACE && test(v->destination.type);
}

static bool is_uint64(uint32_t type) {
    return type == NPU_UINT64;
}

const char *npu_vector_refusal(const npu_vector *v) {
    if (v->operation >= NPU_V_OPERATION_COUNT) return "has no known operation";
    const vector_operation *op = &vector_operations[v->operation];
    for (int i = 0; i < 3; ++i)
        if (reads(v) >> i & 1 && npu_width(vector_operand(v, i)->type) == 0) return "has an operand of no known type";
    if (npu_width(v->destination.type) == 0) return "has a destination of no known type";
    if (v->operation == NPU_V_SCALE)
        return is_float(v->a.type) || !(v->flags & NPU_VECTOR_CONSTANT_B || is_float(v->b.type))
                   ? "scales anything but an integer by a float"
                   : 0;
    const bool floats = has_domain(v, is_float);
    if (op->types == FLOATS && !floats) return "does with integers what is for floats";
    if (op->types == INTEGERS && floats) return "does with floats what is for integers";
    return 0;
}

bool vector_is_float(const npu_vector *v) {
    return has_domain(v, is_float);
}

bool vector_is_unsigned(const npu_vector *v) {
    return !has_domain(v, is_float) && has_domain(v, is_uint64);
}
