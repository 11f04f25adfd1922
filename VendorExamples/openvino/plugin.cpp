// SPDX-License-Identifier: Apache-2.0
//
// The entry point: options, start and stop.
#include <cstring>

#include "device.hpp"
#include "program.hpp"

static long wholeNumber(const std::string &value, long largest) {
    if (value.empty() || value.find_first_not_of("0123456789") != std::string::npos || value.size() > 9) return -1;
    const long number = std::stol(value);
    return number <= largest ? number : -1;
}

static void apply(sb_instance &instance, const sb_option &option) {
    const std::string name = text(option.name), value = text(option.value);
    if (name == "device") {
        instance.deviceName = value;
    } else if (name == "threads") {
        instance.threads = wholeNumber(value, 4096);
        if (instance.threads < 0) throw Failure(SB_ERROR_INVALID_ARGUMENT, "option 'threads' is a whole number from 0 to 4096");
    } else if (name == "precision") {
        if (value == "float32")
            instance.precision = "f32";
        else if (value == "float16")
            instance.precision = "f16";
        else if (value == "bfloat16")
            instance.precision = "bf16";
        else
            throw Failure(SB_ERROR_INVALID_ARGUMENT, "option 'precision' is float32, float16 or bfloat16");
    } else {
        throw Failure(SB_ERROR_INVALID_ARGUMENT, "there is no option '" + name + "'");
    }
}

static int32_t start(const sb_host *host, const sb_option *options, size_t count, sb_instance **instance, sb_error *error) {
    return guarded(error, [&] {
        auto started = std::make_unique<sb_instance>();
        started->host = host;
        for (size_t i = 0; i < count; ++i) apply(*started, options[i]);
        started->attach();
        const std::string needed = started->precision == "f16" ? "FP16" : started->precision == "bf16" ? "BF16" : "FP32";
        if (started->abilities.find(needed) == std::string::npos) {
            const std::string warning = "option 'precision': the device computes " + started->abilities + ", not " + needed +
                                        "; OpenVINO takes another type, and programs declare which";
            host->log(host->context, SB_LOG_WARNING, {warning.data(), warning.size()});
        }
        *instance = started.release();
    });
}

static void stop(sb_instance *instance) {
    delete instance;
}

static const sb_option_schema deviceOption = {
    sizeof deviceOption, SB_STRING("device"),
    SB_OPTION_STRING,    0,
    SB_STRING("CPU"),    SB_STRING("OpenVINO's name of the device to compile for: CPU, GPU, GPU.1, NPU ...")};
static const sb_option_schema threadsOption = {
    sizeof threadsOption, SB_STRING("threads"),
    SB_OPTION_INTEGER,    0,
    SB_STRING("0"),       SB_STRING("threads that a program uses; 0: as many as there are cores")};
static const sb_option_schema precisionOption = {
    sizeof precisionOption, SB_STRING("precision"),
    SB_OPTION_STRING,       0,
    SB_STRING("float32"),   SB_STRING("float32; bfloat16 and float16: values are rounded to it, as programs declare")};
static const sb_option_schema *const options[] = {&deviceOption, &threadsOption, &precisionOption};

static const sb_group groups[] = {{SB_STRING("driver"), 1, 0, &driver}, {SB_STRING("graphs"), 1, 0, &graphs}};

static const sb_plugin table = {sizeof table,
                                SB_VERSION,
                                0,
                                SB_STRING("openvino"),
                                SB_STRING("Southbridge examples"),
                                SB_STRING("1.0"),
                                groups,
                                sizeof groups / sizeof groups[0],
                                options,
                                sizeof options / sizeof options[0],
                                start,
                                stop};

extern "C" SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    if (host->version >> 16 != SB_VERSION_MAJOR) return sb_fail(error, SB_ERROR_UNSUPPORTED, "this plugin is for another major version");
    *plugin = &table;
    return SB_OK;
}
