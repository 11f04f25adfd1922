/* SPDX-License-Identifier: Apache-2.0
 *
 * From an operator and a type to its loop. The floats of 16 bits go through a block of float32 that stays in the first-level cache: every float32 operation
 * rounded to them once more is right, because float32 has more than twice their digits.
 */
#include "convert.h"
#include "elementwise_types.h"

enum { BLOCK = 512 };

static bool is_narrow(cpu_type type) {
    return type == CPU_TYPE_FLOAT16 || type == CPU_TYPE_BFLOAT16;
}

/* `count` elements of 16 bits that lie `step` apart, from element `at` on. */
static void widen_strided(cpu_type type, const void *x, int64_t at, int64_t step, int64_t count, float *to) {
    if (step == 1) {
        cpu_widen(type, (const uint16_u *)x + at, to, 0, count);
    } else if (step == 0) {
        cpu_widen(type, (const uint16_u *)x + at, to, 0, 1);
        for (int64_t i = 1; i < count; ++i) to[i] = to[0];
    } else {
        uint16_t line[BLOCK];
        for (int64_t i = 0; i < count; ++i) line[i] = ((const uint16_u *)x)[at + i * step];
        cpu_widen(type, line, to, 0, count);
    }
}

bool cpu_elementwise(cpu_unary operator, cpu_type type, cpu_parameters parameters, const void *x, void *y, int64_t begin, int64_t end) {
    if (type == CPU_TYPE_FLOAT32) return unary_float32(operator, parameters.floats, x, y, begin, end);
    if (type == CPU_TYPE_FLOAT64) return unary_float64(operator, parameters.floats, x, y, begin, end);
    if (is_narrow(type)) {
        float block[BLOCK];
        if (!unary_float32(operator, parameters.floats, block, block, 0, 0)) return false;
        for (int64_t at = begin; at < end; at += BLOCK) {
            const int64_t count = minimum(end - at, BLOCK);
            cpu_widen(type, (const uint16_u *)x + at, block, 0, count);
            unary_before_narrowing(operator, parameters.floats, block, block, count);
            cpu_narrow(type, block, (uint16_u *)y + at, 0, count);
        }
        return true;
    }
#define UNARY_CASE(NAME, TAG)                                                                                                              \
    case CPU_TYPE_##TAG:                                                                                                                   \
        return unary_##NAME(operator, parameters.integers, x, y, begin, end);
    switch (type) { INTEGER_TYPES(UNARY_CASE) default : return false; }
}

static bool narrow_pairwise(cpu_binary operator, cpu_type type, const cpu_walk *walk, const void *a, const void *b, void *y, int64_t begin,
                            int64_t end) {
    const bool is_comparison = operator>= CPU_BINARY_EQUAL && operator<= CPU_BINARY_GREATER_OR_EQUAL;
    const int64_t step_a = walk->strides[0][walk->rank - 1], step_b = walk->strides[1][walk->rank - 1];
    cpu_walk line = {.rank = 1, .operands = 2, .shape = {BLOCK}, .strides = {{1}, {1}}};
    float block_a[BLOCK], block_b[BLOCK];
    if (!binary_float32(operator, & line, block_a, block_b, block_a, 0, 0)) return false;
    cursor at;
    cursor_place(&at, walk, begin);
    for (int64_t done = begin; done < end;) {
        const int64_t count = cursor_run(&at, walk, minimum(end - done, BLOCK));
        widen_strided(type, a, at.offset[0], step_a, count, block_a);
        widen_strided(type, b, at.offset[1], step_b, count, block_b);
        if (is_comparison) {
            binary_float32(operator, & line, block_a, block_b, (uint8_t *)y + done, 0, count);
        } else {
            binary_float32(operator, & line, block_a, block_b, block_a, 0, count);
            cpu_narrow(type, block_a, (uint16_u *)y + done, 0, count);
        }
        done += count;
        cursor_advance(&at, walk, count);
    }
    return true;
}

static bool pairwise(cpu_binary operator, cpu_type type, const cpu_walk *walk, const void *a, const void *b, void *y, int64_t begin,
                     int64_t end) {
#define BINARY_CASE(NAME, TAG)                                                                                                             \
    case CPU_TYPE_##TAG:                                                                                                                   \
        return binary_##NAME(operator, walk, a, b, y, begin, end);
    switch (type) {
        INTEGER_TYPES(BINARY_CASE)
        BINARY_CASE(float32, FLOAT32)
        BINARY_CASE(float64, FLOAT64)
        BINARY_CASE(bool, BOOL)
    default:
        return false;
    }
}

