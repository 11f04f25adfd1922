/* SPDX-License-Identifier: Apache-2.0
 *
 * Loops that read or write at computed places. What holds for every function is in kernels.h. Functions that are given indices return the number of the first
 * index that is out of range, having written nothing for it and what follows, else -1; indices of 4 or 8 bytes may count from the end.
 */
#ifndef REFERENCE_CPU_INDEXING_H
#define REFERENCE_CPU_INDEXING_H

#include "kernels.h"

/*
 * y[i0, i1 ...] = x[tables[0][i0] + tables[1][i1] + ...], or the element at `fill` where an entry is negative. `shape` is y's; the tables lie one behind the other.
 * Elements of 1, 2, 4, 8 or 16 bytes. An item is a row: all indices but the last.
 */
void cpu_table_copy(int32_t width, int32_t rank, const int64_t *shape, const int64_t *tables, const void *x, const void *fill, void *y,
                    int64_t begin, int64_t end);

/*
 * One axis of x, [outer, size, inner], is replaced by `outputs` weighted sums of its elements: y[outer, o, :] is the sum over `taps` t of
 * weights[o * taps + t] * x[outer, positions[o * taps + t], :], up to the first negative position. An item is outer * outputs + o.
 */
void cpu_resample_float32(int64_t size, int64_t inner, int64_t outputs, int64_t taps, const int64_t *positions, const double *weights,
                          const void *x, void *y, int64_t begin, int64_t end);

/* Whether all of `count` indices lie in -size ... size - 1. */
int64_t cpu_check_indices(int32_t index_width, int64_t count, int64_t size, const void *indices);

/*
 * y[i] = x[place of i, with the axis' index replaced by indices[i]]. `walk` goes over the shape of indices and y; its operand 0 has x's strides, and 0 for the
 * axis, which has `size` elements `stride` apart. An item is an element of y. The indices have been checked.
 */
void cpu_gather_elements(int32_t width, const cpu_walk *walk, int64_t size, int64_t stride, int32_t index_width, const void *indices,
                         const void *x, void *y, int64_t begin, int64_t end);

/* The reverse: x[...] = updates[i], in order. */
void cpu_scatter_elements(int32_t width, const cpu_walk *walk, int64_t size, int64_t stride, int32_t index_width, const void *indices,
                          const void *updates, void *x, int64_t begin, int64_t end);

/* The offset of x's element for update i of cpu_scatter_elements. */
int64_t cpu_element_place(const cpu_walk *walk, int64_t size, int64_t stride, int32_t index_width, const void *indices, int64_t item);

/* Tuples of `depth` int64 indices into axes of `sizes`, `strides` elements apart; every `per_batch` tuples belong to one of the parts of x that lie `batch_stride`
 * elements apart. */
typedef struct cpu_tuples {
    int64_t depth, per_batch, batch_stride;
    int64_t sizes[CPU_WALK_RANK], strides[CPU_WALK_RANK];
} cpu_tuples;

/* Where tuple `item` points to, in elements; negative if it is out of range. */
int64_t cpu_tuple_place(const cpu_tuples *tuples, const void *indices, int64_t item);

/* Copies runs of `bytes` bytes (elements of `width`) from where the tuples point to. An item is a tuple. */
int64_t cpu_gather_tuples(const cpu_tuples *tuples, int32_t width, int64_t bytes, const void *indices, const void *x, void *y,
                          int64_t begin, int64_t end);

/* Rows `begin` ... of [matrices, rows, columns]: what lies above (`upper`), or below, diagonal k is kept, the rest zero. */
void cpu_triangle(int32_t width, int64_t rows, int64_t columns, bool upper, int64_t k, const void *x, void *y, int64_t begin, int64_t end);

/* y[outer, :, inner] is values[0], and values[1] at the index if it is within -depth ... depth - 1. An item is an index. */
void cpu_one_hot(int32_t width, int64_t depth, int64_t inner, int32_t index_width, const void *indices, const void *values, void *y,
                 int64_t begin, int64_t end);

/* Sums along the middle axis of [outer, length, inner]. An item is a line: outer * inner + inner place. float32, float64, int32, int64. */
bool cpu_running_sum(cpu_type type, int64_t length, int64_t inner, bool exclusive, bool reverse, const void *x, void *y, int64_t begin,
                     int64_t end);

/* The first (or last) place of the greatest (or least) element of each line, as int64; a NaN is beyond all numbers. Types with loops by name but bool. */
bool cpu_extreme(cpu_type type, int64_t length, int64_t inner, bool greatest, bool last, const void *x, void *y, int64_t begin,
                 int64_t end);

/* The k greatest (or least) elements of each line and their places, sorted, equal ones by place. `scratch` holds k numbers for the caller's use alone. */
bool cpu_top_k(cpu_type type, int64_t length, int64_t inner, int64_t k, bool greatest, const void *x, void *values, void *places,
               int64_t *scratch, int64_t begin, int64_t end);

#endif
