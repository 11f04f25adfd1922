/* SPDX-License-Identifier: Apache-2.0
 *
 * time.c - the clock: a scoreboard on which every engine of every core has its own time.
 *
 * An instruction begins when its engine is free, what it reads is written, and what it overwrites is read and written. Copies to and from DEVICE also take the
 * core's port to the shared memories, one after the other: a load and a store share what bandwidth the core has.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "npu_vector.h"

enum { PAGE = 512, LINE = 64, LOCAL_RUN = 32 };

/* Cycles that a unit takes before the first element comes out. */
static const double matrix_start = 8, vector_start = 8;

/* By space and page of local memory: when it can be read, and when it can be overwritten. */
typedef struct core_clock {
    double *written[NPU_SPACE_COUNT], *released[NPU_SPACE_COUNT];
    double engines[NPU_ENGINE_COUNT];
    double port, finish;
    size_t at;
} core_clock;

typedef struct scoreboard {
    const npu_program *program;
    const npu_config *config;
    core_clock *cores;
    /* By slot and line: bytes that have gone over the port to device memory. NULL if the slots do not fit in L2 together. */
    uint8_t **fetched;
    npu_counters counters;
    double device_share, l2_share; /* bytes per second of one core */
    double reached;                /* by the core that is furthest */
} scoreboard;

/* What a copy moves: bytes of device memory and of L2. */
typedef struct traffic {
    double device, l2;
} traffic;

/* --- traffic of shared memories ------------------------------------------------------------------------------------------ */

/* What is left of `wanted` bytes of a line that has not gone over the port before; it counts as gone from now on. */
static uint64_t take(uint8_t *fetched, uint64_t wanted) {
    uint64_t left = LINE - *fetched, taken = wanted < left ? wanted : left;
    *fetched += (uint8_t)taken;
    return taken;
}

/* One burst of `bytes` at `begin`: what the program has touched before comes from L2. A line that several bursts share counts once, to each by its part. */
static void burst(scoreboard *board, uint32_t slot, uint64_t begin, uint64_t bytes, traffic *traffic) {
    uint64_t moved = bytes < LINE ? LINE : bytes, fresh = 0;
    if (!board->fetched) {
        traffic->device += (double)moved;
        return;
    }
    uint64_t first = begin / LINE, last = (begin + bytes - 1) / LINE;
    uint8_t *lines = board->fetched[slot];
    if (bytes < LINE) {
        for (uint64_t line = first; line <= last; ++line) fresh += take(&lines[line], moved - fresh);
    } else {
        fresh += take(&lines[first], LINE - begin % LINE);
        for (uint64_t line = first + 1; line < last; ++line) {
            fresh += LINE - (uint64_t)lines[line];
            lines[line] = LINE;
        }
        if (last > first) fresh += take(&lines[last], (begin + bytes - 1) % LINE + 1);
    }
    traffic->device += (double)fresh;
    traffic->l2 += (double)(moved - fresh);
}

typedef struct step {
    uint64_t count;
    int64_t stride;
} step;

static void bursts(scoreboard *board, uint32_t slot, uint64_t begin, uint64_t run, const step *steps, int count, traffic *traffic) {
    if (count == 0) {
        burst(board, slot, begin, run, traffic);
        return;
    }
    for (uint64_t i = 0; i < steps[0].count; ++i) {
        bursts(board, slot, begin + i * (uint64_t)steps[0].stride, run, steps + 1, count - 1, traffic);
    }
}

/* The device's side of a copy as bursts: dimensions ordered by stride, those that continue or overlap the run before joined to it. */
static traffic copy_traffic(scoreboard *board, const npu_copy *copy) {
    bool loads = copy->source.space == NPU_DEVICE;
    npu_address place = loads ? copy->source : copy->destination;
    step steps[NPU_COPY_RANK];
    int count = 0;
    for (uint32_t i = 0; i < copy->rank; ++i) {
        step next = {copy->dimension[i].count, loads ? copy->dimension[i].source_stride : copy->dimension[i].destination_stride};
        if (next.count == 1 || next.stride == 0) continue;
        if (next.stride < 0) {
            place.offset += (uint64_t)((int64_t)(next.count - 1) * next.stride);
            next.stride = -next.stride;
        }
        int at = count++;
        for (; at > 0 && steps[at - 1].stride < next.stride; --at) steps[at] = steps[at - 1];
        steps[at] = next; /* the largest stride first */
    }
    uint64_t run = copy->run;
    while (count > 0 && (uint64_t)steps[count - 1].stride <= run) {
        --count;
        run += (steps[count].count - 1) * (uint64_t)steps[count].stride;
    }
    traffic result = {0, 0};
    if (board->fetched) {
        bursts(board, place.slot, place.offset, run, steps, count, &result);
    } else {
        double runs = 1;
        for (int i = 0; i < count; ++i) runs *= (double)steps[i].count;
        result.device = runs * (run < LINE ? LINE : (double)run);
    }
    return result;
}

