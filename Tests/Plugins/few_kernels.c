/* SPDX-License-Identifier: Apache-2.0
 *
 * The minimal plugin with a handful of float32 kernels, as a chip has at first: what else a model asks for must run as these.
 */
#include <math.h>

#define southbridge_plugin base_plugin
#include "../../VendorExamples/minimal/minimal.c"
#undef southbridge_plugin

#ifndef ENTRY /* another name where this file is part of a larger plugin */
#define ENTRY southbridge_plugin
#endif

enum kind { ADD, SUB, MUL, DIV, SQRT, EXP, REDUCE_SUM, REDUCE_MAX, RESHAPE };

#define KERNEL(label, operator, what)                                                                                                      \
    {                                                                                                                                      \
        .size = sizeof(sb_kernel), .name = SB_STRING(label), .operator_name = SB_STRING(operator), .since = 1,                             \
        .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32), .flags = SB_KERNEL_FLAG_DETERMINISTIC, .context = &kinds[what],                        \
    }

static const enum kind kinds[] = {ADD, SUB, MUL, DIV, SQRT, EXP, REDUCE_SUM, REDUCE_MAX, RESHAPE};

static const sb_kernel few[] = {
    KERNEL("add", "Add", ADD),
    KERNEL("sub", "Sub", SUB),
    KERNEL("mul", "Mul", MUL),
    KERNEL("div", "Div", DIV),
    KERNEL("sqrt", "Sqrt", SQRT),
    KERNEL("exp", "Exp", EXP),
    KERNEL("reduce_sum", "ReduceSum", REDUCE_SUM),
    KERNEL("reduce_max", "ReduceMax", REDUCE_MAX),
    KERNEL("reshape", "Reshape", RESHAPE),
};
static const sb_kernel *const few_list[] = {&few[0], &few[1], &few[2], &few[3], &few[4], &few[5], &few[6], &few[7], &few[8]};

/* Reductions keep their axes, so that the shapes tell which they are. */
static int32_t few_support(sb_instance *instance, sb_device *device, const sb_node *const *nodes, size_t node_count,
                           sb_support *const *answers, sb_error *error) {
    (void)instance;
    (void)device;
    (void)error;
    for (size_t i = 0; i < node_count; ++i) {
        enum kind kind = *(const enum kind *)nodes[i]->kernel->context;
        const sb_tensor *x = nodes[i]->inputs[0], *y = nodes[i]->outputs[0];
        answers[i]->supported = (kind != REDUCE_SUM && kind != REDUCE_MAX) || x->rank == y->rank;
        answers[i]->reason = answers[i]->supported ? 0 : SB_REASON_ATTRIBUTE;
    }
    return SB_OK;
}

/* Where element `index` of `whole` lies in `part`, whose axes of one element are stretched. */
static uint64_t position(const sb_tensor *part, const sb_tensor *whole, uint64_t index) {
    uint64_t result = 0, stride = 1;
    for (uint32_t back = 1; back <= whole->rank; ++back) {
        uint64_t place = index % (uint64_t)whole->shape[whole->rank - back];
        index /= (uint64_t)whole->shape[whole->rank - back];
        if (back > part->rank) continue;
        uint64_t size = (uint64_t)part->shape[part->rank - back];
        if (size != 1) result += place * stride;
        stride *= size;
    }
    return result;
}

static float *elements(const sb_tensor *tensor) {
    return (float *)(void *)(tensor->buffer->memory + tensor->offset);
}

static int32_t launch_few(const sb_launch *given, sb_error *error) {
    (void)error;
    const sb_tensor *x = given->inputs[0], *y = given->outputs[0];
    enum kind kind = *(const enum kind *)given->node->kernel->context;
    uint64_t count = element_count(y);
    if (count == 0) return SB_OK;
    float *from = elements(x), *to = elements(y);
    switch (kind) {
    case SQRT:
        for (uint64_t i = 0; i < count; ++i) to[i] = sqrtf(from[i]);
        break;
    case EXP:
        for (uint64_t i = 0; i < count; ++i) to[i] = expf(from[i]);
        break;
    case RESHAPE:
        memcpy(to, from, count * sizeof(float));
        break;
    case REDUCE_SUM:
    case REDUCE_MAX:
        for (uint64_t i = 0; i < count; ++i) to[i] = kind == REDUCE_SUM ? 0 : -INFINITY;
        for (uint64_t i = 0; i < element_count(x); ++i) {
            float *target = to + position(y, x, i);
            *target = kind == REDUCE_SUM ? *target + from[i] : from[i] > *target ? from[i] : *target;
        }
        break;
    default:
        for (uint64_t i = 0; i < count; ++i) {
            float a = from[position(x, y, i)], b = elements(given->inputs[1])[position(given->inputs[1], y, i)];
            to[i] = kind == ADD ? a + b : kind == SUB ? a - b : kind == MUL ? a * b : a / b;
        }
    }
    return SB_OK;
}

SB_EXPORT int32_t ENTRY(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    static sb_plugin made;
    static sb_operators made_operators;
    static sb_group made_groups[2];
    const sb_plugin *base;
    base_plugin(host, &base, error);
    made_operators =
        (sb_operators){.size = sizeof made_operators, .kernels = few_list, .kernel_count = 9, .support = few_support, .launch = launch_few};
    made_groups[0] = groups[0];
    made_groups[1] = groups[1];
    made_groups[1].table = &made_operators;
    made = *base;
    made.name = (sb_string)SB_STRING("few-kernels");
    made.groups = made_groups;
    *plugin = &made;
    return SB_OK;
}
