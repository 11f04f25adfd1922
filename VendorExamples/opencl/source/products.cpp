// SPDX-License-Identifier: Apache-2.0
//
// MatMul and Gemm.
#include "operators.hpp"
#include "sources.hpp"

namespace {

struct Product {
    cl_uint m = 1, n = 1, k = 1, batch_rank = 0, batch_sizes[walk_rank] = {}, a_strides[walk_rank] = {}, b_strides[walk_rank] = {};
    cl_uint a_row = 0, a_column = 1, b_row = 0, b_column = 1, c_row = 0, c_column = 0;
    cl_float alpha = 1, beta = 1;
};

void plan_product(Plan &plan, const Node &node, const Product &product, uint64_t batches, bool has_c) {
    uint32_t type = node.input(0).type();
    plan.require_type(type);
    unsigned bytes = bytes_of(type);
    Step &step = plan.step(sources::product, "product");
    step.define_type("T", type).define("HAS_C", (int)has_c);
    step.define("A_BY_COLUMNS", (int)(product.a_row == 1 && product.a_column != 1));
    step.define("B_BY_ROWS", (int)(product.b_row == 1 && product.b_column != 1));
    step.operands = {input_operand(0, bytes), input_operand(1, bytes)};
    if (has_c) step.operands.push_back(input_operand(2, bytes));
    step.operands.push_back(output_operand(0, bytes));
    plan_tiles(plan.hardware, step, product.m, product.n, batches);
    step.constant(product);
}

void plan_matmul(Plan &plan, const Node &node, const void *) {
    Shape a = node.input(0).shape(), b = node.input(1).shape();
    if (a.empty() || b.empty() || node.input(0).type() != node.input(1).type())
        throw Refusal{SB_REASON_SHAPE, "two matrices of one type are multiplied"};
    bool a_is_row = a.size() == 1, b_is_column = b.size() == 1;
    if (a_is_row) a.insert(a.begin(), 1);
    if (b_is_column) b.push_back(1);
    Product product;
    product.k = checked_count(a.back());
    product.n = checked_count(b.back());
    product.m = checked_count(a[a.size() - 2]);
    product.a_row = product.k;
    product.b_row = product.n;
    Shape a_batch(a.begin(), a.end() - 2), b_batch(b.begin(), b.end() - 2);
    if (b_batch.empty()) {
        // All rows of a meet the same b: one product.
        product.m = checked_count(count_of(a_batch) * product.m);
        plan_product(plan, node, product, 1, false);
        return;
    }
    Shape batch(std::max(a_batch.size(), b_batch.size()), 1);
    for (size_t axis = 0; axis < batch.size(); ++axis) {
        if (axis < a_batch.size()) batch[batch.size() - 1 - axis] = a_batch[a_batch.size() - 1 - axis];
        if (axis < b_batch.size() && batch[batch.size() - 1 - axis] == 1)
            batch[batch.size() - 1 - axis] = b_batch[b_batch.size() - 1 - axis];
    }
    Walk walk{batch, {broadcast_strides(a_batch, batch), broadcast_strides(b_batch, batch)}};
    int64_t batches = count_of(batch);
    walk.simplify();
    product.batch_rank = (cl_uint)walk.sizes.size();
    for (size_t axis = 0; axis < walk.sizes.size(); ++axis) {
        product.batch_sizes[axis] = (cl_uint)walk.sizes[axis];
        product.a_strides[axis] = (cl_uint)walk.strides[0][axis] * product.m * product.k;
        product.b_strides[axis] = (cl_uint)walk.strides[1][axis] * product.k * product.n;
    }
    plan_product(plan, node, product, checked_count(batches), false);
}

void plan_gemm(Plan &plan, const Node &node, const void *) {
    Shape a = node.input(0).shape(), b = node.input(1).shape(), y = node.output(0).shape();
    if (a.size() != 2 || b.size() != 2 || node.input(0).type() != node.input(1).type())
        throw Refusal{SB_REASON_SHAPE, "two matrices of one type are multiplied"};
    Product product;
    bool a_turned = node.integer("transA", 0) != 0, b_turned = node.integer("transB", 0) != 0;
    product.m = (cl_uint)y[0];
    product.n = (cl_uint)y[1];
    product.k = (cl_uint)a[a_turned ? 0 : 1];
    product.a_row = a_turned ? 1 : product.k;
    product.a_column = a_turned ? product.m : 1;
    product.b_row = b_turned ? 1 : product.n;
    product.b_column = b_turned ? product.k : 1;
    product.alpha = node.number("alpha", 1);
    product.beta = node.number("beta", 1);
    bool has_c = (bool)node.maybe_input(2);
    if (has_c) {
        if (node.input(2).type() != node.input(0).type()) throw Refusal{SB_REASON_DATA_TYPE, "the inputs differ in type"};
        Shape strides = broadcast_strides(node.input(2).shape(), y);
        product.c_row = (cl_uint)strides[0];
        product.c_column = (cl_uint)strides[1];
    }
    plan_product(plan, node, product, 1, has_c);
}

} // namespace

std::vector<Offer> product_offers() {
    return {
        {"MatMul", 1, 0, floats | wide_integers, plan_matmul},
        {"Gemm", 7, 0, floats, plan_gemm},
    };
}
