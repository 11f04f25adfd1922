/* SPDX-License-Identifier: Apache-2.0
 *
 * npu_vector.h - what the vector unit of the simulated NPU can do, and what it costs.
 */
#ifndef NPU_VECTOR_H
#define NPU_VECTOR_H

#include "npu.h"

typedef enum npu_vector_operation {
    NPU_V_COPY, /* a, converted to the destination's type */
    NPU_V_ADD,
    NPU_V_SUBTRACT,
    NPU_V_MULTIPLY,
    NPU_V_OPERATION_COUNT,
} npu_vector_operation;

/* Carries the instruction out; `memory[space]` are the core's local memories. */
void npu_vector_run(const npu_vector *instruction, unsigned char *const memory[NPU_SPACE_COUNT]);
/* Elements that one operation takes the unit for, in plain operations per element: 1 for an addition. */
double npu_vector_cost(uint32_t operation);
/* Whether the operation gives one element per row. */
bool npu_vector_reduces(uint32_t operation);
/* The operations of a roofline per element: 1 for all that compute, 0 for copies. */
double npu_vector_useful(uint32_t operation);

#endif
