// SPDX-License-Identifier: Apache-2.0
//
// Elementwise operators: the tables.
//
// ULP are the limits of OpenCL's table for float32 and float64 in the full profile, and the roundings of the expression around the function.
#include <cstring>

#include "elementwise.hpp"
#include "operators.hpp"

namespace {

constexpr uint32_t in_place = SB_KERNEL_FLAG_IN_PLACE;

struct Parameter {
    const char *name;
    float otherwise;
};

// An operator whose operands are all of one type.
struct Function {
    const char *name;
    uint32_t since;
    uint64_t types;
    unsigned inputs;
    const char *of_floats, *of_integers; // x0, x1 ...; NULL: there is none
    double ulp = 0;
    Parameter parameters[2] = {};
    bool is_predicate = false;     // the output is bool
    bool needs_exact_root = false; // refused for float32 where the device's square root is not the nearest number
};

const Function functions[] = {
    // One operand
    {"Abs", 6, numbers, 1, "fabs(x0)", "x0 < 0 ? (C)(0 - x0) : x0"},
    {"Neg", 6, floats | signed_integers, 1, "-x0", "0 - x0"},
    {"Sign", 9, numbers, 1, "x0 > 0 ? 1 : x0 < 0 ? -1 : x0 != x0 ? x0 : 0", "x0 > 0 ? 1 : x0 < 0 ? -1 : 0"},
    {"Floor", 6, floats, 1, "floor(x0)", nullptr},
    {"Ceil", 6, floats, 1, "ceil(x0)", nullptr},
    {"Round", 11, floats, 1, "rint(x0)", nullptr},
    {"Sqrt", 6, floats, 1, "sqrt(x0)", nullptr, 0, {}, false, true},
    {"Reciprocal", 6, floats, 1, "1 / x0", nullptr},
    {"Exp", 6, floats, 1, "exp(x0)", nullptr, 3},
    {"Log", 6, floats, 1, "log(x0)", nullptr, 3},
    {"Sin", 7, floats, 1, "sin(x0)", nullptr, 4},
    {"Cos", 7, floats, 1, "cos(x0)", nullptr, 4},
    {"Tan", 7, floats, 1, "tan(x0)", nullptr, 5},
    {"Asin", 7, floats, 1, "asin(x0)", nullptr, 4},
    {"Acos", 7, floats, 1, "acos(x0)", nullptr, 4},
    {"Atan", 7, floats, 1, "atan(x0)", nullptr, 5},
    {"Sinh", 9, floats, 1, "sinh(x0)", nullptr, 4},
    {"Cosh", 9, floats, 1, "cosh(x0)", nullptr, 4},
    {"Asinh", 9, floats, 1, "asinh(x0)", nullptr, 4},
    {"Acosh", 9, floats, 1, "acosh(x0)", nullptr, 4},
    {"Atanh", 9, floats, 1, "atanh(x0)", nullptr, 5},
    {"Tanh", 6, floats, 1, "tanh(x0)", nullptr, 5},
    {"Erf", 9, floats, 1, "erf(x0)", nullptr, 16},
    {"Relu", 6, floats | signed_integers, 1, "x0 < 0 ? 0 : x0", "x0 < 0 ? 0 : x0"},
    {"LeakyRelu", 6, floats, 1, "x0 < 0 ? alpha * x0 : x0", nullptr, 0, {{"alpha", 0.01f}}},
    {"ThresholdedRelu", 10, floats, 1, "x0 > alpha || x0 != x0 ? x0 : 0", nullptr, 0, {{"alpha", 1}}},
    {"Elu", 6, floats, 1, "x0 < 0 ? alpha * expm1(x0) : x0", nullptr, 4, {{"alpha", 1}}},
    {"Selu", 6, floats, 1, "gamma * (x0 > 0 ? x0 : alpha * expm1(x0))", nullptr, 5, {{"alpha", 1.67326319f}, {"gamma", 1.05070102f}}},
    {"Celu", 12, floats, 1, "larger(x0, 0) + smaller(alpha * expm1(x0 / alpha), 0)", nullptr, 5, {{"alpha", 1}}},
    {"Sigmoid", 6, floats, 1, "sigmoid(x0)", nullptr, 5},
    {"HardSigmoid", 6, floats, 1, "between(alpha * x0 + beta, 0, 1)", nullptr, 0, {{"alpha", 0.2f}, {"beta", 0.5f}}},
    {"HardSwish", 14, floats, 1, "x0 * between(x0 / 6 + (C)0.5, 0, 1)", nullptr},
    {"Swish", 24, floats, 1, "x0 * sigmoid(alpha * x0)", nullptr, 6, {{"alpha", 1}}},
    {"Mish", 18, floats, 1, "x0 * tanh(softplus(x0))", nullptr, 11},
    {"Softplus", 1, floats, 1, "softplus(x0)", nullptr, 5},
    {"Softsign", 1, floats, 1, "x0 / (1 + fabs(x0))", nullptr},
    {"Shrink",
     9,
     floats,
     1,
     "x0 < -lambd ? x0 + bias : x0 > lambd ? x0 - bias : x0 != x0 ? x0 : 0",
     nullptr,
     0,
     {{"bias", 0}, {"lambd", 0.5f}}},
    {"Not", 1, boolean, 1, nullptr, "!x0"},
    {"BitwiseNot", 18, integers, 1, nullptr, "~x0"},
    {"IsNaN", 9, floats, 1, "x0 != x0", nullptr, 0, {}, true},
    // Two operands
    {"Add", 7, numbers, 2, "x0 + x1", "x0 + x1"},
    {"Sub", 7, numbers, 2, "x0 - x1", "x0 - x1"},
    {"Mul", 7, numbers, 2, "x0 * x1", "x0 * x1"},
    {"Div", 7, numbers, 2, "x0 / x1", "quotient(x0, x1)"},
    {"Pow", 7, floats, 2, "pow(x0, x1)", nullptr, 16},
    {"PRelu", 7, floats | wide_integers, 2, "x0 < 0 ? x0 * x1 : x0", "x0 < 0 ? x0 * x1 : x0"},
    {"And", 7, boolean, 2, nullptr, "x0 & x1"},
    {"Or", 7, boolean, 2, nullptr, "x0 | x1"},
    {"Xor", 7, boolean, 2, nullptr, "x0 ^ x1"},
    {"BitwiseAnd", 18, integers, 2, nullptr, "x0 & x1"},
    {"BitwiseOr", 18, integers, 2, nullptr, "x0 | x1"},
    {"BitwiseXor", 18, integers, 2, nullptr, "x0 ^ x1"},
    {"Equal", 7, numbers | boolean, 2, "x0 == x1", "x0 == x1", 0, {}, true},
    {"Greater", 7, numbers, 2, "x0 > x1", "x0 > x1", 0, {}, true},
    {"Less", 7, numbers, 2, "x0 < x1", "x0 < x1", 0, {}, true},
    {"GreaterOrEqual", 12, numbers, 2, "x0 >= x1", "x0 >= x1", 0, {}, true},
    {"LessOrEqual", 12, numbers, 2, "x0 <= x1", "x0 <= x1", 0, {}, true},
};

void require_same_types(const Node &node, size_t inputs) {
    for (size_t i = 1; i < inputs; ++i)
        if (node.input(i).type() != node.input(0).type()) throw Refusal{SB_REASON_DATA_TYPE, "the inputs differ in type"};
}

std::vector<size_t> positions(size_t count) {
    std::vector<size_t> all;
    for (size_t i = 0; i < count; ++i) all.push_back(i);
    return all;
}

void plan_function(Plan &plan, const Node &node, const void *context) {
    const Function &function = *(const Function *)context;
    uint32_t type = node.input(0).type();
    bool is_float = element_type(type).is_float;
    require_same_types(node, function.inputs);
    if (function.needs_exact_root && type == SB_TYPE_FLOAT32 && !plan.hardware.has_exact_division)
        throw Refusal{SB_REASON_DATA_TYPE, "this device's square root of a float32 is not the nearest number"};
    Elementwise what{positions(function.inputs), is_float ? function.of_floats : function.of_integers};
    for (const Parameter &parameter : function.parameters)
        if (parameter.name) what.parameters.push_back({parameter.name, node.number(parameter.name, parameter.otherwise)});
    plan_elementwise(plan, node, what);
}

void plan_gelu(Plan &plan, const Node &node, const void *) {
    bool is_exact = node.text("approximate", "none") == "none";
    // (1 + tanh z) / 2 is sigmoid(2 z), and (1 + erf z) / 2 is erfc(-z) / 2: neither cancels.
    plan_elementwise(plan, node,
                     {{0},
                      is_exact ? "(C)0.5 * x0 * erfc(x0 * (C)-0.70710678118654752)"
                               : "x0 * sigmoid((C)1.5957691216057308 * (x0 + (C)0.044715 * x0 * x0 * x0))"});
}

void plan_mod(Plan &plan, const Node &node, const void *) {
    require_same_types(node, 2);
    bool truncates = node.integer("fmod", 0) != 0;
    bool is_float = element_type(node.input(0).type()).is_float;
    if (is_float && !truncates) throw Refusal{SB_REASON_ATTRIBUTE, "floats are taken with 'fmod' alone"};
    plan_elementwise(plan, node,
                     {{0, 1},
                      is_float    ? "fmod(x0, x1)"
                      : truncates ? "truncated_remainder(x0, x1)"
                                  : "floored_remainder(x0, x1)"});
}

void plan_is_inf(Plan &plan, const Node &node, const void *) {
    plan_elementwise(plan, node,
                     {{0},
                      "isinf(x0) && (x0 < 0 ? negative : positive) != 0",
                      {{"negative", (float)node.integer("detect_negative", 1)}, {"positive", (float)node.integer("detect_positive", 1)}}});
}

void plan_shift(Plan &plan, const Node &node, const void *) {
    require_same_types(node, 2);
    bool is_left = node.text("direction", "") == "LEFT";
    plan_elementwise(plan, node, {{0, 1}, is_left ? "x1 >= 8 * sizeof(C) ? 0 : x0 << x1" : "x1 >= 8 * sizeof(C) ? 0 : x0 >> x1"});
}

// Limits are attributes at first, later inputs, each of which may be missing.
void plan_clip(Plan &plan, const Node &node, const void *) {
    Elementwise what{{0}, "x0"};
    if (node.version() < 11) {
        what.parameters = {{"low", node.number("min", -3.402823466e38f)}, {"high", node.number("max", 3.402823466e38f)}};
        what.expression = "smaller(larger(x0, low), high)";
    } else {
        const char *compare[] = {" < ", " > "};
        for (size_t limit = 0; limit < 2; ++limit) {
            if (!node.maybe_input(limit + 1)) continue;
            std::string x = "x" + std::to_string(what.inputs.size());
            what.inputs.push_back(limit + 1);
            // The expression before is short, or one comparison of such.
            what.expression = "(" + what.expression + compare[limit] + x + " ? " + x + " : " + what.expression + ")";
        }
    }
    plan_elementwise(plan, node, what);
}

void plan_where(Plan &plan, const Node &node, const void *) {
    if (node.input(1).type() != node.input(2).type()) throw Refusal{SB_REASON_DATA_TYPE, "the inputs differ in type"};
    plan_elementwise(plan, node, {{0, 1, 2}, "x0 ? x1 : x2"});
}

// How the operands of a variadic operator become one.
struct Fold {
    const char *name, *before, *between;
    bool divides;
};
const Fold folds[] = {
    {"Max", "larger(", ", ", false}, {"Min", "smaller(", ", ", false}, {"Sum", "(", " + ", false}, {"Mean", "(", " + ", true}};

void plan_fold(Plan &plan, const Node &node, const void *context) {
    const Fold &fold = *(const Fold *)context;
    size_t count = node.inputs_given();
    require_same_types(node, count);
    std::string all = "x0";
    for (size_t i = 1; i < count; ++i) all = fold.before + all + fold.between + "x" + std::to_string(i) + ")";
    if (fold.divides) all += " / " + std::to_string(count);
    plan_elementwise(plan, node, {positions(count), all});
}

void plan_batch_normalization(Plan &plan, const Node &node, const void *) {
    if (node.integer("training_mode", 0) != 0) throw Refusal{SB_REASON_ATTRIBUTE, "batches are not averaged"};
    for (size_t i = 1; i < 5; ++i)
        if (node.maybe_output(i)) throw Refusal{SB_REASON_OTHER, "only the first output is computed"};
    plan_elementwise(
        plan, node, {{0, 1, 2, 3, 4}, "(x0 - x3) * (x1 / sqrt(x4 + epsilon)) + x2", {{"epsilon", node.number("epsilon", 1e-5f)}}, 0, true});
}

} // namespace

std::vector<Offer> elementwise_offers() {
    std::vector<Offer> offers;
    for (const Function &function : functions)
        offers.push_back({function.name, function.since, 0, function.types, plan_function, &function, function.ulp,
                          function.is_predicate ? 0 : in_place});
    for (const Fold &fold : folds) {
        bool is_limit = !strcmp(fold.name, "Max") || !strcmp(fold.name, "Min");
        offers.push_back({fold.name, 8, 0, is_limit ? numbers : floats, plan_fold, &fold, 0, in_place});
    }
    offers.push_back({"Gelu", 20, 0, floats, plan_gelu, nullptr, 20, in_place});
    offers.push_back({"Mod", 10, 0, numbers, plan_mod, nullptr, 0, in_place});
    offers.push_back({"IsInf", 10, 0, floats, plan_is_inf});
    offers.push_back({"BitShift", 11, 0, unsigned_integers, plan_shift, nullptr, 0, in_place});
    offers.push_back({"Clip", 6, 0, numbers, plan_clip, nullptr, 0, in_place});
    offers.push_back({"Where", 9, 0, numbers | boolean, plan_where});
    offers.push_back({"BatchNormalization", 7, 0, floats, plan_batch_normalization, nullptr, 0, in_place});
    return offers;
}
