/* SPDX-License-Identifier: Apache-2.0
 *
 * program.c - building and checking tile programs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "npu_vector.h"

npu_program *npu_program_create(const npu_config *config, uint32_t cores) {
    npu_program *program = calloc(1, sizeof *program);
    if (!program) return NULL;
    program->config = *config;
    program->cores = cores;
    program->lists = calloc(cores, sizeof *program->lists);
    if (program->lists) return program;
    free(program);
    return NULL;
}

void npu_program_destroy(npu_program *program) {
    if (!program) return;
    for (uint32_t core = 0; core < program->cores; ++core) free(program->lists[core].instructions);
    free(program->lists);
    free(program->slot_bytes);
    free(program);
}

static void append(npu_program *program, npu_list *list, const npu_instruction *instruction) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        npu_instruction *grown = realloc(list->instructions, capacity * sizeof *grown);
        if (!grown) {
            program->failed = true;
            return;
        }
        list->instructions = grown;
        list->capacity = capacity;
    }
    list->instructions[list->count++] = *instruction;
}

void npu_program_append(npu_program *program, uint32_t core, const npu_instruction *instruction) {
    if (instruction->opcode == NPU_OP_BARRIER) {
        program->has_barriers = true;
        for (uint32_t each = 0; each < program->cores; ++each) append(program, &program->lists[each], instruction);
    } else {
        append(program, &program->lists[core], instruction);
    }
}

uint64_t npu_program_count(const npu_program *program) {
    uint64_t count = 0;
    for (uint32_t core = 0; core < program->cores; ++core) count += program->lists[core].count;
    return count;
}

uint32_t npu_program_cores(const npu_program *program) {
    return program->cores;
}

const npu_instruction *npu_program_list(const npu_program *program, uint32_t core, size_t *count) {
    *count = program->lists[core].count;
    return program->lists[core].instructions;
}

uint64_t npu_width(uint32_t type) {
    switch (type) {
    case NPU_UINT8:
    case NPU_INT8:
    case NPU_BOOL:
        return 1;
    case NPU_UINT16:
    case NPU_INT16:
    case NPU_FLOAT16:
    case NPU_BFLOAT16:
        return 2;
    case NPU_FLOAT32:
    case NPU_INT32:
    case NPU_UINT32:
        return 4;
    case NPU_INT64:
    case NPU_UINT64:
        return 8;
    default:
        return 0;
    }
}

npu_engine npu_engine_of(const npu_instruction *instruction) {
    switch (instruction->opcode) {
    case NPU_OP_COPY:
        return instruction->copy.source.space == NPU_DEVICE ? NPU_ENGINE_LOAD : NPU_ENGINE_STORE;
    case NPU_OP_GATHER:
    case NPU_OP_PATCH:
        return NPU_ENGINE_LOAD;
    case NPU_OP_MATRIX:
        return NPU_ENGINE_MATRIX;
    default:
        return NPU_ENGINE_VECTOR;
    }
}

/* --- stretches of memory --------------------------------------------------------------------------------------------- */

/* Grows [low, high) by `count` steps of `stride`; false where the numbers grow absurd. */
static bool spread(__int128 *low, __int128 *high, uint64_t count, __int128 stride) {
    const __int128 far = (__int128)1 << 62;
    if (count > (uint64_t)1 << 48 || stride > far || stride < -far) return false;
    __int128 reach = (__int128)(count - 1) * stride;
    if (reach < 0)
        *low += reach;
    else
        *high += reach;
    return *low > -far && *high < far;
}

static bool stretch(npu_access *access, npu_address address, bool writes, __int128 low, __int128 high) {
    if (address.offset > (uint64_t)1 << 62) return false;
    __int128 begin = (__int128)address.offset + low;
    if (begin < 0) return false;
    access->address = address;
    access->address.offset = (uint64_t)begin;
    access->bytes = (uint64_t)(high - low);
    access->writes = writes;
    return true;
}

static bool operand_stretch(npu_access *access, const npu_operand *operand, uint64_t rows, uint64_t count, bool writes) {
    __int128 width = npu_width(operand->type), low = 0, high = width;
    return spread(&low, &high, rows, width * operand->row_stride) && spread(&low, &high, count, width * operand->stride) &&
           stretch(access, operand->address, writes, low, high);
}

