// SPDX-License-Identifier: Apache-2.0
#include "chain.hpp"
#include "kernels.hpp"

using dnnl::algorithm;

static Elementwise function(const Node &node) {
    const std::string_view name = node.operatorName();
    if (name == "Gelu") return {node.word("approximate", "none") == "tanh" ? algorithm::eltwise_gelu_tanh : algorithm::eltwise_gelu_erf};
    return elementwise(name, node.number("alpha", name == "LeakyRelu" ? 0.01f : 1), 0).front();
}

static void requireOneLayout(const Place &first, const Place &second) {
    if (first.desc != second.desc) throw Refusal(SB_REASON_LAYOUT, "input and output lie in different layouts");
}

void buildUnary(Builder &builder) {
    const Place data = builder.input(0), result = builder.output();
    requireOneLayout(data, result);
    const Elementwise chosen = function(builder.node);
    const dnnl::eltwise_forward::primitive_desc descriptor(
        {dnnl::prop_kind::forward_inference, chosen.algorithm, data.desc, chosen.alpha, chosen.beta}, Builder::attributes(),
        builder.engine());
    builder.add(descriptor, {{DNNL_ARG_SRC, data}, {DNNL_ARG_DST, result}});
}

void buildBinary(Builder &builder) {
    const std::string_view name = builder.node.operatorName();
    if (builder.node.inputCount() != 2) throw Refusal(SB_REASON_OTHER, "two inputs at a time");
    const Place result = builder.output();
    const size_t rank = result.desc.dims().size();
    Place left = builder.operand(0, rank), right = builder.operand(1, rank);
    // oneDNN stretches its second operand alone.
    const bool commutes = name == "Add" || name == "Mul" || name == "Max" || name == "Min";
    if (commutes && left.desc.dims() != result.desc.dims()) std::swap(left, right);
    if (left.desc.dims() != result.desc.dims()) throw Refusal(SB_REASON_SHAPE, "the first input has another shape than the output");
    requireOneLayout(left, result);
    right = builder.ordered(right, besideFirst(right.desc, left.desc));
    algorithm chosen = algorithm::undef;
    if (name == "Add") chosen = algorithm::binary_add;
    if (name == "Div") chosen = algorithm::binary_div;
    if (name == "Max") chosen = algorithm::binary_max;
    if (name == "Min") chosen = algorithm::binary_min;
    if (name == "Mul") chosen = algorithm::binary_mul;
    if (name == "Sub") chosen = algorithm::binary_sub;
    const dnnl::binary::primitive_desc descriptor({chosen, left.desc, right.desc, result.desc}, Builder::attributes(), builder.engine());
    builder.add(descriptor, {{DNNL_ARG_SRC_0, left}, {DNNL_ARG_SRC_1, right}, {DNNL_ARG_DST, result}});
}

void buildSum(Builder &builder) {
    const Node &node = builder.node;
    const Place first = builder.input(0), result = builder.output();
    requireOneLayout(first, result);
    if (node.inputCount() < 2) throw Refusal(SB_REASON_OTHER, "two inputs or more");
    std::vector<std::pair<int, Place>> arguments = {{DNNL_ARG_SRC_0, first}, {DNNL_ARG_DST, result}};
    dnnl::post_ops others;
    for (size_t i = 1; i < node.inputCount(); ++i) {
        const Place other = builder.input(i);
        if (other.desc.dims() != result.desc.dims()) throw Refusal(SB_REASON_SHAPE, "inputs of the output's shape");
        requireOneLayout(other, result);
        if (i > 1) others.append_binary(algorithm::binary_add, other.desc);
        arguments.emplace_back(i > 1 ? DNNL_ARG_ATTR_MULTIPLE_POST_OP(static_cast<int>(i) - 2) | DNNL_ARG_SRC_1 : DNNL_ARG_SRC_1, other);
    }
    dnnl::primitive_attr attributes = Builder::attributes();
    attributes.set_post_ops(others);
    const dnnl::binary::primitive_desc descriptor({algorithm::binary_add, first.desc, first.desc, result.desc}, attributes,
                                                  builder.engine());
    builder.add(descriptor, std::move(arguments));
}

void buildFusedElementwise(Builder &builder) {
    const Place data = builder.input(0), result = builder.output();
    requireOneLayout(data, result);
    Chain(builder.node, 1).applyAtOnce(builder, data, result);
}
