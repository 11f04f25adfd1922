/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops of one type, which elementwise.c chooses from. False where the type does not have the operator.
 */
#ifndef REFERENCE_CPU_ELEMENTWISE_TYPES_H
#define REFERENCE_CPU_ELEMENTWISE_TYPES_H

#include "elementwise.h"
#include "internal.h"

bool unary_float32(cpu_unary operator, const double * parameters, const void *x, void *y, int64_t begin, int64_t end);
/* Float32 results that are still right once they are rounded to 16 bits. */
void unary_before_narrowing(cpu_unary operator, const double * parameters, const float *x, float *y, int64_t count);
bool unary_float64(cpu_unary operator, const double * parameters, const void *x, void *y, int64_t begin, int64_t end);
bool binary_float32(cpu_binary operator, const cpu_walk * walk, const void *a, const void *b, void *y, int64_t begin, int64_t end);
bool binary_float64(cpu_binary operator, const cpu_walk * walk, const void *a, const void *b, void *y, int64_t begin, int64_t end);
bool binary_bool(cpu_binary operator, const cpu_walk * walk, const void *a, const void *b, void *y, int64_t begin, int64_t end);

#define INTEGER_TYPES(ENTRY)                                                                                                               \
    ENTRY(int8, INT8)                                                                                                                      \
    ENTRY(uint8, UINT8)                                                                                                                    \
    ENTRY(int16, INT16)                                                                                                                    \
    ENTRY(uint16, UINT16)                                                                                                                  \
    ENTRY(int32, INT32)                                                                                                                    \
    ENTRY(uint32, UINT32)                                                                                                                  \
    ENTRY(int64, INT64)                                                                                                                    \
    ENTRY(uint64, UINT64)
#define DECLARE(NAME, TAG)                                                                                                                 \
    bool unary_##NAME(cpu_unary operator, const int64_t * parameters, const void *x, void *y, int64_t begin, int64_t end);                 \
    bool binary_##NAME(cpu_binary operator, const cpu_walk * walk, const void *a, const void *b, void *y, int64_t begin, int64_t end);
INTEGER_TYPES(DECLARE)
#undef DECLARE

/* One loop: OPERATOR's expression in x, p and q, the parameters as PARAMETER converts them. */
#define DEFINE_UNARY(CLONED, PARAMETERS, TYPE, NAME, EXPRESSION)                                                                           \
    CLONED static void unary_##TYPE##_##NAME(const PARAMETERS *parameters, const void *from, void *to, int64_t begin, int64_t end) {       \
        typedef TYPE element UNALIGNED;                                                                                                    \
        const element *input = from;                                                                                                       \
        element *output = to;                                                                                                              \
        const TYPE p = (TYPE)parameters[0], q = (TYPE)parameters[1];                                                                       \
        (void)p, (void)q;                                                                                                                  \
        EACH(int64_t i = begin; i < end; ++i) {                                                                                            \
            const TYPE x = input[i];                                                                                                       \
            output[i] = (TYPE)(EXPRESSION);                                                                                                \
        }                                                                                                                                  \
    }
#define DISPATCH_UNARY(TYPE, NAME, EXPRESSION)                                                                                             \
    case CPU_UNARY_##NAME:                                                                                                                 \
        unary_##TYPE##_##NAME(parameters, x, y, begin, end);                                                                               \
        return true;

/* Row by row along the walk, with loops of their own for the three cases that make up nearly all of the work. */
#define DEFINE_BINARY(CLONED, TYPE, RESULT, NAME, EXPRESSION)                                                                              \
    CLONED static void binary_##TYPE##_##NAME(const cpu_walk *walk, const void *first, const void *second, void *to, int64_t begin,        \
                                              int64_t end) {                                                                               \
        typedef TYPE element UNALIGNED;                                                                                                    \
        typedef RESULT result UNALIGNED;                                                                                                   \
        const int64_t step_a = walk->strides[0][walk->rank - 1], step_b = walk->strides[1][walk->rank - 1];                                \
        cursor at;                                                                                                                         \
        cursor_place(&at, walk, begin);                                                                                                    \
        for (int64_t done = begin; done < end;) {                                                                                          \
            const int64_t count = cursor_run(&at, walk, end - done);                                                                       \
            const element *row_a = (const element *)first + at.offset[0], *row_b = (const element *)second + at.offset[1];                 \
            result *output = (result *)to + done;                                                                                          \
            if (step_a == 1 && step_b == 1) {                                                                                              \
                EACH(int64_t i = 0; i < count; ++i) {                                                                                      \
                    const TYPE a = row_a[i], b = row_b[i];                                                                                 \
                    output[i] = (RESULT)(EXPRESSION);                                                                                      \
                }                                                                                                                          \
            } else if (step_a == 1 && step_b == 0) {                                                                                       \
                const TYPE b = *row_b;                                                                                                     \
                EACH(int64_t i = 0; i < count; ++i) {                                                                                      \
                    const TYPE a = row_a[i];                                                                                               \
                    output[i] = (RESULT)(EXPRESSION);                                                                                      \
                }                                                                                                                          \
            } else if (step_a == 0 && step_b == 1) {                                                                                       \
                const TYPE a = *row_a;                                                                                                     \
                EACH(int64_t i = 0; i < count; ++i) {                                                                                      \
                    const TYPE b = row_b[i];                                                                                               \
                    output[i] = (RESULT)(EXPRESSION);                                                                                      \
                }                                                                                                                          \
            } else {                                                                                                                       \
                for (int64_t i = 0; i < count; ++i) {                                                                                      \
                    const TYPE a = row_a[i * step_a], b = row_b[i * step_b];                                                               \
                    output[i] = (RESULT)(EXPRESSION);                                                                                      \
                }                                                                                                                          \
            }                                                                                                                              \
            done += count;                                                                                                                 \
            cursor_advance(&at, walk, count);                                                                                              \
        }                                                                                                                                  \
    }
#define DISPATCH_BINARY(TYPE, RESULT, NAME, EXPRESSION)                                                                                    \
    case CPU_BINARY_##NAME:                                                                                                                \
        binary_##TYPE##_##NAME(walk, a, b, y, begin, end);                                                                                 \
        return true;
#define COMPARISONS(OPERATOR, TYPE)                                                                                                        \
    OPERATOR(TYPE, uint8_t, EQUAL, a == b)                                                                                                 \
    OPERATOR(TYPE, uint8_t, LESS, a < b)                                                                                                   \
    OPERATOR(TYPE, uint8_t, LESS_OR_EQUAL, a <= b)                                                                                         \
    OPERATOR(TYPE, uint8_t, GREATER, a > b)                                                                                                \
    OPERATOR(TYPE, uint8_t, GREATER_OR_EQUAL, a >= b)

#endif
