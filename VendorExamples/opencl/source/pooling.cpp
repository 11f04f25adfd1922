// SPDX-License-Identifier: Apache-2.0
//
// MaxPool and AveragePool; the global ones are reductions.
#include "operators.hpp"
#include "sources.hpp"
#include "window.hpp"

namespace {

void plan_pool(Plan &plan, const Node &node, const void *context) {
    bool is_average = context != nullptr;
    uint32_t type = node.input(0).type();
    plan.require_type(type);
    bool has_indices = !is_average && node.maybe_output(1);
    if (has_indices && node.integer("storage_order", 0) != 0) throw Refusal{SB_REASON_ATTRIBUTE, "indices count along rows alone"};
    struct {
        cl_uint count, counts_pads;
        Window window;
    } passed{checked_count(node.output(0).count()), (cl_uint)(node.integer("count_include_pad", 0) != 0),
             Window(node, node.integers("kernel_shape"), 3)};
    unsigned bytes = bytes_of(type);
    Step &step = plan.step(sources::pooling, is_average ? "average_pool" : "max_pool");
    step.define_type("T", type).define("HAS_INDICES", (int)has_indices).define("IS_INT8", (int)(type == SB_TYPE_INT8));
    step.operands = {input_operand(0, bytes), output_operand(0, bytes)};
    if (has_indices) step.operands.push_back(output_operand(1, 8));
    step.over(passed.count).constant(passed);
}

const bool average = true;

} // namespace

std::vector<Offer> pooling_offers() {
    return {
        {"MaxPool", 1, 0, floats | bits({SB_TYPE_INT8, SB_TYPE_UINT8}), plan_pool},
        {"AveragePool", 7, 0, floats, plan_pool, &average},
    };
}
