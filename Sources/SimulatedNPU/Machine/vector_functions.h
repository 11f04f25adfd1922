/* SPDX-License-Identifier: Apache-2.0
 *
 * Elementary functions of float32 operands, evaluated in float64 by series and one fit, without the C library, and mostly without branches so that loops vectorise.
 * Relative errors before the rounding to float32 are below 2^-33.
 */
#ifndef NPU_VECTOR_FUNCTIONS_H
#define NPU_VECTOR_FUNCTIONS_H

#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t double_bits(double x) {
    union {
        double f;
        uint64_t i;
    } u = {.f = x};
    return u.i;
}

INLINE double bits_double(uint64_t i) {
    union {
        uint64_t i;
        double f;
    } u = {.i = i};
    return u.f;
}

INLINE double magnitude(double x) {
    return __builtin_fabs(x);
}

INLINE double with_sign(double x, double sign) {
    return __builtin_copysign(x, sign);
}

#define LN2 0x1.62e42fefa39efp-1

/* x = n*ln 2 + r: e^r - 1 by its Taylor series (|r| <= ln(2)/2), 2^n through the exponent's bits. What float32 cannot hold is cut off at +-200. */
typedef struct exponential {
    double power, rest;
} exponential;

INLINE exponential exponential_parts(double x) {
    const double round = 0x1.8p52;
    double c = x > 200.0 ? 200.0 : x;
    c = c < -200.0 ? -200.0 : c;
    const double shifted = c * 0x1.71547652b82fep+0 + round;
    const double r = c - (shifted - round) * LN2;
    double p = 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    return (exponential){bits_double((double_bits(shifted) << 52) + 0x3ff0000000000000u), p * r};
}

INLINE double wide_exp(double x) {
    const exponential e = exponential_parts(x);
    return e.power * (1.0 + e.rest);
}

INLINE double wide_expm1(double x) {
    const exponential e = exponential_parts(x);
    return with_sign(e.power * e.rest + (e.power - 1.0), x);
}

/* 2*atanh(numerator/denominator) for a quotient below 0.18. */
INLINE double log_series(double numerator, double denominator) {
    const double s = numerator / denominator, q = s * s;
    double p = 1.0 / 19;
    p = p * q + 1.0 / 17;
    p = p * q + 1.0 / 15;
    p = p * q + 1.0 / 13;
    p = p * q + 1.0 / 11;
    p = p * q + 1.0 / 9;
    p = p * q + 1.0 / 7;
    p = p * q + 1.0 / 5;
    p = p * q + 1.0 / 3;
    return 2.0 * (s + s * q * p);
}

/* x = 2^e * m with m in [sqrt(1/2), sqrt(2)): log x = e*ln 2 + 2*atanh((m-1)/(m+1)). */
INLINE double wide_log(double x) {
    const int64_t e = (int64_t)(double_bits(x) - 0x3fe6a09e667f3bcdu) >> 52;
    const double m = bits_double(double_bits(x) - ((uint64_t)e << 52));
    double y = (double)(int32_t)e * LN2 + log_series(m - 1.0, m + 1.0);
    y = x == 0.0 ? -__builtin_inf() : y;
    y = x < 0.0 ? __builtin_nan("") : y;
    return x > 0x1.fffffffffffffp1023 || x != x ? x : y;
}

/* log(1 + x). */
INLINE double wide_log1p(double x) {
    const double near = log_series(x, 2.0 + x), far = wide_log(1.0 + x);
    return x > -0.25 && x < 0.4 ? near : far;
}

INLINE double wide_tanh(double x) {
    const double e = wide_expm1(2.0 * magnitude(x));
    return with_sign(e / (e + 2.0), x);
}

INLINE double wide_sinh(double x) {
    const double e = wide_expm1(magnitude(x));
    return with_sign(0.5 * (e + e / (e + 1.0)), x);
}

INLINE double wide_cosh(double x) {
    const double e = wide_exp(magnitude(x));
    return 0.5 * (e + 1.0 / e);
}

/* Zero where exp(-x) is beyond float64. */
INLINE double wide_sigmoid(double x) {
    const double y = 1.0 / (1.0 + wide_exp(-x));
    return x < -0x1.62e42fefa39efp+9 ? 0.0 : y;
}

INLINE double wide_softplus(double x) {
    return (x < 0.0 ? 0.0 : x) + wide_log1p(wide_exp(-magnitude(x)));
}

