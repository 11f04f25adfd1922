/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#define DEFINE_WHERE(BITS)                                                                                                                 \
    CLONES static void where_##BITS(const cpu_walk *walk, const uint8_t *condition, const uint##BITS##_u *a, const uint##BITS##_u *b,      \
                                    uint##BITS##_u *y, int64_t begin, int64_t end) {                                                       \
        const int32_t inner = walk->rank - 1;                                                                                              \
        const int64_t step_c = walk->strides[0][inner], step_a = walk->strides[1][inner], step_b = walk->strides[2][inner];                \
        cursor at;                                                                                                                         \
        cursor_place(&at, walk, begin);                                                                                                    \
        for (int64_t done = begin; done < end;) {                                                                                          \
            const int64_t count = cursor_run(&at, walk, end - done);                                                                       \
            const uint8_t *row_c = condition + at.offset[0];                                                                               \
            const uint##BITS##_u *row_a = a + at.offset[1], *row_b = b + at.offset[2];                                                     \
            uint##BITS##_u *output = y + done;                                                                                             \
            if (step_c == 1 && step_a == 1 && step_b == 1) {                                                                               \
                EACH(int64_t i = 0; i < count; ++i) {                                                                                      \
                    const uint##BITS##_t yes = row_a[i], no = row_b[i];                                                                    \
                    output[i] = row_c[i] ? yes : no;                                                                                       \
                }                                                                                                                          \
            } else {                                                                                                                       \
                for (int64_t i = 0; i < count; ++i) output[i] = row_c[i * step_c] ? row_a[i * step_a] : row_b[i * step_b];                 \
            }                                                                                                                              \
            done += count;                                                                                                                 \
            cursor_advance(&at, walk, count);                                                                                              \
        }                                                                                                                                  \
    }
DEFINE_WHERE(8)
DEFINE_WHERE(16)
DEFINE_WHERE(32)
DEFINE_WHERE(64)

void cpu_where(int32_t width, const cpu_walk *walk, const void *condition, const void *a, const void *b, void *y, int64_t begin,
               int64_t end) {
    switch (width) {
    case 1:
        where_8(walk, condition, a, b, y, begin, end);
        return;
    case 2:
        where_16(walk, condition, a, b, y, begin, end);
        return;
    case 4:
        where_32(walk, condition, a, b, y, begin, end);
        return;
    case 8:
        where_64(walk, condition, a, b, y, begin, end);
        return;
    default:
        return;
    }
}
