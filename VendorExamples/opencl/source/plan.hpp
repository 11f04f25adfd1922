// SPDX-License-Identifier: Apache-2.0
//
// A plan says how a node is computed: which kernels, with which arguments, over which range. It is made of the node alone; nothing is built for it
// until the node is prepared. The same function makes the plan and answers whether there is one.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "hardware.hpp"
#include "node.hpp"

// One argument of a step that changes from launch to launch.
struct Operand {
    bool is_output;
    size_t position;
    unsigned element_bytes; // offsets count elements
};

inline Operand input_operand(size_t position, unsigned element_bytes) {
    return {false, position, element_bytes};
}
inline Operand output_operand(size_t position, unsigned element_bytes) {
    return {true, position, element_bytes};
}

// One kernel over one range. Every kernel takes: the stream's fault, an address and an offset per operand, the constants, and, if it may fail, two
// halves of the launch's correlation number.
struct Step {
    const char *source; // OpenCL C
    const char *kernel;
    std::string prelude = {}; // comes before the source: preprocessor lines
    bool uses_float64 = false;
    std::vector<Operand> operands = {};
    std::vector<std::string> constants = {};
    size_t local[3] = {64, 1, 1}, groups[3] = {1, 1, 1};
    bool may_fail = false;

    template <typename Value> Step &constant(const Value &value) {
        std::string bytes(sizeof value, '\0');
        memcpy(bytes.data(), &value, sizeof value);
        constants.push_back(std::move(bytes));
        return *this;
    }
    // A symbol for the preprocessor.
    template <typename Value> Step &define(const char *name, const Value &value) {
        prelude += std::string("#define ") + name + " " + text(value) + "\n";
        return *this;
    }
    // NAME, NAME_access and so on for an element type, see types.cl.
    Step &define_type(const char *name, uint32_t type);
    // One work-item for each of `count`.
    Step &over(uint64_t count);
    // One work-group for each of `count`.
    Step &groups_over(uint64_t count);

  private:
    static std::string text(const std::string &value) { return value; }
    static std::string text(const char *value) { return value; }
    static std::string text(long value) { return std::to_string(value); }
    static std::string text(int value) { return std::to_string(value); }
    static std::string text(size_t value) { return std::to_string(value); }
};

struct Plan {
    const Hardware &hardware;
    std::vector<Step> steps;

    // The reference is good until the next step.
    Step &step(const char *source, const char *kernel) {
        steps.push_back({source, kernel});
        return steps.back();
    }
    // Refuses a type that the device does not compute with; "of" says whose type it is.
    void require_type(uint32_t type) const;
};

// Most axes that kernels walk, after neighbours that lie together are joined.
constexpr size_t walk_rank = 8; // RANK of types.cl
// Most elements of a tensor: kernels count in 32 bits.
constexpr int64_t largest_count = 0x7fffffff;

// Refuses tensors with more elements than kernels count.
uint32_t checked_count(int64_t count);

// A loop over several tensors at once: sizes of the axes, and for each tensor the elements from one index to the next.
struct Walk {
    Shape sizes;
    std::vector<Shape> strides;

    // Joins axes that lie together in every tensor, and drops those of one element. Refuses what is left with too many axes.
    void simplify();
};

// Strides of `shape`, broadcast to `target`.
Shape broadcast_strides(const Shape &shape, const Shape &target);

// Makes a step one of `product.cl` or `convolution.cl`: a group of 16 by 16 work-items for each tile of `rows` by `columns`, in `layers` layers. Tiles
// are as large as leaves work for every compute unit.
void plan_tiles(const Hardware &hardware, Step &step, uint64_t rows, uint64_t columns, uint64_t layers);

// Makes the plan of a node, or throws why there is none.
using Planner = void (*)(Plan &plan, const Node &node, const void *context);
