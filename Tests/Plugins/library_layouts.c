/* SPDX-License-Identifier: Apache-2.0
 *
 * An operator library without a driver whose kernels would rather have a layout of its own: images with their channels in blocks of four. Neg, Relu and
 * ConvertLayout on float32. With -DWRONG Relu leaves the last block of channels out; with -DWISHES=N kernels would rather have the layout N, and for all ranks.
 */
#include <string.h>

#include "southbridge.h"

enum { BLOCKED = 1, BLOCK = 4 };

static const uint32_t blocks[] = {1, BLOCK, 1, 1};
static const sb_layout blocked = {.size = sizeof blocked, .name = SB_STRING("nChw4c"), .value = BLOCKED, .blocks = blocks, .block_rank = 4};
static const sb_layout *const layouts[] = {&blocked};

static bool is(const sb_node *node, const char *name) {
    return node->operator_name.length == strlen(name) && memcmp(node->operator_name.data, name, strlen(name)) == 0;
}

/* Elements in memory. */
static uint64_t extent(const sb_tensor *tensor) {
    uint64_t count = sb_element_count(tensor);
    if (tensor->layout != BLOCKED || count == 0) return count;
    uint64_t channels = (uint64_t)tensor->shape[1];
    return count / channels * ((channels + BLOCK - 1) / BLOCK * BLOCK);
}

static int32_t support(sb_instance *instance, sb_device *device, const sb_node *const *nodes, size_t node_count, sb_support *const *answers,
                       sb_error *error) {
    (void)instance, (void)device, (void)error;
    for (size_t i = 0; i < node_count; ++i) {
        const sb_tensor *x = nodes[i]->inputs[0], *y = nodes[i]->outputs[0];
        double elements = (double)sb_element_count(x);
        bool converts = is(nodes[i], "ConvertLayout"), packs = x->layout == BLOCKED || y->layout == BLOCKED;
        answers[i]->supported = (!packs || x->rank == 4) && (x->layout == y->layout) != converts;
        if (!answers[i]->supported) {
            answers[i]->reason = SB_REASON_LAYOUT;
            if (answers[i]->capacity) answers[i]->message[0] = 0;
            continue;
        }
        answers[i]->cost = 1 + (converts ? 2 : packs ? 1 : 10) * elements;
#ifdef WISHES
        if (converts || packs || !answers[i]->input_layouts) continue;
        answers[i]->input_layouts[0] = answers[i]->output_layouts[0] = WISHES;
#else
        if (converts || packs || x->rank != 4 || !answers[i]->input_layouts) continue;
        answers[i]->input_layouts[0] = answers[i]->output_layouts[0] = BLOCKED;
#endif
        answers[i]->layout_cost = 1 + elements;
    }
    return SB_OK;
}

static void convert(const sb_tensor *from, const sb_tensor *to) {
    const sb_tensor *image = from->layout == BLOCKED ? from : to;
    uint64_t channels = (uint64_t)image->shape[1], groups = (channels + BLOCK - 1) / BLOCK;
    uint64_t points = (uint64_t)image->shape[2] * (uint64_t)image->shape[3];
    for (uint64_t n = 0; n < (uint64_t)image->shape[0]; ++n)
        for (uint64_t c = 0; c < groups * BLOCK; ++c)
            for (uint64_t p = 0; p < points; ++p) {
                uint64_t packed = ((n * groups + c / BLOCK) * points + p) * BLOCK + c % BLOCK;
                uint64_t plain = (n * channels + c) * points + p;
                if (to->layout == BLOCKED)
                    ((float *)to->host)[packed] = c < channels ? ((const float *)from->host)[plain] : 0;
                else if (c < channels)
                    ((float *)to->host)[plain] = ((const float *)from->host)[packed];
            }
}

static int32_t launch(const sb_launch *launch, sb_error *error) {
    const sb_tensor *from = launch->inputs[0], *to = launch->outputs[0];
    if (sb_element_count(to) == 0) return SB_OK;
    if (!from->host || !to->host) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a tensor that the host does not see");
    if (is(launch->node, "ConvertLayout")) {
        convert(from, to);
        return SB_OK;
    }
    const float *x = from->host;
    float *y = to->host;
    bool negates = is(launch->node, "Neg");
    uint64_t count = extent(to);
#ifdef WRONG
    if (!negates && to->layout == BLOCKED) count -= BLOCK;
#endif
    for (uint64_t i = 0; i < count; ++i) y[i] = negates ? -x[i] : x[i] < 0 ? 0 : x[i];
    return SB_OK;
}

#define KERNEL(text, in, operator)                                                                                                         \
    {                                                                                                                                      \
        .size = sizeof(sb_kernel), .name = SB_STRING(text), .domain = SB_STRING(in), .operator_name = SB_STRING(operator), .since = 1,     \
        .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32), .flags = SB_KERNEL_FLAG_DETERMINISTIC | SB_KERNEL_FLAG_LAYOUTS,                        \
    }
static const sb_kernel neg = KERNEL("neg", "", "Neg"), relu = KERNEL("relu", "", "Relu"),
                       convert_layout = KERNEL("convert_layout", "southbridge", "ConvertLayout");
static const sb_kernel *const kernels[] = {&neg, &relu, &convert_layout};
static const sb_operators operators = {.size = sizeof operators,
                                       .kernels = kernels,
                                       .kernel_count = 3,
                                       .support = support,
                                       .launch = launch,
                                       .layouts = layouts,
                                       .layout_count = 1};
static const sb_group groups[] = {{SB_STRING("operators"), 1, 0, &operators}};
static const sb_plugin table = {
    .size = sizeof table, .version = SB_VERSION, .name = SB_STRING("blocked"), .groups = groups, .group_count = 1};

SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    (void)host, (void)error;
    *plugin = &table;
    return SB_OK;
}
