/* SPDX-License-Identifier: Apache-2.0
 *
 * Inner loops of the reference CPU plugin.
 *
 * What holds for every function here:
 *  - It does the work items `begin` up to `end`; disjoint ranges may run on several threads at once. What an item is, each function says.
 *  - It allocates nothing, keeps nothing and checks nothing: the caller has proved that shapes, strides and indices stay inside the memory.
 *  - Tensors come as `void *` because constants lie at any byte of a mapped model file. Outputs never overlap inputs, except that elementwise
 *    functions take an output that is exactly their first input.
 *  - Arithmetic is plain IEEE, without reassociation by the compiler; sums run in a fixed order of several accumulators, so that the result
 *    depends on shapes alone, not on how a range was cut.
 */
#ifndef REFERENCE_CPU_KERNELS_H
#define REFERENCE_CPU_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

/* Element types that loops are told of by name. */
typedef enum cpu_type {
    CPU_TYPE_FLOAT32,
    CPU_TYPE_FLOAT64,
    CPU_TYPE_FLOAT16,
    CPU_TYPE_BFLOAT16,
    CPU_TYPE_INT8,
    CPU_TYPE_UINT8,
    CPU_TYPE_INT16,
    CPU_TYPE_UINT16,
    CPU_TYPE_INT32,
    CPU_TYPE_UINT32,
    CPU_TYPE_INT64,
    CPU_TYPE_UINT64,
    CPU_TYPE_BOOL,
    CPU_TYPE_COUNT
} cpu_type;

/* ---- What this CPU is ------------------------------------------------------------------------------------------------------------ */

/* The name by which OpenBLAS calls the best of its kernels that this CPU runs, from CPUID; NULL: let it choose. */
const char *cpu_openblas_core(void);

/* Width of the registers in which this CPU does fused multiply-adds; 0: it has none, or they are not known. */
int32_t cpu_vector_bits(void);

/* ---- How fast it is: loops for a stopwatch. What they return means nothing. ------------------------------------------------------- */

/* `rounds` times cpu_multiply_adds_per_round() fused multiply-adds on whole registers, as many at once as the CPU can. */
double cpu_multiply_adds(cpu_type type, int64_t rounds);
int64_t cpu_multiply_adds_per_round(void);
/* 24 cycles a round; 0 where that cannot be promised. */
int32_t cpu_dependent_products(int64_t rounds);
/* a = b + factor * c. */
void cpu_triad(float *a, const float *b, const float *c, float factor, int64_t begin, int64_t end);
/* Addresses are multiples of 32 bytes, `begin` and `end` of 8. */
void cpu_copy_past_caches(float *to, const float *from, int64_t begin, int64_t end);
int64_t cpu_read_all(const int64_t *a, int64_t begin, int64_t end);

/* ---- Walks: strided iteration over several operands -------------------------------------------------------------------------------- */

#define CPU_WALK_RANK     16
#define CPU_WALK_OPERANDS 4

/* A row-major walk over `shape`; element (i0, i1 ...) of operand o lies i0*strides[o][0] + i1*strides[o][1] ... elements after its start. */
typedef struct cpu_walk {
    int32_t rank; /* at least 1 */
    int32_t operands;
    int64_t shape[CPU_WALK_RANK];
    int64_t strides[CPU_WALK_OPERANDS][CPU_WALK_RANK];
} cpu_walk;

/*
 * Makes a walk with as few dimensions as possible: those of size 1 go, neighbours that are contiguous in every operand become one.
 * `strides` holds `rank` strides of operand 0, then those of operand 1 and so on. False if more than CPU_WALK_RANK dimensions are left.
 */
bool cpu_walk_make(cpu_walk *walk, int32_t rank, const int64_t *shape, int32_t operands, const int64_t *strides);

/* ---- Sliding windows ------------------------------------------------------------------------------------------------------------------ */

/* A window over one to three spatial axes; axes that a tensor lacks come first and have size, kernel and stride 1. */
typedef struct cpu_window {
    int64_t input[3];
    int64_t output[3];
    int64_t kernel[3];
    int64_t stride[3];
    int64_t dilation[3];
    int64_t pad[3];     /* before the first element */
    int64_t pad_end[3]; /* after the last; only average pooling that counts padding reads it */
} cpu_window;

/*
 * Lays out for a matrix product what a window sees. Row r of `panel` belongs to channel r / taps and kernel position r % taps; column j to output
 * position `column_begin` + j (row-major over output[]). Items are rows; row r starts (r - begin)*leading elements into `panel`. Padding is zero.
 */
void cpu_im2col_float32(const cpu_window *window, const void *x, void *panel, int64_t leading, int64_t column_begin, int64_t column_end,
                        int64_t begin, int64_t end);
void cpu_im2col_float64(const cpu_window *window, const void *x, void *panel, int64_t leading, int64_t column_begin, int64_t column_end,
                        int64_t begin, int64_t end);

/* Convolution with one input channel per group. An item is one output plane: batch * channels + channel; its input plane is
 * batch * (channels / multiplier) + channel / multiplier. `bias` may be NULL. */
void cpu_depthwise_float32(const cpu_window *window, int64_t channels, int64_t multiplier, const void *x, const void *weights,
                           const void *bias, void *y, int64_t begin, int64_t end);

/*
 * The reverse of cpu_im2col_float32: adds row channel * taps + tap of `columns` (each volume(output) long) to the plane of volume(input) of that channel, on top of
 * bias[channel], or 0 where `bias` is NULL. An item is a channel.
 */
