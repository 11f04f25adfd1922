// SPDX-License-Identifier: Apache-2.0
//
// What all kernels share. An element type T comes as five symbols: T, how it lies in memory; T_COMPUTE, what it is computed with; T_LOAD and T_STORE,
// how the one becomes the other; T_FLOAT, whether it is a floating-point type.
#ifdef FLOAT64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

#define RANK 8

typedef ushort bfloat16;

#define load_plain(p, i)            ((p)[i])
#define store_plain(p, i, value)    ((p)[i] = (value))
#define load_half(p, i)             vload_half((i), (p))
#define store_half(p, i, value)     vstore_half_rte((value), (i), (p))
#define load_bfloat16(p, i)         as_float((uint)(p)[i] << 16)
#define store_bfloat16(p, i, value) ((p)[i] = to_bfloat16(value))

// To nearest, ties to even.
bfloat16 to_bfloat16(float value) {
    uint bits = as_uint(value);
    if (isnan(value)) return (bfloat16)(bits >> 16 | 0x40);
    return (bfloat16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// The first kernel that meets a bad index leaves the number of its launch.
void report(__global int *fault, uint correlation_low, uint correlation_high) {
    if (atomic_cmpxchg(fault, 0, 1) == 0) {
        fault[1] = (int)correlation_low;
        fault[2] = (int)correlation_high;
    }
}
