/* SPDX-License-Identifier: Apache-2.0
 *
 * @NAME@: a plugin for Southbridge. It is complete: it builds, loads, passes the levels `load` and `driver` of the conformance suite, and runs
 * @WORK@ on float32. Everything else of a model runs on the CPU until you offer it. The "chip" is host memory and a loop; REPLACE marks where yours
 * comes in. Each [SB-...] is a sentence of southbridge.h, which is the whole specification: read its sections 1, 2 and 5 first.
 */
/* @if graph */
#include <math.h>
/* @end */
#include <stdlib.h>
#include <string.h>

#include "southbridge.h"

/* These types are yours: the stack only passes pointers to them around. */
struct sb_device {
    int unused; /* REPLACE: a file descriptor or handle of your driver */
};
struct sb_buffer {
    unsigned char *memory; /* REPLACE: a device address */
    uint64_t bytes;
};

/* What the chip is. Figures that are 0 are unknown; the stack derives placement and cost from those that are there [SB-HW-001]. */
static int32_t device_describe(sb_instance *instance, uint32_t index, const sb_hardware **hardware, sb_error *error) {
    static const sb_memory_space memory = {
        .size = sizeof memory, .name = SB_STRING("memory"),
        .flags = SB_SPACE_FLAG_ALLOCATABLE, /* REPLACE: | SB_SPACE_FLAG_HOST_VISIBLE if the host can address it; then offer `host_address` */
        .alignment = 64,                    /* REPLACE: and .capacity in bytes, .bandwidth in bytes per second */
    };
    static const sb_memory_space *const spaces[] = {&memory};
    static const sb_hardware described = {
        .size = sizeof described, .name = SB_STRING("@NAME@"), .family = SB_FAMILY_PLACEHOLDER,
        .id = SB_STRING("@NAME@-0"), /* REPLACE: a serial number or bus address, the same in every process [SB-HW-002] */
        .spaces = spaces, .space_count = 1,
    };
    (void)instance; /* NULL, because this plugin has no `start` */
    if (index != 0) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "there is one device, number 0");
    *hardware = &described;
    return SB_OK;
}

/* A device may be opened several times; each opening is on its own [SB-DEV-003]. */
static int32_t device_open(sb_instance *instance, uint32_t index, sb_device **device, sb_error *error) {
    (void)instance;
    if (index != 0) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "there is one device, number 0");
    sb_device *opened = calloc(1, sizeof *opened); /* REPLACE: open your driver */
    if (!opened) return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "the host has no memory for a device");
    *device = opened;
    return SB_OK;
}

static void device_close(sb_device *device) { free(device); }

/* Called from any thread, also at once, like everything that takes a device [SB-THR-001]. */
static int32_t buffer_allocate(sb_device *device, uint32_t space, uint64_t bytes, uint64_t alignment, sb_buffer **buffer, sb_error *error) {
    (void)device;
    if (space != 0 || bytes == 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) /* [SB-MEM-001, 004] */
        return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "memory is asked for in space 0, at least 1 byte, aligned to a power of two");
    if (alignment < 64) alignment = 64;
    uint64_t whole = (bytes + alignment - 1) & ~(alignment - 1); /* sizes come from models: this may wrap around */
    sb_buffer *made = malloc(sizeof *made);
    if (made) *made = (sb_buffer){whole >= bytes ? aligned_alloc(alignment, whole) : NULL, bytes}; /* REPLACE: your allocator */
    if (!made || !made->memory) {
        free(made);
        return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "the device's memory is full"); /* [SB-MEM-003] */
    }
    *buffer = made; /* only when all went well [SB-ERR-005] */
    return SB_OK;
}

static void buffer_free(sb_device *device, sb_buffer *buffer) {
    (void)device;
    free(buffer->memory);
    free(buffer);
}

/* Where a range of bytes begins, or NULL if it does not lie in its buffer. Written so that offset + bytes cannot wrap around. */
static void *resolve(sb_location location, uint64_t bytes) {
    if (!location.buffer) return location.host ? (unsigned char *)location.host + location.offset : NULL;
    if (location.offset > location.buffer->bytes || bytes > location.buffer->bytes - location.offset) return NULL;
    return location.buffer->memory + location.offset;
}

