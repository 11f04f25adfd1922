// SPDX-License-Identifier: Apache-2.0
#include "node.hpp"

#include <cstring>

const ElementType &element_type(uint32_t type) {
    static const ElementType known[] = {
        {SB_TYPE_FLOAT32, "float", "float", "plain", 4, true},
        {SB_TYPE_FLOAT16, "half", "float", "half", 2, true},
        {SB_TYPE_BFLOAT16, "bfloat16", "float", "bfloat16", 2, true},
        {SB_TYPE_FLOAT64, "double", "double", "plain", 8, true},
        {SB_TYPE_INT8, "char", "char", "plain", 1, false},
        {SB_TYPE_UINT8, "uchar", "uchar", "plain", 1, false},
        {SB_TYPE_INT16, "short", "short", "plain", 2, false},
        {SB_TYPE_UINT16, "ushort", "ushort", "plain", 2, false},
        {SB_TYPE_INT32, "int", "int", "plain", 4, false},
        {SB_TYPE_UINT32, "uint", "uint", "plain", 4, false},
        {SB_TYPE_INT64, "long", "long", "plain", 8, false},
        {SB_TYPE_UINT64, "ulong", "ulong", "plain", 8, false},
        {SB_TYPE_BOOL, "uchar", "uchar", "plain", 1, false},
    };
    for (const ElementType &candidate : known)
        if (candidate.type == type) return candidate;
    throw Refusal{SB_REASON_DATA_TYPE, "no kernel takes elements of this type"};
}

unsigned bytes_of(uint32_t type) {
    switch (type) {
    case SB_TYPE_BOOL:
    case SB_TYPE_INT8:
    case SB_TYPE_UINT8:
    case SB_TYPE_FLOAT8_E4M3FN:
    case SB_TYPE_FLOAT8_E4M3FNUZ:
    case SB_TYPE_FLOAT8_E5M2:
    case SB_TYPE_FLOAT8_E5M2FNUZ:
    case SB_TYPE_FLOAT8_E8M0:
        return 1;
    case SB_TYPE_INT16:
    case SB_TYPE_UINT16:
    case SB_TYPE_FLOAT16:
    case SB_TYPE_BFLOAT16:
        return 2;
    case SB_TYPE_FLOAT32:
    case SB_TYPE_INT32:
    case SB_TYPE_UINT32:
        return 4;
    case SB_TYPE_FLOAT64:
    case SB_TYPE_INT64:
    case SB_TYPE_UINT64:
    case SB_TYPE_COMPLEX64:
        return 8;
    case SB_TYPE_COMPLEX128:
        return 16;
    default:
        return 0;
    }
}

int64_t count_of(const Shape &shape) {
    int64_t count = 1;
    for (int64_t size : shape)
        if (__builtin_mul_overflow(count, size, &count)) throw Refusal{SB_REASON_SHAPE, "a tensor has too many elements"};
    return count;
}

Shape dense_strides(const Shape &shape) {
    Shape strides(shape.size());
    int64_t step = 1;
    for (size_t axis = shape.size(); axis-- > 0; step *= shape[axis]) strides[axis] = step;
    return strides;
}

Shape Tensor::values() const {
    if (!tensor->host) throw Unknown{};
    Shape values((size_t)count());
    for (size_t i = 0; i < values.size(); ++i) {
        if (tensor->data_type == SB_TYPE_INT64) {
            memcpy(&values[i], (const char *)tensor->host + 8 * i, 8);
        } else if (tensor->data_type == SB_TYPE_INT32) {
            int32_t value;
            memcpy(&value, (const char *)tensor->host + 4 * i, 4);
            values[i] = value;
        } else {
            throw Refusal{SB_REASON_DATA_TYPE, "sizes and axes must be int32 or int64"};
        }
    }
    return values;
}

Tensor Node::input(size_t i) const {
    Tensor found = maybe_input(i);
    if (!found) throw Refusal{SB_REASON_OTHER, "an input is missing"};
    return found;
}

Tensor Node::output(size_t i) const {
    Tensor found = maybe_output(i);
    if (!found) throw Refusal{SB_REASON_OTHER, "an output is missing"};
    return found;
}

const sb_attribute *Node::find(std::string_view name) const {
    for (size_t i = 0; i < node.attribute_count; ++i) {
        const sb_string &candidate = node.attributes[i]->name;
        if (std::string_view(candidate.data, candidate.length) == name) return node.attributes[i];
    }
    return nullptr;
}

int64_t Node::integer(std::string_view name, int64_t otherwise) const {
    const sb_attribute *found = find(name);
    return found && found->type == SB_ATTRIBUTE_INTS && found->count ? found->ints[0] : otherwise;
}

float Node::number(std::string_view name, float otherwise) const {
    const sb_attribute *found = find(name);
    return found && found->type == SB_ATTRIBUTE_FLOATS && found->count ? found->floats[0] : otherwise;
}

std::string Node::text(std::string_view name, const char *otherwise) const {
    const sb_attribute *found = find(name);
    return found && found->type == SB_ATTRIBUTE_STRINGS && found->count ? std::string(found->strings[0].data, found->strings[0].length)
                                                                        : otherwise;
}

Shape Node::integers(std::string_view name) const {
    const sb_attribute *found = find(name);
    return found && found->type == SB_ATTRIBUTE_INTS ? Shape(found->ints, found->ints + found->count) : Shape();
}

Shape Node::integers(std::string_view name, size_t position) const {
    Tensor given = maybe_input(position);
    return given ? given.values() : integers(name);
}

size_t Node::axis(int64_t otherwise, size_t rank) const {
    return positive_axis(integer("axis", otherwise), rank);
}

size_t positive_axis(int64_t axis, size_t rank) {
    if (axis < 0) axis += (int64_t)rank;
    if (axis < 0 || axis >= (int64_t)rank) throw Refusal{SB_REASON_ATTRIBUTE, "an axis is out of range"};
    return (size_t)axis;
}
