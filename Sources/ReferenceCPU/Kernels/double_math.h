/* SPDX-License-Identifier: Apache-2.0
 *
 * Elementary functions for float32 results, computed in float64 without branches so that a loop around them vectorises.
 *
 * Every function is within 2^-34 of the true value, relative, for every float32 argument that it takes (that is far below an ULP of float32: what is left
 * is the one rounding of the result). Where a polynomial is a Taylor series its first left-out term says so; the others are Chebyshev fits of the
 * relative error, whose largest value stands beside them.
 */
#ifndef REFERENCE_CPU_DOUBLE_MATH_H
#define REFERENCE_CPU_DOUBLE_MATH_H

#include "internal.h"

INLINE int64_t double_bits(double x) {
    union {
        double d;
        int64_t i;
    } u = {.d = x};
    return u.i;
}

INLINE double bits_double(int64_t i) {
    union {
        int64_t i;
        double d;
    } u = {.i = i};
    return u.d;
}

INLINE double magnitude64(double x) {
    return __builtin_fabs(x);
}

/* Adding it rounds to an integer, which is then in the low bits. */
#define ROUND64 0x1.8p52

/* e^x = 2^n * e^r with |r| <= ln(2)/2; the Taylor series leaves out r^12/12!, at most 7e-15. Infinity and zero
 * begin at 709 and -700, beyond which float32 has long ended. */
