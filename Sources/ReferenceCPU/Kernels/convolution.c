/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"
#include <string.h>

/* One line of a panel: `count` outputs of one row, from column `from` on. `x` is the input row. */
#define GATHER_LINE(TYPE)                                                                                                                  \
    INLINE void gather_line_##TYPE(const cpu_window *w, const TYPE##_u *x, int64_t tap, int64_t from, int64_t count, TYPE *line) {         \
        const range seen = window_positions(w, 2, tap);                                                                                    \
        const int64_t begin = minimum(maximum(seen.begin - from, 0), count), end = minimum(maximum(seen.end - from, begin), count);        \
        const int64_t start = window_start(w, 2, from) + tap * w->dilation[2], step = w->stride[2];                                        \
        for (int64_t i = 0; i < begin; ++i) line[i] = 0;                                                                                   \
        if (step == 1) {                                                                                                                   \
            memcpy(line + begin, x + start + begin, (size_t)(end - begin) * sizeof(TYPE));                                                 \
        } else if (step == 2) {                                                                                                            \
            for (int64_t i = begin; i < end; ++i) line[i] = x[start + 2 * i];                                                              \
        } else {                                                                                                                           \
            for (int64_t i = begin; i < end; ++i) line[i] = x[start + step * i];                                                           \
        }                                                                                                                                  \
        for (int64_t i = end; i < count; ++i) line[i] = 0;                                                                                 \
    }
#define IM2COL(TYPE)                                                                                                                       \
    CLONES void cpu_im2col_##TYPE(const cpu_window *window, const void *x, void *panel, int64_t leading, int64_t column_begin,             \
                                  int64_t column_end, int64_t begin, int64_t end) {                                                        \
        const cpu_window w = *window;                                                                                                      \
        const int64_t taps = volume(w.kernel), plane = volume(w.input), width = w.output[2];                                               \
        for (int64_t row = begin; row < end; ++row) {                                                                                      \
            const int64_t tap = row % taps;                                                                                                \
            const int64_t tap_w = tap % w.kernel[2], tap_h = tap / w.kernel[2] % w.kernel[1], tap_d = tap / (w.kernel[2] * w.kernel[1]);   \
            const TYPE##_u *image = (const TYPE##_u *)x + row / taps * plane;                                                              \
            TYPE *line = (TYPE *)panel + (row - begin) * leading;                                                                          \
            for (int64_t column = column_begin; column < column_end;) {                                                                    \
                const int64_t from = column % width, count = minimum(width - from, column_end - column);                                   \
                const int64_t out_h = column / width % w.output[1], out_d = column / width / w.output[1];                                  \
                const int64_t in_h = window_start(&w, 1, out_h) + tap_h * w.dilation[1];                                                   \
                const int64_t in_d = window_start(&w, 0, out_d) + tap_d * w.dilation[0];                                                   \
                if (in_h < 0 || in_h >= w.input[1] || in_d < 0 || in_d >= w.input[0])                                                      \
                    memset(line, 0, (size_t)count * sizeof(TYPE));                                                                         \
                else                                                                                                                       \
                    gather_line_##TYPE(&w, image + (in_d * w.input[1] + in_h) * w.input[2], tap_w, from, count, line);                     \
                line += count;                                                                                                             \
                column += count;                                                                                                           \
            }                                                                                                                              \
        }                                                                                                                                  \
    }
