/* SPDX-License-Identifier: Apache-2.0 */
#include "convert.h"

/* ---- Between float32 and the floats of 16 bits ------------------------------------------------------------------------------------- */

#define CONVERSION(NAME, FROM, TO, EXPRESSION)                                                                                             \
    CLONES static void NAME(const void *from, void *to, int64_t begin, int64_t end) {                                                      \
        const FROM *input = from;                                                                                                          \
        TO *output = to;                                                                                                                   \
        EACH(int64_t i = begin; i < end; ++i) output[i] = EXPRESSION;                                                                      \
    }
CONVERSION(widen_float16_row, float16_u, float32_u, (float)input[i])
CONVERSION(narrow_float16_row, float32_u, float16_u, (_Float16)input[i])
CONVERSION(widen_bfloat16_row, uint16_u, float32_u, widen_bfloat16(input[i]))
CONVERSION(narrow_bfloat16_row, float32_u, uint16_u, narrow_bfloat16(input[i]))

void cpu_widen(cpu_type from, const void *x, float *y, int64_t begin, int64_t end) {
    if (from == CPU_TYPE_FLOAT16)
        widen_float16_row(x, y, begin, end);
    else
        widen_bfloat16_row(x, y, begin, end);
}

void cpu_narrow(cpu_type to, const float *x, void *y, int64_t begin, int64_t end) {
    if (to == CPU_TYPE_FLOAT16)
        narrow_float16_row(x, y, begin, end);
    else
        narrow_bfloat16_row(x, y, begin, end);
}

/* ---- Casts: by way of float64, which holds every float, or of int64, which holds the bits of every integer ------------------------------- */

#define LOAD(TAG, TYPE, WIDE, EXPRESSION)                                                                                                  \
    CLONES static void load_##TAG(const void *from, WIDE *to, int64_t count) {                                                             \
        typedef TYPE element UNALIGNED;                                                                                                    \
        const element *input = from;                                                                                                       \
        for (int64_t i = 0; i < count; ++i) {                                                                                              \
            const TYPE x = input[i];                                                                                                       \
            to[i] = EXPRESSION;                                                                                                            \
        }                                                                                                                                  \
    }
#define FLOATS(ENTRY)                                                                                                                      \
    ENTRY(FLOAT32, float, double, (double)x)                                                                                               \
    ENTRY(FLOAT64, double, double, x)                                                                                                      \
    ENTRY(FLOAT16, _Float16, double, (double)(float)x)                                                                                     \
    ENTRY(BFLOAT16, uint16_t, double, (double)widen_bfloat16(x))
#define INTEGERS(ENTRY)                                                                                                                    \
    ENTRY(INT8, int8_t, int64_t, x)                                                                                                        \
    ENTRY(UINT8, uint8_t, int64_t, x)                                                                                                      \
    ENTRY(INT16, int16_t, int64_t, x)                                                                                                      \
    ENTRY(UINT16, uint16_t, int64_t, x)                                                                                                    \
    ENTRY(INT32, int32_t, int64_t, x)                                                                                                      \
    ENTRY(UINT32, uint32_t, int64_t, x)                                                                                                    \
    ENTRY(INT64, int64_t, int64_t, x)                                                                                                      \
    ENTRY(UINT64, uint64_t, int64_t, (int64_t)x)                                                                                           \
    ENTRY(BOOL, uint8_t, int64_t, x != 0)
FLOATS(LOAD)
INTEGERS(LOAD)

/* Without undefined behaviour: NaN gives 0, what lies outside gives the nearest end. The ends are powers of two or exact in float64. */
#define SATURATE(TYPE, LOW, HIGH)                                                                                                          \
    INLINE TYPE saturate_##TYPE(double x) {                                                                                                \
        return x != x ? 0 : x <= (double)(LOW) ? (LOW) : x >= (double)(HIGH) ? (HIGH) : (TYPE)x;                                           \
    }
