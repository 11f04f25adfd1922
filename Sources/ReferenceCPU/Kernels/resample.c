/* SPDX-License-Identifier: Apache-2.0 */
#include "indexing.h"
#include "internal.h"

/* Sums in float64: the weights are no float32 numbers, and a pass along another axis follows. */
CLONES void cpu_resample_float32(int64_t size, int64_t inner, int64_t outputs, int64_t taps, const int64_t *positions,
                                 const double *weights, const void *x, void *y, int64_t begin, int64_t end) {
    enum { STRIP = 256 };
    for (int64_t item = begin; item < end; ++item) {
        const int64_t output = item % outputs;
        const float32_u *from = (const float32_u *)x + item / outputs * size * inner;
        float32_u *to = (float32_u *)y + item * inner;
        const int64_t *places = positions + output * taps;
        const double *shares = weights + output * taps;
        if (inner == 1) { /* the innermost axis itself: one sum */
            double sum = shares[0] * from[places[0]];
            for (int64_t tap = 1; tap < taps && places[tap] >= 0; ++tap) sum += shares[tap] * from[places[tap]];
            *to = (float)sum;
            continue;
        }
        for (int64_t first = 0; first < inner; first += STRIP) {
            const int64_t count = minimum(inner - first, STRIP);
            double sums[STRIP];
            for (int64_t i = 0; i < count; ++i) sums[i] = shares[0] * from[places[0] * inner + first + i];
            for (int64_t tap = 1; tap < taps && places[tap] >= 0; ++tap)
                for (int64_t i = 0; i < count; ++i) sums[i] += shares[tap] * from[places[tap] * inner + first + i];
            for (int64_t i = 0; i < count; ++i) to[first + i] = (float)sums[i];
        }
    }
}
