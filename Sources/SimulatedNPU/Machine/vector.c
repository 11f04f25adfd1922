/* SPDX-License-Identifier: Apache-2.0
 *
 * vector.c - the vector unit on real memory.
 */
#include <string.h>

#include "internal.h"
#include "npu_vector.h"

double npu_vector_cost(uint32_t operation) {
    return operation < NPU_V_OPERATION_COUNT ? 1 : 0;
}
double npu_vector_useful(uint32_t operation) {
    return operation == NPU_V_COPY ? 0 : 1;
}
bool npu_vector_reduces(uint32_t operation) {
    return operation >= NPU_V_OPERATION_COUNT;
}

static float read(const npu_operand *operand, const unsigned char *memory, int64_t at) {
    const unsigned char *place = memory + operand->address.offset + at * (int64_t)npu_width(operand->type);
    float value = 0;
    uint16_t half;
    _Float16 number;
    switch (operand->type) {
    case NPU_FLOAT32:
        memcpy(&value, place, 4);
        return value;
    case NPU_FLOAT16:
        memcpy(&number, place, 2);
        return (float)number;
    case NPU_BFLOAT16: {
        memcpy(&half, place, 2);
        uint32_t wide = (uint32_t)half << 16;
        memcpy(&value, &wide, 4);
        return value;
    }
    default:
        return 0;
    }
}

static void write(const npu_operand *operand, unsigned char *memory, int64_t at, float value) {
    unsigned char *place = memory + operand->address.offset + at * (int64_t)npu_width(operand->type);
    switch (operand->type) {
    case NPU_FLOAT32:
        memcpy(place, &value, 4);
        return;
    case NPU_FLOAT16: {
        _Float16 number = (_Float16)value;
        memcpy(place, &number, 2);
        return;
    }
    case NPU_BFLOAT16: {
        uint32_t bits;
        memcpy(&bits, &value, 4);
        uint16_t half =
            (bits & 0x7fffffff) > 0x7f800000 ? (uint16_t)(bits >> 16 | 0x40) : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
        memcpy(place, &half, 2);
        return;
    }
    }
}

void npu_vector_run(const npu_vector *vector, unsigned char *const memory[NPU_SPACE_COUNT]) {
    for (uint64_t row = 0; row < vector->rows; ++row) {
        for (uint64_t i = 0; i < vector->count; ++i) {
            const npu_operand *operands[] = {&vector->a, &vector->b};
            float values[2] = {0, 0};
            for (int j = 0; j < 2; ++j) {
                if (!operands[j]->type) continue;
                values[j] = read(operands[j], memory[operands[j]->address.space],
                                 (int64_t)row * operands[j]->row_stride + (int64_t)i * operands[j]->stride);
            }
            float result = values[0];
            switch (vector->operation) {
            case NPU_V_ADD:
                result = values[0] + values[1];
                break;
            case NPU_V_SUBTRACT:
                result = values[0] - values[1];
                break;
            case NPU_V_MULTIPLY:
                result = values[0] * values[1];
                break;
            }
            write(&vector->destination, memory[vector->destination.address.space],
                  (int64_t)row * vector->destination.row_stride + (int64_t)i * vector->destination.stride, result);
        }
    }
}
