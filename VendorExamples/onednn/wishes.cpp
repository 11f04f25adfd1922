// SPDX-License-Identifier: Apache-2.0
#include "wishes.hpp"

#include <algorithm>

/// Values that are known before the run stay as they are: they are packed once.
static bool isImage(const sb_tensor *tensor) {
    return tensor && tensor->rank == 4 && !tensor->host && sb_element_count(tensor) > 0;
}

static bool isLikeOutput(const sb_tensor *tensor, const Node &node) {
    const sb_tensor &output = node.output();
    return isImage(tensor) && isImage(&output) && std::equal(tensor->shape, tensor->shape + 4, output.shape);
}

static void wishFrom(size_t begin, const Node &node, Layout layout, Wish &wish) {
    for (size_t i = begin; i < wish.inputs.size(); ++i)
        if (isLikeOutput(node.input(i), node)) wish.inputs[i] = layout;
}

void wishNothing(const Node &, Layout, Wish &) {}

void wishAlike(const Node &node, Layout layout, Wish &wish) {
    if (!isImage(&node.output())) return;
    wishFrom(0, node, layout, wish);
    wish.outputs[0] = layout;
}

void wishFirst(const Node &node, Layout layout, Wish &wish) {
    if (!isImage(node.input(0)) || !isImage(&node.output())) return;
    wish.inputs[0] = wish.outputs[0] = layout;
}

void wishInput(const Node &node, Layout layout, Wish &wish) {
    if (isImage(node.input(0))) wish.inputs[0] = layout;
}

void wishConvolution(const Node &node, Layout layout, Wish &wish) {
    wishFirst(node, layout, wish);
    wishFrom(3, node, layout, wish);
    // oneDNN reads the few channels of a picture as they are.
    if (layout == channelBlocks && isImage(node.input(0)) && node.input(0)->shape[1] < channelsInBlock()) wish.inputs[0] = isRowMajor;
}

void wishConcat(const Node &node, Layout layout, Wish &wish) {
    const bool isAlongChannels = node.integer("axis", 1) == 1 || node.integer("axis", 1) == -3;
    for (size_t i = 0; i < wish.inputs.size(); ++i) {
        const sb_tensor *part = node.input(i);
        if (!isAlongChannels || !isImage(part) || (layout == channelBlocks && part->shape[1] % channelsInBlock() != 0)) return;
    }
    std::fill(wish.inputs.begin(), wish.inputs.end(), layout);
    wish.outputs[0] = layout;
}
