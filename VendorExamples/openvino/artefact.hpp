// SPDX-License-Identifier: Apache-2.0
//
// What a saved program looks like: a head of our own, the types and shapes of inputs and outputs, how many weights are packed, and the blob that OpenVINO has exported. The blob alone would not do:
// OpenVINO takes it on trust, and a damaged one may end the process.
#ifndef OPENVINO_PLUGIN_ARTEFACT_HPP
#define OPENVINO_PLUGIN_ARTEFACT_HPP

#include <string>
#include <vector>

#include "device.hpp"

/// Type and shape of an input or output.
struct Signature {
    uint32_t type = 0;
    std::vector<int64_t> shape;
};

struct Artefact {
    std::vector<Signature> inputs;
    std::vector<Signature> outputs;
    uint64_t packed = 0;
    std::string blob;
};

/// The bytes of an artefact for this device.
std::string written(const Artefact &artefact, const sb_instance &instance);

/// SB_ARTIFACT_* for any bytes whatever.
uint32_t judged(const void *data, uint64_t bytes, const sb_instance &instance);

/// Reads an artefact that was judged compatible.
Artefact read(const void *data, uint64_t bytes);

#endif
