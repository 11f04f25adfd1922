/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known about each operation of the vector unit.
 */
#ifndef NPU_VECTOR_OPERATIONS_H
#define NPU_VECTOR_OPERATIONS_H

#include "vector_loops.h"

enum { ELEMENTWISE, REDUCTION, INDEX, RUNNING, PLACE };
enum { ALL, FLOATS, INTEGERS };

typedef struct vector_operation {
    uint8_t operands;
    uint8_t kind;  /* ELEMENTWISE ... */
    uint8_t types; /* that a takes: ALL ... */
    uint8_t isPredicate;
    double cost;
} vector_operation;

extern const vector_operation vector_operations[NPU_V_OPERATION_COUNT];

const npu_operand *vector_operand(const npu_vector *v, int index);
/* Whether it works in floats, or else in integers without sign. */
bool vector_is_float(const npu_vector *v);
bool vector_is_unsigned(const npu_vector *v);

#endif
