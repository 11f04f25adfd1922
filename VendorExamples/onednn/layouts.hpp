// SPDX-License-Identifier: Apache-2.0
//
// The orders beside row-major in which kernels take images, tensors of four axes (SB-HW-007, SB-OPS-013).
#ifndef ONEDNN_PLUGIN_LAYOUTS_HPP
#define ONEDNN_PLUGIN_LAYOUTS_HPP

#include <optional>
#include <string_view>
#include <vector>

#include "failure.hpp"

using Dims = dnnl::memory::dims;

/// Numbers of `sb_tensor.layout`.
enum Layout : uint32_t {
    isRowMajor = SB_LAYOUT_ROW_MAJOR,
    /// The channels of a pixel next to each other: every element a block of its own, in another order.
    channelsLast = 1,
    /// As many channels of a pixel as a vector holds next to each other; those that fill up the last block are zero, as oneDNN wants and leaves them.
    channelBlocks = 2,
};

/// What the group's table lists.
const std::vector<const sb_layout *> &layouts();

/// Channels of a block on this processor.
int64_t channelsInBlock();

/// What oneDNN's convolutions choose on this processor.
Layout preferredLayout();

/// The layout of that name in the list; the preferred one of "auto", row-major of "none", nothing of any other word.
std::optional<Layout> layoutNamed(std::string_view name);

/// A tensor in one of the layouts.
dnnl::memory::desc arranged(const Dims &dims, dnnl::memory::data_type type, uint32_t layout);

#endif
