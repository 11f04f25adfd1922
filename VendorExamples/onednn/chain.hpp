// SPDX-License-Identifier: Apache-2.0
//
// Elementwise steps on the result of an operator, as fused operators have them: post-ops of oneDNN's, or primitives of their own.
#ifndef ONEDNN_PLUGIN_CHAIN_HPP
#define ONEDNN_PLUGIN_CHAIN_HPP

#include "plan.hpp"

/// An operator of one input: scale * f(x).
struct Elementwise {
    dnnl::algorithm algorithm = dnnl::algorithm::undef;
    float alpha = 0, beta = 0, scale = 1;
};

/// What an operator of the standard comes to, or nothing if oneDNN computes it otherwise than the standard says.
/// \param first, second: its attributes, in the order of the standard; of Clip the limits.
std::vector<Elementwise> elementwise(std::string_view name, float first, float second);

/// As oneDNN's elementwise primitives with two operands want the second one where the first one has that order.
dnnl::memory::desc besideFirst(const dnnl::memory::desc &second, const dnnl::memory::desc &first);

class Chain {
    struct Step {
        Elementwise function;
        /// The node's input that is the other operand; nothing for a function.
        std::optional<size_t> input;
        /// Of a step with an operand.
        dnnl::algorithm algorithm = dnnl::algorithm::undef;
    };
    std::vector<Step> steps;
    bool precedes = false;

    void function(std::string_view name, float first, float second);

  public:
    Chain() = default;
    /// The steps of a fused node.
    /// \param first: position of the first operand among the node's inputs.
    Chain(const Node &node, size_t first);

    bool isEmpty() const { return steps.empty(); }
    /// Whether one of the steps has an operand.
    bool hasOperands() const;
    /// Puts x * factor and then x + input before all other steps.
    void precede(float factor, std::optional<size_t> addend);
    bool isPreceded() const { return precedes; }

    /// All steps, or those from `begin` on, behind a primitive whose result has that order.
    dnnl::primitive_attr attributes(const Builder &builder, const dnnl::memory::desc &result, size_t begin = 0) const;
    /// What a primitive with these attributes takes beside its own arguments.
    std::vector<std::pair<int, Place>> arguments(Builder &builder, const dnnl::memory::desc &result, size_t begin = 0) const;
    /// All steps, each a primitive that writes where it reads.
    void apply(Builder &builder, const Place &result) const;
    /// All steps in one primitive; refuses shapes for which there is none with vectors.
    void applyAtOnce(Builder &builder, const Place &from, const Place &to) const;
};

#endif
