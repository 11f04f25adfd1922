/* SPDX-License-Identifier: Apache-2.0
 *
 * A correct plugin that leaves nothing out: described hardware, host-visible memory, imports, fills, usage, options, and streams that only queue
 * their work. Built with -DFAULT=NAME it has that one fault, for the checks to find.
 */
#include "complete_types.h"

#include "complete_devices.h"
#include "complete_memory.h"
#include "complete_streams.h"

static const sb_driver driver = {sizeof driver, open_device, close_device, allocate,    free_buffer, copy,
                                 count_devices, describe,    host_address, import_host, fill,        usage};
static const sb_streams streams = {sizeof streams,
                                   FAULT == inline_but_queued ? SB_EXECUTION_INLINE : SB_EXECUTION_QUEUED,
                                   FAULT == reserved_not_zero,
                                   create_stream,
                                   destroy_stream,
                                   synchronize_stream,
                                   query_stream,
                                   cancel_stream};
static const sb_events events = {sizeof events, create_event, destroy_event, record, wait_event, synchronize_event, query_event, elapsed};
static const sb_option_schema depth = {.size = sizeof depth,
                                       .name = SB_STRING("queue-depth"),
                                       .type = SB_OPTION_INTEGER,
                                       .default_value = SB_STRING("64"),
                                       .help = SB_STRING("work that a stream holds before a call waits")};
static const sb_option_schema *const options[] = {&depth};
static const sb_group groups[] = {
    {SB_STRING("driver"), 1, 0, &driver},
    {SB_STRING("streams"), 1, 0, &streams},
    {SB_STRING("events"), 1, 0, &events},
    {SB_STRING("a-group-of-tomorrow"), 3, 0, &driver},
};
static sb_plugin table = {.size = sizeof table,
                          .version = SB_VERSION,
                          .name = SB_STRING("complete"),
                          .vendor = SB_STRING("Southbridge"),
                          .plugin_version = SB_STRING("1.0"),
                          .groups = groups,
                          .group_count = 4,
                          .options = options,
                          .option_count = 1,
                          .start = start,
                          .stop = stop};

__attribute__((constructor)) static void on_load(void) {
#if defined(__x86_64__)
    if (FAULT == changes_floating_point) __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040u); /* as -ffast-math does */
#endif
    if (FAULT == changes_locale) setlocale(LC_ALL, "C.UTF-8");
    if (FAULT == changes_signal) signal(SIGUSR2, SIG_IGN);
}

SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    if (FAULT == demands_equal_size && host->size != sizeof *host) return fail(error, SB_ERROR_UNSUPPORTED, "another size");
    if (FAULT == demands_equal_version && host->version != SB_VERSION) return fail(error, SB_ERROR_UNSUPPORTED, "another version");
    if (FAULT == reads_beyond_host) {
        volatile size_t read = ((const volatile size_t *)(host + 1))[0];
        (void)read;
    }
    if (FAULT == accepts_other_major_as_its_own)
        table.version = host->version;
    else if (host->version >> 16 != SB_VERSION_MAJOR)
        return fail(error, SB_ERROR_UNSUPPORTED, "this plugin is for another major version");
    if (BUILT_FOR_0_1) table.version = 1;
    if (FAULT == table_changes) ++table.option_count, --table.option_count, table.vendor.length -= 1;
    *plugin = &table;
    return SB_OK;
}