void cpu_col2im_float32(const cpu_window *window, const float *columns, const void *bias, void *y, int64_t begin, int64_t end);

/* An item is one plane (batch and channel). A window without any element gives -infinity and 0. */
void cpu_max_pool_float32(const cpu_window *window, const void *x, void *y, int64_t begin, int64_t end);
void cpu_average_pool_float32(const cpu_window *window, bool count_padding, const void *x, void *y, int64_t begin, int64_t end);

/* Fills rows `begin` ... `end` of y (row r starts r*leading elements in) with bias[r], or 0 where `bias` is NULL. */
void cpu_fill_rows_float32(const void *bias, void *y, int64_t leading, int64_t columns, int64_t begin, int64_t end);
void cpu_fill_rows_float64(const void *bias, void *y, int64_t leading, int64_t columns, int64_t begin, int64_t end);

/* ---- Reductions and normalisations ------------------------------------------------------------------------------------------------------ */

typedef enum cpu_reduce {
    CPU_REDUCE_SUM,
    CPU_REDUCE_MEAN,
    CPU_REDUCE_MAX,
    CPU_REDUCE_MIN,
    CPU_REDUCE_SUM_SQUARE,
    CPU_REDUCE_L1,
    CPU_REDUCE_L2,
    CPU_REDUCE_PROD,
    CPU_REDUCE_LOG_SUM
} cpu_reduce;

/*
 * `kept` walks the output (operand 0: strides of x), `reduced` walks what one output element sums up (operand 0: strides of x).
 * An item is an output element; y is dense. Neither walk is empty. False, with nothing done, where the type does not have the operator.
 */
bool cpu_reduction(cpu_reduce operator, cpu_type type, const cpu_walk *kept, const cpu_walk *reduced, const void *x, void *y, int64_t begin,
                   int64_t end);

/* log of the sum of e^x, in the same way. */
void cpu_log_sum_exp_float32(const cpu_walk *kept, const cpu_walk *reduced, const void *x, void *y, int64_t begin, int64_t end);

/* y = (x - mean) / sqrt(variance + epsilon) * scale + bias, per channel. An item is a plane of `size` elements; its channel is item % channels. */
void cpu_batch_normalization_float32(int64_t channels, int64_t size, float epsilon, const void *x, const void *scale, const void *bias,
                                     const void *mean, const void *variance, void *y, int64_t begin, int64_t end);

/* Across channels. An item is a position: batch * size + place in the plane. */
void cpu_lrn_float32(int64_t channels, int64_t size, int64_t window, float alpha, float beta, float bias, const void *x, void *y,
                     int64_t begin, int64_t end);

/* Over the middle axis of [outer, length, inner]. An item is one softmax: outer * inner + inner place. `logarithm`: log-softmax. */
void cpu_softmax_float32(int64_t length, int64_t inner, bool logarithm, const void *x, void *y, int64_t begin, int64_t end);

/* Normalises rows of `length`. An item is a row. `bias`, `mean` and `inverse` (1 / standard deviation, one each per row) may be NULL. */
void cpu_layer_normalization_float32(int64_t length, float epsilon, const void *x, const void *scale, const void *bias, void *y, void *mean,
                                     void *inverse, int64_t begin, int64_t end);

/* Normalises rows of channels * size; row r's channel c has scale and bias number r % groups * channels + c. An item is a row. */
void cpu_group_normalization_float32(int64_t groups, int64_t channels, int64_t size, float epsilon, const void *x, const void *scale,
                                     const void *bias, void *y, int64_t begin, int64_t end);

/* Divides rows of `length` by the root of their mean square. An item is a row. */
void cpu_rms_normalization_float32(int64_t length, float epsilon, const void *x, const void *scale, void *y, int64_t begin, int64_t end);

/* Divides lines along the middle axis of [outer, length, inner] by their norm. An item is a line. */
void cpu_lp_normalization_float32(int64_t length, int64_t inner, bool euclidean, const void *x, void *y, int64_t begin, int64_t end);

/* (x - mean) / (deviation + 1e-9); walks as for cpu_reduction. */
void cpu_mean_variance_normalization_float32(const cpu_walk *kept, const cpu_walk *reduced, const void *x, void *y, int64_t begin,
                                             int64_t end);

/* ---- Movement: any type, by the width of an element in bytes (1, 2, 4, 8 or 16) ----------------------------------------------------------- */

/* Copies x to y along a walk: operand 0 is y, operand 1 is x. An item is an element of the walk. Strides may be negative. */
void cpu_copy(int32_t width, const cpu_walk *walk, const void *x, void *y, int64_t begin, int64_t end);

/* Fills elements `begin` ... `end` of y with the element at `value`. */
void cpu_fill(int32_t width, const void *value, void *y, int64_t begin, int64_t end);

/*
 * y[outer, i, :] = x[outer, indices[i], :] for rows of `bytes` bytes. `axis` is x's size along the axis; `indices` (of 4 or 8 bytes each, `count` of
 * them) may count from the end. An item is outer * count + i. Returns the first item whose index is out of range, without copying it or what
 * follows, else -1.
 */
int64_t cpu_gather(int64_t bytes, int64_t axis, int32_t index_width, int64_t count, const void *x, const void *indices, void *y,
                   int64_t begin, int64_t end);

#endif
