/* SPDX-License-Identifier: Apache-2.0
 *
 * A handful of kernels on a device that does nothing before somebody waits for it, and then only what that takes. Its queues are rings: no call allocates.
 * Work can be cancelled. With -DENDLESS a launch lasts until then. With -DFAILS_AT=N the N-th launch of a stream fails.
 * With -DPEERS there are two devices and a way between them; with -DNO_WAY there are two without. With -DVISIBLE the host sees its memory. With -DGATHERS its one
 * kernel is Gather, which finds an index out of range when it runs; then -DRUNS_ON does what comes after such a failure, -DNO_NUMBER does not tell whose it was, and
 * -DSTAYS_POISONED never works again.
 */
#define _DEFAULT_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#define ENTRY few_plugin
#include "few_kernels.c"

#ifndef FAILS_AT
#define FAILS_AT 0
#endif

enum { CAPACITY = 1024 };

struct task {
    enum { COPY, LAUNCH, WAIT, MARK } kind;
    void *to, *from;
    uint64_t bytes;
    const sb_launch *launch;
    sb_stream *other;
    uint64_t mark;
};

struct sb_stream {
    struct task ring[CAPACITY];
    uint64_t done, given, launches;
    int32_t poison;
    uint64_t correlation;
    atomic_bool cancelled;
    bool dropped;
};

struct sb_event {
    sb_stream *stream;
    uint64_t mark;
};

#ifdef GATHERS
static const sb_kernel gather = {.size = sizeof gather,
                                 .name = SB_STRING("gather"),
                                 .operator_name = SB_STRING("Gather"),
                                 .since = 13,
                                 .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32)};
static const sb_kernel *const gather_list[] = {&gather};

static int32_t launch_now(const sb_launch *given, sb_error *error) {
    const sb_tensor *x = given->inputs[0], *indices = given->inputs[1], *y = given->outputs[0];
    const int64_t *index = (const int64_t *)(indices->buffer->memory + indices->offset);
    uint64_t count = sb_element_count(y);
    int64_t size = x->shape[0];
    for (uint64_t i = 0; i < count; ++i)
        if (index[i] < -size || index[i] >= size) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "an index is out of range");
    for (uint64_t i = 0; i < count; ++i) elements(y)[i] = elements(x)[index[i] < 0 ? index[i] + size : index[i]];
    return SB_OK;
}

static int32_t support_gather(sb_instance *instance, sb_device *device, const sb_node *const *nodes, size_t node_count,
                              sb_support *const *answers, sb_error *error) {
    (void)instance, (void)device, (void)error;
    for (size_t i = 0; i < node_count; ++i) answers[i]->supported = nodes[i]->inputs[0]->rank == 1;
    return SB_OK;
}
#else
#define launch_now launch_few
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void work_until(sb_stream *stream, uint64_t mark);

static void work(sb_stream *stream, const struct task *task) {
    if (task->kind == WAIT) work_until(task->other, task->mark);
#ifndef RUNS_ON
    if (stream->poison) return;
#endif
    if (task->kind == COPY) memcpy(task->to, task->from, (size_t)task->bytes);
    if (task->kind != LAUNCH) return;
#ifdef ENDLESS
    while (!stream->cancelled) usleep(1000);
#endif
    int32_t status = ++stream->launches == FAILS_AT ? SB_ERROR_INTERNAL : launch_now(task->launch, NULL);
    if (!status || stream->poison) return;
#ifndef NO_NUMBER
    stream->correlation = task->launch->correlation;
#endif
    stream->poison = status;
}

static void work_until(sb_stream *stream, uint64_t mark) {
    while (stream->done < mark) {
        struct task *task = &stream->ring[stream->done % CAPACITY];
        if (stream->cancelled)
            stream->dropped = true;
        else
            work(stream, task);
        ++stream->done;
    }
}

static int32_t give(sb_stream *stream, struct task task) {
    pthread_mutex_lock(&lock);
    if (stream->given - stream->done == CAPACITY) work_until(stream, stream->done + 1);
    stream->ring[stream->given++ % CAPACITY] = task;
    pthread_mutex_unlock(&lock);
    return SB_OK;
}

static int32_t queue_copy(sb_device *device, sb_stream *stream, sb_location destination, sb_location source, uint64_t bytes,
                          sb_error *error) {
    if (!stream) return copy(device, stream, destination, source, bytes, error);
    void *to = resolve(destination, bytes), *from = resolve(source, bytes);
    if (!to || !from) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a copy reaches beyond its buffer");
    return give(stream, (struct task){.kind = COPY, .to = to, .from = from, .bytes = bytes});
}

static int32_t copy_peer(sb_device *device, sb_stream *stream, sb_location destination, sb_device *peer, sb_location source, uint64_t bytes,
                         sb_error *error) {
#ifdef NO_WAY
    (void)device, (void)stream, (void)destination, (void)peer, (void)source, (void)bytes;
    return sb_fail(error, SB_ERROR_UNSUPPORTED, "there is no way between these devices");
#else
    (void)peer;
    return queue_copy(device, stream, destination, source, bytes, error);
#endif
}

static int32_t open_one(sb_instance *instance, uint32_t index, sb_device **device, sb_error *error) {
    return device_open(instance, index < 2 ? 0 : index, device, error);
}

static int32_t count_devices(sb_instance *instance, uint32_t *count, sb_error *error) {
    (void)instance;
    (void)error;
    *count = 2;
    return SB_OK;
}

