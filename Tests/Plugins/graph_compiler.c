/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin with a graph compiler for Add, Mul, Relu and MatMul of float32, and the same operators as kernels. Built with -DFAULT=NAME it has that one
 * fault, for the suite to find; with -DGRAPHS_ALONE it has no kernels, with -DDESCRIBES its programs tell
 * of their arithmetic and memory, with -DCLAIMS_ALL it claims all that it takes as one group.
 */
#include "graph_compiler.h"

#include "graph_program.h"

/* A kernel is a program of one step, made anew for each launch. */
static int32_t launch(const sb_launch *launch, sb_error *error) {
    const sb_graph graph = {.size = sizeof graph,
                            .nodes = &launch->node,
                            .node_count = 1,
                            .inputs = launch->inputs,
                            .input_count = launch->input_count,
                            .outputs = launch->outputs,
                            .output_count = launch->output_count};
    sb_program *program;
    int32_t status =
        FAULT == refuses_its_claim ? SB_ERROR_INTERNAL : compile(launch->device->instance, launch->device, &graph, &program, error);
    if (status != SB_OK) return status;
    sb_execution execution = {.size = sizeof execution,
                              .device = launch->device,
                              .program = program,
                              .inputs = launch->inputs,
                              .input_count = launch->input_count,
                              .outputs = launch->outputs,
                              .output_count = launch->output_count,
                              .correlation = launch->correlation};
    status = execute(&execution, error);
    release(program);
    return status;
}

static int32_t support(sb_instance *instance, sb_device *device, const sb_node *const *nodes, size_t node_count, sb_support *const *answers,
                       sb_error *error) {
    (void)instance, (void)device, (void)error;
    for (size_t i = 0; i < node_count; ++i) {
        answers[i]->supported = takes(nodes[i]);
        if (answers[i]->supported) continue;
        answers[i]->reason = SB_REASON_OTHER;
        sb_error text = {sizeof text, 0, 0, 0, answers[i]->message, answers[i]->capacity};
        sb_fail(&text, SB_ERROR_UNSUPPORTED, "up to four axes of float32; matrices for MatMul");
    }
    return SB_OK;
}

#define KERNEL(id, text, from)                                                                                                             \
    static const sb_kernel id = {.size = sizeof id,                                                                                        \
                                 .name = SB_STRING(#id),                                                                                   \
                                 .operator_name = SB_STRING(text),                                                                         \
                                 .since = from,                                                                                            \
                                 .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32),                                                               \
                                 .flags = SB_KERNEL_FLAG_DETERMINISTIC}
KERNEL(add, "Add", 7);
KERNEL(mul, "Mul", 7);
KERNEL(relu, "Relu", 6);
KERNEL(matmul, "MatMul", 9);
static const sb_kernel *const kernels[] = {&add, &mul, &relu, &matmul};
static const sb_operators operators = {
    .size = sizeof operators, .kernels = kernels, .kernel_count = 4, .support = support, .launch = launch};

static int32_t start(const sb_host *host, const sb_option *options, size_t option_count, sb_instance **instance, sb_error *error) {
    sb_instance *started = malloc(sizeof *started);
    *started = (sb_instance){host, 1, true};
    for (size_t i = 0; i < option_count; ++i) {
        bool two = options[i].value.length == 1 && options[i].value.data[0] == '2';
        bool yes = options[i].value.length == 4 && !memcmp(options[i].value.data, "true", 4);
        bool no = options[i].value.length == 5 && !memcmp(options[i].value.data, "false", 5);
        if (options[i].name.data[0] == 'p' && (two || (options[i].value.length == 1 && options[i].value.data[0] == '1')))
            started->profile = two ? 2 : 1;
        else if (options[i].name.data[0] == 'g' && (yes || no))
            started->graph = yes;
        else {
            free(started);
            return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "option 'profile' is 1 or 2, option 'graph' true or false");
        }
    }
    *instance = started;
    return SB_OK;
}

static void stop(sb_instance *instance) {
    free(instance);
}

static const sb_option_schema profile = {.size = sizeof profile,
                                         .name = SB_STRING("profile"),
                                         .type = SB_OPTION_INTEGER,
                                         .default_value = SB_STRING("1"),
                                         .help = SB_STRING("which of two kinds of device: 1 or 2")};
static const sb_option_schema graph_mode = {.size = sizeof graph_mode,
                                            .name = SB_STRING("graph"),
                                            .type = SB_OPTION_BOOLEAN,
                                            .default_value = SB_STRING("true"),
                                            .help = SB_STRING("compile graphs")};
static const sb_option_schema *const options[] = {&profile, &graph_mode};

static const sb_group groups[] = {
    {SB_STRING("driver"), 1, 0, &driver},       {SB_STRING("streams"), 1, 0, &streams},
    {SB_STRING("graphs"), 1, 0, &graphs},       {SB_STRING("observation"), 1, 0, &observation},
#ifndef GRAPHS_ALONE
    {SB_STRING("operators"), 1, 0, &operators},
#endif
};
static const sb_plugin table = {.size = sizeof table,
                                .version = SB_VERSION,
                                .name = SB_STRING("graph_compiler"),
                                .vendor = SB_STRING("Southbridge"),
                                .plugin_version = SB_STRING("1.0"),
                                .groups = groups,
                                .group_count = sizeof groups / sizeof groups[0],
                                .options = options,
                                .option_count = 2,
                                .start = start,
                                .stop = stop};

SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    if (host->version >> 16 != SB_VERSION_MAJOR) return sb_fail(error, SB_ERROR_UNSUPPORTED, "this plugin is for another major version");
    *plugin = &table;
    return SB_OK;
}
