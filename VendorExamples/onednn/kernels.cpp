// SPDX-License-Identifier: Apache-2.0
//
// Group "operators": what is offered, and how it is asked for, prepared and launched.
#include "kernels.hpp"
#include "wishes.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>

// Of the OpenMP runtime that oneDNN brings, whatever the compiler's own is.
extern "C" int omp_get_max_threads(void);
extern "C" void omp_set_num_threads(int count);

namespace {

constexpr uint64_t float32 = SB_TYPE_BIT(SB_TYPE_FLOAT32);
constexpr uint64_t floats = float32 | SB_TYPE_BIT(SB_TYPE_BFLOAT16);
constexpr uint64_t bytes = SB_TYPE_BIT(SB_TYPE_INT8) | SB_TYPE_BIT(SB_TYPE_UINT8);
constexpr uint64_t convertible = floats | SB_TYPE_BIT(SB_TYPE_FLOAT16) | bytes;
constexpr uint64_t integers = bytes | SB_TYPE_BIT(SB_TYPE_INT32);

/// Maximum and minimum of a number and NaN give the number; softmax has no subnormal results.
constexpr sb_numerics numerics = {sizeof(sb_numerics), 0, 0, SB_NUMERICS_IGNORES_NAN | SB_NUMERICS_FLUSHES_DENORMALS, 0, 0, 0, 0};

constexpr std::string_view fused = "southbridge";

struct Offer {
    std::string_view name;
    uint32_t since;
    uint64_t types;
    Build build;
    /// Of kernels that take layouts.
    MakeWish wish = nullptr;
    std::string_view domain = {};
    /// Unlike the kernel's, where several are for one operator.
    std::string_view operatorName = name;
};

// Left out: Log and LogSoftmax (off by some fifty units in the last place), Softplus (small results lost), Exp (NaN lost), GlobalMaxPool (the fault of MaxPool); in
// bfloat16 Softmax (rounded twice), BatchNormalization (statistics of another type than the data), LayerNormalization and Round (not there).
constexpr Offer offers[] = {
    {"Abs", 6, floats, buildUnary, wishAlike},
    {"Add", 7, floats, buildBinary, wishAlike},
    {"AveragePool", 7, floats, buildAveragePool, wishFirst},
    {"BatchNormalization", 9, float32, buildBatchNormalization, wishFirst},
    {"Cast", 6, convertible, buildCast},
    {"Concat", 4, floats, buildConcat, wishConcat},
    {"ConcatIntegers", 4, integers, buildConcat, nullptr, {}, "Concat"},
    {"Conv", 1, floats, buildConv, wishConvolution},
    {"ConvertLayout", 1, floats, buildConvertLayout, wishNothing, fused},
    {"Div", 7, floats, buildBinary, wishAlike},
    {"Elu", 6, floats, buildUnary, wishAlike},
    {"FusedConv", 1, floats, buildFusedConv, wishConvolution, fused},
    {"FusedElementwise", 1, floats, buildFusedElementwise, wishAlike, fused},
    {"FusedGemm", 1, floats, buildFusedGemm, nullptr, fused},
    {"FusedMatMul", 1, floats, buildFusedMatMul, nullptr, fused},
    {"Gelu", 20, floats, buildUnary, wishAlike},
    {"Gemm", 7, floats, buildGemm},
    {"GlobalAveragePool", 1, floats, buildGlobalAveragePool, wishInput},
    {"HardSwish", 14, floats, buildUnary, wishAlike},
    {"LRN", 1, floats, buildLRN, wishFirst},
    {"LayerNormalization", 17, float32, buildLayerNormalization},
    {"LeakyRelu", 6, floats, buildUnary, wishAlike},
    {"MatMul", 1, floats, buildMatMul},
    {"MatMulInteger", 10, bytes, buildMatMulInteger},
    {"Max", 6, floats, buildBinary, wishAlike},
    {"MaxPool", 1, floats, buildMaxPool, wishFirst},
    {"MaxPoolIntegers", 1, bytes, buildMaxPool, nullptr, {}, "MaxPool"},
    {"Min", 6, floats, buildBinary, wishAlike},
    {"Mish", 18, floats, buildUnary, wishAlike},
    {"Mul", 7, floats, buildBinary, wishAlike},
    {"Relu", 6, floats, buildUnary, wishAlike},
    {"Round", 11, float32, buildUnary, wishAlike},
    {"Sigmoid", 6, floats, buildUnary, wishAlike},
    {"Softmax", 1, float32, buildSoftmax},
    {"Sqrt", 6, floats, buildUnary, wishAlike},
    {"Sub", 7, floats, buildBinary, wishAlike},
    {"Sum", 6, floats, buildSum, wishAlike},
    {"Tanh", 6, floats, buildUnary, wishAlike},
    {"Transpose", 1, floats | integers, buildTranspose},
};

/// What this processor can be asked for: what would always be refused is not offered.
uint64_t available(const Offer &offer) {
    if (offer.build == buildMatMulInteger && !processor().addsFourProducts) return 0;
    // Off by more than the suite grants there.
    if (offer.build == buildSoftmax && !processor().hasAVX2) return 0;
    // Conversions do not take instructions of their own.
    return processor().hasBFloat16 || offer.build == buildCast ? offer.types : offer.types & ~SB_TYPE_BIT(SB_TYPE_BFLOAT16);
}

sb_string text(std::string_view view) {
    return {view.data(), view.size()};
}

/// Made once, when the library is loaded, and never changed.
struct Table {
    std::vector<sb_kernel> kernels;
    /// As the header wants them (SB-ABI-005).
    std::vector<const sb_kernel *> list;

