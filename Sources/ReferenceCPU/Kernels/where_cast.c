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

/* Float to integer without undefined behaviour: NaN gives 0, what lies outside gives the nearest end. The ends are powers of two, so the comparison
 * is exact in either float type. */
#define SATURATE(TO, LOW, HIGH)                                                                                                            \
    INLINE TO saturate_##TO(double x) {                                                                                                    \
        return x != x ? 0 : x <= (double)(LOW) ? (LOW) : x >= (double)(HIGH) ? (HIGH) : (TO)x;                                             \
    }
SATURATE(int8_t, INT8_MIN, INT8_MAX)
SATURATE(uint8_t, 0, UINT8_MAX)
SATURATE(int32_t, INT32_MIN, INT32_MAX)
SATURATE(int64_t, INT64_MIN, INT64_MAX)

typedef uint8_t boolean;

#define FROM_FLOAT(CAST, FROM, TAG)                                                                                                        \
    CAST(FROM, TAG, float, FLOAT32, (float)x)                                                                                              \
    CAST(FROM, TAG, double, FLOAT64, (double)x)                                                                                            \
    CAST(FROM, TAG, int8_t, INT8, saturate_int8_t(x))                                                                                      \
    CAST(FROM, TAG, uint8_t, UINT8, saturate_uint8_t(x))                                                                                   \
    CAST(FROM, TAG, int32_t, INT32, saturate_int32_t(x))                                                                                   \
    CAST(FROM, TAG, int64_t, INT64, saturate_int64_t(x))                                                                                   \
    CAST(FROM, TAG, boolean, BOOL, x != 0)
#define FROM_INTEGER(CAST, FROM, TAG)                                                                                                      \
    CAST(FROM, TAG, float, FLOAT32, (float)x)                                                                                              \
    CAST(FROM, TAG, double, FLOAT64, (double)x)                                                                                            \
    CAST(FROM, TAG, int8_t, INT8, (int8_t)x)                                                                                               \
    CAST(FROM, TAG, uint8_t, UINT8, (uint8_t)x)                                                                                            \
    CAST(FROM, TAG, int32_t, INT32, (int32_t)x)                                                                                            \
    CAST(FROM, TAG, int64_t, INT64, (int64_t)x)                                                                                            \
    CAST(FROM, TAG, boolean, BOOL, x != 0)
#define CASTS(CAST)                                                                                                                        \
    FROM_FLOAT(CAST, float, FLOAT32)                                                                                                       \
    FROM_FLOAT(CAST, double, FLOAT64)                                                                                                      \
    FROM_INTEGER(CAST, int8_t, INT8)                                                                                                       \
    FROM_INTEGER(CAST, uint8_t, UINT8)                                                                                                     \
    FROM_INTEGER(CAST, int32_t, INT32)                                                                                                     \
    FROM_INTEGER(CAST, int64_t, INT64)                                                                                                     \
    FROM_INTEGER(CAST, boolean, BOOL)

#define DEFINE_CAST(FROM, TAG_FROM, TO, TAG_TO, EXPRESSION)                                                                                \
    CLONES static void cast_##TAG_FROM##_##TAG_TO(const void *from, void *to, int64_t begin, int64_t end) {                                \
        typedef FROM source UNALIGNED;                                                                                                     \
        typedef TO target UNALIGNED;                                                                                                       \
        const source *input = from;                                                                                                        \
        target *output = to;                                                                                                               \
        EACH(int64_t i = begin; i < end; ++i) {                                                                                            \
            const FROM x = input[i];                                                                                                       \
            output[i] = EXPRESSION;                                                                                                        \
        }                                                                                                                                  \
    }
CASTS(DEFINE_CAST)

void cpu_cast(cpu_type from, cpu_type to, const void *x, void *y, int64_t begin, int64_t end) {
#define DISPATCH_CAST(FROM, TAG_FROM, TO, TAG_TO, EXPRESSION)                                                                              \
    case CPU_TYPE_##TAG_FROM *CPU_TYPE_COUNT + CPU_TYPE_##TAG_TO:                                                                          \
        cast_##TAG_FROM##_##TAG_TO(x, y, begin, end);                                                                                      \
        return;
    switch ((int)from * CPU_TYPE_COUNT + (int)to) { CASTS(DISPATCH_CAST) }
}
