// SPDX-License-Identifier: Apache-2.0
#include "kernels.hpp"

/// The product, with weights in the order that suits oneDNN best if they are packed ahead.
static void multiply(Builder &builder, const Place &left, const Place &right, const Place &result, const Place *bias,
                     dnnl::primitive_attr attributes, std::vector<std::pair<int, Place>> more = {}) {
    const bool packs = builder.node.input(1)->host != nullptr;
    const dnnl::memory::desc weights = packs ? anyOrder(right.desc) : right.desc;
    const auto description =
        bias ? dnnl::matmul::desc(left.desc, weights, bias->desc, result.desc) : dnnl::matmul::desc(left.desc, weights, result.desc);
    const dnnl::matmul::primitive_desc descriptor(description, attributes, builder.engine());
    more.insert(more.end(),
                {{DNNL_ARG_SRC, left}, {DNNL_ARG_WEIGHTS, builder.ordered(right, descriptor.weights_desc())}, {DNNL_ARG_DST, result}});
    if (bias) more.emplace_back(DNNL_ARG_BIAS, *bias);
    builder.add(descriptor, std::move(more));
}

struct Operands {
    Place left, right, result;
};

/// Vectors become matrices, and all get the same number of axes.
static Operands operands(Builder &builder) {
    Operands all{builder.input(0), builder.input(1), builder.output()};
    Dims a = all.left.desc.dims(), b = all.right.desc.dims();
    if (a.size() == 1) a.insert(a.begin(), 1);
    if (b.size() == 1) b.push_back(1);
    const size_t rank = std::max(a.size(), b.size());
    a = padded(a, rank);
    b = padded(b, rank);
    Dims c(rank);
    for (size_t i = 0; i + 2 < rank; ++i) c[i] = std::max(a[i], b[i]);
    c[rank - 2] = a[rank - 2];
    c[rank - 1] = b[rank - 1];
    all.left = all.left.as(rowMajor(a, all.left.desc.data_type()));
    all.right = all.right.as(rowMajor(b, all.right.desc.data_type()));
    all.result = all.result.as(rowMajor(c, all.result.desc.data_type()));
    return all;
}

void buildMatMul(Builder &builder) {
    const Operands all = operands(builder);
    multiply(builder, all.left, all.right, all.result, nullptr, Builder::attributes());
}

static Place transposed(const Place &place) {
    const Dims shape = place.desc.dims();
    return place.as({{shape[1], shape[0]}, place.desc.data_type(), Dims{1, shape[1]}});
}

void buildGemm(Builder &builder) {
    const Node &node = builder.node;
    Place left = builder.input(0), right = builder.input(1);
    const Place result = builder.output();
    if (node.integer("transA", 0)) left = transposed(left);
    if (node.integer("transB", 0)) right = transposed(right);
    const float alpha = node.number("alpha", 1), beta = node.number("beta", 1);
    if (alpha != 1) throw Refusal(SB_REASON_ATTRIBUTE, "alpha is 1");
    if (!node.input(2) || beta == 0) return multiply(builder, left, right, result, nullptr, Builder::attributes());
    if (beta != 1) throw Refusal(SB_REASON_ATTRIBUTE, "beta is 1 or 0");
    Place bias = builder.input(2);
    const Dims shape = padded(bias.desc.dims(), 2);
    if (shape[0] != 1) throw Refusal(SB_REASON_SHAPE, "the third input is a row or a single number");
    bias = bias.as(rowMajor(shape, bias.desc.data_type()));
    multiply(builder, left, right, result, &bias, Builder::attributes());
}

void buildMatMulInteger(Builder &builder) {
    const Node &node = builder.node;
    const Operands all = operands(builder);
    dnnl::primitive_attr attributes = Builder::attributes();
    const auto zeroPoint = [&](size_t index, int argument) {
        const sb_tensor *tensor = node.input(index);
        if (!tensor) return;
        if (!tensor->host) throw Refusal(SB_REASON_OTHER, "zero points are known before the run");
        if (dims(*tensor) != Dims{1}) throw Refusal(SB_REASON_SHAPE, "one zero point for a whole input");
        const int32_t value =
            tensor->data_type == SB_TYPE_INT8 ? *static_cast<const int8_t *>(tensor->host) : *static_cast<const uint8_t *>(tensor->host);
        attributes.set_zero_points(argument, 0, {value});
    };
    zeroPoint(2, DNNL_ARG_SRC);
    zeroPoint(3, DNNL_ARG_WEIGHTS);
    multiply(builder, all.left, all.right, all.result, nullptr, attributes);
}
