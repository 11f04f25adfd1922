// SPDX-License-Identifier: Apache-2.0
//
// southbridge.hpp - southbridge.h in C++17: a device, a kernel and a program are classes, a failure is an exception, a handle is a unique_ptr until the
// host owns it. Nothing here is needed by the host: change what you like.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "southbridge.h"

namespace southbridge {

/// Why a call fails. The host shows the text to a person.
struct Failure : std::runtime_error {
    Failure(int32_t code, const std::string &text) : std::runtime_error(text), code(code) {}
    int32_t code; // SB_ERROR_*
};

template <size_t N> constexpr sb_string text(const char (&literal)[N]) { return {literal, N - 1}; }
inline bool same(sb_string string, const char *other) { return std::string(string.data, string.length) == other; }

/// Runs a body for the host: nothing is thrown across the interface [SB-ABI-008].
template <class Body> int32_t guarded(sb_error *error, Body body) noexcept {
    try {
        body();
        return SB_OK;
    } catch (const Failure &failure) {
        return sb_fail(error, failure.code, failure.what());
    } catch (const std::bad_alloc &) {
        return sb_fail(error, SB_ERROR_OUT_OF_MEMORY, "the host has no memory left");
    } catch (const std::exception &failure) {
        return sb_fail(error, SB_ERROR_INTERNAL, failure.what());
    }
}

/// The group "driver" of a class
///     struct Device { struct Buffer; explicit Device(uint32_t index); static const sb_hardware &describe(uint32_t index);
///                     std::unique_ptr<Buffer> allocate(uint32_t space, uint64_t bytes, uint64_t alignment);
///                     void copy(sb_stream *stream, sb_location destination, sb_location source, uint64_t bytes); };
/// whose members throw Failure, and are called from any thread.
template <class Device> struct Driver {
    using Buffer = typename Device::Buffer;
    static Device &device(sb_device *handle) { return *reinterpret_cast<Device *>(handle); }
    static Buffer *buffer(sb_buffer *handle) { return reinterpret_cast<Buffer *>(handle); }

    static int32_t open(sb_instance *, uint32_t index, sb_device **handle, sb_error *error) {
        return guarded(error, [&] { *handle = reinterpret_cast<sb_device *>(new Device(index)); });
    }
    static void close(sb_device *handle) { delete &device(handle); }
    static int32_t describe(sb_instance *, uint32_t index, const sb_hardware **hardware, sb_error *error) {
        return guarded(error, [&] { *hardware = &Device::describe(index); });
    }
    static int32_t allocate(sb_device *handle, uint32_t space, uint64_t bytes, uint64_t alignment, sb_buffer **made, sb_error *error) {
        return guarded(error, [&] { *made = reinterpret_cast<sb_buffer *>(device(handle).allocate(space, bytes, alignment).release()); });
    }
    static void free(sb_device *, sb_buffer *handle) { delete buffer(handle); }
    static int32_t copy(sb_device *handle, sb_stream *stream, sb_location destination, sb_location source, uint64_t bytes, sb_error *error) {
        return guarded(error, [&] { device(handle).copy(stream, destination, source, bytes); });
    }
    /// A member that stays NULL has a default in the header. Add what you offer.
    static constexpr sb_driver table() {
        sb_driver table{};
        table.size = sizeof table;
        table.open = open, table.close = close, table.describe = describe;
        table.allocate = allocate, table.free = free, table.copy = copy;
        return table;
    }
};
// @if kernel

/// A row of the operator library, and what stands behind it. Both functions throw Failure; `support` says no by Failure{SB_REASON_*, why}.
template <class Device> struct Kernel {
    const char *name, *operator_name;
    uint32_t since;
    uint64_t data_types;
    uint32_t flags;
    void (*support)(const sb_node &node, sb_support &answer);
    void (*launch)(Device &device, const sb_launch &launch);
};

/// The group "operators" of a list of kernels, which stays as it is.
template <class Device> class Operators {
  public:
    explicit Operators(const std::vector<Kernel<Device>> &kernels) {
        for (const auto &kernel : kernels) {
            sb_kernel row{};
            row.size = sizeof row;
            row.name = {kernel.name, std::char_traits<char>::length(kernel.name)};
            row.operator_name = {kernel.operator_name, std::char_traits<char>::length(kernel.operator_name)};
            row.since = kernel.since, row.data_types = kernel.data_types, row.flags = kernel.flags;
            row.context = &kernel;
            rows_.push_back(row);
        }
        for (const auto &row : rows_) pointers_.push_back(&row);
        table.size = sizeof table;
        table.kernels = pointers_.data(), table.kernel_count = pointers_.size();
        table.support = support, table.launch = launch;
    }
    sb_operators table{};

  private:
    static const Kernel<Device> &kernel(const sb_node &node) { return *static_cast<const Kernel<Device> *>(node.kernel->context); }
    static int32_t support(sb_instance *, sb_device *, const sb_node *const *nodes, size_t count, sb_support *const *answers, sb_error *error) {
        return guarded(error, [&] {
            for (size_t i = 0; i < count; ++i) {
                try {
                    kernel(*nodes[i]).support(*nodes[i], *answers[i]);
                    answers[i]->supported = 1;
                } catch (const Failure &refusal) {
                    answers[i]->reason = static_cast<uint32_t>(refusal.code);
                    sb_error text{};
                    text.message = answers[i]->message, text.capacity = answers[i]->capacity;
                    sb_fail(&text, SB_ERROR_UNSUPPORTED, refusal.what());
                }
            }
        });
    }
    static int32_t launch(const sb_launch *launch, sb_error *error) {
        return guarded(error, [&] { kernel(*launch->node).launch(Driver<Device>::device(launch->device), *launch); });
    }
    std::vector<sb_kernel> rows_;
    std::vector<const sb_kernel *> pointers_;
};
// @end
// @if graph

/// The group "graphs" of a class
///     struct Program { static void claim(const sb_graph &graph, uint32_t *groups); explicit Program(const sb_graph &graph);
///                      void execute(Device &device, const sb_execution &execution) const; };
/// whose members throw Failure; a program serves executions from several threads at once.
template <class Device, class Program> struct Graphs {
    static int32_t claim(sb_instance *, sb_device *, const sb_graph *graph, uint32_t *groups, sb_error *error) {
        return guarded(error, [&] { Program::claim(*graph, groups); });
    }
    static int32_t compile(sb_instance *, sb_device *, const sb_graph *graph, sb_program **program, sb_error *error) {
        return guarded(error, [&] { *program = reinterpret_cast<sb_program *>(new Program(*graph)); });
    }
    static int32_t execute(const sb_execution *execution, sb_error *error) {
        return guarded(error, [&] {
            reinterpret_cast<const Program *>(execution->program)->execute(Driver<Device>::device(execution->device), *execution);
        });
    }
    static void release(sb_program *program) { delete reinterpret_cast<Program *>(program); }
    static constexpr sb_graphs table() {
        sb_graphs table{};
        table.size = sizeof table;
        table.claim = claim, table.compile = compile, table.execute = execute, table.release = release;
        return table;
    }
};
// @end

} // namespace southbridge
