/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "vector_operations.h"

static unsigned char *place(const npu_operand *o, unsigned char *const *memory, uint64_t row, uint64_t column) {
    const int64_t elements = (int64_t)row * o->row_stride + (int64_t)column * o->stride;
    return memory[o->address.space] + (int64_t)o->address.offset + elements * (int64_t)npu_width(o->type);
}

/* An operand's elements of a block, from memory or the parameter. */
static void load(const npu_vector *v, unsigned char *const *memory, int index, bool asFloats, uint64_t row, uint64_t column, uint64_t count,
                 vector_block *block) {
    if (v->flags >> index & 1) {
        for (uint64_t i = 0; i < count; ++i) {
            if (asFloats)
                block->floats[i] = (float)v->parameter;
            else
                block->integers[i] = (int64_t)v->parameter;
        }
        return;
    }
    const npu_operand *o = vector_operand(v, index);
    if (asFloats)
        vector_load_floats(o->type, place(o, memory, row, column), o->stride, count, block->floats);
    else
        vector_load_integers(o->type, place(o, memory, row, column), o->stride, count, block->integers);
}

static void elementwise(const npu_vector *v, unsigned char *const *memory) {
    const vector_operation *op = &vector_operations[v->operation];
    const bool floats = vector_is_float(v), isUnsigned = vector_is_unsigned(v);
    const uint32_t bits = 8 * (uint32_t)npu_width(v->a.type);
    const npu_operand *to = &v->destination;
    vector_block blocks[3], result;
    for (uint64_t row = 0; row < v->rows; ++row)
        for (uint64_t column = 0; column < v->count; column += VECTOR_BLOCK) {
            const uint64_t left = v->count - column, count = left < VECTOR_BLOCK ? left : VECTOR_BLOCK;
            for (int i = 0; i < op->operands; ++i) {
                const bool isWhole = i == 0 && (v->operation == NPU_V_SELECT || v->operation == NPU_V_SCALE);
                load(v, memory, i, floats && !isWhole, row, column, count, &blocks[i]);
            }
            const vector_block *a = &blocks[0], *b = op->operands > 1 ? &blocks[1] : 0, *c = &blocks[2];
            bool isFloat = floats && !op->isPredicate;
            if (v->operation == NPU_V_SELECT) {
                for (uint64_t i = 0; i < count; ++i) {
                    if (floats)
                        result.floats[i] = a->integers[i] ? b->floats[i] : c->floats[i];
                    else
                        result.integers[i] = a->integers[i] ? b->integers[i] : c->integers[i];
                }
            } else if (v->operation == NPU_V_SCALE) {
                isFloat = true;
                for (uint64_t i = 0; i < count; ++i) result.floats[i] = (float)((double)a->integers[i] * (double)b->floats[i]);
            } else if (op->kind == PLACE) {
                isFloat = false;
                const int64_t first = (int64_t)v->parameter + (int64_t)(v->operation == NPU_V_ROW ? row : column);
                for (uint64_t i = 0; i < count; ++i) result.integers[i] = first + (v->operation == NPU_V_ROW ? 0 : (int64_t)i);
            } else if (isFloat) {
                vector_floats(v->operation, count, a->floats, b ? b->floats : 0, c->floats, result.floats);
            } else if (floats) {
                vector_predicates(v->operation, count, a->floats, b ? b->floats : 0, v->parameter, result.integers);
            } else {
                vector_integers(v->operation, isUnsigned, bits, count, a->integers, b ? b->integers : 0, c->integers, result.integers);
            }
            unsigned char *address = place(to, memory, row, column);
            if (isFloat)
                vector_store_floats(to->type, result.floats, count, address, to->stride);
            else
                vector_store_integers(to->type, result.integers, isUnsigned && !op->isPredicate, count, address, to->stride);
        }
}

/* Block by block, so that long sums lose no more than short ones. */
static void reduce(const npu_vector *v, unsigned char *const *memory) {
    const bool floats = vector_is_float(v), isUnsigned = vector_is_unsigned(v);
    vector_block block;
    vector_parts total, parts;
    for (uint64_t row = 0; row < v->rows; ++row) {
        unsigned char *to = place(&v->destination, memory, row, 0);
        bool hasTotal = v->flags & NPU_VECTOR_ACCUMULATE;
        if (hasTotal && floats)
            vector_load_floats(v->destination.type, to, 1, 1, total.floats);
        else if (hasTotal)
            vector_load_integers(v->destination.type, to, 1, 1, total.integers);
        for (uint64_t column = 0; column < v->count; column += VECTOR_BLOCK) {
            const uint64_t left = v->count - column, count = left < VECTOR_BLOCK ? left : VECTOR_BLOCK;
            load(v, memory, 0, floats, row, column, count, &block);
            vector_begin(v->operation, floats, isUnsigned, &parts);
            if (floats)
                vector_reduce_floats(v->operation, count, block.floats, &parts);
            else
                vector_reduce_integers(v->operation, isUnsigned, count, block.integers, &parts);
            vector_end(v->operation, floats, isUnsigned, &parts);
            if (hasTotal)
                vector_join(v->operation, floats, isUnsigned, &total, &parts);
            else
                total = parts;
            hasTotal = true;
        }
        if (floats)
            vector_store_floats(v->destination.type, total.floats, 1, to, 1);
        else
            vector_store_integers(v->destination.type, total.integers, isUnsigned, 1, to, 1);
    }
}

