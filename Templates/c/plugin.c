/* SPDX-License-Identifier: Apache-2.0
 *
 * @NAME@: a plugin for Southbridge.
 *
 * It is complete: it builds, loads, passes the levels `load` and `driver` of the conformance suite, and runs Relu on float32. Everything else of a
 * model runs on the CPU until you offer it. The "chip" is host memory and a loop; look for REPLACE to see where yours comes in. Each [SB-...] is a
 * sentence of southbridge.h, which is the whole specification: read its sections 1, 2 and 5 first.
 */
#include <stdlib.h>
#include <string.h>

#include "southbridge.h"

/* These three types are yours: the stack only passes pointers to them around. */

struct sb_device {
    int unused; /* REPLACE: a file descriptor or handle of your driver */
};

struct sb_buffer {
    unsigned char *memory; /* REPLACE: a handle or device address; nobody but this file looks inside */
    uint64_t bytes;
};

/* ---- Devices ------------------------------------------------------------------------------------------------------ */

/* What the hardware is. Every figure may be 0, "unknown"; placement, alignment and cost are derived from those that are there. */
static int32_t device_describe(sb_instance *instance, uint32_t index, const sb_hardware **hardware, sb_error *error) {
    static const sb_memory_space memory = {
        .size = sizeof memory,
        .name = SB_STRING("memory"),
        .kind = SB_SPACE_DEVICE,
        .flags =
            SB_SPACE_FLAG_ALLOCATABLE, /* REPLACE: | SB_SPACE_FLAG_HOST_VISIBLE if the host can address it; then offer `host_address` */
        .capacity = 0,                 /* REPLACE: bytes */
        .bandwidth = 0,                /* REPLACE: bytes per second */
        .alignment = 64,
    };
    static const sb_memory_space *const spaces[] = {&memory};
    static const sb_hardware described = {
        .size = sizeof described,
        .id = SB_STRING("@NAME@-0"), /* REPLACE: a serial number or bus address, the same in every process [SB-HW-002] */
        .name = SB_STRING("@NAME@"),
        .family = SB_FAMILY_PLACEHOLDER,
        .spaces = spaces,
        .space_count = 1,
    };
    (void)instance;
    if (index != 0) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "there is one device, number 0");
    *hardware = &described;
    return SB_OK;
}

/* A device may be opened several times; each opening is on its own [SB-DEV-003]. */
static int32_t device_open(sb_instance *instance, uint32_t index, sb_device **device, sb_error *error) {
    (void)instance; /* NULL, because this plugin has no `start` */
    if (index != 0) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "there is one device, number 0");
    sb_device *opened = (sb_device *)calloc(1, sizeof *opened); /* REPLACE: open your driver */
    if (!opened) return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "the host has no memory for a device");
    *device = opened;
    return SB_OK;
}

static void device_close(sb_device *device) {
    free(device);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------- */

/* Called from any thread, also at once, like everything that takes a device [SB-THR-001]. */
static int32_t buffer_allocate(sb_device *device, uint32_t space, uint64_t bytes, uint64_t alignment, sb_buffer **buffer, sb_error *error) {
    (void)device;
    if (space != 0) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "there is one memory space, number 0"); /* [SB-MEM-004] */
    if (bytes == 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
        return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a size of at least 1 and an alignment that is a power of two are needed");
    if (alignment < 64) alignment = 64;
    /* Sizes come from models, so rounding them up must not wrap around. */
    if (alignment > SIZE_MAX / 2 || bytes > SIZE_MAX / 2 - alignment)
        return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "no device has so much memory"); /* [SB-MEM-003] */
    sb_buffer *made = (sb_buffer *)malloc(sizeof *made);
    /* REPLACE: your allocator. */
    void *memory = aligned_alloc((size_t)alignment, (size_t)((bytes + alignment - 1) & ~(alignment - 1)));
    if (!made || !memory) {
        free(memory);
        free(made);
        return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "the device's memory is full");
    }
    made->memory = (unsigned char *)memory;
    made->bytes = bytes;
    *buffer = made; /* only when all went well [SB-ERR-005] */
    return SB_OK;
}

static void buffer_free(sb_device *device, sb_buffer *buffer) {
    (void)device;
    free(buffer->memory);
    free(buffer);
}

/* Where a range of bytes begins, or NULL if it does not lie in its buffer. Written so that offset + bytes cannot wrap around. */
static unsigned char *resolve(const sb_location *location, uint64_t bytes) {
    if (!location->buffer) return location->host ? (unsigned char *)location->host + location->offset : NULL;
    if (location->offset > location->buffer->bytes || bytes > location->buffer->bytes - location->offset) return NULL;
    return location->buffer->memory + location->offset;
}

