// SPDX-License-Identifier: Apache-2.0
//
// A node as the plans read it: attributes by name, tensors by position, values where they are known.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"

using Shape = std::vector<int64_t>;

// What the kernels are told of an element type.
struct ElementType {
    uint32_t type;
    const char *storage; // as it lies in memory
    const char *compute; // as it is computed with
    const char *access;  // how it is loaded and stored, see types.cl
    unsigned bytes;
    bool is_float;
};

// Refuses types that no kernel here knows.
const ElementType &element_type(uint32_t type);
// 0 for types narrower than a byte and unknown ones.
unsigned bytes_of(uint32_t type);
int64_t count_of(const Shape &shape);
// Elements from one index to the next, per axis, of a dense tensor.
Shape dense_strides(const Shape &shape);

class Tensor {
  public:
    explicit Tensor(const sb_tensor *tensor) : tensor(tensor) {}
    explicit operator bool() const { return tensor; }
    uint32_t type() const { return tensor->data_type; }
    size_t rank() const { return tensor->rank; }
    Shape shape() const { return Shape(tensor->shape, tensor->shape + tensor->rank); }
    int64_t count() const { return count_of(shape()); }
    // Elements of an integer tensor. Throws Unknown if they are not on the host.
    Shape values() const;
    const sb_tensor *raw() const { return tensor; }

  private:
    const sb_tensor *tensor;
};

class Node {
  public:
    // With the tensors of a launch, or of the node itself.
    Node(const sb_node &node, const sb_tensor *const *inputs, size_t input_count, const sb_tensor *const *outputs, size_t output_count)
        : node(node), inputs(inputs), outputs(outputs), input_count(input_count), output_count(output_count) {}
    explicit Node(const sb_node &node) : Node(node, node.inputs, node.input_count, node.outputs, node.output_count) {}

    uint32_t version() const { return node.version; }
    size_t inputs_given() const { return input_count; }
    size_t outputs_given() const { return output_count; }
    // False for one that is left out.
    Tensor maybe_input(size_t i) const { return Tensor(i < input_count ? inputs[i] : nullptr); }
    Tensor maybe_output(size_t i) const { return Tensor(i < output_count ? outputs[i] : nullptr); }
    Tensor input(size_t i) const;
    Tensor output(size_t i) const;

    bool has(std::string_view name) const { return find(name) != nullptr; }
    int64_t integer(std::string_view name, int64_t otherwise) const;
    float number(std::string_view name, float otherwise) const;
    std::string text(std::string_view name, const char *otherwise) const;
    // Empty if the attribute is absent.
    Shape integers(std::string_view name) const;
    // An attribute up to some version of the operator, an input after it. Empty if left out.
    Shape integers(std::string_view name, size_t position) const;
    // The attribute `axis`, counted from the front.
    size_t axis(int64_t otherwise, size_t rank) const;

  private:
    const sb_node &node;
    const sb_tensor *const *inputs, *const *outputs;
    size_t input_count, output_count;

    const sb_attribute *find(std::string_view name) const;
};

// `axis` counted from the front. Refuses one that is out of range.
size_t positive_axis(int64_t axis, size_t rank);