static void reduce_to_index(const npu_vector *v, unsigned char *const *memory) {
    const bool floats = vector_is_float(v), isUnsigned = vector_is_unsigned(v);
    const bool isGreatest = v->operation == NPU_V_GREATEST_INDEX, isLast = v->flags & NPU_VECTOR_LAST;
    vector_block block;
    for (uint64_t row = 0; row < v->rows; ++row) {
        int64_t index = 0, best = 0;
        float bestFloat = 0;
        for (uint64_t column = 0; column < v->count; column += VECTOR_BLOCK) {
            const uint64_t left = v->count - column, count = left < VECTOR_BLOCK ? left : VECTOR_BLOCK;
            load(v, memory, 0, floats, row, column, count, &block);
            for (uint64_t i = 0; i < count; ++i) {
                bool isBetter, isEqual;
                if (floats) {
                    const float x = block.floats[i];
                    isBetter = (isGreatest ? x > bestFloat : x < bestFloat) || (x != x && bestFloat == bestFloat);
                    isEqual = x == bestFloat || (x != x && bestFloat != bestFloat);
                    isBetter = isBetter && bestFloat == bestFloat;
                } else {
                    const int64_t x = block.integers[i], p = isGreatest ? best : x, q = isGreatest ? x : best;
                    isBetter = isUnsigned ? (uint64_t)p < (uint64_t)q : p < q;
                    isEqual = x == best;
                }
                if ((column == 0 && i == 0) || isBetter || (isLast && isEqual)) {
                    index = (int64_t)(column + i);
                    if (floats)
                        bestFloat = block.floats[i];
                    else
                        best = block.integers[i];
                }
            }
        }
        vector_store_integers(v->destination.type, &index, false, 1, place(&v->destination, memory, row, 0), 1);
    }
}

static void run_along(const npu_vector *v, unsigned char *const *memory) {
    const bool floats = vector_is_float(v), isExclusive = v->parameter != 0;
    vector_block block;
    for (uint64_t row = 0; row < v->rows; ++row) {
        float sum = 0;
        int64_t whole = 0;
        unsigned char *carry = v->b.type ? place(&v->b, memory, row, 0) : 0;
        if (carry && floats)
            vector_load_floats(v->b.type, carry, 1, 1, &sum);
        else if (carry)
            vector_load_integers(v->b.type, carry, 1, 1, &whole);
        for (uint64_t column = 0; column < v->count; column += VECTOR_BLOCK) {
            const uint64_t left = v->count - column, count = left < VECTOR_BLOCK ? left : VECTOR_BLOCK;
            load(v, memory, 0, floats, row, column, count, &block);
            for (uint64_t i = 0; i < count; ++i) {
                if (floats) {
                    const float before = sum;
                    sum += block.floats[i];
                    block.floats[i] = isExclusive ? before : sum;
                } else {
                    const int64_t before = whole;
                    whole = (int64_t)((uint64_t)whole + (uint64_t)block.integers[i]);
                    block.integers[i] = isExclusive ? before : whole;
                }
            }
            unsigned char *to = place(&v->destination, memory, row, column);
            if (floats)
                vector_store_floats(v->destination.type, block.floats, count, to, v->destination.stride);
            else
                vector_store_integers(v->destination.type, block.integers, false, count, to, v->destination.stride);
        }
        if (carry && floats)
            vector_store_floats(v->b.type, &sum, 1, carry, 1);
        else if (carry)
            vector_store_integers(v->b.type, &whole, false, 1, carry, 1);
    }
}

/* Rows and columns of elementwise work may change places: the longer are the columns. */
static npu_vector transposed(const npu_vector *v) {
    npu_vector t = *v;
    npu_operand *operands[] = {&t.destination, &t.a, &t.b, &t.c};
    t.rows = v->count;
    t.count = v->rows;
    for (int i = 0; i < 4; ++i) {
        const int64_t stride = operands[i]->stride;
        operands[i]->stride = operands[i]->row_stride;
        operands[i]->row_stride = stride;
    }
    return t;
}

void npu_vector_run(const npu_vector *v, unsigned char *const memory[NPU_SPACE_COUNT]) {
    switch (vector_operations[v->operation].kind) {
    case REDUCTION:
        reduce(v, memory);
        break;
    case INDEX:
        reduce_to_index(v, memory);
        break;
    case RUNNING:
        run_along(v, memory);
        break;
    case PLACE:
        elementwise(v, memory);
        break;
    default:
        if (v->rows > v->count) {
            const npu_vector t = transposed(v);
            elementwise(&t, memory);
        } else {
            elementwise(v, memory);
        }
    }
}
