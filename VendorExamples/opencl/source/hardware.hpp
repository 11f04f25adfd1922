// SPDX-License-Identifier: Apache-2.0
//
// The OpenCL devices of this machine, and what they say of themselves.
#pragma once

#include <CL/cl.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "southbridge.h"

// One OpenCL device. It is found once; nothing in it changes.
struct Hardware {
    cl_device_id device = nullptr;
    std::string id, name, driver, build; // `build` names all that a compiled program depends on
    uint64_t capacity = 0, largest = 0, alignment = 128;
    size_t largest_group = 1, local_memory = 0;
    uint32_t unit_count = 1;
    bool is_cpu = false, has_float64 = false, has_exact_division = false;
    bool keeps_denormals = false, keeps_denormals_of_float64 = false;

    // The description for the host, which points into this object.
    const sb_hardware *description() const { return &table; }

    explicit Hardware(cl_device_id device);
    Hardware(const Hardware &) = delete;
    void describe();

  private:
    sb_memory_space memory{}, cache{}, scratch{};
    std::vector<const sb_memory_space *> spaces;
    sb_compute_unit unit{};
    const sb_compute_unit *units[1] = {&unit};
    sb_link link{};
    const sb_link *links[1] = {&link};
    sb_hardware table{};
};

// All devices of all platforms, in the order of OpenCL. Found when it is first asked for; loading a driver leaves the process's signal handlers alone.
const std::deque<Hardware> &all_hardware();
