/* SPDX-License-Identifier: Apache-2.0
 *
 * npu.h - the machine of the simulated NPU: local memories, tile programs, the interpreter and the clock.
 *
 * A tile program is a list of instructions for each core. The same list is run twice over:
 *   npu_execute  on real data, and
 *   npu_time     on a scoreboard in which every engine of every core has its own clock.
 * Neither depends on the other, and neither depends on the machine that simulates: the same bits and the same cycles everywhere.
 *
 * Time is max-plus: an instruction begins when its engine has finished the one before, when what it reads is written and what it overwrites is read. All terms
 * are sums and maxima of durations, so a faster resource never makes the same program slower. Bandwidth of shared memories is divided evenly among the cores
 * that a program uses, so that no order between cores matters and the sum never exceeds what the memory has.
 */
#ifndef NPU_H
#define NPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- the machine, from a profile ------------------------------------------------------------------------------------ */

typedef enum npu_type {
    NPU_FLOAT32 = 1,
    NPU_UINT8 = 2,
    NPU_INT8 = 3,
    NPU_UINT16 = 4,
    NPU_INT16 = 5,
    NPU_INT32 = 6,
    NPU_INT64 = 7,
    NPU_BOOL = 9,
    NPU_FLOAT16 = 10,
    NPU_UINT32 = 12,
    NPU_UINT64 = 13,
    NPU_BFLOAT16 = 16,
} npu_type; /* the numbers of SB_TYPE_* */

/* Memories that instructions name. DEVICE is reached by copies only; the rest belongs to one core. */
typedef enum npu_space { NPU_DEVICE, NPU_L1, NPU_ACCUMULATORS, NPU_VECTORS, NPU_SPACE_COUNT } npu_space;

typedef enum npu_engine { NPU_ENGINE_LOAD, NPU_ENGINE_STORE, NPU_ENGINE_MATRIX, NPU_ENGINE_VECTOR, NPU_ENGINE_COUNT } npu_engine;

typedef struct npu_config {
    uint32_t cores;
    uint32_t tile_m, tile_n, tile_k;
    double clock; /* hertz                                                                 */
    double float16_rate, bfloat16_rate,
        int8_rate; /* matrix operations (a multiply-add is two) in a cycle, per core; 0: the unit does not take the type */
    double vector_float32_rate, vector_float16_rate; /* vector operations in a cycle, per core; integers go at the float32 rate */
    double device_bandwidth, l2_bandwidth;           /* bytes per second, of all cores together                               */
    double device_latency, l2_latency;               /* seconds                                                               */
    double l1_bandwidth;                             /* bytes per second of one core: what its copies can take at most        */
    uint64_t device_bytes, l2_bytes;
    uint64_t space_bytes[NPU_SPACE_COUNT]; /* of L1, ACCUMULATORS and VECTORS, of one core; [NPU_DEVICE] unused     */
    double launch_latency;                 /* seconds from a command's turn to its first instruction                        */
    double link_bandwidth, link_latency;   /* to the host: bytes per second, seconds                                        */
} npu_config;

/* --- instructions ----------------------------------------------------------------------------------------------------- */

/* Where an operand begins. In DEVICE `slot` counts the tensors that a launch binds (npu_binding) and `offset` bytes within it; elsewhere `offset` is the byte
 * offset in the core's memory. */
typedef struct npu_address {
    uint8_t space; /* npu_space */
    uint8_t reserved[3];
    uint32_t slot;
    uint64_t offset;
} npu_address;

#define NPU_COPY_RANK 6

/* A copy of a strided block: a load (from DEVICE; load engine), a store (to DEVICE) or between memories of the core (both: store engine). The innermost run is
 * contiguous on both sides. A source stride of 0 repeats what is read: it is read once, and so is what runs overlap in. Packing into tiles, transposing, slicing,
 * broadcasting and cutting out image patches are all this. Time: DEVICE moves bursts of at least 64 bytes, the core's side at least 32 bytes a run. */
typedef struct npu_copy {
    npu_address destination, source;
    uint64_t run; /* bytes */
    uint32_t rank;
    uint32_t reserved;
    struct npu_copy_dimension {
        uint64_t count;
        int64_t destination_stride, source_stride; /* bytes; the source's may be negative */
    } dimension[NPU_COPY_RANK];                    /* the first is the slowest */
} npu_copy;

