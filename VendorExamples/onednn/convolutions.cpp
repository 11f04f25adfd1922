// SPDX-License-Identifier: Apache-2.0
#include "chain.hpp"
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

namespace {

using Descriptor = dnnl::convolution_forward::primitive_desc;

/// A convolution before it is decided how its tensors lie.
struct Convolution {
    const Builder &builder;
    Place data, weights, bias, result;
    bool hasBias = false;
    Window window;

    explicit Convolution(const Builder &builder)
        : builder(builder), data(builder.input(0)), weights(builder.input(1)), result(builder.output()),
          hasBias(builder.node.input(2) != nullptr), window(builder.node, data.desc.dims(), result.desc.dims(), kernel()) {
        Dims shape = weights.desc.dims();
        const int64_t groups = builder.node.integer("group", 1);
        if (groups > 1) {
            shape.insert(shape.begin(), groups);
            shape[1] /= groups;
            weights = weights.as(rowMajor(shape, weights.desc.data_type()));
        }
        if (hasBias) bias = builder.input(2);
    }

    Dims kernel() const {
        const Dims shape = weights.desc.dims();
        return Dims(shape.begin() + 2, shape.end());
    }

    Descriptor descriptor(const dnnl::memory::desc &from, const dnnl::memory::desc &to, const dnnl::primitive_attr &attributes) const {
        const dnnl::convolution_forward::desc description(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, from,
                                                          anyOrder(weights.desc), hasBias ? bias.desc : dnnl::memory::desc(), to,
                                                          window.strides, window.dilations, window.before, window.after);
        return {description, attributes, builder.engine()};
    }

    /// The best that there is: with tensors in a layout left there and row-major ones as oneDNN likes, or all as it does well though it would not choose that.
    Descriptor plain() const {
        const auto left = [](const Place &place, const sb_tensor &tensor) {
            return tensor.layout == isRowMajor ? anyOrder(place.desc) : place.desc;
        };
        std::optional<Descriptor> best;
        const auto consider = [&](const dnnl::memory::desc &from, const dnnl::memory::desc &to) {
            if (best && !isPoor(*best)) return;
            try {
                const Descriptor found = descriptor(from, to, Builder::attributes());
                if (!best || (isReference(*best) && !isReference(found)) || !isPoor(found)) best = found;
            } catch (const dnnl::error &) {
            }
        };
        consider(left(data, *builder.node.input(0)), left(result, builder.node.output()));
        if (window.kernel.size() == 2)
            consider(arranged(data.desc.dims(), data.desc.data_type(), channelsLast),
                     arranged(result.desc.dims(), result.desc.data_type(), channelsLast));
        consider(anyOrder(data.desc), anyOrder(result.desc));
        if (!best) throw Refusal(SB_REASON_OTHER, "oneDNN has no implementation of it on this processor");
        return *best;
    }

    /// Rather by a product of large matrices than made for convolutions, or not even that.
    static bool isPoor(const Descriptor &descriptor) {
        return isReference(descriptor) || std::string_view(descriptor.impl_info_str()).find("gemm:") != std::string_view::npos;
    }

    /// The operations of the products.
    double operations() const {
        double count = 2;
        for (const int64_t each : result.desc.dims()) count *= static_cast<double>(each);
        const Dims shape = weights.desc.dims();
        for (size_t i = shape.size() - window.kernel.size() - 1; i < shape.size(); ++i) count *= static_cast<double>(shape[i]);
        return count;
    }
};

} // namespace

static void convolve(Builder &builder, const Chain &chain) {
    const Convolution convolution(builder);
    Descriptor chosen = convolution.plain();
    bool isJoined = chain.isEmpty();
    if (!isJoined) {
        // The result lies as without the steps, so that it is known how their operands have to.
        try {
            const Descriptor joined =
                convolution.descriptor(chosen.src_desc(), chosen.dst_desc(), chain.attributes(builder, chosen.dst_desc()));
            isJoined = isReference(chosen) || !isReference(joined);
            if (isJoined) chosen = joined;
        } catch (const dnnl::error &) {
        }
    }
    const Place target = builder.target(convolution.result, chosen.dst_desc());
    std::vector<std::pair<int, Place>> arguments = {{DNNL_ARG_SRC, builder.ordered(convolution.data, chosen.src_desc())},
                                                    {DNNL_ARG_WEIGHTS, builder.ordered(convolution.weights, chosen.weights_desc())},
                                                    {DNNL_ARG_DST, target}};
    if (convolution.hasBias) arguments.emplace_back(DNNL_ARG_BIAS, convolution.bias);
    if (isJoined) {
        const auto more = chain.arguments(builder, target.desc);
        arguments.insert(arguments.end(), more.begin(), more.end());
    }
    builder.add(chosen, std::move(arguments), convolution.operations());
    if (!isJoined) chain.apply(builder, target);
    builder.deliver(target, convolution.result);
}

void buildConv(Builder &builder) {
    convolve(builder, Chain());
}

void buildFusedConv(Builder &builder) {
    convolve(builder, Chain(builder.node, 3));
}
