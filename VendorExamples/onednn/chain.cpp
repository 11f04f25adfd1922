// SPDX-License-Identifier: Apache-2.0
#include "chain.hpp"

#include <algorithm>

using dnnl::algorithm;

std::vector<Elementwise> elementwise(std::string_view name, float first, float second) {
    if (name == "Abs") return {{algorithm::eltwise_abs}};
    if (name == "Clip") return {{algorithm::eltwise_clip, first, second}};
    if (name == "Elu") return {{algorithm::eltwise_elu, first}};
    // Clip(alpha * x + beta, 0, 1).
    if (name == "HardSigmoid") return {{algorithm::eltwise_linear, first, second}, {algorithm::eltwise_clip, 0, 1}};
    if (name == "HardSwish") return {{algorithm::eltwise_hardswish}};
    if (name == "LeakyRelu") return {{algorithm::eltwise_relu, first}};
    if (name == "Mish") return {{algorithm::eltwise_mish}};
    // x * -1 + -0, so that 0 becomes -0.
    if (name == "Neg") return {{algorithm::eltwise_linear, -1, -0.0f}};
    // x to the power of -1, for which oneDNN divides.
    if (name == "Reciprocal") return {{algorithm::eltwise_pow, 1, -1}};
    if (name == "Relu") return {{algorithm::eltwise_relu}};
    if (name == "Round") return {{algorithm::eltwise_round}};
    if (name == "Selu") return {{algorithm::eltwise_elu, first, 0, second}};
    if (name == "Sigmoid") return {{algorithm::eltwise_logistic}};
    if (name == "Sqrt") return {{algorithm::eltwise_sqrt}};
    if (name == "Tanh") return {{algorithm::eltwise_tanh}};
    return {};
}

void Chain::function(std::string_view name, float first, float second) {
    const std::vector<Elementwise> parts = elementwise(name, first, second);
    if (parts.empty()) throw Refusal(SB_REASON_ATTRIBUTE, "oneDNN has no " + std::string(name) + " as the standard defines it");
    for (const Elementwise &part : parts) steps.push_back({part, std::nullopt});
}

Chain::Chain(const Node &node, size_t first) {
    const std::vector<std::string_view> names = node.words("steps");
    const std::vector<int64_t> operands = node.integers("operands"), reversed = node.integers("reversed");
    const std::vector<float> parameters = node.numbers("parameters");
    if (operands.size() != names.size() || reversed.size() != names.size() || parameters.size() != 2 * names.size())
        throw Refusal(SB_REASON_ATTRIBUTE, "the lists of steps have different lengths");
    for (size_t i = 0; i < names.size(); ++i) {
        const std::string_view name = names[i];
        if (operands[i] < 0) {
            function(name, parameters[2 * i], parameters[2 * i + 1]);
            continue;
        }
        algorithm chosen = algorithm::undef;
        if (name == "Add") chosen = algorithm::binary_add;
        if (name == "Div") chosen = algorithm::binary_div;
        if (name == "Mul") chosen = algorithm::binary_mul;
        if (name == "Sub") chosen = algorithm::binary_sub;
        if (chosen == algorithm::undef) throw Refusal(SB_REASON_ATTRIBUTE, std::string(name) + " is no step with an operand");
        if (reversed[i] && chosen == algorithm::binary_div)
            throw Refusal(SB_REASON_ATTRIBUTE, "oneDNN divides what a step works on, and does not divide by it");
        if (reversed[i] && chosen == algorithm::binary_sub) {
            // y - x is -x + y, with the same rounding.
            function("Neg", 0, 0);
            chosen = algorithm::binary_add;
        }
        steps.push_back({{}, first + static_cast<size_t>(operands[i]), chosen});
    }
    // More than oneDNN takes behind a primitive (32), and than the host joins.
    if (steps.size() > 32) throw Refusal(SB_REASON_ATTRIBUTE, "more than 32 steps");
}

bool Chain::hasOperands() const {
    return std::any_of(steps.begin(), steps.end(), [](const Step &step) { return step.input.has_value(); });
}

void Chain::precede(float factor, std::optional<size_t> addend) {
    std::vector<Step> before;
    if (factor != 1) before.push_back({{algorithm::eltwise_linear, factor}, std::nullopt});
    if (addend) before.push_back({{}, addend, algorithm::binary_add});
    precedes = !before.empty();
    steps.insert(steps.begin(), before.begin(), before.end());
}

