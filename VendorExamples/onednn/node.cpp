// SPDX-License-Identifier: Apache-2.0
#include "node.hpp"

#include <algorithm>

const sb_attribute *Node::attribute(std::string_view name) const {
    for (size_t i = 0; i < node.attribute_count; ++i) {
        const sb_string &key = node.attributes[i]->name;
        if (std::string_view(key.data, key.length) == name) return node.attributes[i];
    }
    return nullptr;
}

size_t Node::outputCount() const {
    return static_cast<size_t>(
        std::count_if(node.outputs, node.outputs + node.output_count, [](const sb_tensor *output) { return output != nullptr; }));
}

int64_t Node::integer(std::string_view name, int64_t otherwise) const {
    const sb_attribute *found = attribute(name);
    return found && found->type == SB_ATTRIBUTE_INTS && found->count == 1 ? found->ints[0] : otherwise;
}

float Node::number(std::string_view name, float otherwise) const {
    const sb_attribute *found = attribute(name);
    return found && found->type == SB_ATTRIBUTE_FLOATS && found->count == 1 ? found->floats[0] : otherwise;
}

std::string_view Node::word(std::string_view name, std::string_view otherwise) const {
    const sb_attribute *found = attribute(name);
    if (!found || found->type != SB_ATTRIBUTE_STRINGS || found->count != 1) return otherwise;
    return {found->strings[0].data, found->strings[0].length};
}

std::vector<int64_t> Node::integers(std::string_view name) const {
    const sb_attribute *found = attribute(name);
    if (!found || found->type != SB_ATTRIBUTE_INTS) return {};
    return {found->ints, found->ints + found->count};
}

std::vector<float> Node::numbers(std::string_view name) const {
    const sb_attribute *found = attribute(name);
    if (!found || found->type != SB_ATTRIBUTE_FLOATS) return {};
    return {found->floats, found->floats + found->count};
}

std::vector<std::string_view> Node::words(std::string_view name) const {
    const sb_attribute *found = attribute(name);
    std::vector<std::string_view> result;
    if (!found || found->type != SB_ATTRIBUTE_STRINGS) return result;
    for (size_t i = 0; i < found->count; ++i) result.emplace_back(found->strings[i].data, found->strings[i].length);
    return result;
}

int64_t Node::axis(std::string_view name, int64_t otherwise, uint32_t rank) const {
    const int64_t found = integer(name, otherwise), axis = found < 0 ? found + rank : found;
    if (axis < 0 || axis >= rank) throw Refusal(SB_REASON_ATTRIBUTE, "the axis does not exist");
    return axis;
}

Dims dims(const sb_tensor &tensor) {
    if (tensor.rank > DNNL_MAX_NDIMS) throw Refusal(SB_REASON_SHAPE, "oneDNN has at most 12 axes");
    Dims result(tensor.shape, tensor.shape + tensor.rank);
    if (std::find(result.begin(), result.end(), 0) != result.end()) throw Refusal(SB_REASON_SHAPE, "there is nothing to compute");
    if (result.empty()) result.push_back(1);
    return result;
}

Dims padded(const Dims &dims, size_t rank) {
    Dims result(rank - dims.size(), 1);
    result.insert(result.end(), dims.begin(), dims.end());
    return result;
}

dnnl::memory::data_type elementType(uint32_t type) {
    using Type = dnnl::memory::data_type;
    switch (type) {
    case SB_TYPE_FLOAT32:
        return Type::f32;
    case SB_TYPE_FLOAT16:
        return Type::f16;
    case SB_TYPE_BFLOAT16:
        return Type::bf16;
    case SB_TYPE_INT8:
        return Type::s8;
    case SB_TYPE_UINT8:
        return Type::u8;
    case SB_TYPE_INT32:
        return Type::s32;
    default:
        throw Refusal(SB_REASON_DATA_TYPE, "oneDNN does not have the data type");
    }
}

dnnl::memory::desc rowMajor(const Dims &dims, dnnl::memory::data_type type) {
    Dims strides(dims.size(), 1);
    for (size_t i = dims.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * dims[i];
    return {dims, type, strides};
}

dnnl::memory::desc asItLies(const sb_tensor &tensor) {
    const dnnl::memory::data_type type = elementType(tensor.data_type);
    return tensor.layout == isRowMajor ? rowMajor(dims(tensor), type) : arranged(dims(tensor), type, tensor.layout);
}

dnnl::memory::desc anyOrder(const dnnl::memory::desc &like) {
    return {like.dims(), like.data_type(), dnnl::memory::format_tag::any};
}
