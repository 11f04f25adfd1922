/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin "graph_compiler": its faults, and its driver: one device of host memory that the host does not see, with inline streams.
 */
#include <stdlib.h>
#include <string.h>

#include "southbridge.h"

enum fault {
    none,
    drops_residual,        /* the second operand of the last Add is left out              */
    ignores_second_use,    /* an inner value is gone after it was read once               */
    reads_constants_late,  /* a program points to the graph's own constants               */
    forgets_inner_output,  /* an output that is read inside, too, is not written          */
    narrow_inner_values,   /* inner values keep 16 bits                                   */
    one_scratch_for_all,   /* executions at once share their inner values                 */
    carries_over,          /* an execution adds to what the last one left                 */
    claims_by_turns,       /* the second claim of a graph differs from the first          */
    accepts_damage,        /* artefacts are not checked                                   */
    trusts_length,         /* a truncated artefact is read beyond its end                 */
    loads_other_profile,   /* what `verdict` refuses is loaded all the same               */
    saves_without_weights, /* constants of a saved program come back as zeros            */
    writes_input,          /* the first input is used as scratch                          */
    refuses_its_claim,     /* what was claimed is not compiled                            */
    overruns_save,         /* `save` does not look at the capacity                        */
};
#ifndef FAULT
#define FAULT none
#endif

struct sb_instance {
    const sb_host *host;
    uint32_t profile;
    bool graph;
};
enum { MOST_ACTIVITIES = 256 };
struct sb_device {
    sb_instance *instance;
    uint64_t executions, operations;
    uint64_t clock; /* picoseconds: a step takes a thousand */
    bool recording;
    uint32_t activity_count;
    struct {
        uint64_t begin, end, correlation, operations;
    } activities[MOST_ACTIVITIES];
};
struct sb_stream {
    sb_device *device;
};
struct sb_buffer {
    unsigned char *memory;
    uint64_t bytes;
};

static int32_t open_device(sb_instance *instance, uint32_t index, sb_device **device, sb_error *error) {
    if (index != 0) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "there is one device, number 0");
    *device = calloc(1, sizeof **device);
    (*device)->instance = instance;
    return SB_OK;
}

static void close_device(sb_device *device) {
    free(device);
}

static int32_t allocate(sb_device *device, uint32_t space, uint64_t bytes, uint64_t alignment, sb_buffer **buffer, sb_error *error) {
    (void)device;
    if (space != 0 || bytes == 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
        return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "no such space, size or alignment");
    if (alignment < 64) alignment = 64;
    if (bytes > (uint64_t)1 << 40) return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "no device has so much memory");
    sb_buffer *made = malloc(sizeof *made);
    made->memory = aligned_alloc((size_t)alignment, (size_t)((bytes + alignment - 1) & ~(alignment - 1)));
    made->bytes = bytes;
    if (!made->memory) {
        free(made);
        return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "the device's memory is full");
    }
    *buffer = made;
    return SB_OK;
}

static void free_buffer(sb_device *device, sb_buffer *buffer) {
    (void)device;
    free(buffer->memory);
    free(buffer);
}

static void *resolve(sb_location location, uint64_t bytes) {
    if (!location.buffer) return location.host ? (unsigned char *)location.host + location.offset : NULL;
    if (location.offset > location.buffer->bytes || bytes > location.buffer->bytes - location.offset) return NULL;
    return location.buffer->memory + location.offset;
}

static int32_t copy(sb_device *device, sb_stream *stream, sb_location destination, sb_location source, uint64_t bytes, sb_error *error) {
    (void)device, (void)stream;
    if (bytes == 0) return SB_OK;
    void *to = resolve(destination, bytes), *from = resolve(source, bytes);
    if (!to || !from) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a copy reaches beyond its buffer");
    memcpy(to, from, (size_t)bytes);
    return SB_OK;
}

static int32_t create_stream(sb_device *device, sb_stream **stream, sb_error *error) {
    (void)error;
    *stream = malloc(sizeof **stream);
    (*stream)->device = device;
    return SB_OK;
}

static void destroy_stream(sb_stream *stream) {
    free(stream);
}

static int32_t synchronize_stream(sb_stream *stream, sb_error *error) {
    (void)stream, (void)error;
    return SB_OK;
}

static void observe(sb_device *device, uint64_t steps, uint64_t operations, uint64_t correlation) {
    uint64_t begin = __atomic_fetch_add(&device->clock, steps * 1000, __ATOMIC_RELAXED);
    __atomic_fetch_add(&device->executions, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&device->operations, operations, __ATOMIC_RELAXED);
    if (!device->recording) return;
    uint32_t index = __atomic_fetch_add(&device->activity_count, 1, __ATOMIC_RELAXED);
    if (index >= MOST_ACTIVITIES) return;
    device->activities[index].begin = begin;
    device->activities[index].end = begin + steps * 1000;
    device->activities[index].correlation = correlation;
    device->activities[index].operations = operations;
}

static int32_t read_counters(sb_device *device, sb_counter *const *counters, size_t capacity, size_t *count, sb_error *error) {
    (void)error;
    const sb_counter all[] = {
        {.name = SB_STRING("executions"), .kind = SB_COUNTER_CUMULATIVE, .count = device->executions},
        {.name = SB_STRING("operations"), .unit = SB_STRING("operations"), .kind = SB_COUNTER_CUMULATIVE, .count = device->operations},
        {.name = SB_STRING("temperature"), .unit = SB_STRING("°C"), .kind = SB_COUNTER_GAUGE, .value = 36.5},
    };
    *count = sizeof all / sizeof all[0];
    for (size_t i = 0; i < *count && i < capacity; ++i) {
        size_t size = counters[i]->size;
        *counters[i] = all[i];
        counters[i]->size = size;
    }
    return SB_OK;
}

static int32_t record_activities(sb_device *device, bool on, sb_error *error) {
    (void)error;
    device->recording = on;
    return SB_OK;
}

static int32_t tell_activities(sb_device *device, void *context, void (*sink)(void *context, const sb_activity *activity),
                               sb_error *error) {
    (void)error;
    for (uint32_t i = 0; i < device->activity_count && i < MOST_ACTIVITIES; ++i) {
        const sb_activity activity = {.size = sizeof activity,
                                      .lane = SB_STRING("core 0"),
                                      .name = SB_STRING("program"),
                                      .begin = device->activities[i].begin,
                                      .end = device->activities[i].end,
                                      .correlation = device->activities[i].correlation,
                                      .operations = device->activities[i].operations};
        sink(context, &activity);
    }
    device->activity_count = 0;
    return SB_OK;
}

static const sb_observation observation = {
    .size = sizeof observation, .counters = read_counters, .record = record_activities, .activities = tell_activities};
static const sb_driver driver = {
    .size = sizeof driver, .open = open_device, .close = close_device, .allocate = allocate, .free = free_buffer, .copy = copy};
static const sb_streams streams = {
    .size = sizeof streams, .create = create_stream, .destroy = destroy_stream, .synchronize = synchronize_stream};
