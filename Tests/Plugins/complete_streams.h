/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin "complete": work, done at once or by the thread of a stream.
 */

static bool slow(void) {
    return FAULT == inline_but_queued || FAULT == synchronize_early || FAULT == query_always_ready || FAULT == event_early ||
           FAULT == wait_ignored || FAULT == record_once || FAULT == stream_out_of_order || FAULT == copy_late_without_stream ||
           FAULT == cancel_tells_nobody || FAULT == cancel_sticks;
}

static void run(struct task *task) {
    sb_event *event = task->event;
    switch (task->kind) {
    case TASK_COPY:
        if (slow()) usleep(20000); /* longer than a busy machine holds up the other thread */
        memcpy(task->to, task->from, task->bytes);
        break;
    case TASK_FILL:
        memset(task->to, task->byte, task->bytes);
        break;
    case TASK_RECORD:
        pthread_mutex_lock(&event->lock);
        if (event->reached < task->mark) event->reached = task->mark;
        event->time = now();
        break;
    case TASK_WAIT:
        pthread_mutex_lock(&event->lock);
        while (FAULT != wait_ignored && event->reached < task->mark) pthread_cond_wait(&event->changed, &event->lock);
        break;
    }
    if (event) {
        --event->pending;
        pthread_cond_broadcast(&event->changed);
        pthread_mutex_unlock(&event->lock);
    }
}

static void *serve(void *argument) {
    sb_stream *stream = argument;
    pthread_mutex_lock(&stream->lock);
    for (;;) {
        while (!stream->first && !stream->ends) pthread_cond_wait(&stream->changed, &stream->lock);
        struct task *task = stream->first;
        if (!task || (FAULT == destroy_drops_work && stream->ends)) break;
        stream->first = task->next;
        if (!stream->first) stream->last = NULL;
        stream->busy = true;
        pthread_mutex_unlock(&stream->lock);
        run(task);
        free(task);
        pthread_mutex_lock(&stream->lock);
        stream->busy = false;
        pthread_cond_broadcast(&stream->changed);
    }
    pthread_mutex_unlock(&stream->lock);
    return NULL;
}

static int32_t give(sb_stream *stream, struct task task) {
    struct task *made = malloc(sizeof *made);
    *made = task;
    made->next = NULL;
    pthread_mutex_lock(&stream->lock);
    if (FAULT == stream_out_of_order && stream->first && task.kind == TASK_COPY) {
        made->next = stream->first;
        stream->first = made;
    } else {
        if (stream->last)
            stream->last->next = made;
        else
            stream->first = made;
        stream->last = made;
    }
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    return SB_OK;
}

static unsigned char *resolve(sb_location location, uint64_t *bytes) {
    if (!location.buffer) return (unsigned char *)location.host + (FAULT == copy_ignores_host_offset ? 0 : location.offset);
    uint64_t offset = FAULT == copy_rounds_offset ? location.offset & ~(uint64_t)3 : location.offset;
    uint64_t end = location.buffer->bytes;
    if (FAULT == copy_range_wraps) return location.offset + *bytes <= end ? location.buffer->memory + offset : NULL;
    if (FAULT == copy_accepts_any_range && location.offset <= 128 && *bytes <= 128) return location.buffer->memory + offset;
    if (FAULT == copy_clamps_range && location.offset <= end && *bytes > end - location.offset) *bytes = end - location.offset;
    if (location.offset > end || *bytes > end - location.offset) return NULL;
    return location.buffer->memory + offset;
}

static int32_t copy(sb_device *device, sb_stream *stream, sb_location destination, sb_location source, uint64_t bytes, sb_error *error) {
    (void)device;
    if (FAULT == copy_refuses_no_bytes && bytes == 0) return fail(error, SB_ERROR_INVALID_ARGUMENT, "nothing to copy");
    unsigned char *to = resolve(destination, &bytes), *from = resolve(source, &bytes);
    if (!to || !from) {
        if (FAULT == refusal_poisons && stream) stream->poison = SB_ERROR_INTERNAL;
        return fail(error, SB_ERROR_INVALID_ARGUMENT, "a copy reaches beyond its buffer");
    }
    if (FAULT == copy_leaks) lose(512);
    if (FAULT == copy_drops_last_byte && bytes > 64) --bytes;
    if (FAULT == copy_writes_one_more && bytes % 2 == 1) ++bytes;
    if (stream) return give(stream, (struct task){.kind = TASK_COPY, .to = to, .from = from, .bytes = bytes});
    if (FAULT == copy_shares_staging && bytes > 256 && bytes <= 1 << 19) {
        static unsigned char staging[1 << 19];
        memcpy(staging, from, bytes);
        usleep(20);
        memcpy(to, staging, bytes);
        return SB_OK;
    }
    if (FAULT == copy_late_without_stream && bytes == 1 << 16 && destination.buffer) {
        static sb_stream *late;
        if (!late) {
            late = calloc(1, sizeof *late);
            pthread_mutex_init(&late->lock, NULL);
            pthread_cond_init(&late->changed, NULL);
            pthread_create(&late->thread, NULL, serve, late);
        }
        return give(late, (struct task){.kind = TASK_COPY, .to = to, .from = from, .bytes = bytes});
    }
    memcpy(to, from, bytes);
    return SB_OK;
}

