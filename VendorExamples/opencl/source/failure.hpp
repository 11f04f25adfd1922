// SPDX-License-Identifier: Apache-2.0
//
// What goes wrong inside the plugin travels as an exception, and becomes a status and a sentence at the plugin's edge.
#pragma once

#include <CL/cl.h>

#include <cstdint>
#include <new>
#include <string>

#include "southbridge.h"

// A call that fails.
struct Failure {
    int32_t code;
    std::string message;
    uint64_t correlation = 0;
};

// A node that is not taken, and why.
struct Refusal {
    uint32_t reason;
    std::string message;
};

// A value that a plan needs is not known yet.
struct Unknown {};

inline int32_t report(sb_error *error, const Failure &failure) {
    if (error) error->correlation = failure.correlation;
    return sb_fail(error, failure.code, failure.message.c_str());
}

// Runs the body of a function of the header; nothing leaves it but a status.
template <typename Body> int32_t guarded(sb_error *error, Body body) noexcept {
    try {
        body();
        return SB_OK;
    } catch (const Failure &failure) {
        return report(error, failure);
    } catch (const Refusal &refusal) {
        return sb_fail(error, SB_ERROR_UNSUPPORTED, refusal.message.c_str());
    } catch (const Unknown &) {
        return sb_fail(error, SB_ERROR_UNSUPPORTED, "an input that says how to compute is not on the host");
    } catch (const std::bad_alloc &) {
        return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "the host has no memory left");
    } catch (const std::exception &exception) {
        return sb_fail(error, SB_ERROR_INTERNAL, exception.what());
    } catch (...) {
        return sb_fail(error, SB_ERROR_INTERNAL, "something unknown went wrong in the plugin");
    }
}

// Throws if an OpenCL call did not succeed.
inline void check(cl_int status, const char *doing) {
    if (status == CL_SUCCESS) return;
    bool full = status == CL_MEM_OBJECT_ALLOCATION_FAILURE || status == CL_OUT_OF_RESOURCES || status == CL_OUT_OF_HOST_MEMORY ||
                status == CL_INVALID_BUFFER_SIZE;
    throw Failure{full ? SB_ERROR_OUT_OF_MEMORY : SB_ERROR_INTERNAL,
                  std::string(doing) + " failed: OpenCL error " + std::to_string(status)};
}
