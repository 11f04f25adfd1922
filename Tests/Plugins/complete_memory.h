/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin "complete": memory.
 */

static void account(sb_device *device, uint64_t bytes) {
    if (FAULT == usage_races) {
        volatile uint64_t *used = &device->used;
        uint64_t before = *used;
        sched_yield();
        *used = before + bytes;
        return;
    }
    __atomic_fetch_add(&device->used, bytes, __ATOMIC_RELAXED);
    if (FAULT == close_keeps_usage && bytes < CAPACITY) kept += bytes;
}

static int32_t allocate(sb_device *device, uint32_t space, uint64_t bytes, uint64_t alignment, sb_buffer **buffer, sb_error *error) {
    if (FAULT == failure_makes_handle) *buffer = (sb_buffer *)device;
    if (space != 0 && FAULT != ignores_space)
        return fail(error, SB_ERROR_INVALID_ARGUMENT, "only memory space 0 can be allocated, the device's own memory");
    if (broken) return fail(error, SB_ERROR_DEVICE_LOST, "another instance was stopped");
    uint64_t size = FAULT == size_wraps ? ((bytes + 63) & ~(uint64_t)63) : bytes;
    if (FAULT == failure_keeps_usage && size > CAPACITY) account(device, 64);
    uint64_t limit = FAULT == largest_untrue ? CAPACITY + 1 : CAPACITY;
    if (size > limit)
        return fail(error, FAULT == full_is_internal ? SB_ERROR_INTERNAL : SB_ERROR_OUT_OF_MEMORY, "the device has 4 GiB of memory");
    sb_buffer *made = calloc(1, sizeof *made);
    if (alignment < 128) alignment = 128;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, size + 256) != 0) {
        free(made);
        return fail(error, SB_ERROR_OUT_OF_MEMORY, "the host is out of memory");
    }
    made->original = memory;
    made->memory = memory;
    if (FAULT == ignores_alignment) made->memory += 8;
    static unsigned char *common;
    if (FAULT == buffers_overlap && bytes > 1000 && bytes < 1200) {
        if (!common) common = malloc(4096);
        made->memory = common;
    }
    if (FAULT == instances_share_memory && bytes == 5000) {
        if (!common) common = malloc(8192);
        made->memory = common;
    }
    made->bytes = bytes;
    account(device, bytes);
    *buffer = made;
    if (FAULT == success_writes_message && error) sb_fail(error, SB_OK, "fine");
    return SB_OK;
}

static void free_buffer(sb_device *device, sb_buffer *buffer) {
    if (FAULT == free_leaks) return;
    if (!buffer->imported) {
        if (FAULT != free_keeps_usage) account(device, -buffer->bytes);
        free(buffer->original);
    }
    if (buffer->imported && FAULT == import_copies) free(buffer->original);
    free(buffer);
}

static int32_t host_address(sb_device *device, sb_buffer *buffer, void **address, sb_error *error) {
    (void)device;
    (void)error;
    *address = buffer->memory;
    if (FAULT == address_of_a_copy) {
        *address = malloc(buffer->bytes);
        memcpy(*address, buffer->memory, buffer->bytes);
    }
    return SB_OK;
}

static int32_t import_host(sb_device *device, void *address, uint64_t bytes, sb_buffer **buffer, sb_error *error) {
    (void)device;
    (void)error;
    sb_buffer *made = calloc(1, sizeof *made);
    made->memory = address;
    made->bytes = bytes;
    made->imported = true;
    if (FAULT == import_copies) made->memory = made->original = memcpy(malloc(bytes), address, bytes);
    if (FAULT == import_writes) made->memory[bytes - 1] ^= 1;
    *buffer = made;
    return SB_OK;
}

static int32_t usage(sb_device *device, uint32_t space, uint64_t *bytes, sb_error *error) {
    if (space > 1) return fail(error, SB_ERROR_INVALID_ARGUMENT, "there is no such memory space");
    *bytes = space ? 0 : FAULT == close_keeps_usage ? kept : __atomic_load_n(&device->used, __ATOMIC_RELAXED);
    return SB_OK;
}
