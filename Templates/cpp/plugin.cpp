// SPDX-License-Identifier: Apache-2.0
//
// @NAME@: a plugin for Southbridge. It is complete: it builds, loads, passes the levels `load` and `driver` of the conformance suite, and runs @WORK@ on
// float32. Everything else of a model runs on the CPU until you offer it. The "chip" is host memory and a loop; REPLACE marks where yours comes in. Each
// [SB-...] is a sentence of southbridge.h, which is the whole specification: read its sections 1, 2 and 5 first.
#include "southbridge.hpp"

// @if graph
#include <cmath>
// @end
#include <cstring>

using southbridge::Failure;
using southbridge::text;

namespace {

struct Device {
    struct Buffer {
        std::unique_ptr<unsigned char, void (*)(void *)> memory; // REPLACE: a device address
        uint64_t bytes;
    };

    // A device may be opened several times; each opening is on its own [SB-DEV-003].
    explicit Device(uint32_t index) { describe(index); } // REPLACE: open your driver

    // What the chip is. Figures that are 0 are unknown; the stack derives placement and cost from those that are there [SB-HW-001].
    static const sb_hardware &describe(uint32_t index) {
        if (index != 0) throw Failure(SB_ERROR_INVALID_ARGUMENT, "there is one device, number 0");
        static const sb_memory_space memory = [] {
            sb_memory_space space{};
            space.size = sizeof space;
            space.name = text("memory");
            space.flags = SB_SPACE_FLAG_ALLOCATABLE; // REPLACE: | SB_SPACE_FLAG_HOST_VISIBLE if the host can address it; then offer `host_address`
            space.alignment = 64;                    // REPLACE: and capacity in bytes, bandwidth in bytes per second
            return space;
        }();
        static const sb_memory_space *const spaces[] = {&memory};
        static const sb_hardware hardware = [] {
            sb_hardware described{};
            described.size = sizeof described;
            described.id = text("@NAME@-0"); // REPLACE: a serial number or bus address, the same in every process [SB-HW-002]
            described.name = text("@NAME@");
            described.family = SB_FAMILY_PLACEHOLDER;
            described.spaces = spaces, described.space_count = 1;
            return described;
        }();
        return hardware;
    }

    // Called from any thread, also at once, like everything that takes a device [SB-THR-001].
    std::unique_ptr<Buffer> allocate(uint32_t space, uint64_t bytes, uint64_t alignment) {
        if (space != 0 || bytes == 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) // [SB-MEM-001, 004]
            throw Failure(SB_ERROR_INVALID_ARGUMENT, "memory is asked for in space 0, at least 1 byte, aligned to a power of two");
        if (alignment < 64) alignment = 64;
        // Sizes come from models, so rounding them up must not wrap around. REPLACE: your allocator.
        bool fits = alignment <= SIZE_MAX / 2 && bytes <= SIZE_MAX / 2 - alignment;
        void *memory = fits ? std::aligned_alloc(alignment, (bytes + alignment - 1) & ~(alignment - 1)) : nullptr;
        if (!memory) throw Failure(SB_ERROR_OUT_OF_MEMORY, "the device's memory is full"); // [SB-MEM-003]
        return std::unique_ptr<Buffer>(new Buffer{{static_cast<unsigned char *>(memory), std::free}, bytes});
    }

    // Any of the four directions, at any byte offset [SB-CPY-001]. Without the group "streams" `stream` is NULL: the copy is done on return.
    void copy(sb_stream *, sb_location destination, sb_location source, uint64_t bytes) {
        if (bytes == 0) return; // [SB-CPY-005]
        void *to = resolve(destination, bytes), *from = resolve(source, bytes);
        std::memcpy(to, from, bytes); // REPLACE: your copy engine
    }

    // Where a range of bytes begins; it must lie in its buffer [SB-CPY-007]. Written so that offset + bytes cannot wrap around.
    void *resolve(sb_location location, uint64_t bytes) const {
        const Buffer *buffer = southbridge::Driver<Device>::buffer(location.buffer);
        unsigned char *start = buffer ? buffer->memory.get() : static_cast<unsigned char *>(location.host);
        if (!start || (buffer && (location.offset > buffer->bytes || bytes > buffer->bytes - location.offset)))
            throw Failure(SB_ERROR_INVALID_ARGUMENT, "a range of memory reaches beyond its buffer");
        return start + location.offset;
    }
    float *floats(const sb_tensor &tensor, uint64_t count) const {
        return static_cast<float *>(resolve({tensor.buffer, tensor.host, tensor.offset}, count * sizeof(float)));
    }
};
// @if kernel

// Runs one node. Tensors are dense and row-major, because the kernel does not set SB_KERNEL_FLAG_STRIDED [SB-TEN-002].
void relu(Device &device, const sb_launch &launch) {
    const uint64_t count = sb_element_count(launch.inputs[0]);
    if (count == 0) return;
    const float *from = device.floats(*launch.inputs[0], count);
    float *to = device.floats(*launch.outputs[0], count);
    for (uint64_t i = 0; i < count; ++i) to[i] = from[i] < 0 ? 0 : from[i]; // REPLACE: start your kernel and wait; NaN stays NaN
}

// Asked about nodes that a row covers. A node that gets a yes must then run with any values [SB-OPS-004].
void any_node(const sb_node &, sb_support &) {}

const std::vector<southbridge::Kernel<Device>> kernels = {
    // name, operator as the ONNX standard calls it, operator-set version in which its meaning last changed, types, flags
    {"relu_float32", "Relu", 6, SB_TYPE_BIT(SB_TYPE_FLOAT32), SB_KERNEL_FLAG_IN_PLACE | SB_KERNEL_FLAG_DETERMINISTIC, any_node, relu},
};
// @end
// @if graph

// The compiler: one pass over memory of each chain of Relu, Neg and Abs.
class Program {
  public:
    // Equal numbers put nodes into one program [SB-GRA-004]: here what follows its only source directly. Such a group cannot be left and entered again.
    static void claim(const sb_graph &graph, uint32_t *groups) {
        for (size_t i = 0; i < graph.node_count; ++i) {
            const sb_node &node = *graph.nodes[i];
            if (step(node) < 0 || node.inputs[0]->host) continue; // constants are the host's to fold
            bool joins = i > 0 && groups[i - 1] && node.inputs[0] == graph.nodes[i - 1]->outputs[0] && use_count(graph, node.inputs[0]) == 1;
            groups[i] = joins ? groups[i - 1] : static_cast<uint32_t>(i) + 1;
        }
    }