INLINE double exp64(double x) {
    double c = x > 709.0 ? 709.0 : x;
    c = c < -700.0 ? -700.0 : c;
    const double shifted = c * 0x1.71547652b82fep0 + ROUND64, n = shifted - ROUND64;
    const double r = (c - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
    double p = 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    /* The low bits of `shifted` hold n; moved to the exponent they multiply by 2^n. */
    const double y = bits_double((int64_t)((uint64_t)double_bits(p) + ((uint64_t)double_bits(shifted) << 52)));
    return x > 709.0 ? __builtin_inf() : x < -700.0 ? 0.0 : y;
}

/* e^x - 1 without cancellation: below 2^-6 by a series that leaves out x^6/720 of x. */
INLINE double expm1_64(double x) {
    double p = 1.0 / 720.0;
    p = p * x + 1.0 / 120.0;
    p = p * x + 1.0 / 24.0;
    p = p * x + 1.0 / 6.0;
    p = p * x + 0.5;
    const double small = x * (1.0 + x * p); /* in this form -0 stays -0 */
    return magnitude64(x) < 0x1p-6 ? small : exp64(x) - 1.0;
}

/* log x = e*ln 2 + 2 atanh(s), s = (m-1)/(m+1), m in [sqrt(1/2), sqrt(2)); the series leaves out 2 s^19/19. Zero, negative numbers, infinity, NaN as usual; no
 * subnormal of float64. */
INLINE double log64(double x) {
    const uint64_t bits = (uint64_t)double_bits(x), shifted = bits - 0x3fe6a09e667f3bcdu;
    const double e = bits_double((int64_t)(((shifted >> 52) ^ 0x800u) | 0x4330000000000000u)) - (0x1p52 + 2048.0);
    /* The exponent is a signed number of 12 bits: its top bit flipped makes it one counted from -2048. */
    const double m = bits_double((int64_t)(bits - (shifted & 0xfff0000000000000u)));
    const double s = (m - 1.0) / (m + 1.0), t = s * s;
    double p = 2.0 / 17.0;
    p = p * t + 2.0 / 15.0;
    p = p * t + 2.0 / 13.0;
    p = p * t + 2.0 / 11.0;
    p = p * t + 2.0 / 9.0;
    p = p * t + 2.0 / 7.0;
    p = p * t + 2.0 / 5.0;
    p = p * t + 2.0 / 3.0;
    double y = e * 0x1.62e42fefa39efp-1 + (2.0 * s + s * t * p);
    y = x == 0.0 ? -__builtin_inf() : y;
    y = x < 0.0 ? __builtin_nan("") : y;
    return x > 0x1.fffffffffffffp1023 || x != x ? x : y;
}

/* log(1+y) for y >= 0; below 2^-13 by a series that leaves out y^3/4 of y. */
INLINE double log1p_64(double y) {
    const double small = y - y * y * (0.5 - y * (1.0 / 3.0));
    return y < 0x1p-13 ? small : log64(1.0 + y);
}

/* 1 / (1 + e^-x) */
INLINE double sigmoid64(double x) {
    return 1.0 / (1.0 + exp64(-x));
}

/* log(1 + e^x) */
INLINE double softplus64(double x) {
    return (x > 0.0 ? x : 0.0) + log1p_64(exp64(-magnitude64(x)));
}

/* x * tanh(log(1 + e^x)); with e = e^x the factor is (e^2 + 2e) / (e^2 + 2e + 2), which has no cancellation. From 40 on it is 1. */
INLINE double mish64(double x) {
    const double e = exp64(x > 40.0 ? 40.0 : x), s = e * (e + 2.0);
    return x * (s / (s + 2.0));
}

/* erfc(x) = e^(-x^2) * g(t) / (1 + 2x) * 2 on x >= 0 with t = (x-3)/(x+3); g within 5.2e-13. Beyond 11 float32 has none left even of x*erfc(x). */
INLINE double erfc64(double x) {
    double a = magnitude64(x);
    a = a > 11.0 ? 11.0 : a;
    const double t = (a - 3.0) / (a + 3.0);
    double g = 0x1.55c608bf38af5p-23;
    g = g * t - 0x1.fa5906c2bb8e8p-20;
    g = g * t - 0x1.376ffa12eacd7p-17;
    g = g * t + 0x1.1b74e0dd8a767p-18;
    g = g * t + 0x1.074f961bb9c18p-14;
    g = g * t - 0x1.bf565fcf0e27ap-15;
    g = g * t - 0x1.991dae2f82585p-12;
    g = g * t + 0x1.ef30a21f4e70ap-11;
    g = g * t + 0x1.4b8cd07e5427dp-10;
    g = g * t - 0x1.8574e71e833bbp-7;
    g = g * t + 0x1.17ca2439e6227p-5;
    g = g * t - 0x1.e88b7fc6cc295p-5;
    g = g * t + 0x1.098366c0176fdp-4;
    g = g * t - 0x1.85a15c5d8fcc0p-6;
    g = g * t - 0x1.15c084bbfac95p-4;
    g = g * t + 0x1.40c522d7e4c28p-1;
    const double y = exp64(-a * a) * (2.0 * g / (1.0 + 2.0 * a));
    const double tail = a < 11.0 ? y : y != y ? y : 0.0;
    return x < 0.0 ? 2.0 - tail : tail;
}

INLINE double gelu64(double x) {
    return 0.5 * x * erfc64(-x * 0x1.6a09e667f3bcdp-1);
}

/* 0.5 (1 + tanh u) is 1 / (1 + e^(-2u)). */
INLINE double gelu_tanh64(double x) {
    return x * sigmoid64(2.0 * 0x1.9884533d43651p-1 * (x + 0.044715 * x * x * x));
}

/* tanh x = t / (t + 2) with t = e^(2x) - 1. */
INLINE double tanh64(double x) {
    const double t = expm1_64(2.0 * (magnitude64(x) > 20.0 ? 20.0 : magnitude64(x)));
    return __builtin_copysign(x != x ? x : t / (t + 2.0), x);
}

/* Quarter turns for |x| <= 2^20: pi/2 in two parts, the first of 31 bits, so that its product with the number of turns is exact. */
#define LARGEST_ANGLE 1048576.0f
INLINE double quarter_turns(double x, int64_t *turns) {
    const double shifted = x * 0x1.45f306dc9c883p-1 + ROUND64, n = shifted - ROUND64;
    *turns = double_bits(shifted);
    return (x - n * 0x1.921fb544p0) - n * 0x1.0b4611a626331p-34;
}

/* |r| <= pi/4; the series leave out r^15/15! and r^14/14!, at most 2e-14 and 4e-13. */
INLINE double sine_series(double r) {
    const double t = r * r;
    double p = 1.0 / 6227020800.0;
    p = p * t - 1.0 / 39916800.0;
    p = p * t + 1.0 / 362880.0;
    p = p * t - 1.0 / 5040.0;
    p = p * t + 1.0 / 120.0;
    p = p * t - 1.0 / 6.0;
    return r * (1.0 + t * p);
}

INLINE double cosine_series(double r) {
    const double t = r * r;
    double p = 1.0 / 479001600.0;
    p = p * t - 1.0 / 3628800.0;
    p = p * t + 1.0 / 40320.0;
    p = p * t - 1.0 / 720.0;
    p = p * t + 1.0 / 24.0;
    p = p * t - 0.5;
    return 1.0 + t * p;
}

/* sin(x + quarter * pi/2) */
INLINE double turned_sine(double x, int64_t quarter) {
    int64_t turns;
    const double r = quarter_turns(x, &turns);
    turns += quarter;
    const double y = turns & 1 ? cosine_series(r) : sine_series(r);
    return turns & 2 ? -y : y;
}

INLINE double tan64(double x) {
    int64_t turns;
    const double r = quarter_turns(x, &turns), s = sine_series(r), c = cosine_series(r);
    return turns & 1 ? -c / s : s / c;
}

/* Up to tan(pi/8) x*P(x^2), P within 2.7e-14; then through pi/4, beyond tan(3pi/8) through pi/2. */
INLINE double atan64(double x) {
    const double a = magnitude64(x);
    const int64_t is_large = a > 0x1.3504f333f9de6p1, is_middle = a > 0x1.a827999fcef32p-2;
    const double numerator = is_large ? -1.0 : is_middle ? a - 1.0 : a, denominator = is_large ? a : is_middle ? a + 1.0 : 1.0;
    const double base = is_large ? 0x1.921fb54442d18p0 : is_middle ? 0x1.921fb54442d18p-1 : 0.0;
    const double z = numerator / denominator, t = z * z;
    double p = 0x1.f65c4f3fe8298p-6;
    p = p * t - 0x1.e13c40931e3fcp-5;
    p = p * t + 0x1.35cf0ab85eb3fp-4;
    p = p * t - 0x1.73d9d25f008fep-4;
    p = p * t + 0x1.c714d467be8dep-4;
    p = p * t - 0x1.2492291bdb860p-3;
    p = p * t + 0x1.99999911ce515p-3;
    p = p * t - 0x1.55555554e608ap-2;
    p = p * t + 0x1.fffffffffff0fp-1;
    return __builtin_copysign(base + z * p, x);
}

/* asin(sqrt(t)) / sqrt(t) for t up to 1/4, within 4.1e-15. */
INLINE double asin_series(double t) {
    double p = 0x1.020e5719c5813p-5;
    p = p * t - 0x1.df0360c9eff2ep-8;
    p = p * t + 0x1.25abfcc6d7da8p-6;
    p = p * t + 0x1.9b40462754959p-7;
    p = p * t + 0x1.1f8a3aaac973dp-6;
    p = p * t + 0x1.6e427ba0e0592p-6;
    p = p * t + 0x1.f1cb1bb1bd8fbp-6;
    p = p * t + 0x1.6db6cb38d4b4bp-5;
    p = p * t + 0x1.33333354bc760p-4;
    p = p * t + 0x1.555555553a610p-3;
    return p * t + 1.0;
}

/* Beyond 1/2 through the half angle: asin x = pi/2 - 2 asin(sqrt((1-x)/2)). Beyond 1 the root makes a NaN. */
INLINE double asin64(double x) {
    const double a = magnitude64(x), rest = 0.5 * (1.0 - a), t = a <= 0.5 ? a * a : rest;
    const double s = a <= 0.5 ? a : __builtin_sqrt(rest), y = s * asin_series(t);
    return __builtin_copysign(a <= 0.5 ? y : 0x1.921fb54442d18p0 - 2.0 * y, x);
}

INLINE double acos64(double x) {
    const double a = magnitude64(x), rest = 0.5 * (1.0 - a), t = a <= 0.5 ? a * a : rest;
    const double s = a <= 0.5 ? x : __builtin_sqrt(rest), y = s * asin_series(t);
    return a <= 0.5 ? 0x1.921fb54442d18p0 - y : x < 0.0 ? 0x1.921fb54442d18p1 - 2.0 * y : 2.0 * y;
}

/* Below 1 the series, which leaves out x^15/15!. */
INLINE double sinh64(double x) {
    const double t = x * x, e = exp64(magnitude64(x));
    double p = 1.0 / 6227020800.0;
    p = p * t + 1.0 / 39916800.0;
    p = p * t + 1.0 / 362880.0;
    p = p * t + 1.0 / 5040.0;
    p = p * t + 1.0 / 120.0;
    p = p * t + 1.0 / 6.0;
    return magnitude64(x) < 1.0 ? x * (1.0 + t * p) : __builtin_copysign(0.5 * (e - 1.0 / e), x);
}

INLINE double cosh64(double x) {
    const double e = exp64(magnitude64(x));
    return 0.5 * (e + 1.0 / e);
}

/* Below 1/64 the series, which leaves out 15/336 x^6 of x. */
INLINE double asinh64(double x) {
    const double a = magnitude64(x), t = x * x, small = a - a * t * (1.0 / 6.0 - t * (3.0 / 40.0));
    return __builtin_copysign(a < 0x1p-6 ? small : log64(a + __builtin_sqrt(t + 1.0)), x);
}

INLINE double acosh64(double x) {
    return log64(x + __builtin_sqrt(x * x - 1.0)) + (x < 1.0 ? __builtin_nan("") : 0.0);
}

/* Below 1/64 the series, which leaves out x^6/7 of x. */
INLINE double atanh64(double x) {
    const double t = x * x, small = x * (1.0 + t * (1.0 / 3.0 + t * (1.0 / 5.0)));
    return magnitude64(x) < 0x1p-6 ? small : 0.5 * log64((1.0 + x) / (1.0 - x));
}

#endif
