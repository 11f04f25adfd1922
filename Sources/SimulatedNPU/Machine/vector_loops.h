/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector unit's operations on blocks. `a`, `b` and `c` hold what operands the operation has.
 */
#ifndef NPU_VECTOR_LOOPS_H
#define NPU_VECTOR_LOOPS_H

#include "vector_access.h"

/* Results are floats. */
void vector_floats(uint32_t operation, uint64_t count, const float *a, const float *b, const float *c, float *y);
/* Of floats, results are 0 or 1. `sign` of NPU_V_IS_INFINITE. */
void vector_predicates(uint32_t operation, uint64_t count, const float *a, const float *b, double sign, int64_t *y);
/* `bits`: the width of a's type. */
void vector_integers(uint32_t operation, bool isUnsigned, uint32_t bits, uint64_t count, const int64_t *a, const int64_t *b,
                     const int64_t *c, int64_t *y);

#define VECTOR_LANES 16
/* What a reduction has so far: element i of a row is in part i % VECTOR_LANES. */
typedef union vector_parts {
    float floats[VECTOR_LANES];
    int64_t integers[VECTOR_LANES];
} vector_parts;

void vector_begin(uint32_t operation, bool isFloat, bool isUnsigned, vector_parts *parts);
/* Adds elements; all calls of a row but the last give multiples of VECTOR_LANES. */
void vector_reduce_floats(uint32_t operation, uint64_t count, const float *x, vector_parts *parts);
void vector_reduce_integers(uint32_t operation, bool isUnsigned, uint64_t count, const int64_t *x, vector_parts *parts);
/* Leaves the result in part 0. */
void vector_end(uint32_t operation, bool isFloat, bool isUnsigned, vector_parts *parts);
/* Adds a later result to an earlier one, both in part 0. */
void vector_join(uint32_t operation, bool isFloat, bool isUnsigned, vector_parts *earlier, const vector_parts *later);

#endif
