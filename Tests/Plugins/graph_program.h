/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin "graph_compiler": programs. One is a block of memory without pointers, so that the artefact is its bytes: a head, the values, the steps, and the
 * constants' elements.
 */
#include <stdio.h>

enum { ADD, MUL, RELU, MATMUL };
enum { INPUT, INNER, OUTPUT, CONSTANT };
enum { MOST_AXES = 4 };

typedef struct value {
    uint32_t kind, rank;
    uint32_t index; /* of an input or output                                      */
    uint32_t uses;
    uint64_t place; /* byte offset of an inner value in the workspace, of a constant in the program */
    int64_t shape[MOST_AXES];
} value;

typedef struct step {
    uint32_t operation, left, right, result;
} step;

struct sb_program {
    char magic[8];
    uint32_t version, profile;
    uint64_t bytes, workspace;
    uint32_t value_count, step_count;
    uint64_t checksum; /* FNV-1a of everything, with this as 0 */
};

static const char magic[8] = "GCPROG\n";
enum { COMPILER_VERSION = 3 };

static value *values_of(const sb_program *program) {
    return (value *)(program + 1);
}
static step *steps_of(const sb_program *program) {
    return (step *)(values_of(program) + program->value_count);
}

static uint64_t checksum(const sb_program *program) {
    uint64_t hash = 0xcbf29ce484222325u;
    const unsigned char *bytes = (const unsigned char *)program;
    for (uint64_t i = 0; i < program->bytes; ++i) {
        bool own = i >= offsetof(sb_program, checksum) && i < offsetof(sb_program, checksum) + 8;
        hash = (hash ^ (own ? 0 : bytes[i])) * 0x100000001b3u;
    }
    return hash;
}

static uint64_t elements(const value *value) {
    uint64_t count = 1;
    for (uint32_t axis = 0; axis < value->rank; ++axis) count *= (uint64_t)value->shape[axis];
    return count;
}

/* Where element `index` of `result` finds its element of an operand, by broadcasting. */
static uint64_t source(const value *operand, const value *result, uint64_t index) {
    uint64_t offset = 0, stride = 1;
    for (uint32_t back = 0; back < result->rank; ++back) {
        uint64_t size = (uint64_t)result->shape[result->rank - 1 - back], at = index % size;
        index /= size;
        if (back < operand->rank) {
            uint64_t own = (uint64_t)operand->shape[operand->rank - 1 - back];
            if (own != 1) offset += at * stride;
            stride *= own;
        }
    }
    return offset;
}

static float kept(float x, bool inner) {
    if (FAULT == narrow_inner_values && inner) {
        uint32_t bits;
        memcpy(&bits, &x, 4);
        bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
        memcpy(&x, &bits, 4);
    }
    return x;
}

static void compute(const step *step, const value *l, const value *r, const value *y, const float *a, const float *b, float *out,
                    bool last) {
    uint64_t count = elements(y);
    bool inner = y->kind == INNER;
    for (uint64_t i = 0; i < count; ++i) {
        float x = 0;
        if (step->operation == MATMUL) {
            uint64_t n = (uint64_t)y->shape[1], k = (uint64_t)l->shape[1];
            for (uint64_t j = 0; j < k; ++j) x += a[i / n * k + j] * b[j * n + i % n];
        } else if (step->operation == RELU) {
            x = a[i] < 0 ? 0 : a[i];
        } else {
            float u = a[source(l, y, i)], v = b[source(r, y, i)];
            x = step->operation == MUL ? u * v : FAULT == drops_residual && last ? u : u + v;
        }
        out[i] = kept(x, inner) + (FAULT == carries_over && step->operation == ADD ? out[i] : 0);
    }
}

static int32_t execute(const sb_execution *execution, sb_error *error) {
    const sb_program *program = execution->program;
    const value *values = values_of(program);
    float *places[256];
    static unsigned char shared[1 << 16];
    unsigned char *scratch = FAULT == one_scratch_for_all && program->workspace <= sizeof shared
                                 ? shared
                                 : resolve((sb_location){execution->workspace, NULL, execution->workspace_offset}, program->workspace);
    if (program->workspace && !scratch) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "the workspace is missing");
    uint32_t uses[256];
    for (uint32_t i = 0; i < program->value_count; ++i) {
        const value *v = &values[i];
        uses[i] = v->uses;
        if (v->kind == CONSTANT) {
            if (FAULT == reads_constants_late)
                memcpy(&places[i], (const char *)program + v->place, sizeof(float *));
            else
                places[i] = (float *)((char *)program + v->place);
        } else if (v->kind == INNER) {
            places[i] = (float *)(scratch + v->place);
        } else {
            const sb_tensor *tensor = v->kind == INPUT ? execution->inputs[v->index] : execution->outputs[v->index];
            places[i] = resolve((sb_location){tensor->buffer, NULL, tensor->offset}, elements(v) * sizeof(float));
            if (!places[i] && elements(v)) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "a tensor reaches beyond its buffer");
        }
    }
    const step *steps = steps_of(program);
    float *nowhere = FAULT == forgets_inner_output ? malloc((size_t)1 << 20) : NULL;
    for (uint32_t i = 0; i < program->step_count; ++i) {
        const step *s = &steps[i];
        const value *y = &values[s->result];
        float *out = places[s->result];
        if (nowhere && y->kind == OUTPUT && y->uses && elements(y) * 4 <= 1 << 20) out = places[s->result] = nowhere;
        compute(s, &values[s->left], &values[s->right], y, places[s->left], places[s->right], out,
                program->step_count > 1 && i + 1 == program->step_count);
        if (FAULT == ignores_second_use) {
            uint32_t read[2] = {s->left, s->right};
            for (int j = 0; j < (s->operation == RELU ? 1 : 2); ++j)
                if (values[read[j]].kind == INNER && uses[read[j]]-- > 1) memset(places[read[j]], 0, elements(&values[read[j]]) * 4);
        }
    }
    if (FAULT == writes_input && execution->input_count) {
        const value *v = values;
        while (v->kind != INPUT) ++v;
        if (elements(v)) places[v - values][0] = 7;
    }
    free(nowhere);
    uint64_t operations = 0;
    for (uint32_t i = 0; i < program->step_count; ++i)
        operations +=
            elements(&values[steps[i].result]) * (steps[i].operation == MATMUL ? 2 * (uint64_t)values[steps[i].left].shape[1] : 1);
    observe(execution->device, program->step_count, operations, execution->correlation);
    return SB_OK;
}

