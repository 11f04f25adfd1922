/* SPDX-License-Identifier: Apache-2.0
 *
 * Sine, cosine and tangent of float32 operands, in float64: the angle is reduced by multiples of pi/2, also where it is large.
 */
#ifndef NPU_VECTOR_TRIGONOMETRY_H
#define NPU_VECTOR_TRIGONOMETRY_H

#include "vector_functions.h"

typedef struct angle {
    double rest; /* in [-pi/4, pi/4] */
    uint32_t quadrant;
} angle;

/* Words of the binary fraction of 2/pi. */
static const uint32_t two_over_pi[] = {0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab};

/* |x| = m * 2^e with an integer m of 24 bits. Of 2/pi only 96 bits matter: those before them give whole turns (Payne and Hanek, 1983). */
static angle reduce_large(double a) {
    const int32_t e = (int32_t)(double_bits(a) >> 52) - 1023 - 23;
    const uint64_t m = (double_bits(a) & 0xfffffffffffffu) >> 29 | 1u << 23;
    const int32_t skipped = e > 2 ? e - 2 : 0, word = skipped / 32, bit = skipped % 32;
    unsigned __int128 window = 0;
    for (int i = 0; i < 3; ++i) {
        const uint64_t pair = (uint64_t)two_over_pi[word + i] << 32 | two_over_pi[word + i + 1];
        window = window << 32 | (uint32_t)(pair << bit >> 32);
    }
    const unsigned __int128 product = m * window;
    const int32_t fraction = 96 - e + skipped;
    const unsigned __int128 one = (unsigned __int128)1 << fraction, rest = product & (one - 1);
    const int up = rest >= one >> 1;
    const double distance = (double)(uint64_t)((up ? one - rest : rest) >> (fraction - 64)) * 0x1p-64;
    return (angle){(up ? -distance : distance) * 0x1.921fb54442d18p+0, (uint32_t)(product >> fraction) + (uint32_t)up};
}

/* Of |x|. Up to 2^20 by Cody and Waite with pi/2 in three parts, whose products with a quotient of 20 bits are exact. */
INLINE angle reduce_angle(double x) {
    const double a = magnitude(x);
    if (a >= 0x1p20) return reduce_large(a);
    const double round = 0x1.8p52, shifted = a * 0x1.45f306dc9c883p-1 + round, n = shifted - round;
    return (angle){((a - n * 0x1.921fb544p+0) - n * 0x1.0b4611a6p-34) - n * 0x1.3198a2e037073p-69, (uint32_t)double_bits(shifted)};
}

INLINE double sine_series(double r) {
    const double q = r * r;
    double p = 1.0 / 6227020800;
    p = p * q - 1.0 / 39916800;
    p = p * q + 1.0 / 362880;
    p = p * q - 1.0 / 5040;
    p = p * q + 1.0 / 120;
    p = p * q - 1.0 / 6;
    return r + r * (q * p);
}

INLINE double cosine_series(double r) {
    const double q = r * r;
    double p = -1.0 / 87178291200;
    p = p * q + 1.0 / 479001600;
    p = p * q - 1.0 / 3628800;
    p = p * q + 1.0 / 40320;
    p = p * q - 1.0 / 720;
    p = p * q + 1.0 / 24;
    p = p * q - 0.5;
    return 1.0 + q * p;
}

/* Not for NaN and infinities. */
INLINE double finite_sin(double x) {
    const angle t = reduce_angle(x);
    const double y = t.quadrant & 1 ? cosine_series(t.rest) : sine_series(t.rest);
    const double signed_y = t.quadrant & 2 ? -y : y;
    return x < 0.0 ? -signed_y : x == 0.0 ? x : signed_y;
}

INLINE double finite_cos(double x) {
    const angle t = reduce_angle(x);
    const double y = t.quadrant & 1 ? sine_series(t.rest) : cosine_series(t.rest);
    return (t.quadrant + 1) & 2 ? -y : y;
}

INLINE double finite_tan(double x) {
    const angle t = reduce_angle(x);
    const double s = sine_series(t.rest), c = cosine_series(t.rest);
    const double y = t.quadrant & 1 ? -c / s : s / c;
    return x < 0.0 ? -y : x == 0.0 ? x : y;
}

#define WIDE_TRIGONOMETRIC(NAME)                                                                                                           \
    INLINE double wide_##NAME(double x) {                                                                                                  \
        return magnitude(x) <= 0x1.fffffep127 ? finite_##NAME(x) : __builtin_nan("");                                                      \
    }
WIDE_TRIGONOMETRIC(sin)
WIDE_TRIGONOMETRIC(cos)
WIDE_TRIGONOMETRIC(tan)

#endif
