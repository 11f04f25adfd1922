/* SPDX-License-Identifier: Apache-2.0
 *
 * An operator library without a driver: Neg and Relu on float32, in the memory that the host sees. It refuses what SB-OPS-016 rules out.
 * With -DWRONG Neg forgets the sign, with -DCRASHES it reads the device of another plugin; with -DIGNORES_NAN Relu of NaN is 0, and declared so by the kernel,
 * with -DANSWERS_NAN by the answers about Relu alone.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "southbridge.h"

#ifdef ANSWERS_NAN
#define IGNORES_NAN
#endif
#ifdef IGNORES_NAN
static const sb_numerics numerics = {.size = sizeof numerics, .flags = SB_NUMERICS_IGNORES_NAN};
#endif
#if defined(IGNORES_NAN) && !defined(ANSWERS_NAN)
#define NUMERICS &numerics
#else
#define NUMERICS NULL
#endif

static int32_t support(sb_instance *instance, sb_device *device, const sb_node *const *nodes, size_t node_count, sb_support *const *answers,
                       sb_error *error) {
    (void)instance, (void)device, (void)nodes, (void)error;
    for (size_t i = 0; i < node_count; ++i) {
        answers[i]->supported = 1;
#ifdef ANSWERS_NAN
        if (nodes[i]->operator_name.data[0] == 'R') answers[i]->numerics = &numerics;
#endif
    }
    return SB_OK;
}

static int32_t launch(const sb_launch *launch, sb_error *error) {
    const sb_tensor *from = launch->inputs[0], *to = launch->outputs[0];
    uint64_t count = sb_element_count(to);
    if (launch->stream) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a stream of another plugin");
    if (count == 0) return SB_OK;
    if (!from->host || !to->host) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a tensor that the host does not see");
    const float *x = from->host;
    float *y = to->host;
    bool negates = memcmp(launch->node->operator_name.data, "Neg", 3) == 0;
#ifdef CRASHES
    if (negates) abort();
#endif
    for (uint64_t i = 0; i < count; ++i) {
#ifdef WRONG
        if (negates) y[i] = x[i];
#else
        if (negates) y[i] = -x[i];
#endif
#ifdef IGNORES_NAN
        if (!negates) y[i] = x[i] > 0 ? x[i] : 0;
#else
        if (!negates) y[i] = x[i] < 0 ? 0 : x[i];
#endif
    }
    return SB_OK;
}

#define KERNEL(text, operator)                                                                                                             \
    {                                                                                                                                      \
        .size = sizeof(sb_kernel), .name = SB_STRING(text), .operator_name = SB_STRING(operator), .since = 6,                              \
        .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32), .flags = SB_KERNEL_FLAG_DETERMINISTIC, .numerics = NUMERICS,                           \
    }
static const sb_kernel neg = KERNEL("neg", "Neg"), relu = KERNEL("relu", "Relu");
static const sb_kernel *const kernels[] = {&neg, &relu};
static const sb_operators operators = {
    .size = sizeof operators, .kernels = kernels, .kernel_count = 2, .support = support, .launch = launch};
static const sb_group groups[] = {{SB_STRING("operators"), 1, 0, &operators}};
static const sb_plugin table = {
    .size = sizeof table, .version = SB_VERSION, .name = SB_STRING("alone"), .groups = groups, .group_count = 1};

SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    (void)host, (void)error;
    *plugin = &table;
    return SB_OK;
}
