// SPDX-License-Identifier: Apache-2.0
//
// Operators that read at places named by an index tensor. An index out of range is found on the device: the stream fails with the launch's number.
#include "movement.hpp"
#include "operators.hpp"
#include "sources.hpp"

namespace {

Step &index_step(Plan &plan, const Node &node, const char *kernel) {
    unsigned bytes = bytes_of(node.input(0).type());
    uint32_t index_type = node.input(1).type();
    if (index_type != SB_TYPE_INT32 && index_type != SB_TYPE_INT64) throw Refusal{SB_REASON_DATA_TYPE, "indices must be int32 or int64"};
    Step &step = plan.step(sources::gather, kernel);
    step.define("UNIT", unit_type(bytes)).define("INDEX", index_type == SB_TYPE_INT32 ? "int" : "long");
    step.operands = {input_operand(0, bytes), input_operand(1, bytes_of(index_type)), output_operand(0, bytes)};
    step.local[0] = 128;
    step.may_fail = true;
    return step;
}

uint32_t product(const Shape &shape, size_t from, size_t to) {
    return checked_count(count_of(Shape(shape.begin() + (long)from, shape.begin() + (long)to)));
}

void plan_gather(Plan &plan, const Node &node, const void *) {
    Shape shape = node.input(0).shape();
    size_t axis = node.axis(0, shape.size());
    struct {
        cl_uint count, size, indices, inner;
    } passed{checked_count(node.output(0).count()), (cl_uint)shape[axis], checked_count(node.input(1).count()),
             product(shape, axis + 1, shape.size())};
    index_step(plan, node, "gather").over(passed.count).constant(passed);
}

void plan_gather_elements(Plan &plan, const Node &node, const void *) {
    Shape shape = node.input(0).shape(), indices = node.input(1).shape(), strides = dense_strides(shape);
    if (shape.size() != indices.size() || shape.size() > walk_rank)
        throw Refusal{SB_REASON_SHAPE, "more than 8 axes, or indices of another rank"};
    struct {
        cl_uint count, rank, axis, size;
        cl_uint sizes[walk_rank], strides[walk_rank];
    } passed{};
    passed.count = checked_count(count_of(indices));
    passed.rank = (cl_uint)shape.size();
    passed.axis = (cl_uint)node.axis(0, shape.size());
    passed.size = (cl_uint)shape[passed.axis];
    for (size_t i = 0; i < shape.size(); ++i) {
        passed.sizes[i] = (cl_uint)indices[i];
        passed.strides[i] = (cl_uint)strides[i];
    }
    index_step(plan, node, "gather_elements").over(passed.count).constant(passed);
}

void plan_gather_nd(Plan &plan, const Node &node, const void *) {
    Shape shape = node.input(0).shape(), indices = node.input(1).shape(), strides = dense_strides(shape);
    size_t batch = (size_t)node.integer("batch_dims", 0), depth = indices.empty() ? 0 : (size_t)indices.back();
    if (indices.empty() || batch >= indices.size() || batch + depth > shape.size() || depth > walk_rank)
        throw Refusal{SB_REASON_SHAPE, "the indices do not fit the data"};
    struct {
        cl_uint count, depth, inner, tuples_per_batch, batch_stride;
        cl_uint sizes[walk_rank], strides[walk_rank];
    } passed{};
    passed.count = checked_count(node.output(0).count());
    passed.depth = (cl_uint)depth;
    passed.inner = product(shape, batch + depth, shape.size());
    passed.tuples_per_batch = product(indices, batch, indices.size() - 1);
    passed.batch_stride = product(shape, batch, shape.size());
    for (size_t i = 0; i < depth; ++i) {
        passed.sizes[i] = (cl_uint)shape[batch + i];
        passed.strides[i] = (cl_uint)strides[batch + i];
    }
    index_step(plan, node, "gather_nd").over(passed.count).constant(passed);
}

} // namespace

std::vector<Offer> gather_offers() {
    return {
        {"Gather", 1, 0, movable, plan_gather},
        {"GatherElements", 11, 0, movable, plan_gather_elements},
        {"GatherND", 11, 0, movable, plan_gather_nd},
    };
}
