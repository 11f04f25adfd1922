// SPDX-License-Identifier: Apache-2.0
//
// The entry point. There is no driver: the library computes for whatever device has its tensors in the host's memory.
#include <memory>

#include "kernels.hpp"

static void set(sb_instance &instance, const sb_option &option) {
    const std::string_view name(option.name.data, option.name.length);
    const std::string value(option.value.data, option.value.length);
    if (name == "threads") {
        if (value.empty() || value.size() > 4 || value.find_first_not_of("0123456789") != std::string::npos)
            throw Failure(SB_ERROR_INVALID_ARGUMENT, "option 'threads' is a whole number from 0 to 9999");
        instance.threads = std::stoi(value);
    } else if (name == "layout") {
        const auto found = layoutNamed(value);
        if (!found) throw Failure(SB_ERROR_INVALID_ARGUMENT, "option 'layout' is auto, none, channels-last or channel-blocks");
        instance.wished = *found;
    } else {
        throw Failure(SB_ERROR_INVALID_ARGUMENT, "there are the options 'threads' and 'layout', and no '" + std::string(name) + "'");
    }
}

static int32_t start(const sb_host *host, const sb_option *options, size_t count, sb_instance **instance, sb_error *error) {
    return guarded(error, [&] {
        auto started = std::make_unique<sb_instance>();
        started->host = host;
        for (size_t i = 0; i < count; ++i) set(*started, options[i]);
        *instance = started.release();
    });
}

static void stop(sb_instance *instance) {
    delete instance;
}

static const sb_option_schema threadsOption = {sizeof threadsOption, SB_STRING("threads"),
                                               SB_OPTION_INTEGER,    0,
                                               SB_STRING("0"),       SB_STRING("threads that a kernel uses; 0: as many as OpenMP says")};
static const sb_option_schema layoutOption = {
    sizeof layoutOption, SB_STRING("layout"),
    SB_OPTION_STRING,    0,
    SB_STRING("auto"),   SB_STRING("of images, that kernels would rather have: auto, none, channels-last or channel-blocks")};
static const sb_option_schema *const options[] = {&threadsOption, &layoutOption};

static const sb_plugin *plugin() {
    static const sb_group groups[] = {{SB_STRING("operators"), 1, 0, operators()}};
    static const sb_plugin table = {sizeof table,
                                    SB_VERSION,
                                    0,
                                    SB_STRING("onednn"),
                                    SB_STRING("Southbridge examples"),
                                    SB_STRING("1.0"),
                                    groups,
                                    sizeof groups / sizeof groups[0],
                                    options,
                                    sizeof options / sizeof options[0],
                                    start,
                                    stop};
    return &table;
}

extern "C" SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **result, sb_error *error) {
    if (host->version >> 16 != SB_VERSION_MAJOR) return sb_fail(error, SB_ERROR_UNSUPPORTED, "this plugin is for another major version");
    return guarded(error, [&] { *result = plugin(); });
}
