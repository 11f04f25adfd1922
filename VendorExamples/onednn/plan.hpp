// SPDX-License-Identifier: Apache-2.0
//
// What a node comes to: primitives of oneDNN, one after the other, and where each finds its arguments. A plan is made once and executed any number of times, also at
// once by several threads: all that an execution writes beside its outputs lies in the workspace that the host gives it.
#ifndef ONEDNN_PLUGIN_PLAN_HPP
#define ONEDNN_PLUGIN_PLAN_HPP

#include <unordered_map>
#include <vector>

#include "node.hpp"
#include "processor.hpp"

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
    /// Expected nanoseconds of an execution on one thread.
    double cost = 0;
    /// A step has no vectors: oneDNN has only what it checks its own kernels with.
    bool isSlow = false;

    void execute(const sb_launch &launch) const;
};

/// Whether oneDNN has nothing but what it checks its own kernels with, which goes element by element.
template <typename Descriptor> bool isReference(const Descriptor &descriptor) {
    return std::string_view(descriptor.impl_info_str()).substr(0, 3) == "ref";
}

/// Makes a plan, step by step.
class Builder {
    const sb_node &source;
    sb_state &state;
    /// Constants are packed. Without, the plan only tells what it would take.
    const bool packs;

    Place reserve(const dnnl::memory::desc &desc);
    void estimate(dnnl::primitive::kind kind, const char *implementation, const std::vector<std::pair<int, Place>> &arguments,
                  double operations);

  public:
    const Node node;

    Builder(const sb_node &node, sb_state &state, bool packs) : source(node), state(state), packs(packs), node(node) {}

    const dnnl::engine &engine() const { return state.engine; }
    /// Every primitive is made with these: its scratch memory is the host's.
    static dnnl::primitive_attr attributes();

    Place input(size_t index) const;
    Place output() const;
    /// An input with axes of size one before it.
    Place operand(size_t index, size_t rank) const;
    /// Numbers that no input holds, the first elements; the others are 0.
    Place constant(const std::vector<float> &values, const dnnl::memory::desc &desc);

    /// `from` in the order that a primitive wants: itself, a constant packed now, or a copy made by each execution.
    Place ordered(const Place &from, const dnnl::memory::desc &wanted);
    /// Memory for a primitive's result: `to` itself if it has that order, else in the workspace.
    Place target(const Place &to, const dnnl::memory::desc &wanted);
    /// Brings a result to `to`, if it is not there.
    void deliver(const Place &from, const Place &to);

    /// A step for which there is nothing to do, but which is called.
    void addNothing() { state.cost += 1; }

    /// \param operations: a multiply-add is two; 0 where moving the bytes takes longer.
    template <typename Descriptor>
    void add(const Descriptor &descriptor, std::vector<std::pair<int, Place>> arguments, double operations = 0) {
        // oneDNN keeps primitives: once it is made, the same question is answered ten times as fast.
        const dnnl::primitive primitive(descriptor.get());
        estimate(primitive.get_kind(), descriptor.impl_info_str(), arguments, operations);
        state.isSlow = state.isSlow || isReference(descriptor);
        const dnnl::memory::desc scratch = descriptor.scratchpad_desc();
        if (scratch.get_size() > 0) arguments.emplace_back(DNNL_ARG_SCRATCHPAD, reserve(scratch));
        state.steps.push_back({primitive, std::move(arguments)});
    }
};

#endif
