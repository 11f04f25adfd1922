// SPDX-License-Identifier: Apache-2.0
#include "kernels.hpp"

using dnnl::algorithm;

static dnnl::eltwise_forward::desc unary(const Node &node, const dnnl::memory::desc &desc) {
    const std::string_view name = node.operatorName();
    algorithm chosen = algorithm::undef;
    float alpha = 0;
    if (name == "Abs") chosen = algorithm::eltwise_abs;
    if (name == "Elu") chosen = algorithm::eltwise_elu, alpha = node.number("alpha", 1);
    if (name == "Gelu") chosen = node.word("approximate", "none") == "tanh" ? algorithm::eltwise_gelu_tanh : algorithm::eltwise_gelu_erf;
    if (name == "HardSwish") chosen = algorithm::eltwise_hardswish;
    if (name == "LeakyRelu") chosen = algorithm::eltwise_relu, alpha = node.number("alpha", 0.01f);
    if (name == "Mish") chosen = algorithm::eltwise_mish;
    if (name == "Relu") chosen = algorithm::eltwise_relu;
    if (name == "Round") chosen = algorithm::eltwise_round;
    if (name == "Sigmoid") chosen = algorithm::eltwise_logistic;
    if (name == "Sqrt") chosen = algorithm::eltwise_sqrt;
    if (name == "Tanh") chosen = algorithm::eltwise_tanh;
    return {dnnl::prop_kind::forward_inference, chosen, desc, alpha, 0};
}

void buildUnary(Builder &builder) {
    const Place data = builder.input(0), result = builder.output();
    const dnnl::eltwise_forward::primitive_desc descriptor(unary(builder.node, data.desc), Builder::attributes(), builder.engine());
    builder.add(descriptor, {{DNNL_ARG_SRC, data}, {DNNL_ARG_DST, result}});
}

void buildBinary(Builder &builder) {
    const std::string_view name = builder.node.operatorName();
    if (builder.node.inputCount() != 2) throw Refusal(SB_REASON_OTHER, "two inputs at a time");
    const Place result = builder.output();
    const size_t rank = result.desc.dims().size();
    Place left = builder.input(0), right = builder.input(1);
    left = left.as(rowMajor(padded(left.desc.dims(), rank), left.desc.data_type()));
    right = right.as(rowMajor(padded(right.desc.dims(), rank), right.desc.data_type()));
    // oneDNN stretches its second operand alone.
    const bool commutes = name == "Add" || name == "Mul" || name == "Max" || name == "Min";
    if (commutes && left.desc.dims() != result.desc.dims()) std::swap(left, right);
    if (left.desc.dims() != result.desc.dims()) throw Refusal(SB_REASON_SHAPE, "the first input has another shape than the output");
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
