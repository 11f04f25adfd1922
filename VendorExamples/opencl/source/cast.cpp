// SPDX-License-Identifier: Apache-2.0
//
// Cast: every type of the table to every other, rounded once.
#include "elementwise.hpp"
#include "operators.hpp"

namespace {

void plan_cast(Plan &plan, const Node &node, const void *) {
    const ElementType &from = element_type(node.input(0).type()), &to = element_type(node.output(0).type());
    std::string expression;
    if (to.type == SB_TYPE_BOOL)
        expression = "x0 != 0";
    else if (!to.is_float)
        // Floats are truncated; what lies outside goes to the nearer limit, NaN to 0. Integers wrap.
        expression = from.is_float ? std::string("convert_") + to.storage + "_sat(x0)" : std::string("(") + to.storage + ")x0";
    else if (to.bytes == 2 && (from.type == SB_TYPE_FLOAT64 || (!from.is_float && from.bytes >= 4)))
        // Rounded to odd on the way through float32, so that the second rounding comes out as a single one.
        expression = "to_odd(x0)";
    else
        expression = std::string("convert_") + to.compute + "(x0)";
    plan_elementwise(plan, node, {{0}, expression});
}

} // namespace

std::vector<Offer> cast_offers() {
    return {{"Cast", 6, 0, numbers | boolean, plan_cast}};
}
