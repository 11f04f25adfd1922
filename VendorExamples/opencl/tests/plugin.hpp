// SPDX-License-Identifier: Apache-2.0
//
// The plugin, started on its first device, and what the tests build for it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "southbridge.h"

inline int failures = 0;

inline void expect(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "failed: %s\n", what);
    ++failures;
}

template <typename Table> const Table &group(const sb_plugin &plugin, std::string_view name) {
    for (size_t i = 0; i < plugin.group_count; ++i)
        if (std::string_view(plugin.groups[i].name.data, plugin.groups[i].name.length) == name)
            return *(const Table *)plugin.groups[i].table;
    fprintf(stderr, "the plugin has no group\n");
    exit(1);
}

inline sb_tensor tensor(uint32_t type, int64_t *shape, uint32_t rank, sb_buffer *buffer) {
    sb_tensor made{};
    made.size = sizeof made;
    made.data_type = type;
    made.shape = shape;
    made.rank = rank;
    made.buffer = buffer;
    return made;
}

struct Plugin {
    sb_host host{};
    char text[200] = "";
    sb_error error{sizeof error, 0, 0, 0, text, sizeof text};
    const sb_plugin *plugin = nullptr;
    sb_instance *instance = nullptr;
    sb_device *device = nullptr;

    Plugin() {
        host.size = sizeof host;
        host.version = SB_VERSION;
        host.log = [](void *, uint32_t, sb_string) {};
        host.clock = [](void *) -> uint64_t { return 0; };
        need(southbridge_plugin(&host, &plugin, &error));
        need(plugin->start(&host, nullptr, 0, &instance, &error));
        need(driver().open(instance, 0, &device, &error));
    }
    Plugin(const Plugin &) = delete;
    ~Plugin() {
        driver().close(device);
        plugin->stop(instance);
    }
    const sb_driver &driver() const { return group<sb_driver>(*plugin, "driver"); }
    const sb_streams &streams() const { return group<sb_streams>(*plugin, "streams"); }
    const sb_operators &operators() const { return group<sb_operators>(*plugin, "operators"); }
    // The kernel of an operator that takes a type; NULL if there is none.
    const sb_kernel *kernel(std::string_view name, uint32_t type) const {
        for (size_t i = 0; i < operators().kernel_count; ++i) {
            const sb_kernel *found = operators().kernels[i];
            if (std::string_view(found->operator_name.data, found->operator_name.length) == name && found->data_types & SB_TYPE_BIT(type))
                return found;
        }
        return nullptr;
    }
    // Ends the test where nothing can be tried any more.
    void need(int32_t status) const {
        if (status == SB_OK) return;
        fprintf(stderr, "%s\n", text);
        exit(1);
    }
};