static traffic patch_traffic(scoreboard *board, const npu_patch *patch) {
    traffic result = {0, 0};
    const npu_window window = npu_patch_window(patch);
    const uint64_t taps = (uint64_t)patch->kernel[0] * patch->kernel[1] * patch->kernel[2], bytes = patch->element_bytes;
    const int64_t height = window.end[1] - window.begin[1], width = window.end[2] - window.begin[2];
    if (window.end[0] <= window.begin[0] || height <= 0 || width <= 0) return result;
    const bool whole_rows = width == patch->input[2];
    for (uint64_t channel = patch->first_depth / taps; channel <= (patch->first_depth + patch->depth - 1) / taps; ++channel) {
        for (int64_t z = window.begin[0]; z < window.end[0]; ++z) {
            uint64_t begin = patch->source.offset + channel * patch->channel_stride;
            begin += (uint64_t)((z * patch->input[1] + window.begin[1]) * patch->input[2] + window.begin[2]) * bytes;
            if (whole_rows) {
                burst(board, patch->source.slot, begin, (uint64_t)(height * width) * bytes, &result);
            } else {
                for (int64_t y = 0; y < height; ++y, begin += patch->input[2] * bytes)
                    burst(board, patch->source.slot, begin, (uint64_t)width * bytes, &result);
            }
        }
    }
    return result;
}

/* Bytes on the core's side: every run that is contiguous on both sides takes at least LOCAL_RUN of them. */
static double local_bytes(const npu_copy *copy) {
    uint64_t run = copy->run;
    uint32_t rank = copy->rank;
    while (rank > 0) {
        const struct npu_copy_dimension *inner = &copy->dimension[rank - 1];
        if (inner->count > 1 && (inner->destination_stride != (int64_t)run || inner->source_stride != (int64_t)run)) break;
        run *= inner->count;
        --rank;
    }
    double runs = 1;
    for (uint32_t i = 0; i < rank; ++i) runs *= (double)copy->dimension[i].count;
    return runs * (run < LOCAL_RUN ? LOCAL_RUN : (double)run);
}

/* Seconds on the port and the latency behind it. */
static double move(scoreboard *board, traffic traffic, double local, bool writes, double *latency) {
    const npu_config *config = board->config;
    *latency = traffic.device > 0 || !board->fetched ? config->device_latency : config->l2_latency;
    if (writes)
        board->counters.device_written += (uint64_t)traffic.device;
    else
        board->counters.device_read += (uint64_t)traffic.device;
    board->counters.l2_read += (uint64_t)traffic.l2;
    double seconds = fmax(traffic.device / board->device_share, traffic.l2 / board->l2_share);
    return fmax(seconds, local / config->l1_bandwidth);
}

/* --- durations of the units ------------------------------------------------------------------------------------------------ */

static double matrix_cycles(scoreboard *board, const npu_matrix *matrix) {
    const npu_config *config = board->config;
    double rate = matrix->a_type == NPU_FLOAT16    ? config->float16_rate
                  : matrix->a_type == NPU_BFLOAT16 ? config->bfloat16_rate
                                                   : config->int8_rate;
    double tiles = (double)npu_tiles(matrix->m, config->tile_m) * (double)npu_tiles(matrix->n, config->tile_n) *
                   (double)npu_tiles(matrix->k, config->tile_k);
    board->counters.matrix_operations += 2ull * matrix->m * matrix->n * matrix->k;
    return matrix_start + tiles * fmax(1, 2.0 * config->tile_m * config->tile_n * config->tile_k / rate);
}

static bool is_short_float(const npu_operand *operand) {
    return operand->type == NPU_FLOAT16 || operand->type == NPU_BFLOAT16;
}

static double vector_cycles(scoreboard *board, const npu_vector *vector) {
    const npu_operand *operands[] = {&vector->destination, &vector->a, &vector->b, &vector->c};
    bool is_short = true;
    for (int i = 0; i < 4; ++i) is_short = is_short && (!operands[i]->type || is_short_float(operands[i]));
    double rate = is_short ? board->config->vector_float16_rate : board->config->vector_float32_rate;
    double elements = (double)vector->rows * (double)vector->count;
    board->counters.vector_operations += (uint64_t)(elements * npu_vector_useful(vector->operation));
    return vector_start + ceil(elements * npu_vector_cost(vector->operation) / rate);
}

