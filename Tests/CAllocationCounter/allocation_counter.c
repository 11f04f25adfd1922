/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts a thread's allocations by standing in for glibc's functions, and its retains by the Swift runtime's hook for instruments.
 */
#include "allocation_counter.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

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

extern atomic_bool _swift_enableSwizzlingOfAllocationAndRefCountingFunctions_forInstrumentsOnly;
extern void *(*_swift_retain)(void *object);
static void *(*original_retain)(void *object);

static void *counting_retain(void *object) {
    ++counts.retains;
    return original_retain(object);
}

thread_counts thread_counts_now(void) {
    static atomic_bool installed;
    if (!atomic_exchange(&installed, true)) {
        original_retain = _swift_retain;
        _swift_retain = counting_retain;
        atomic_store(&_swift_enableSwizzlingOfAllocationAndRefCountingFunctions_forInstrumentsOnly, true);
    }
    return counts;
}
