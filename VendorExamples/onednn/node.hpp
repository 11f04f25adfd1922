// SPDX-License-Identifier: Apache-2.0
//
// A node of the header, read.
#ifndef ONEDNN_PLUGIN_NODE_HPP
#define ONEDNN_PLUGIN_NODE_HPP

#include <string_view>
#include <vector>

#include "layouts.hpp"

class Node {
    const sb_node &node;

    const sb_attribute *attribute(std::string_view name) const;

  public:
    explicit Node(const sb_node &node) : node(node) {}

    std::string_view operatorName() const { return {node.operator_name.data, node.operator_name.length}; }
    uint32_t version() const { return node.version; }
    size_t inputCount() const { return node.input_count; }
    /// Nullptr if it is left out.
    const sb_tensor *input(size_t index) const { return index < node.input_count ? node.inputs[index] : nullptr; }
    const sb_tensor &output() const { return *node.outputs[0]; }
    /// Those that are present.
    size_t outputCount() const;

    int64_t integer(std::string_view name, int64_t otherwise) const;
    float number(std::string_view name, float otherwise) const;
    std::string_view word(std::string_view name, std::string_view otherwise) const;
    /// Empty if there is none.
    std::vector<int64_t> integers(std::string_view name) const;
    std::vector<float> numbers(std::string_view name) const;
    std::vector<std::string_view> words(std::string_view name) const;
    /// An axis from 0 on.
    int64_t axis(std::string_view name, int64_t otherwise, uint32_t rank) const;
};

/// The shape as oneDNN wants it, with at least one axis.
Dims dims(const sb_tensor &tensor);
/// The same with axes of size one before it.
Dims padded(const Dims &dims, size_t rank);

dnnl::memory::data_type elementType(uint32_t type);

/// Dense and row-major.
dnnl::memory::desc rowMajor(const Dims &dims, dnnl::memory::data_type type);
/// As the tensor lies: row-major or in its layout.
dnnl::memory::desc asItLies(const sb_tensor &tensor);
/// In the order that suits oneDNN best.
dnnl::memory::desc anyOrder(const dnnl::memory::desc &like);

#endif
