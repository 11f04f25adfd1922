/* SPDX-License-Identifier: Apache-2.0
 *
 * The minimal plugin with two passes and an operator of its own. -DFAULT=name plants one fault into its passes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define southbridge_plugin base_plugin
#include "../../VendorExamples/minimal/minimal.c"
#undef southbridge_plugin

#ifndef FAULT
#define FAULT none
#endif

enum fault {
    none,
    makes_a_cycle,      /* a value in place of one that it is computed from */
    removes_wanted,     /* takes out a node whose value is read */
    changes_type,       /* a value in place of one of another shape */
    reads_nothing,      /* a new node reads a value that nobody writes */
    changes_numerics,   /* Abs for Relu */
    loses_sign,         /* leaves out one Neg of a pair */
    loops_for_ever,     /* waits for a change that it does not make */
    crashes,            /* follows an address that is none */
    fails,              /* gives up in the middle */
    works_by_turns,     /* rewrites every other time */
    scribbles,          /* writes into a constant */
    infers_wrong_shape, /* says that its operator has one element */
};

static bool is(const sb_node *node, const char *name) {
    return node && node->domain.length == 0 && node->operator_name.length == strlen(name) &&
           memcmp(node->operator_name.data, name, strlen(name)) == 0;
}

/* f(f(x)) to f(x) for Relu, to x for Neg. */
static int32_t run_repeated(sb_instance *instance, sb_editor *editor, sb_error *error) {
    (void)instance;
    if (FAULT == fails) return sb_fail(error, SB_ERROR_INTERNAL, "the pass lost its way");
    for (uint32_t number = 0, end = editor->node_count(editor); number < end; ++number) {
        const sb_node *node = editor->node(editor, number);
        uint32_t x = editor->input(editor, number, 0), y = editor->output(editor, number, 0);
        uint32_t inner = editor->producer(editor, x);
        int32_t status = SB_OK;
        if (FAULT == crashes && is(node, "Mul")) *(volatile int *)(uintptr_t)8 = 1;
        if (FAULT == loops_for_ever)
            for (volatile uint32_t before = editor->node_count(editor); is(node, "Mul") && editor->node_count(editor) == before;) {
            }
        if (FAULT == removes_wanted && is(node, "Mul")) status = editor->remove(editor, number, NULL), status = SB_OK;
        if (FAULT == reads_nothing && is(node, "Mul")) {
            uint32_t nobody = 123456, made = 0;
            sb_node added = *node;
            added.input_count = 1, added.operator_name = (sb_string)SB_STRING("Neg"), added.version = 13;
            editor->add_node(editor, &added, &nobody, &made, NULL);
        }
        if (FAULT == changes_type && is(node, "Add") &&
            editor->tensor(editor, x)->rank != editor->tensor(editor, editor->input(editor, number, 1))->rank)
            editor->replace(editor, y, editor->input(editor, number, 1), NULL);
        if (FAULT == scribbles && is(node, "Mul")) {
            const sb_tensor *weights = editor->tensor(editor, editor->input(editor, number, 1));
            if (weights && weights->host) *(unsigned char *)weights->host ^= 1;
        }
        if (FAULT == changes_numerics && is(node, "Relu")) {
            uint32_t made = 0;
            sb_node absolute = {sizeof absolute, NULL, {0}, SB_STRING("Abs"), 13, 0, NULL, 0, NULL, 1, NULL, 1};
            status = editor->add_node(editor, &absolute, &x, &made, error);
            if (status == SB_OK) status = editor->replace(editor, y, made, error);
        }
        if (FAULT == loses_sign && is(node, "Neg")) status = editor->replace(editor, y, x, error);
        if (FAULT == makes_a_cycle && is(node, "Relu") && inner != SB_NOTHING) editor->replace(editor, x, y, NULL);
        static int turn;
        if (FAULT == works_by_turns && is(node, "Relu") && ++turn % 2) continue;
        if (status == SB_OK && is(node, "Relu") && is(editor->node(editor, inner), "Relu")) status = editor->replace(editor, y, x, error);
        if (status == SB_OK && is(node, "Neg") && is(editor->node(editor, inner), "Neg") && FAULT != loses_sign)
            status = editor->replace(editor, y, editor->input(editor, inner, 0), error);
        if (status != SB_OK) return status;
    }
    return SB_OK;
}

