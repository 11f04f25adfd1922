// SPDX-License-Identifier: Apache-2.0
//
// Group "driver": devices, memory, copies.
#include <algorithm>
#include <cstring>

#include "device.hpp"
#include "sources.hpp"

SharedDevice &sb_instance::device(uint32_t index) {
    std::lock_guard guard(lock);
    if (index >= devices.size()) throw Failure{SB_ERROR_INVALID_ARGUMENT, "there is no OpenCL device of this number"};
    if (!devices[index]) {
        const Hardware &hardware = all_hardware()[index];
        cl_int status;
        Context context(clCreateContext(nullptr, 1, &hardware.device, nullptr, nullptr, &status));
        check(status, "making a context");
        devices[index] = std::make_unique<SharedDevice>(hardware, std::move(context), cache_folder);
    }
    return *devices[index];
}

namespace {

int32_t count_devices(sb_instance *instance, uint32_t *count, sb_error *) {
    *count = (uint32_t)instance->devices.size();
    return SB_OK;
}

int32_t describe(sb_instance *instance, uint32_t index, const sb_hardware **hardware, sb_error *error) {
    if (index >= instance->devices.size()) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "there is no OpenCL device of this number");
    *hardware = all_hardware()[index].description();
    return SB_OK;
}

int32_t open_device(sb_instance *instance, uint32_t index, sb_device **device, sb_error *error) {
    return guarded(error, [&] { *device = new sb_device(*instance, instance->device(index)); });
}

void close_device(sb_device *device) {
    delete device;
}

// Adds to a sum unless that would exceed the limit.
bool add(std::atomic<uint64_t> &sum, uint64_t amount, uint64_t limit) {
    uint64_t before = sum.load();
    do {
        if (amount > limit || before > limit - amount) return false;
    } while (!sum.compare_exchange_weak(before, before + amount));
    return true;
}

int32_t allocate(sb_device *device, uint32_t space, uint64_t bytes, uint64_t alignment, sb_buffer **buffer, sb_error *error) {
    return guarded(error, [&] {
        if (space != 0) throw Failure{SB_ERROR_INVALID_ARGUMENT, "memory space 0 alone can be allocated"};
        if (bytes == 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
            throw Failure{SB_ERROR_INVALID_ARGUMENT, "the size must not be 0, and the alignment a power of two"};
        const Hardware &hardware = device->shared.hardware;
        if (bytes > hardware.largest) throw Failure{SB_ERROR_OUT_OF_MEMORY, "that is more than the device's largest allocation"};
        if (!add(device->shared.used, bytes, hardware.capacity)) throw Failure{SB_ERROR_OUT_OF_MEMORY, "the device's memory is full"};
        cl_int status;
        Memory memory(clCreateBuffer(device->shared.context.get(), CL_MEM_READ_WRITE, bytes, nullptr, &status));
        // Many drivers take the memory when it is first used; asking for it now lets it fail here.
        if (status == CL_SUCCESS && bytes >= 1 << 20) {
            cl_mem object = memory.get();
            Event done;
            status = clEnqueueMigrateMemObjects(device->direct.queue.get(), 1, &object, CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0, nullptr,
                                                done.out());
            cl_event event = done.get();
            if (status == CL_SUCCESS) status = clWaitForEvents(1, &event);
        }
        if (status != CL_SUCCESS) {
            device->shared.used -= bytes;
            throw Failure{SB_ERROR_OUT_OF_MEMORY, "the device's memory is full"};
        }
        device->used += bytes;
        *buffer = new sb_buffer{std::move(memory), bytes};
    });
}

void free_buffer(sb_device *device, sb_buffer *buffer) {
    device->used -= buffer->bytes;
    device->shared.used -= buffer->bytes;
    delete buffer;
}

int32_t usage(sb_device *device, uint32_t space, uint64_t *bytes, sb_error *error) {
    if (space >= device->shared.hardware.description()->space_count)
        return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "there is no such memory space");
    *bytes = space == 0 ? device->used.load() : 0;
    return SB_OK;
}

void check_range(const sb_location &location, uint64_t bytes) {
    const sb_buffer *buffer = location.buffer;
    if (buffer ? location.offset > buffer->bytes || bytes > buffer->bytes - location.offset : !location.host)
        throw Failure{SB_ERROR_INVALID_ARGUMENT, buffer ? "a range of bytes reaches beyond its buffer" : "host memory is missing"};
}

char *host_address(const sb_location &location) {
    return (char *)location.host + location.offset;
}

// Runs one of the kernels that do nothing on a stream with a fault.
template <typename... Arguments> void run_guarded(sb_stream &stream, const char *name, uint64_t bytes, const Arguments &...arguments) {
    Kernel kernel = stream.device.shared.programs.kernel(sources::copy, "", name);
    cl_mem fault = stream.fault.get();
    cl_uint index = 0;
    cl_int status = clSetKernelArg(kernel.get(), index++, sizeof fault, &fault);
    ((status = status ? status : clSetKernelArg(kernel.get(), index++, sizeof arguments, &arguments)), ...);
    check(status, "passing arguments");
    size_t local = 64, global = std::min<uint64_t>((bytes + local - 1) / local, 4096) * local;
    check(clEnqueueNDRangeKernel(stream.queue.get(), kernel.get(), 1, nullptr, &global, &local, 0, nullptr, nullptr), "queueing a copy");
}

// Device memory for bytes on their way from or to the host.
Memory stage(sb_stream &stream, uint64_t bytes) {
    cl_int status;
    Memory memory(clCreateBuffer(stream.device.shared.context.get(), CL_MEM_READ_WRITE, bytes, nullptr, &status));
    check(status, "taking memory for a copy");
    return memory;
}
constexpr uint64_t largest_stage = 4 << 20;

