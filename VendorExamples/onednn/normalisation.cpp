// SPDX-License-Identifier: Apache-2.0
#include "kernels.hpp"

using dnnl::normalization_flags;
using dnnl::prop_kind;

void buildBatchNormalization(Builder &builder) {
    if (builder.node.integer("training_mode", 0) != 0) throw Refusal(SB_REASON_ATTRIBUTE, "training mode");
    const Place data = builder.input(0), result = builder.output();
    if (data.desc != result.desc) throw Refusal(SB_REASON_LAYOUT, "input and output lie in different layouts");
    const auto flags = normalization_flags::use_global_stats | normalization_flags::use_scale | normalization_flags::use_shift;
    const dnnl::batch_normalization_forward::desc description(prop_kind::forward_inference, data.desc,
                                                              builder.node.number("epsilon", 1e-5f), flags);
    const dnnl::batch_normalization_forward::primitive_desc descriptor(description, Builder::attributes(), builder.engine());
    builder.add(descriptor, {{DNNL_ARG_SRC, data},
                             {DNNL_ARG_SCALE, builder.input(1)},
                             {DNNL_ARG_SHIFT, builder.input(2)},
                             {DNNL_ARG_MEAN, builder.input(3)},
                             {DNNL_ARG_VARIANCE, builder.input(4)},
                             {DNNL_ARG_DST, result}});
}

void buildLayerNormalization(Builder &builder) {
    const Node &node = builder.node;
    Place data = builder.input(0), result = builder.output();
    const Dims shape = data.desc.dims();
    const int64_t axis = node.axis("axis", -1, static_cast<uint32_t>(shape.size()));
    // All axes from the given one on are one.
    Dims rows{1, 1};
    for (size_t i = 0; i < shape.size(); ++i) rows[static_cast<int64_t>(i) < axis ? 0 : 1] *= shape[i];
    const auto desc = rowMajor(rows, data.desc.data_type());
    const auto parameter = rowMajor(Dims{rows[1]}, dnnl::memory::data_type::f32);
    const auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
    const dnnl::layer_normalization_forward::desc description(prop_kind::forward_inference, desc, node.number("epsilon", 1e-5f), flags);
    const dnnl::layer_normalization_forward::primitive_desc descriptor(description, Builder::attributes(), builder.engine());
    const auto whole = [&](size_t index) {
        const Place place = builder.input(index);
        if (place.desc.get_size() != parameter.get_size())
            throw Refusal(SB_REASON_SHAPE, "scale and bias have a number for each element of a row");
        return place.as(parameter);
    };
    const Place bias = node.input(2) ? whole(2) : builder.constant(std::vector<float>(static_cast<size_t>(rows[1]), 0), parameter);
    builder.add(descriptor,
                {{DNNL_ARG_SRC, data.as(desc)}, {DNNL_ARG_SCALE, whole(1)}, {DNNL_ARG_SHIFT, bias}, {DNNL_ARG_DST, result.as(desc)}});
}

void buildLRN(Builder &builder) {
    const Node &node = builder.node;
    if (node.integer("size", 0) % 2 == 0) throw Refusal(SB_REASON_ATTRIBUTE, "windows over an odd number of channels");
    const Place data = builder.input(0), result = builder.output();
    if (data.desc != result.desc) throw Refusal(SB_REASON_LAYOUT, "input and output lie in different layouts");
    const dnnl::lrn_forward::desc description(prop_kind::forward_inference, dnnl::algorithm::lrn_across_channels, data.desc,
                                              node.integer("size", 0), node.number("alpha", 1e-4f), node.number("beta", 0.75f),
                                              node.number("bias", 1));
    const dnnl::lrn_forward::primitive_desc descriptor(description, Builder::attributes(), builder.engine());
    builder.add(descriptor, {{DNNL_ARG_SRC, data}, {DNNL_ARG_DST, result}});
}

void buildSoftmax(Builder &builder) {
    const Node &node = builder.node;
    Place data = builder.input(0), result = builder.output();
    const Dims shape = data.desc.dims();
    const bool isOld = node.version() < 13;
    int64_t axis = node.axis("axis", isOld ? 1 : -1, static_cast<uint32_t>(shape.size()));
    if (isOld) {
        // All axes from the given one on are one.
        Dims rows{1, 1};
        for (size_t i = 0; i < shape.size(); ++i) rows[static_cast<int64_t>(i) < axis ? 0 : 1] *= shape[i];
        data = data.as(rowMajor(rows, data.desc.data_type()));
        result = result.as(rowMajor(rows, data.desc.data_type()));
        axis = 1;
    }
    const dnnl::softmax_v2_forward::desc description(prop_kind::forward_inference, dnnl::algorithm::softmax_accurate, data.desc,
                                                     result.desc, static_cast<int>(axis));
    const dnnl::softmax_v2_forward::primitive_desc descriptor(description, Builder::attributes(), builder.engine());
    builder.add(descriptor, {{DNNL_ARG_SRC, data}, {DNNL_ARG_DST, result}});
}
