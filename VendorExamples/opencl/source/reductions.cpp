// SPDX-License-Identifier: Apache-2.0
//
// Reductions over any axes, the global poolings, ArgMax and ArgMin, CumSum.
#include <algorithm>

#include "operators.hpp"
#include "sources.hpp"

namespace {

// How elements become one: from `start`, each is joined by `step` (a: so far, x: the next), two parts by `join` (a, b), and `finish` (a, n) ends it.
struct Fold {
    const char *name;
    uint64_t types;
    uint32_t axes_as_input; // version from which the axes are an input
    const char *start, *step, *join, *finish;
    bool has_exponents = false; // the largest element is found first, and taken from each: m
    double ulp = 0;
};

#define LARGEST  "x > a || x != x ? x : a", "b > a || b != b ? b : a"
#define SMALLEST "x < a || x != x ? x : a", "b < a || b != b ? b : a"

const Fold folds[] = {
    {"ReduceSum", floats | wide_integers, 13, "0", "a + x", "a + b", "a"},
    {"ReduceMean", floats, 18, "0", "a + x", "a + b", "a / n"},
    {"ReduceProd", floats | wide_integers, 18, "1", "a * x", "a * b", "a"},
    {"ReduceL1", floats, 18, "0", "a + fabs(x)", "a + b", "a"},
    {"ReduceL2", floats, 18, "0", "a + x * x", "a + b", "sqrt(a)"},
    {"ReduceSumSquare", floats, 18, "0", "a + x * x", "a + b", "a"},
    {"ReduceLogSum", floats, 18, "0", "a + x", "a + b", "log(a)", false, 3},
    {"ReduceLogSumExp", floats, 18, "0", "a + exp(x - m)", "a + b", "log(a) + m", true, 3},
    {"ReduceMax", numbers | boolean, 18, "LOWEST", LARGEST, "a"},
    {"ReduceMin", numbers | boolean, 18, "HIGHEST", SMALLEST, "a"},
    {"GlobalAveragePool", floats, 0, "0", "a + x", "a + b", "a / n"},
    {"GlobalMaxPool", floats, 0, "LOWEST", LARGEST, "a"},
};

const char *lowest(uint32_t type) {
    switch (type) {
    case SB_TYPE_INT8:
        return "CHAR_MIN";
    case SB_TYPE_INT16:
        return "SHRT_MIN";
    case SB_TYPE_INT32:
        return "INT_MIN";
    case SB_TYPE_INT64:
        return "LONG_MIN";
    default:
        return element_type(type).is_float ? "(-INFINITY)" : "0";
    }
}

const char *highest(uint32_t type) {
    switch (type) {
    case SB_TYPE_INT8:
        return "CHAR_MAX";
    case SB_TYPE_UINT8:
        return "UCHAR_MAX";
    case SB_TYPE_INT16:
        return "SHRT_MAX";
    case SB_TYPE_UINT16:
        return "USHRT_MAX";
    case SB_TYPE_INT32:
        return "INT_MAX";
    case SB_TYPE_UINT32:
        return "UINT_MAX";
    case SB_TYPE_INT64:
        return "LONG_MAX";
    case SB_TYPE_UINT64:
        return "ULONG_MAX";
    case SB_TYPE_BOOL:
        return "1";
    default:
        return "INFINITY";
    }
}

// The axes that are reduced, true for each.
std::vector<bool> reduced_axes(const Node &node, const Fold &fold, size_t rank) {
    std::vector<bool> reduced(rank, false);
    if (fold.axes_as_input == 0) {
        std::fill(reduced.begin() + std::min<long>(2, (long)rank), reduced.end(), true);
        return reduced;
    }
    Shape axes = node.version() < fold.axes_as_input ? node.integers("axes") : node.integers("axes", 1);
    if (axes.empty() && node.integer("noop_with_empty_axes", 0) == 0) reduced.assign(rank, true);
    for (int64_t axis : axes) reduced[positive_axis(axis, rank)] = true;
    return reduced;
}

void plan_reduction(Plan &plan, const Node &node, const void *context) {
    const Fold &fold = *(const Fold *)context;
    Shape shape = node.input(0).shape(), strides = dense_strides(shape);
    uint32_t type = node.input(0).type();
    plan.require_type(type);
    std::vector<bool> reduced = reduced_axes(node, fold, shape.size());
    Walk kept{{}, {{}}}, folded{{}, {{}}};
    for (size_t axis = 0; axis < shape.size(); ++axis) {
        Walk &walk = reduced[axis] ? folded : kept;
        walk.sizes.push_back(shape[axis]);
        walk.strides[0].push_back(strides[axis]);
    }
    int64_t outputs = count_of(kept.sizes), length = count_of(folded.sizes);
    kept.simplify();
    folded.simplify();
    struct {
        cl_uint outputs, length, kept_rank, folded_rank;
        cl_uint kept_sizes[walk_rank], kept_strides[walk_rank], folded_sizes[walk_rank], folded_strides[walk_rank];
    } passed{};
    passed.outputs = checked_count(outputs);
    passed.length = checked_count(length);
    passed.kept_rank = (cl_uint)kept.sizes.size();
    passed.folded_rank = (cl_uint)folded.sizes.size();
    for (size_t axis = 0; axis < kept.sizes.size(); ++axis) {
        passed.kept_sizes[axis] = (cl_uint)kept.sizes[axis];
        passed.kept_strides[axis] = (cl_uint)kept.strides[0][axis];
    }
    for (size_t axis = 0; axis < folded.sizes.size(); ++axis) {
        passed.folded_sizes[axis] = (cl_uint)folded.sizes[axis];
        passed.folded_strides[axis] = (cl_uint)folded.strides[0][axis];
    }
    // Many short sums: one work-item each. Else a work-group shares each.
    bool is_shared = length >= 64 && (outputs < 4096 || (!folded.strides[0].empty() && folded.strides[0].back() == 1));
    Step &step = plan.step(sources::reduction, is_shared ? "reduce_shared" : "reduce");
    step.define_type("T", type).define("LOWEST", lowest(type)).define("HIGHEST", highest(type));
    step.define("BEGIN", fold.start).define("JOIN(a, x)", fold.step).define("MERGE(a, b)", fold.join).define("FINISH(a, n)", fold.finish);
    step.define("HAS_EXPONENTS", (int)fold.has_exponents);
    step.operands = {input_operand(0, bytes_of(type)), output_operand(0, bytes_of(type))};
    is_shared ? step.groups_over(passed.outputs) : step.over(passed.outputs);
    step.constant(passed);
}

void plan_extreme(Plan &plan, const Node &node, const void *context) {
    uint32_t type = node.input(0).type();
    plan.require_type(type);
    Shape shape = node.input(0).shape();
    size_t axis = node.axis(0, shape.size());
    struct {
        cl_uint count, size, inner, takes_last;
    } passed{checked_count(node.output(0).count()), (cl_uint)shape[axis],
             checked_count(count_of(Shape(shape.begin() + (long)axis + 1, shape.end()))), (cl_uint)node.integer("select_last_index", 0)};
    Step &step = plan.step(sources::reduction, "extreme");
    step.define_type("T", type).define("BEATS", context ? ">" : "<");
    step.operands = {input_operand(0, bytes_of(type)), output_operand(0, 8)};
    step.over(passed.count).constant(passed);
}

void plan_running_sum(Plan &plan, const Node &node, const void *) {
    uint32_t type = node.input(0).type();
    plan.require_type(type);
    Shape shape = node.input(0).shape(), given = node.integers("", 1);
    if (given.size() != 1) throw Refusal{SB_REASON_ATTRIBUTE, "the axis must be one number"};
    size_t axis = positive_axis(given[0], shape.size());
    struct {
        cl_uint count, size, inner, exclusive, reverse;
    } passed{};
    passed.size = (cl_uint)shape[axis];
    passed.count = passed.size ? checked_count(count_of(shape)) / passed.size : 0;
    passed.inner = checked_count(count_of(Shape(shape.begin() + (long)axis + 1, shape.end())));
    passed.exclusive = (cl_uint)node.integer("exclusive", 0);
    passed.reverse = (cl_uint)node.integer("reverse", 0);
    Step &step = plan.step(sources::reduction, "running_sum");
    step.define_type("T", type);
    step.operands = {input_operand(0, bytes_of(type)), output_operand(0, bytes_of(type))};
    step.over(passed.count).constant(passed);
}

const bool largest = true;

} // namespace

std::vector<Offer> reduction_offers() {
    std::vector<Offer> offers;
    for (const Fold &fold : folds) {
        if (fold.axes_as_input > 1) offers.push_back({fold.name, 1, fold.axes_as_input - 1, fold.types, plan_reduction, &fold, fold.ulp});
        offers.push_back({fold.name, std::max(1u, fold.axes_as_input), 0, fold.types, plan_reduction, &fold, fold.ulp, 0,
                          (uint64_t)(fold.axes_as_input ? 1 << 1 : 0)});
    }
    offers.push_back({"ArgMax", 1, 0, numbers, plan_extreme, &largest});
    offers.push_back({"ArgMin", 1, 0, numbers, plan_extreme, nullptr});
    offers.push_back({"CumSum", 11, 0, floats | wide_integers, plan_running_sum, nullptr, 0, 0, 1 << 1});
    return offers;
}