/// An operand as a primitive with a result of that order takes it in a post-op: one of the same shape lies as the result does.
static dnnl::memory::desc wanted(const Place &operand, const dnnl::memory::desc &result) {
    if (operand.desc.data_type() != result.data_type()) throw Refusal(SB_REASON_DATA_TYPE, "an operand has another type than the result");
    return operand.desc.dims() == result.dims() ? result : operand.desc;
}

dnnl::memory::desc besideFirst(const dnnl::memory::desc &second, const dnnl::memory::desc &first) {
    if (second.dims() == first.dims() && second.data_type() == first.data_type()) return first;
    const bool isBlocked = first.dims().size() == 4 && first == arranged(first.dims(), first.data_type(), channelBlocks);
    return isBlocked ? arranged(second.dims(), second.data_type(), channelBlocks) : second;
}

dnnl::primitive_attr Chain::attributes(const Builder &builder, const dnnl::memory::desc &result, size_t begin) const {
    dnnl::post_ops list;
    for (size_t i = begin; i < steps.size(); ++i) {
        const auto &[function, input, algorithm] = steps[i];
        if (input)
            list.append_binary(algorithm, wanted(builder.operand(*input, result.dims().size()), result));
        else
            list.append_eltwise(function.scale, function.algorithm, function.alpha, function.beta);
    }
    dnnl::primitive_attr attributes = Builder::attributes();
    attributes.set_post_ops(list);
    return attributes;
}

std::vector<std::pair<int, Place>> Chain::arguments(Builder &builder, const dnnl::memory::desc &result, size_t begin) const {
    std::vector<std::pair<int, Place>> list;
    for (size_t i = begin; i < steps.size(); ++i) {
        if (!steps[i].input) continue;
        const Place operand = builder.operand(*steps[i].input, result.dims().size());
        list.emplace_back(DNNL_ARG_ATTR_MULTIPLE_POST_OP(static_cast<int>(i - begin)) | DNNL_ARG_SRC_1,
                          builder.ordered(operand, wanted(operand, result)));
    }
    return list;
}

void Chain::apply(Builder &builder, const Place &result) const {
    const auto map = [&](const Elementwise &function) {
        const dnnl::eltwise_forward::primitive_desc descriptor(
            {dnnl::prop_kind::forward_inference, function.algorithm, result.desc, function.alpha, function.beta}, Builder::attributes(),
            builder.engine());
        builder.add(descriptor, {{DNNL_ARG_SRC, result}, {DNNL_ARG_DST, result}});
    };
    for (const auto &[function, input, algorithm] : steps) {
        if (input) {
            const Place operand = builder.operand(*input, result.desc.dims().size());
            const Place other = builder.ordered(operand, besideFirst(operand.desc, result.desc));
            const dnnl::binary::primitive_desc descriptor({algorithm, result.desc, other.desc, result.desc}, Builder::attributes(),
                                                          builder.engine());
            builder.add(descriptor, {{DNNL_ARG_SRC_0, result}, {DNNL_ARG_SRC_1, other}, {DNNL_ARG_DST, result}});
            continue;
        }
        map(function);
        if (function.scale != 1) map({algorithm::eltwise_linear, function.scale});
    }
}

void Chain::applyAtOnce(Builder &builder, const Place &from, const Place &to) const {
    if (steps.empty()) throw Refusal(SB_REASON_ATTRIBUTE, "there are no steps");
    const size_t rank = to.desc.dims().size();
    const Step &first = steps.front();
    // Of oneDNN's elementwise primitives those with two operands alone have fast post-ops. A function comes behind x * 1, which keeps every x.
    Place other;
    if (first.input) {
        const Place operand = builder.operand(*first.input, rank);
        other = builder.ordered(operand, besideFirst(operand.desc, from.desc));
    } else {
        other = builder.constant({1}, besideFirst(rowMajor(Dims(rank, 1), dnnl::memory::data_type::f32), from.desc));
    }
    const size_t begin = first.input ? 1 : 0;
    const dnnl::binary::primitive_desc descriptor({first.input ? first.algorithm : algorithm::binary_mul, from.desc, other.desc, to.desc},
                                                  attributes(builder, to.desc, begin), builder.engine());
    if (isReference(descriptor)) throw Refusal(SB_REASON_SHAPE, "oneDNN has only its reference for operands of these shapes");
    std::vector<std::pair<int, Place>> list = {{DNNL_ARG_SRC_0, from}, {DNNL_ARG_SRC_1, other}, {DNNL_ARG_DST, to}};
    const auto more = arguments(builder, to.desc, begin);
    list.insert(list.end(), more.begin(), more.end());
    builder.add(descriptor, std::move(list));
}