#define FILL_ROWS(TYPE)                                                                                                                    \
    CLONES void cpu_fill_rows_##TYPE(const void *bias, void *y, int64_t leading, int64_t columns, int64_t begin, int64_t end) {            \
        for (int64_t row = begin; row < end; ++row) {                                                                                      \
            const TYPE value = bias ? ((const TYPE##_u *)bias)[row] : 0;                                                                   \
            TYPE##_u *line = (TYPE##_u *)y + row * leading;                                                                                \
            for (int64_t i = 0; i < columns; ++i) line[i] = value;                                                                         \
        }                                                                                                                                  \
    }
typedef float float32;
typedef double float64;
GATHER_LINE(float32)
GATHER_LINE(float64)
IM2COL(float32)
IM2COL(float64)
FILL_ROWS(float32)
FILL_ROWS(float64)

/* Adds to LANES neighbouring outputs what one kernel row sees; every tap lies on elements. */
INLINE void accumulate(lanes *sum, const float32_u *x, const float32_u *weights, int64_t taps, int64_t dilation, int64_t stride) {
    for (int64_t tap = 0; tap < taps; ++tap) {
        lanes seen;
        load_strided(&seen, x + tap * dilation, stride);
        *sum += seen * weights[tap];
    }
}

CLONES void cpu_depthwise_float32(const cpu_window *window, int64_t channels, int64_t multiplier, const void *x, const void *weights,
                                  const void *bias, void *y, int64_t begin, int64_t end) {
    const cpu_window w = *window;
    const int64_t plane_in = volume(w.input), plane_out = volume(w.output), taps = volume(w.kernel);
    const range interior = window_interior(&w, 2);
    for (int64_t plane = begin; plane < end; ++plane) {
        const int64_t channel = plane % channels;
        const float32_u *image = (const float32_u *)x + (plane / channels * (channels / multiplier) + channel / multiplier) * plane_in;
        const float32_u *kernel = (const float32_u *)weights + channel * taps;
        const float start = bias ? ((const float32_u *)bias)[channel] : 0;
        float32_u *line = (float32_u *)y + plane * plane_out;
        for (int64_t out_d = 0; out_d < w.output[0]; ++out_d) {
            const int64_t start_d = window_start(&w, 0, out_d);
            const range taps_d = window_taps(&w, 0, start_d);
            for (int64_t out_h = 0; out_h < w.output[1]; ++out_h, line += w.output[2]) {
                const int64_t start_h = window_start(&w, 1, out_h);
                const range taps_h = window_taps(&w, 1, start_h);
                for (int64_t column = 0; column < w.output[2];) {
                    const bool full = column >= interior.begin && column + LANES <= interior.end;
                    const int64_t start_w = window_start(&w, 2, column);
                    const range taps_w = full ? (range){0, w.kernel[2]} : window_taps(&w, 2, start_w);
                    lanes sum = ALL_LANES(start);
                    float single = start;
                    for (int64_t d = taps_d.begin; d < taps_d.end; ++d) {
                        for (int64_t h = taps_h.begin; h < taps_h.end; ++h) {
                            const float32_u *row =
                                image + ((start_d + d * w.dilation[0]) * w.input[1] + start_h + h * w.dilation[1]) * w.input[2] + start_w;
                            const float32_u *factors = kernel + (d * w.kernel[1] + h) * w.kernel[2];
                            if (full)
                                accumulate(&sum, row, factors, w.kernel[2], w.dilation[2], w.stride[2]);
                            else
                                for (int64_t tap = taps_w.begin; tap < taps_w.end; ++tap) single += row[tap * w.dilation[2]] * factors[tap];
                        }
                    }
                    if (full)
                        STORE_LANES(line + column, sum);
                    else
                        line[column] = single;
                    column += full ? LANES : 1;
                }
            }
        }
    }
}

CLONES void cpu_col2im_float32(const cpu_window *window, const float *columns, const void *bias, void *y, int64_t begin, int64_t end) {
    const cpu_window w = *window;
    const int64_t taps = volume(w.kernel), plane = volume(w.input), size = volume(w.output);
    for (int64_t channel = begin; channel < end; ++channel) {
        float32_u *image = (float32_u *)y + channel * plane;
        const float start = bias ? ((const float32_u *)bias)[channel] : 0;
        for (int64_t i = 0; i < plane; ++i) image[i] = start;
        for (int64_t tap = 0; tap < taps; ++tap) {
            const int64_t tap_w = tap % w.kernel[2], tap_h = tap / w.kernel[2] % w.kernel[1], tap_d = tap / (w.kernel[2] * w.kernel[1]);
            const range range_d = window_positions(&w, 0, tap_d), range_h = window_positions(&w, 1, tap_h),
                        range_w = window_positions(&w, 2, tap_w);
            for (int64_t d = range_d.begin; d < range_d.end; ++d)
                for (int64_t h = range_h.begin; h < range_h.end; ++h) {
                    const int64_t in_d = window_start(&w, 0, d) + tap_d * w.dilation[0],
                                  in_h = window_start(&w, 1, h) + tap_h * w.dilation[1];
                    const float *from = columns + (channel * taps + tap) * size + (d * w.output[1] + h) * w.output[2];
                    float32_u *to = image + (in_d * w.input[1] + in_h) * w.input[2] + tap_w * w.dilation[2] - w.pad[2];
                    const int64_t step = w.stride[2];
                    if (step == 1)
                        EACH(int64_t i = range_w.begin; i < range_w.end; ++i) to[i] += from[i];
                    else
                        for (int64_t i = range_w.begin; i < range_w.end; ++i) to[i * step] += from[i];
                }
        }
    }
}
