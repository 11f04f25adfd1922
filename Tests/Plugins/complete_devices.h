/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin "complete": starting, describing and opening.
 */

static int started;

static int32_t start(const sb_host *host, const sb_option *options, size_t count, sb_instance **instance, sb_error *error) {
    static int starts;
    if (FAULT == restart_fails && starts++ > 0) return fail(error, SB_ERROR_INTERNAL, "it was started before");
    for (size_t i = 0; i < count; ++i) {
        char *end, text[32] = "";
        if (options[i].value.length < sizeof text) memcpy(text, options[i].value.data, options[i].value.length);
        strtol(text, &end, 10);
        if (FAULT != bad_option_accepted && (!*text || *end))
            return fail(error, SB_ERROR_INVALID_ARGUMENT,
                        FAULT == bad_option_not_named ? "a bad value" : "option 'queue-depth' takes a number");
    }
    sb_instance *made = calloc(1, sizeof *made);
    made->host = host;
    if (FAULT == start_leaks) lose(1 << 20);
    if (FAULT == leaks_descriptors && dup(2) < 0) perror("dup");
    host->log(host->context, SB_LOG_DEBUG, (sb_string)SB_STRING("started"));
    ++started;
    *instance = made;
    return SB_OK;
}

static bool broken;

static void *idle(void *unused) {
    (void)unused;
    for (;;) pause();
    return NULL;
}

static void stop(sb_instance *instance) {
    if (FAULT == stop_breaks_others) broken = true;
    if (FAULT == leaks_threads) {
        pthread_t thread;
        pthread_create(&thread, NULL, idle, NULL);
    }
    if (FAULT == changes_folder && chdir("/") != 0) perror("chdir");
    if (FAULT == closes_standard_input) close(0);
    free(instance);
}

static int32_t count_devices(sb_instance *instance, uint32_t *count, sb_error *error) {
    (void)instance;
    (void)error;
    static uint32_t calls;
    *count = FAULT == count_changes && ++calls > 3 ? 3 : 2;
    return SB_OK;
}

static int32_t describe(sb_instance *instance, uint32_t index, const sb_hardware **hardware, sb_error *error) {
    (void)instance;
    if (index > 1) return fail(error, SB_ERROR_INVALID_ARGUMENT, "there are two devices");
    static sb_memory_space memory = {.size = sizeof memory,
                                     .name = SB_STRING("memory"),
                                     .kind = SB_SPACE_DEVICE,
                                     .flags = SB_SPACE_FLAG_ALLOCATABLE | SB_SPACE_FLAG_HOST_VISIBLE,
                                     .capacity = CAPACITY,
                                     .largest = CAPACITY,
                                     .alignment = FAULT == alignment_not_a_power ? 96 : 128};
    static const sb_memory_space cache = {.size = sizeof cache, .name = SB_STRING("L2"), .kind = SB_SPACE_CACHE, .level = 2};
    static const sb_memory_space *const spaces[] = {&memory, &cache};
    static const sb_rate rates[] = {{SB_TYPE_FLOAT32, SB_TYPE_FLOAT32, 64}, {SB_TYPE_INT8, SB_TYPE_INT32, 256}};
    static const sb_compute_unit unit = {
        .size = sizeof unit, .name = SB_STRING("vector"), .kind = SB_UNIT_VECTOR, .count = 4, .rates = rates, .rate_count = 2};
    static const sb_compute_unit *const units[] = {&unit};
    static const sb_link links[] = {{sizeof(sb_link), SB_LINK_PEER, 1, 0, 0}, {sizeof(sb_link), SB_LINK_PEER, 0, 0, 0}};
    static const sb_link *const link_lists[][1] = {{&links[0]}, {&links[1]}};
    static char ids[2][16];
    static sb_hardware described[2];
    snprintf(ids[index], sizeof ids[index], "complete-%d",
             FAULT == id_changes ? started * 10 + (int)index
             : FAULT == same_ids ? 0
                                 : (int)index);
    if (FAULT == description_changes) ++memory.bandwidth;
    described[index] = (sb_hardware){.size = sizeof(sb_hardware),
                                     .id = {ids[index], strlen(ids[index])},
                                     .name = SB_STRING("Complete"),
                                     .family = SB_FAMILY_OTHER,
                                     .spaces = spaces,
                                     .space_count = 2,
                                     .units = units,
                                     .unit_count = 1,
                                     .links = link_lists[index],
                                     .link_count = 1};
    if (BUILT_FOR_0_1) {
        described[index].size = offsetof(sb_hardware, layouts);
        memset((char *)&described[index] + described[index].size, 0xa5, sizeof(sb_hardware) - described[index].size);
    }
    *hardware = &described[index];
    return SB_OK;
}

static sb_device *shared_device;

static int32_t open_device(sb_instance *instance, uint32_t index, sb_device **device, sb_error *error) {
    if (index > 1 && FAULT != opens_any_index) return fail(error, SB_ERROR_INVALID_ARGUMENT, "there are two devices");
    if (FAULT == openings_share_handle && shared_device) {
        *device = shared_device;
        return SB_OK;
    }
    sb_device *opened = calloc(1, sizeof *opened);
    opened->instance = instance;
    pthread_mutex_init(&opened->lock, NULL);
    shared_device = opened;
    *device = opened;
    return SB_OK;
}

static uint64_t kept;

static void close_device(sb_device *device) {
    if (FAULT == close_leaks) lose(1 << 16);
    if (FAULT == openings_share_handle) return;
    pthread_mutex_destroy(&device->lock);
    free(device);
}
