/* SPDX-License-Identifier: Apache-2.0 */
#include "indexing.h"
#include "internal.h"
#include <string.h>

typedef uint64_t uint128_u __attribute__((vector_size(16), aligned(1), may_alias));

/* One case for each width of an element. */
#define BY_WIDTH(CALL)                                                                                                                     \
    switch (width) {                                                                                                                       \
    case 1:                                                                                                                                \
        CALL(8);                                                                                                                           \
        break;                                                                                                                             \
    case 2:                                                                                                                                \
        CALL(16);                                                                                                                          \
        break;                                                                                                                             \
    case 4:                                                                                                                                \
        CALL(32);                                                                                                                          \
        break;                                                                                                                             \
    case 8:                                                                                                                                \
        CALL(64);                                                                                                                          \
        break;                                                                                                                             \
    case 16:                                                                                                                               \
        CALL(128);                                                                                                                         \
        break;                                                                                                                             \
    default:                                                                                                                               \
        break;                                                                                                                             \
    }
#define WIDTHS(DEFINE) DEFINE(8) DEFINE(16) DEFINE(32) DEFINE(64) DEFINE(128)

INLINE int64_t index_at(int32_t index_width, const void *indices, int64_t i, int64_t size) {
    const int64_t index = index_width == 4 ? ((const int32_u *)indices)[i] : ((const int64_u *)indices)[i];
    return index < 0 ? index + size : index;
}

/* ---- By tables ------------------------------------------------------------------------------------------------------------------------- */

#define TABLE_COPY(BITS)                                                                                                                   \
    CLONES static void table_copy_##BITS(int32_t rank, const int64_t *shape, const int64_t *tables, const uint##BITS##_u *x,               \
                                         const uint##BITS##_u *fill, uint##BITS##_u *y, int64_t begin, int64_t end) {                      \
        const int64_t columns = rank == 0 ? 1 : shape[rank - 1];                                                                           \
        int64_t last = 0;                                                                                                                  \
        for (int32_t d = 0; d < rank - 1; ++d) last += shape[d];                                                                           \
        for (int64_t row = begin; row < end; ++row) {                                                                                      \
            int64_t base = 0, rest = row, table = last;                                                                                    \
            bool is_outside = false;                                                                                                       \
            for (int32_t d = rank - 2; d >= 0; --d) {                                                                                      \
                table -= shape[d];                                                                                                         \
                const int64_t entry = tables[table + rest % shape[d]];                                                                     \
                is_outside |= entry < 0;                                                                                                   \
                base += entry;                                                                                                             \
                rest /= shape[d];                                                                                                          \
            }                                                                                                                              \
            uint##BITS##_u *line = y + row * columns;                                                                                      \
            for (int64_t j = 0; j < columns; ++j) {                                                                                        \
                const int64_t entry = rank == 0 ? 0 : tables[last + j];                                                                    \
                line[j] = is_outside || entry < 0 ? *fill : x[base + entry];                                                               \
            }                                                                                                                              \
        }                                                                                                                                  \
    }
WIDTHS(TABLE_COPY)

void cpu_table_copy(int32_t width, int32_t rank, const int64_t *shape, const int64_t *tables, const void *x, const void *fill, void *y,
                    int64_t begin, int64_t end){
#define CALL_TABLE_COPY(BITS) table_copy_##BITS(rank, shape, tables, x, fill, y, begin, end)
    BY_WIDTH(CALL_TABLE_COPY)}

/* ---- By an index for every element --------------------------------------------------------------------------------------------------------- */

int64_t cpu_check_indices(int32_t index_width, int64_t count, int64_t size, const void *indices) {
    for (int64_t i = 0; i < count; ++i) {
        const int64_t index = index_at(index_width, indices, i, size);
        if (index < 0 || index >= size) return i;
    }
    return -1;
}

int64_t cpu_element_place(const cpu_walk *walk, int64_t size, int64_t stride, int32_t index_width, const void *indices, int64_t item) {
    cursor at;
    cursor_place(&at, walk, item);
    return at.offset[0] + index_at(index_width, indices, item, size) * stride;
}