int npu_accesses(const npu_config *config, const npu_instruction *instruction, npu_access accesses[NPU_MOST_ACCESSES]) {
    int count = 0;
    switch (instruction->opcode) {
    case NPU_OP_COPY: {
        const npu_copy *copy = &instruction->copy;
        if (copy->run > (uint64_t)1 << 48) return -1;
        for (int side = 0; side < 2; ++side) {
            __int128 low = 0, high = copy->run;
            for (uint32_t i = 0; i < copy->rank; ++i) {
                int64_t stride = side ? copy->dimension[i].source_stride : copy->dimension[i].destination_stride;
                if (!spread(&low, &high, copy->dimension[i].count, stride)) return -1;
            }
            if (!stretch(&accesses[count++], side ? copy->source : copy->destination, !side, low, high)) return -1;
        }
        return count;
    }
    case NPU_OP_FILL: {
        const npu_fill *fill = &instruction->fill;
        if (fill->run > (uint64_t)1 << 48 || fill->stride > (uint64_t)1 << 48) return -1;
        __int128 low = 0, high = fill->run;
        if (!spread(&low, &high, fill->count, fill->stride)) return -1;
        return stretch(&accesses[count++], fill->destination, true, low, high) ? count : -1;
    }
    case NPU_OP_GATHER: {
        const npu_gather *gather = &instruction->gather;
        if (gather->run > (uint64_t)1 << 40 || gather->count > (uint64_t)1 << 22 || gather->stride > (uint64_t)1 << 48) return -1;
        __int128 low = 0, high = gather->run;
        if (!spread(&low, &high, gather->limit, gather->stride)) return -1;
        if (!stretch(&accesses[count++], gather->source, false, low, high)) return -1;
        if (!stretch(&accesses[count++], gather->destination, true, 0, (__int128)gather->run * gather->count)) return -1;
        return stretch(&accesses[count++], gather->indices, false, 0, (__int128)npu_width(gather->index_type) * gather->count) ? count : -1;
    }
    case NPU_OP_PATCH: {
        const npu_patch *patch = &instruction->patch;
        __int128 image = patch->element_bytes;
        for (int axis = 0; axis < NPU_PATCH_AXES; ++axis) image *= patch->input[axis] & 0xffffff;
        if (patch->depth > (uint64_t)1 << 31 || patch->columns > (uint64_t)1 << 31 || image > (__int128)1 << 48) return -1;
        __int128 low = 0, high = image;
        if (!spread(&low, &high, patch->channels, (int64_t)(patch->channel_stride & 0xffffffffffff))) return -1;
        if (!stretch(&accesses[count++], patch->source, false, low, high)) return -1;
        __int128 block = (__int128)npu_tiles(patch->depth, config->tile_k) * config->tile_k * npu_tiles(patch->columns, config->tile_n) *
                         config->tile_n * patch->element_bytes;
        return stretch(&accesses[count++], patch->destination, true, 0, block) ? count : -1;
    }
    case NPU_OP_MATRIX: {
        const npu_matrix *matrix = &instruction->matrix;
        __int128 m = npu_tiles(matrix->m, config->tile_m) * config->tile_m, n = npu_tiles(matrix->n, config->tile_n) * config->tile_n;
        __int128 k = npu_tiles(matrix->k, config->tile_k) * config->tile_k;
        if (!stretch(&accesses[count++], matrix->a, false, 0, m * k * npu_width(matrix->a_type))) return -1;
        if (!stretch(&accesses[count++], matrix->b, false, 0, k * n * npu_width(matrix->b_type))) return -1;
        if (!stretch(&accesses[count++], matrix->accumulators, true, 0, m * n * 4)) return -1;
        if (matrix->flags & NPU_MATRIX_A_ZERO && !stretch(&accesses[count++], matrix->a_zero, false, 0, (__int128)matrix->m * 4)) return -1;
        if (matrix->flags & NPU_MATRIX_B_ZERO && !stretch(&accesses[count++], matrix->b_zero, false, 0, (__int128)matrix->n * 4)) return -1;
        return count;
    }
    case NPU_OP_VECTOR: {
        const npu_vector *vector = &instruction->vector;
        uint64_t written = npu_vector_reduces(vector->operation) ? 1 : vector->count;
        if (!operand_stretch(&accesses[count++], &vector->destination, vector->rows, written, true)) return -1;
        const npu_operand *operands[] = {&vector->a, &vector->b, &vector->c};
        for (int i = 0; i < 3; ++i) {
            if (operands[i]->type && !operand_stretch(&accesses[count++], operands[i], vector->rows, vector->count, false)) return -1;
        }
        return count;
    }
    default:
        return 0;
    }
}

