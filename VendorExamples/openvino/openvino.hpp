// SPDX-License-Identifier: Apache-2.0
//
// OpenVINO's C interface with owners, and its failures as exceptions that know a Southbridge code.
#ifndef OPENVINO_PLUGIN_OPENVINO_HPP
#define OPENVINO_PLUGIN_OPENVINO_HPP

#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include <openvino/c/openvino.h>

#include "southbridge.h"

/// What a function of the header returns instead of SB_OK.
struct Failure : std::runtime_error {
    int32_t code;
    Failure(int32_t code, const std::string &message) : std::runtime_error(message), code(code) {}
};

/// Runs `body`; what it throws becomes a status and a message, for nothing may be thrown across the interface (SB-ABI-008).
template <typename Body> int32_t guarded(sb_error *error, Body body) {
    try {
        body();
        return SB_OK;
    } catch (const Failure &failure) {
        return sb_fail(error, failure.code, failure.what());
    } catch (const std::bad_alloc &) {
        return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "the host is out of memory");
    } catch (const std::exception &other) {
        return sb_fail(error, SB_ERROR_INTERNAL, other.what());
    } catch (...) {
        return sb_fail(error, SB_ERROR_INTERNAL, "an unknown exception");
    }
}

/// Throws unless OpenVINO has succeeded. Its own message has many lines, of which the last that says something is the cause.
inline void check(ov_status_e status, const char *doing, int32_t code = SB_ERROR_INTERNAL) {
    if (status == OK) return;
    std::unique_ptr<const char, void (*)(const char *)> text(ov_get_last_err_msg(), ov_free);
    std::string detail = text ? text.get() : "";
    while (!detail.empty() && (detail.back() == '\n' || detail.back() == ' ')) detail.pop_back();
    const auto line = detail.find_last_of('\n');
    if (line != std::string::npos) detail.erase(0, line + 1);
    if (detail.empty()) detail = ov_get_error_info(status);
    throw Failure(code, std::string("OpenVINO cannot ") + doing + ": " + detail);
}

template <typename Handle, void (*release)(Handle *)> struct Releasing {
    void operator()(Handle *handle) const { release(handle); }
};
template <typename Handle, void (*release)(Handle *)> using Owner = std::unique_ptr<Handle, Releasing<Handle, release>>;

using Core = Owner<ov_core_t, ov_core_free>;
using Model = Owner<ov_model_t, ov_model_free>;
using CompiledModel = Owner<ov_compiled_model_t, ov_compiled_model_free>;
using Request = Owner<ov_infer_request_t, ov_infer_request_free>;
using Tensor = Owner<ov_tensor_t, ov_tensor_free>;
using Port = Owner<ov_output_const_port_t, ov_output_const_port_free>;

/// OpenVINO's element type for one of the header's; DYNAMIC if this plugin does not hand it over.
inline ov_element_type_e elementType(uint32_t type) {
    switch (type) {
    case SB_TYPE_FLOAT32:
        return F32;
    case SB_TYPE_FLOAT16:
        return F16;
    case SB_TYPE_BOOL:
        return BOOLEAN;
    case SB_TYPE_INT8:
        return I8;
    case SB_TYPE_UINT8:
        return U8;
    case SB_TYPE_INT32:
        return I32;
    case SB_TYPE_INT64:
        return I64;
    default:
        return DYNAMIC;
    }
}

inline std::string text(sb_string string) {
    return std::string(string.data ? string.data : "", string.length);
}

#endif
