/* SPDX-License-Identifier: Apache-2.0
 *
 * Conversions between number formats, by integer operations: the same bits on every machine.
 */
#ifndef NPU_NUMBERS_H
#define NPU_NUMBERS_H

#include <stdint.h>

#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

/* One body, three instruction sets. Helpers of a cloned function must be INLINE to be compiled with it. */
#if defined(__x86_64__) && defined(__clang__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

INLINE uint32_t float_bits(float x) {
    union {
        float f;
        uint32_t i;
    } u = {.f = x};
    return u.i;
}

INLINE float bits_float(uint32_t i) {
    union {
        uint32_t i;
        float f;
    } u = {.i = i};
    return u.f;
}

INLINE float float_of_float16(uint16_t h) {
    const uint32_t size = h & 0x7fffu;
    const float scaled = bits_float(size << 13) * 0x1p112f;
    const uint32_t bits = size >= 0x7c00u ? size << 13 | 0x7f800000u : float_bits(scaled);
    return bits_float(bits | (h & 0x8000u) << 16);
}

INLINE float float_of_bfloat16(uint16_t h) {
    return bits_float((uint32_t)h << 16);
}

/* To nearest, ties to even. Below 2^-14 adding 1/2 leaves a multiple of 2^-24 in the low bits. */
INLINE uint16_t float16_of_float(float x) {
    const uint32_t bits = float_bits(x), size = bits & 0x7fffffffu;
    const uint32_t normal = (size + 0xfffu + (size >> 13 & 1u)) >> 13;
    const uint32_t small = float_bits(bits_float(size) + 0.5f) - 0x3f000000u;
    uint32_t h = size < 0x38800000u ? small : normal - (112u << 10);
    h = size >= 0x477ff000u ? 0x7c00u : h;
    h = size > 0x7f800000u ? 0x7e00u | (size >> 13 & 0x3ffu) : h;
    return (uint16_t)(h | (bits >> 16 & 0x8000u));
}

INLINE uint16_t bfloat16_of_float(float x) {
    const uint32_t bits = float_bits(x);
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : rounded);
}

/* A float32 that rounds to the same bfloat16 as the integer does: bits beyond 24 are kept as one that breaks ties. */
INLINE float sticky_float(uint64_t size) {
    const int32_t excess = size >> 24 ? 40 - __builtin_clzll(size) : 0;
    const uint64_t kept = size >> excess, lost = (size & (((uint64_t)1 << excess) - 1)) != 0;
    return (float)(kept | lost) * bits_float((uint32_t)(127 + excess) << 23);
}

/* Truncated and kept within [low, high]; NaN gives 0. `beyond` is the least float above `high`. */
INLINE int64_t integer_of_float(float x, int64_t low, int64_t high, float beyond) {
    if (x != x) return 0;
    return x >= beyond ? high : x <= (float)low ? low : (int64_t)x;
}

INLINE uint64_t unsigned_of_float(float x) {
    return x >= 0x1p64f ? UINT64_MAX : x > 0.0f ? (uint64_t)x : 0;
}

/* The nearest bfloat16, as a float32: rounded to nearest, ties to even, unless that gives infinity. */
INLINE float head_of(float x) {
    const uint32_t bits = float_bits(x), rounded = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u, cut = bits & 0xffff0000u;
    const uint32_t head = (rounded & 0x7fffffff) < 0x7f800000 ? rounded : cut;
    return (bits & 0x7fffffff) > 0x7f800000 ? x : bits_float(head);
}

#endif
