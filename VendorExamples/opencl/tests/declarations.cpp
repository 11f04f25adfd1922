// SPDX-License-Identifier: Apache-2.0
//
// What `support` answers about a node's arithmetic (SB-NUM-003): by type, and not at all to a host that leaves no room for it (SB-ABI-003).
#include <cstddef>

#include "plugin.hpp"

namespace {

constexpr double undeclared = -1;

// The function error that is declared for a node whose inputs and output are of one shape.
double function_error(Plugin &opened, const char *name, std::initializer_list<uint32_t> inputs, uint32_t output,
                      size_t room = sizeof(sb_support)) {
    int64_t shape[] = {4};
    sb_tensor tensors[4], result = tensor(output, shape, 1, nullptr);
    const sb_tensor *given[4], *outputs[] = {&result};
    size_t count = 0;
    for (uint32_t type : inputs) {
        tensors[count] = tensor(type, shape, 1, nullptr);
        given[count] = &tensors[count];
        ++count;
    }
    sb_node node{sizeof node, nullptr, {}, {name, std::string_view(name).size()}, 13, 0, nullptr, 0, given, count, outputs, 1};
    // The type of Where is that of its second input (SB-OPS-002).
    node.kernel = opened.kernel(name, tensors[std::string_view(name) == "Where"].data_type);
    if (!node.kernel) return undeclared;
    static const sb_numerics untouched{};
    char text[200];
    sb_support answer{};
    answer.size = room;
    answer.message = text;
    answer.capacity = sizeof text;
    answer.numerics = &untouched;
    sb_support *answers[] = {&answer};
    const sb_node *nodes[] = {&node};
    opened.need(opened.operators().support(opened.instance, opened.device, nodes, 1, answers, &opened.error));
    expect(answer.supported == 1, name);
    return answer.numerics == &untouched ? undeclared : answer.numerics->function_error;
}

} // namespace

int main() {
    Plugin opened;
    expect(function_error(opened, "Exp", {SB_TYPE_FLOAT32}, SB_TYPE_FLOAT32) == 3, "Exp of float32 is within the 3 ULP of OpenCL");
    expect(function_error(opened, "Exp", {SB_TYPE_FLOAT16}, SB_TYPE_FLOAT16) == 0.5 + 3 * 0x1p-13, "of float16 it is rounded once");
    expect(function_error(opened, "Exp", {SB_TYPE_BFLOAT16}, SB_TYPE_BFLOAT16) == 0.5 + 3 * 0x1p-16, "so is that of bfloat16");
    expect(function_error(opened, "Softmax", {SB_TYPE_FLOAT16}, SB_TYPE_FLOAT16) == 3, "within a sum it is one of float32");
    expect(function_error(opened, "Where", {SB_TYPE_BOOL, SB_TYPE_INT8, SB_TYPE_INT8}, SB_TYPE_INT8) == 0, "Where has no function");
    expect(function_error(opened, "Exp", {SB_TYPE_FLOAT32}, SB_TYPE_FLOAT32, offsetof(sb_support, numerics)) == undeclared,
           "a host of version 0.3 is told nothing");
    if (!failures) puts("declarations: as specified");
    return failures != 0;
}
