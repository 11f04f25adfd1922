// SPDX-License-Identifier: Apache-2.0
//
// The kernel around an expression: operands are broadcast, loaded into x0, x1 ..., and the expression's value is stored.
#include "elementwise.hpp"

#include "operators.hpp"
#include "sources.hpp"

void plan_elementwise(Plan &plan, const Node &node, const Elementwise &what) {
    if (what.inputs.size() > largest_elementwise) throw Refusal{SB_REASON_SHAPE, "more than 8 inputs"};
    Tensor y = node.output(what.output);
    Shape target = y.shape();
    Walk walk{target, {dense_strides(target)}};
    Step &step = plan.step(sources::elementwise, "elementwise");
    std::string parameters, loads, start, flat, walked;
    for (size_t i = 0; i < what.inputs.size(); ++i) {
        Tensor x = node.input(what.inputs[i]);
        plan.require_type(x.type());
        std::string k = std::to_string(i);
        step.define_type(("T" + k).c_str(), x.type());
        step.operands.push_back(input_operand(what.inputs[i], bytes_of(x.type())));
        Shape shape = x.shape();
        if (what.has_channels && i > 0) {
            // One value per channel: axis 1 of the output.
            if (shape.size() != 1 || target.size() < 2) throw Refusal{SB_REASON_SHAPE, "a value per channel must be a vector"};
            shape.resize(target.size() - 1, 1);
        }
        walk.strides.push_back(broadcast_strides(shape, target));
        parameters += "__global const T" + k + " *p" + k + ", ulong offset" + k + ", ";
        loads += "const T" + k + "_COMPUTE x" + k + " = T" + k + "_LOAD(p" + k + " + offset" + k + ", at" + k + "); ";
        start += "uint at" + k + " = 0; ";
        flat += "at" + k + " = i * walk.strides[" + k + "][0]; ";
        walked += "at" + k + " += place * walk.strides[" + k + "][axis]; ";
    }
    plan.require_type(y.type());
    step.define_type("Y", y.type());
    step.operands.push_back(output_operand(what.output, bytes_of(y.type())));
    walk.simplify();
    bool is_flat = walk.sizes.size() <= 1;
    struct {
        cl_uint count, rank, sizes[walk_rank];
        cl_uint strides[largest_elementwise][walk_rank];
    } passed{};
    passed.count = checked_count(y.count());
    passed.rank = (cl_uint)walk.sizes.size();
    for (size_t axis = 0; axis < walk.sizes.size(); ++axis) {
        passed.sizes[axis] = (cl_uint)walk.sizes[axis];
        for (size_t i = 0; i < what.inputs.size(); ++i) passed.strides[i][axis] = (cl_uint)walk.strides[i + 1][axis];
    }
    cl_float4 numbers{};
    for (size_t i = 0; i < what.parameters.size(); ++i) {
        numbers.s[i] = what.parameters[i].second;
        loads += "const C " + what.parameters[i].first + " = (C)numbers.s" + std::to_string(i) + "; ";
    }
    step.define("PARAMETERS", parameters).define("LOADS", loads).define("START", start).define("PLACES", is_flat ? flat : walked);
    step.define("IS_FLAT", (int)is_flat).define("EXPRESSION", what.expression).define("INPUTS", largest_elementwise);
    step.define("C", what.inputs.empty() ? "float" : element_type(node.input(what.inputs[0]).type()).compute);
    step.local[0] = 128;
    step.over(passed.count).constant(passed).constant(numbers);
}
