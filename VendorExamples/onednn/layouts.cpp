// SPDX-License-Identifier: Apache-2.0
#include "layouts.hpp"

#include "processor.hpp"

namespace {

constexpr uint32_t single[] = {1, 1, 1, 1}, eight[] = {1, 8, 1, 1}, sixteen[] = {1, 16, 1, 1};

constexpr sb_layout last = {sizeof last, SB_STRING("channels-last"), channelsLast, 0, 0, 0, single, 4};
constexpr sb_layout blocksOfEight = {sizeof blocksOfEight, SB_STRING("channel-blocks"), channelBlocks, 0, 0, 0, eight, 4};
constexpr sb_layout blocksOfSixteen = {sizeof blocksOfSixteen, SB_STRING("channel-blocks"), channelBlocks, 0, 0, 0, sixteen, 4};

} // namespace

const std::vector<const sb_layout *> &layouts() {
    static const std::vector<const sb_layout *> list = {&last, channelsInBlock() == 16 ? &blocksOfSixteen : &blocksOfEight};
    return list;
}

int64_t channelsInBlock() {
    return processor().hasAVX512 ? 16 : 8;
}

Layout preferredLayout() {
    return processor().hasAVX512 ? channelsLast : channelBlocks;
}

std::optional<Layout> layoutNamed(std::string_view name) {
    if (name == "auto") return preferredLayout();
    if (name == "none") return isRowMajor;
    for (const sb_layout *each : layouts())
        if (name == std::string_view(each->name.data, each->name.length)) return static_cast<Layout>(each->value);
    return std::nullopt;
}

dnnl::memory::desc arranged(const Dims &dims, dnnl::memory::data_type type, uint32_t layout) {
    using Tag = dnnl::memory::format_tag;
    if (dims.size() != 4) throw Refusal(SB_REASON_LAYOUT, "layouts are for tensors of four axes");
    if (layout != channelsLast && layout != channelBlocks) throw Refusal(SB_REASON_LAYOUT, "no layout has that number");
    if (layout == channelsLast) return {dims, type, Tag::nhwc};
    return {dims, type, channelsInBlock() == 16 ? Tag::nChw16c : Tag::nChw8c};
}
