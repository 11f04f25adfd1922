/* SPDX-License-Identifier: Apache-2.0 */
#include "quantized.h"
#include "window.h"
#include <string.h>

enum { PANEL = CPU_QUANTIZED_PANEL };

INLINE int32_t element(const void *x, bool is_signed, int64_t index) {
    return is_signed ? ((const int8_t *)x)[index] : ((const uint8_t *)x)[index];
}

INLINE int32_t zero_point(const cpu_quantized_matrix *matrix, int64_t line) {
    return matrix->zero_count == 0 ? 0 : element(matrix->zeros, matrix->is_signed, matrix->zero_count == 1 ? 0 : line);
}

INLINE void pack_rows(const cpu_quantized_matrix *a, bool is_signed, int64_t depth, int16_t *packed, int64_t begin, int64_t end) {
    const int64_t step = a->column_stride, even = (depth + 1) / 2 * 2;
    for (int64_t row = begin; row < end; ++row) {
        const int32_t zero = zero_point(a, row);
        const int64_t start = row * a->row_stride;
        int16_t *to = packed + row * even;
        if (step == 1)
            for (int64_t k = 0; k < depth; ++k) to[k] = (int16_t)(element(a->elements, is_signed, start + k) - zero);
        else
            for (int64_t k = 0; k < depth; ++k) to[k] = (int16_t)(element(a->elements, is_signed, start + k * step) - zero);
        if (even > depth) to[depth] = 0;
    }
}

CLONES void cpu_pack_rows(const cpu_quantized_matrix *a, int64_t depth, int16_t *packed, int64_t begin, int64_t end) {
    if (a->is_signed)
        pack_rows(a, true, depth, packed, begin, end);
    else
        pack_rows(a, false, depth, packed, begin, end);
}

INLINE void pack_columns(const cpu_quantized_matrix *b, bool is_signed, int64_t depth, int64_t columns, int16_t *packed, int64_t begin,
                         int64_t end) {
    const int64_t pairs = (depth + 1) / 2;
    for (int64_t panel = begin; panel < end; ++panel) {
        const int64_t first = panel * PANEL, width = minimum(columns - first, PANEL);
        int16_t *to = packed + panel * pairs * 2 * PANEL;
        int32_t zeros[PANEL];
        for (int64_t j = 0; j < width; ++j) zeros[j] = zero_point(b, first + j);
        memset(to, 0, (size_t)(pairs * 2 * PANEL) * sizeof(int16_t));
        for (int64_t k = 0; k < depth; ++k) {
            int16_t *line = to + k / 2 * 2 * PANEL + k % 2;
            const int64_t start = k * b->row_stride + first * b->column_stride;
            for (int64_t j = 0; j < width; ++j)
                line[2 * j] = (int16_t)(element(b->elements, is_signed, start + j * b->column_stride) - zeros[j]);
        }
    }
}

CLONES void cpu_pack_columns(const cpu_quantized_matrix *b, int64_t depth, int64_t columns, int16_t *packed, int64_t begin, int64_t end) {
    if (b->is_signed)
        pack_columns(b, true, depth, columns, packed, begin, end);
    else
        pack_columns(b, false, depth, columns, packed, begin, end);
}

/* One row of what the window sees, every second number of its place in the panels. `x` is the row's channel. */
INLINE void pack_window_row(const cpu_window *w, bool is_signed, int32_t zero, const void *x, int64_t tap, int64_t column_begin,
                            int64_t column_end, int64_t pairs, int16_t *packed) {
    const int64_t tap_w = tap % w->kernel[2], tap_h = tap / w->kernel[2] % w->kernel[1], tap_d = tap / (w->kernel[2] * w->kernel[1]);
    const range seen = window_positions(w, 2, tap_w);
    for (int64_t column = column_begin; column < column_end;) {
        const int64_t from = column % w->output[2], count = minimum(w->output[2] - from, column_end - column);
        const int64_t in_h = window_start(w, 1, column / w->output[2] % w->output[1]) + tap_h * w->dilation[1];
        const int64_t in_d = window_start(w, 0, column / w->output[2] / w->output[1]) + tap_d * w->dilation[0];
        const bool is_inside = in_h >= 0 && in_h < w->input[1] && in_d >= 0 && in_d < w->input[0];
        const int64_t line = (in_d * w->input[1] + in_h) * w->input[2] + tap_w * w->dilation[2];
        for (int64_t i = 0; i < count; ++i) {
            const int64_t j = column - column_begin + i, position = from + i;
            const bool is_element = is_inside && position >= seen.begin && position < seen.end;
            packed[j / PANEL * pairs * 2 * PANEL + j % PANEL * 2] =
                is_element ? (int16_t)(element(x, is_signed, line + window_start(w, 2, position)) - zero) : 0;
        }
        column += count;
    }
}