/* Fills `count` runs of `run` bytes, `stride` bytes apart, with a pattern of 1, 2, 4 or 8 bytes. In a local memory; takes the vector engine. */
typedef struct npu_fill {
    npu_address destination;
    uint64_t run, count, stride;
    uint64_t pattern;
    uint32_t pattern_bytes;
    uint32_t reserved;
} npu_fill;

/* Loads `count` runs of `run` bytes: run i from source + index[i] * stride. Indices (INT32 or INT64, in VECTORS) count from the end if negative; one outside
 * [-limit, limit) fails the program with the index in its message. Time: every run is a burst of its own. */
typedef struct npu_gather {
    npu_address destination, source, indices;
    uint32_t index_type; /* npu_type */
    uint32_t reserved;
    uint64_t run, count, stride, limit;
} npu_gather;

#define NPU_PATCH_AXES 3

/* Loads what the windows of a convolution see: element [k][n] of a matrix, with k = channel * taps + tap and n the place of the output, both row-major, for
 * `depth` values of k from `first_depth` on and `columns` of n from `first_column` on. The destination (L1 or VECTORS) is laid out as `b` of a product is. The
 * source (DEVICE) has `channel_stride` bytes per channel, and begins at the first. What lies outside of the image is filled with `padding`, or with
 * NPU_PATCH_KEEPS left as it is. The device's side reads every row of the image once, in one burst where rows follow on each other. */
typedef struct npu_patch {
    npu_address destination, source;
    uint64_t first_depth, depth, first_column, columns;
    uint64_t channel_stride, channels;
    uint32_t input[NPU_PATCH_AXES], output[NPU_PATCH_AXES], kernel[NPU_PATCH_AXES];
    uint32_t stride[NPU_PATCH_AXES], dilation[NPU_PATCH_AXES];
    int32_t pad[NPU_PATCH_AXES]; /* before the first element */
    uint32_t element_bytes, flags;
    uint64_t padding; /* the lowest bytes, as many as an element has */
} npu_patch;

#define NPU_PATCH_KEEPS 1u

/* accumulators[m][n] (+)= a[m][k] * b[k][n].
 * `a` in L1 as tiles [k/tile_k][m/tile_m][tile_m][tile_k], `b` in L1 as tiles [n/tile_n][k/tile_k][tile_k][tile_n], each dimension rounded up to whole tiles; the
 * accumulators as tiles [n/tile_n][m/tile_m][tile_m][tile_n] of float32 or int32. What lies beyond m, n and k in the last tiles is masked out, but takes its time.
 * Every element is a chain of float32 fused multiply-adds in ascending k, starting from the accumulator (or +0); integers wrap at 32 bits. Integer zero points are
 * taken off before the product: `a_zero` one INT32 per row of a, `b_zero` one per column of b, in VECTORS; each must lie in its operand's type. */
typedef struct npu_matrix {
    npu_address accumulators, a, b;
    npu_address a_zero, b_zero; /* read with NPU_MATRIX_A_ZERO and _B_ZERO */
    uint32_t m, n, k;
    uint8_t a_type, b_type; /* npu_type: two equal floats, or any of INT8 and UINT8 */
    uint8_t accumulate;     /* 0: starts from zero */
    uint8_t flags;          /* NPU_MATRIX_*                 */
} npu_matrix;

#define NPU_MATRIX_A_ZERO 1u
#define NPU_MATRIX_B_ZERO 2u
/* What is infinite or no number in a and b counts as zero: for products of what bfloat16 leaves of a float32, where infinities have no part in. */
#define NPU_MATRIX_FINITE 4u

/* An operand of the vector unit: element (row, i) lies (row * row_stride + i * stride) elements on. Strides may be 0 (one value for all) and negative. In VECTORS or
 * ACCUMULATORS; the destination also in L1, so that what the vector unit made can be multiplied. */
typedef struct npu_operand {
    npu_address address;
    int64_t row_stride, stride; /* elements */
    uint32_t type;              /* npu_type; 0: the operand is not used */
    uint32_t reserved;
} npu_operand;

/* destination = operation(a, b, c) for `rows` rows of `count` elements; reductions give one element per row (the destination's stride is not used).
 * Operands are read in their types, worked on in float32 (floats), int32 or int64 (integers, wrapping), and rounded once to the destination's type. The operations are in npu_vector.h. */
typedef struct npu_vector {
    npu_operand destination, a, b, c;
    uint64_t rows, count;
    uint32_t operation; /* npu_vector_operation */
    uint32_t flags;     /* NPU_VECTOR_* */
    double parameter;   /* of operations that take a constant */
} npu_vector;

