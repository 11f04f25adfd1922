// SPDX-License-Identifier: Apache-2.0
//
// A started plugin and its one device: an OpenVINO device that works in the host's memory.
#ifndef OPENVINO_PLUGIN_DEVICE_HPP
#define OPENVINO_PLUGIN_DEVICE_HPP

#include <atomic>

#include "openvino.hpp"

/// What the options say, and the OpenVINO core that serves them.
struct sb_instance {
    const sb_host *host = nullptr;
    Core core;
    /// As OpenVINO calls it: "CPU".
    std::string deviceName = "CPU";
    /// 0: all that there are.
    long threads = 0;
    /// OpenVINO's name of the type that programs are asked to compute in: "f32".
    std::string precision = "f32";
    /// OpenVINO's version and build.
    std::string build;
    /// The types that the device computes, and what else it can do, in OpenVINO's words.
    std::string abilities;
    /// As a person would call the device.
    std::string fullName;
    /// What a compiled program is bound to, apart from the build.
    std::string identity;

    sb_memory_space space{};
    const sb_memory_space *spaces[1] = {&space};
    sb_hardware hardware{};

    /// Asks OpenVINO for the device that the options name, and describes it.
    void attach();

  private:
    void configure();
};

struct sb_device {
    sb_instance *instance = nullptr;
    std::atomic<uint64_t> used{0};
};

struct sb_buffer {
    unsigned char *memory = nullptr;
    uint64_t bytes = 0;
    /// The memory is the host's.
    bool imported = false;
};

extern const sb_driver driver;

#endif