/* Any of the four directions, at any byte offset [SB-CPY-001]. Without the group "streams" `stream` is NULL: the copy is done on return. */
static int32_t copy(sb_device *device, sb_stream *stream, sb_location destination, sb_location source, uint64_t bytes, sb_error *error) {
    (void)device, (void)stream;
    if (bytes == 0) return SB_OK; /* [SB-CPY-005] */
    void *to = resolve(destination, bytes), *from = resolve(source, bytes);
    if (!to || !from) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a copy reaches beyond its buffer"); /* [SB-CPY-007] */
    memcpy(to, from, (size_t)bytes);                                                                        /* REPLACE: your copy engine */
    return SB_OK;
}
/* @if kernel */

/* ---- Kernels. One row for each: the host asks only about nodes that a row covers. --------------------------------------------------- */

static const sb_kernel relu = {
    .size = sizeof relu,
    .name = SB_STRING("relu_float32"),
    .operator_name = SB_STRING("Relu"), /* as the ONNX standard calls it */
    .since = 6,                         /* the operator-set version in which its meaning last changed */
    .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32),
    .flags = SB_KERNEL_FLAG_IN_PLACE | SB_KERNEL_FLAG_DETERMINISTIC,
};
static const sb_kernel *const kernels[] = {&relu};

/* Yes to each node, or no and why (`reason`, `message`). A node that gets a yes must then run with any values [SB-OPS-004]. */
static int32_t support(sb_instance *instance, sb_device *device, const sb_node *const *nodes, size_t count, sb_support *const *answers,
                       sb_error *error) {
    (void)instance, (void)device, (void)nodes, (void)error;
    for (size_t i = 0; i < count; ++i) answers[i]->supported = 1; /* Relu has no attribute, and the row says float32 */
    return SB_OK;
}

/* Runs one node. Tensors are dense and row-major, because the kernel does not set SB_KERNEL_FLAG_STRIDED [SB-TEN-002]. */
static int32_t launch(const sb_launch *given, sb_error *error) {
    const sb_tensor *x = given->inputs[0], *y = given->outputs[0];
    uint64_t count = sb_element_count(x);
    if (count == 0) return SB_OK;
    const float *from = resolve((sb_location){x->buffer, x->host, x->offset}, count * sizeof(float));
    float *to = resolve((sb_location){y->buffer, y->host, y->offset}, count * sizeof(float));
    if (!from || !to) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a tensor reaches beyond its buffer");
    for (uint64_t i = 0; i < count; ++i) to[i] = from[i] < 0 ? 0 : from[i]; /* REPLACE: start your kernel and wait; NaN stays NaN */
    return SB_OK;
}
/* @end */
/* @if graph */

/* ---- Graph compiler. It makes one pass over memory of each chain of Relu, Neg and Abs. ---------------------------------------------- */

static const char *const names[] = {"Relu", "Neg", "Abs"};

/* What `compile` makes of a graph. REPLACE: your compiled code. */
struct sb_program {
    uint64_t count;
    size_t step_count;
    int steps[]; /* positions in `names` */
};

/* The position of the node's operator in `names`; -1 if it is not ours. */
static int operator_of(const sb_node *node) {
    for (int i = 0; i < 3; ++i) {
        sb_string name = node->operator_name;
        if (node->domain.length == 0 && name.length == strlen(names[i]) && memcmp(name.data, names[i], name.length) == 0)
            return node->inputs[0]->data_type == SB_TYPE_FLOAT32 ? i : -1;
    }
    return -1;
}

/* How often a value is wanted: by nodes, and outside the graph. */
static size_t use_count(const sb_graph *graph, const sb_tensor *value) {
    size_t uses = 0;
    for (size_t i = 0; i < graph->output_count; ++i) uses += graph->outputs[i] == value;
    for (size_t i = 0; i < graph->node_count; ++i)
        for (size_t k = 0; k < graph->nodes[i]->input_count; ++k) uses += graph->nodes[i]->inputs[k] == value;
    return uses;
}

/* Equal numbers put nodes into one program [SB-GRA-004]: here what follows its only source directly. Such a group cannot be left and entered again. */
static int32_t claim(sb_instance *instance, sb_device *device, const sb_graph *graph, uint32_t *groups, sb_error *error) {
    (void)instance, (void)device, (void)error;
    for (size_t i = 0; i < graph->node_count; ++i) {
        const sb_node *node = graph->nodes[i];
        if (operator_of(node) < 0 || node->inputs[0]->host) continue; /* constants are the host's to fold */
        int joins = i > 0 && groups[i - 1] && node->inputs[0] == graph->nodes[i - 1]->outputs[0] && use_count(graph, node->inputs[0]) == 1;
        groups[i] = joins ? groups[i - 1] : (uint32_t)i + 1;
    }
    return SB_OK;
}

