/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CCONFORMANCE_H
#define CCONFORMANCE_H

/* Makes this process a worker: it dies with its parent, and a fatal signal writes a backtrace to standard error before it kills the process. */
void sbc_prepare_worker(void);

/* Set by SIGINT and SIGTERM once sbc_catch_interrupts was called. */
void sbc_catch_interrupts(void);
int sbc_interrupted(void);

/* A pipe of a mebibyte, closed in children: ends[0] reads, ends[1] writes. Returns 0, or -1 with errno. */
int sbc_pipe(int ends[2]);

#endif
