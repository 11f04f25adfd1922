// SPDX-License-Identifier: Apache-2.0
//
// A kernel written around one expression.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plan.hpp"

// Most inputs of one kernel.
constexpr size_t largest_elementwise = 8;

struct Elementwise {
    std::vector<size_t> inputs;                                 // positions of what the expression calls x0, x1 ...
    std::string expression;                                     // OpenCL C
    std::vector<std::pair<std::string, float>> parameters = {}; // up to four numbers, by the names that the expression has for them
    size_t output = 0;                                          // position of what the expression gives
    bool has_channels = false;                                  // inputs after the first have one value per channel
};

void plan_elementwise(Plan &plan, const Node &node, const Elementwise &what);
