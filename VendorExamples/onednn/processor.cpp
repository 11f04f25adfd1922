// SPDX-License-Identifier: Apache-2.0
#include "processor.hpp"

#include <algorithm>
#include <string_view>

static Processor look() {
    using Isa = dnnl::cpu_isa;
    Processor found;
    const Isa isa = dnnl::get_effective_cpu_isa();
    const bool hasVNNI = isa == Isa::avx512_core_vnni || isa == Isa::avx512_core_bf16 || isa == Isa::avx512_core_amx;
    found.hasAVX512 = isa == Isa::avx512_core || hasVNNI;
    found.hasAVX2 = isa == Isa::avx2 || isa == Isa::avx2_vnni || found.hasAVX512;
    found.hasBFloat16 = found.hasAVX512;
    found.addsFourProducts = isa == Isa::avx2_vnni || hasVNNI;
    return found;
}

const Processor &processor() {
    static const Processor found = look();
    return found;
}

double expectedNanoseconds(dnnl::primitive::kind kind, const char *implementation, dnnl::memory::data_type type, double operations,
                           double bytes) {
    const std::string_view name = implementation;
    const auto has = [&](const char *part) { return name.find(part) != std::string_view::npos; };
    // Figures of one core at 2.7 GHz: what was measured of kernels whose operands lie in its caches.
    double operationsPerNanosecond = processor().hasAVX512 ? 160 : processor().hasAVX2 ? 80 : 20, bytesPerNanosecond = 25;
    if (type == dnnl::memory::data_type::bf16) operationsPerNanosecond = has("amx") ? 1000 : 80;
    // Element by element, without any vectors.
    const bool isReorder = kind == dnnl::primitive::kind::reorder, isCopy = isReorder || kind == dnnl::primitive::kind::concat;
    if ((has("ref") && !isCopy) || (has("simple") && isReorder)) {
        operationsPerNanosecond = 0.06;
        bytesPerNanosecond = 0.1;
    }
    const double call = 500;
    return call + std::max(operations / operationsPerNanosecond, bytes / bytesPerNanosecond);
}
