// SPDX-License-Identifier: Apache-2.0
//
// Group "operators": what is offered, and how it is asked for, prepared and launched.
#include "kernels.hpp"

#include <memory>

// Of the OpenMP runtime that oneDNN brings, whatever the compiler's own is.
extern "C" int omp_get_max_threads(void);
extern "C" void omp_set_num_threads(int count);

namespace {

constexpr uint64_t float32 = SB_TYPE_BIT(SB_TYPE_FLOAT32);
constexpr uint64_t floats = float32 | SB_TYPE_BIT(SB_TYPE_BFLOAT16);
constexpr uint64_t bytes = SB_TYPE_BIT(SB_TYPE_INT8) | SB_TYPE_BIT(SB_TYPE_UINT8);
constexpr uint64_t convertible = floats | SB_TYPE_BIT(SB_TYPE_FLOAT16) | bytes;
/// Elements that come out as they went in; floats of 16 bits lose subnormal numbers and signs of zeros.
constexpr uint64_t movable = float32 | bytes | SB_TYPE_BIT(SB_TYPE_INT32);

/// Maximum and minimum of a number and NaN give the number; softmax has no subnormal results.
constexpr sb_numerics numerics = {sizeof(sb_numerics), 0, 0, SB_NUMERICS_IGNORES_NAN | SB_NUMERICS_FLUSHES_DENORMALS, 0, 0};

struct Offer {
    std::string_view name;
    uint32_t since;
    uint64_t types;
    Build build;
};

// Left out: Log and LogSoftmax (off by some fifty units in the last place), Softplus (small results lost), Exp (NaN lost), GlobalMaxPool (the fault of MaxPool); in
// bfloat16 Softmax (rounded twice), BatchNormalization (statistics of another type than the data), LayerNormalization and Round (not there).
constexpr Offer offers[] = {
    {"Abs", 6, floats, buildUnary},
    {"Add", 7, floats, buildBinary},
    {"AveragePool", 7, floats, buildAveragePool},
    {"BatchNormalization", 9, float32, buildBatchNormalization},
    {"Cast", 6, convertible, buildCast},
    {"Concat", 4, movable, buildConcat},
    {"Conv", 1, floats, buildConv},
    {"Div", 7, floats, buildBinary},
    {"Elu", 6, floats, buildUnary},
    {"Gelu", 20, floats, buildUnary},
    {"Gemm", 7, floats, buildGemm},
    {"GlobalAveragePool", 1, floats, buildGlobalAveragePool},
    {"HardSwish", 14, floats, buildUnary},
    {"LRN", 1, floats, buildLRN},
    {"LayerNormalization", 17, float32, buildLayerNormalization},
    {"LeakyRelu", 6, floats, buildUnary},
    {"MatMul", 1, floats, buildMatMul},
    {"MatMulInteger", 10, bytes, buildMatMulInteger},
    {"Max", 6, floats, buildBinary},
    {"MaxPool", 1, floats | bytes, buildMaxPool},
    {"Min", 6, floats, buildBinary},
    {"Mish", 18, floats, buildUnary},
    {"Mul", 7, floats, buildBinary},
    {"Relu", 6, floats, buildUnary},
    {"Round", 11, float32, buildUnary},
    {"Sigmoid", 6, floats, buildUnary},
    {"Softmax", 1, float32, buildSoftmax},
    {"Sqrt", 6, floats, buildUnary},
    {"Sub", 7, floats, buildBinary},
    {"Tanh", 6, floats, buildUnary},
    {"Transpose", 1, movable, buildTranspose},
};

/// What this processor can be asked for: what would always be refused is not offered.
uint64_t available(const Offer &offer) {
    bool hasBFloat16 = false, addsFourProducts = false;
    switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core:
        hasBFloat16 = true;
        break;
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
        hasBFloat16 = addsFourProducts = true;
        break;
    case dnnl::cpu_isa::avx2_vnni:
        addsFourProducts = true;
        break;
    default:
        break;
    }
    // Elsewhere products of bytes are added in pairs, in 16 bits, which saturate.
    if (offer.build == buildMatMulInteger && !addsFourProducts) return 0;
    // Conversions do not take instructions of their own.
    return hasBFloat16 || offer.build == buildCast ? offer.types : offer.types & ~SB_TYPE_BIT(SB_TYPE_BFLOAT16);
}

/// Made once, when the library is loaded, and never changed.
struct Table {
    std::vector<sb_kernel> kernels;
    /// As the header wants them (SB-ABI-005).
    std::vector<const sb_kernel *> list;

    Table() {
        for (const Offer &each : offers) {
            const uint64_t types = available(each);
            const sb_string name{each.name.data(), each.name.size()};
            if (types) kernels.push_back({sizeof(sb_kernel), name, {}, name, each.since, 0, types, 0, 0, 0, &each, &numerics});
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

int32_t support(sb_instance *instance, sb_device *, const sb_node *const *nodes, size_t count, sb_support *const *answers,
                sb_error *error) {
    return guarded(error, [&] {
        for (size_t i = 0; i < count; ++i) {
            try {
                answers[i]->workspace = plan(instance, *nodes[i], false)->workspace;
                answers[i]->supported = 1;
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
    static const sb_operators result = {sizeof result, table.list.data(), table.list.size(), support, launch, prepare, release};
    return &result;
}
