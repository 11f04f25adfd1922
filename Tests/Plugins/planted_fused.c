/* SPDX-License-Identifier: Apache-2.0
 *
 * The minimal plugin with kernels for FusedMatMul and FusedElementwise on float32, for Add, Mul, Relu and Tanh as steps, with one fault of those that kernels have
 * at seams, or none: compile with -DFAULT=... .
 */
#include <math.h>
#include <string.h>

#define southbridge_plugin base_plugin
#include "../../VendorExamples/minimal/minimal.c"
#undef southbridge_plugin

enum fault {
    none,
    activation_left_out,    /* the last step is not run where it has no operand */
    residual_in_front,      /* steps with operands are run before the others */
    bias_missed_at_tail,    /* the operand of the last columns beyond 16 is not added */
    last_residual_left_out, /* the second operand is never read */
};

#ifndef FAULT
#define FAULT none
#endif

enum { MOST_STEPS = 32 };

static const sb_kernel fused[] = {
    {.size = sizeof(sb_kernel),
     .name = SB_STRING("fused_matmul"),
     .domain = SB_STRING("southbridge"),
     .operator_name = SB_STRING("FusedMatMul"),
     .since = 1,
     .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32),
     .flags = SB_KERNEL_FLAG_DETERMINISTIC},
    {.size = sizeof(sb_kernel),
     .name = SB_STRING("fused_elementwise"),
     .domain = SB_STRING("southbridge"),
     .operator_name = SB_STRING("FusedElementwise"),
     .since = 1,
     .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32),
     .flags = SB_KERNEL_FLAG_DETERMINISTIC},
};
static const sb_kernel *const fused_list[] = {&fused[0], &fused[1]};

static const sb_attribute *attribute(const sb_node *node, const char *name) {
    for (size_t i = 0; i < node->attribute_count; ++i) {
        const sb_attribute *one = node->attributes[i];
        if (one->name.length == strlen(name) && memcmp(one->name.data, name, one->name.length) == 0) return one;
    }
    return NULL;
}

static bool is(sb_string text, const char *name) {
    return text.length == strlen(name) && memcmp(text.data, name, text.length) == 0;
}

static size_t base_count(const sb_node *node) {
    return node->kernel == &fused[0] ? 2 : 1;
}

static bool takes(const sb_node *node) {
    const sb_attribute *steps = attribute(node, "steps");
    if (!steps || steps->count == 0 || steps->count > MOST_STEPS) return false;
    for (size_t i = 0; i < steps->count; ++i)
        if (!is(steps->strings[i], "Add") && !is(steps->strings[i], "Mul") && !is(steps->strings[i], "Relu") &&
            !is(steps->strings[i], "Tanh"))
            return false;
    for (size_t i = 0; i < node->input_count; ++i)
        if (!node->inputs[i] || node->inputs[i]->data_type != SB_TYPE_FLOAT32) return false;
    return base_count(node) == 1 || (node->inputs[0]->rank == 2 && node->inputs[1]->rank == 2);
}

static int32_t support_fused(sb_instance *instance, sb_device *device, const sb_node *const *nodes, size_t node_count,
                             sb_support *const *answers, sb_error *error) {
    (void)instance;
    (void)device;
    (void)error;
    for (size_t i = 0; i < node_count; ++i) {
        answers[i]->supported = takes(nodes[i]);
        if (!answers[i]->supported) answers[i]->reason = SB_REASON_OTHER;
    }
    return SB_OK;
}

static float *data(const sb_tensor *tensor) {
    return (float *)(void *)(tensor->buffer->memory + tensor->offset);
}

/* The element of an operand that an element of the output reads. */
static float operand_at(const sb_tensor *operand, const sb_tensor *output, uint64_t index) {
    uint64_t place = 0, step = 1;
    for (uint32_t axis = output->rank; axis-- > 0;) {
        uint64_t size = (uint64_t)output->shape[axis], at = index % size;
        index /= size;
        uint32_t behind = output->rank - axis;
        if (behind > operand->rank) continue;
        uint64_t own = (uint64_t)operand->shape[operand->rank - behind];
        if (own > 1) place += at * step;
        step *= own;
    }
    return data(operand)[place];
}

static float stepped(const sb_launch *given, float value, uint64_t index) {
    const sb_node *node = given->node;
    const sb_attribute *steps = attribute(node, "steps"), *operands = attribute(node, "operands");
    const sb_tensor *y = given->outputs[0];
    uint64_t columns = y->rank ? (uint64_t)y->shape[y->rank - 1] : 1, column = index % (columns ? columns : 1);
    for (int pass = 0; pass < (FAULT == residual_in_front ? 2 : 1); ++pass) {
        for (size_t i = 0; i < steps->count; ++i) {
            bool has_operand = operands->ints[i] >= 0;
            if (FAULT == residual_in_front && has_operand != (pass == 0)) continue;
            if (FAULT == activation_left_out && !has_operand && i + 1 == steps->count) continue;
            if (FAULT == last_residual_left_out && operands->ints[i] == 1) continue;
            if (!has_operand) {
                value = is(steps->strings[i], "Tanh") ? tanhf(value) : isnan(value) || value > 0 ? value : 0;
                continue;
            }
            const sb_tensor *operand = given->inputs[base_count(node) + (size_t)operands->ints[i]];
            if (FAULT == bias_missed_at_tail && operand->rank == 1 && column >= columns - columns % 16 && columns > 16) continue;
            float other = operand_at(operand, y, index);
            value = is(steps->strings[i], "Add") ? value + other : value * other;
        }
    }
    return value;
}

static int32_t launch_fused(const sb_launch *given, sb_error *error) {
    (void)error;
    const sb_tensor *a = given->inputs[0], *y = given->outputs[0];
    uint64_t count = element_count(y);
    for (uint64_t index = 0; index < count; ++index) {
        float value;
        if (given->node->kernel == &fused[0]) {
            const sb_tensor *b = given->inputs[1];
            uint64_t k = (uint64_t)a->shape[1], n = (uint64_t)b->shape[1];
            value = 0;
            for (uint64_t p = 0; p < k; ++p) value += data(a)[index / n * k + p] * data(b)[p * n + index % n];
        } else {
            value = data(a)[index];
        }
        data(y)[index] = stepped(given, value, index);
    }
    return SB_OK;
}

SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    static sb_plugin made;
    static sb_operators made_operators;
    static sb_group made_groups[2];
    const sb_plugin *base;
    base_plugin(host, &base, error);
    made_operators = (sb_operators){sizeof made_operators, fused_list, 2, support_fused, launch_fused, NULL, NULL};
    made_groups[0] = groups[0];
    made_groups[1] = groups[1];
    made_groups[1].table = &made_operators;
    made = *base;
    made.name = (sb_string)SB_STRING("planted-fused");
    made.groups = made_groups;
    *plugin = &made;
    return SB_OK;
}
