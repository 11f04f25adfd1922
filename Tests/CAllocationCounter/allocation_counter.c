/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts a thread's allocations and the program's retains by standing in for the functions of glibc and of the Swift runtime.
 */
#define _GNU_SOURCE
#include "allocation_counter.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static _Thread_local thread_counts counts;

void *malloc(size_t bytes) {
    ++counts.allocations;
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    ++counts.allocations;
    return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes) {
    ++counts.allocations;
    return __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    ++counts.allocations;
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **result, size_t alignment, size_t bytes) {
    ++counts.allocations;
    void *memory = __libc_memalign(alignment, bytes);
    if (!memory) return ENOMEM;
    *result = memory;
    return 0;
}

/*
 * The program's own retains: its calls of the Swift runtime resolve to these first.
 */
typedef void *retain_function(void *object);
typedef void *retain_many_function(void *object, uint32_t count);

static void *next_of(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) abort();
    return function;
}

#define COUNTING_RETAIN(name)                                                                                                              \
    void *name(void *object) {                                                                                                             \
        static _Atomic(retain_function *) next;                                                                                            \
        retain_function *function = atomic_load_explicit(&next, memory_order_relaxed);                                                     \
        if (!function) atomic_store(&next, function = (retain_function *)next_of(#name));                                                  \
        ++counts.retains;                                                                                                                  \
        return function(object);                                                                                                           \
    }

COUNTING_RETAIN(swift_retain)
COUNTING_RETAIN(swift_bridgeObjectRetain)

void *swift_retain_n(void *object, uint32_t count) {
    static _Atomic(retain_many_function *) next;
    retain_many_function *function = atomic_load_explicit(&next, memory_order_relaxed);
    if (!function) atomic_store(&next, function = (retain_many_function *)next_of("swift_retain_n"));
    counts.retains += count;
    return function(object, count);
}

thread_counts thread_counts_now(void) {
    return counts;
}