INLINE double wide_asinh(double x) {
    const double a = magnitude(x), s = a * a;
    return a < 0x1p200 ? with_sign(wide_log1p(a + s / (1.0 + __builtin_sqrt(1.0 + s))), x) : x;
}

INLINE double wide_acosh(double x) {
    const double t = x - 1.0;
    return x < 1.0 ? __builtin_nan("") : wide_log1p(t + __builtin_sqrt(t * (2.0 + t)));
}

INLINE double wide_atanh(double x) {
    const double a = magnitude(x);
    return with_sign(0.5 * wide_log1p(2.0 * a / (1.0 - a)), x);
}

/* The series of atan, of at most tan(pi/8): from above by atan x = pi/2 - atan(1/x), then atan x = pi/4 + atan((x-1)/(x+1)). */
INLINE double wide_atan(double x) {
    const double a = magnitude(x);
    const double b = a > 1.0 ? 1.0 / a : a;
    const double t = b > 0x1.a827999fcef32p-2 ? (b - 1.0) / (b + 1.0) : b, q = t * t;
    double p = 0.0;
    for (int k = 16; k >= 1; --k) p = p * q + (k % 2 ? -1.0 : 1.0) / (2 * k + 1);
    double y = t + t * (q * p);
    y = b > 0x1.a827999fcef32p-2 ? 0x1.921fb54442d18p-1 + y : y;
    return with_sign(a > 1.0 ? 0x1.921fb54442d18p+0 - y : y, x);
}

INLINE double wide_asin(double x) {
    return wide_atan(x / __builtin_sqrt((1.0 - x) * (1.0 + x)));
}

INLINE double wide_acos(double x) {
    return 2.0 * wide_atan(__builtin_sqrt((1.0 - x) / (1.0 + x)));
}

/* Up to 1 the Taylor series; beyond, 1 - exp(-x^2) * (a fit of exp(x^2)*erfc(x) on [1, 4], off by 2^-34). From 4 on float32 has 1. */
INLINE double wide_erf(double x) {
    const double a = magnitude(x), q = a * a;
    double term = 0.0;
    static const double factorials[] = {1.0,    1.0,     2.0,      6.0,       24.0,       120.0,       720.0,
                                        5040.0, 40320.0, 362880.0, 3628800.0, 39916800.0, 479001600.0, 6227020800.0};
    for (int n = 13; n >= 0; --n) term = term * q + (n % 2 ? -1.0 : 1.0) / (factorials[n] * (2 * n + 1));
    const double small = 0x1.20dd750429b6dp+0 * a * term;
    const double c = a > 4.0 ? 4.0 : a, t = c - 2.5;
    double p = 0x1.9ddb2ed4dc99bp-28;
    p = p * t - 0x1.be18a771ea465p-26;
    p = p * t + 0x1.fb7c61b79aed3p-25;
    p = p * t - 0x1.fd128d8bacd16p-23;
    p = p * t + 0x1.272cf4b785f3ap-20;
    p = p * t - 0x1.1f1f831a4202fp-18;
    p = p * t + 0x1.0b9182c2e2f86p-16;
    p = p * t - 0x1.ed52760c8904ep-15;
    p = p * t + 0x1.ba8de1dbe4b77p-13;
    p = p * t - 0x1.80a0c9ea81888p-11;
    p = p * t + 0x1.435bf93618f2fp-9;
    p = p * t - 0x1.0631fa60e0c26p-7;
    p = p * t + 0x1.98958a91215d7p-6;
    p = p * t - 0x1.3086d8094e0efp-4;
    p = p * t + 0x1.afbb3f3b7343bp-3;
    const double large = 1.0 - wide_exp(-c * c) * p;
    return with_sign(a > 1.0 ? large : small, x);
}

/* |x|^y and the rules of IEEE 754 for signs, zeros and infinities. */
INLINE double wide_pow(double x, double y) {
    const double a = magnitude(x), size = magnitude(y);
    const int isWhole = size >= 0x1p53 || y == (double)(int64_t)(size < 0x1p53 ? y : 0.0);
    const int isOdd = isWhole && size < 0x1p53 && ((int64_t)y & 1);
    double r = wide_exp(y * wide_log(a));
    r = x < 0.0 && !isWhole && a <= 0x1.fffffffffffffp1023 ? __builtin_nan("") : r;
    r = isOdd ? with_sign(r, x) : r;
    r = x == -1.0 && size > 0x1.fffffffffffffp1023 ? 1.0 : r;
    return y == 0.0 || x == 1.0 ? 1.0 : r;
}

#endif
