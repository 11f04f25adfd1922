/* SPDX-License-Identifier: Apache-2.0 */
#include "numbers.h"
#include "vector_loops.h"

INLINE float combined_floats(uint32_t operation, float a, float b) {
    switch (operation) {
    case NPU_V_PRODUCT:
        return a * b;
    case NPU_V_GREATEST:
        return b > a || b != b ? b : a;
    case NPU_V_LEAST:
        return b < a || b != b ? b : a;
    default:
        return a + b;
    }
}

INLINE int64_t combined_integers(uint32_t operation, bool isUnsigned, int64_t a, int64_t b) {
    switch (operation) {
    case NPU_V_PRODUCT:
        return (int64_t)((uint64_t)a * (uint64_t)b);
    case NPU_V_GREATEST:
        return (isUnsigned ? (uint64_t)b > (uint64_t)a : b > a) ? b : a;
    case NPU_V_LEAST:
        return (isUnsigned ? (uint64_t)b < (uint64_t)a : b < a) ? b : a;
    default:
        return (int64_t)((uint64_t)a + (uint64_t)b);
    }
}

void vector_begin(uint32_t operation, bool isFloat, bool isUnsigned, vector_parts *parts) {
    const float infinity = __builtin_inff();
    for (int lane = 0; lane < VECTOR_LANES; ++lane) {
        if (isFloat)
            parts->floats[lane] = operation == NPU_V_PRODUCT    ? 1.0f
                                  : operation == NPU_V_GREATEST ? -infinity
                                  : operation == NPU_V_LEAST    ? infinity
                                                                : 0.0f;
        else
            parts->integers[lane] = operation == NPU_V_PRODUCT    ? 1
                                    : operation == NPU_V_GREATEST ? (isUnsigned ? 0 : INT64_MIN)
                                    : operation == NPU_V_LEAST    ? (isUnsigned ? -1 : INT64_MAX)
                                                                  : 0;
    }
}

/* What of an element is combined. */
#define LANES_OF(PART, COMBINE, ELEMENT)                                                                                                   \
    {                                                                                                                                      \
        uint64_t i = 0;                                                                                                                    \
        for (; i + VECTOR_LANES <= count; i += VECTOR_LANES)                                                                               \
            for (int lane = 0; lane < VECTOR_LANES; ++lane) PART[lane] = COMBINE(PART[lane], ELEMENT(x[i + lane]));                        \
        for (int lane = 0; i < count; ++i, ++lane) PART[lane] = COMBINE(PART[lane], ELEMENT(x[i]));                                        \
        break;                                                                                                                             \
    }
#define ITSELF(x)           (x)
#define SQUARE(x)           ((x) * (x))
#define INTEGER_SQUARE(x)   ((int64_t)((uint64_t)(x) * (uint64_t)(x)))
#define INTEGER_SIZE(x)     ((x) < 0 && !isUnsigned ? (int64_t)(0 - (uint64_t)(x)) : (x))
#define FLOAT_SUM(a, b)     combined_floats(NPU_V_SUM, a, b)
#define FLOAT_PRODUCT(a, b) combined_floats(NPU_V_PRODUCT, a, b)
#define FLOAT_MOST(a, b)    combined_floats(NPU_V_GREATEST, a, b)
#define FLOAT_LEAST(a, b)   combined_floats(NPU_V_LEAST, a, b)
#define WHOLE(a, b)         combined_integers(operation, isUnsigned, a, b)

CLONES void vector_reduce_floats(uint32_t operation, uint64_t count, const float *restrict x, vector_parts *restrict parts) {
    float part[VECTOR_LANES];
    for (int lane = 0; lane < VECTOR_LANES; ++lane) part[lane] = parts->floats[lane];
    switch (operation) {
    case NPU_V_SUM:
        LANES_OF(part, FLOAT_SUM, ITSELF)
    case NPU_V_SUM_OF_SQUARES:
        LANES_OF(part, FLOAT_SUM, SQUARE)
    case NPU_V_SUM_OF_MAGNITUDES:
        LANES_OF(part, FLOAT_SUM, __builtin_fabsf)
    case NPU_V_PRODUCT:
        LANES_OF(part, FLOAT_PRODUCT, ITSELF)
    case NPU_V_GREATEST:
        LANES_OF(part, FLOAT_MOST, ITSELF)
    case NPU_V_LEAST:
        LANES_OF(part, FLOAT_LEAST, ITSELF)
    default:
        break;
    }
    for (int lane = 0; lane < VECTOR_LANES; ++lane) parts->floats[lane] = part[lane];
}

CLONES void vector_reduce_integers(uint32_t operation, bool isUnsigned, uint64_t count, const int64_t *restrict x,
                                   vector_parts *restrict parts) {
    switch (operation) {
    case NPU_V_SUM_OF_SQUARES:
        LANES_OF(parts->integers, WHOLE, INTEGER_SQUARE)
    case NPU_V_SUM_OF_MAGNITUDES:
        LANES_OF(parts->integers, WHOLE, INTEGER_SIZE)
    default:
        LANES_OF(parts->integers, WHOLE, ITSELF)
    }
}

void vector_end(uint32_t operation, bool isFloat, bool isUnsigned, vector_parts *parts) {
    for (int width = VECTOR_LANES / 2; width > 0; width /= 2)
        for (int lane = 0; lane < width; ++lane) {
            if (isFloat)
                parts->floats[lane] = combined_floats(operation, parts->floats[lane], parts->floats[lane + width]);
            else
                parts->integers[lane] = combined_integers(operation, isUnsigned, parts->integers[lane], parts->integers[lane + width]);
        }
}

void vector_join(uint32_t operation, bool isFloat, bool isUnsigned, vector_parts *earlier, const vector_parts *later) {
    if (isFloat)
        earlier->floats[0] = combined_floats(operation, earlier->floats[0], later->floats[0]);
    else
        earlier->integers[0] = combined_integers(operation, isUnsigned, earlier->integers[0], later->integers[0]);
}