    Table() {
        for (const Offer &each : offers) {
            const uint64_t types = available(each);
            const uint32_t flags = each.wish ? SB_KERNEL_FLAG_LAYOUTS : 0;
            if (types)
                kernels.push_back({sizeof(sb_kernel), text(each.name), text(each.domain), text(each.operatorName), each.since, 0, types,
                                   flags, 0, 0, &each, &numerics});
        }
        for (const sb_kernel &each : kernels) list.push_back(&each);
    }
};

std::unique_ptr<sb_state> plan(sb_instance *instance, const sb_node &node, bool packs) {
    // oneDNN cuts its work into as many parts as there are threads now.
    const ThreadLimit limit(instance->threads);
    auto state = std::make_unique<sb_state>();
    state->engine = instance->engine;
    Builder builder(node, *state, packs);
    static_cast<const Offer *>(node.kernel->context)->build(builder);
    return state;
}

void refuse(sb_support &answer, uint32_t reason, const char *message) {
    answer.reason = reason;
    sb_error text{sizeof text, 0, 0, 0, answer.message, answer.capacity};
    sb_fail(&text, SB_ERROR_UNSUPPORTED, message);
}

double expected(const sb_instance *instance, const sb_state &plan) {
    const int threads = instance->threads > 0 ? instance->threads : omp_get_max_threads();
    return plan.cost / threads;
}

/// Writes the layouts that the kernel would rather have, if there are kernels of oneDNN's for them.
void wish(sb_instance *instance, const sb_node &node, bool isSlow, sb_support &answer) {
    const MakeWish make = static_cast<const Offer *>(node.kernel->context)->wish;
    if (!make || instance->wished == isRowMajor) return;
    Wish wish{std::vector<uint32_t>(node.input_count), std::vector<uint32_t>(node.output_count)};
    make(Node(node), instance->wished, wish);
    // The same node with its tensors there.
    std::vector<sb_tensor> tensors;
    std::vector<const sb_tensor *> inputs(node.inputs, node.inputs + node.input_count),
        outputs(node.outputs, node.outputs + node.output_count);
    tensors.reserve(inputs.size() + outputs.size());
    const auto lay = [&](std::vector<const sb_tensor *> &list, const std::vector<uint32_t> &layouts) {
        for (size_t i = 0; i < list.size(); ++i) {
            if (layouts[i] == isRowMajor) continue;
            tensors.push_back(*list[i]);
            tensors.back().layout = layouts[i];
            list[i] = &tensors.back();
        }
    };
    lay(inputs, wish.inputs);
    lay(outputs, wish.outputs);
    if (tensors.empty()) return;
    sb_node laid = node;
    laid.inputs = inputs.data();
    laid.outputs = outputs.data();
    try {
        const auto state = plan(instance, laid, false);
        if (state->isSlow && !isSlow) return;
        std::copy(wish.inputs.begin(), wish.inputs.end(), answer.input_layouts);
        std::copy(wish.outputs.begin(), wish.outputs.end(), answer.output_layouts);
        answer.layout_cost = expected(instance, *state);
    } catch (const Refusal &) {
    } catch (const dnnl::error &) {
    }
}

/// Whether the host's answer reaches to the layouts, and it wants them.
bool wantsLayouts(const sb_support &answer) {
    return answer.size >= offsetof(sb_support, layout_cost) + sizeof answer.layout_cost && answer.input_layouts && answer.output_layouts;
}

int32_t support(sb_instance *instance, sb_device *, const sb_node *const *nodes, size_t count, sb_support *const *answers,
                sb_error *error) {
    return guarded(error, [&] {
        for (size_t i = 0; i < count; ++i) {
            try {
                const auto state = plan(instance, *nodes[i], false);
                answers[i]->workspace = state->workspace;
                answers[i]->cost = expected(instance, *state);
                answers[i]->supported = 1;
                if (wantsLayouts(*answers[i])) wish(instance, *nodes[i], state->isSlow, *answers[i]);
            } catch (const Refusal &refusal) {
                refuse(*answers[i], refusal.reason, refusal.what());
            } catch (const dnnl::error &) {
                // Asked for a primitive that does not exist for these types, shapes and attributes on this processor.
                refuse(*answers[i], SB_REASON_OTHER, "oneDNN has no implementation of it on this processor");
            }
        }
    });
}

int32_t prepare(sb_instance *instance, sb_device *, const sb_node *node, sb_state **state, sb_error *error) {
    return guarded(error, [&] { *state = plan(instance, *node, true).release(); });
}

void release(sb_state *state) {
    delete state;
}

int32_t launch(const sb_launch *launch, sb_error *error) {
    return guarded(error, [&] {
        const ThreadLimit limit(launch->instance->threads);
        launch->state->execute(*launch);
    });
}

} // namespace

ThreadLimit::ThreadLimit(int threads) : before(threads > 0 ? omp_get_max_threads() : 0) {
    if (threads > 0) omp_set_num_threads(threads);
}

ThreadLimit::~ThreadLimit() {
    if (before > 0) omp_set_num_threads(before);
}

const sb_operators *operators() {
    static const Table table;
    static const sb_operators result = {sizeof result, table.list.data(), table.list.size(), support,         launch,
                                        prepare,       release,           layouts().data(),  layouts().size()};
    return &result;
}
