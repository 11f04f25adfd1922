// SPDX-License-Identifier: Apache-2.0
//
// The operator library: what it offers, and how each node becomes a plan.
#ifndef ONEDNN_PLUGIN_KERNELS_HPP
#define ONEDNN_PLUGIN_KERNELS_HPP

#include "plan.hpp"

/// Adds the node's primitives to the builder's plan; throws a Refusal, or what oneDNN throws, if there are none.
using Build = void (*)(Builder &builder);

// elementwise.cpp
void buildUnary(Builder &builder);
void buildBinary(Builder &builder);
void buildSum(Builder &builder);
void buildFusedElementwise(Builder &builder);
// products.cpp
void buildMatMul(Builder &builder);
void buildFusedMatMul(Builder &builder);
void buildGemm(Builder &builder);
void buildFusedGemm(Builder &builder);
void buildMatMulInteger(Builder &builder);
// convolutions.cpp
void buildConv(Builder &builder);
void buildFusedConv(Builder &builder);
// pooling.cpp
void buildMaxPool(Builder &builder);
void buildAveragePool(Builder &builder);
void buildGlobalAveragePool(Builder &builder);
// normalisation.cpp
void buildBatchNormalization(Builder &builder);
void buildLayerNormalization(Builder &builder);
void buildLRN(Builder &builder);
void buildSoftmax(Builder &builder);
// movement.cpp
void buildTranspose(Builder &builder);
void buildCast(Builder &builder);
void buildConcat(Builder &builder);
void buildConvertLayout(Builder &builder);

/// Windows that go over spatial axes, as attributes of a node.
struct Window {
    Dims kernel, strides, dilations, before, after;

    Window() = default;
    /// \param data: shape of the input. \param result: of the output, from which padding that is left to `auto_pad` or to rounding up follows.
    Window(const Node &node, const Dims &data, const Dims &result, const Dims &kernel);
};

struct sb_instance {
    const sb_host *host = nullptr;
    /// 0: as many as OpenMP says.
    int threads = 0;
    /// That kernels would rather have; row-major: none.
    Layout wished = preferredLayout();
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
};

/// While it lives, this thread's parallel regions have so many threads; 0 changes nothing.
class ThreadLimit {
    int before;

  public:
    explicit ThreadLimit(int threads);
    ThreadLimit(const ThreadLimit &) = delete;
    ~ThreadLimit();
};

/// The group's table.
const sb_operators *operators();

#endif
