/* SPDX-License-Identifier: Apache-2.0
 *
 * A test of @NAME@ without the stack: it calls the plugin as a host does.  ./test ./lib@NAME@.so
 */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "southbridge.h"

#define COUNT 5
static int failures;
static char message[500];
static sb_error detail = {sizeof detail, 0, 0, 0, message, sizeof message};

static void expect(int is_right, const char *what) {
    if (!is_right) fprintf(stderr, "wrong: %s %s\n", what, message), ++failures;
}
static void host_log(void *context, uint32_t level, sb_string text) {
    (void)context, fprintf(stderr, "%u: %.*s\n", level, (int)text.length, text.data);
}
static uint64_t host_clock(void *context) {
    struct timespec now;
    (void)context, timespec_get(&now, TIME_UTC);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
static const void *group(const sb_plugin *plugin, const char *name) {
    for (size_t i = 0; i < plugin->group_count; ++i) {
        sb_string found = plugin->groups[i].name;
        if (found.length == strlen(name) && memcmp(found.data, name, found.length) == 0) return plugin->groups[i].table;
    }
    return NULL;
}

int main(int count, char **arguments) {
    void *library = count == 2 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    int32_t (*entry)(const sb_host *, const sb_plugin **, sb_error *) = NULL;
    if (library) *(void **)&entry = dlsym(library, SB_ENTRY_POINT);
    if (!entry) return fprintf(stderr, "usage: test LIBRARY; %s\n", dlerror()), 2;

    static const sb_host host = {sizeof host, SB_VERSION, 0, NULL, host_log, host_clock};
    const sb_plugin *plugin = NULL;
    if (entry(&host, &plugin, &detail) != SB_OK) return fprintf(stderr, "the plugin refuses this host: %s\n", message), 1;
    sb_instance *instance = NULL;
    if (plugin->start) expect(plugin->start(&host, NULL, 0, &instance, &detail) == SB_OK, "start");

    const sb_driver *driver = group(plugin, "driver");
    sb_device *device = NULL;
    sb_buffer *source = NULL, *result = NULL;
    if (!driver || driver->open(instance, 0, &device, &detail) != SB_OK) return fprintf(stderr, "no device: %s\n", message), 1;
    static float given[COUNT] = {-2, -0.5f, 0, 3, NAN}, back[COUNT];
    expect(driver->allocate(device, 0, sizeof given, 64, &source, &detail) == SB_OK, "allocate");
    expect(driver->allocate(device, 0, sizeof given, 64, &result, &detail) == SB_OK, "allocate");
    expect(driver->copy(device, NULL, (sb_location){source, NULL, 0}, (sb_location){NULL, given, 0}, sizeof given, &detail) == SB_OK, "copy in");
    int64_t shape[] = {COUNT};
    sb_tensor x = {.size = sizeof x, .data_type = SB_TYPE_FLOAT32, .rank = 1, .shape = shape, .buffer = source}, y = x, between = x;
    y.buffer = result, between.buffer = NULL;
    const sb_tensor *const inputs[] = {&x}, *const outputs[] = {&y}, *const middle[] = {&between};
    (void)middle;
    /* @if kernel */

    const sb_operators *operators = group(plugin, "operators");
    sb_node node = {.size = sizeof node,
                    .kernel = operators->kernels[0],
                    .operator_name = SB_STRING("Relu"),
                    .version = 14,
                    .inputs = inputs,
                    .input_count = 1,
                    .outputs = outputs,
                    .output_count = 1};
    const sb_node *const nodes[] = {&node};
    sb_support answer = {.size = sizeof answer, .message = message, .capacity = sizeof message}, *const answers[] = {&answer};
    expect(operators->support(instance, device, nodes, 1, answers, &detail) == SB_OK && answer.supported, "support of Relu");
    sb_launch launch = {.size = sizeof launch,
                        .instance = instance,
                        .device = device,
                        .node = &node,
                        .inputs = inputs,
                        .input_count = 1,
                        .outputs = outputs,
                        .output_count = 1};
    expect(operators->launch(&launch, &detail) == SB_OK, "launch of Relu");
    expect(driver->copy(device, NULL, (sb_location){NULL, back, 0}, (sb_location){result, NULL, 0}, sizeof back, &detail) == SB_OK, "copy out");
    for (int i = 0; i < COUNT; ++i) expect(isnan(given[i]) ? isnan(back[i]) : back[i] == (given[i] < 0 ? 0 : given[i]), "Relu");
    /* @end */
    /* @if graph */

    const sb_graphs *graphs = group(plugin, "graphs");
    sb_node neg = {.size = sizeof neg,
                   .operator_name = SB_STRING("Neg"),
                   .version = 13,
                   .inputs = inputs,
                   .input_count = 1,
                   .outputs = middle,
                   .output_count = 1};
    sb_node then = neg;
    then.operator_name = (sb_string)SB_STRING("Relu"), then.version = 14, then.inputs = middle, then.outputs = outputs;
    const sb_node *const chain[] = {&neg, &then};
    sb_graph graph = {.size = sizeof graph,
                      .nodes = chain,
                      .node_count = 2,
                      .inputs = inputs,
                      .input_count = 1,
                      .outputs = outputs,
                      .output_count = 1};
    uint32_t groups[] = {0, 0};
    expect(graphs->claim(instance, device, &graph, groups, &detail) == SB_OK && groups[0] && groups[0] == groups[1], "claim of Neg, Relu");
    sb_program *program = NULL;
    expect(graphs->compile(instance, device, &graph, &program, &detail) == SB_OK, "compile");
    sb_execution execution = {.size = sizeof execution,
                              .instance = instance,
                              .device = device,
                              .program = program,
                              .inputs = inputs,
                              .input_count = 1,
                              .outputs = outputs,
                              .output_count = 1};
    expect(program && graphs->execute(&execution, &detail) == SB_OK, "execute");
    expect(driver->copy(device, NULL, (sb_location){NULL, back, 0}, (sb_location){result, NULL, 0}, sizeof back, &detail) == SB_OK, "copy out");
    for (int i = 0; i < COUNT; ++i) expect(isnan(given[i]) ? isnan(back[i]) : back[i] == (given[i] > 0 ? 0 : -given[i]), "Relu of Neg");
    if (program && graphs->release) graphs->release(program);
    /* @end */

    driver->free(device, source);
    driver->free(device, result);
    driver->close(device);
    if (plugin->stop) plugin->stop(instance);
    if (!failures) puts("all right");
    return failures != 0;
}
