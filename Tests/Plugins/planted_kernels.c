/* SPDX-License-Identifier: Apache-2.0
 *
 * The minimal plugin with kernels that have one fault each, of the kind that chips had. Sub is right. All take float32.
 */
#include <string.h>

#define southbridge_plugin base_plugin
#include "../../VendorExamples/minimal/minimal.c"
#undef southbridge_plugin

enum kind {
    SUB,                     /* right, with strides and without */
    MATMUL_MISSES_TAIL,      /* the last column is zero where n mod 16 = 1 and n > 1 */
    ADD_OVERRUNS_IF_STRIDED, /* the output of strided inputs is written with their strides */
    TRANSPOSE_BY_VOLUME,     /* a plan made for one shape serves every other of the same volume */
    MUL_DROPS_BITS,          /* inputs are rounded to 8 bits */
};

#define KERNEL(label, operator, what, more_flags)                                                                                          \
    {                                                                                                                                      \
        .size = sizeof(sb_kernel), .name = SB_STRING(label), .operator_name = SB_STRING(operator), .since = 7,                             \
        .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32), .flags = SB_KERNEL_FLAG_DETERMINISTIC | more_flags, .context = &kinds[what],           \
    }

static const enum kind kinds[] = {SUB, MATMUL_MISSES_TAIL, ADD_OVERRUNS_IF_STRIDED, TRANSPOSE_BY_VOLUME, MUL_DROPS_BITS};
static const sb_kernel planted[] = {
    KERNEL("sub", "Sub", SUB, SB_KERNEL_FLAG_STRIDED),
    KERNEL("matmul_misses_tail", "MatMul", MATMUL_MISSES_TAIL, 0),
    KERNEL("add_overruns", "Add", ADD_OVERRUNS_IF_STRIDED, SB_KERNEL_FLAG_STRIDED),
    {.size = sizeof(sb_kernel),
     .name = SB_STRING("transpose_by_volume"),
     .operator_name = SB_STRING("Transpose"),
     .since = 1,
     .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32),
     .flags = SB_KERNEL_FLAG_DETERMINISTIC,
     .context = &kinds[TRANSPOSE_BY_VOLUME]},
    KERNEL("mul_drops_bits", "Mul", MUL_DROPS_BITS, 0),
};
static const sb_kernel *const planted_list[] = {&planted[0], &planted[1], &planted[2], &planted[3], &planted[4]};

static enum kind kind_of(const sb_node *node) {
    return *(const enum kind *)node->kernel->context;
}

static bool same_shape(const sb_tensor *a, const sb_tensor *b) {
    return a->rank == b->rank && (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

static bool takes(const sb_node *node) {
    for (size_t i = 0; i < node->input_count; ++i)
        if (!node->inputs[i] || node->inputs[i]->data_type != SB_TYPE_FLOAT32) return false;
    switch (kind_of(node)) {
    case TRANSPOSE_BY_VOLUME:
        return node->inputs[0]->rank == 2 && node->attribute_count == 0;
    case MATMUL_MISSES_TAIL:
        return node->inputs[0]->rank == 2 && node->inputs[1]->rank == 2;
    default:
        return node->input_count == 2 && same_shape(node->inputs[0], node->inputs[1]);
    }
}

static int32_t support_planted(sb_instance *instance, sb_device *device, const sb_node *const *nodes, size_t node_count,
                               sb_support *const *answers, sb_error *error) {
    (void)instance;
    (void)device;
    (void)error;
    for (size_t i = 0; i < node_count; ++i) {
        answers[i]->supported = takes(nodes[i]);
        if (!answers[i]->supported) answers[i]->reason = SB_REASON_SHAPE;
    }
    return SB_OK;
}

static float *data(const sb_tensor *tensor) {
    return (float *)(void *)(tensor->buffer->memory + tensor->offset);
}

static float rounded(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    bits = (bits + 0x8000u) & 0xFFFF0000u;
    memcpy(&value, &bits, 4);
    return value;
}

static float combined(enum kind kind, float a, float b) {
    return kind == SUB ? a - b : kind == ADD_OVERRUNS_IF_STRIDED ? a + b : rounded(a) * rounded(b);
}

static int32_t launch_planted(const sb_launch *given, sb_error *error) {
    (void)error;
    const sb_tensor *a = given->inputs[0], *b = given->input_count > 1 ? given->inputs[1] : NULL, *y = given->outputs[0];
    enum kind kind = kind_of(given->node);
    uint64_t count = element_count(y);
    if (kind == MATMUL_MISSES_TAIL) {
        int64_t m = a->shape[0], k = a->shape[1], n = b->shape[1];
        for (int64_t i = 0; i < m; ++i) {
            for (int64_t j = 0; j < n; ++j) {
                float sum = 0;
                for (int64_t p = 0; p < k; ++p) sum += data(a)[i * k + p] * data(b)[p * n + j];
                data(y)[i * n + j] = j == n - 1 && n % 16 == 1 && n > 1 ? 0 : sum;
            }
        }
        return SB_OK;
    }
    if (kind == TRANSPOSE_BY_VOLUME) {
        static int64_t plans[1 << 16];
        int64_t rows = a->shape[0], columns = a->shape[1];
        if (count < 1 << 16) {
            if (plans[count] == 0) plans[count] = rows;
            rows = plans[count], columns = (int64_t)count / (rows ? rows : 1);
        }
        for (int64_t i = 0; i < rows; ++i)
            for (int64_t j = 0; j < columns; ++j) data(y)[j * rows + i] = data(a)[i * columns + j];
        return SB_OK;
    }
    /* All strides of a dense tensor times the same factor: the last one, or 1, tells it. */
    int64_t step_a = a->strides && a->rank ? a->strides[a->rank - 1] : 1, step_b = b->strides && b->rank ? b->strides[b->rank - 1] : 1;
    int64_t step_y = kind == ADD_OVERRUNS_IF_STRIDED ? step_a : 1;
    for (int64_t i = 0; i < (int64_t)count; ++i) data(y)[i * step_y] = combined(kind, data(a)[i * step_a], data(b)[i * step_b]);
    return SB_OK;
}

SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    static sb_plugin made;
    static sb_operators made_operators;
    static sb_group made_groups[2];
    const sb_plugin *base;
    base_plugin(host, &base, error);
    made_operators = (sb_operators){sizeof made_operators, planted_list, 5, support_planted, launch_planted, NULL, NULL};
    made_groups[0] = groups[0];
    made_groups[1] = groups[1];
    made_groups[1].table = &made_operators;
    made = *base;
    made.name = (sb_string)SB_STRING("planted-kernels");
    made.groups = made_groups;
    *plugin = &made;
    return SB_OK;
}
