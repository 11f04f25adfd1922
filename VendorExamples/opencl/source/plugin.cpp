// SPDX-License-Identifier: Apache-2.0
//
// The entry point: what the plugin is called, its options and its groups.
#include <sys/stat.h>

#include "device.hpp"

namespace {

int32_t start(const sb_host *host, const sb_option *options, size_t option_count, sb_instance **instance, sb_error *error) {
    return guarded(error, [&] {
        auto made = std::make_unique<sb_instance>();
        made->host = host;
        for (size_t i = 0; i < option_count; ++i) {
            // "cache" is the only one.
            made->cache_folder.assign(options[i].value.data, options[i].value.length);
            struct stat folder;
            if (!made->cache_folder.empty() && stat(made->cache_folder.c_str(), &folder) == 0 && !S_ISDIR(folder.st_mode))
                throw Failure{SB_ERROR_INVALID_ARGUMENT, "option 'cache' takes a folder, and '" + made->cache_folder + "' is none"};
        }
        made->devices.resize(all_hardware().size());
        if (made->devices.empty())
            throw Failure{SB_ERROR_UNSUPPORTED, "there is no OpenCL device; 'clinfo' lists those that drivers have registered"};
        *instance = made.release();
    });
}

void stop(sb_instance *instance) {
    delete instance;
}

const sb_option_schema cache_option = {sizeof cache_option, SB_STRING("cache"),
                                       SB_OPTION_PATH,      0,
                                       SB_STRING(""),       SB_STRING("folder that keeps built programs between processes")};
const sb_option_schema *const options[] = {&cache_option};

} // namespace

SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    return guarded(error, [&] {
        if (host->version >> 16 != SB_VERSION_MAJOR) throw Failure{SB_ERROR_UNSUPPORTED, "this plugin is for another major version"};
        static const sb_group groups[] = {{SB_STRING("driver"), 1, 0, &driver_table},
                                          {SB_STRING("streams"), 1, 0, &streams_table},
                                          {SB_STRING("events"), 1, 0, &events_table},
                                          {SB_STRING("operators"), 1, 0, &operators_table()}};
        static const sb_plugin table = {
            sizeof table, SB_VERSION, 0, SB_STRING("opencl"), SB_STRING("Southbridge"), SB_STRING("0.1.0"), groups, 4, options, 1,
            start,        stop};
        *plugin = &table;
    });
}