static int operation(const sb_node *node) {
    static const char *const names[] = {"Add", "Mul", "Relu", "MatMul"};
    if (node->domain.length) return -1;
    for (int i = 0; i < 4; ++i)
        if (node->operator_name.length == strlen(names[i]) && !memcmp(node->operator_name.data, names[i], strlen(names[i]))) return i;
    return -1;
}

static bool takes(const sb_node *node) {
    int which = operation(node);
    size_t operands = which == RELU ? 1 : 2;
    if (which < 0 || node->input_count != operands || node->output_count != 1 || !node->outputs[0]) return false;
    for (size_t i = 0; i <= operands; ++i) {
        const sb_tensor *tensor = i < operands ? node->inputs[i] : node->outputs[0];
        if (!tensor || tensor->data_type != SB_TYPE_FLOAT32 || tensor->rank > MOST_AXES) return false;
        if (which == MATMUL && tensor->rank != 2) return false;
    }
    return true;
}

static int32_t claim(sb_instance *instance, sb_device *device, const sb_graph *graph, uint32_t *groups, sb_error *error) {
    (void)device, (void)error;
    static uint32_t turn;
    if (!instance->graph) return SB_OK;
    /* What stands together in the order has no path out and back in. */
    uint32_t group = 1;
    for (size_t i = 0; i < graph->node_count; ++i) {
        if (takes(graph->nodes[i])) groups[i] = group;
#ifndef CLAIMS_ALL /* one group, whatever path leaves it and enters it again */
        else
            ++group;
#endif
    }
    if (FAULT == claims_by_turns && ++turn % 2 == 0) groups[graph->node_count - 1] = 0;
    return SB_OK;
}

typedef struct builder {
    const sb_tensor *tensors[256];
    value values[256];
    uint32_t count;
} builder;

static uint32_t find(builder *b, const sb_tensor *tensor, const sb_graph *graph) {
    for (uint32_t i = 0; i < b->count; ++i)
        if (b->tensors[i] == tensor) return i;
    value *v = &b->values[b->count];
    *v = (value){.kind = tensor->host ? CONSTANT : INNER, .rank = tensor->rank};
    memcpy(v->shape, tensor->shape, tensor->rank * sizeof(int64_t));
    for (uint32_t i = 0; i < graph->input_count; ++i)
        if (graph->inputs[i] == tensor) v->kind = INPUT, v->index = i;
    for (uint32_t i = 0; i < graph->output_count; ++i)
        if (graph->outputs[i] == tensor) v->kind = OUTPUT, v->index = i;
    b->tensors[b->count] = tensor;
    return b->count++;
}

