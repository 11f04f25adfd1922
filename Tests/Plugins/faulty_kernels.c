/* SPDX-License-Identifier: Apache-2.0
 *
 * The minimal plugin with kernels that go wrong in the ways in which kernels do: only Relu is right. Each takes one float32 tensor.
 */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define southbridge_plugin base_plugin
#include "../../VendorExamples/minimal/minimal.c"
#undef southbridge_plugin

enum kind { RELU, ABS_CRASHES, NEG_HANGS, EXP_WRONG, SQRT_EXITS, SIGMOID_OVERRUNS, TANH_ABORTS, FLOOR_WRITES_INPUT, CEIL_FAILS };

#define KERNEL(label, operator, first_version, what)                                                                                       \
    {                                                                                                                                      \
        .size = sizeof(sb_kernel), .name = SB_STRING(label), .operator_name = SB_STRING(operator), .since = first_version,                 \
        .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32), .context = &kinds[what],                                                               \
    }

static const enum kind kinds[] = {RELU,        ABS_CRASHES,        NEG_HANGS, EXP_WRONG, SQRT_EXITS, SIGMOID_OVERRUNS,
                                  TANH_ABORTS, FLOOR_WRITES_INPUT, CEIL_FAILS};

static const sb_kernel faulty[] = {
    KERNEL("relu", "Relu", 6, RELU),
    KERNEL("abs_crashes", "Abs", 6, ABS_CRASHES),
    KERNEL("neg_hangs", "Neg", 6, NEG_HANGS),
    KERNEL("exp_wrong", "Exp", 6, EXP_WRONG),
    KERNEL("sqrt_exits", "Sqrt", 6, SQRT_EXITS),
    KERNEL("sigmoid_overruns", "Sigmoid", 6, SIGMOID_OVERRUNS),
    KERNEL("tanh_aborts", "Tanh", 6, TANH_ABORTS),
    KERNEL("floor_writes_input", "Floor", 6, FLOOR_WRITES_INPUT),
    KERNEL("ceil_fails", "Ceil", 6, CEIL_FAILS),
};
static const sb_kernel *const faulty_list[] = {&faulty[0], &faulty[1], &faulty[2], &faulty[3], &faulty[4],
                                               &faulty[5], &faulty[6], &faulty[7], &faulty[8]};

static int32_t launch_faulty(const sb_launch *given, sb_error *error) {
    const sb_tensor *x = given->inputs[0], *y = given->outputs[0];
    uint64_t elements = element_count(x);
    float *from = (float *)(void *)(x->buffer->memory + x->offset), *to = (float *)(void *)(y->buffer->memory + y->offset);
    switch (*(const enum kind *)given->node->kernel->context) {
    case RELU:
        return launch(given, error);
    case ABS_CRASHES:
        *(volatile float *)NULL = 1;
        break;
    case NEG_HANGS:
        for (;;) pause();
    case EXP_WRONG: /* a series that ends too early */
        for (uint64_t i = 0; i < elements; ++i) to[i] = 1 + from[i] + from[i] * from[i] / 2;
        break;
    case SQRT_EXITS:
        exit(3);
    case SIGMOID_OVERRUNS: /* whole vectors of 16, past the end */
        for (uint64_t i = 0; i < (elements + 15) / 16 * 16 + 16; ++i) to[i] = i < elements ? 1 / (1 + expf(-from[i])) : 77;
        break;
    case TANH_ABORTS:
        abort();
    case FLOOR_WRITES_INPUT:
        for (uint64_t i = 0; i < elements; ++i) to[i] = from[i] = floorf(from[i]);
        break;
    case CEIL_FAILS:
        return sb_fail(error, SB_ERROR_INTERNAL, "the matrix unit reports parity error 0x2a");
    }
    return SB_OK;
}

SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    static sb_plugin made;
    static sb_operators made_operators;
    static sb_group made_groups[2];
    const sb_plugin *base;
    base_plugin(host, &base, error);
    made_operators = (sb_operators){sizeof made_operators, faulty_list, 9, support, launch_faulty, NULL, NULL};
    made_groups[0] = groups[0];
    made_groups[1] = groups[1];
    made_groups[1].table = &made_operators;
    made = *base;
    made.name = (sb_string)SB_STRING("faulty-kernels");
    made.groups = made_groups;
    *plugin = &made;
    return SB_OK;
}
