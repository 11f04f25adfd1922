/* SPDX-License-Identifier: Apache-2.0
 *
 * Which taps of a window fall on elements and which on padding.
 */
#ifndef REFERENCE_CPU_WINDOW_H
#define REFERENCE_CPU_WINDOW_H

#include "internal.h"

/* A half-open range. */
typedef struct range {
    int64_t begin, end;
} range;

INLINE int64_t divide_up(int64_t a, int64_t b) {
    return a <= 0 ? 0 : (a + b - 1) / b;
}

/* Where the window at `position` starts; negative in the padding. */
INLINE int64_t window_start(const cpu_window *w, int axis, int64_t position) {
    return position * w->stride[axis] - w->pad[axis];
}

/* Taps along `axis` that lie on elements if the window starts at `start`. */
INLINE range window_taps(const cpu_window *w, int axis, int64_t start) {
    range taps = {divide_up(-start, w->dilation[axis]), divide_up(w->input[axis] - start, w->dilation[axis])};
    taps.end = minimum(taps.end, w->kernel[axis]);
    taps.begin = minimum(taps.begin, taps.end);
    return taps;
}

/* Output positions along `axis` at which tap `tap` lies on an element. */
INLINE range window_positions(const cpu_window *w, int axis, int64_t tap) {
    const int64_t shift = w->pad[axis] - tap * w->dilation[axis];
    range positions = {divide_up(shift, w->stride[axis]), divide_up(w->input[axis] + shift, w->stride[axis])};
    positions.end = minimum(positions.end, w->output[axis]);
    positions.begin = minimum(positions.begin, positions.end);
    return positions;
}

/* Output positions along `axis` at which every tap lies on an element. */
INLINE range window_interior(const cpu_window *w, int axis) {
    const range first = window_positions(w, axis, 0), last = window_positions(w, axis, w->kernel[axis] - 1);
    range interior = {maximum(first.begin, last.begin), minimum(first.end, last.end)};
    interior.end = maximum(interior.begin, interior.end);
    return interior;
}

INLINE int64_t volume(const int64_t size[3]) {
    return size[0] * size[1] * size[2];
}

#endif
