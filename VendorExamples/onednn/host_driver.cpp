// SPDX-License-Identifier: Apache-2.0
#include "host_driver.hpp"

#include <cstdlib>
#include <cstring>
#include <memory>

#include <unistd.h>

struct sb_device {};

struct sb_buffer {
    unsigned char *memory;
    uint64_t bytes;
};

static uint64_t installed() {
    return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
}

static int32_t describe(sb_instance *, uint32_t index, const sb_hardware **hardware, sb_error *error) {
    static const sb_memory_space space = {sizeof space,
                                          SB_STRING("host memory"),
                                          SB_SPACE_HOST,
                                          SB_SPACE_FLAG_ALLOCATABLE | SB_SPACE_FLAG_HOST_VISIBLE,
                                          0,
                                          1,
                                          installed(),
                                          0,
                                          0,
                                          64,
                                          0};
    static const sb_memory_space *const spaces[] = {&space};
    static const sb_hardware host = {sizeof host,
                                     SB_STRING("host"),
                                     SB_STRING("the host, by way of oneDNN"),
                                     SB_FAMILY_CPU,
                                     0,
                                     {},
                                     {},
                                     {},
                                     spaces,
                                     1,
                                     nullptr,
                                     0,
                                     nullptr,
                                     0,
                                     nullptr,
                                     0,
                                     0,
                                     0,
                                     0};
    if (index != 0) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "there is one device, number 0");
    *hardware = &host;
    return SB_OK;
}

static int32_t openDevice(sb_instance *, uint32_t index, sb_device **device, sb_error *error) {
    return guarded(error, [&] {
        if (index != 0) throw Failure(SB_ERROR_INVALID_ARGUMENT, "there is one device, number 0");
        *device = new sb_device;
    });
}

static void closeDevice(sb_device *device) {
    delete device;
}

static int32_t allocate(sb_device *, uint32_t space, uint64_t bytes, uint64_t alignment, sb_buffer **buffer, sb_error *error) {
    return guarded(error, [&] {
        if (space != 0) throw Failure(SB_ERROR_INVALID_ARGUMENT, "the device has one memory space, number 0");
        if (bytes > installed()) throw Failure(SB_ERROR_OUT_OF_MEMORY, "the host has less memory than that");
        auto made = std::make_unique<sb_buffer>();
        void *memory = nullptr;
        if (posix_memalign(&memory, alignment < 64 ? 64 : alignment, bytes) != 0) throw std::bad_alloc();
        *made = {static_cast<unsigned char *>(memory), bytes};
        *buffer = made.release();
    });
}

static void freeBuffer(sb_device *, sb_buffer *buffer) {
    std::free(buffer->memory);
    delete buffer;
}

static unsigned char *resolve(const sb_location &location, uint64_t bytes) {
    if (!location.buffer) return static_cast<unsigned char *>(location.host) + location.offset;
    if (location.offset > location.buffer->bytes || bytes > location.buffer->bytes - location.offset)
        throw Failure(SB_ERROR_INVALID_ARGUMENT, "a range reaches beyond the end of its buffer");
    return location.buffer->memory + location.offset;
}

static int32_t copy(sb_device *, sb_stream *, sb_location destination, sb_location source, uint64_t bytes, sb_error *error) {
    if (bytes == 0) return SB_OK;
    return guarded(error, [&] { std::memcpy(resolve(destination, bytes), resolve(source, bytes), bytes); });
}

static int32_t hostAddress(sb_device *, sb_buffer *buffer, void **address, sb_error *) {
    *address = buffer->memory;
    return SB_OK;
}

const sb_driver hostDriver = {sizeof hostDriver, openDevice,  closeDevice, allocate, freeBuffer, copy,   nullptr,
                              describe,          hostAddress, nullptr,     nullptr,  nullptr,    nullptr};
