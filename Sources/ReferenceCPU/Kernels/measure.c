/* SPDX-License-Identifier: Apache-2.0
 *
 * Loops whose duration says how fast this CPU is. Their results mean nothing; they are returned so that the work is not optimised away.
 */
#include "internal.h"

/* Enough independent chains to fill two ports of latency 4 to 5. */
#define CHAINS 10

#define MULTIPLY_ADDS(NAME, ELEMENT, BYTES, TARGET)                                                                                        \
    __attribute__((target(TARGET))) static double NAME(int64_t rounds) {                                                                   \
        typedef ELEMENT lane_vector __attribute__((vector_size(BYTES)));                                                                   \
        lane_vector chain[CHAINS], factor, addend;                                                                                         \
        for (unsigned lane = 0; lane < BYTES / sizeof(ELEMENT); ++lane) {                                                                  \
            factor[lane] = (ELEMENT)1 / (ELEMENT)(rounds + 1);                                                                             \
            addend[lane] = (ELEMENT)(1 + lane);                                                                                            \
        }                                                                                                                                  \
        for (int i = 0; i < CHAINS; ++i) chain[i] = addend * (ELEMENT)(1 + i);                                                             \
        for (int64_t round = 0; round < rounds; ++round) {                                                                                 \
            _Pragma("GCC unroll 10") for (int i = 0; i < CHAINS; ++i) chain[i] = chain[i] * factor + addend;                               \
        }                                                                                                                                  \
        lane_vector sum = chain[0];                                                                                                        \
        for (int i = 1; i < CHAINS; ++i) sum += chain[i];                                                                                  \
        return (double)sum[0];                                                                                                             \
    }

#if defined(__x86_64__)
MULTIPLY_ADDS(multiply_adds_f32_256, float, 32, "avx2,fma")
MULTIPLY_ADDS(multiply_adds_f64_256, double, 32, "avx2,fma")
MULTIPLY_ADDS(multiply_adds_f32_512, float, 64, "avx512f,fma")
MULTIPLY_ADDS(multiply_adds_f64_512, double, 64, "avx512f,fma")
#endif

double cpu_multiply_adds(cpu_type type, int64_t rounds) {
#if defined(__x86_64__)
    const int32_t bits = cpu_vector_bits();
    if (bits == 512) return type == CPU_TYPE_FLOAT64 ? multiply_adds_f64_512(rounds) : multiply_adds_f32_512(rounds);
    if (bits == 256) return type == CPU_TYPE_FLOAT64 ? multiply_adds_f64_256(rounds) : multiply_adds_f32_256(rounds);
#endif
    (void)type;
    (void)rounds;
    return 0;
}

int64_t cpu_multiply_adds_per_round(void) {
    return CHAINS;
}

/* A multiplication of 32-bit registers takes three cycles on every x86-64 processor with vectors, and always the same port. */
int32_t cpu_dependent_products(int64_t rounds) {
    int32_t product = 3;
#if defined(__x86_64__)
    const int32_t factor = (int32_t)rounds | 1;
    for (int64_t round = 0; round < rounds; ++round) {
        __asm__ volatile("imull %1, %0\n\timull %1, %0\n\timull %1, %0\n\timull %1, %0\n\t"
                         "imull %1, %0\n\timull %1, %0\n\timull %1, %0\n\timull %1, %0\n\t"
                         : "+r"(product)
                         : "r"(factor));
    }
    return product;
#else
    (void)rounds;
    return 0;
#endif
}

CLONES void cpu_triad(float *a, const float *b, const float *c, float factor, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) a[i] = b[i] + factor * c[i];
}

/* A vector at a time, past the caches: what a plain store reads before it writes is not read. */
CLONES void cpu_copy_past_caches(float *to, const float *from, int64_t begin, int64_t end) {
    typedef float lane_vector __attribute__((vector_size(32)));
    const lane_vector *source = (const lane_vector *)from;
    lane_vector *target = (lane_vector *)to;
    for (int64_t i = begin / 8; i < end / 8; ++i) {
#if defined(__clang__)
        __builtin_nontemporal_store(source[i], target + i);
#else
        target[i] = source[i];
#endif
    }
}

CLONES int64_t cpu_read_all(const int64_t *a, int64_t begin, int64_t end) {
    int64_t sum = 0;
    for (int64_t i = begin; i < end; ++i) sum ^= a[i];
    return sum;
}