    // Keeps nothing of the graph [SB-GRA-008]. It may also be asked about a graph that was never claimed [SB-GRA-007]. REPLACE: your compiler.
    explicit Program(const sb_graph &graph) {
        bool is_chain = graph.node_count > 0 && graph.input_count == 1 && graph.output_count == 1;
        const sb_tensor *source = is_chain ? graph.inputs[0] : nullptr;
        for (size_t i = 0; is_chain && i < graph.node_count; ++i) {
            const sb_node &node = *graph.nodes[i];
            is_chain = step(node) >= 0 && node.inputs[0] == source && use_count(graph, source) == 1;
            steps_.push_back(step(node));
            source = node.outputs[0];
        }
        if (!is_chain || source != graph.outputs[0]) throw Failure(SB_ERROR_UNSUPPORTED, "the graph is no chain of Relu, Neg and Abs on float32");
        count_ = sb_element_count(graph.inputs[0]);
    }

    // Called any number of times, also at once on several streams [SB-GRA-009].
    void execute(Device &device, const sb_execution &execution) const {
        if (count_ == 0) return;
        const float *from = device.floats(*execution.inputs[0], count_);
        float *to = device.floats(*execution.outputs[0], count_);
        for (uint64_t i = 0; i < count_; ++i) { // REPLACE: start your program and wait
            float value = from[i];
            for (int step : steps_) value = step == 0 ? (value < 0 ? 0 : value) : step == 1 ? -value : std::fabs(value);
            to[i] = value;
        }
    }

  private:
    // 0 Relu, 1 Neg, 2 Abs; -1: not ours.
    static int step(const sb_node &node) {
        static const char *const names[] = {"Relu", "Neg", "Abs"};
        for (int i = 0; i < 3; ++i) {
            if (node.domain.length == 0 && southbridge::same(node.operator_name, names[i]))
                return node.inputs[0]->data_type == SB_TYPE_FLOAT32 ? i : -1;
        }
        return -1;
    }

    // How often a value is wanted: by nodes, and outside the graph.
    static size_t use_count(const sb_graph &graph, const sb_tensor *value) {
        size_t uses = 0;
        for (size_t i = 0; i < graph.output_count; ++i) uses += graph.outputs[i] == value;
        for (size_t i = 0; i < graph.node_count; ++i)
            for (size_t k = 0; k < graph.nodes[i]->input_count; ++k) uses += graph.nodes[i]->inputs[k] == value;
        return uses;
    }

    std::vector<int> steps_;
    uint64_t count_ = 0;
};
// @end

const sb_plugin &plugin_table() {
    static const sb_driver driver = southbridge::Driver<Device>::table();
    // @if kernel
    static const southbridge::Operators<Device> operators(kernels);
    // @end
    // @if graph
    static const sb_graphs graphs = southbridge::Graphs<Device, Program>::table();
    // @end
    static const sb_group groups[] = {
        {text("driver"), 1, 0, &driver},
        // @if kernel
        {text("operators"), 1, 0, &operators.table},
        // @end
        // @if graph
        {text("graphs"), 1, 0, &graphs},
        // @end
    };
    static const sb_plugin plugin = [] {
        sb_plugin table{};
        table.size = sizeof table;
        table.version = SB_VERSION;
        table.name = text("@NAME@"), table.vendor = text("@VENDOR@"), table.plugin_version = text("0.1.0");
        table.groups = groups, table.group_count = sizeof groups / sizeof *groups;
        return table;
    }();
    return plugin;
}

} // namespace

// The one function that the library exports.
extern "C" SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    return southbridge::guarded(error, [&] {
        if (host->version >> 16 != SB_VERSION_MAJOR) throw Failure(SB_ERROR_UNSUPPORTED, "built for another major version of southbridge.h");
        *plugin = &plugin_table();
    });
}
