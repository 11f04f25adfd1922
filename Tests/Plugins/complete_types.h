/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin "complete": its faults and its structs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "southbridge.h"

enum fault {
    none, /* what follows is in the order of the functions below */
    demands_equal_size,
    demands_equal_version,
    reads_beyond_host,
    accepts_other_major_as_its_own,
    table_changes,
    reserved_not_zero,
    restart_fails,
    bad_option_accepted,
    bad_option_not_named,
    instances_share_memory,
    stop_breaks_others,
    start_leaks,
    changes_floating_point,
    changes_locale,
    changes_signal,
    changes_folder,
    closes_standard_input,
    leaks_descriptors,
    leaks_threads,
    id_changes,
    same_ids,
    description_changes,
    alignment_not_a_power,
    count_changes,
    largest_untrue,
    opens_any_index,
    openings_share_handle,
    close_keeps_usage,
    close_leaks,
    failure_makes_handle,
    failure_without_message,
    unknown_status,
    message_overruns,
    success_writes_message,
    null_error_crashes,
    ignores_alignment,
    ignores_space,
    full_is_internal,
    size_wraps,
    buffers_overlap,
    free_leaks,
    free_keeps_usage,
    failure_keeps_usage,
    usage_races,
    address_of_a_copy,
    import_copies,
    import_writes,
    copy_drops_last_byte,
    copy_writes_one_more,
    copy_rounds_offset,
    copy_ignores_host_offset,
    copy_accepts_any_range,
    copy_range_wraps,
    copy_clamps_range,
    copy_refuses_no_bytes,
    copy_late_without_stream,
    copy_shares_staging,
    copy_leaks,
    fill_value_is_7_bits,
    fill_by_words,
    stream_out_of_order,
    inline_but_queued,
    synchronize_early,
    query_always_ready,
    query_never_ready,
    destroy_drops_work,
    refusal_poisons,
    cancel_tells_nobody,
    cancel_sticks,
    stream_leaks,
    record_once,
    event_early,
    wait_ignored,
    unrecorded_not_ready,
    elapsed_negative,
    event_leaks,
};
#ifndef FAULT
#define FAULT none
#endif

/* 1: a correct plugin of version 0.1: its structs end where they did then, and what lies behind them is poisoned. */
#ifndef BUILT_FOR_0_1
#define BUILT_FOR_0_1 0
#endif

#define CAPACITY ((uint64_t)4 << 30)

struct sb_instance {
    const sb_host *host;
    bool stopped;
};
struct sb_device {
    sb_instance *instance;
    uint64_t used;
    pthread_mutex_t lock;
};
struct sb_buffer {
    unsigned char *memory, *original;
    uint64_t bytes;
    bool imported;
};
struct sb_event {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t recorded, reached, pending, time;
};
struct task {
    struct task *next;
    enum { TASK_COPY, TASK_FILL, TASK_RECORD, TASK_WAIT } kind;
    unsigned char *to, *from, byte;
    uint64_t bytes, mark;
    sb_event *event;
};
struct sb_stream {
    sb_device *device;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct task *first, *last;
    bool busy, ends;
    int32_t poison;
};

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Takes memory that is never given back. */
static void lose(size_t bytes) {
    static void *volatile lost;
    lost = memset(malloc(bytes), 1, bytes);
    (void)lost;
}

static int32_t fail(sb_error *error, int32_t code, const char *message) {
    if (FAULT == unknown_status) code += 40;
    if (FAULT == failure_without_message) return code;
    if (FAULT == message_overruns && error && error->message) {
        strcpy(error->message, message);
        return code;
    }
    if (FAULT == null_error_crashes) {
        volatile size_t read = error->capacity;
        (void)read;
    }
    return sb_fail(error, code, message);
}
