// SPDX-License-Identifier: Apache-2.0
//
// Conv: as a matrix product whose right factor is gathered from the image on the way to local memory, or, where a group has few output channels
// (depthwise convolutions), point by point.
#include "operators.hpp"
#include "sources.hpp"
#include "window.hpp"

namespace {

// Below that many output channels per group the tiles of the product would be mostly empty.
constexpr int64_t fewest_rows = 8;

void plan_convolution(Plan &plan, const Node &node, const void *) {
    Tensor x = node.input(0), w = node.input(1);
    Shape weights = w.shape();
    if (weights.size() < 3 || x.type() != w.type()) throw Refusal{SB_REASON_SHAPE, "the weights do not fit the image"};
    Window window(node, Shape(weights.begin() + 2, weights.end()), 2);
    plan.require_type(x.type());
    int64_t groups = node.integer("group", 1);
    bool has_bias = (bool)node.maybe_input(2);
    struct {
        cl_uint batch, channels, rows, depth, columns, groups;
        Window window;
    } passed{(cl_uint)x.shape()[0],
             (cl_uint)weights[1],
             (cl_uint)(weights[0] / groups),
             checked_count(weights[1] * window.taps()),
             checked_count(x.shape()[0] * window.outputs()),
             (cl_uint)groups,
             window};
    bool is_product = passed.rows >= fewest_rows;
    bool is_pointwise = window.taps() == 1;
    for (int axis = 0; axis < 3; ++axis)
        is_pointwise &= window.stride[axis] == 1 && window.pad[axis] == 0 && window.input[axis] == window.output[axis];
    unsigned bytes = bytes_of(x.type());
    Step &step = plan.step(sources::convolution, is_product ? "convolve" : "convolve_points");
    step.define_type("T", x.type()).define("HAS_BIAS", (int)has_bias).define("IS_POINTWISE", (int)is_pointwise);
    step.operands = {input_operand(0, bytes), input_operand(1, bytes)};
    if (has_bias) step.operands.push_back(input_operand(2, bytes));
    step.operands.push_back(output_operand(0, bytes));
    if (is_product)
        plan_tiles(plan.hardware, step, passed.rows, passed.columns, passed.groups);
    else
        step.define("EACH", 1).over(checked_count(node.output(0).count()));
    step.constant(passed);
}

} // namespace

std::vector<Offer> convolution_offers() {
    return {{"Conv", 1, 0, floats, plan_convolution}};
}