static double fill_cycles(scoreboard *board, const npu_fill *fill) {
    return vector_start + ceil((double)fill->run * (double)fill->count / 4 / board->config->vector_float32_rate);
}

static double later(double a, double b) {
    return a > b ? a : b;
}

/* The latest of `begin` and the times of pages from `first` to `last`. */
static double latest(const double *times, uint64_t first, uint64_t last, double begin) {
    double lanes[4] = {begin, begin, begin, begin};
    uint64_t at = first;
    for (; at + 4 <= last + 1; at += 4) {
        for (int lane = 0; lane < 4; ++lane) lanes[lane] = later(times[at + (uint64_t)lane], lanes[lane]);
    }
    for (; at <= last; ++at) lanes[0] = later(times[at], lanes[0]);
    return later(later(lanes[0], lanes[1]), later(lanes[2], lanes[3]));
}

static void postpone(double *times, uint64_t first, uint64_t last, double time) {
    for (uint64_t at = first; at <= last; ++at) times[at] = later(times[at], time);
}

/* --- the scoreboard ---------------------------------------------------------------------------------------------------------- */

static void advance(scoreboard *board, uint32_t index, const npu_instruction *instruction, npu_tracer tracer, void *context) {
    core_clock *core = &board->cores[index];
    npu_engine engine = npu_engine_of(instruction);
    npu_access accesses[NPU_MOST_ACCESSES];
    int count = npu_accesses(board->config, instruction, accesses);
    double begin = core->engines[engine];
    for (int i = 0; i < count; ++i) {
        if (accesses[i].address.space == NPU_DEVICE) continue;
        uint64_t first = accesses[i].address.offset / PAGE, last = (accesses[i].address.offset + accesses[i].bytes - 1) / PAGE;
        begin = latest(core->written[accesses[i].address.space], first, last, begin);
        if (accesses[i].writes) begin = latest(core->released[accesses[i].address.space], first, last, begin);
    }
    double seconds = 0, latency = 0;
    bool uses_port = false;
    switch (instruction->opcode) {
    case NPU_OP_COPY: {
        const npu_copy *copy = &instruction->copy;
        double local = local_bytes(copy);
        uses_port = copy->source.space == NPU_DEVICE || copy->destination.space == NPU_DEVICE;
        if (uses_port)
            seconds = move(board, copy_traffic(board, copy), local, copy->destination.space == NPU_DEVICE, &latency);
        else
            seconds = local / board->config->l1_bandwidth;
        break;
    }
    case NPU_OP_GATHER: {
        const npu_gather *gather = &instruction->gather;
        double bytes = (double)gather->count * (gather->run < LINE ? LINE : (double)gather->run);
        uses_port = true; /* which lines it reads nobody knows before: all of them as if for the first time */
        seconds = move(board, (traffic){bytes, 0}, bytes, false, &latency);
        break;
    }
    case NPU_OP_PATCH: {
        const npu_patch *patch = &instruction->patch;
        uint64_t run = patch->columns < board->config->tile_n ? patch->columns : board->config->tile_n;
        double least = run * patch->element_bytes < LOCAL_RUN ? LOCAL_RUN : (double)(run * patch->element_bytes);
        double local = (double)patch->depth * (double)npu_tiles(patch->columns, board->config->tile_n) * least;
        uses_port = true;
        seconds = move(board, patch_traffic(board, patch), local, false, &latency);
        break;
    }
    case NPU_OP_FILL:
        seconds = fill_cycles(board, &instruction->fill) / board->config->clock;
        break;
    case NPU_OP_MATRIX:
        seconds = matrix_cycles(board, &instruction->matrix) / board->config->clock;
        break;
    default:
        seconds = vector_cycles(board, &instruction->vector) / board->config->clock;
    }
    if (uses_port) {
        begin = fmax(begin, core->port);
        core->port = begin + seconds;
    }
    double end = begin + seconds, done = end + latency;
    core->engines[engine] = end;
    core->finish = later(core->finish, done);
    board->reached = later(board->reached, done);
    for (int i = 0; i < count; ++i) {
        if (accesses[i].address.space == NPU_DEVICE) continue;
        uint64_t first = accesses[i].address.offset / PAGE, last = (accesses[i].address.offset + accesses[i].bytes - 1) / PAGE;
        if (accesses[i].writes)
            postpone(core->written[accesses[i].address.space], first, last, done);
        else
            postpone(core->released[accesses[i].address.space], first, last, end);
    }
    board->counters.busy[engine] += (uint64_t)ceil(seconds * board->config->clock);
    ++board->counters.instructions;
    if (tracer) tracer(context, index, engine, instruction, begin, end);
}

