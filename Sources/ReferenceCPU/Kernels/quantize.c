/* SPDX-License-Identifier: Apache-2.0 */
#include "quantized.h"
#include "internal.h"

/* In float64, where the products of scales and sums are exact or nearly so: what is rounded to an integer is the true value but for its last bits. */
CLONES void cpu_requantize(const cpu_requantization *how, int64_t columns, const int32_t *sums, int64_t sums_leading, void *y,
                           int64_t leading, int64_t begin, int64_t end) {
    const float32_u *row_scales = how->row_scales, *column_scales = how->column_scales;
    const double low = how->is_signed ? -128 : 0, high = how->is_signed ? 127 : 255, zero = how->zero, scale = how->scale;
    for (int64_t row = begin; row < end; ++row) {
        const double row_scale = row_scales[how->row_scale_count == 1 ? 0 : row];
        const double bias = how->bias ? ((const int32_u *)how->bias)[row] : 0;
        const int32_t *from = sums + row * sums_leading;
        uint8_t *to = (uint8_t *)y + row * leading;
        const bool is_same = how->column_scale_count == 1;
        for (int64_t j = 0; j < columns; ++j) {
            const double column_scale = column_scales[is_same ? 0 : j];
            double step = __builtin_rint(((double)from[j] + bias) * row_scale * column_scale / scale) + zero;
            step = step < low ? low : step > high ? high : step;
            to[j] = (uint8_t)(int32_t)(step == step ? step : 0.0);
        }
    }
}

/* A run of `inner` elements has one scale, or in blocks along an inner axis one each. */
INLINE int64_t first_scale(const cpu_scale_map *map, int64_t run) {
    if (map->block == 0) return run % map->size;
    const int64_t blocks = (map->size + map->block - 1) / map->block;
    return (run / map->size * blocks + run % map->size / map->block) * map->inner;
}

/* The quotient is rounded to float32 before it is rounded to an integer, as the operator says. */
#define QUANTIZE(TYPE, LOW, HIGH)                                                                                                          \
    CLONES static void quantize_##TYPE(const cpu_scale_map *map, const float32_u *x, const float32_u *scales, const TYPE *zeros, TYPE *y,  \
                                       int64_t begin, int64_t end) {                                                                       \
        const int64_t inner = map->inner, step = map->block == 0 ? 0 : 1;                                                                  \
        for (int64_t run = begin; run < end; ++run) {                                                                                      \
            const int64_t first = first_scale(map, run);                                                                                   \
            for (int64_t i = 0; i < inner; ++i) {                                                                                          \
                const float zero = zeros ? (float)zeros[first + i * step] : 0.0f;                                                          \
                /* A step beyond 2^17 saturates whatever the zero point. */                                                                \
                float quotient = x[run * inner + i] / scales[first + i * step];                                                            \
                quotient = quotient < -0x1p17f ? -0x1p17f : quotient > 0x1p17f ? 0x1p17f : quotient;                                       \
                float value = __builtin_rintf(quotient) + zero;                                                                            \
                value = value < (LOW) ? (LOW) : value > (HIGH) ? (HIGH) : value;                                                           \
                y[run * inner + i] = (TYPE)(int32_t)(value == value ? value : 0.0f);                                                       \
            }                                                                                                                              \
        }                                                                                                                                  \
    }
QUANTIZE(int8_u, -128.0f, 127.0f)
QUANTIZE(uint8_u, 0.0f, 255.0f)
QUANTIZE(int16_u, -32768.0f, 32767.0f)
QUANTIZE(uint16_u, 0.0f, 65535.0f)

bool cpu_quantize(const cpu_scale_map *map, cpu_type to, const void *x, const void *scales, const void *zeros, void *y, int64_t begin,
                  int64_t end) {
#define QUANTIZE_CASE(TAG, TYPE)                                                                                                           \
    case CPU_TYPE_##TAG:                                                                                                                   \
        quantize_##TYPE(map, x, scales, zeros, y, begin, end);                                                                             \
        return true;
    switch (to) {
        QUANTIZE_CASE(INT8, int8_u)
        QUANTIZE_CASE(UINT8, uint8_u)
        QUANTIZE_CASE(INT16, int16_u)
        QUANTIZE_CASE(UINT16, uint16_u)
    default:
        return false;
    }
}

/* The difference of two 32-bit integers is exact in float64, and so is its product with a scale but for one rounding. */
#define DEQUANTIZE(TYPE)                                                                                                                   \
    CLONES static void dequantize_##TYPE(const cpu_scale_map *map, const TYPE *x, const float32_u *scales, const TYPE *zeros,              \
                                         float32_u *y, int64_t begin, int64_t end) {                                                       \
        const int64_t inner = map->inner, step = map->block == 0 ? 0 : 1;                                                                  \
        for (int64_t run = begin; run < end; ++run) {                                                                                      \
            const int64_t first = first_scale(map, run);                                                                                   \
            for (int64_t i = 0; i < inner; ++i) {                                                                                          \
                const double zero = zeros ? (double)zeros[first + i * step] : 0.0;                                                         \
                y[run * inner + i] = (float)(((double)x[run * inner + i] - zero) * (double)scales[first + i * step]);                      \
            }                                                                                                                              \
        }                                                                                                                                  \
    }
DEQUANTIZE(int8_u)
DEQUANTIZE(uint8_u)
DEQUANTIZE(int16_u)
DEQUANTIZE(uint16_u)
DEQUANTIZE(int32_u)

bool cpu_dequantize(const cpu_scale_map *map, cpu_type from, const void *x, const void *scales, const void *zeros, void *y, int64_t begin,
                    int64_t end) {
#define DEQUANTIZE_CASE(TAG, TYPE)                                                                                                         \
    case CPU_TYPE_##TAG:                                                                                                                   \
        dequantize_##TYPE(map, x, scales, zeros, y, begin, end);                                                                           \
        return true;
    switch (from) {
        DEQUANTIZE_CASE(INT8, int8_u)
        DEQUANTIZE_CASE(UINT8, uint8_u)
        DEQUANTIZE_CASE(INT16, int16_u)
        DEQUANTIZE_CASE(UINT16, uint16_u)
        DEQUANTIZE_CASE(INT32, int32_u)
    default:
        return false;
    }
}

CLONES void cpu_range_float32(const void *x, int64_t begin, int64_t end, float range[2]) {
    const float32_u *from = x;
    float least[LANES] = {0}, greatest[LANES] = {0};
    for (int64_t i = begin; i < end; i += LANES) {
        const int64_t count = minimum(end - i, LANES);
        for (int64_t c = 0; c < count; ++c) {
            const float v = from[i + c];
            least[c] = v < least[c] || v != v ? v : least[c];
            greatest[c] = v > greatest[c] || v != v ? v : greatest[c];
        }
    }
    range[0] = least[0], range[1] = greatest[0];
    for (int c = 1; c < LANES; ++c) {
        range[0] = least[c] < range[0] || least[c] != least[c] ? least[c] : range[0];
        range[1] = greatest[c] > range[1] || greatest[c] != greatest[c] ? greatest[c] : range[1];
    }
}
