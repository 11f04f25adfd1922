/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CCONFORMANCE_H
#define CCONFORMANCE_H

#include <stddef.h>
#include <stdint.h>

/* Makes this process a worker: it dies with its parent, and a fatal signal writes a backtrace to standard error before it kills the process. */
void sbc_prepare_worker(void);

/* Set by SIGINT and SIGTERM once sbc_catch_interrupts was called. */
void sbc_catch_interrupts(void);
int sbc_interrupted(void);

/* A pipe of a mebibyte, closed in children: ends[0] reads, ends[1] writes. Returns 0, or -1 with errno. */
int sbc_pipe(int ends[2]);

/* Of the calling thread: rounding, flushing of denormal numbers, trapped exceptions; without the exceptions that have been seen. */
uint64_t sbc_floating_point_mode(void);
void sbc_set_floating_point_mode(uint64_t mode);

/* Bytes that the C library's allocator has given out and not got back, over all threads. */
size_t sbc_heap_in_use(void);

/* The address of a signal's handler (0 and 1: the default, ignored), and the calling thread's blocked signals, number N in bit N - 1. */
uint64_t sbc_signal_handler(int number);
int sbc_blocked_signals(void);

#endif