/* All cores up to their next barrier, an instruction each in turn, so that no core pays for all first touches. Ends early at `limit`. */
static void run_segment(scoreboard *board, double limit, npu_tracer tracer, void *context) {
    uint32_t cores = board->program->cores;
    bool moved = true;
    for (uint32_t turn = 0; moved && board->reached < limit; ++turn) {
        moved = false;
        for (uint32_t i = 0; i < cores; ++i) {
            uint32_t index = (i + turn) % cores;
            core_clock *core = &board->cores[index];
            const npu_list *list = &board->program->lists[index];
            if (core->at == list->count || list->instructions[core->at].opcode == NPU_OP_BARRIER) continue;
            advance(board, index, &list->instructions[core->at++], tracer, context);
            moved = true;
        }
    }
}

/* Lets all cores go on from the time that the last of them has reached. Returns that time. */
static double meet(scoreboard *board) {
    uint32_t cores = board->program->cores;
    double time = 0;
    for (uint32_t i = 0; i < cores; ++i) time = fmax(time, board->cores[i].finish);
    for (uint32_t i = 0; i < cores; ++i) {
        core_clock *core = &board->cores[i];
        for (int engine = 0; engine < NPU_ENGINE_COUNT; ++engine) core->engines[engine] = time;
        core->port = core->finish = time;
        if (core->at < board->program->lists[i].count) ++core->at;
    }
    return time;
}

static bool prepare(scoreboard *board) {
    const npu_program *program = board->program;
    board->cores = calloc(program->cores, sizeof *board->cores);
    if (!board->cores) return false;
    for (uint32_t i = 0; i < program->cores; ++i) {
        for (int space = NPU_L1; space < NPU_SPACE_COUNT; ++space) {
            size_t pages = program->config.space_bytes[space] / PAGE + 1;
            board->cores[i].written[space] = calloc(pages, sizeof(double));
            board->cores[i].released[space] = calloc(pages, sizeof(double));
            if (!board->cores[i].written[space] || !board->cores[i].released[space]) return false;
        }
    }
    uint64_t footprint = 0;
    for (size_t i = 0; i < program->slot_count; ++i) footprint += program->slot_bytes[i];
    if (footprint > program->config.l2_bytes) return true;
    board->fetched = calloc(program->slot_count + 1, sizeof *board->fetched);
    if (!board->fetched) return false;
    for (size_t i = 0; i < program->slot_count; ++i) {
        board->fetched[i] = calloc(program->slot_bytes[i] / LINE + 1, 1);
        if (!board->fetched[i]) return false;
    }
    return true;
}

static void dispose(scoreboard *board) {
    for (uint32_t i = 0; board->cores && i < board->program->cores; ++i) {
        for (int space = NPU_L1; space < NPU_SPACE_COUNT; ++space) {
            free(board->cores[i].written[space]);
            free(board->cores[i].released[space]);
        }
    }
    for (size_t i = 0; board->fetched && i < board->program->slot_count; ++i) free(board->fetched[i]);
    free(board->fetched);
    free(board->cores);
}

double npu_time(const npu_program *program, double limit, npu_counters *counters, npu_tracer tracer, void *context) {
    const npu_config *config = &program->config;
    scoreboard board = {.program = program, .config = config};
    board.device_share = config->device_bandwidth / program->cores;
    board.l2_share = fmax(config->l2_bandwidth, config->device_bandwidth) / program->cores;
    double seconds = INFINITY;
    if (prepare(&board)) {
        for (bool more = true; more;) {
            run_segment(&board, limit, tracer, context);
            if (board.reached >= limit) {
                seconds = INFINITY;
                break;
            }
            more = false;
            for (uint32_t i = 0; i < program->cores; ++i) more = more || board.cores[i].at < program->lists[i].count;
            seconds = meet(&board);
        }
        board.counters.cycles = (uint64_t)ceil(seconds * config->clock - 1e-6);
        board.counters.programs = 1;
        if (counters) *counters = board.counters;
    }
    dispose(&board);
    return seconds;
}
