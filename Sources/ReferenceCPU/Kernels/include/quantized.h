/* SPDX-License-Identifier: Apache-2.0
 *
 * Loops of quantised operators. What holds for every function is in kernels.h.
 *
 * A product of two 8-bit matrices is made of three steps: both operands are packed as 16-bit numbers, less their zero points (which no 8 bits hold), the packed
 * operands are multiplied with exact sums in int32, and the sums are scaled and rounded if the output is quantised again.
 */
#ifndef REFERENCE_CPU_QUANTIZED_H
#define REFERENCE_CPU_QUANTIZED_H

#include "kernels.h"

/* Columns of a panel of a packed right operand. Its element (k, j) lies at ((j / PANEL) * pairs + k / 2) * 2 * PANEL + (j % PANEL) * 2 + k % 2, where `pairs` is half
 * the depth, rounded up; what is beyond the depth is zero. */
#define CPU_QUANTIZED_PANEL 16

/* An 8-bit matrix with one zero point, or one for each row or column (`zero_count` 1, or their number); no zero point is a count of 0. */
typedef struct cpu_quantized_matrix {
    const void *elements;
    const void *zeros;
    int64_t zero_count;
    int64_t row_stride, column_stride; /* in elements */
    bool is_signed;
} cpu_quantized_matrix;

/* Left operand: row r at r * 2 * pairs in `packed`. An item is a row; zero points belong to rows. */
void cpu_pack_rows(const cpu_quantized_matrix *a, int64_t depth, int16_t *packed, int64_t begin, int64_t end);

/* Right operand. An item is a panel; zero points belong to columns. */
void cpu_pack_columns(const cpu_quantized_matrix *b, int64_t depth, int64_t columns, int16_t *packed, int64_t begin, int64_t end);

/*
 * Right operand: what a window sees of the channels at `x`, output positions `column_begin` ... `column_end`, padding being the zero point. An item is a pair of rows
 * (row: channel and kernel position) of which there are `depth`.
 */
void cpu_pack_window(const cpu_window *window, bool is_signed, int32_t zero, const void *x, int64_t depth, int64_t column_begin,
                     int64_t column_end, int16_t *packed, int64_t begin, int64_t end);

/* sums[row * leading + column], from packed operands. An item is four rows. */
void cpu_quantized_product(int64_t rows, int64_t pairs, int64_t columns, const int16_t *a, const int16_t *b, int32_t *sums, int64_t leading,
                           int64_t begin, int64_t end);

/* How sums become 8 bits again: round(((sum + bias[row]) * row scale * column scale) / scale) + zero, with ties to even, saturated. */
typedef struct cpu_requantization {
    const void *bias;                            /* int32 per row, or NULL */
    const void *row_scales, *column_scales;      /* float32 */
    int64_t row_scale_count, column_scale_count; /* 1, or their number */
    float scale;
    int32_t zero;
    bool is_signed;
} cpu_requantization;

/* An item is a row. Row r of the sums and of y starts r * leading elements in. */
void cpu_requantize(const cpu_requantization *how, int64_t columns, const int32_t *sums, int64_t sums_leading, void *y, int64_t leading,
                    int64_t begin, int64_t end);

/*
 * Scales of x: that of element i is number (i / inner % size) with `block` 0, or number (i / (inner * size) * blocks + i / inner % size / block) * inner + i % inner.
 * One scale for all: `size` is 1 and `inner` the count of elements.
 */
typedef struct cpu_scale_map {
    int64_t inner, size, block;
} cpu_scale_map;

/* y = round(x / scale) + zero, saturated; x is float32; y is int8, uint8, int16 or uint16. `zeros` (of y's type) may be NULL. An item is a run of `inner` elements. */
bool cpu_quantize(const cpu_scale_map *map, cpu_type to, const void *x, const void *scales, const void *zeros, void *y, int64_t begin,
                  int64_t end);

/* y = (x - zero) * scale in float32; x is an integer of 8, 16 or 32 bits. `zeros` (of x's type) may be NULL. An item is a run of `inner` elements. */
bool cpu_dequantize(const cpu_scale_map *map, cpu_type from, const void *x, const void *scales, const void *zeros, void *y, int64_t begin,
                    int64_t end);

/* The least and the greatest of x[begin] ... x[end - 1] and 0; NaN comes through. */
void cpu_range_float32(const void *x, int64_t begin, int64_t end, float range[2]);

#endif
