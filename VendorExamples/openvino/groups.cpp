// SPDX-License-Identifier: Apache-2.0
#include "groups.hpp"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "claims.hpp"

void group(const sb_graph &graph, uint32_t *groups) {
    // A number for what depends on a node that is taken: even for nodes that are taken, odd for others, and never falling along a path. A path that leaves the
    // nodes of one number and comes back therefore comes back to a larger one, and nodes of one number make a program.
    std::unordered_map<const sb_tensor *, uint32_t> numbers;
    const auto isTakenFrom = [&](const sb_tensor *tensor) {
        const auto found = numbers.find(tensor);
        return found != numbers.end() && found->second % 2 == 0;
    };
    for (size_t i = 0; i < graph.node_count; ++i) {
        const sb_node &node = *graph.nodes[i];
        // Of Dropout nothing is left: alone it would be an output that OpenVINO does not write.
        const bool isTaken = takes(node) && (!isDropout(node) || isTakenFrom(node.inputs[0]));
        bool depends = isTaken;
        uint32_t number = 0;
        for (size_t j = 0; j < node.input_count; ++j) {
            const auto found = numbers.find(node.inputs[j]);
            if (found == numbers.end()) continue;
            depends = true;
            number = std::max(number, isTaken ? (found->second + 1) & ~1u : found->second | 1);
        }
        if (!depends) continue;
        if (isTaken) groups[i] = number / 2 + 1;
        for (size_t j = 0; j < node.output_count; ++j)
            if (node.outputs[j]) numbers[node.outputs[j]] = number;
    }
}

bool takesWhole(const sb_graph &graph) {
    std::vector<uint32_t> groups(graph.node_count);
    group(graph, groups.data());
    return std::all_of(groups.begin(), groups.end(), [](uint32_t group) { return group == 1; });
}