static int32_t fill(sb_device *device, sb_stream *stream, sb_location destination, uint8_t byte, uint64_t bytes, sb_error *error) {
    (void)device;
    unsigned char *to = resolve(destination, &bytes);
    if (!to) return fail(error, SB_ERROR_INVALID_ARGUMENT, "a fill reaches beyond its buffer");
    if (FAULT == fill_value_is_7_bits) byte &= 127;
    if (FAULT == fill_by_words) bytes &= ~(uint64_t)3;
    if (stream) return give(stream, (struct task){.kind = TASK_FILL, .to = to, .byte = byte, .bytes = bytes});
    memset(to, byte, bytes);
    return SB_OK;
}

static int32_t create_stream(sb_device *device, sb_stream **stream, sb_error *error) {
    (void)error;
    sb_stream *made = calloc(1, sizeof *made);
    made->device = device;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->changed, NULL);
    pthread_create(&made->thread, NULL, serve, made);
    *stream = made;
    return SB_OK;
}

static void destroy_stream(sb_stream *stream) {
    pthread_mutex_lock(&stream->lock);
    stream->ends = true;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    pthread_join(stream->thread, NULL);
    if (FAULT == stream_leaks) lose(1 << 15);
    pthread_mutex_destroy(&stream->lock);
    pthread_cond_destroy(&stream->changed);
    free(stream);
}

static int32_t synchronize_stream(sb_stream *stream, sb_error *error) {
    if (FAULT == synchronize_early) return SB_OK;
    pthread_mutex_lock(&stream->lock);
    while (stream->first || stream->busy) pthread_cond_wait(&stream->changed, &stream->lock);
    pthread_mutex_unlock(&stream->lock);
    int32_t poison = stream->poison;
    if (FAULT != cancel_sticks || poison != SB_ERROR_CANCELLED) stream->poison = SB_OK;
    return poison ? fail(error, poison, "work on the stream failed") : SB_OK;
}

static int32_t cancel_stream(sb_stream *stream, sb_error *error) {
    (void)error;
    pthread_mutex_lock(&stream->lock);
    struct task *task = stream->first;
    stream->first = stream->last = NULL;
    if (task && FAULT != cancel_tells_nobody && !stream->poison) stream->poison = SB_ERROR_CANCELLED;
    pthread_mutex_unlock(&stream->lock);
    while (task) {
        struct task *next = task->next;
        if (task->kind == TASK_RECORD) run(task); /* whoever waits for the mark is let go */
        if (task->kind == TASK_WAIT) {
            pthread_mutex_lock(&task->event->lock);
            --task->event->pending;
            pthread_cond_broadcast(&task->event->changed);
            pthread_mutex_unlock(&task->event->lock);
        }
        free(task);
        task = next;
    }
    return SB_OK;
}

static int32_t query_stream(sb_stream *stream, sb_error *error) {
    if (FAULT == query_always_ready) return SB_OK;
    pthread_mutex_lock(&stream->lock);
    bool ready = !stream->first && !stream->busy && FAULT != query_never_ready;
    pthread_mutex_unlock(&stream->lock);
    return ready ? SB_OK : fail(error, SB_ERROR_NOT_READY, "there is work left");
}

static int32_t create_event(sb_device *device, sb_event **event, sb_error *error) {
    (void)device;
    (void)error;
    sb_event *made = calloc(1, sizeof *made);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->changed, NULL);
    *event = made;
    return SB_OK;
}

static void destroy_event(sb_event *event) {
    pthread_mutex_lock(&event->lock);
    while (event->pending) pthread_cond_wait(&event->changed, &event->lock);
    pthread_mutex_unlock(&event->lock);
    if (FAULT == event_leaks) return;
    pthread_mutex_destroy(&event->lock);
    pthread_cond_destroy(&event->changed);
    free(event);
}

static int32_t record(sb_event *event, sb_stream *stream, sb_error *error) {
    (void)error;
    pthread_mutex_lock(&event->lock);
    if (FAULT == record_once && event->recorded) {
        pthread_mutex_unlock(&event->lock);
        return SB_OK;
    }
    uint64_t mark = ++event->recorded;
    ++event->pending;
    if (FAULT == event_early) event->reached = mark;
    pthread_mutex_unlock(&event->lock);
    return give(stream, (struct task){.kind = TASK_RECORD, .event = event, .mark = mark});
}

static int32_t wait_event(sb_stream *stream, sb_event *event, sb_error *error) {
    (void)error;
    pthread_mutex_lock(&event->lock);
    uint64_t mark = event->recorded;
    ++event->pending;
    pthread_mutex_unlock(&event->lock);
    return give(stream, (struct task){.kind = TASK_WAIT, .event = event, .mark = mark});
}

static int32_t synchronize_event(sb_event *event, sb_error *error) {
    (void)error;
    pthread_mutex_lock(&event->lock);
    while (event->reached < event->recorded) pthread_cond_wait(&event->changed, &event->lock);
    pthread_mutex_unlock(&event->lock);
    return SB_OK;
}

static int32_t query_event(sb_event *event, sb_error *error) {
    pthread_mutex_lock(&event->lock);
    bool ready = event->reached >= event->recorded && !(FAULT == unrecorded_not_ready && !event->recorded);
    pthread_mutex_unlock(&event->lock);
    return ready ? SB_OK : fail(error, SB_ERROR_NOT_READY, "the mark is not reached");
}

static int32_t elapsed(sb_event *from, sb_event *to, uint64_t *nanoseconds, sb_error *error) {
    if (query_event(from, NULL) != SB_OK || query_event(to, NULL) != SB_OK) return fail(error, SB_ERROR_NOT_READY, "a mark is not reached");
    *nanoseconds = FAULT == elapsed_negative ? from->time - to->time - 1 : to->time - from->time;
    return SB_OK;
}
