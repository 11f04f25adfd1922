// SPDX-License-Identifier: Apache-2.0
//
// Operators that only move elements: whatever their type is, they are units of 1, 2, 4, 8 or 16 bytes.
#include "movement.hpp"

#include <algorithm>

#include "elementwise.hpp"
#include "operators.hpp"
#include "sources.hpp"

const char *unit_type(unsigned bytes) {
    switch (bytes) {
    case 1:
        return "uchar";
    case 2:
        return "ushort";
    case 4:
        return "uint";
    case 8:
        return "ulong";
    case 16:
        return "ulong2";
    default:
        throw Refusal{SB_REASON_DATA_TYPE, "elements without whole bytes are not moved"};
    }
}

namespace {

// Moves a box of elements: in both tensors an element of it lies `start` elements in, and so many on per index.
struct Box {
    Shape sizes, to_strides, from_strides;
    int64_t to_start = 0, from_start = 0;
};

void plan_box(Plan &plan, const Node &node, size_t input, size_t output, const Box &box) {
    unsigned bytes = bytes_of(node.input(input).type());
    Walk walk{box.sizes, {box.to_strides, box.from_strides}};
    walk.simplify();
    uint32_t count = checked_count(count_of(box.sizes));
    if (count == 0) return;
    struct {
        cl_long to_start, from_start;
        cl_uint count, rank, sizes[walk_rank];
        cl_int to_strides[walk_rank], from_strides[walk_rank];
    } passed{};
    passed.to_start = box.to_start;
    passed.from_start = box.from_start;
    passed.count = count;
    passed.rank = (cl_uint)walk.sizes.size();
    for (size_t axis = 0; axis < walk.sizes.size(); ++axis) {
        passed.sizes[axis] = (cl_uint)walk.sizes[axis];
        passed.to_strides[axis] = (cl_int)walk.strides[0][axis];
        passed.from_strides[axis] = (cl_int)walk.strides[1][axis];
    }
    Step &step = plan.step(sources::movement, "move");
    step.define("UNIT", unit_type(bytes));
    step.operands = {input_operand(input, bytes), output_operand(output, bytes)};
    step.local[0] = 128;
    step.over(count).constant(passed);
}

// The output is the whole box; its axes lie in the input as told.
void plan_view(Plan &plan, const Node &node, const Shape &sizes, const Shape &from_strides, int64_t from_start = 0) {
    plan_box(plan, node, 0, 0, {sizes, dense_strides(sizes), from_strides, 0, from_start});
}

// The input, seen in `shape`, with its axes in another order.
void plan_permuted(Plan &plan, const Node &node, const Shape &shape, const Shape &order) {
    Shape strides = dense_strides(shape), sizes, from;
    for (int64_t axis : order) {
        sizes.push_back(shape[(size_t)axis]);
        from.push_back(strides[(size_t)axis]);
    }
    plan_view(plan, node, sizes, from);
}

void plan_transpose(Plan &plan, const Node &node, const void *) {
    Shape order = node.integers("perm");
    size_t rank = node.input(0).rank();
    if (order.empty())
        for (size_t axis = rank; axis-- > 0;) order.push_back((int64_t)axis);
    if (order.size() != rank) throw Refusal{SB_REASON_ATTRIBUTE, "'perm' does not fit the input"};
    for (int64_t &axis : order) axis = (int64_t)positive_axis(axis, rank);
    plan_permuted(plan, node, node.input(0).shape(), order);
}

void plan_expand(Plan &plan, const Node &node, const void *) {
    Shape target = node.output(0).shape();
    plan_view(plan, node, target, broadcast_strides(node.input(0).shape(), target));
}

void plan_tile(Plan &plan, const Node &node, const void *) {
    Shape shape = node.input(0).shape(), target = node.output(0).shape(), dense = dense_strides(shape), sizes, from;
    if (shape.size() != target.size()) throw Refusal{SB_REASON_SHAPE, "the output has another number of axes"};
    for (size_t axis = 0; axis < shape.size(); ++axis) {
        sizes.insert(sizes.end(), {shape[axis] ? target[axis] / shape[axis] : 0, shape[axis]});
        from.insert(from.end(), {0, dense[axis]});
    }
    plan_view(plan, node, sizes, from);
}

void plan_concat(Plan &plan, const Node &node, const void *) {
    Shape target = node.output(0).shape(), strides = dense_strides(target);
    size_t axis = node.axis(0, target.size());
    int64_t start = 0;
    for (size_t i = 0; i < node.inputs_given(); ++i) {
        if (node.input(i).type() != node.input(0).type()) throw Refusal{SB_REASON_DATA_TYPE, "the inputs differ in type"};
        Shape shape = node.input(i).shape();
        if (shape.size() != target.size()) throw Refusal{SB_REASON_SHAPE, "the inputs differ in rank"};
        plan_box(plan, node, i, 0, {shape, strides, dense_strides(shape), start * strides[axis], 0});
        start += shape[axis];
    }
}

void plan_split(Plan &plan, const Node &node, const void *) {
    Shape strides = dense_strides(node.input(0).shape());
    size_t axis = node.axis(0, strides.size());
    Shape sizes = node.version() < 13 ? node.integers("split") : node.integers("split", 1);
    int64_t whole = node.input(0).shape()[axis], start = 0;
    for (size_t i = 0; i < node.outputs_given(); ++i) {
        Tensor part = node.maybe_output(i);
        // Without sizes the parts are equal, but for a smaller last one.
        int64_t count = (int64_t)node.outputs_given(), equal = (whole + count - 1) / count;
        int64_t size = i < sizes.size() ? sizes[i] : std::min(equal, whole - start);
        if (part) plan_box(plan, node, 0, i, {part.shape(), dense_strides(part.shape()), strides, 0, start * strides[axis]});
        start += size;
    }
}

void plan_slice(Plan &plan, const Node &node, const void *) {
    Shape shape = node.input(0).shape(), strides = dense_strides(shape), target = node.output(0).shape();
    bool has_inputs = node.version() >= 10;
    Shape starts = has_inputs ? node.integers("", 1) : node.integers("starts");
    Shape axes = has_inputs ? node.integers("", 3) : node.integers("axes");
    Shape steps = has_inputs ? node.integers("", 4) : Shape();
    int64_t start = 0;
    for (size_t i = 0; i < starts.size(); ++i) {
        size_t axis = positive_axis(i < axes.size() ? axes[i] : (int64_t)i, shape.size());
        int64_t step = i < steps.size() ? steps[i] : 1, size = shape[axis];
        int64_t first = starts[i] < 0 ? starts[i] + size : starts[i];
        first = std::clamp<int64_t>(first, 0, std::max<int64_t>(step < 0 ? size - 1 : size, 0));
        start += first * strides[axis];
        // A step that leads out of the axis at once is never taken.
        strides[axis] = target[axis] > 1 ? strides[axis] * step : 0;
    }
    plan_view(plan, node, target, strides, start);
}

void plan_depth_to_space(Plan &plan, const Node &node, const void *) {
    Shape x = node.input(0).shape();
    int64_t block = node.integer("blocksize", 1);
    if (x.size() != 4 || block < 1) throw Refusal{SB_REASON_SHAPE, "images have four axes"};
    int64_t depth = x[1] / (block * block);
    if (node.text("mode", "DCR") == "DCR")
        plan_permuted(plan, node, {x[0], block, block, depth, x[2], x[3]}, {0, 3, 4, 1, 5, 2});
    else
        plan_permuted(plan, node, {x[0], depth, block, block, x[2], x[3]}, {0, 1, 4, 2, 5, 3});
}

void plan_space_to_depth(Plan &plan, const Node &node, const void *) {
    Shape x = node.input(0).shape();
    int64_t block = node.integer("blocksize", 1);
    if (x.size() != 4 || block < 1) throw Refusal{SB_REASON_SHAPE, "images have four axes"};
    bool depth_last = node.text("mode", "DCR") == "DCR";
    plan_permuted(plan, node, {x[0], x[1], x[2] / block, block, x[3] / block, block},
                  depth_last ? Shape{0, 3, 5, 1, 2, 4} : Shape{0, 1, 3, 5, 2, 4});
}

// The same elements in another shape, where the host does not take the tensor as it lies.
void plan_copy(Plan &plan, const Node &node, const void *) {
    plan_view(plan, node, {node.input(0).count()}, {1});
}

void plan_dropout(Plan &plan, const Node &node, const void *) {
    Tensor trains = node.maybe_input(2);
    if (trains && (!trains.raw()->host || *(const uint8_t *)trains.raw()->host != 0))
        throw Refusal{SB_REASON_ATTRIBUTE, "nothing is dropped: training mode must be known to be off"};
    plan_copy(plan, node, nullptr);
    if (node.maybe_output(1)) plan_elementwise(plan, node, {{0}, "1", {}, 1}); // everything is kept
}

void plan_pad(Plan &plan, const Node &node, const void *) {
    Shape shape = node.input(0).shape(), target = node.output(0).shape(), strides = dense_strides(shape);
    size_t rank = shape.size();
    bool has_value = node.version() >= 11 && node.maybe_input(2);
    uint32_t type = node.input(0).type();
    if (node.version() < 11 && node.number("value", 0) != 0)
        throw Refusal{SB_REASON_ATTRIBUTE, "before version 11 zeros alone are put around"};
    if (has_value && (node.input(2).type() != type || node.input(2).count() != 1))
        throw Refusal{SB_REASON_SHAPE, "the value must be one element"};
    if (rank > walk_rank) throw Refusal{SB_REASON_SHAPE, "more than 8 axes"};
    std::string mode = node.text("mode", "constant");
    const std::string modes[] = {"constant", "reflect", "edge", "wrap"};
    size_t number = (size_t)(std::find(modes, modes + 4, mode) - modes);
    if (number == 4) throw Refusal{SB_REASON_ATTRIBUTE, "mode '" + mode + "' is unknown"};
    Shape pads = node.version() < 11 ? node.integers("pads") : node.integers("", 1);
    Shape axes = node.version() < 18 ? Shape() : node.integers("", 3);
    struct {
        cl_uint count, rank, mode, has_value;
        cl_uint sizes[walk_rank];
        cl_int begin[walk_rank], first[walk_rank], length[walk_rank], strides[walk_rank];
    } passed{};
    passed.count = checked_count(count_of(target));
    passed.rank = (cl_uint)rank;
    passed.mode = (cl_uint)number;
    passed.has_value = has_value;
    size_t given = pads.size() / 2;
    for (size_t axis = 0; axis < rank; ++axis) {
        int64_t begin = 0, end = 0;
        for (size_t i = 0; i < given; ++i) {
            if (positive_axis(i < axes.size() ? axes[i] : (int64_t)i, rank) != axis) continue;
            begin = pads[i];
            end = pads[given + i];
        }
        // A negative border cuts first; what is left is then padded.
        passed.sizes[axis] = (cl_uint)target[axis];
        passed.begin[axis] = (cl_int)std::max<int64_t>(begin, 0);
        passed.first[axis] = (cl_int)std::max<int64_t>(-begin, 0);
        passed.length[axis] = (cl_int)std::max<int64_t>(0, shape[axis] - passed.first[axis] - std::max<int64_t>(-end, 0));
        passed.strides[axis] = (cl_int)strides[axis];
    }
    Step &step = plan.step(sources::movement, "pad");
    unsigned bytes = bytes_of(type);
    step.define("UNIT", unit_type(bytes));
    step.operands = {input_operand(0, bytes), input_operand(has_value ? 2 : 0, bytes), output_operand(0, bytes)};
    step.local[0] = 128;
    step.over(passed.count).constant(passed);
}

void plan_trilu(Plan &plan, const Node &node, const void *) {
    Shape shape = node.input(0).shape();
    if (shape.size() < 2) throw Refusal{SB_REASON_SHAPE, "a matrix has two axes"};
    Shape diagonal = node.integers("", 1);
    int64_t rows = shape[shape.size() - 2], columns = shape[shape.size() - 1];
    struct {
        cl_uint count, rows, columns;
        cl_int shift, upper;
    } passed{checked_count(count_of(shape)), (cl_uint)rows, (cl_uint)columns,
             (cl_int)std::clamp<int64_t>(diagonal.empty() ? 0 : diagonal[0], -rows - columns, rows + columns),
             (cl_int)node.integer("upper", 1)};
    Step &step = plan.step(sources::movement, "trilu");
    unsigned bytes = bytes_of(node.input(0).type());
    step.define("UNIT", unit_type(bytes));
    step.operands = {input_operand(0, bytes), output_operand(0, bytes)};
    step.local[0] = 128;
    step.over(passed.count).constant(passed);
}

} // namespace

