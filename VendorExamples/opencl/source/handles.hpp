// SPDX-License-Identifier: Apache-2.0
//
// OpenCL objects that release themselves.
#pragma once

#include <CL/cl.h>

#include <utility>

template <typename Object, cl_int(CL_API_CALL *release)(Object)> class Handle {
  public:
    Handle() = default;
    explicit Handle(Object object) : object(object) {}
    Handle(Handle &&other) noexcept : object(std::exchange(other.object, nullptr)) {}
    Handle &operator=(Handle &&other) noexcept {
        std::swap(object, other.object);
        return *this;
    }
    ~Handle() {
        if (object) release(object);
    }
    Object get() const { return object; }
    explicit operator bool() const { return object != nullptr; }
    // Where an OpenCL function puts a new object; what was held before is released.
    Object *out() {
        *this = Handle();
        return &object;
    }

  private:
    Object object = nullptr;
};

using Context = Handle<cl_context, clReleaseContext>;
using Queue = Handle<cl_command_queue, clReleaseCommandQueue>;
using Memory = Handle<cl_mem, clReleaseMemObject>;
using Program = Handle<cl_program, clReleaseProgram>;
using Kernel = Handle<cl_kernel, clReleaseKernel>;
using Event = Handle<cl_event, clReleaseEvent>;