typedef enum npu_opcode { NPU_OP_COPY, NPU_OP_FILL, NPU_OP_GATHER, NPU_OP_MATRIX, NPU_OP_VECTOR, NPU_OP_BARRIER, NPU_OP_PATCH } npu_opcode;

/* A barrier holds back every core until all of them have reached it. What a program stores to DEVICE may be loaded again in it only behind a barrier; without
 * one between them two cores must not touch the same bytes of DEVICE if one of them writes. */
typedef struct npu_instruction {
    uint32_t opcode; /* npu_opcode */
    uint32_t reserved;
    union {
        npu_copy copy;
        npu_fill fill;
        npu_gather gather;
        npu_matrix matrix;
        npu_vector vector;
        npu_patch patch;
    };
} npu_instruction;

/* Lays a block of `rows` x `columns` elements out as operand a (or, with `is_b`, b) of a product, on the host. Element (i, j) lies i * row_stride + j * column_stride
 * elements from `source`, which may have any alignment. FLOAT32 becomes `parts` of BFLOAT16, each what the ones before have left, one block after the other; of
 * other types `target` is a copy. */
void npu_pack(const npu_config *config, bool is_b, uint32_t type, const void *source, int64_t row_stride, int64_t column_stride,
              uint64_t rows, uint64_t columns, uint32_t parts, void *target);

/* --- programs ----------------------------------------------------------------------------------------------------------- */

typedef struct npu_program npu_program;

/* An empty program for `cores` cores (at least 1, at most the config's). */
npu_program *npu_program_create(const npu_config *config, uint32_t cores);
void npu_program_destroy(npu_program *program);
/* Appends a copy of `instruction` to a core's list; NPU_OP_BARRIER goes to all cores, whatever `core` says. */
void npu_program_append(npu_program *program, uint32_t core, const npu_instruction *instruction);
uint64_t npu_program_count(const npu_program *program);
uint32_t npu_program_cores(const npu_program *program);
/* A core's instructions, valid until the next append. */
const npu_instruction *npu_program_list(const npu_program *program, uint32_t core, size_t *count);
/* NULL, or why the program breaks a rule (a range outside its memory, a type that a unit does not take, overlapping tiles): checked once, after the last append.
 * `slot_bytes` are the sizes of the slots. */
const char *npu_program_check(npu_program *program, const uint64_t *slot_bytes, size_t slot_count);

/* --- time ------------------------------------------------------------------------------------------------------------------ */

/* What a program, or all programs since the device was opened, have done. */
typedef struct npu_counters {
    uint64_t cycles;                               /* of the whole, rounded up                         */
    uint64_t busy[NPU_ENGINE_COUNT];               /* cycles of each engine, summed over cores         */
    uint64_t device_read, device_written;          /* bytes of device memory                           */
    uint64_t l2_read;                              /* bytes that came from L2 instead                  */
    uint64_t matrix_operations, vector_operations; /* useful ones: padding does not count        */
    uint64_t instructions, programs;
} npu_counters;

/* An instruction on the clock, in seconds from the start of the program. */
typedef void (*npu_tracer)(void *context, uint32_t core, npu_engine engine, const npu_instruction *instruction, double begin, double end);

/* How long the program takes from its first instruction to its last, in seconds, and what it counts. Depends on nothing but config and program. Infinity, and counts
 * that mean nothing, if that is `limit` or more. */
double npu_time(const npu_program *program, double limit, npu_counters *counters, npu_tracer tracer, void *context);

/* --- function ---------------------------------------------------------------------------------------------------------------- */

/* Where a launch's tensors really lie, in the simulator's own mapping of device memory. */
typedef struct npu_binding {
    void *address;
    uint64_t bytes;
} npu_binding;

/* Threads and local memories to run programs with; takes one program at a time and may be given one by any thread. */
typedef struct npu_machine npu_machine;

/* NULL if the system has no threads or memory to spare. With `poison` local memories are filled with a pattern before a core begins, so that what is read unwritten shows. */
npu_machine *npu_machine_create(const npu_config *config, uint32_t threads, bool poison);
void npu_machine_destroy(npu_machine *machine);
/* Runs a checked program (cores are dealt to threads; the bits do not depend on it). Returns 0, or 1 with a message. Local memories begin undefined. */
int npu_execute(npu_machine *machine, const npu_program *program, const npu_binding *bindings, size_t binding_count, char *message,
                size_t capacity);

/* The file that this code was loaded from; empty if the system does not say. */
const char *npu_library_path(void);

#endif
