/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "CConformance.h"

#include <execinfo.h>
#include <fcntl.h>
#include <fenv.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_fatal(int number) {
    void *frames[48];
    const int count = backtrace(frames, 48);
    backtrace_symbols_fd(frames, count, STDERR_FILENO);
    signal(number, SIG_DFL);
    raise(number);
}

void sbc_prepare_worker(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN); /* the supervisor decides */
    signal(SIGPIPE, SIG_IGN);
    void *warm[1];
    backtrace(warm, 1); /* loads what backtrace needs before it may be needed in a handler */

    /* A stack of its own, so that an overflowing stack is told, too. */
    stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    sigaltstack(&stack, NULL);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_fatal;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; ++i) sigaction(fatal[i], &action, NULL);
}

static void on_interrupt(int number) {
    (void)number;
    interrupted = 1;
}

void sbc_catch_interrupts(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int sbc_interrupted(void) {
    return interrupted;
}

int sbc_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
    return 0;
}

uint64_t sbc_floating_point_mode(void) {
#if defined(__x86_64__)
    unsigned short x87;
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return (uint64_t)x87 << 32 | (__builtin_ia32_stmxcsr() & ~0x3Fu); /* without the six sticky exception bits */
#elif defined(__aarch64__)
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
#else
    return (uint64_t)fegetround();
#endif
}

void sbc_set_floating_point_mode(uint64_t mode) {
#if defined(__x86_64__)
    unsigned short x87 = (unsigned short)(mode >> 32);
    __asm__ volatile("fldcw %0" : : "m"(x87));
    __builtin_ia32_ldmxcsr((unsigned)mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
    fesetround((int)mode);
#endif
}

size_t sbc_heap_in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

uint64_t sbc_signal_handler(int number) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0) return UINT64_MAX;
    return action.sa_flags & SA_SIGINFO ? (uint64_t)(uintptr_t)action.sa_sigaction : (uint64_t)(uintptr_t)action.sa_handler;
}

int sbc_blocked_signals(void) {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    int bits = 0;
    for (int number = 1; number < 32; ++number) bits |= sigismember(&blocked, number) == 1 ? 1 << (number - 1) : 0;
    return bits;
}