/* --- checks ------------------------------------------------------------------------------------------------------------ */

static const char *check_operand(const npu_operand *operand, bool writes) {
    if (operand->address.space == NPU_DEVICE) return "has an operand in device memory";
    if (operand->address.space == NPU_L1 && !writes) return "reads L1";
    if (operand->address.offset % npu_width(operand->type)) return "has an operand that is not aligned to its type";
    return NULL;
}

static const char *check_matrix(const npu_config *config, const npu_matrix *matrix) {
    bool floats = matrix->a_type == NPU_FLOAT16 || matrix->a_type == NPU_BFLOAT16;
    if (floats ? matrix->b_type != matrix->a_type
               : (matrix->a_type != NPU_INT8 && matrix->a_type != NPU_UINT8) || (matrix->b_type != NPU_INT8 && matrix->b_type != NPU_UINT8))
        return "multiplies types that the matrix unit does not take together";
    double rate = matrix->a_type == NPU_FLOAT16 ? config->float16_rate : floats ? config->bfloat16_rate : config->int8_rate;
    if (rate <= 0) return "multiplies a type that this matrix unit does not take";
    if (!matrix->m || !matrix->n || !matrix->k) return "multiplies nothing";
    if (matrix->a.space != NPU_L1 || matrix->b.space != NPU_L1 || matrix->accumulators.space != NPU_ACCUMULATORS)
        return "has an operand in the wrong memory";
    if (matrix->accumulators.offset % 4 || matrix->a.offset % 2 || matrix->b.offset % 2) return "has an operand that is not aligned";
    if (floats && matrix->flags & (NPU_MATRIX_A_ZERO | NPU_MATRIX_B_ZERO)) return "has zero points for floats";
    if ((matrix->flags & NPU_MATRIX_A_ZERO && (matrix->a_zero.space != NPU_VECTORS || matrix->a_zero.offset % 4)) ||
        (matrix->flags & NPU_MATRIX_B_ZERO && (matrix->b_zero.space != NPU_VECTORS || matrix->b_zero.offset % 4)))
        return "has zero points that are not aligned or not in the vector unit's memory";
    return NULL;
}

static const char *check_patch(const npu_patch *patch) {
    uint64_t taps = 1, columns = 1;
    for (int axis = 0; axis < NPU_PATCH_AXES; ++axis) {
        if (!patch->input[axis] || !patch->output[axis] || !patch->kernel[axis] || !patch->stride[axis] || !patch->dilation[axis])
            return "has an axis without extent";
        if ((patch->input[axis] | patch->output[axis] | patch->kernel[axis] | patch->stride[axis] | patch->dilation[axis]) >> 24)
            return "has an axis that is too long";
        if (patch->pad[axis] < -(1 << 24) || patch->pad[axis] > 1 << 24) return "has too large a padding";
        taps *= patch->kernel[axis];
        columns *= patch->output[axis];
        if (taps > 1u << 24 || columns >> 40) return "has an axis that is too long";
    }
    uint32_t bytes = patch->element_bytes;
    if (bytes != 1 && bytes != 2 && bytes != 4) return "has elements of a wrong width";
    if (!patch->depth || !patch->columns || !patch->channels) return "loads nothing";
    if (patch->channels >> 32 || patch->first_depth > patch->channels * taps || patch->depth > patch->channels * taps - patch->first_depth)
        return "goes past the last channel";
    if (patch->first_column > columns || patch->columns > columns - patch->first_column) return "goes past the last window";
    if (patch->source.space != NPU_DEVICE || (patch->destination.space != NPU_L1 && patch->destination.space != NPU_VECTORS))
        return "has an operand in the wrong memory";
    return NULL;
}

