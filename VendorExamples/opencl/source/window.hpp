// SPDX-License-Identifier: Apache-2.0
//
// A window that slides over up to three spatial axes: what convolutions and poolings have in common.
#pragma once

#include "plan.hpp"

struct Window {
    // Depth, height and width; axes that the operator lacks have size one.
    cl_int input[3] = {1, 1, 1}, output[3] = {1, 1, 1}, kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1}, dilation[3] = {1, 1, 1}, pad[3] = {};
    cl_int pad_end[3] = {};

    // Of input 0 and output 0 of the node. Refuses more than `largest` spatial axes.
    Window(const Node &node, const Shape &kernel_shape, size_t largest);

    int64_t outputs() const { return (int64_t)output[0] * output[1] * output[2]; }
    int64_t taps() const { return (int64_t)kernel[0] * kernel[1] * kernel[2]; }
};