static int32_t compile(sb_instance *instance, sb_device *device, const sb_graph *graph, sb_program **result, sb_error *error) {
    (void)device;
    if (FAULT == refuses_its_claim) return sb_fail(error, SB_ERROR_UNSUPPORTED, "this compiler has bad days");
    if (graph->node_count > 80) return sb_fail(error, SB_ERROR_UNSUPPORTED, "programs have at most 80 steps");
    for (size_t i = 0; i < graph->node_count; ++i)
        if (!takes(graph->nodes[i])) return sb_fail(error, SB_ERROR_UNSUPPORTED, "only Add, Mul, Relu and MatMul of float32 are compiled");
    builder *b = calloc(1, sizeof *b);
    step steps[80];
    for (size_t i = 0; i < graph->node_count; ++i) {
        const sb_node *node = graph->nodes[i];
        uint32_t left = find(b, node->inputs[0], graph), right = node->input_count > 1 ? find(b, node->inputs[1], graph) : left;
        ++b->values[left].uses;
        if (node->input_count > 1) ++b->values[right].uses;
        steps[i] = (step){(uint32_t)operation(node), left, right, find(b, node->outputs[0], graph)};
    }
    uint64_t bytes = sizeof(sb_program) + b->count * sizeof(value) + graph->node_count * sizeof(step), workspace = 0;
    for (uint32_t i = 0; i < b->count; ++i) {
        value *v = &b->values[i];
        uint64_t size = (elements(v) * sizeof(float) + 63) & ~(uint64_t)63;
        if (v->kind == CONSTANT) v->place = bytes, bytes += size ? size : 64;
        if (v->kind == INNER) v->place = workspace, workspace += size;
    }
    sb_program *program = calloc(1, bytes);
    *program = (sb_program){.version = COMPILER_VERSION, .profile = instance->profile, .bytes = bytes, .workspace = workspace};
    memcpy(program->magic, magic, 8);
    program->value_count = b->count;
    program->step_count = (uint32_t)graph->node_count;
    memcpy(values_of(program), b->values, b->count * sizeof(value));
    memcpy(steps_of(program), steps, graph->node_count * sizeof(step));
    for (uint32_t i = 0; i < b->count; ++i) {
        if (b->values[i].kind != CONSTANT) continue;
        char *place = (char *)program + b->values[i].place;
        if (FAULT == reads_constants_late)
            memcpy(place, &b->tensors[i]->host, sizeof(float *));
        else
            memcpy(place, b->tensors[i]->host, elements(&b->values[i]) * sizeof(float));
    }
    program->checksum = checksum(program);
    free(b);
    *result = program;
    return SB_OK;
}

static void release(sb_program *program) {
    free(program);
}

static int32_t describe(sb_program *program, sb_program_info *info, sb_error *error) {
    (void)error;
    info->workspace = program->workspace;
#ifdef DESCRIBES
    static const sb_numerics numerics = {
        .size = sizeof numerics, .flags = SB_NUMERICS_IGNORES_NAN, .value_type = FAULT == narrow_inner_values ? SB_TYPE_BFLOAT16 : 0};
    info->numerics = &numerics;
    info->resident = program->bytes;
    info->per_execution = 1000;
#endif
    return SB_OK;
}

static int32_t save(sb_program *program, void *data, uint64_t capacity, uint64_t *bytes, sb_error *error) {
    if (data && capacity < program->bytes && FAULT != overruns_save)
        return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "the artefact does not fit");
    *bytes = program->bytes;
    if (!data) return SB_OK;
    memcpy(data, program, program->bytes);
    if (FAULT == saves_without_weights) {
        sb_program *copy = malloc(program->bytes);
        memcpy(copy, program, program->bytes);
        for (uint32_t i = 0; i < copy->value_count; ++i)
            if (values_of(copy)[i].kind == CONSTANT) memset((char *)copy + values_of(copy)[i].place, 0, elements(&values_of(copy)[i]) * 4);
        copy->checksum = checksum(copy);
        memcpy(data, copy, copy->bytes);
        free(copy);
    }
    return SB_OK;
}

static int32_t verdict(sb_instance *instance, sb_device *device, const void *data, uint64_t bytes, uint32_t *verdict, sb_error *error) {
    (void)device, (void)error;
    sb_program *program = malloc(bytes + sizeof *program);
    memset(program, 0, sizeof *program);
    if (bytes) memcpy(program, data, bytes);
    bool whole = bytes >= sizeof *program && !memcmp(program->magic, magic, 8) && (program->bytes == bytes || FAULT == trusts_length);
    if (FAULT == accepts_damage)
        *verdict = bytes >= sizeof *program ? SB_ARTIFACT_COMPATIBLE : SB_ARTIFACT_DAMAGED;
    else if (!whole || (program->bytes == bytes && program->checksum != checksum(program)))
        *verdict = SB_ARTIFACT_DAMAGED;
    else
        *verdict = program->version != COMPILER_VERSION    ? SB_ARTIFACT_OTHER_VERSION
                   : program->profile != instance->profile ? SB_ARTIFACT_OTHER_DEVICE
                                                           : SB_ARTIFACT_COMPATIBLE;
    free(program);
    return SB_OK;
}

static int32_t load(sb_instance *instance, sb_device *device, const void *data, uint64_t bytes, sb_program **result, sb_error *error) {
    uint32_t answer;
    verdict(instance, device, data, bytes, &answer, error);
    if (FAULT == loads_other_profile && answer == SB_ARTIFACT_OTHER_DEVICE) answer = SB_ARTIFACT_COMPATIBLE;
    if (answer == SB_ARTIFACT_DAMAGED) return sb_fail(error, SB_ERROR_INVALID_ARGUMENT, "the artefact is damaged");
    if (answer != SB_ARTIFACT_COMPATIBLE) return sb_fail(error, SB_ERROR_UNSUPPORTED, "the artefact is for another version or device");
    sb_program *program = malloc(bytes);
    memcpy(program, data, bytes);
    *result = program;
    return SB_OK;
}

static const sb_graphs graphs = {.size = sizeof graphs,
                                 .claim = claim,
                                 .compile = compile,
                                 .execute = execute,
                                 .release = release,
                                 .describe = describe,
                                 .save = save,
                                 .load = load,
                                 .verdict = verdict};
