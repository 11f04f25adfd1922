/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.c - blocks of matrices in the order that the matrix unit wants them.
 */
#include <string.h>

#include "internal.h"
#include "numbers.h"

void npu_pack(const npu_config *config, bool is_b, uint32_t type, const void *source, int64_t row_stride, int64_t column_stride,
              uint64_t rows, uint64_t columns, uint32_t parts, void *target) {
    const uint64_t height = is_b ? config->tile_k : config->tile_m, width = is_b ? config->tile_n : config->tile_k;
    const uint64_t down = npu_tiles(rows, height) * height, size = down * npu_tiles(columns, width) * width, bytes = npu_width(type);
    const unsigned char *from = source;
    for (uint64_t row = 0; row < rows; ++row) {
        for (uint64_t column = 0; column < columns; ++column) {
            const unsigned char *place = from + ((int64_t)row * row_stride + (int64_t)column * column_stride) * (int64_t)bytes;
            const uint64_t at = (column / width * down + row) * width + column % width;
            if (type != NPU_FLOAT32) {
                memcpy((unsigned char *)target + at * bytes, place, bytes);
                continue;
            }
            float value;
            memcpy(&value, place, 4);
            for (uint32_t part = 0; part < parts; ++part) {
                const float head = head_of(value);
                ((uint16_t *)target)[part * size + at] = bfloat16_of_float(head);
                value -= head;
            }
        }
    }
}