SATURATE(int8_t, INT8_MIN, INT8_MAX)
SATURATE(uint8_t, 0, UINT8_MAX)
SATURATE(int16_t, INT16_MIN, INT16_MAX)
SATURATE(uint16_t, 0, UINT16_MAX)
SATURATE(int32_t, INT32_MIN, INT32_MAX)
SATURATE(uint32_t, 0, UINT32_MAX)
SATURATE(int64_t, INT64_MIN, INT64_MAX)
SATURATE(uint64_t, 0, UINT64_MAX)

#define STORE_AS(PREFIX, WIDE, TAG, TYPE, EXPRESSION)                                                                                      \
    CLONES static void PREFIX##_##TAG(const WIDE *from, void *to, int64_t count) {                                                         \
        typedef TYPE element UNALIGNED;                                                                                                    \
        element *output = to;                                                                                                              \
        for (int64_t i = 0; i < count; ++i) {                                                                                              \
            const WIDE x = from[i];                                                                                                        \
            output[i] = EXPRESSION;                                                                                                        \
        }                                                                                                                                  \
    }
#define STORE_FLOATING(TAG, TYPE, EXPRESSION) STORE_AS(float_to, double, TAG, TYPE, EXPRESSION)
#define STORE_SIGNED(TAG, TYPE, EXPRESSION)   STORE_AS(signed_to, int64_t, TAG, TYPE, EXPRESSION)
#define STORE_UNSIGNED(TAG, TYPE, EXPRESSION) STORE_AS(unsigned_to, uint64_t, TAG, TYPE, EXPRESSION)

/* Only a 64-bit integer is too long for float64: then its low bits are gathered in one that float64 keeps, as `to_odd_float` does. */
INLINE double to_odd_signed(int64_t x) {
    const int64_t big = x >= INT64_C(1) << 53 || x <= -(INT64_C(1) << 53);
    return (double)(big ? (x & ~INT64_C(0x7ff)) | (int64_t)((x & 0x7ff) != 0) << 11 : x);
}
INLINE double to_odd_unsigned(uint64_t x) {
    const bool big = x >= UINT64_C(1) << 53;
    return (double)(big ? (x & ~UINT64_C(0x7ff)) | (uint64_t)((x & 0x7ff) != 0) << 11 : x);
}

#define FLOAT_TARGETS(ENTRY)                                                                                                               \
    ENTRY(FLOAT32, float, (float)x)                                                                                                        \
    ENTRY(FLOAT64, double, x)                                                                                                              \
    ENTRY(FLOAT16, _Float16, (_Float16)to_odd_float(x))                                                                                    \
    ENTRY(BFLOAT16, uint16_t, narrow_bfloat16(to_odd_float(x)))                                                                            \
    ENTRY(INT8, int8_t, saturate_int8_t(x))                                                                                                \
    ENTRY(UINT8, uint8_t, saturate_uint8_t(x))                                                                                             \
    ENTRY(INT16, int16_t, saturate_int16_t(x))                                                                                             \
    ENTRY(UINT16, uint16_t, saturate_uint16_t(x))                                                                                          \
    ENTRY(INT32, int32_t, saturate_int32_t(x))                                                                                             \
    ENTRY(UINT32, uint32_t, saturate_uint32_t(x))                                                                                          \
    ENTRY(INT64, int64_t, saturate_int64_t(x))                                                                                             \
    ENTRY(UINT64, uint64_t, saturate_uint64_t(x))                                                                                          \
    ENTRY(BOOL, uint8_t, x != 0)
#define SHORT_FLOAT_TARGETS(ENTRY, LONGER)                                                                                                 \
    ENTRY(FLOAT32, float, (float)x)                                                                                                        \
    ENTRY(FLOAT64, double, (double)x)                                                                                                      \
    ENTRY(FLOAT16, _Float16, (_Float16)to_odd_float(LONGER(x)))                                                                            \
    ENTRY(BFLOAT16, uint16_t, narrow_bfloat16(to_odd_float(LONGER(x))))
