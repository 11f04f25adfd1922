// SPDX-License-Identifier: Apache-2.0
//
// Failures and refusals as exceptions, which nothing lets across the interface (SB-ABI-008).
#ifndef ONEDNN_PLUGIN_FAILURE_HPP
#define ONEDNN_PLUGIN_FAILURE_HPP

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>

#include <dnnl.hpp>

#include "southbridge.h"

/// What a function of the header returns instead of SB_OK.
struct Failure : std::runtime_error {
    int32_t code;
    Failure(int32_t code, const std::string &message) : std::runtime_error(message), code(code) {}
};

/// Why a node is not taken; `reason` is SB_REASON_*.
struct Refusal : std::runtime_error {
    uint32_t reason;
    Refusal(uint32_t reason, const std::string &message) : std::runtime_error(message), reason(reason) {}
};

/// Runs `body`; what it throws becomes a status and a message.
template <typename Body> int32_t guarded(sb_error *error, Body body) {
    try {
        body();
        return SB_OK;
    } catch (const Failure &failure) {
        return sb_fail(error, failure.code, failure.what());
    } catch (const Refusal &refusal) {
        return sb_fail(error, SB_ERROR_UNSUPPORTED, refusal.what());
    } catch (const dnnl::error &failure) {
        const int32_t code = failure.status == dnnl_out_of_memory ? SB_ERROR_OUT_OF_MEMORY : SB_ERROR_INTERNAL;
        return sb_fail(error, code, failure.what());
    } catch (const std::bad_alloc &) {
        return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "the host is out of memory");
    } catch (const std::exception &other) {
        return sb_fail(error, SB_ERROR_INTERNAL, other.what());
    } catch (...) {
        return sb_fail(error, SB_ERROR_INTERNAL, "an unknown exception");
    }
}

#endif
