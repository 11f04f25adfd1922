/* SPDX-License-Identifier: Apache-2.0
 *
 * Elements of an operand to and from a block of the vector unit's own formats.
 */
#ifndef NPU_VECTOR_ACCESS_H
#define NPU_VECTOR_ACCESS_H

#include "include/npu_vector.h"

#define VECTOR_BLOCK 512

/* What the unit works on at a time: floats, or integers in two's complement. */
typedef union vector_block {
    float floats[VECTOR_BLOCK];
    int64_t integers[VECTOR_BLOCK];
} vector_block;

/* `count` elements from `address` on, `stride` elements apart. */
void vector_load_floats(uint32_t type, const unsigned char *address, int64_t stride, uint64_t count, float *to);
void vector_load_integers(uint32_t type, const unsigned char *address, int64_t stride, uint64_t count, int64_t *to);
void vector_store_floats(uint32_t type, const float *from, uint64_t count, unsigned char *address, int64_t stride);
/* `isUnsigned`: the integers are of 64 bits without sign. */
void vector_store_integers(uint32_t type, const int64_t *from, bool isUnsigned, uint64_t count, unsigned char *address, int64_t stride);

#endif
