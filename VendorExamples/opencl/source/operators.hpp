// SPDX-License-Identifier: Apache-2.0
//
// The kernels on offer, a list per family.
#pragma once

#include <string>
#include <vector>

#include "plan.hpp"

constexpr uint64_t bits(std::initializer_list<uint32_t> types) {
    uint64_t all = 0;
    for (uint32_t type : types) all |= SB_TYPE_BIT(type);
    return all;
}

constexpr uint64_t short_floats = bits({SB_TYPE_FLOAT16, SB_TYPE_BFLOAT16});
constexpr uint64_t long_floats = bits({SB_TYPE_FLOAT32, SB_TYPE_FLOAT64});
constexpr uint64_t floats = short_floats | long_floats;
constexpr uint64_t signed_integers = bits({SB_TYPE_INT8, SB_TYPE_INT16, SB_TYPE_INT32, SB_TYPE_INT64});
constexpr uint64_t unsigned_integers = bits({SB_TYPE_UINT8, SB_TYPE_UINT16, SB_TYPE_UINT32, SB_TYPE_UINT64});
constexpr uint64_t integers = signed_integers | unsigned_integers;
constexpr uint64_t wide_integers = bits({SB_TYPE_INT32, SB_TYPE_INT64, SB_TYPE_UINT32, SB_TYPE_UINT64});
constexpr uint64_t numbers = floats | integers;
constexpr uint64_t boolean = bits({SB_TYPE_BOOL});
// Whatever has whole bytes: what only moves does not ask what it is.
constexpr uint64_t movable = numbers | boolean |
                             bits({SB_TYPE_COMPLEX64, SB_TYPE_COMPLEX128, SB_TYPE_FLOAT8_E4M3FN, SB_TYPE_FLOAT8_E4M3FNUZ,
                                   SB_TYPE_FLOAT8_E5M2, SB_TYPE_FLOAT8_E5M2FNUZ, SB_TYPE_FLOAT8_E8M0});

struct Offer {
    const char *operator_name;
    uint32_t since, until; // until 0: no limit
    uint64_t types;
    Planner planner;
    const void *context = nullptr;
    double function_error = 0; // ULP of the type that it is computed in: float32 or float64
    uint32_t flags = 0;        // beside SB_KERNEL_FLAG_DETERMINISTIC
    uint64_t host_inputs = 0;
};

std::vector<Offer> elementwise_offers();
std::vector<Offer> cast_offers();
std::vector<Offer> movement_offers();
std::vector<Offer> gather_offers();
std::vector<Offer> product_offers();
std::vector<Offer> convolution_offers();
std::vector<Offer> pooling_offers();
std::vector<Offer> reduction_offers();
std::vector<Offer> normalization_offers();
