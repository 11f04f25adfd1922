// SPDX-License-Identifier: Apache-2.0
#include "kernels.hpp"

#include <algorithm>

/// Channels next to each other: the order that oneDNN's fast windows take on every processor.
static dnnl::memory::desc channelsNext(const dnnl::memory::desc &like) {
    const Dims shape = like.dims();
    Dims strides(shape.size());
    strides[1] = 1;
    int64_t stride = shape[1];
    for (size_t i = shape.size() - 1; i >= 2; --i) {
        strides[i] = stride;
        stride *= shape[i];
    }
    strides[0] = stride;
    return {shape, like.data_type(), strides};
}

static void pool(Builder &builder, dnnl::algorithm algorithm, const Window &window) {
    const Place data = builder.input(0), result = builder.output();
    // Row-major tensors are brought to where they are fast.
    const auto order = [](const Place &place, const sb_tensor &tensor) {
        return tensor.layout == isRowMajor ? channelsNext(place.desc) : place.desc;
    };
    dnnl::memory::desc from = order(data, *builder.node.input(0)), to = order(result, builder.node.output());
    if (builder.node.input(0)->layout == channelBlocks || builder.node.output().layout == channelBlocks) {
        from = arranged(from.dims(), from.data_type(), channelBlocks);
        to = arranged(to.dims(), to.data_type(), channelBlocks);
    }
    const Place source = builder.ordered(data, from), target = builder.target(result, to);
    const dnnl::pooling_v2_forward::desc description(dnnl::prop_kind::forward_inference, algorithm, from, to, window.strides, window.kernel,
                                                     window.dilations, window.before, window.after);
    const dnnl::pooling_v2_forward::primitive_desc descriptor(description, Builder::attributes(), builder.engine());
    builder.add(descriptor, {{DNNL_ARG_SRC, source}, {DNNL_ARG_DST, target}});
    builder.deliver(target, result);
}

static Window window(const Builder &builder) {
    const Node &node = builder.node;
    const Dims data = builder.input(0).desc.dims(), result = builder.output().desc.dims();
    const Window window(node, data, result, node.integers("kernel_shape"));
    for (size_t i = 0; i < window.kernel.size(); ++i)
        if (std::max(window.before[i], window.after[i]) >= window.kernel[i])
            throw Refusal(SB_REASON_ATTRIBUTE, "a window that sees nothing but padding");
    return window;
}

void buildMaxPool(Builder &builder) {
    pool(builder, dnnl::algorithm::pooling_max, window(builder));
}

void buildAveragePool(Builder &builder) {
    const bool counts = builder.node.integer("count_include_pad", 0) != 0;
    if (counts && builder.node.integer("ceil_mode", 0) != 0)
        throw Refusal(SB_REASON_ATTRIBUTE, "padding does not count where sizes are rounded up");
    pool(builder, counts ? dnnl::algorithm::pooling_avg_include_padding : dnnl::algorithm::pooling_avg_exclude_padding, window(builder));
}

void buildGlobalAveragePool(Builder &builder) {
    const Place data = builder.input(0), result = builder.output();
    const Dims shape = data.desc.dims();
    if (shape.size() >= 3 && shape.size() <= 5) {
        // One window.
        Window whole;
        whole.kernel = Dims(shape.begin() + 2, shape.end());
        whole.strides = Dims(whole.kernel.size(), 1);
        whole.dilations = whole.before = whole.after = Dims(whole.kernel.size(), 0);
        return pool(builder, dnnl::algorithm::pooling_avg_exclude_padding, whole);
    }
    const dnnl::reduction::primitive_desc descriptor({dnnl::algorithm::reduction_mean, data.desc, result.desc, 0, 0}, Builder::attributes(),
                                                     builder.engine());
    builder.add(descriptor, {{DNNL_ARG_SRC, data}, {DNNL_ARG_DST, result}});
}
