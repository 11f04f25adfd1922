// SPDX-License-Identifier: Apache-2.0
//
// Operators that work on lines of a tensor, a work-group for each: softmax and the normalisations; and LRN, point by point.
#include "operators.hpp"
#include "sources.hpp"

namespace {

int64_t product(const Shape &shape, size_t from, size_t to) {
    return count_of(Shape(shape.begin() + (long)from, shape.begin() + (long)to));
}

void plan_softmax(Plan &plan, const Node &node, const void *context) {
    uint32_t type = node.input(0).type();
    plan.require_type(type);
    Shape shape = node.input(0).shape();
    bool is_flattened = node.version() < 13;
    size_t axis = node.axis(is_flattened ? 1 : -1, shape.size());
    // Before version 13 everything from the axis on is one line; from then on the axis alone is.
    struct {
        cl_uint length, inner;
    } passed{checked_count(is_flattened ? product(shape, axis, shape.size()) : shape[axis]),
             is_flattened ? 1 : checked_count(product(shape, axis + 1, shape.size()))};
    Step &step = plan.step(sources::normalization, "softmax");
    step.define_type("T", type).define("IS_LOGARITHM", (int)(context != nullptr));
    step.operands = {input_operand(0, bytes_of(type)), output_operand(0, bytes_of(type))};
    step.groups_over(passed.length ? checked_count(count_of(shape)) / passed.length : 0).constant(passed);
}

// Lines of `length` elements that lie together. Element i of line r is scaled by value (r % lines) * step + i / run of the scales.
struct Lines {
    cl_uint length, lines, step, run;
    cl_float epsilon;
};

void plan_lines(Plan &plan, const Node &node, const Lines &lines, bool has_mean) {
    uint32_t type = node.input(0).type(), scale_type = node.input(1).type();
    bool has_bias = has_mean && node.maybe_input(2);
    for (uint32_t each : {type, scale_type, node.output(0).type()}) plan.require_type(each);
    Step &step = plan.step(sources::normalization, "normalize_lines");
    step.define_type("T", type).define_type("S", scale_type).define_type("Y", node.output(0).type());
    step.define("HAS_MEAN", (int)has_mean).define("HAS_BIAS", (int)has_bias);
    step.operands = {input_operand(0, bytes_of(type)), input_operand(1, bytes_of(scale_type))};
    if (has_bias) {
        if (node.input(2).type() != scale_type) throw Refusal{SB_REASON_DATA_TYPE, "scale and bias differ in type"};
        step.operands.push_back(input_operand(2, bytes_of(scale_type)));
    }
    step.operands.push_back(output_operand(0, bytes_of(node.output(0).type())));
    for (size_t i = 1; i < 3; ++i) {
        Tensor statistic = node.maybe_output(i);
        step.define(i == 1 ? "HAS_MEANS" : "HAS_DEVIATIONS", (int)(bool)statistic);
        if (!statistic) continue;
        step.define_type(i == 1 ? "M" : "D", statistic.type());
        step.operands.push_back(output_operand(i, bytes_of(statistic.type())));
    }
    step.groups_over(lines.length ? checked_count(node.input(0).count()) / lines.length : 0).constant(lines);
}

void plan_layer(Plan &plan, const Node &node, const void *context) {
    bool has_mean = context == nullptr;
    Shape shape = node.input(0).shape();
    size_t axis = node.axis(-1, shape.size());
    Lines lines{checked_count(product(shape, axis, shape.size())), 1, 0, 1, node.number("epsilon", 1e-5f)};
    if (node.integer("stash_type", SB_TYPE_FLOAT32) != SB_TYPE_FLOAT32)
        throw Refusal{SB_REASON_ATTRIBUTE, "statistics are kept in float32 alone"};
    for (size_t i = 1; i < (has_mean ? 3 : 2); ++i)
        if (node.maybe_input(i) && node.input(i).count() != lines.length)
            throw Refusal{SB_REASON_SHAPE, "scale and bias must have an element for each of a line"};
    plan_lines(plan, node, lines, has_mean);
}

void plan_instance(Plan &plan, const Node &node, const void *) {
    Shape shape = node.input(0).shape();
    cl_uint area = checked_count(product(shape, 2, shape.size())), channels = (cl_uint)shape[1];
    plan_lines(plan, node, {area, channels, 1, area, node.number("epsilon", 1e-5f)}, true);
}

void plan_group(Plan &plan, const Node &node, const void *) {
    Shape shape = node.input(0).shape();
    cl_uint area = checked_count(product(shape, 2, shape.size())), channels = (cl_uint)shape[1],
            groups = (cl_uint)node.integer("num_groups", 1);
    if (node.integer("stash_type", SB_TYPE_FLOAT32) != SB_TYPE_FLOAT32)
        throw Refusal{SB_REASON_ATTRIBUTE, "statistics are kept in float32 alone"};
    // Before version 21 scale and bias were given per group.
    bool is_per_channel = node.version() >= 21;
    cl_uint length = checked_count((int64_t)area * (channels / groups));
    plan_lines(plan, node,
               {length, groups, is_per_channel ? channels / groups : 1, is_per_channel ? area : length, node.number("epsilon", 1e-5f)},
               true);
}

void plan_response(Plan &plan, const Node &node, const void *) {
    uint32_t type = node.input(0).type();
    plan.require_type(type);
    Shape shape = node.input(0).shape();
    if (shape.size() < 2) throw Refusal{SB_REASON_SHAPE, "there are no channels"};
    struct {
        cl_uint count, channels, inner;
        cl_int size;
        cl_float alpha, beta, bias;
    } passed{checked_count(count_of(shape)),  (cl_uint)shape[1],           checked_count(product(shape, 2, shape.size())),
             (cl_int)node.integer("size", 1), node.number("alpha", 1e-4f), node.number("beta", 0.75f),
             node.number("bias", 1)};
    Step &step = plan.step(sources::normalization, "response");
    step.define_type("T", type);
    step.operands = {input_operand(0, bytes_of(type)), output_operand(0, bytes_of(type))};
    step.over(passed.count).constant(passed);
}

const bool yes = true;

} // namespace

std::vector<Offer> normalization_offers() {
    return {
        {"Softmax", 1, 0, floats, plan_softmax, nullptr, 3},    {"LogSoftmax", 1, 0, floats, plan_softmax, &yes, 3},
        {"LayerNormalization", 17, 0, floats, plan_layer},      {"RMSNormalization", 23, 0, floats, plan_layer, &yes},
        {"InstanceNormalization", 6, 0, floats, plan_instance}, {"GroupNormalization", 18, 0, floats, plan_group},
        {"LRN", 1, 0, floats, plan_response, nullptr, 16},
    };
}
