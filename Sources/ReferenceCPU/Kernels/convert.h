/* SPDX-License-Identifier: Apache-2.0
 *
 * The floats of 16 bits, one element at a time.
 */
#ifndef REFERENCE_CPU_CONVERT_H
#define REFERENCE_CPU_CONVERT_H

#include "vector_math.h"

typedef _Float16 float16_u UNALIGNED;

INLINE float widen_bfloat16(uint16_t x) {
    return bits_float((int32_t)((uint32_t)x << 16));
}

/* To nearest, ties to even; a NaN stays one, and quiet. */
INLINE uint16_t narrow_bfloat16(float x) {
    const uint32_t bits = (uint32_t)float_bits(x);
    const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16, quiet = (bits >> 16) | 0x40u;
    return (uint16_t)(x != x ? quiet : rounded);
}

/*
 * Float64 to float32, rounded to odd: towards zero, and the last bit set if anything was lost. Rounded once more, to 11 or 8 bits, the result is what one rounding
 * gives: no inexact value looks like a tie.
 */
INLINE float to_odd_float(double x) {
    const float nearest = (float)x;
    const double back = (double)nearest;
    const int32_t bits = float_bits(nearest);
    /* Towards zero first: one step back where rounding went away from zero, also from infinity. */
    const int32_t away = __builtin_fabs(back) > __builtin_fabs(x), inexact = back != x && x == x;
    return bits_float((bits - away) | inexact);
}

#endif
