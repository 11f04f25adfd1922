// SPDX-License-Identifier: Apache-2.0
//
// A device of host memory, for the conformance build alone: the suite asks for a device to run kernels on, and this one adds nothing to them.
#ifndef ONEDNN_PLUGIN_HOST_DRIVER_HPP
#define ONEDNN_PLUGIN_HOST_DRIVER_HPP

#include "kernels.hpp"

extern const sb_driver hostDriver;

#endif