std::vector<Offer> movement_offers() {
    constexpr uint32_t in_place = SB_KERNEL_FLAG_IN_PLACE;
    constexpr uint64_t with_zero = movable & ~bits({SB_TYPE_FLOAT8_E8M0}); // the type without a zero to put around or below
    return {
        {"Identity", 1, 0, movable, plan_copy, nullptr, 0, in_place},
        {"Reshape", 5, 0, movable, plan_copy, nullptr, 0, in_place},
        {"Flatten", 1, 0, movable, plan_copy, nullptr, 0, in_place},
        {"Squeeze", 1, 0, movable, plan_copy, nullptr, 0, in_place},
        {"Unsqueeze", 1, 0, movable, plan_copy, nullptr, 0, in_place},
        {"Dropout", 7, 0, floats, plan_dropout, nullptr, 0, in_place},
        {"Transpose", 1, 0, movable, plan_transpose},
        {"Expand", 8, 0, movable, plan_expand},
        {"Tile", 6, 0, movable, plan_tile},
        {"Concat", 4, 0, movable, plan_concat},
        {"Split", 2, 12, movable, plan_split},
        {"Split", 13, 0, movable, plan_split, nullptr, 0, 0, 1 << 1},
        {"Slice", 1, 9, movable, plan_slice},
        {"Slice", 10, 0, movable, plan_slice, nullptr, 0, 0, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4},
        {"DepthToSpace", 1, 0, movable, plan_depth_to_space},
        {"SpaceToDepth", 1, 0, movable, plan_space_to_depth},
        {"Pad", 2, 10, with_zero, plan_pad},
        {"Pad", 11, 0, with_zero, plan_pad, nullptr, 0, 0, 1 << 1 | 1 << 3},
        {"Trilu", 14, 0, with_zero, plan_trilu, nullptr, 0, 0, 1 << 1},
    };
}
