/* SPDX-License-Identifier: Apache-2.0
 *
 * The smallest useful Southbridge plugin: one device, whose memory is taken from the host but not shown to it, and one kernel, Relu on float32.
 * Everything that is left out has a default in the host; whatever is not Relu runs on the CPU.
 */
#include <stdlib.h>
#include <string.h>

#include "southbridge.h"

struct sb_device {
    int unused; /* what a driver needs to talk to the chip */
};

struct sb_buffer {
    unsigned char *memory;
    uint64_t bytes;
};

static int32_t device_open(sb_instance *instance, uint32_t index, sb_device **device, sb_error *error) {
    (void)instance;
    if (index != 0) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "there is one device, number 0");
    sb_device *opened = calloc(1, sizeof *opened);
    if (!opened) return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "no memory for a device");
    *device = opened;
    return SB_OK;
}

static void device_close(sb_device *device) {
    free(device);
}

static int32_t buffer_allocate(sb_device *device, uint32_t space, uint64_t bytes, uint64_t alignment, sb_buffer **buffer, sb_error *error) {
    (void)device;
    if (space != 0) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "there is one memory space, number 0");
    if (bytes == 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
        return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "the size must not be 0, and the alignment a power of two");
    if (alignment < 64) alignment = 64;
    if (bytes > SIZE_MAX - alignment) return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "no device has so much memory");
    sb_buffer *made = malloc(sizeof *made);
    unsigned char *memory = aligned_alloc((size_t)alignment, (size_t)((bytes + alignment - 1) & ~(alignment - 1)));
    if (!made || !memory) {
        free(memory);
        free(made);
        return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "the device's memory is full");
    }
    made->memory = memory;
    made->bytes = bytes;
    *buffer = made;
    return SB_OK;
}

static void buffer_free(sb_device *device, sb_buffer *buffer) {
    (void)device;
    free(buffer->memory);
    free(buffer);
}

/* Where a range of bytes begins, or NULL if it does not lie in its buffer. */
static void *resolve(sb_location location, uint64_t bytes) {
    if (!location.buffer) return location.host ? (unsigned char *)location.host + location.offset : NULL;
    if (location.offset > location.buffer->bytes || bytes > location.buffer->bytes - location.offset) return NULL;
    return location.buffer->memory + location.offset;
}

static int32_t copy(sb_device *device, sb_stream *stream, sb_location destination, sb_location source, uint64_t bytes, sb_error *error) {
    (void)device;
    (void)stream; /* always NULL: the plugin has no group "streams" */
    if (bytes == 0) return SB_OK;
    void *to = resolve(destination, bytes), *from = resolve(source, bytes);
    if (!to || !from) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a copy reaches beyond its buffer");
    memcpy(to, from, (size_t)bytes);
    return SB_OK;
}

/* Elements of a tensor; at least UINT64_MAX / 4 if they are too many for any buffer. */
static uint64_t element_count(const sb_tensor *tensor) {
    uint64_t count = 1, limit = UINT64_MAX / 4;
    for (uint32_t axis = 0; axis < tensor->rank; ++axis) {
        uint64_t size = (uint64_t)tensor->shape[axis];
        count = size != 0 && count > limit / size ? limit : count * size;
    }
    return count;
}

static int32_t support(sb_instance *instance, sb_device *device, const sb_node *const *nodes, size_t node_count, sb_support *const *answers,
                       sb_error *error) {
    (void)instance;
    (void)device;
    (void)error;
    for (size_t i = 0; i < node_count; ++i) {
        const sb_node *node = nodes[i];
        sb_support *answer = answers[i];
        answer->supported = node->input_count == 1 && node->output_count == 1 && node->inputs[0] && node->outputs[0] &&
                            node->inputs[0]->data_type == SB_TYPE_FLOAT32 && node->outputs[0]->data_type == SB_TYPE_FLOAT32;
        if (answer->supported) continue;
        answer->reason = SB_REASON_DATA_TYPE;
        sb_error text = {sizeof text, 0, 0, 0, answer->message, answer->capacity};
        sb_fail(&text, SB_ERROR_UNSUPPORTED, "Relu takes one float32 tensor");
    }
    return SB_OK;
}

static int32_t launch(const sb_launch *launch, sb_error *error) {
    const sb_tensor *x = launch->inputs[0], *y = launch->outputs[0];
    uint64_t count = element_count(x);
    if (count != element_count(y)) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "input and output differ in size");
    if (count == 0) return SB_OK;
    const float *from = (const float *)resolve((sb_location){x->buffer, NULL, x->offset}, count * sizeof(float));
    float *to = (float *)resolve((sb_location){y->buffer, NULL, y->offset}, count * sizeof(float));
    if (!from || !to) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a tensor reaches beyond its buffer");
    for (uint64_t i = 0; i < count; ++i) to[i] = from[i] < 0 ? 0 : from[i]; /* NaN stays NaN */
    return SB_OK;
}

static const sb_kernel relu = {
    .size = sizeof(sb_kernel),
    .name = SB_STRING("relu_float32"),
    .operator_name = SB_STRING("Relu"),
    .since = 6,
    .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32),
    .flags = SB_KERNEL_FLAG_IN_PLACE | SB_KERNEL_FLAG_DETERMINISTIC,
};
static const sb_kernel *const kernels[] = {&relu};
static const sb_driver driver = {
    .size = sizeof(sb_driver), .open = device_open, .close = device_close, .allocate = buffer_allocate, .free = buffer_free, .copy = copy};
static const sb_operators operators = {
    .size = sizeof operators, .kernels = kernels, .kernel_count = 1, .support = support, .launch = launch};
static const sb_group groups[] = {{SB_STRING("driver"), 1, 0, &driver}, {SB_STRING("operators"), 1, 0, &operators}};
static const sb_plugin plugin_table = {
    .size = sizeof(sb_plugin),
    .version = SB_VERSION,
    .name = SB_STRING("minimal"),
    .vendor = SB_STRING("Southbridge"),
    .plugin_version = SB_STRING("0.1.0"),
    .groups = groups,
    .group_count = 2,
};

int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    (void)host;
    (void)error;
    *plugin = &plugin_table;
    return SB_OK;
}
