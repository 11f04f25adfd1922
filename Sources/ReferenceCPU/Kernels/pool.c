/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

typedef enum pooling { POOL_MAX, POOL_AVERAGE } pooling;

/* A NaN comes through. */
INLINE float greater(float a, float b) {
    return a >= b || a != a ? a : b;
}

/* Elements of the padded input along `axis` under the window that starts at `start`: the divisor where padding counts. */
INLINE int64_t padded_taps(const cpu_window *w, int axis, int64_t start) {
    return minimum(divide_up(w->input[axis] + w->pad_end[axis] - start, w->dilation[axis]), w->kernel[axis]);
}

/* Outputs along the innermost axis are computed LANES at once where every tap lies on elements, else one by one. */
INLINE void pool_planes(pooling operator, const cpu_window * window, bool count_padding, const float32_u *x, float32_u *y, int64_t begin,
                        int64_t end) {
    const cpu_window w = *window;
    const int64_t plane_in = volume(w.input), plane_out = volume(w.output);
    const range interior = window_interior(&w, 2);
    const float start = operator== POOL_MAX ? -__builtin_inff() : 0.0f;
    for (int64_t plane = begin; plane < end; ++plane) {
        const float32_u *image = x + plane * plane_in;
        float32_u *line = y + plane * plane_out;
        for (int64_t out_d = 0; out_d < w.output[0]; ++out_d) {
            const int64_t start_d = window_start(&w, 0, out_d);
            const range taps_d = window_taps(&w, 0, start_d);
            const int64_t count_d = count_padding ? padded_taps(&w, 0, start_d) : taps_d.end - taps_d.begin;
            for (int64_t out_h = 0; out_h < w.output[1]; ++out_h, line += w.output[2]) {
                const int64_t start_h = window_start(&w, 1, out_h);
                const range taps_h = window_taps(&w, 1, start_h);
                const int64_t count_dh = count_d * (count_padding ? padded_taps(&w, 1, start_h) : taps_h.end - taps_h.begin);
                for (int64_t column = 0; column < w.output[2];) {
                    const bool full = column >= interior.begin && column + LANES <= interior.end;
                    const int64_t start_w = window_start(&w, 2, column);
                    const range taps_w = full ? (range){0, w.kernel[2]} : window_taps(&w, 2, start_w);
                    lanes many = ALL_LANES(start);
                    float one = start;
                    for (int64_t d = taps_d.begin; d < taps_d.end; ++d) {
                        for (int64_t h = taps_h.begin; h < taps_h.end; ++h) {
                            const float32_u *row =
                                image + ((start_d + d * w.dilation[0]) * w.input[1] + start_h + h * w.dilation[1]) * w.input[2] + start_w;
                            for (int64_t tap = taps_w.begin; tap < taps_w.end; ++tap) {
                                const float32_u *from = row + tap * w.dilation[2];
                                if (!full) {
                                    one = operator== POOL_MAX ? greater(one, *from) : one + * from;
                                    continue;
                                }
                                lanes seen;
                                load_strided(&seen, from, w.stride[2]);
                                many = operator== POOL_MAX ? SELECT_LANES((many >= seen) | (many != many), many, seen) : many + seen;
                            }
                        }
                    }
                    if (operator== POOL_AVERAGE) {
                        const int64_t count_w = count_padding ? padded_taps(&w, 2, start_w) : taps_w.end - taps_w.begin;
                        const float divisor = (float)maximum(count_dh * count_w, 1);
                        many /= divisor;
                        one /= divisor;
                    }
                    if (full)
                        STORE_LANES(line + column, many);
                    else
                        line[column] = one;
                    column += full ? LANES : 1;
                }
            }
        }
    }
}

CLONES void cpu_max_pool_float32(const cpu_window *window, const void *x, void *y, int64_t begin, int64_t end) {
    pool_planes(POOL_MAX, window, false, x, y, begin, end);
}

CLONES void cpu_average_pool_float32(const cpu_window *window, bool count_padding, const void *x, void *y, int64_t begin, int64_t end) {
    pool_planes(POOL_AVERAGE, window, count_padding, x, y, begin, end);
}