void enqueue_write(sb_stream &stream, cl_mem to, uint64_t offset, const void *from, uint64_t bytes, Event &done) {
    check(clEnqueueWriteBuffer(stream.queue.get(), to, CL_FALSE, offset, bytes, from, 0, nullptr, done.out()), "queueing a copy");
}

void enqueue_read(sb_stream &stream, cl_mem from, uint64_t offset, void *to, uint64_t bytes, Event &done) {
    check(clEnqueueReadBuffer(stream.queue.get(), from, CL_FALSE, offset, bytes, to, 0, nullptr, done.out()), "queueing a copy");
}

// Queues a copy. Host to host takes the way over the device, so that it has its place in the queue.
void enqueue_copy(sb_stream &stream, const sb_location &to, const sb_location &from, uint64_t bytes, Event &done) {
    if (to.buffer && from.buffer) {
        check(clEnqueueCopyBuffer(stream.queue.get(), from.buffer->memory.get(), to.buffer->memory.get(), from.offset, to.offset, bytes, 0,
                                  nullptr, done.out()),
              "queueing a copy");
    } else if (to.buffer) {
        enqueue_write(stream, to.buffer->memory.get(), to.offset, host_address(from), bytes, done);
    } else if (from.buffer) {
        enqueue_read(stream, from.buffer->memory.get(), from.offset, host_address(to), bytes, done);
    } else {
        uint64_t part = std::min(bytes, largest_stage);
        Memory staged = stage(stream, part);
        for (uint64_t at = 0; at < bytes; at += part) {
            uint64_t count = std::min(part, bytes - at);
            enqueue_write(stream, staged.get(), 0, host_address(from) + at, count, done);
            enqueue_read(stream, staged.get(), 0, host_address(to) + at, count, done);
        }
    }
}

// A copy to a buffer that is left out if work before it has failed. Those to the host need no such care: what they deliver then is undefined (SB-STR-004).
void enqueue_guarded_copy(sb_stream &stream, const sb_location &to, const sb_location &from, uint64_t bytes) {
    cl_mem target = to.buffer->memory.get();
    cl_ulong to_offset = to.offset, from_offset = from.offset, count = bytes;
    if (from.buffer) {
        cl_mem source = from.buffer->memory.get();
        run_guarded(stream, "copy", count, target, to_offset, source, from_offset, count);
        return;
    }
    uint64_t part = std::min(bytes, largest_stage);
    Memory staged = stage(stream, part);
    cl_mem source = staged.get();
    from_offset = 0;
    for (uint64_t at = 0; at < bytes; at += part, to_offset += part) {
        Event written;
        count = std::min(part, bytes - at);
        enqueue_write(stream, source, 0, host_address(from) + at, count, written);
        run_guarded(stream, "copy", count, target, to_offset, source, from_offset, count);
    }
}

void wait(const Event &event) {
    cl_event object = event.get();
    check(clWaitForEvents(1, &object), "waiting for a copy");
}

int32_t copy(sb_device *device, sb_stream *stream, sb_location to, sb_location from, uint64_t bytes, sb_error *error) {
    return guarded(error, [&] {
        if (bytes == 0) return;
        check_range(to, bytes);
        check_range(from, bytes);
        Event done;
        if (!stream) {
            if (!to.buffer && !from.buffer) {
                memcpy(host_address(to), host_address(from), bytes);
                return;
            }
            enqueue_copy(device->direct, to, from, bytes, done);
            wait(done);
        } else if (stream->accepts_work()) {
            if (stream->is_doubtful && to.buffer)
                enqueue_guarded_copy(*stream, to, from, bytes);
            else
                enqueue_copy(*stream, to, from, bytes, done);
        }
    });
}

int32_t fill(sb_device *device, sb_stream *stream, sb_location to, uint8_t byte, uint64_t bytes, sb_error *error) {
    return guarded(error, [&] {
        if (bytes == 0) return;
        check_range(to, bytes);
        if (!to.buffer && !stream) {
            memset(host_address(to), byte, bytes);
            return;
        }
        if (stream && !stream->accepts_work()) return;
        bool is_doubtful = stream && stream->is_doubtful;
        sb_stream &used = stream ? *stream : device->direct;
        Event done;
        auto enqueue = [&](cl_mem memory, cl_ulong offset, cl_ulong count) {
            if (is_doubtful)
                run_guarded(used, "fill", count, memory, offset, byte, count);
            else
                check(clEnqueueFillBuffer(used.queue.get(), memory, &byte, 1, offset, count, 0, nullptr, done.out()), "queueing a fill");
        };
        if (to.buffer) {
            enqueue(to.buffer->memory.get(), to.offset, bytes);
            if (!stream) wait(done);
            return;
        }
        // Host memory goes through the device. What it holds comes along, and goes back if the fill is left out.
        uint64_t part = std::min(bytes, largest_stage);
        Memory staged = stage(used, part);
        for (uint64_t at = 0; at < bytes; at += part) {
            uint64_t count = std::min(part, bytes - at);
            if (is_doubtful) enqueue_write(used, staged.get(), 0, host_address(to) + at, count, done);
            enqueue(staged.get(), 0, count);
            enqueue_read(used, staged.get(), 0, host_address(to) + at, count, done);
        }
    });
}

} // namespace

const sb_driver driver_table = {sizeof driver_table,
                                open_device,
                                close_device,
                                allocate,
                                free_buffer,
                                copy,
                                count_devices,
                                describe,
                                nullptr,
                                nullptr,
                                fill,
                                usage,
                                nullptr};