/* Keeps nothing of the graph [SB-GRA-008]. It may also be asked about a graph that was never claimed [SB-GRA-007]. */
static int32_t compile(sb_instance *instance, sb_device *device, const sb_graph *graph, sb_program **program, sb_error *error) {
    (void)instance, (void)device;
    int is_chain = graph->node_count > 0 && graph->input_count == 1 && graph->output_count == 1;
    for (size_t i = 0; is_chain && i < graph->node_count; ++i) {
        const sb_tensor *source = i == 0 ? graph->inputs[0] : graph->nodes[i - 1]->outputs[0];
        is_chain = operator_of(graph->nodes[i]) >= 0 && graph->nodes[i]->inputs[0] == source && use_count(graph, source) == 1;
    }
    if (!is_chain || graph->nodes[graph->node_count - 1]->outputs[0] != graph->outputs[0])
        return sb_fail(error, SB_ERROR_UNSUPPORTED, "the graph is no chain of Relu, Neg and Abs on float32");
    sb_program *made = malloc(sizeof *made + graph->node_count * sizeof(int));
    if (!made) return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "the host has no memory for a program");
    made->count = sb_element_count(graph->inputs[0]);
    made->step_count = graph->node_count;
    for (size_t i = 0; i < graph->node_count; ++i) made->steps[i] = operator_of(graph->nodes[i]);
    *program = made;
    return SB_OK;
}

/* Called any number of times, also at once on several streams [SB-GRA-009]. */
static int32_t execute(const sb_execution *given, sb_error *error) {
    const sb_tensor *x = given->inputs[0], *y = given->outputs[0];
    const sb_program *program = given->program;
    if (program->count == 0) return SB_OK;
    const float *from = resolve((sb_location){x->buffer, x->host, x->offset}, program->count * sizeof(float));
    float *to = resolve((sb_location){y->buffer, y->host, y->offset}, program->count * sizeof(float));
    if (!from || !to) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a tensor reaches beyond its buffer");
    for (uint64_t i = 0; i < program->count; ++i) { /* REPLACE: start your program and wait */
        float value = from[i];
        for (size_t k = 0; k < program->step_count; ++k) {
            switch (program->steps[k]) {
            case 0: value = value < 0 ? 0 : value; break; /* NaN stays NaN */
            case 1: value = -value; break;
            case 2: value = fabsf(value); break;
            }
        }
        to[i] = value;
    }
    return SB_OK;
}

static void program_release(sb_program *program) { free(program); }
/* @end */

/* ---- Tables. A member that is not named is NULL, and the header says what the host then does. --------------------------------------- */

static const sb_driver driver = {
    .size = sizeof driver, .open = device_open, .close = device_close, .describe = device_describe,
    .allocate = buffer_allocate, .free = buffer_free, .copy = copy,
};
/* @if kernel */
static const sb_operators operators = {.size = sizeof operators, .kernels = kernels, .kernel_count = 1, .support = support, .launch = launch};
/* @end */
/* @if graph */
static const sb_graphs graphs = {.size = sizeof graphs, .claim = claim, .compile = compile, .execute = execute, .release = program_release};
/* @end */
static const sb_group groups[] = {
    {SB_STRING("driver"), 1, 0, &driver},
    /* @if kernel */
    {SB_STRING("operators"), 1, 0, &operators},
    /* @end */
    /* @if graph */
    {SB_STRING("graphs"), 1, 0, &graphs},
    /* @end */
};
static const sb_plugin plugin_table = {
    .size = sizeof plugin_table, .version = SB_VERSION,
    .name = SB_STRING("@NAME@"), .vendor = SB_STRING("@VENDOR@"), .plugin_version = SB_STRING("0.1.0"),
    .groups = groups, .group_count = sizeof groups / sizeof *groups,
};

/* The one function that the library exports. */
int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    if (host->version >> 16 != SB_VERSION_MAJOR) return sb_fail(error, SB_ERROR_UNSUPPORTED, "built for another major version of southbridge.h");
    *plugin = &plugin_table;
    return SB_OK;
}
