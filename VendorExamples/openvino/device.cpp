// SPDX-License-Identifier: Apache-2.0
//
// Group "driver": memory is the host's own, so that programs read and write tensors where they lie.
#include "device.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

#include <unistd.h>

static sb_string view(const std::string &string) {
    return {string.data(), string.size()};
}

static std::string property(const Core &core, const std::string &device, const char *key, const char *doing) {
    char *value = nullptr;
    check(ov_core_get_property(core.get(), device.c_str(), key, &value), doing);
    std::string result = value;
    ov_free(value);
    return result;
}

void sb_instance::attach() {
    ov_core_t *made = nullptr;
    check(ov_core_create(&made), "start");
    core.reset(made);
    ov_version_t version{};
    check(ov_get_openvino_version(&version), "tell its version");
    build = version.buildNumber;
    ov_version_free(&version);
    char *name = nullptr;
    if (ov_core_get_property(core.get(), deviceName.c_str(), ov_property_key_device_full_name, &name) != OK)
        throw Failure(SB_ERROR_INVALID_ARGUMENT, "option 'device': OpenVINO has no device '" + deviceName + "' here");
    fullName = name;
    ov_free(name);
    while (!fullName.empty() && (fullName.back() == ' ' || fullName.back() == '\0')) fullName.pop_back();
    // Kernels are chosen by what the processor can do.
    abilities = property(core, deviceName, ov_property_key_device_capabilities, "tell what the device can do");
    identity = deviceName + "; " + fullName + "; " + abilities + "; " + precision + "; threads " + std::to_string(threads);

    configure();

    space.size = sizeof space;
    space.name = SB_STRING("host memory");
    space.kind = SB_SPACE_HOST;
    space.flags = SB_SPACE_FLAG_ALLOCATABLE | SB_SPACE_FLAG_HOST_VISIBLE;
    space.count = 1;
    space.capacity = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
    space.alignment = 64;
    hardware.size = sizeof hardware;
    hardware.id = view(deviceName);
    hardware.name = view(fullName);
    hardware.family = deviceName == "CPU" ? SB_FAMILY_CPU : SB_FAMILY_OTHER;
    hardware.driver = view(build);
    hardware.spaces = spaces;
    hardware.space_count = 1;
}

void sb_instance::configure() {
    // Of the core and not of a compilation, because the C interface has no properties for programs that are loaded.
    std::vector<ov_property_t> properties = {{ov_property_key_hint_inference_precision, precision.c_str()},
                                             {ov_property_key_hint_performance_mode, "LATENCY"}};
    const std::string count = std::to_string(threads);
    if (deviceName == "CPU") {
        // The host's threads stay where the host wants them.
        properties.push_back({ov_property_key_hint_enable_cpu_pinning, "NO"});
        if (threads > 0) properties.push_back({ov_property_key_inference_num_threads, count.c_str()});
    }
    check(ov_core_set_properties(core.get(), deviceName.c_str(), properties.size(), properties.data()), "set properties",
          SB_ERROR_INVALID_ARGUMENT);
}

static int32_t openDevice(sb_instance *instance, uint32_t index, sb_device **device, sb_error *error) {
    return guarded(error, [&] {
        if (index != 0) throw Failure(SB_ERROR_INVALID_ARGUMENT, "there is one device, number 0");
        auto opened = std::make_unique<sb_device>();
        opened->instance = instance;
        *device = opened.release();
    });
}

static void closeDevice(sb_device *device) {
    delete device;
}

static int32_t describeDevice(sb_instance *instance, uint32_t index, const sb_hardware **hardware, sb_error *error) {
    if (index != 0) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "there is one device, number 0");
    *hardware = &instance->hardware;
    return SB_OK;
}

static int32_t allocate(sb_device *device, uint32_t space, uint64_t bytes, uint64_t alignment, sb_buffer **buffer, sb_error *error) {
    return guarded(error, [&] {
        if (space != 0) throw Failure(SB_ERROR_INVALID_ARGUMENT, "the device has one memory space, number 0");
        if (bytes == 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
            throw Failure(SB_ERROR_INVALID_ARGUMENT, "an allocation has at least one byte, and an alignment that is a power of two");
        if (alignment < 64) alignment = 64;
        // The operating system would promise more than there is.
        if (bytes > device->instance->space.capacity) throw Failure(SB_ERROR_OUT_OF_MEMORY, "the host has less memory than that");
        auto made = std::make_unique<sb_buffer>();
        void *memory = nullptr;
        if (posix_memalign(&memory, alignment, bytes) != 0) throw std::bad_alloc();
        made->memory = static_cast<unsigned char *>(memory);
        made->bytes = bytes;
        device->used += bytes;
        *buffer = made.release();
    });
}

static void freeBuffer(sb_device *device, sb_buffer *buffer) {
    if (!buffer->imported) {
        device->used -= buffer->bytes;
        std::free(buffer->memory);
    }
    delete buffer;
}

/// The address of `bytes` bytes at a location.
static unsigned char *resolve(const sb_location &location, uint64_t bytes) {
    if (!location.buffer) {
        if (!location.host) throw Failure(SB_ERROR_INVALID_ARGUMENT, "a location has neither a buffer nor an address");
        return static_cast<unsigned char *>(location.host) + location.offset;
    }
    const uint64_t size = location.buffer->bytes;
    if (location.offset > size || bytes > size - location.offset)
        throw Failure(SB_ERROR_INVALID_ARGUMENT, "a range reaches beyond the end of its buffer");
    return location.buffer->memory + location.offset;
}

static int32_t copy(sb_device *, sb_stream *, sb_location destination, sb_location source, uint64_t bytes, sb_error *error) {
    if (bytes == 0) return SB_OK;
    return guarded(error, [&] { std::memcpy(resolve(destination, bytes), resolve(source, bytes), bytes); });
}

static int32_t fill(sb_device *, sb_stream *, sb_location destination, uint8_t byte, uint64_t bytes, sb_error *error) {
    if (bytes == 0) return SB_OK;
    return guarded(error, [&] { std::memset(resolve(destination, bytes), byte, bytes); });
}

static int32_t hostAddress(sb_device *, sb_buffer *buffer, void **address, sb_error *) {
    *address = buffer->memory;
    return SB_OK;
}

static int32_t importHost(sb_device *, void *address, uint64_t bytes, sb_buffer **buffer, sb_error *error) {
    return guarded(error, [&] {
        auto made = std::make_unique<sb_buffer>();
        made->memory = static_cast<unsigned char *>(address);
        made->bytes = bytes;
        made->imported = true;
        *buffer = made.release();
    });
}

static int32_t usage(sb_device *device, uint32_t space, uint64_t *bytes, sb_error *error) {
    if (space != 0) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "the device has one memory space, number 0");
    *bytes = device->used;
    return SB_OK;
}

const sb_driver driver = {sizeof driver,  openDevice,  closeDevice, allocate, freeBuffer, copy,   nullptr,
                          describeDevice, hostAddress, importHost,  fill,     usage,      nullptr};
