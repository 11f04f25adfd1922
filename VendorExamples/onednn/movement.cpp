// SPDX-License-Identifier: Apache-2.0
#include "kernels.hpp"

#include <algorithm>

static void reorder(Builder &builder, const Place &from, const Place &to) {
    const dnnl::reorder::primitive_desc descriptor(builder.engine(), from.desc, builder.engine(), to.desc, Builder::attributes());
    builder.add(descriptor, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

void buildTranspose(Builder &builder) {
    const Place data = builder.input(0), result = builder.output();
    const Dims shape = data.desc.dims();
    std::vector<int64_t> order = builder.node.integers("perm");
    if (order.empty())
        for (size_t i = shape.size(); i > 0; --i) order.push_back(static_cast<int64_t>(i) - 1);
    if (order.size() != shape.size()) throw Refusal(SB_REASON_SHAPE, "a single number has no axes");
    Dims strides(shape.size(), 1), seen(shape.size());
    for (size_t i = shape.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * shape[i];
    for (size_t i = 0; i < shape.size(); ++i) seen[i] = strides[static_cast<size_t>(order[i])];
    reorder(builder, data.as({result.desc.dims(), data.desc.data_type(), seen}), result);
}

void buildCast(Builder &builder) {
    using Type = dnnl::memory::data_type;
    const Place data = builder.input(0), result = builder.output();
    const Type from = data.desc.data_type(), to = result.desc.data_type();
    const auto isFloat = [](Type type) { return type == Type::f32 || type == Type::f16 || type == Type::bf16; };
    // oneDNN rounds to nearest and saturates, where the standard cuts off and wraps.
    if (!isFloat(to) || (!isFloat(from) && to != Type::f32))
        throw Refusal(SB_REASON_DATA_TYPE, "from floats to floats, and from bytes to float32");
    if (from == to && from != Type::f32) throw Refusal(SB_REASON_DATA_TYPE, "from one type to another");
    reorder(builder, data, result);
}

void buildConcat(Builder &builder) {
    const Node &node = builder.node;
    const Place result = builder.output();
    const Dims shape = result.desc.dims();
    const auto axis = static_cast<size_t>(node.axis("axis", 0, static_cast<uint32_t>(shape.size())));
    const uint32_t layout = node.output().layout;
    std::vector<dnnl::memory::desc> parts;
    std::vector<std::pair<int, Place>> arguments = {{DNNL_ARG_DST, result}};
    bool isWhole = true;
    for (size_t i = 0; i < node.inputCount(); ++i) {
        const Place part = builder.input(i);
        if (node.input(i)->layout != layout) throw Refusal(SB_REASON_LAYOUT, "the parts lie in different layouts");
        parts.push_back(part.desc);
        arguments.emplace_back(DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), part);
        isWhole = isWhole && (layout == isRowMajor || part.desc.dims()[1] % channelsInBlock() == 0);
    }
    // Where each part is one piece of the result, oneDNN's own copies element by element.
    const bool isOnePiece =
        std::all_of(shape.begin(), shape.begin() + static_cast<ptrdiff_t>(axis), [](int64_t size) { return size == 1; });
    if (!isOnePiece || !isWhole || layout == channelsLast) {
        const dnnl::concat::primitive_desc descriptor(result.desc, static_cast<int>(axis), parts, builder.engine(), Builder::attributes());
        return builder.add(descriptor, std::move(arguments));
    }
    Dims begin(shape.size(), 0);
    for (size_t i = 0; i < parts.size(); ++i) {
        reorder(builder, arguments[i + 1].second, result.as(result.desc.submemory_desc(parts[i].dims(), begin)));
        begin[axis] += parts[i].dims()[axis];
    }
}

void buildConvertLayout(Builder &builder) {
    const sb_tensor *from = builder.node.input(0);
    const sb_tensor &to = builder.node.output();
    if (!from || builder.node.outputCount() != 1) throw Refusal(SB_REASON_OTHER, "one input and one output");
    if ((from->layout == isRowMajor) == (to.layout == isRowMajor)) throw Refusal(SB_REASON_LAYOUT, "from row-major to a layout, or back");
    // Nothing is moved.
    if (sb_element_count(from) == 0 && from->rank == 4) return builder.addNothing();
    reorder(builder, builder.input(0), builder.output());
}
