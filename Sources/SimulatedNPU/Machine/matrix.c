/* SPDX-License-Identifier: Apache-2.0
 *
 * matrix.c - the matrix unit on real memory.
 *
 * Operands are widened to float32 and laid out for a kernel of ROWS x COLUMNS sums that stay in registers over all of k: one fused multiply-add after the other
 * in ascending k for every element, on every machine. Integers take the same way: 256 products of two 9-bit numbers are exact in a float32 sum.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

enum { ROWS = 6, COLUMNS = 32, EXACT = 256 };

static inline float from_float16(uint16_t bits) {
    _Float16 value;
    memcpy(&value, &bits, 2);
    return (float)value;
}

static inline float from_bfloat16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

/* `count` elements from `source` to floats `stride` apart, less `zero`; with `finite` what is no finite number becomes zero. */
CLONES static void widen(uint32_t type, const unsigned char *source, float *target, uint64_t count, uint64_t stride, float zero,
                         bool finite) {
    switch (type) {
    case NPU_FLOAT16:
        for (uint64_t i = 0; i < count; ++i) target[i * stride] = from_float16(((const uint16_t *)source)[i]);
        break;
    case NPU_BFLOAT16:
        for (uint64_t i = 0; i < count; ++i) target[i * stride] = from_bfloat16(((const uint16_t *)source)[i]);
        break;
    case NPU_INT8:
        for (uint64_t i = 0; i < count; ++i) target[i * stride] = (float)((const int8_t *)source)[i] - zero;
        break;
    default:
        for (uint64_t i = 0; i < count; ++i) target[i * stride] = (float)source[i] - zero;
    }
    if (finite) {
        for (uint64_t i = 0; i < count; ++i)
            target[i * stride] = __builtin_fabsf(target[i * stride]) <= 3.402823466e38f ? target[i * stride] : 0;
    }
}

/* sums[ROWS][COLUMNS] += a[depth][ROWS] * b[depth][COLUMNS] */
CLONES static void block(const float *restrict a, const float *restrict b, uint64_t depth, float *restrict sums) {
    float c[ROWS][COLUMNS];
    memcpy(c, sums, sizeof c);
    for (uint64_t k = 0; k < depth; ++k) {
        for (int row = 0; row < ROWS; ++row) {
            float factor = a[k * ROWS + row];
            for (int column = 0; column < COLUMNS; ++column)
                c[row][column] = __builtin_fmaf(factor, b[k * COLUMNS + column], c[row][column]);
        }
    }
    memcpy(sums, c, sizeof c);
}

static bool reserve(float **memory, size_t *count, size_t wanted) {
    if (*count >= wanted) return true;
    free(*memory);
    *memory = aligned_alloc(64, (wanted * sizeof(float) + 63) / 64 * 64);
    *count = *memory ? wanted : 0;
    return *memory;
}

static float zero_point(const npu_address place, bool used, uint64_t index, unsigned char *const memory[NPU_SPACE_COUNT]) {
    return used ? (float)((const int32_t *)(memory[place.space] + place.offset))[index] : 0;
}

/* Moves `rows` rows of COLUMNS sums from column `first` between the accumulators of rows from `row` on and a block of them. */
static void exchange(const npu_config *config, const npu_matrix *matrix, unsigned char *accumulators, uint64_t row, uint64_t rows,
                     uint64_t first, uint64_t columns, unsigned char *sums, bool stores) {
    const uint64_t row_tiles = npu_tiles(matrix->m, config->tile_m), width = config->tile_n;
    for (uint64_t i = 0; i < rows; ++i) {
        const uint64_t m = row + i;
        for (uint64_t column = 0; column < columns;) {
            const uint64_t n = first + column, inside = n % width;
            const uint64_t count = width - inside < columns - column ? width - inside : columns - column;
            const uint64_t tile = n / width * row_tiles + m / config->tile_m;
            unsigned char *place = accumulators + ((tile * config->tile_m + m % config->tile_m) * width + inside) * 4;
            unsigned char *sum = sums + (i * COLUMNS + column) * 4;
            memcpy(stores ? place : sum, stores ? sum : place, count * 4);
            column += count;
        }
    }
}