/* ELEMENT is x's, OTHER is y's or an update's. */
#define ELEMENTS(NAME, BITS, X, OTHER, ASSIGNMENT)                                                                                         \
    static void NAME##_##BITS(const cpu_walk *walk, int64_t size, int64_t stride, int32_t index_width, const void *indices,                \
                              X uint##BITS##_u *x, OTHER uint##BITS##_u *other, int64_t begin, int64_t end) {                              \
        const int64_t step = walk->strides[0][walk->rank - 1];                                                                             \
        cursor at;                                                                                                                         \
        cursor_place(&at, walk, begin);                                                                                                    \
        while (begin < end) {                                                                                                              \
            const int64_t count = cursor_run(&at, walk, end - begin);                                                                      \
            for (int64_t j = 0; j < count; ++j) {                                                                                          \
                const int64_t place = at.offset[0] + j * step + index_at(index_width, indices, begin + j, size) * stride;                  \
                ASSIGNMENT;                                                                                                                \
            }                                                                                                                              \
            begin += count;                                                                                                                \
            cursor_advance(&at, walk, count);                                                                                              \
        }                                                                                                                                  \
    }
#define GATHER_ELEMENTS(BITS)  ELEMENTS(gather_elements, BITS, const, , other[begin + j] = x[place])
#define SCATTER_ELEMENTS(BITS) ELEMENTS(scatter_elements, BITS, , const, x[place] = other[begin + j])
WIDTHS(GATHER_ELEMENTS)
WIDTHS(SCATTER_ELEMENTS)

void cpu_gather_elements(int32_t width, const cpu_walk *walk, int64_t size, int64_t stride, int32_t index_width, const void *indices,
                         const void *x, void *y, int64_t begin, int64_t end) {
#define CALL_GATHER(BITS) gather_elements_##BITS(walk, size, stride, index_width, indices, x, y, begin, end)
    BY_WIDTH(CALL_GATHER)
}

void cpu_scatter_elements(int32_t width, const cpu_walk *walk, int64_t size, int64_t stride, int32_t index_width, const void *indices,
                          const void *updates, void *x, int64_t begin, int64_t end){
#define CALL_SCATTER(BITS) scatter_elements_##BITS(walk, size, stride, index_width, indices, x, updates, begin, end)
    BY_WIDTH(CALL_SCATTER)}

int64_t cpu_tuple_place(const cpu_tuples *tuples, const void *indices, int64_t item) {
    int64_t place = item / tuples->per_batch * tuples->batch_stride;
    for (int64_t d = 0; d < tuples->depth; ++d) {
        const int64_t index = index_at(8, indices, item * tuples->depth + d, tuples->sizes[d]);
        if (index < 0 || index >= tuples->sizes[d]) return -1;
        place += index * tuples->strides[d];
    }
    return place;
}

int64_t cpu_gather_tuples(const cpu_tuples *tuples, int32_t width, int64_t bytes, const void *indices, const void *x, void *y,
                          int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
        const int64_t place = cpu_tuple_place(tuples, indices, item);
        if (place < 0) return item;
        memcpy((char *)y + item * bytes, (const char *)x + place * width, (size_t)bytes);
    }
    return -1;
}

/* ---- Other ----------------------------------------------------------------------------------------------------------------------------------- */

void cpu_triangle(int32_t width, int64_t rows, int64_t columns, bool upper, int64_t k, const void *x, void *y, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
        const int64_t diagonal = row % rows + (k < -rows ? -rows : k > columns ? columns : k);
        const int64_t edge = minimum(maximum(upper ? diagonal : diagonal + 1, 0), columns);
        const int64_t from = upper ? edge : 0, to = upper ? columns : edge;
        char *line = (char *)y + row * columns * width;
        memset(line, 0, (size_t)(from * width));
        memcpy(line + from * width, (const char *)x + (row * columns + from) * width, (size_t)((to - from) * width));
        memset(line + to * width, 0, (size_t)((columns - to) * width));
    }
}

#define ONE_HOT(BITS)                                                                                                                      \
    static void one_hot_##BITS(int64_t depth, int64_t inner, int32_t index_width, const void *indices, const uint##BITS##_u *values,       \
                               uint##BITS##_u *y, int64_t begin, int64_t end) {                                                            \
        for (int64_t i = begin; i < end; ++i) {                                                                                            \
            uint##BITS##_u *line = y + i / inner * depth * inner + i % inner;                                                              \
            const int64_t index = index_at(index_width, indices, i, depth);                                                                \
            for (int64_t d = 0; d < depth; ++d) line[d * inner] = values[d == index];                                                      \
        }                                                                                                                                  \
    }
WIDTHS(ONE_HOT)

void cpu_one_hot(int32_t width, int64_t depth, int64_t inner, int32_t index_width, const void *indices, const void *values, void *y,
                 int64_t begin, int64_t end) {
#define CALL_ONE_HOT(BITS) one_hot_##BITS(depth, inner, index_width, indices, values, y, begin, end)
    BY_WIDTH(CALL_ONE_HOT)
}
