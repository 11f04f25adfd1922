/* SPDX-License-Identifier: Apache-2.0
 *
 * copy.c - copies, fills and gathers on real memory.
 */
#include <string.h>

#include "internal.h"

static unsigned char *address(npu_address place, unsigned char *const memory[NPU_SPACE_COUNT], const npu_binding *slots) {
    if (place.space == NPU_DEVICE) return (unsigned char *)slots[place.slot].address + place.offset;
    return memory[place.space] + place.offset;
}

/* A row of equally spaced runs; a run of the width of an element is moved as one. */
static void row(unsigned char *to, const unsigned char *from, uint64_t run, uint64_t count, int64_t to_stride, int64_t from_stride) {
#define MOVE(bytes)                                                                                                                        \
    for (uint64_t i = 0; i < count; ++i) {                                                                                                 \
        memcpy(to, from, bytes);                                                                                                           \
        to += to_stride;                                                                                                                   \
        from += from_stride;                                                                                                               \
    }                                                                                                                                      \
    return;
    switch (run) {
    case 1:
        MOVE(1)
    case 2:
        MOVE(2)
    case 4:
        MOVE(4)
    case 8:
        MOVE(8)
    case 16:
        MOVE(16)
    case 32:
        MOVE(32)
    default:
        MOVE(run)
    }
#undef MOVE
}

static void nest(const npu_copy *copy, uint32_t level, unsigned char *to, const unsigned char *from) {
    const struct npu_copy_dimension *dimension = &copy->dimension[level];
    if (level + 1 == copy->rank) {
        row(to, from, copy->run, dimension->count, dimension->destination_stride, dimension->source_stride);
        return;
    }
    for (uint64_t i = 0; i < dimension->count; ++i) {
        nest(copy, level + 1, to, from);
        to += dimension->destination_stride;
        from += dimension->source_stride;
    }
}

void npu_copy_run(const npu_copy *copy, unsigned char *const memory[NPU_SPACE_COUNT], const npu_binding *slots) {
    unsigned char *to = address(copy->destination, memory, slots);
    const unsigned char *from = address(copy->source, memory, slots);
    if (copy->rank == 0)
        memcpy(to, from, copy->run);
    else
        nest(copy, 0, to, from);
}

void npu_fill_run(const npu_fill *fill, unsigned char *const memory[NPU_SPACE_COUNT]) {
    unsigned char *to = memory[fill->destination.space] + fill->destination.offset;
    for (uint64_t i = 0; i < fill->count; ++i, to += fill->stride) {
        if (fill->pattern_bytes == 1 || fill->pattern == 0) {
            memset(to, (int)(fill->pattern & 0xff), fill->run);
        } else {
            for (uint64_t at = 0; at < fill->run; at += fill->pattern_bytes) memcpy(to + at, &fill->pattern, fill->pattern_bytes);
        }
    }
}

bool npu_gather_run(const npu_gather *gather, unsigned char *const memory[NPU_SPACE_COUNT], const npu_binding *slots, int64_t *index) {
    unsigned char *to = address(gather->destination, memory, slots);
    const unsigned char *from = address(gather->source, memory, slots);
    const unsigned char *indices = address(gather->indices, memory, slots);
    for (uint64_t i = 0; i < gather->count; ++i, to += gather->run) {
        int64_t at = gather->index_type == NPU_INT64 ? ((const int64_t *)indices)[i] : ((const int32_t *)indices)[i];
        *index = at;
        if (at < 0) at += (int64_t)gather->limit;
        if (at < 0 || (uint64_t)at >= gather->limit) return false;
        memcpy(to, from + (uint64_t)at * gather->stride, gather->run);
    }
    return true;
}