/* Any of the four directions, at any byte offset [SB-CPY-001]. Without the group "streams", `stream` is always NULL: the copy is done on return. */
static int32_t copy(sb_device *device, sb_stream *stream, sb_location destination, sb_location source, uint64_t bytes, sb_error *error) {
    (void)device;
    (void)stream;
    if (bytes == 0) return SB_OK; /* [SB-CPY-005] */
    unsigned char *to = resolve(&destination, bytes), *from = resolve(&source, bytes);
    if (!to || !from) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a copy reaches beyond its buffer"); /* [SB-CPY-007] */
    memcpy(to, from, (size_t)bytes);                                                                        /* REPLACE: your copy engine */
    return SB_OK;
}

/* ---- Kernels ------------------------------------------------------------------------------------------------------ */

/* One row for each kernel: the host asks only about nodes that a row covers. */
static const sb_kernel relu = {
    .size = sizeof(sb_kernel),
    .name = SB_STRING("relu_float32"),
    .operator_name = SB_STRING("Relu"), /* as the ONNX standard calls it */
    .since = 6,                         /* the operator-set version in which its meaning last changed */
    .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32),
    .flags = SB_KERNEL_FLAG_IN_PLACE | SB_KERNEL_FLAG_DETERMINISTIC,
};
static const sb_kernel *const kernels[] = {&relu};

/* Elements of a tensor; UINT64_MAX / 4 if they are too many for any buffer. */
static uint64_t element_count(const sb_tensor *tensor) {
    const uint64_t limit = UINT64_MAX / 4;
    uint64_t count = 1;
    for (uint32_t axis = 0; axis < tensor->rank; ++axis) {
        uint64_t size = (uint64_t)tensor->shape[axis];
        count = size != 0 && count > limit / size ? limit : count * size;
    }
    return count;
}

/* Answers for each node: yes, or no and why, in words for a person. A node that gets a yes must then run with any values [SB-OPS-004]. */
static int32_t support(sb_instance *instance, sb_device *device, const sb_node *const *nodes, size_t node_count, sb_support *const *answers,
                       sb_error *error) {
    (void)instance;
    (void)device;
    (void)error;
    for (size_t i = 0; i < node_count; ++i) {
        const sb_node *node = nodes[i];
        sb_support *answer = answers[i];
        if (node->input_count == 1 && node->output_count == 1 && node->inputs[0] && node->outputs[0] &&
            node->inputs[0]->data_type == SB_TYPE_FLOAT32 && node->outputs[0]->data_type == SB_TYPE_FLOAT32) {
            answer->supported = 1;
            continue;
        }
        answer->reason = SB_REASON_DATA_TYPE;
        sb_error text = {sizeof text, 0, 0, 0, answer->message, answer->capacity};
        sb_fail(&text, SB_ERROR_UNSUPPORTED, "Relu takes one float32 tensor");
    }
    return SB_OK;
}

/* Runs one node. Tensors are dense and row-major, because the kernel does not set SB_KERNEL_FLAG_STRIDED [SB-TEN-002]. */
static int32_t launch(const sb_launch *given, sb_error *error) {
    const sb_tensor *x = given->inputs[0], *y = given->outputs[0];
    uint64_t count = element_count(x);
    if (count != element_count(y)) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "input and output differ in size");
    if (count == 0) return SB_OK;
    sb_location source = {x->buffer, NULL, x->offset}, destination = {y->buffer, NULL, y->offset};
    const float *from = (const float *)(const void *)resolve(&source, count * sizeof(float));
    float *to = (float *)(void *)resolve(&destination, count * sizeof(float));
    if (!from || !to) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a tensor reaches beyond its buffer");
    for (uint64_t i = 0; i < count; ++i) to[i] = from[i] < 0 ? 0 : from[i]; /* REPLACE: start your kernel and wait for it; NaN stays NaN */
    return SB_OK;
}

/* ---- Tables ------------------------------------------------------------------------------------------------------- */

/* A member that is not named is NULL, and the header says what the host then does. */
static const sb_driver driver = {
    .size = sizeof(sb_driver),
    .open = device_open,
    .close = device_close,
    .allocate = buffer_allocate,
    .free = buffer_free,
    .copy = copy,
    .describe = device_describe,
};
static const sb_operators operators = {
    .size = sizeof(sb_operators), .kernels = kernels, .kernel_count = 1, .support = support, .launch = launch};
static const sb_group groups[] = {{SB_STRING("driver"), 1, 0, &driver}, {SB_STRING("operators"), 1, 0, &operators}};
static const sb_plugin plugin_table = {
    .size = sizeof(sb_plugin),
    .version = SB_VERSION,
    .name = SB_STRING("@NAME@"),
    .vendor = SB_STRING("@VENDOR@"),
    .plugin_version = SB_STRING("0.1.0"),
    .groups = groups,
    .group_count = sizeof groups / sizeof *groups,
};

/* The one function that the library exports. */
int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    if (host->version >> 16 != SB_VERSION_MAJOR)
        return sb_fail(error, SB_ERROR_UNSUPPORTED, "@NAME@ is built for another major version of southbridge.h");
    *plugin = &plugin_table;
    return SB_OK;
}
