// SPDX-License-Identifier: Apache-2.0
//
// What oneDNN makes of the processor at hand: what it has, or what the environment variable ONEDNN_MAX_CPU_ISA leaves of that.
#ifndef ONEDNN_PLUGIN_PROCESSOR_HPP
#define ONEDNN_PLUGIN_PROCESSOR_HPP

#include <string_view>

#include <dnnl.hpp>

struct Processor {
    bool hasAVX2 = false, hasAVX512 = false;
    /// Kernels of bfloat16.
    bool hasBFloat16 = false;
    /// Adds four products of bytes in 32 bits. Elsewhere they are added in pairs, in 16 bits, which saturate.
    bool addsFourProducts = false;
};

const Processor &processor();

/// What a primitive does.
struct Work {
    dnnl::primitive::kind kind;
    /// oneDNN's name of the implementation.
    std::string_view implementation;
    dnnl::memory::data_type type;
    /// A multiply-add is two; 0 where moving the bytes takes longer.
    double operations;
    /// Read and written.
    double bytes;
    /// Of the result.
    double elements;
    bool readsRowMajor;
    bool readsChannelsLast;
    bool writesRowMajor;
};

/// Expected nanoseconds on one thread.
double expectedNanoseconds(const Work &work);

#endif
