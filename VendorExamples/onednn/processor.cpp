// SPDX-License-Identifier: Apache-2.0
#include "processor.hpp"

#include <algorithm>

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

// Figures of one core at 2.7 GHz with AVX-512, by `make costs`. Others are another as much slower or faster: what matters is how they compare.

static double nanosecondsPerElement(const Work &work) {
    using Kind = dnnl::primitive::kind;
    const auto has = [&](std::string_view part) { return work.implementation.find(part) != std::string_view::npos; };
    switch (work.kind) {
    case Kind::reorder:
        if (work.type == dnnl::memory::data_type::f16) return 70;
        if (work.readsRowMajor && work.writesRowMajor) return 0;
        // To rows from where channels lie next to each other is the worst of all.
        return has("blk") ? 0.2 : work.writesRowMajor ? 0.7 : 0.35;
    case Kind::concat:
        return work.readsChannelsLast ? 0.25 : 0;
    case Kind::batch_normalization:
        return has("ncsp") ? 1.5 : 0.35;
    case Kind::lrn:
        return has("ref") ? 40 : work.readsChannelsLast ? 2.6 : 1;
    default:
        // Element by element, without any vectors.
        return has("ref") ? 40 : 0;
    }
}

double expectedNanoseconds(const Work &work) {
    const auto has = [&](std::string_view part) { return work.implementation.find(part) != std::string_view::npos; };
    const bool isReference = work.implementation.substr(0, 3) == "ref";
    double operationsPerNanosecond = processor().hasAVX512 ? 160 : processor().hasAVX2 ? 80 : 20;
    if (work.type == dnnl::memory::data_type::bf16) operationsPerNanosecond = has("amx") ? 700 : 80;
    // Convolutions as products of matrices that are laid out before.
    if (work.kind == dnnl::primitive::kind::convolution && has("gemm:")) operationsPerNanosecond /= 8;
    if (isReference) operationsPerNanosecond = 0.06;
    const double call = 2000, bytesPerNanosecond = 25;
    return call + std::max({work.operations / operationsPerNanosecond, work.bytes / bytesPerNanosecond,
                            work.elements * nanosecondsPerElement(work)});
}
