// SPDX-License-Identifier: Apache-2.0
//
// What oneDNN makes of the processor at hand: what it has, or what the environment variable ONEDNN_MAX_CPU_ISA leaves of that.
#ifndef ONEDNN_PLUGIN_PROCESSOR_HPP
#define ONEDNN_PLUGIN_PROCESSOR_HPP

#include <dnnl.hpp>

struct Processor {
    bool hasAVX2 = false, hasAVX512 = false;
    /// Kernels of bfloat16.
    bool hasBFloat16 = false;
    /// Adds four products of bytes in 32 bits. Elsewhere they are added in pairs, in 16 bits, which saturate.
    bool addsFourProducts = false;
};

const Processor &processor();

/// Expected nanoseconds of a primitive on one thread.
/// \param implementation: oneDNN's name of it.
/// \param operations: a multiply-add is two; 0 where the bytes alone count.
/// \param bytes: read and written.
double expectedNanoseconds(dnnl::primitive::kind kind, const char *implementation, dnnl::memory::data_type type, double operations,
                           double bytes);

#endif