/* What is wrong with an instruction by itself; NULL if nothing is. */
static const char *check_one(const npu_config *config, const npu_instruction *instruction) {
    switch (instruction->opcode) {
    case NPU_OP_COPY: {
        const npu_copy *copy = &instruction->copy;
        if (copy->rank > NPU_COPY_RANK) return "has too many dimensions";
        if (!copy->run) return "copies nothing";
        for (uint32_t i = 0; i < copy->rank; ++i) {
            if (!copy->dimension[i].count) return "copies nothing";
            if (copy->dimension[i].count > 1 && !copy->dimension[i].destination_stride) return "writes the same bytes twice";
        }
        if (copy->source.space == NPU_DEVICE && copy->destination.space == NPU_DEVICE) return "copies from device memory to device memory";
        return NULL;
    }
    case NPU_OP_FILL: {
        const npu_fill *fill = &instruction->fill;
        uint32_t bytes = fill->pattern_bytes;
        if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) return "fills with a pattern of a wrong size";
        if (!fill->run || !fill->count || fill->run % bytes) return "fills nothing, or a broken pattern";
        return fill->destination.space == NPU_DEVICE ? "fills device memory" : NULL;
    }
    case NPU_OP_GATHER: {
        const npu_gather *gather = &instruction->gather;
        if (!gather->run || !gather->count || !gather->limit) return "gathers nothing";
        if (gather->index_type != NPU_INT32 && gather->index_type != NPU_INT64) return "has indices of a wrong type";
        if (gather->source.space != NPU_DEVICE || gather->destination.space == NPU_DEVICE || gather->indices.space != NPU_VECTORS ||
            gather->indices.offset % npu_width(gather->index_type))
            return "has an operand in the wrong memory, or not aligned";
        return NULL;
    }
    case NPU_OP_PATCH:
        return check_patch(&instruction->patch);
    case NPU_OP_MATRIX:
        return check_matrix(config, &instruction->matrix);
    case NPU_OP_VECTOR: {
        const npu_vector *vector = &instruction->vector;
        if (!vector->rows || !vector->count) return "works on nothing";
        const char *refusal = npu_vector_refusal(vector);
        if (refusal) return refusal;
        const npu_operand *operands[] = {&vector->destination, &vector->a, &vector->b, &vector->c};
        for (int i = 0; i < 4; ++i) {
            if (i && !operands[i]->type) continue;
            const char *fault = check_operand(operands[i], !i);
            if (fault) return fault;
        }
        return NULL;
    }
    case NPU_OP_BARRIER:
        return NULL;
    default:
        return "has no known opcode";
    }
}

static const char *const space_names[NPU_SPACE_COUNT] = {"a tensor", "L1", "the accumulators", "the vector unit's memory"};

const char *npu_program_check(npu_program *program, const uint64_t *slot_bytes, size_t slot_count) {
    free(program->slot_bytes);
    program->slot_bytes = malloc(slot_count ? slot_count * sizeof *slot_bytes : 1);
    program->slot_count = slot_count;
    if (!program->slot_bytes || program->failed) return "there is no memory for the program";
    if (slot_count) memcpy(program->slot_bytes, slot_bytes, slot_count * sizeof *slot_bytes);
    for (uint32_t core = 0; core < program->cores; ++core) {
        for (size_t i = 0; i < program->lists[core].count; ++i) {
            const npu_instruction *instruction = &program->lists[core].instructions[i];
            const char *fault = check_one(&program->config, instruction);
            npu_access accesses[NPU_MOST_ACCESSES];
            int count = fault ? 0 : npu_accesses(&program->config, instruction, accesses);
            if (count < 0) fault = "reaches before the start of a memory, or absurdly far";
            for (int each = 0; each < count && !fault; ++each) {
                const npu_access *access = &accesses[each];
                bool is_slot = access->address.space == NPU_DEVICE;
                if (access->address.space >= NPU_SPACE_COUNT || (is_slot && access->address.slot >= slot_count)) {
                    fault = "names a memory that is not there";
                    break;
                }
                uint64_t size = is_slot ? slot_bytes[access->address.slot] : program->config.space_bytes[access->address.space];
                if (access->address.offset <= size && access->bytes <= size - access->address.offset) continue;
                snprintf(program->fault, sizeof program->fault,
                         "instruction %zu of core %u (opcode %u) reaches byte %llu of %s, which has %llu (slot %u)", i, core,
                         instruction->opcode, (unsigned long long)(access->address.offset + access->bytes),
                         space_names[access->address.space], (unsigned long long)size, access->address.slot);
                return program->fault;
            }
            if (!fault) continue;
            snprintf(program->fault, sizeof program->fault, "instruction %zu of core %u (opcode %u) %s", i, core, instruction->opcode,
                     fault);
            return program->fault;
        }
    }
    return NULL;
}
