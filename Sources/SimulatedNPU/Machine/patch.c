/* SPDX-License-Identifier: Apache-2.0
 *
 * patch.c - what the windows of a convolution see, as tiles.
 */
#include <string.h>

#include "internal.h"

/* Places of the input that the taps and outputs of a range touch along one axis, clipped to the image. */
static void reach(const npu_patch *patch, int axis, uint64_t first, uint64_t last, int64_t *begin, int64_t *end) {
    int64_t low = (int64_t)first * patch->stride[axis] - patch->pad[axis];
    int64_t high = (int64_t)last * patch->stride[axis] - patch->pad[axis] + (int64_t)(patch->kernel[axis] - 1) * patch->dilation[axis] + 1;
    *begin = low < 0 ? 0 : low;
    *end = high > patch->input[axis] ? patch->input[axis] : high;
}

npu_window npu_patch_window(const npu_patch *patch) {
    uint64_t first = patch->first_column, last = first + patch->columns - 1;
    uint64_t row = patch->output[2], slice = row * patch->output[1];
    npu_window window;
    bool one_slice = first / slice == last / slice, one_row = first / row == last / row;
    reach(patch, 0, first / slice, last / slice, &window.begin[0], &window.end[0]);
    reach(patch, 1, one_slice ? first / row % patch->output[1] : 0, one_slice ? last / row % patch->output[1] : patch->output[1] - 1,
          &window.begin[1], &window.end[1]);
    reach(patch, 2, one_row ? first % row : 0, one_row ? last % row : row - 1, &window.begin[2], &window.end[2]);
    return window;
}

/* How many of the next `count` places along the last axis, from output place `at` on, lie before the image, and how many before its end. */
static void split(const npu_patch *patch, int64_t at, int64_t tap, int64_t count, int64_t *before, int64_t *until) {
    int64_t stride = patch->stride[2], from = at * stride - patch->pad[2] + tap * patch->dilation[2], width = patch->input[2];
    int64_t skipped = from >= 0 ? 0 : (-from + stride - 1) / stride;
    int64_t reached = from >= width ? 0 : (width - from + stride - 1) / stride;
    *before = skipped > count ? count : skipped;
    *until = reached > count ? count : reached < *before ? *before : reached;
}

#define PLACE(TYPE)                                                                                                                        \
    for (int64_t i = 0; i < count; ++i) ((TYPE *)to)[i] = ((const TYPE *)from)[i * stride];                                                \
    break;
#define PAD(TYPE)                                                                                                                          \
    for (int64_t i = 0; i < count; ++i) ((TYPE *)to)[i] = (TYPE)value;                                                                     \
    break;

static void place(uint32_t bytes, unsigned char *to, const unsigned char *from, int64_t count, int64_t stride) {
    if (count <= 0) return;
    if (stride == 1) {
        memcpy(to, from, (uint64_t)count * bytes);
        return;
    }
    switch (bytes) {
    case 1:
        PLACE(uint8_t)
    case 2:
        PLACE(uint16_t)
    default:
        PLACE(uint32_t)
    }
}

static void pad(const npu_patch *patch, unsigned char *to, int64_t count) {
    const uint64_t value = patch->padding;
    if (count <= 0 || patch->flags & NPU_PATCH_KEEPS) return;
    switch (patch->element_bytes) {
    case 1:
        PAD(uint8_t)
    case 2:
        PAD(uint16_t)
    default:
        PAD(uint32_t)
    }
}

/* One row of the matrix: all columns of one channel and tap. `tile_step` bytes lie between the same row of two tiles. */
static void load_row(const npu_patch *patch, uint64_t tile_n, const unsigned char *image, const uint32_t tap[NPU_PATCH_AXES],
                     unsigned char *to, uint64_t tile_step) {
    const uint32_t bytes = patch->element_bytes;
    uint64_t done = 0;
    while (done < patch->columns) {
        uint64_t column = patch->first_column + done, at = column % patch->output[2], row = column / patch->output[2];
        uint64_t count = patch->output[2] - at;
        if (count > patch->columns - done) count = patch->columns - done;
        if (count > tile_n - done % tile_n) count = tile_n - done % tile_n;
        unsigned char *place_to = to + done / tile_n * tile_step + done % tile_n * bytes;
        int64_t y = (int64_t)(row % patch->output[1]) * patch->stride[1] - patch->pad[1] + (int64_t)tap[1] * patch->dilation[1];
        int64_t z = (int64_t)(row / patch->output[1]) * patch->stride[0] - patch->pad[0] + (int64_t)tap[0] * patch->dilation[0];
        if (y < 0 || y >= patch->input[1] || z < 0 || z >= patch->input[0]) {
            pad(patch, place_to, (int64_t)count);
        } else {
            int64_t before, until;
            split(patch, (int64_t)at, tap[2], (int64_t)count, &before, &until);
            int64_t x = ((int64_t)at + before) * patch->stride[2] - patch->pad[2] + (int64_t)tap[2] * patch->dilation[2];
            pad(patch, place_to, before);
            place(bytes, place_to + before * bytes, image + ((z * patch->input[1] + y) * patch->input[2] + x) * bytes, until - before,
                  patch->stride[2]);
            pad(patch, place_to + until * bytes, (int64_t)count - until);
        }
        done += count;
    }
}

void npu_patch_run(const npu_config *config, const npu_patch *patch, unsigned char *const memory[NPU_SPACE_COUNT],
                   const npu_binding *slots) {
    const uint64_t taps = (uint64_t)patch->kernel[0] * patch->kernel[1] * patch->kernel[2];
    const uint64_t line = config->tile_n * patch->element_bytes;
    const uint64_t tile_step = npu_tiles(patch->depth, config->tile_k) * config->tile_k * line;
    const unsigned char *source = (const unsigned char *)slots[patch->source.slot].address + patch->source.offset;
    unsigned char *to = memory[patch->destination.space] + patch->destination.offset;
    for (uint64_t k = 0; k < patch->depth; ++k, to += line) {
        const uint64_t depth = patch->first_depth + k, number = depth % taps;
        const uint32_t tap[NPU_PATCH_AXES] = {(uint32_t)(number / patch->kernel[2] / patch->kernel[1]),
                                              (uint32_t)(number / patch->kernel[2] % patch->kernel[1]),
                                              (uint32_t)(number % patch->kernel[2])};
        load_row(patch, config->tile_n, source + depth / taps * patch->channel_stride, tap, to, tile_step);
    }
}
