/* SPDX-License-Identifier: Apache-2.0
 *
 * execute.c - the interpreter: runs a program's cores on a machine's threads.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "npu_vector.h"

/* What one thread works with. */
typedef struct worker {
    npu_machine *machine;
    npu_scratch scratch;
    pthread_t thread;
} worker;

/* The local memories of a core, or of the core that a thread is at. */
typedef struct locals {
    unsigned char *space[NPU_SPACE_COUNT];
} locals;

struct npu_machine {
    npu_config config;
    bool poison;
    uint32_t worker_count;
    worker *workers; /* the first is the caller */
    locals *memories;
    uint32_t memory_count;
    pthread_mutex_t turn; /* held by the caller whose program runs */
    pthread_mutex_t mutex;
    pthread_cond_t begin, end;
    uint64_t round;
    uint32_t busy;
    bool leaving;

    /* the program that runs */
    const npu_program *program;
    const npu_binding *bindings;
    size_t *positions; /* of each core */
    uint32_t position_capacity;
    atomic_uint next_core;
    pthread_mutex_t fault_mutex;
    uint32_t fault_core;
    char fault[160];
};

static void fail(npu_machine *machine, uint32_t core, const char *text, int64_t index, uint64_t limit) {
    pthread_mutex_lock(&machine->fault_mutex);
    if (core < machine->fault_core) {
        machine->fault_core = core;
        snprintf(machine->fault, sizeof machine->fault, text, (long long)index, (unsigned long long)limit);
    }
    pthread_mutex_unlock(&machine->fault_mutex);
}

/* Runs a core up to its next barrier, or its end. */
static void run_core(npu_machine *machine, worker *worker, uint32_t core, unsigned char *const memory[NPU_SPACE_COUNT]) {
    const npu_list *list = &machine->program->lists[core];
    size_t at = machine->positions[core];
    if (at == 0 && machine->poison) {
        for (int space = NPU_L1; space < NPU_SPACE_COUNT; ++space) memset(memory[space], 0xA5, machine->config.space_bytes[space]);
    }
    for (; at < list->count; ++at) {
        const npu_instruction *instruction = &list->instructions[at];
        switch (instruction->opcode) {
        case NPU_OP_COPY:
            npu_copy_run(&instruction->copy, memory, machine->bindings);
            break;
        case NPU_OP_FILL:
            npu_fill_run(&instruction->fill, memory);
            break;
        case NPU_OP_PATCH:
            npu_patch_run(&machine->config, &instruction->patch, memory, machine->bindings);
            break;
        case NPU_OP_GATHER: {
            int64_t index = 0;
            if (npu_gather_run(&instruction->gather, memory, machine->bindings, &index)) break;
            fail(machine, core, "index %lld is outside an axis of %llu", index, instruction->gather.limit);
            machine->positions[core] = list->count;
            return;
        }
        case NPU_OP_MATRIX:
            if (npu_matrix_run(&machine->config, &instruction->matrix, memory, &worker->scratch)) break;
            fail(machine, core, "the simulator has no memory for a product", 0, 0);
            machine->positions[core] = list->count;
            return;
        case NPU_OP_VECTOR:
            npu_vector_run(&instruction->vector, memory);
            break;
        case NPU_OP_BARRIER:
            machine->positions[core] = at + 1;
            return;
        }
    }
    machine->positions[core] = at;
}

static void run_cores(npu_machine *machine, worker *worker) {
    uint32_t core;
    while ((core = atomic_fetch_add(&machine->next_core, 1)) < machine->program->cores) {
        size_t memory = machine->program->has_barriers ? core : (size_t)(worker - machine->workers);
        run_core(machine, worker, core, machine->memories[memory].space);
    }
}

static void *work(void *argument) {
    worker *worker = argument;
    npu_machine *machine = worker->machine;
    uint64_t seen = 0;
    pthread_mutex_lock(&machine->mutex);
    for (;;) {
        while (machine->round == seen && !machine->leaving) pthread_cond_wait(&machine->begin, &machine->mutex);
        if (machine->leaving) break;
        seen = machine->round;
        pthread_mutex_unlock(&machine->mutex);
        run_cores(machine, worker);
        pthread_mutex_lock(&machine->mutex);
        if (--machine->busy == 0) pthread_cond_signal(&machine->end);
    }
    pthread_mutex_unlock(&machine->mutex);
    return NULL;
}

/* All cores up to the next barrier. */
static void run_round(npu_machine *machine) {
    atomic_store(&machine->next_core, 0);
    bool together = machine->worker_count > 1 && machine->program->cores > 1;
    if (together) {
        pthread_mutex_lock(&machine->mutex);
        machine->busy = machine->worker_count - 1;
        ++machine->round;
        pthread_cond_broadcast(&machine->begin);
        pthread_mutex_unlock(&machine->mutex);
    }
    run_cores(machine, &machine->workers[0]);
    if (together) {
        pthread_mutex_lock(&machine->mutex);
        while (machine->busy) pthread_cond_wait(&machine->end, &machine->mutex);
        pthread_mutex_unlock(&machine->mutex);
    }
}