bool cpu_pairwise(cpu_binary operator, cpu_type type, const cpu_walk *walk, const void *a, const void *b, void *y, int64_t begin,
                  int64_t end) {
    if (is_narrow(type)) return narrow_pairwise(operator, type, walk, a, b, y, begin, end);
    return pairwise(operator, type, walk, a, b, y, begin, end);
}

/* The elements begin ... end of operand 0 of `walk`, one after the other. */
static void widen_walk(cpu_type type, const cpu_walk *walk, const void *x, int64_t begin, int64_t end, float *to) {
    cursor at;
    cursor_place(&at, walk, begin);
    while (begin < end) {
        const int64_t count = cursor_run(&at, walk, end - begin);
        widen_strided(type, x, at.offset[0], walk->strides[0][walk->rank - 1], count, to);
        to += count;
        begin += count;
        cursor_advance(&at, walk, count);
    }
}

static bool narrow_fold(cpu_binary operator, cpu_type type, bool mean, int32_t count, const cpu_walk *const *walks, const void *const *x,
                        void *y, int64_t begin, int64_t end) {
    cpu_walk line = {.rank = 1, .operands = 2, .shape = {BLOCK}, .strides = {{1}, {1}}};
    float sum[BLOCK], next[BLOCK];
    if (!binary_float32(operator, & line, sum, next, sum, 0, 0)) return false;
    for (int64_t at = begin; at < end; at += BLOCK) {
        const int64_t last = minimum(at + BLOCK, end);
        widen_walk(type, walks[0], x[0], at, last, sum);
        for (int32_t operand = 1; operand < count; ++operand) {
            widen_walk(type, walks[operand], x[operand], at, last, next);
            binary_float32(operator, & line, sum, next, sum, 0, last - at);
        }
        if (mean)
            for (int64_t i = 0; i < last - at; ++i) sum[i] /= (float)count;
        cpu_narrow(type, sum, (uint16_u *)y + at, 0, last - at);
    }
    return true;
}

bool cpu_fold(cpu_binary operator, cpu_type type, bool mean, int32_t count, const cpu_walk *const *walks, const void *const *x, void *y,
              int64_t begin, int64_t end) {
    if (is_narrow(type)) return narrow_fold(operator, type, mean, count, walks, x, y, begin, end);
    if (mean && type != CPU_TYPE_FLOAT32 && type != CPU_TYPE_FLOAT64) return false;
    /* The output is what has been folded so far: first operand, then one more at a time, a block that stays in the cache at once. */
    if (!pairwise(operator, type, walks[0], x[0], x[0], y, 0, 0)) return false;
    const int32_t width = cpu_type_width(type);
    for (int64_t at = begin; at < end; at += 4 * BLOCK) {
        const int64_t last = minimum(at + 4 * BLOCK, end);
        cpu_walk copy = *walks[0];
        copy.operands = 2;
        for (int32_t d = 0; d < copy.rank; ++d) copy.strides[1][d] = copy.strides[0][d];
        int64_t dense = 1;
        for (int32_t d = copy.rank - 1; d >= 0; --d) copy.strides[0][d] = dense, dense *= copy.shape[d];
        cpu_copy(width, &copy, x[0], y, at, last);
        for (int32_t operand = 1; operand < count; ++operand) {
            const cpu_walk *walk = walks[operand];
            cpu_walk both = *walk;
            both.operands = 2;
            int64_t stride = 1;
            for (int32_t d = both.rank - 1; d >= 0; --d) {
                both.strides[1][d] = walk->strides[0][d];
                both.strides[0][d] = stride;
                stride *= both.shape[d];
            }
            pairwise(operator, type, &both, y, x[operand], y, at, last);
        }
        if (mean && type == CPU_TYPE_FLOAT32)
            for (int64_t i = at; i < last; ++i) ((float32_u *)y)[i] /= (float)count;
        if (mean && type == CPU_TYPE_FLOAT64)
            for (int64_t i = at; i < last; ++i) ((float64_u *)y)[i] /= (double)count;
    }
    return true;
}