/* a as [m/ROWS][k][ROWS] */
static void lay_out_a(const npu_config *config, const npu_matrix *matrix, unsigned char *const memory[NPU_SPACE_COUNT], float *target) {
    uint64_t width = npu_width(matrix->a_type), row_tiles = npu_tiles(matrix->m, config->tile_m);
    const unsigned char *a = memory[NPU_L1] + matrix->a.offset;
    for (uint64_t row = 0; row < npu_tiles(matrix->m, ROWS) * ROWS; ++row) {
        float *line = target + row / ROWS * matrix->k * ROWS + row % ROWS;
        if (row >= matrix->m) {
            for (uint64_t k = 0; k < matrix->k; ++k) line[k * ROWS] = 0;
            continue;
        }
        float zero = zero_point(matrix->a_zero, matrix->flags & NPU_MATRIX_A_ZERO, row, memory);
        for (uint64_t k = 0; k < matrix->k; k += config->tile_k) {
            uint64_t count = matrix->k - k < config->tile_k ? matrix->k - k : config->tile_k;
            uint64_t tile = k / config->tile_k * row_tiles + row / config->tile_m;
            widen(matrix->a_type, a + (tile * config->tile_m + row % config->tile_m) * config->tile_k * width, line + k * ROWS, count, ROWS,
                  zero, matrix->flags & NPU_MATRIX_FINITE);
        }
    }
}

/* COLUMNS columns of b from `first` as [k][COLUMNS] */
static void lay_out_b(const npu_config *config, const npu_matrix *matrix, unsigned char *const memory[NPU_SPACE_COUNT], uint64_t first,
                      float *target) {
    uint64_t width = npu_width(matrix->b_type), depth_tiles = npu_tiles(matrix->k, config->tile_k);
    const unsigned char *b = memory[NPU_L1] + matrix->b.offset;
    bool has_zeros = matrix->flags & NPU_MATRIX_B_ZERO;
    for (uint64_t column = first; column < first + COLUMNS;) {
        float *to = target + (column - first);
        uint64_t end = (column / config->tile_n + 1) * config->tile_n;
        if (end > first + COLUMNS) end = first + COLUMNS;
        if (end > matrix->n) end = matrix->n;
        if (has_zeros) end = column + 1;
        if (column >= matrix->n) {
            for (uint64_t k = 0; k < matrix->k; ++k) memset(to + k * COLUMNS, 0, (first + COLUMNS - column) * sizeof(float));
            return;
        }
        float zero = zero_point(matrix->b_zero, has_zeros, column, memory);
        const unsigned char *tiles =
            b + (column / config->tile_n * depth_tiles * config->tile_k * config->tile_n + column % config->tile_n) * width;
        for (uint64_t k = 0; k < matrix->k; ++k)
            widen(matrix->b_type, tiles + k * config->tile_n * width, to + k * COLUMNS, end - column, 1, zero,
                  matrix->flags & NPU_MATRIX_FINITE);
        column = end;
    }
}

bool npu_matrix_run(const npu_config *config, const npu_matrix *matrix, unsigned char *const memory[NPU_SPACE_COUNT],
                    npu_scratch *scratch) {
    uint64_t k = matrix->k, row_blocks = npu_tiles(matrix->m, ROWS);
    if (!reserve(&scratch->a, &scratch->a_count, row_blocks * ROWS * k) || !reserve(&scratch->b, &scratch->b_count, k * COLUMNS))
        return false;
    bool floats = matrix->a_type == NPU_FLOAT16 || matrix->a_type == NPU_BFLOAT16;
    unsigned char *accumulators = memory[NPU_ACCUMULATORS] + matrix->accumulators.offset;
    lay_out_a(config, matrix, memory, scratch->a);
    for (uint64_t first = 0; first < matrix->n; first += COLUMNS) {
        lay_out_b(config, matrix, memory, first, scratch->b);
        uint64_t columns = matrix->n - first < COLUMNS ? matrix->n - first : COLUMNS;
        for (uint64_t each = 0; each < row_blocks; ++each) {
            const float *a = scratch->a + each * ROWS * k;
            uint64_t rows = matrix->m - each * ROWS < ROWS ? matrix->m - each * ROWS : ROWS;
            _Alignas(64) float sums[ROWS][COLUMNS];
            _Alignas(64) int32_t totals[ROWS][COLUMNS];
            memset(sums, 0, sizeof sums);
            memset(totals, 0, sizeof totals);
            unsigned char *results = floats ? (unsigned char *)sums : (unsigned char *)totals;
            if (matrix->accumulate) exchange(config, matrix, accumulators, each * ROWS, rows, first, columns, results, false);
            if (floats) {
                block(a, scratch->b, k, sums[0]);
            } else {
                for (uint64_t from = 0; from < k; from += EXACT) {
                    memset(sums, 0, sizeof sums);
                    block(a + from * ROWS, scratch->b + from * COLUMNS, k - from < EXACT ? k - from : EXACT, sums[0]);
                    for (int i = 0; i < ROWS * COLUMNS; ++i)
                        totals[0][i] = (int32_t)((uint32_t)totals[0][i] + (uint32_t)(int32_t)sums[0][i]);
                }
            }
            exchange(config, matrix, accumulators, each * ROWS, rows, first, columns, results, true);
        }
    }
    return true;
}
