// SPDX-License-Identifier: Apache-2.0
#include "kernels.hpp"

#include <algorithm>

Window::Window(const Node &node, const Dims &data, const Dims &result, const Dims &kernel) : kernel(kernel) {
    const size_t axes = kernel.size();
    const std::string_view automatic = node.word("auto_pad", "NOTSET");
    strides = node.integers("strides");
    if (strides.empty()) strides.assign(axes, 1);
    dilations = node.integers("dilations");
    if (dilations.empty()) dilations.assign(axes, 1);
    std::vector<int64_t> pads = node.integers("pads");
    if (pads.empty()) pads.assign(2 * axes, 0);
    for (size_t i = 0; i < axes; ++i) {
        const int64_t span = (kernel[i] - 1) * dilations[i] + 1;
        // What the output's size takes in all.
        const int64_t needed = (result[i + 2] - 1) * strides[i] + span - data[i + 2];
        int64_t first = pads[i];
        if (automatic == "SAME_UPPER") first = std::max<int64_t>(needed, 0) / 2;
        if (automatic == "SAME_LOWER") first = (std::max<int64_t>(needed, 0) + 1) / 2;
        if (automatic == "VALID") first = 0;
        before.push_back(first);
        // Less than the attribute says where the last window does not reach that far; oneDNN wants it to come out even.
        after.push_back(needed - first);
        // It counts dilation from zero on.
        --dilations[i];
    }
}

void buildConv(Builder &builder) {
    const Node &node = builder.node;
    const Place data = builder.input(0), result = builder.output();
    Place weights = builder.input(1);
    Dims shape = weights.desc.dims();
    const Window window(node, data.desc.dims(), result.desc.dims(), Dims(shape.begin() + 2, shape.end()));
    const int64_t groups = node.integer("group", 1);
    if (groups > 1) {
        shape.insert(shape.begin(), groups);
        shape[1] /= groups;
        weights = weights.as(rowMajor(shape, weights.desc.data_type()));
    }
    const bool hasBias = node.input(2) != nullptr;
    const auto bias = hasBias ? builder.input(2) : Place{};
    const dnnl::convolution_forward::desc description(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, anyOrder(data.desc), anyOrder(weights.desc),
        hasBias ? bias.desc : dnnl::memory::desc(), anyOrder(result.desc), window.strides, window.dilations, window.before, window.after);
    const dnnl::convolution_forward::primitive_desc descriptor(description, Builder::attributes(), builder.engine());
    const Place target = builder.target(result, descriptor.dst_desc());
    std::vector<std::pair<int, Place>> arguments = {{DNNL_ARG_SRC, builder.ordered(data, descriptor.src_desc())},
                                                    {DNNL_ARG_WEIGHTS, builder.ordered(weights, descriptor.weights_desc())},
                                                    {DNNL_ARG_DST, target}};
    if (hasBias) arguments.emplace_back(DNNL_ARG_BIAS, bias);
    builder.add(descriptor, std::move(arguments));
    builder.deliver(target, result);
}
