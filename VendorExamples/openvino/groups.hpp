// SPDX-License-Identifier: Apache-2.0
//
// Nodes that make a program together.
#ifndef OPENVINO_PLUGIN_GROUPS_HPP
#define OPENVINO_PLUGIN_GROUPS_HPP

#include "southbridge.h"

/// Writes a number per node: 0 for those that are not taken, equal numbers above 0 for one program.
void group(const sb_graph &graph, uint32_t *groups);

/// Whether all nodes would make one program.
bool takesWhole(const sb_graph &graph);

#endif