CLONES void cpu_pack_window(const cpu_window *window, bool is_signed, int32_t zero, const void *x, int64_t depth, int64_t column_begin,
                            int64_t column_end, int16_t *packed, int64_t begin, int64_t end) {
    const cpu_window w = *window;
    const int64_t pairs = (depth + 1) / 2, taps = volume(w.kernel), plane = volume(w.input);
    for (int64_t row = 2 * begin; row < 2 * end; ++row) {
        int16_t *to = packed + row / 2 * 2 * PANEL + row % 2;
        if (row < depth) {
            const char *channel = (const char *)x + row / taps * plane;
            if (is_signed)
                pack_window_row(&w, true, zero, channel, row % taps, column_begin, column_end, pairs, to);
            else
                pack_window_row(&w, false, zero, channel, row % taps, column_begin, column_end, pairs, to);
        } else {
            for (int64_t j = 0; j < column_end - column_begin; ++j) to[j / PANEL * pairs * 2 * PANEL + j % PANEL * 2] = 0;
        }
    }
}

/* Thirty-two 16-bit numbers: a pair for each column of a panel. */
typedef int16_t shorts __attribute__((vector_size(4 * PANEL)));
typedef int16_t shorts_u __attribute__((vector_size(4 * PANEL), aligned(1), may_alias));
typedef int32_t products __attribute__((vector_size(8 * PANEL)));
typedef int32_t totals __attribute__((vector_size(4 * PANEL)));
#define EVEN(p) __builtin_shufflevector(p, p, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD(p)  __builtin_shufflevector(p, p, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)

/* Products of 16-bit numbers, each pair summed in 32 bits, which one instruction does. (That for 8 bits saturates its sums at 16.) */
INLINE void multiply_tile(const int rows, int64_t pairs, int64_t width, const int16_t *a, const int16_t *b, int32_t *sums,
                          int64_t leading) {
    totals total[4];
    for (int r = 0; r < rows; ++r) total[r] = (totals){0};
    for (int64_t k = 0; k < pairs; ++k) {
        const products wide = __builtin_convertvector(*(const shorts_u *)(b + k * 2 * PANEL), products);
        for (int r = 0; r < rows; ++r) {
            const totals pair = (totals){0} + ((const int32_u *)a)[r * pairs + k];
            const products product = wide * __builtin_convertvector((shorts)pair, products);
            total[r] += EVEN(product) + ODD(product);
        }
    }
    for (int r = 0; r < rows; ++r) {
        int32_t line[PANEL];
        for (int j = 0; j < PANEL; ++j) line[j] = total[r][j];
        memcpy(sums + r * leading, line, (size_t)width * sizeof(int32_t));
    }
}

CLONES void cpu_quantized_product(int64_t rows, int64_t pairs, int64_t columns, const int16_t *a, const int16_t *b, int32_t *sums,
                                  int64_t leading, int64_t begin, int64_t end) {
    for (int64_t first = 0; first < columns; first += PANEL) {
        const int16_t *panel = b + first / PANEL * pairs * 2 * PANEL;
        const int64_t width = minimum(columns - first, PANEL);
        for (int64_t item = begin; item < end; ++item) {
            const int64_t row = item * 4, count = minimum(rows - row, 4);
            const int16_t *left = a + row * 2 * pairs;
            int32_t *to = sums + row * leading + first;
            if (count == 4)
                multiply_tile(4, pairs, width, left, panel, to, leading);
            else
                for (int64_t r = 0; r < count; ++r) multiply_tile(1, pairs, width, left + r * 2 * pairs, panel, to + r * leading, leading);
        }
    }
}
