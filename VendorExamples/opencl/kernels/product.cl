// SPDX-License-Identifier: Apache-2.0
//
// Matrix product y = alpha * a * b + beta * c, one tile of y per work-group: pieces of a and b go through local memory, and each work-item keeps
// EACH by EACH sums. Tiles at the edges are filled up with zeros.
#define TILE  (16 * EACH)
#define DEPTH 16

typedef struct {
    uint m, n, k, batch_rank, batch_sizes[RANK], a_strides[RANK], b_strides[RANK];
    uint a_row, a_column, b_row, b_column, c_row, c_column;
    float alpha, beta;
} product_t;

__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void product(__global int *fault, __global const T *a, ulong a_offset,
                                                                       __global const T *b, ulong b_offset,
#if HAS_C
                                                                       __global const T *c, ulong c_offset,
#endif
                                                                       __global T *y, ulong y_offset, product_t shape) {
    __local T_COMPUTE a_tile[DEPTH][TILE + 1], b_tile[DEPTH][TILE + 1];
    if (*fault) return;
    const uint x = get_local_id(0), row = get_local_id(1), item = row * 16 + x;
    const uint first_m = get_group_id(1) * TILE, first_n = get_group_id(0) * TILE;
    uint rest = get_group_id(2);
    a += a_offset;
    b += b_offset;
    y += y_offset + (ulong)rest * shape.m * shape.n;
    for (uint axis = shape.batch_rank; axis-- > 0;) {
        const uint next = rest / shape.batch_sizes[axis], place = rest - next * shape.batch_sizes[axis];
        rest = next;
        a += (ulong)place * shape.a_strides[axis];
        b += (ulong)place * shape.b_strides[axis];
    }
    T_COMPUTE sums[EACH][EACH];
    for (uint i = 0; i < EACH; ++i)
        for (uint j = 0; j < EACH; ++j) sums[i][j] = 0;
    for (uint start = 0; start < shape.k; start += DEPTH) {
        for (uint part = 0; part < EACH; ++part) {
            // Neighbouring work-items read neighbouring elements.
#if A_BY_COLUMNS
            const uint i = (item + 256 * part) % TILE, a_k = (item + 256 * part) / TILE;
#else
            const uint i = item / DEPTH + 16 * part, a_k = item % DEPTH;
#endif
#if B_BY_ROWS
            const uint j = item / DEPTH + 16 * part, b_k = item % DEPTH;
#else
            const uint j = (item + 256 * part) % TILE, b_k = (item + 256 * part) / TILE;
#endif
            const bool in_a = first_m + i < shape.m && start + a_k < shape.k, in_b = first_n + j < shape.n && start + b_k < shape.k;
            a_tile[a_k][i] = in_a ? T_LOAD(a, (ulong)(first_m + i) * shape.a_row + (ulong)(start + a_k) * shape.a_column) : (T_COMPUTE)0;
            b_tile[b_k][j] = in_b ? T_LOAD(b, (ulong)(start + b_k) * shape.b_row + (ulong)(first_n + j) * shape.b_column) : (T_COMPUTE)0;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint k = 0; k < DEPTH; ++k) {
            T_COMPUTE column[EACH];
            for (uint j = 0; j < EACH; ++j) column[j] = b_tile[k][x + 16 * j];
            for (uint i = 0; i < EACH; ++i) {
                const T_COMPUTE factor = a_tile[k][row * EACH + i];
                for (uint j = 0; j < EACH; ++j) sums[i][j] += factor * column[j];
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (uint i = 0; i < EACH; ++i) {
        for (uint j = 0; j < EACH; ++j) {
            const uint m = first_m + row * EACH + i, n = first_n + x + 16 * j;
            if (m >= shape.m || n >= shape.n) continue;
#if T_FLOAT
            T_COMPUTE value = (T_COMPUTE)shape.alpha * sums[i][j];
#else
            T_COMPUTE value = sums[i][j];
#endif
#if HAS_C
            value += (T_COMPUTE)shape.beta * T_LOAD(c + c_offset, (ulong)m * shape.c_row + (ulong)n * shape.c_column);
#endif
            T_STORE(y, (ulong)m * shape.n + n, value);
        }
    }
}