#define SIGNED_FLOATS(ENTRY)   SHORT_FLOAT_TARGETS(ENTRY, to_odd_signed)
#define UNSIGNED_FLOATS(ENTRY) SHORT_FLOAT_TARGETS(ENTRY, to_odd_unsigned)
#define INTEGER_TARGETS(ENTRY)                                                                                                             \
    ENTRY(INT8, int8_t, (int8_t)x)                                                                                                         \
    ENTRY(UINT8, uint8_t, (uint8_t)x)                                                                                                      \
    ENTRY(INT16, int16_t, (int16_t)x)                                                                                                      \
    ENTRY(UINT16, uint16_t, (uint16_t)x)                                                                                                   \
    ENTRY(INT32, int32_t, (int32_t)x)                                                                                                      \
    ENTRY(UINT32, uint32_t, (uint32_t)x)                                                                                                   \
    ENTRY(INT64, int64_t, x)                                                                                                               \
    ENTRY(UINT64, uint64_t, (uint64_t)x)                                                                                                   \
    ENTRY(BOOL, uint8_t, x != 0)
FLOAT_TARGETS(STORE_FLOATING)
SIGNED_FLOATS(STORE_SIGNED)
INTEGER_TARGETS(STORE_SIGNED)
UNSIGNED_FLOATS(STORE_UNSIGNED)

enum { BLOCK = 512 };

static bool is_float(cpu_type type) {
    return type == CPU_TYPE_FLOAT32 || type == CPU_TYPE_FLOAT64 || type == CPU_TYPE_FLOAT16 || type == CPU_TYPE_BFLOAT16;
}

static bool is_16_bit_float(cpu_type type) {
    return type == CPU_TYPE_FLOAT16 || type == CPU_TYPE_BFLOAT16;
}

int32_t cpu_type_width(cpu_type type) {
    static const int8_t widths[CPU_TYPE_COUNT] = {4, 8, 2, 2, 1, 1, 2, 2, 4, 4, 8, 8, 1};
    return widths[type];
}

#define CASE(TAG, CALL)                                                                                                                    \
    case CPU_TYPE_##TAG:                                                                                                                   \
        CALL;                                                                                                                              \
        break;

static void cast_float_block(cpu_type from, cpu_type to, const void *x, void *y, int64_t count) {
    double wide[BLOCK];
#define LOAD_CASE(TAG, TYPE, WIDE, EXPRESSION) CASE(TAG, load_##TAG(x, wide, count))
#define STORE_CASE(TAG, TYPE, EXPRESSION)      CASE(TAG, float_to_##TAG(wide, y, count))
    switch (from) {
        FLOATS(LOAD_CASE)
    default:
        break;
    }
    switch (to) {
        FLOAT_TARGETS(STORE_CASE)
    default:
        break;
    }
}

static void cast_integer_block(cpu_type from, cpu_type to, const void *x, void *y, int64_t count) {
    int64_t wide[BLOCK];
    switch (from) {
        INTEGERS(LOAD_CASE)
    default:
        break;
    }
#define SIGNED_CASE(TAG, TYPE, EXPRESSION)   CASE(TAG, signed_to_##TAG(wide, y, count))
#define UNSIGNED_CASE(TAG, TYPE, EXPRESSION) CASE(TAG, unsigned_to_##TAG((const uint64_t *)wide, y, count))
    if (from == CPU_TYPE_UINT64 && is_float(to)) {
        switch (to) {
            UNSIGNED_FLOATS(UNSIGNED_CASE)
        default:
            break;
        }
        return;
    }
    switch (to) {
        SIGNED_FLOATS(SIGNED_CASE)
        INTEGER_TARGETS(SIGNED_CASE)
    default:
        break;
    }
}

void cpu_cast(cpu_type from, cpu_type to, const void *x, void *y, int64_t begin, int64_t end) {
    if (is_16_bit_float(from) && to == CPU_TYPE_FLOAT32) return cpu_widen(from, x, y, begin, end);
    if (from == CPU_TYPE_FLOAT32 && is_16_bit_float(to)) return cpu_narrow(to, x, y, begin, end);
    const int64_t width_x = cpu_type_width(from), width_y = cpu_type_width(to);
    for (int64_t at = begin; at < end; at += BLOCK) {
        const int64_t count = minimum(end - at, BLOCK);
        const void *input = (const char *)x + at * width_x;
        void *output = (char *)y + at * width_y;
        if (is_float(from))
            cast_float_block(from, to, input, output, count);
        else
            cast_integer_block(from, to, input, output, count);
    }
}
