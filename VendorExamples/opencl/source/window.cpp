// SPDX-License-Identifier: Apache-2.0
#include "window.hpp"

#include <algorithm>

Window::Window(const Node &node, const Shape &kernel_shape, size_t largest) {
    Shape x = node.input(0).shape(), y = node.output(0).shape();
    size_t spatial = x.size() < 2 ? 0 : x.size() - 2;
    if (spatial < 1 || spatial > largest || y.size() != x.size() || kernel_shape.size() != spatial)
        throw Refusal{SB_REASON_SHAPE, "the window has not 1 to " + std::to_string(largest) + " spatial axes"};
    Shape strides = node.integers("strides"), dilations = node.integers("dilations"), pads = node.integers("pads");
    std::string automatic = node.text("auto_pad", "NOTSET");
    for (size_t i = 0; i < spatial; ++i) {
        size_t axis = 3 - spatial + i;
        input[axis] = (cl_int)x[2 + i];
        output[axis] = (cl_int)y[2 + i];
        kernel[axis] = (cl_int)kernel_shape[i];
        if (i < strides.size()) stride[axis] = (cl_int)strides[i];
        if (i < dilations.size()) dilation[axis] = (cl_int)dilations[i];
        if (automatic == "NOTSET" && pads.size() == 2 * spatial) {
            pad[axis] = (cl_int)pads[i];
            pad_end[axis] = (cl_int)pads[spatial + i];
        } else if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
            cl_int extent = (kernel[axis] - 1) * dilation[axis] + 1;
            cl_int total = std::max(0, (output[axis] - 1) * stride[axis] + extent - input[axis]);
            pad[axis] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
            pad_end[axis] = total - pad[axis];
        }
    }
}
