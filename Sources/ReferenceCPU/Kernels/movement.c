/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include <string.h>

typedef uint64_t uint128_u __attribute__((vector_size(16), aligned(1), may_alias));

/*
 * A walk whose innermost dimension is contiguous in y and the next one contiguous in x is a transposition: row by row, one side would touch a new cache
 * line with every element. Such a pair of dimensions is walked in square tiles instead.
 */
enum { TILE = 32 };

INLINE bool is_transposition(const cpu_walk *walk) {
    const int32_t inner = walk->rank - 1;
    return inner > 0 && walk->strides[0][inner] == 1 && walk->strides[1][inner - 1] == 1 && walk->strides[1][inner] != 0 &&
           walk->shape[inner - 1] >= 4 && walk->shape[inner] >= 4;
}

#define DEFINE(BITS)                                                                                                                       \
    INLINE void copy_line_##BITS(const uint##BITS##_u *x, int64_t step_x, uint##BITS##_u *y, int64_t step_y, int64_t count) {              \
        if (step_x == 1 && step_y == 1) {                                                                                                  \
            memcpy(y, x, (size_t)count *(BITS / 8));                                                                                       \
        } else if (step_x == 0 && step_y == 1) {                                                                                           \
            const uint##BITS##_u value = *x;                                                                                               \
            for (int64_t i = 0; i < count; ++i) y[i] = value;                                                                              \
        } else if (step_y == 1) {                                                                                                          \
            for (int64_t i = 0; i < count; ++i) y[i] = x[i * step_x];                                                                      \
        } else {                                                                                                                           \
            for (int64_t i = 0; i < count; ++i) y[i * step_y] = x[i * step_x];                                                             \
        }                                                                                                                                  \
    }                                                                                                                                      \
                                                                                                                                           \
    CLONES static void copy_rows_##BITS(const cpu_walk *walk, const void *from, void *to, int64_t begin, int64_t end) {                    \
        const uint##BITS##_u *x = from;                                                                                                    \
        uint##BITS##_u *y = to;                                                                                                            \
        const int64_t step_y = walk->strides[0][walk->rank - 1], step_x = walk->strides[1][walk->rank - 1];                                \
        cursor at;                                                                                                                         \
        cursor_place(&at, walk, begin);                                                                                                    \
        while (begin < end) {                                                                                                              \
            const int64_t count = cursor_run(&at, walk, end - begin);                                                                      \
            copy_line_##BITS(x + at.offset[1], step_x, y + at.offset[0], step_y, count);                                                   \
            begin += count;                                                                                                                \
            cursor_advance(&at, walk, count);                                                                                              \
        }                                                                                                                                  \
    }                                                                                                                                      \
                                                                                                                                           \
    /* A matrix of rows x columns, contiguous by columns in y and by rows in x. */                                                         \
    CLONES static void transpose_##BITS(const uint##BITS##_u *x, int64_t step_x, uint##BITS##_u *y, int64_t step_y, int64_t rows,          \
                                        int64_t columns) {                                                                                 \
        for (int64_t r0 = 0; r0 < rows; r0 += TILE)                                                                                        \
            for (int64_t c0 = 0; c0 < columns; c0 += TILE) {                                                                               \
                const int64_t r1 = minimum(r0 + TILE, rows), c1 = minimum(c0 + TILE, columns);                                             \
                for (int64_t r = r0; r < r1; ++r)                                                                                          \
                    for (int64_t c = c0; c < c1; ++c) y[r * step_y + c] = x[r + c * step_x];                                               \
            }                                                                                                                              \
    }                                                                                                                                      \
                                                                                                                                           \
    static void copy_##BITS(const cpu_walk *walk, const void *x, void *y, int64_t begin, int64_t end) {                                    \
        if (!is_transposition(walk)) {                                                                                                     \
            copy_rows_##BITS(walk, x, y, begin, end);                                                                                      \
            return;                                                                                                                        \
        }                                                                                                                                  \
        const int32_t inner = walk->rank - 1;                                                                                              \
        const int64_t columns = walk->shape[inner], rows = walk->shape[inner - 1];                                                         \
        while (begin < end) {                                                                                                              \
            if (begin % columns != 0 || end - begin < columns) {                                                                           \
                const int64_t stop = minimum(end, begin - begin % columns + columns);                                                      \
                copy_rows_##BITS(walk, x, y, begin, stop);                                                                                 \
                begin = stop;                                                                                                              \
                continue;                                                                                                                  \
            }                                                                                                                              \
            cursor at;                                                                                                                     \
            cursor_place(&at, walk, begin);                                                                                                \
            const int64_t count = minimum(rows - at.index[inner - 1], (end - begin) / columns);                                            \
            transpose_##BITS((const uint##BITS##_u *)x + at.offset[1], walk->strides[1][inner], (uint##BITS##_u *)y + at.offset[0],        \
                             walk->strides[0][inner - 1], count, columns);                                                                 \
            begin += count * columns;                                                                                                      \
        }                                                                                                                                  \
    }                                                                                                                                      \
                                                                                                                                           \
    CLONES static void fill_##BITS(const void *value, void *y, int64_t begin, int64_t end) {                                               \
        const uint##BITS##_u element = *(const uint##BITS##_u *)value;                                                                     \
        for (int64_t i = begin; i < end; ++i) ((uint##BITS##_u *)y)[i] = element;                                                          \
    }

DEFINE(8)
DEFINE(16)
DEFINE(32)
DEFINE(64)
DEFINE(128)

void cpu_copy(int32_t width, const cpu_walk *walk, const void *x, void *y, int64_t begin, int64_t end) {
    switch (width) {
    case 1:
        copy_8(walk, x, y, begin, end);
        return;
    case 2:
        copy_16(walk, x, y, begin, end);
        return;
    case 4:
        copy_32(walk, x, y, begin, end);
        return;
    case 8:
        copy_64(walk, x, y, begin, end);
        return;
    case 16:
        copy_128(walk, x, y, begin, end);
        return;
    default:
        return;
    }
}

void cpu_fill(int32_t width, const void *value, void *y, int64_t begin, int64_t end) {
    switch (width) {
    case 1:
        fill_8(value, y, begin, end);
        return;
    case 2:
        fill_16(value, y, begin, end);
        return;
    case 4:
        fill_32(value, y, begin, end);
        return;
    case 8:
        fill_64(value, y, begin, end);
        return;
    case 16:
        fill_128(value, y, begin, end);
        return;
    default:
        return;
    }
}

int64_t cpu_gather(int64_t bytes, int64_t axis, int32_t index_width, int64_t count, const void *x, const void *indices, void *y,
                   int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
        const int64_t i = item % count;
        int64_t index = index_width == 4 ? ((const int32_u *)indices)[i] : ((const int64_u *)indices)[i];
        if (index < 0) index += axis;
        if (index < 0 || index >= axis) return item;
        memcpy((char *)y + item * bytes, (const char *)x + (item / count * axis + index) * bytes, (size_t)bytes);
    }
    return -1;
}
