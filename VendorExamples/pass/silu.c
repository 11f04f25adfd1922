/* SPDX-License-Identifier: Apache-2.0
 * A pass that makes an operator of its own, example::SiLU, of x * Sigmoid(x). The host removes what nobody wants any more.
 */
#include <math.h>
#include <string.h>
#include <southbridge.h>

static bool is(const sb_node *node, const char *name) {
    return node && node->domain.length == 0 && node->operator_name.length == strlen(name) &&
           memcmp(node->operator_name.data, name, strlen(name)) == 0;
}

static int32_t run(sb_instance *instance, sb_editor *editor, sb_error *error) {
    (void)instance;
    static const sb_node silu = {sizeof silu, NULL, SB_STRING("example"), SB_STRING("SiLU"), 1, 0, NULL, 0, NULL, 1, NULL, 1};
    for (uint32_t number = 0, end = editor->node_count(editor); number < end; ++number) {
        if (!is(editor->node(editor, number), "Mul")) continue;
        for (size_t side = 0; side < 2; ++side) {
            uint32_t x = editor->input(editor, number, side), factor = editor->input(editor, number, 1 - side), made = 0;
            uint32_t sigmoid = editor->producer(editor, factor);
            if (!is(editor->node(editor, sigmoid), "Sigmoid") || editor->input(editor, sigmoid, 0) != x) continue;
            if (editor->tensor(editor, x)->data_type != SB_TYPE_FLOAT32) continue;
            int32_t status = editor->add_node(editor, &silu, &x, &made, error);
            if (status == SB_OK) status = editor->replace(editor, editor->output(editor, number, 0), made, error);
            if (status != SB_OK) return status;
        }
    }
    return SB_OK;
}

static int32_t infer(sb_instance *instance, const sb_node *node, sb_tensor *const *outputs, sb_error *error) {
    (void)instance;
    sb_string name = node->operator_name;
    if (name.length != 4 || memcmp(name.data, "SiLU", 4) != 0 || node->input_count != 1 || node->output_count != 1)
        return sb_fail(error, SB_ERROR_UNSUPPORTED, "the only operator is SiLU, of one input");
    const sb_tensor *x = node->inputs[0];
    outputs[0]->data_type = x->data_type;
    outputs[0]->rank = x->rank;
    if (x->rank) memcpy(outputs[0]->shape, x->shape, x->rank * sizeof *x->shape);
    return SB_OK;
}

static int32_t support(sb_instance *instance, sb_device *device, const sb_node *const *nodes, size_t count, sb_support *const *answers,
                       sb_error *error) {
    (void)instance, (void)device, (void)nodes, (void)error;
    for (size_t i = 0; i < count; ++i) answers[i]->supported = 1;
    return SB_OK;
}

static int32_t launch(const sb_launch *launch, sb_error *error) {
    (void)error;
    const float *x = launch->inputs[0]->host;
    float *y = launch->outputs[0]->host;
    int64_t count = 1;
    for (uint32_t axis = 0; axis < launch->inputs[0]->rank; ++axis) count *= launch->inputs[0]->shape[axis];
    for (int64_t i = 0; i < count; ++i) y[i] = x[i] / (1 + expf(-x[i]));
    return SB_OK;
}

SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    (void)host, (void)error;
    static const sb_pass pass = {sizeof pass, SB_STRING("fuse-silu"), SB_STRING("x * Sigmoid(x) to example::SiLU"), {0}, SB_STAGE_FUSE, 0,
                                 run};
    static const sb_pass *const list[] = {&pass};
    static const sb_passes passes = {sizeof passes, list, 1, infer};
    static const sb_kernel kernel = {.size = sizeof kernel,
                                     .name = SB_STRING("silu"),
                                     .domain = SB_STRING("example"),
                                     .operator_name = SB_STRING("SiLU"),
                                     .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32)};
    static const sb_kernel *const kernels[] = {&kernel};
    static const sb_operators operators = {
        .size = sizeof operators, .kernels = kernels, .kernel_count = 1, .support = support, .launch = launch};
    static const sb_group groups[] = {{SB_STRING("operators"), 1, 0, &operators}, {SB_STRING("passes"), 1, 0, &passes}};
    static const sb_plugin table = {
        .size = sizeof table, .version = SB_VERSION, .name = SB_STRING("silu"), .groups = groups, .group_count = 2};
    *plugin = &table;
    return SB_OK;
}
