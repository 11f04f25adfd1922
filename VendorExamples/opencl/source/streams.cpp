// SPDX-License-Identifier: Apache-2.0
//
// Groups "streams" and "events": in-order command queues, markers, and failures of kernels that come to light later.
#include <algorithm>

#include "device.hpp"

sb_stream::sb_stream(sb_device &device) : device(device) {
    cl_int status;
    cl_context context = device.shared.context.get();
    queue = Queue(clCreateCommandQueue(context, device.shared.hardware.device, 0, &status));
    check(status, "making a queue");
    fault = Memory(clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof reading, &reading, &status));
    check(status, "making a queue");
}

namespace {

// CL_COMPLETE, something above it for what is not finished, or a negative error.
cl_int status_of(const Event &event) {
    cl_int status = CL_COMPLETE;
    if (event)
        check(clGetEventInfo(event.get(), CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, nullptr), "asking for an event");
    return status;
}

Event marker(sb_stream &stream) {
    Event event;
    check(clEnqueueMarkerWithWaitList(stream.queue.get(), 0, nullptr, event.out()), "queueing a marker");
    // Others may wait for it: it must not stay behind in the queue.
    check(clFlush(stream.queue.get()), "starting a queue");
    return event;
}

} // namespace

bool sb_stream::accepts_work() {
    if (is_doubtful && verdict && status_of(verdict) <= CL_COMPLETE) {
        verdict = Event();
        is_poisoned = reading.code != 0;
        is_doubtful = is_poisoned;
    }
    if (is_poisoned) return false;
    has_work = true;
    return true;
}

void sb_stream::ask_for_verdict() {
    is_doubtful = true;
    check(clEnqueueReadBuffer(queue.get(), fault.get(), CL_FALSE, 0, sizeof reading, &reading, 0, nullptr, verdict.out()),
          "queueing a copy");
}

void sb_stream::finish() {
    bool was_doubtful = is_doubtful;
    is_doubtful = is_poisoned = has_work = false;
    mark = Event();
    verdict = Event();
    cl_int status = clFinish(queue.get());
    if (status != CL_SUCCESS) throw Failure{SB_ERROR_DEVICE_LOST, "the device failed: OpenCL error " + std::to_string(status)};
    if (!was_doubtful || reading.code == 0) return;
    Failure failure{SB_ERROR_INVALID_ARGUMENT, "an index is outside its axis",
                    reading.correlation_low | (uint64_t)reading.correlation_high << 32};
    reading = {};
    check(clEnqueueWriteBuffer(queue.get(), fault.get(), CL_TRUE, 0, sizeof reading, &reading, 0, nullptr, nullptr), "resetting a queue");
    throw failure;
}

namespace {

int32_t create_stream(sb_device *device, sb_stream **stream, sb_error *error) {
    return guarded(error, [&] { *stream = new sb_stream(*device); });
}

void destroy_stream(sb_stream *stream) {
    clFinish(stream->queue.get());
    if (stream->clock) clFinish(stream->clock.get());
    delete stream;
}

int32_t synchronize_stream(sb_stream *stream, sb_error *error) {
    return guarded(error, [&] { stream->finish(); });
}

int32_t query_stream(sb_stream *stream, sb_error *error) {
    bool ready = false;
    int32_t status = guarded(error, [&] {
        if (stream->has_work) {
            stream->mark = marker(*stream);
            stream->has_work = false;
        }
        ready = status_of(stream->mark) <= CL_COMPLETE;
    });
    return status != SB_OK || ready ? status : sb_fail(error, SB_ERROR_NOT_READY, "the stream has work left");
}

int32_t create_event(sb_device *, sb_event **event, sb_error *error) {
    return guarded(error, [&] { *event = new sb_event; });
}

void destroy_event(sb_event *event) {
    delete event;
}

int32_t record(sb_event *event, sb_stream *stream, sb_error *error) {
    return guarded(error, [&] {
        Event mark = marker(*stream), time;
        if (!stream->clock) {
            cl_int status;
            SharedDevice &shared = stream->device.shared;
            stream->clock = Queue(clCreateCommandQueue(shared.context.get(), shared.hardware.device, CL_QUEUE_PROFILING_ENABLE, &status));
            check(status, "making a queue");
        }
        cl_event object = mark.get();
        check(clEnqueueMarkerWithWaitList(stream->clock.get(), 1, &object, time.out()), "queueing a marker");
        check(clFlush(stream->clock.get()), "starting a queue");
        std::lock_guard guard(event->lock);
        event->mark = std::move(mark);
        event->time = std::move(time);
    });
}

Event shared(const Event &event) {
    if (event) clRetainEvent(event.get());
    return Event(event.get());
}

// The mark that the event has now.
Event marked(sb_event *event) {
    std::lock_guard guard(event->lock);
    return shared(event->mark);
}

int32_t wait_event(sb_stream *stream, sb_event *event, sb_error *error) {
    return guarded(error, [&] {
        Event mark = marked(event);
        if (!mark) return;
        cl_event object = mark.get();
        check(clEnqueueBarrierWithWaitList(stream->queue.get(), 1, &object, nullptr), "queueing a barrier");
        stream->has_work = true;
    });
}

int32_t synchronize_event(sb_event *event, sb_error *error) {
    return guarded(error, [&] {
        Event mark = marked(event);
        if (!mark) return;
        cl_event object = mark.get();
        check(clWaitForEvents(1, &object), "waiting for an event");
    });
}

bool is_reached(sb_event *event) {
    return status_of(marked(event)) <= CL_COMPLETE;
}

int32_t query_event(sb_event *event, sb_error *error) {
    bool ready = false;
    int32_t status = guarded(error, [&] { ready = is_reached(event); });
    return status != SB_OK || ready ? status : sb_fail(error, SB_ERROR_NOT_READY, "the mark is not reached");
}

// When the mark was reached, on the device's clock.
uint64_t time_of(sb_event *event) {
    Event time;
    {
        std::lock_guard guard(event->lock);
        if (!event->mark || status_of(event->mark) > CL_COMPLETE) throw Failure{SB_ERROR_NOT_READY, "a mark is not reached"};
        time = shared(event->time);
    }
    // It follows the mark at once.
    cl_event object = time.get();
    check(clWaitForEvents(1, &object), "waiting for the device's clock");
    cl_ulong nanoseconds = 0;
    check(clGetEventProfilingInfo(object, CL_PROFILING_COMMAND_END, sizeof nanoseconds, &nanoseconds, nullptr),
          "reading the device's clock");
    return nanoseconds;
}

int32_t elapsed(sb_event *start, sb_event *end, uint64_t *nanoseconds, sb_error *error) {
    return guarded(error, [&] {
        uint64_t from = time_of(start), to = time_of(end);
        *nanoseconds = to > from ? to - from : 0;
    });
}

} // namespace

const sb_streams streams_table = {sizeof streams_table, SB_EXECUTION_QUEUED, 0,      create_stream, destroy_stream,
                                  synchronize_stream,   query_stream,        nullptr};
const sb_events events_table = {sizeof events_table, create_event,      destroy_event, record,
                                wait_event,          synchronize_event, query_event,   elapsed};
