/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

/* What the calling thread has done since it began: calls of malloc, calloc, realloc, aligned_alloc and posix_memalign, and retains by code of this program
 * (not those within the Swift runtime and Foundation). */
typedef struct thread_counts {
    uint64_t allocations;
    uint64_t retains;
} thread_counts;

thread_counts thread_counts_now(void);

#endif
