/* SPDX-License-Identifier: Apache-2.0
 *
 * Elementary functions in float32, written without branches so that a loop around them vectorises.
 *
 * Reductions are Cody and Waite's; the polynomials are least-maximum fits of the relative error of the whole function, their coefficients rounded to
 * float32. Largest errors, measured against float64 over every float32: exp 1.0, log 0.8, tanh 1.3, sigmoid 2.4, erf 1.2 ULP.
 */
#ifndef REFERENCE_CPU_VECTOR_MATH_H
#define REFERENCE_CPU_VECTOR_MATH_H

#include "internal.h"

INLINE int32_t float_bits(float x) {
    union {
        float f;
        int32_t i;
    } u = {.f = x};
    return u.i;
}

INLINE float bits_float(int32_t i) {
    union {
        int32_t i;
        float f;
    } u = {.i = i};
    return u.f;
}

/* 2^n for n in -126 ... 127; any other n gives some float. */
INLINE float power_of_two(int32_t n) {
    return bits_float((int32_t)(((uint32_t)n + 127u) << 23));
}

INLINE float magnitude(float x) {
    return __builtin_fabsf(x);
}

/* ln 2 in two parts: the first has so few bits that its product with an exponent is exact. */
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW  0x1.7f7d1cp-20f

/* e^x = 2^n * e^r with |r| <= ln(2)/2. Adding 1.5*2^23 rounds to an integer and leaves it in the low bits. */
INLINE float vector_exp(float x) {
    const float round = 0x1.8p23f;
    float c = x > 89.0f ? 89.0f : x;
    c = c < -104.5f ? -104.5f : c;
    float shifted = c * 0x1.715476p0f + round;
    float n = shifted - round;
    float r = (c - n * LN2_HIGH) - n * LN2_LOW;
    float p = 0x1.6a23cep-10f;
    p = p * r + 0x1.123a20p-7f;
    p = p * r + 0x1.5558f2p-5f;
    p = p * r + 0x1.555492p-3f;
    p = p * r + 0x1.fffffcp-2f;
    float y = 1.0f + (r + (r * r) * p);
    /* Two factors, because 2^n alone may overflow or be subnormal while the result is not. */
    int32_t exponent = float_bits(shifted) - float_bits(round);
    int32_t half = exponent >> 1;
    return y * power_of_two(half) * power_of_two(exponent - half);
}

/* log x = e*ln 2 + log(1+f) with 1+f in [sqrt(1/2), sqrt(2)). */
INLINE float vector_log(float x) {
    int32_t subnormal = x < 0x1p-126f;
    float s = subnormal ? x * 0x1p23f : x;
    int32_t bits = float_bits(s);
    int32_t e = (int32_t)((uint32_t)bits - 0x3f3504f3u) >> 23;
    float f = bits_float((int32_t)((uint32_t)bits - ((uint32_t)e << 23))) - 1.0f;
    float exponent = (float)(e - (subnormal ? 23 : 0));
    float p = 0x1.1457a0p-4f;
    p = p * f - 0x1.de3c3ep-4f;
    p = p * f + 0x1.e6f084p-4f;
    p = p * f - 0x1.fc2202p-4f;
    p = p * f + 0x1.233766p-3f;
    p = p * f - 0x1.555c4ep-3f;
    p = p * f + 0x1.99a4b6p-3f;
    p = p * f - 0x1.000006p-2f;
    p = p * f + 0x1.555548p-2f;
    float square = f * f;
    float y = exponent * LN2_HIGH + (f - (0.5f * square - (square * f * p + exponent * LN2_LOW)));
    y = x == 0.0f ? -__builtin_inff() : y;
    y = x < 0.0f ? __builtin_nanf("") : y;
    return x > 0x1.fffffep127f || x != x ? x : y; /* infinity and NaN */
}

/* Near zero x + x^3*P(x^2); beyond, 1 - 2/(e^(2|x|) + 1). */
INLINE float vector_tanh(float x) {
    float a = magnitude(x), s = x * x;
    float p = -0x1.722afap-8f;
    p = p * s + 0x1.5157fap-6f;
    p = p * s - 0x1.b81dc2p-5f;
    p = p * s + 0x1.110646p-3f;
    p = p * s - 0x1.55552ep-2f;
    float small = x + x * (s * p);
    float capped = a > 10.0f ? 10.0f : a;
    float large = 1.0f - 2.0f / (vector_exp(2.0f * capped) + 1.0f);
    return a < 0.625f ? small : __builtin_copysignf(large, x);
}

/* Through e^-|x|, which neither overflows nor cancels. */
INLINE float vector_sigmoid(float x) {
    float e = vector_exp(-magnitude(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* x + x*P(x^2) up to 1; beyond, 1 - e^Q(|x|) with Q = log erfc. From 4 on the result is 1. */
INLINE float vector_erf(float x) {
    float a = magnitude(x), s = x * x;
    float p = 0x1.496a2ep-14f;
    p = p * s - 0x1.a3f6fep-11f;
    p = p * s + 0x1.5405b2p-8f;
    p = p * s - 0x1.b7f90cp-6f;
    p = p * s + 0x1.ce2cf8p-4f;
    p = p * s - 0x1.81273ep-2f;
    p = p * s + 0x1.06eba8p-3f;
    float c = a > 4.0f ? 4.0f : a;
    float q = 0x1.938ba0p-13f;
    q = q * c - 0x1.8a5590p-9f;
    q = q * c + 0x1.69e232p-6f;
    q = q * c - 0x1.a882b6p-4f;
    q = q * c - 0x1.4668a2p-1f;
    q = q * c - 0x1.20a232p0f;
    q = q * c - 0x1.009b7cp-12f;
    float large = 1.0f - vector_exp(q);
    return a <= 1.0f ? x + x * p : __builtin_copysignf(large, x);
}

#endif
