// SPDX-License-Identifier: Apache-2.0
//
// One kernel for all elementwise operators. Before it stand PARAMETERS, LOADS, START, PLACES and EXPRESSION, written for the operator and its operands;
// C is the type that the first input is computed with.
#pragma OPENCL FP_CONTRACT OFF

typedef struct {
    uint count, rank, sizes[RANK];
    uint strides[INPUTS][RANK];
} walk_t;

// NaN stays, on either side.
C larger(C a, C b) {
    return a > b || a != a ? a : b;
}
C smaller(C a, C b) {
    return a < b || a != a ? a : b;
}

// Towards zero in float32, with the last bit set where something was lost.
float to_odd(C x) {
    const float near = convert_float_rtz(x);
    return (C)near == x || x != x ? near : as_float(as_uint(near) | 1);
}

#if T0_FLOAT
// exp(-|x|) does not overflow, and small results keep their precision.
C sigmoid(C x) {
    const C small = exp(-fabs(x));
    return x < 0 ? small / (1 + small) : 1 / (1 + small);
}
C softplus(C x) {
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}
C between(C x, C low, C high) {
    return x < low ? low : x > high ? high : x;
}
#else
// Nothing traps: what is divided by zero gives zero, and the smallest number divided by -1 wraps.
#define IS_SIGNED ((C)-1 < (C)1)
C quotient(C a, C b) {
    return b == 0 ? 0 : IS_SIGNED && b == (C)-1 ? (C)(0 - a) : (C)(a / b);
}
C truncated_remainder(C a, C b) {
    return b == 0 || (IS_SIGNED && b == (C)-1) ? 0 : (C)(a % b);
}
C floored_remainder(C a, C b) {
    const C rest = truncated_remainder(a, b);
    return IS_SIGNED && rest != 0 && (rest < 0) != (b < 0) ? (C)(rest + b) : rest;
}
#endif

__kernel void elementwise(__global int *fault, PARAMETERS __global Y *y, ulong offset, walk_t walk, float4 numbers) {
    const uint i = get_global_id(0);
    if (i >= walk.count || *fault) return;
    START
#if IS_FLAT
    PLACES
#else
    uint rest = i;
    for (uint axis = walk.rank; axis-- > 0;) {
        const uint next = rest / walk.sizes[axis], place = rest - next * walk.sizes[axis];
        rest = next;
        PLACES
    }
#endif
    LOADS
    Y_STORE(y + offset, i, (EXPRESSION));
}
