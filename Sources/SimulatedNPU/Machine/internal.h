/* SPDX-License-Identifier: Apache-2.0
 *
 * internal.h - what the parts of the machine share.
 */
#ifndef NPU_INTERNAL_H
#define NPU_INTERNAL_H

#include "npu.h"

typedef struct npu_list {
    npu_instruction *instructions;
    size_t count, capacity;
} npu_list;

struct npu_program {
    npu_config config;
    uint32_t cores;
    bool failed;       /* memory for an instruction was not there */
    bool has_barriers; /* local memories then belong to a core, else to a thread */
    npu_list *lists;   /* of each core */
    uint64_t *slot_bytes;
    size_t slot_count;
    char fault[200];
};

/* A stretch of memory that an instruction reads or writes. */
typedef struct npu_access {
    npu_address address; /* where it begins */
    uint64_t bytes;
    bool writes;
} npu_access;

#define NPU_MOST_ACCESSES 6

/* Every stretch of an instruction; returns their number, or -1 if one of them begins before its memory or is too long for 63 bits. */
int npu_accesses(const npu_config *config, const npu_instruction *instruction, npu_access accesses[NPU_MOST_ACCESSES]);
npu_engine npu_engine_of(const npu_instruction *instruction);
/* Bytes of an element; 0 for an unknown type. */
uint64_t npu_width(uint32_t type);

/* The functional units; memory[NPU_DEVICE] is not used. `slots` are the bound tensors. */
void npu_copy_run(const npu_copy *copy, unsigned char *const memory[NPU_SPACE_COUNT], const npu_binding *slots);
void npu_fill_run(const npu_fill *fill, unsigned char *const memory[NPU_SPACE_COUNT]);
/* Returns false, with the index in `*index`, if one is out of range. */
bool npu_gather_run(const npu_gather *gather, unsigned char *const memory[NPU_SPACE_COUNT], const npu_binding *slots, int64_t *index);

void npu_patch_run(const npu_config *config, const npu_patch *patch, unsigned char *const memory[NPU_SPACE_COUNT],
                   const npu_binding *slots);
/* The rows of the image that a patch reads along the first two axes and, if it reads one row only, the stretch along the last: begins and ends. Empty if it
 * reads padding alone. */
typedef struct npu_window {
    int64_t begin[NPU_PATCH_AXES], end[NPU_PATCH_AXES];
} npu_window;
npu_window npu_patch_window(const npu_patch *patch);

/* Memory of one thread for operands of the matrix unit, widened to float32. */
typedef struct npu_scratch {
    float *a, *b;
    size_t a_count, b_count;
} npu_scratch;

/* Returns false if there is no memory for the operands. */
bool npu_matrix_run(const npu_config *config, const npu_matrix *matrix, unsigned char *const memory[NPU_SPACE_COUNT], npu_scratch *scratch);

static inline uint64_t npu_tiles(uint64_t count, uint64_t tile) {
    return (count + tile - 1) / tile;
}

#endif