/* x * Sigmoid(x) to test::SiLU. */
static int32_t run_silu(sb_instance *instance, sb_editor *editor, sb_error *error) {
    (void)instance;
    static const sb_node silu = {sizeof silu, NULL, SB_STRING("test"), SB_STRING("SiLU"), 1, 0, NULL, 0, NULL, 1, NULL, 1};
    for (uint32_t number = 0, end = editor->node_count(editor); number < end; ++number) {
        if (!is(editor->node(editor, number), "Mul")) continue;
        uint32_t x = editor->input(editor, number, 0), made = 0;
        uint32_t sigmoid = editor->producer(editor, editor->input(editor, number, 1));
        if (!is(editor->node(editor, sigmoid), "Sigmoid") || editor->input(editor, sigmoid, 0) != x) continue;
        if (editor->tensor(editor, x)->data_type != SB_TYPE_FLOAT32) continue;
        int32_t status = editor->add_node(editor, &silu, &x, &made, error);
        if (status == SB_OK) status = editor->replace(editor, editor->output(editor, number, 0), made, error);
        if (status == SB_OK) status = editor->remove(editor, number, error);
        if (status != SB_OK) return status;
    }
    return SB_OK;
}

static int32_t infer(sb_instance *instance, const sb_node *node, sb_tensor *const *outputs, sb_error *error) {
    (void)instance;
    if (node->domain.length != 4 || node->input_count != 1 || node->output_count != 1)
        return sb_fail(error, SB_ERROR_UNSUPPORTED, "the only operator is test::SiLU of one input");
    outputs[0]->data_type = node->inputs[0]->data_type;
    outputs[0]->rank = FAULT == infers_wrong_shape ? 0 : node->inputs[0]->rank;
    if (outputs[0]->rank) memcpy(outputs[0]->shape, node->inputs[0]->shape, outputs[0]->rank * sizeof(int64_t));
    return SB_OK;
}

static int32_t launch_silu(const sb_launch *given, sb_error *error) {
    const sb_tensor *x = given->inputs[0], *y = given->outputs[0];
    if (given->node->domain.length == 0) return launch(given, error);
    for (uint64_t i = 0; i < element_count(x); ++i) {
        float value = ((const float *)(const void *)(x->buffer->memory + x->offset))[i];
        ((float *)(void *)(y->buffer->memory + y->offset))[i] = value / (1 + expf(-value));
    }
    return SB_OK;
}

SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    static const sb_pass repeated = {
        sizeof repeated, SB_STRING("repeated"), SB_STRING("Relu(Relu(x)) to Relu(x), Neg(Neg(x)) to x"), {0}, SB_STAGE_SIMPLIFY, 0,
        run_repeated};
    static const sb_pass silu = {sizeof silu, SB_STRING("silu"), SB_STRING("x * Sigmoid(x) to test::SiLU"), {0}, SB_STAGE_FUSE,
                                 0,           run_silu};
    static const sb_pass *const list[] = {&repeated, &silu};
    static const sb_passes passes = {sizeof passes, list, 2, infer};
    static const sb_kernel kernel = {.size = sizeof kernel,
                                     .name = SB_STRING("silu"),
                                     .domain = SB_STRING("test"),
                                     .operator_name = SB_STRING("SiLU"),
                                     .since = 1,
                                     .data_types = SB_TYPE_BIT(SB_TYPE_FLOAT32)};
    static const sb_kernel *const all[] = {&relu, &kernel};
    static const sb_operators library = {
        .size = sizeof library, .kernels = all, .kernel_count = 2, .support = support, .launch = launch_silu};
    static sb_group list_of_groups[3];
    static sb_plugin made;
    const sb_plugin *base;
    base_plugin(host, &base, error);
    list_of_groups[0] = groups[0];
    list_of_groups[1] = groups[1];
    list_of_groups[1].table = &library;
    list_of_groups[2] = (sb_group){SB_STRING("passes"), 1, 0, &passes};
    made = *base;
    made.name = (sb_string)SB_STRING("graph-passes");
    made.groups = list_of_groups;
    made.group_count = 3;
    *plugin = &made;
    return SB_OK;
}
