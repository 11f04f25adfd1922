// SPDX-License-Identifier: Apache-2.0
//
// What a node comes to: primitives of oneDNN, one after the other, and where each finds its arguments. A plan is made once and executed any number of times, also at
// once by several threads: all that an execution writes beside its outputs lies in the workspace that the host gives it.
#ifndef ONEDNN_PLUGIN_PLAN_HPP
#define ONEDNN_PLUGIN_PLAN_HPP

#include <unordered_map>
#include <vector>

#include "node.hpp"

/// A tensor's memory: where an execution finds it, and how its elements lie there.
struct Place {
    enum Kind { input, output, constant, workspace } kind = input;
    /// Of inputs, outputs and constants their number, of the workspace the byte.
    uint64_t index = 0;
    dnnl::memory::desc desc;

    /// The same memory read in another way.
    Place as(const dnnl::memory::desc &other) const { return {kind, index, other}; }
};

struct sb_state {
    struct Step {
        dnnl::primitive primitive;
        std::vector<std::pair<int, Place>> arguments;
    };

    dnnl::engine engine;
    std::vector<Step> steps;
    std::vector<dnnl::memory> constants;
    uint64_t workspace = 0;

    void execute(const sb_launch &launch) const;
};

/// Makes a plan, step by step.
class Builder {
    const sb_node &source;
    sb_state &state;
    /// Constants are packed. Without, the plan only tells what it would take.
    const bool packs;

    Place reserve(const dnnl::memory::desc &desc);

  public:
    const Node node;

    Builder(const sb_node &node, sb_state &state, bool packs) : source(node), state(state), packs(packs), node(node) {}

    const dnnl::engine &engine() const { return state.engine; }
    /// Every primitive is made with these: its scratch memory is the host's.
    static dnnl::primitive_attr attributes();

    Place input(size_t index) const;
    Place output() const;
    /// Numbers that no input holds.
    Place constant(const std::vector<float> &values, const dnnl::memory::desc &desc);

    /// `from` in the order that a primitive wants: itself, a constant packed now, or a copy made by each execution.
    Place ordered(const Place &from, const dnnl::memory::desc &wanted);
    /// Memory for a primitive's result: `to` itself if it has that order, else in the workspace.
    Place target(const Place &to, const dnnl::memory::desc &wanted);
    /// Brings a result to `to`, if it is not there.
    void deliver(const Place &from, const Place &to);

    template <typename Descriptor> void add(const Descriptor &descriptor, std::vector<std::pair<int, Place>> arguments) {
        const dnnl::memory::desc scratch = descriptor.scratchpad_desc();
        if (scratch.get_size() > 0) arguments.emplace_back(DNNL_ARG_SCRATCHPAD, reserve(scratch));
        state.steps.push_back({dnnl::primitive(descriptor.get()), std::move(arguments)});
    }
};

#endif
