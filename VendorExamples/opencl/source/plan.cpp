// SPDX-License-Identifier: Apache-2.0
#include "plan.hpp"

Step &Step::define_type(const char *name, uint32_t type) {
    const ElementType &found = element_type(type);
    std::string symbol = name;
    define(name, found.storage);
    define((symbol + "_COMPUTE").c_str(), found.compute);
    define((symbol + "_LOAD").c_str(), std::string("load_") + found.access);
    define((symbol + "_STORE").c_str(), std::string("store_") + found.access);
    define((symbol + "_FLOAT").c_str(), (int)found.is_float);
    uses_float64 |= type == SB_TYPE_FLOAT64;
    return *this;
}

Step &Step::over(uint64_t count) {
    return groups_over((count + local[0] - 1) / local[0]);
}

Step &Step::groups_over(uint64_t count) {
    groups[0] = count;
    return *this;
}

void Plan::require_type(uint32_t type) const {
    element_type(type);
    if (type == SB_TYPE_FLOAT64 && !hardware.has_float64) throw Refusal{SB_REASON_DATA_TYPE, "this device does not compute with float64"};
}

uint32_t checked_count(int64_t count) {
    if (count > largest_count) throw Refusal{SB_REASON_SHAPE, "a tensor has more than 2^31 - 1 elements"};
    return (uint32_t)count;
}

void Walk::simplify() {
    Walk joined;
    joined.strides.resize(strides.size());
    for (size_t axis = 0; axis < sizes.size(); ++axis) {
        if (sizes[axis] == 1) continue;
        bool together = !joined.sizes.empty();
        for (size_t i = 0; i < strides.size() && together; ++i) together = joined.strides[i].back() == strides[i][axis] * sizes[axis];
        if (together)
            joined.sizes.back() *= sizes[axis];
        else
            joined.sizes.push_back(sizes[axis]);
        for (size_t i = 0; i < strides.size(); ++i) {
            if (together)
                joined.strides[i].back() = strides[i][axis];
            else
                joined.strides[i].push_back(strides[i][axis]);
        }
    }
    if (joined.sizes.size() > walk_rank) throw Refusal{SB_REASON_SHAPE, "more than 8 axes do not lie together"};
    *this = std::move(joined);
}

Shape broadcast_strides(const Shape &shape, const Shape &target) {
    if (shape.size() > target.size()) throw Refusal{SB_REASON_SHAPE, "an input has more axes than the output"};
    Shape dense = dense_strides(shape), strides(target.size(), 0);
    size_t lead = target.size() - shape.size();
    for (size_t axis = 0; axis < shape.size(); ++axis) {
        if (shape[axis] == target[lead + axis])
            strides[lead + axis] = shape[axis] == 1 ? 0 : dense[axis];
        else if (shape[axis] != 1)
            throw Refusal{SB_REASON_SHAPE, "the shapes do not broadcast"};
    }
    return strides;
}

void plan_tiles(const Hardware &hardware, Step &step, uint64_t rows, uint64_t columns, uint64_t layers) {
    uint64_t each = 8, across = 0, down = 0;
    for (;; each /= 2) {
        across = (columns + 16 * each - 1) / (16 * each);
        down = (rows + 16 * each - 1) / (16 * each);
        bool fits = 2 * 16 * (16 * each + 1) * sizeof(double) <= hardware.local_memory && !(hardware.is_cpu && each > 4);
        if (each == 2 || (fits && across * down * layers >= hardware.unit_count)) break;
    }
    step.define("EACH", each);
    step.local[0] = step.local[1] = 16;
    step.groups[0] = across;
    step.groups[1] = down;
    step.groups[2] = layers;
}
