// SPDX-License-Identifier: Apache-2.0
//
// Which nodes OpenVINO computes as ONNX says. The lists were found by trying (README.md): operators, types and attributes that it gets wrong are left out.
#ifndef OPENVINO_PLUGIN_CLAIMS_HPP
#define OPENVINO_PLUGIN_CLAIMS_HPP

#include "southbridge.h"

/// Whether the node is in the lists.
bool takes(const sb_node &node);

bool isDropout(const sb_node &node);

#endif