static int32_t queue_launch(const sb_launch *given, sb_error *error) {
    if (!given->stream) return launch_now(given, error);
    return give(given->stream, (struct task){.kind = LAUNCH, .launch = given});
}

static int32_t create_stream(sb_device *device, sb_stream **stream, sb_error *error) {
    (void)device;
    *stream = calloc(1, sizeof **stream);
    return *stream ? SB_OK : sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "no memory for a queue");
}

static int32_t synchronize_stream(sb_stream *stream, sb_error *error) {
    pthread_mutex_lock(&lock);
    work_until(stream, stream->given);
    int32_t status = stream->poison ? stream->poison : stream->dropped ? SB_ERROR_CANCELLED : SB_OK;
    if (stream->poison && error) error->correlation = stream->correlation;
#ifndef STAYS_POISONED
    stream->poison = SB_OK;
#endif
    stream->cancelled = stream->dropped = false;
    pthread_mutex_unlock(&lock);
    return status == SB_OK ? SB_OK : sb_fail(error, status, status == SB_ERROR_CANCELLED ? "work was dropped" : "a launch failed");
}

static void destroy_stream(sb_stream *stream) {
    synchronize_stream(stream, NULL);
    free(stream);
}

/* Takes no lock: somebody who waits may hold it for long. */
static int32_t cancel_stream(sb_stream *stream, sb_error *error) {
    (void)error;
    stream->cancelled = true;
    return SB_OK;
}

static int32_t create_event(sb_device *device, sb_event **event, sb_error *error) {
    (void)device;
    *event = calloc(1, sizeof **event);
    return *event ? SB_OK : sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "no memory for an event");
}

static void destroy_event(sb_event *event) {
    free(event);
}

static int32_t record(sb_event *event, sb_stream *stream, sb_error *error) {
    (void)error;
    give(stream, (struct task){.kind = MARK});
    event->stream = stream;
    event->mark = stream->given;
    return SB_OK;
}

static int32_t wait_event(sb_stream *stream, sb_event *event, sb_error *error) {
    (void)error;
    return event->stream ? give(stream, (struct task){.kind = WAIT, .other = event->stream, .mark = event->mark}) : SB_OK;
}

static int32_t synchronize_event(sb_event *event, sb_error *error) {
    (void)error;
    pthread_mutex_lock(&lock);
    if (event->stream) work_until(event->stream, event->mark);
    pthread_mutex_unlock(&lock);
    return SB_OK;
}

static int32_t describe_visible(sb_instance *instance, uint32_t index, const sb_hardware **hardware, sb_error *error) {
    (void)instance, (void)index, (void)error;
    static const sb_memory_space space = {
        .size = sizeof space, .name = SB_STRING("memory"), .flags = SB_SPACE_FLAG_ALLOCATABLE | SB_SPACE_FLAG_HOST_VISIBLE};
    static const sb_memory_space *const spaces[] = {&space};
    static const sb_hardware visible = {
        .size = sizeof visible, .id = SB_STRING("lazy"), .name = SB_STRING("lazy queues"), .spaces = spaces, .space_count = 1};
    *hardware = &visible;
    return SB_OK;
}

static int32_t host_address(sb_device *device, sb_buffer *buffer, void **address, sb_error *error) {
    (void)device, (void)error;
    *address = buffer->memory;
    return SB_OK;
}

SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    static const sb_streams streams = {.size = sizeof streams,
                                       .execution = SB_EXECUTION_QUEUED,
                                       .create = create_stream,
                                       .destroy = destroy_stream,
                                       .synchronize = synchronize_stream,
                                       .cancel = cancel_stream};
    static const sb_events events = {.size = sizeof events,
                                     .create = create_event,
                                     .destroy = destroy_event,
                                     .record = record,
                                     .wait = wait_event,
                                     .synchronize = synchronize_event};
    static sb_driver queued_driver;
    static sb_operators queued_operators;
    static sb_group queued_groups[4];
    static sb_plugin made;
    const sb_plugin *few;
    few_plugin(host, &few, error);
    queued_driver = driver;
    queued_driver.copy = queue_copy;
#ifdef VISIBLE
    queued_driver.describe = describe_visible;
    queued_driver.host_address = host_address;
#else
    (void)describe_visible, (void)host_address;
#endif
#if defined PEERS || defined NO_WAY
    queued_driver.open = open_one;
    queued_driver.count = count_devices;
    queued_driver.copy_peer = copy_peer;
#else
    (void)open_one, (void)count_devices, (void)copy_peer;
#endif
    queued_operators = *(const sb_operators *)few->groups[1].table;
    queued_operators.launch = queue_launch;
#ifdef GATHERS
    queued_operators.kernels = gather_list;
    queued_operators.kernel_count = 1;
    queued_operators.support = support_gather;
#endif
    queued_groups[0] = (sb_group){SB_STRING("driver"), 1, 0, &queued_driver};
    queued_groups[1] = (sb_group){SB_STRING("operators"), 1, 0, &queued_operators};
    queued_groups[2] = (sb_group){SB_STRING("streams"), 1, 0, &streams};
    queued_groups[3] = (sb_group){SB_STRING("events"), 1, 0, &events};
    made = *few;
    made.name = (sb_string)SB_STRING("lazy-queues");
    made.groups = queued_groups;
    made.group_count = 4;
    *plugin = &made;
    return SB_OK;
}
