/* SPDX-License-Identifier: Apache-2.0 */
#include "vector_access.h"
#include "numbers.h"

#define ANYWHERE __attribute__((aligned(1), may_alias))
typedef float any_float32 ANYWHERE;
typedef uint8_t any_uint8 ANYWHERE;
typedef int8_t any_int8 ANYWHERE;
typedef uint16_t any_uint16 ANYWHERE;
typedef int16_t any_int16 ANYWHERE;
typedef uint32_t any_uint32 ANYWHERE;
typedef int32_t any_int32 ANYWHERE;
typedef uint64_t any_uint64 ANYWHERE;
typedef int64_t any_int64 ANYWHERE;

/* Contiguous elements in a loop of their own, which vectorises. */
#define LOAD(TYPE, EXPRESSION)                                                                                                             \
    {                                                                                                                                      \
        const any_##TYPE *from = (const any_##TYPE *)address;                                                                              \
        if (stride == 1) {                                                                                                                 \
            for (uint64_t i = 0; i < count; ++i) {                                                                                         \
                const TYPE##_t x = from[i];                                                                                                \
                to[i] = EXPRESSION;                                                                                                        \
            }                                                                                                                              \
        } else {                                                                                                                           \
            for (uint64_t i = 0; i < count; ++i) {                                                                                         \
                const TYPE##_t x = from[(int64_t)i * stride];                                                                              \
                to[i] = EXPRESSION;                                                                                                        \
            }                                                                                                                              \
        }                                                                                                                                  \
        break;                                                                                                                             \
    }
typedef float float32_t;

CLONES void vector_load_floats(uint32_t type, const unsigned char *address, int64_t stride, uint64_t count, float *restrict to) {
    switch (type) {
    case NPU_FLOAT32:
        LOAD(float32, x)
    case NPU_FLOAT16:
        LOAD(uint16, float_of_float16(x))
    case NPU_BFLOAT16:
        LOAD(uint16, float_of_bfloat16(x))
    case NPU_BOOL:
        LOAD(uint8, (float)(x != 0))
    case NPU_INT8:
        LOAD(int8, (float)x)
    case NPU_UINT8:
        LOAD(uint8, (float)x)
    case NPU_INT16:
        LOAD(int16, (float)x)
    case NPU_UINT16:
        LOAD(uint16, (float)x)
    case NPU_INT32:
        LOAD(int32, (float)x)
    case NPU_UINT32:
        LOAD(uint32, (float)x)
    case NPU_INT64:
        LOAD(int64, (float)x)
    case NPU_UINT64:
        LOAD(uint64, (float)x)
    default:
        break;
    }
}

CLONES void vector_load_integers(uint32_t type, const unsigned char *address, int64_t stride, uint64_t count, int64_t *restrict to) {
    switch (type) {
    case NPU_FLOAT32:
        LOAD(float32, x != 0.0f)
    case NPU_FLOAT16:
    case NPU_BFLOAT16:
        LOAD(uint16, (x & 0x7fff) != 0)
    case NPU_BOOL:
        LOAD(uint8, x != 0)
    case NPU_INT8:
        LOAD(int8, x)
    case NPU_UINT8:
        LOAD(uint8, x)
    case NPU_INT16:
        LOAD(int16, x)
    case NPU_UINT16:
        LOAD(uint16, x)
    case NPU_INT32:
        LOAD(int32, x)
    case NPU_UINT32:
        LOAD(uint32, x)
    case NPU_INT64:
        LOAD(int64, x)
    case NPU_UINT64:
        LOAD(uint64, (int64_t)x)
    default:
        break;
    }
}

#define STORE(TYPE, EXPRESSION)                                                                                                            \
    {                                                                                                                                      \
        any_##TYPE *to = (any_##TYPE *)address;                                                                                            \
        if (stride == 1) {                                                                                                                 \
            for (uint64_t i = 0; i < count; ++i) to[i] = (TYPE##_t)(EXPRESSION);                                                           \
        } else {                                                                                                                           \
            for (uint64_t i = 0; i < count; ++i) to[(int64_t)i * stride] = (TYPE##_t)(EXPRESSION);                                         \
        }                                                                                                                                  \
        break;                                                                                                                             \
    }

CLONES void vector_store_floats(uint32_t type, const float *restrict from, uint64_t count, unsigned char *address, int64_t stride) {
    switch (type) {
    case NPU_FLOAT32:
        STORE(float32, from[i])
    case NPU_FLOAT16:
        STORE(uint16, float16_of_float(from[i]))
    case NPU_BFLOAT16:
        STORE(uint16, bfloat16_of_float(from[i]))
    case NPU_BOOL:
        STORE(uint8, from[i] != 0.0f)
    case NPU_INT8:
        STORE(int8, integer_of_float(from[i], INT8_MIN, INT8_MAX, 0x1p7f))
    case NPU_UINT8:
        STORE(uint8, integer_of_float(from[i], 0, UINT8_MAX, 0x1p8f))
    case NPU_INT16:
        STORE(int16, integer_of_float(from[i], INT16_MIN, INT16_MAX, 0x1p15f))
    case NPU_UINT16:
        STORE(uint16, integer_of_float(from[i], 0, UINT16_MAX, 0x1p16f))
    case NPU_INT32:
        STORE(int32, integer_of_float(from[i], INT32_MIN, INT32_MAX, 0x1p31f))
    case NPU_UINT32:
        STORE(uint32, integer_of_float(from[i], 0, UINT32_MAX, 0x1p32f))
    case NPU_INT64:
        STORE(int64, integer_of_float(from[i], INT64_MIN, INT64_MAX, 0x1p63f))
    case NPU_UINT64:
        STORE(uint64, unsigned_of_float(from[i]))
    default:
        break;
    }
}

/* Beyond 24 bits every integer is infinite in float16, so that float32 on the way rounds nothing twice. */
#define TO_FLOAT(x) (isUnsigned ? (float)(uint64_t)(x) : (float)(x))

INLINE uint16_t bfloat16_of_integer(int64_t x, bool isUnsigned) {
    const bool isNegative = x < 0 && !isUnsigned;
    const float size = sticky_float(isNegative ? 0 - (uint64_t)x : (uint64_t)x);
    return bfloat16_of_float(isNegative ? -size : size);
}

CLONES void vector_store_integers(uint32_t type, const int64_t *restrict from, bool isUnsigned, uint64_t count, unsigned char *address,
                                  int64_t stride) {
    switch (type) {
    case NPU_FLOAT32:
        STORE(float32, TO_FLOAT(from[i]))
    case NPU_FLOAT16:
        STORE(uint16, float16_of_float(TO_FLOAT(from[i])))
    case NPU_BFLOAT16:
        STORE(uint16, bfloat16_of_integer(from[i], isUnsigned))
    case NPU_BOOL:
        STORE(uint8, from[i] != 0)
    case NPU_INT8:
    case NPU_UINT8:
        STORE(uint8, from[i])
    case NPU_INT16:
    case NPU_UINT16:
        STORE(uint16, from[i])
    case NPU_INT32:
    case NPU_UINT32:
        STORE(uint32, from[i])
    case NPU_INT64:
    case NPU_UINT64:
        STORE(uint64, from[i])
    default:
        break;
    }
}
