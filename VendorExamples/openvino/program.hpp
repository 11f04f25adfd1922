// SPDX-License-Identifier: Apache-2.0
//
// Group "graphs": a subgraph as a compiled model of OpenVINO.
#ifndef OPENVINO_PLUGIN_PROGRAM_HPP
#define OPENVINO_PLUGIN_PROGRAM_HPP

#include <mutex>
#include <vector>

#include "artefact.hpp"

/// An inference request with the tensors that it was last given.
struct Binding {
    Request request;
    /// Of inputs, then outputs.
    std::vector<void *> addresses;
    /// OpenVINO reads and writes through these; they hold no memory of their own.
    std::vector<Tensor> tensors;
};

struct sb_program {
    const sb_instance *instance = nullptr;
    /// What a loaded model was made of: OpenVINO's constants lie in it.
    std::string blob;
    CompiledModel model;
    /// Of its arithmetic: f32, f16, bf16. OpenVINO takes another than option 'precision' says where the device has no arithmetic of that type.
    std::string precision;
    std::vector<Signature> inputs;
    std::vector<Signature> outputs;
    /// Elements of the weights of products, which OpenVINO keeps in an order of its own beside the constants that it has read.
    uint64_t packed = 0;

    /// Owns what OpenVINO made.
    void hold(ov_compiled_model_t *compiled);
    /// Throws unless the model has inputs and outputs of these types and shapes.
    void verify() const;
    void execute(const sb_execution &execution);
    /// Bytes that OpenVINO holds for the program, as far as they can be told: the weights of products twice, as they were read (in float32 where they were float16, in float16
    /// where that is its arithmetic; the blob of a loaded program) and packed. It tells nothing of its working memory and its code, so that there is more (README.md).
    uint64_t resident() const;
    /// The blob that OpenVINO makes of the model.
    std::string exported() const;

  private:
    std::mutex mutex;
    /// Those that no execution uses now: as many as have run at once.
    std::vector<Binding> idle;

    Binding take();
    void give(Binding binding);
};

extern const sb_graphs graphs;

#endif
