// SPDX-License-Identifier: Apache-2.0
#include "claims.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <string_view>

namespace {

constexpr uint64_t float32 = SB_TYPE_BIT(SB_TYPE_FLOAT32);
constexpr uint64_t floats = float32 | SB_TYPE_BIT(SB_TYPE_FLOAT16);
constexpr uint64_t bools = SB_TYPE_BIT(SB_TYPE_BOOL);
constexpr uint64_t bytes = SB_TYPE_BIT(SB_TYPE_INT8) | SB_TYPE_BIT(SB_TYPE_UINT8);
constexpr uint64_t int32 = SB_TYPE_BIT(SB_TYPE_INT32);
/// Elements that come out as they went in. Those of 64 bits do not: the CPU computes them in 32.
constexpr uint64_t movable = floats | int32 | bytes | bools;
/// Of a tensor; enough for windows over three axes.
constexpr uint32_t largestRank = 6;

const sb_attribute *attribute(const sb_node &node, std::string_view name) {
    for (size_t i = 0; i < node.attribute_count; ++i) {
        const sb_string &key = node.attributes[i]->name;
        if (std::string_view(key.data, key.length) == name) return node.attributes[i];
    }
    return nullptr;
}

int64_t integer(const sb_node &node, std::string_view name, int64_t otherwise) {
    const sb_attribute *found = attribute(node, name);
    return found && found->type == SB_ATTRIBUTE_INTS && found->count == 1 ? found->ints[0] : otherwise;
}

const sb_tensor *input(const sb_node &node, size_t index) {
    return index < node.input_count ? node.inputs[index] : nullptr;
}

bool hasOneOutput(const sb_node &node) {
    return std::count_if(node.outputs, node.outputs + node.output_count, [](const sb_tensor *output) { return output != nullptr; }) == 1;
}

int64_t elementCount(const sb_tensor &tensor) {
    return std::accumulate(tensor.shape, tensor.shape + tensor.rank, int64_t{1}, std::multiplies<>());
}

bool is(uint64_t types, const sb_tensor &tensor) {
    return tensor.data_type < 64 && (types & SB_TYPE_BIT(tensor.data_type)) != 0;
}

// Conditions beside the first input's type.

/// With one, OpenVINO makes nothing of the node, and does not write an output that would be an input.
bool hasTwoInputs(const sb_node &node) {
    return node.input_count >= 2;
}

/// Of three inputs, the maximum of the first two is lost where the second is NaN: then neither NaN comes out nor the maximum of the numbers.
bool comparesTwo(const sb_node &node) {
    return node.input_count == 2;
}

/// Where a limit is left out, infinity becomes the largest number.
bool hasBothLimits(const sb_node &node) {
    return node.version < 11 || (input(node, 1) && input(node, 2));
}

/// OpenVINO puts windows of even sizes one channel off, and drops the fraction of the bias.
bool normalisesAsDefined(const sb_node &node) {
    const sb_attribute *bias = attribute(node, "bias");
    return integer(node, "size", 0) % 2 == 1 && (!bias || (bias->count == 1 && bias->floats[0] == std::floor(bias->floats[0])));
}

/// Before version 13 all axes from the given one on are one, which OpenVINO overlooks.
bool sumsOneAxis(const sb_node &node) {
    const sb_tensor &data = *input(node, 0);
    if (node.version >= 13) return true;
    int64_t axis = integer(node, "axis", 1);
    if (axis < 0) axis += data.rank;
    return axis >= 0 &&
           std::all_of(data.shape + std::min<int64_t>(axis + 1, data.rank), data.shape + data.rank, [](int64_t size) { return size == 1; });
}

/// OpenVINO multiplies by the inverse, which in float32 must not leave the range of normal numbers.
bool dividesByNormal(const sb_node &node) {
    const sb_tensor &divisor = *input(node, 1);
    if (divisor.data_type != SB_TYPE_FLOAT32) return true;
    if (!divisor.host) return false;
    const float *values = static_cast<const float *>(divisor.host);
    return std::all_of(values, values + elementCount(divisor), [](float value) {
        const float size = std::fabs(value);
        return size >= 0x1p-126f && size <= 0x1p126f;
    });
}

/// OpenVINO multiplies by the factors in the type of the inputs.
bool hasExactFactors(const sb_node &node) {
    if (input(node, 0)->data_type == SB_TYPE_FLOAT32) return true;
    const auto isOne = [&](std::string_view name) {
        const sb_attribute *factor = attribute(node, name);
        return !factor || (factor->count == 1 && factor->floats[0] == 1);
    };
    return isOne("alpha") && isOne("beta");
}

bool infers(const sb_node &node) {
    return hasOneOutput(node) && integer(node, "training_mode", 0) == 0;
}

bool dropsNothing(const sb_node &node) {
    const sb_tensor *training = input(node, 2);
    return !training || !*static_cast<const unsigned char *>(training->host);
}

bool padsWithoutWrapping(const sb_node &node) {
    const sb_attribute *mode = attribute(node, "mode");
    return !mode || mode->count != 1 || std::string_view(mode->strings[0].data, mode->strings[0].length) != "wrap";
}

bool roundsWindowsDown(const sb_node &node) {
    return hasOneOutput(node) && integer(node, "ceil_mode", 0) == 0;
}

bool choosesFloats(const sb_node &node) {
    return is(floats, *input(node, 1));
}

bool castsExactly(const sb_node &node) {
    // NaN and the smallest int32 become false instead of true.
    return is(movable, *node.outputs[0]) && !(is(bools, *node.outputs[0]) && is(floats | int32, *input(node, 0)));
}

bool hasNoEmptySlice(const sb_node &node) {
    return integer(node, "noop_with_empty_axes", 0) == 0;
}

bool picksInRange(const sb_node &node) {
    // Beyond the range OpenVINO gives zeros instead of an error.
    const sb_tensor &data = *input(node, 0), &indices = *input(node, 1);
    int64_t axis = integer(node, "axis", 0);
    if (axis < 0) axis += data.rank;
    if (axis < 0 || axis >= data.rank) return false;
    for (int64_t i = 0; i < elementCount(indices); ++i) {
        int64_t index = 0;
        if (indices.data_type == SB_TYPE_INT64)
            std::memcpy(&index, static_cast<const char *>(indices.host) + i * 8, 8);
        else
            index = static_cast<const int32_t *>(indices.host)[i];
        if (index < -data.shape[axis] || index >= data.shape[axis]) return false;
    }
    return true;
}

struct Rule {
    std::string_view name;
    /// Of the first input.
    uint64_t types;
    /// Smallest version of the operator; before these broadcasting was another.
    uint32_t since = 1;
    /// Inputs from this one on must be constants: OpenVINO reads shapes and axes when it compiles.
    size_t constantsFrom = SIZE_MAX;
    bool (*holds)(const sb_node &node) = nullptr;
};

constexpr Rule rules[] = {
    // Elementwise. Left out: Exp (infinite from 88.48 on, NaN lost), Erf and Softplus (small values lost), Gelu (NaN of infinity), Celu, HardSigmoid, Shrink, ThresholdedRelu (NaN lost), Mod, PRelu, comparisons
    // (subnormal numbers are 0, integers are rounded to float32).
    {"Abs", floats | int32},
    {"Acos", floats},
    {"Acosh", floats},
    {"Add", floats | int32, 7},
    {"And", bools, 7},
    {"Asin", floats},
    {"Asinh", floats},
    {"Atan", floats},
    {"Atanh", floats},
    {"Cast", movable, 6, SIZE_MAX, castsExactly},
    {"Ceil", floats},
    {"Clip", floats, 6, 1, hasBothLimits},
    {"Cos", floats},
    {"Cosh", floats},
    {"Div", floats, 7, SIZE_MAX, dividesByNormal},
    {"Elu", floats},
    {"Floor", floats},
    {"HardSwish", floats},
    {"LeakyRelu", float32},
    {"Log", floats},
    {"Max", floats | int32 | bytes, 6, SIZE_MAX, comparesTwo},
    {"Mean", float32, 6, SIZE_MAX, hasTwoInputs},
    {"Min", floats | int32 | bytes, 6, SIZE_MAX, comparesTwo},
    {"Mish", floats},
    {"Mul", floats | int32, 7},
    {"Neg", floats},
    {"Not", bools},
    {"Or", bools, 7},
    {"Pow", floats, 7, SIZE_MAX, choosesFloats},
    {"Reciprocal", floats},
    {"Relu", floats},
    {"Round", floats},
    {"Selu", floats},
    {"Sigmoid", floats},
    {"Sign", floats},
    {"Sin", floats},
    {"Sinh", floats},
    {"Softsign", floats},
    {"Sqrt", floats},
    {"Sub", floats | int32, 7},
    {"Sum", float32, 6, SIZE_MAX, hasTwoInputs},
    {"Tan", floats},
    {"Tanh", floats},
    {"Where", bools, 9, SIZE_MAX, choosesFloats},
    {"Xor", bools, 7},
    // Products and windows. Left out: GlobalMaxPool (NaN lost).
    {"AveragePool", floats, 1, SIZE_MAX, roundsWindowsDown},
    {"Conv", floats},
    {"ConvTranspose", floats},
    {"Gemm", floats, 7, SIZE_MAX, hasExactFactors},
    {"GlobalAveragePool", floats},
    {"MatMul", floats},
    {"MaxPool", floats, 1, SIZE_MAX, roundsWindowsDown},
    // Normalisations and softmax.
    {"BatchNormalization", float32, 9, 1, infers},
    {"Dropout", floats, 7, 1, dropsNothing},
    {"GroupNormalization", floats, 21},
    {"InstanceNormalization", floats},
    {"LRN", floats, 1, SIZE_MAX, normalisesAsDefined},
    {"LayerNormalization", floats, 17, SIZE_MAX, hasOneOutput},
    {"LogSoftmax", floats, 1, SIZE_MAX, sumsOneAxis},
    {"RMSNormalization", floats},
    {"Softmax", floats, 1, SIZE_MAX, sumsOneAxis},
    // Reductions. Left out: ReduceMax and ReduceMin (what comes before a NaN is lost).
    {"ReduceL1", floats, 1, 1, hasNoEmptySlice},
    {"ReduceL2", floats, 1, 1, hasNoEmptySlice},
    {"ReduceMean", floats, 1, 1, hasNoEmptySlice},
    {"ReduceProd", floats, 1, 1, hasNoEmptySlice},
    {"ReduceSum", floats, 1, 1, hasNoEmptySlice},
    {"ReduceSumSquare", floats, 1, 1, hasNoEmptySlice},
    // Movement.
    {"Concat", movable, 4},
    {"DepthToSpace", floats},
    {"Expand", movable, 8, 1},
    {"Flatten", movable},
    {"Gather", movable, 1, 1, picksInRange},
    {"Identity", movable},
    {"Pad", floats, 2, 1, padsWithoutWrapping},
    {"Reshape", movable, 5, 1},
    {"Slice", movable, 1, 1},
    {"Split", movable, 2, 1},
    {"Squeeze", movable, 1, 1},
    {"Tile", movable, 6, 1},
    {"Transpose", movable},
    {"Unsqueeze", movable, 1, 1},
};

const Rule *rule(const sb_node &node) {
    if (node.domain.length != 0) return nullptr;
    const std::string_view name(node.operator_name.data, node.operator_name.length);
    for (const Rule &each : rules)
        if (each.name == name) return &each;
    return nullptr;
}

/// Tensors of a kind that OpenVINO is handed, with at least one element.
bool isHandy(const sb_tensor &tensor) {
    return tensor.rank <= largestRank && std::all_of(tensor.shape, tensor.shape + tensor.rank, [](int64_t size) { return size > 0; });
}

} // namespace

bool isDropout(const sb_node &node) {
    return std::string_view(node.operator_name.data, node.operator_name.length) == "Dropout";
}

bool takes(const sb_node &node) {
    const Rule *found = rule(node);
    if (!found || node.version < found->since || node.input_count == 0 || !node.inputs[0] || !is(found->types, *node.inputs[0]))
        return false;
    for (size_t i = 0; i < node.input_count; ++i) {
        const sb_tensor *each = node.inputs[i];
        if (!each) continue;
        const bool mustBeConstant = i >= found->constantsFrom;
        if (mustBeConstant && !each->host) return false;
        // Shapes and axes are read when OpenVINO compiles; whatever else a node reads has the types of what is moved.
        if (!is(mustBeConstant ? movable | SB_TYPE_BIT(SB_TYPE_INT64) : movable, *each)) return false;
        if (!isHandy(*each) && !(mustBeConstant && each->rank <= 1)) return false;
    }
    for (size_t i = 0; i < node.output_count; ++i)
        if (node.outputs[i] && (!is(movable, *node.outputs[i]) || !isHandy(*node.outputs[i]))) return false;
    return !found->holds || found->holds(node);
}
