/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

bool cpu_walk_make(cpu_walk *walk, int32_t rank, const int64_t *shape, int32_t operands, const int64_t *strides) {
    int32_t used = 0;
    walk->operands = operands;
    for (int32_t d = 0; d < rank; ++d) {
        if (shape[d] == 1) continue;
        bool joins = used > 0;
        for (int32_t o = 0; o < operands && joins; ++o) joins = walk->strides[o][used - 1] == shape[d] * strides[o * rank + d];
        if (!joins) {
            if (used == CPU_WALK_RANK) return false;
            walk->shape[used++] = 1;
        }
        walk->shape[used - 1] *= shape[d];
        for (int32_t o = 0; o < operands; ++o) walk->strides[o][used - 1] = strides[o * rank + d];
    }
    if (used == 0) {
        walk->shape[used++] = 1;
        for (int32_t o = 0; o < operands; ++o) walk->strides[o][0] = 1;
    }
    walk->rank = used;
    return true;
}
