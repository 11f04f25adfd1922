// SPDX-License-Identifier: Apache-2.0
//
// The layouts that a kernel would rather have, asked about row-major tensors (SB-OPS-014).
#ifndef ONEDNN_PLUGIN_WISHES_HPP
#define ONEDNN_PLUGIN_WISHES_HPP

#include "node.hpp"

/// What a node's tensors would rather lie in; row-major at first.
struct Wish {
    std::vector<uint32_t> inputs, outputs;
};

/// Writes where `layout` suits a node of that kind; its tensors are row-major.
using MakeWish = void (*)(const Node &node, Layout layout, Wish &wish);

/// None: of what brings tensors to a layout.
void wishNothing(const Node &node, Layout layout, Wish &wish);
/// Images of the output's shape, and the output.
void wishAlike(const Node &node, Layout layout, Wish &wish);
/// The first input and the output.
void wishFirst(const Node &node, Layout layout, Wish &wish);
/// The first input alone.
void wishInput(const Node &node, Layout layout, Wish &wish);
/// Also operands of the output's shape, from the fourth input on.
void wishConvolution(const Node &node, Layout layout, Wish &wish);
/// All parts, if they are joined along their channels, in whole blocks.
void wishConcat(const Node &node, Layout layout, Wish &wish);

#endif
