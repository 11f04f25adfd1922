// SPDX-License-Identifier: Apache-2.0
#include "chain.hpp"
#include "kernels.hpp"

/// The product and the steps behind it, with weights in the order that suits oneDNN best if they are packed ahead.
static void multiply(Builder &builder, const Place &left, const Place &right, const Place &result, const Place *bias, const Chain &chain,
                     dnnl::primitive_attr attributes = Builder::attributes()) {
    using Descriptor = dnnl::matmul::primitive_desc;
    const bool packs = builder.node.input(1)->host != nullptr;
    const dnnl::memory::desc weights = packs ? anyOrder(right.desc) : right.desc;
    const auto description =
        bias ? dnnl::matmul::desc(left.desc, weights, bias->desc, result.desc) : dnnl::matmul::desc(left.desc, weights, result.desc);
    Descriptor chosen(description, attributes, builder.engine());
    bool isJoined = chain.isEmpty();
    if (!isJoined) {
        try {
            const Descriptor joined(description, chain.attributes(builder, result.desc), builder.engine());
            isJoined = isReference(chosen) || !isReference(joined);
            if (isJoined) chosen = joined;
        } catch (const dnnl::error &) {
        }
    }
    // What follows a product in the operator itself is not rounded before.
    if (!isJoined && chain.isPreceded() && result.desc.data_type() != dnnl::memory::data_type::f32)
        throw Refusal(SB_REASON_SHAPE, "oneDNN does not add a third input of this shape to the product without rounding that first");
    std::vector<std::pair<int, Place>> arguments = {
        {DNNL_ARG_SRC, left}, {DNNL_ARG_WEIGHTS, builder.ordered(right, chosen.weights_desc())}, {DNNL_ARG_DST, result}};
    if (bias) arguments.emplace_back(DNNL_ARG_BIAS, *bias);
    if (isJoined) {
        const auto more = chain.arguments(builder, result.desc);
        arguments.insert(arguments.end(), more.begin(), more.end());
    }
    double operations = 2 * static_cast<double>(left.desc.dims().back());
    for (const int64_t each : result.desc.dims()) operations *= static_cast<double>(each);
    builder.add(chosen, std::move(arguments), operations);
    if (!isJoined) chain.apply(builder, result);
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

static void buildMatMul(Builder &builder, const Chain &chain) {
    const Operands all = operands(builder);
    if (chain.hasOperands() && all.result.desc.dims().size() != builder.node.output().rank && builder.node.input(1)->rank == 1)
        throw Refusal(SB_REASON_SHAPE, "a product with a vector has its axes elsewhere than the operands of its steps");
    multiply(builder, all.left, all.right, all.result, nullptr, chain);
}

void buildMatMul(Builder &builder) {
    buildMatMul(builder, Chain());
}

void buildFusedMatMul(Builder &builder) {
    buildMatMul(builder, Chain(builder.node, 2));
}

static Place transposed(const Place &place) {
    const Dims shape = place.desc.dims();
    return place.as({{shape[1], shape[0]}, place.desc.data_type(), Dims{1, shape[1]}});
}

static void buildGemm(Builder &builder, Chain chain) {
    const Node &node = builder.node;
    Place left = builder.input(0), right = builder.input(1);
    const Place result = builder.output();
    if (node.integer("transA", 0)) left = transposed(left);
    if (node.integer("transB", 0)) right = transposed(right);
    const float alpha = node.number("alpha", 1), beta = node.number("beta", 1);
    const bool adds = node.input(2) && beta != 0;
    if (adds && beta != 1) throw Refusal(SB_REASON_ATTRIBUTE, "beta is 1 or 0");
    if (adds && alpha == 1) {
        const Place bias = builder.operand(2, 2);
        if (bias.desc.dims()[0] == 1) return multiply(builder, left, right, result, &bias, chain);
    }
    chain.precede(alpha, adds ? std::optional<size_t>(2) : std::nullopt);
    multiply(builder, left, right, result, nullptr, chain);
}

void buildGemm(Builder &builder) {
    buildGemm(builder, Chain());
}

void buildFusedGemm(Builder &builder) {
    buildGemm(builder, Chain(builder.node, 3));
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
    multiply(builder, all.left, all.right, all.result, nullptr, Chain(), attributes);
}