/* At least `count` sets of local memories. */
static bool reserve_memories(npu_machine *machine, uint32_t count) {
    if (count <= machine->memory_count) return true;
    locals *grown = realloc(machine->memories, count * sizeof *grown);
    if (!grown) return false;
    machine->memories = grown;
    for (; machine->memory_count < count; ++machine->memory_count) {
        locals *memory = &grown[machine->memory_count];
        memset(memory, 0, sizeof *memory);
        bool complete = true;
        for (int space = NPU_L1; space < NPU_SPACE_COUNT; ++space) {
            memory->space[space] = aligned_alloc(64, (machine->config.space_bytes[space] + 127) / 64 * 64);
            complete = complete && memory->space[space];
        }
        if (complete) continue;
        for (int space = NPU_L1; space < NPU_SPACE_COUNT; ++space) free(memory->space[space]);
        return false;
    }
    return true;
}

npu_machine *npu_machine_create(const npu_config *config, uint32_t threads, bool poison) {
    npu_machine *machine = calloc(1, sizeof *machine);
    worker *workers = calloc(threads ? threads : 1, sizeof *workers);
    if (!machine || !workers) {
        free(machine);
        free(workers);
        return NULL;
    }
    machine->config = *config;
    machine->poison = poison;
    machine->workers = workers;
    pthread_mutex_init(&machine->turn, NULL);
    pthread_mutex_init(&machine->mutex, NULL);
    pthread_mutex_init(&machine->fault_mutex, NULL);
    pthread_cond_init(&machine->begin, NULL);
    pthread_cond_init(&machine->end, NULL);
    /* The host's signals are the host's business. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (machine->worker_count = 1; machine->worker_count < threads; ++machine->worker_count) {
        worker *worker = &workers[machine->worker_count];
        worker->machine = machine;
        if (pthread_create(&worker->thread, NULL, work, worker)) break; /* fewer threads give the same bits */
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reserve_memories(machine, machine->worker_count)) return machine;
    npu_machine_destroy(machine);
    return NULL;
}

void npu_machine_destroy(npu_machine *machine) {
    if (!machine) return;
    pthread_mutex_lock(&machine->mutex);
    machine->leaving = true;
    pthread_cond_broadcast(&machine->begin);
    pthread_mutex_unlock(&machine->mutex);
    for (uint32_t i = 0; i < machine->worker_count; ++i) {
        if (i) pthread_join(machine->workers[i].thread, NULL);
        free(machine->workers[i].scratch.a);
        free(machine->workers[i].scratch.b);
    }
    for (uint32_t i = 0; i < machine->memory_count; ++i) {
        for (int space = NPU_L1; space < NPU_SPACE_COUNT; ++space) free(machine->memories[i].space[space]);
    }
    pthread_mutex_destroy(&machine->turn);
    pthread_mutex_destroy(&machine->mutex);
    pthread_mutex_destroy(&machine->fault_mutex);
    pthread_cond_destroy(&machine->begin);
    pthread_cond_destroy(&machine->end);
    free(machine->memories);
    free(machine->positions);
    free(machine->workers);
    free(machine);
}

static int refuse(char *message, size_t capacity, const char *text) {
    if (capacity) snprintf(message, capacity, "%s", text);
    return 1;
}

static int execute(npu_machine *machine, const npu_program *program, char *message, size_t capacity) {
    if (program->cores > machine->position_capacity) {
        size_t *grown = realloc(machine->positions, program->cores * sizeof *grown);
        if (!grown) return refuse(message, capacity, "the simulator has no memory for the program");
        machine->positions = grown;
        machine->position_capacity = program->cores;
    }
    memset(machine->positions, 0, program->cores * sizeof *machine->positions);
    if (program->has_barriers && !reserve_memories(machine, program->cores))
        return refuse(message, capacity, "the simulator has no memory for the cores");
    machine->fault_core = UINT32_MAX;
    for (;;) {
        run_round(machine);
        if (machine->fault_core != UINT32_MAX) return refuse(message, capacity, machine->fault);
        bool done = true;
        for (uint32_t core = 0; core < program->cores; ++core) done = done && machine->positions[core] == program->lists[core].count;
        if (done) return 0;
    }
}

int npu_execute(npu_machine *machine, const npu_program *program, const npu_binding *bindings, size_t binding_count, char *message,
                size_t capacity) {
    if (binding_count < program->slot_count) return refuse(message, capacity, "a launch binds too few tensors");
    for (size_t i = 0; i < program->slot_count; ++i) {
        if (bindings[i].bytes < program->slot_bytes[i]) return refuse(message, capacity, "a launch binds a tensor that is too small");
    }
    pthread_mutex_lock(&machine->turn);
    machine->program = program;
    machine->bindings = bindings;
    int result = execute(machine, program, message, capacity);
    pthread_mutex_unlock(&machine->turn);
    return result;
}
