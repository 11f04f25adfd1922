// SPDX-License-Identifier: Apache-2.0
#include "program.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <unordered_set>

#include <sys/mman.h>
#include <unistd.h>

#include "groups.hpp"

namespace {

std::vector<Signature> signatures(const sb_tensor *const *tensors, size_t count) {
    std::vector<Signature> result;
    for (size_t i = 0; i < count; ++i) result.push_back({tensors[i]->data_type, {tensors[i]->shape, tensors[i]->shape + tensors[i]->rank}});
    return result;
}

ov_shape_t shape(const Signature &signature) {
    // `ov_shape_t` has no const; OpenVINO copies it.
    return {static_cast<int64_t>(signature.shape.size()), const_cast<int64_t *>(signature.shape.data())};
}

/// Where an element of a tensor lies in the host's memory.
void *address(const sb_tensor &tensor) {
    if (tensor.host) return tensor.host;
    if (!tensor.buffer) throw Failure(SB_ERROR_INVALID_ARGUMENT, "a tensor has neither a buffer nor an address");
    return tensor.buffer->memory + tensor.offset;
}

void verify(const Port &port, const Signature &expected) {
    ov_element_type_e type;
    check(ov_port_get_element_type(port.get(), &type), "tell an element type");
    ov_shape_t found{};
    check(ov_const_port_get_shape(port.get(), &found), "tell a shape");
    const bool isSame = type == elementType(expected.type) && found.rank == static_cast<int64_t>(expected.shape.size()) &&
                        std::memcmp(found.dims, expected.shape.data(), expected.shape.size() * sizeof(int64_t)) == 0;
    ov_shape_free(&found);
    if (!isSame) throw Failure(SB_ERROR_UNSUPPORTED, "OpenVINO finds another type or shape for an input or output");
}

/// The graph as ONNX bytes. A host since 0.4 leaves the constants where they are: this is the location by which OpenVINO's reader knows that an offset is an address of this
/// process. It copies them when it reads.
sb_string serialized(const sb_graph &graph, sb_error *error) {
    const bool leavesConstants =
        graph.size >= offsetof(sb_graph, serialize_external) + sizeof graph.serialize_external && graph.serialize_external;
    sb_string onnx{};
    const int32_t status = leavesConstants ? graph.serialize_external(&graph, SB_STRING("*/_ORT_MEM_ADDR_/*"), &onnx, error)
                                           : graph.serialize(&graph, &onnx, error);
    if (status != SB_OK) throw Failure(status, error && error->message ? error->message : "the host does not serialize the graph");
    return onnx;
}

/// Elements of the constants that products read as their second input.
uint64_t weightCount(const sb_graph &graph) {
    static const std::unordered_set<std::string_view> products = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
    std::unordered_set<const sb_tensor *> weights;
    for (size_t i = 0; i < graph.node_count; ++i) {
        const sb_node &node = *graph.nodes[i];
        if (products.count({node.operator_name.data, node.operator_name.length}) && node.input_count > 1 && node.inputs[1]->host)
            weights.insert(node.inputs[1]);
    }
    uint64_t count = 0;
    for (const sb_tensor *each : weights) count += sb_element_count(each);
    return count;
}

/// A file without a name: OpenVINO's C interface exports to a path only.
class MemoryFile {
    int descriptor;

  public:
    MemoryFile() : descriptor(memfd_create("openvino-blob", MFD_CLOEXEC)) {
        if (descriptor < 0) throw Failure(SB_ERROR_INTERNAL, std::string("no file for the blob: ") + std::strerror(errno));
    }
    MemoryFile(const MemoryFile &) = delete;
    ~MemoryFile() { close(descriptor); }

    std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor); }

    std::string contents() const {
        std::string result(static_cast<size_t>(lseek(descriptor, 0, SEEK_END)), '\0');
        size_t done = 0;
        while (done < result.size()) {
            const ssize_t count = pread(descriptor, &result[done], result.size() - done, static_cast<off_t>(done));
            if (count <= 0) throw Failure(SB_ERROR_INTERNAL, "the exported blob cannot be read back");
            done += static_cast<size_t>(count);
        }
        return result;
    }
};

} // namespace

void sb_program::hold(ov_compiled_model_t *compiled) {
    model.reset(compiled);
    char *name = nullptr;
    check(ov_compiled_model_get_property(compiled, ov_property_key_hint_inference_precision, &name), "tell a program's arithmetic");
    precision = name;
    ov_free(name);
}

void sb_program::verify() const {
    size_t inputCount = 0, outputCount = 0;
    check(ov_compiled_model_inputs_size(model.get(), &inputCount), "count the inputs");
    check(ov_compiled_model_outputs_size(model.get(), &outputCount), "count the outputs");
    if (inputCount != inputs.size() || outputCount != outputs.size())
        throw Failure(SB_ERROR_UNSUPPORTED, "OpenVINO finds another number of inputs or outputs");
    for (size_t i = 0; i < inputCount + outputCount; ++i) {
        ov_output_const_port_t *port = nullptr;
        if (i < inputCount)
            check(ov_compiled_model_input_by_index(model.get(), i, &port), "find an input");
        else
            check(ov_compiled_model_output_by_index(model.get(), i - inputCount, &port), "find an output");
        ::verify(Port(port), i < inputCount ? inputs[i] : outputs[i - inputCount]);
    }
}

Binding sb_program::take() {
    {
        const std::lock_guard<std::mutex> lock(mutex);
        if (!idle.empty()) {
            Binding binding = std::move(idle.back());
            idle.pop_back();
            return binding;
        }
    }
    Binding binding;
    ov_infer_request_t *request = nullptr;
    check(ov_compiled_model_create_infer_request(model.get(), &request), "make an inference request");
    binding.request.reset(request);
    binding.addresses.resize(inputs.size() + outputs.size());
    binding.tensors.resize(inputs.size() + outputs.size());
    return binding;
}

void sb_program::give(Binding binding) {
    const std::lock_guard<std::mutex> lock(mutex);
    idle.push_back(std::move(binding));
}

void sb_program::execute(const sb_execution &execution) {
    if (execution.input_count != inputs.size() || execution.output_count != outputs.size())
        throw Failure(SB_ERROR_INVALID_ARGUMENT, "the execution has another number of tensors than the program");
    Binding binding = take();
    for (size_t i = 0; i < binding.addresses.size(); ++i) {
        const bool isInput = i < inputs.size();
        const size_t index = isInput ? i : i - inputs.size();
        void *const place = address(isInput ? *execution.inputs[index] : *execution.outputs[index]);
        // The host passes the same tensors again and again.
        if (binding.addresses[i] == place) continue;
        const Signature &signature = isInput ? inputs[index] : outputs[index];
        ov_tensor_t *tensor = nullptr;
        check(ov_tensor_create_from_host_ptr(elementType(signature.type), shape(signature), place, &tensor), "take a tensor");
        binding.tensors[i].reset(tensor);
        binding.addresses[i] = nullptr;
        if (isInput)
            check(ov_infer_request_set_input_tensor_by_index(binding.request.get(), index, tensor), "take an input");
        else
            check(ov_infer_request_set_output_tensor_by_index(binding.request.get(), index, tensor), "take an output");
        binding.addresses[i] = place;
    }
    check(ov_infer_request_infer(binding.request.get()), "run the program");
    give(std::move(binding));
}

uint64_t sb_program::resident() const {
    const bool isFloat32 = precision == "f32", isFloat16 = precision == "f16";
    const uint64_t kept = blob.empty() ? packed * (isFloat16 ? 2 : 4) : blob.size();
    return kept + packed * (isFloat32 ? 4 : 2);
}

std::string sb_program::exported() const {
    const MemoryFile file;
    check(ov_compiled_model_export_model(model.get(), file.path().c_str()), "export the program");
    return file.contents();
}

static int32_t claim(sb_instance *, sb_device *, const sb_graph *graph, uint32_t *groups, sb_error *error) {
    return guarded(error, [&] { group(*graph, groups); });
}

static int32_t compile(sb_instance *instance, sb_device *, const sb_graph *graph, sb_program **program, sb_error *error) {
    return guarded(error, [&] {
        if (!takesWhole(*graph)) throw Failure(SB_ERROR_UNSUPPORTED, "the graph has nodes that OpenVINO does not compute as ONNX says");
        const sb_string onnx = serialized(*graph, error);
        ov_model_t *model = nullptr;
        check(ov_core_read_model_from_memory_buffer(instance->core.get(), onnx.data, onnx.length, nullptr, &model), "read the graph",
              SB_ERROR_UNSUPPORTED);
        const Model owner(model);
        ov_compiled_model_t *compiled = nullptr;
        check(ov_core_compile_model(instance->core.get(), model, instance->deviceName.c_str(), 0, &compiled), "compile the graph",
              SB_ERROR_UNSUPPORTED);
        auto made = std::make_unique<sb_program>();
        made->instance = instance;
        made->hold(compiled);
        made->inputs = signatures(graph->inputs, graph->input_count);
        made->outputs = signatures(graph->outputs, graph->output_count);
        made->packed = weightCount(*graph);
        made->verify();
        *program = made.release();
    });
}

static int32_t execute(const sb_execution *execution, sb_error *error) {
    return guarded(error, [&] { execution->program->execute(*execution); });
}

static void release(sb_program *program) {
    delete program;
}

static int32_t save(sb_program *program, void *data, uint64_t capacity, uint64_t *bytes, sb_error *error) {
    return guarded(error, [&] {
        const std::string artefact = written({program->inputs, program->outputs, program->packed, program->exported()}, *program->instance);
        if (data && capacity < artefact.size()) throw Failure(SB_ERROR_INVALID_ARGUMENT, "the artefact does not fit into the memory given");
        if (data) std::memcpy(data, artefact.data(), artefact.size());
        *bytes = artefact.size();
    });
}

static int32_t verdict(sb_instance *instance, sb_device *, const void *data, uint64_t bytes, uint32_t *verdict, sb_error *error) {
    return guarded(error, [&] { *verdict = judged(data, bytes, *instance); });
}

static int32_t load(sb_instance *instance, sb_device *, const void *data, uint64_t bytes, sb_program **program, sb_error *error) {
    return guarded(error, [&] {
        const uint32_t answer = judged(data, bytes, *instance);
        if (answer == SB_ARTIFACT_DAMAGED) throw Failure(SB_ERROR_INVALID_ARGUMENT, "the artefact is damaged");
        if (answer != SB_ARTIFACT_COMPATIBLE)
            throw Failure(SB_ERROR_UNSUPPORTED, "the artefact is for another version of OpenVINO or another device");
        Artefact artefact = read(data, bytes);
        auto made = std::make_unique<sb_program>();
        made->instance = instance;
        made->blob = std::move(artefact.blob);
        ov_compiled_model_t *model = nullptr;
        check(ov_core_import_model(instance->core.get(), made->blob.data(), made->blob.size(), instance->deviceName.c_str(), &model),
              "load the artefact");
        made->hold(model);
        made->inputs = std::move(artefact.inputs);
        made->outputs = std::move(artefact.outputs);
        made->packed = artefact.packed;
        made->verify();
        *program = made.release();
    });
}

/// Sums are kept in float32, whatever the type and the precision; with another precision than float32 values are rounded to it, some or all of them (SB-NUM-004).
/// Maximum and minimum of a number and NaN give the number; subnormal numbers are lost where a function or a division is computed by way of an exponential or an inverse.
constexpr sb_numerics numerics(uint32_t valueType) {
    return {sizeof(sb_numerics), SB_TYPE_FLOAT32, 0, SB_NUMERICS_IGNORES_NAN | SB_NUMERICS_FLUSHES_DENORMALS, 0, 0, valueType, 0};
}
static const sb_numerics ofFloat32 = numerics(0);
static const sb_numerics ofFloat16 = numerics(SB_TYPE_FLOAT16);
static const sb_numerics ofBFloat16 = numerics(SB_TYPE_BFLOAT16);

static int32_t describe(sb_program *program, sb_program_info *info, sb_error *error) {
    return guarded(error, [&] {
        const std::string &precision = program->precision;
        if (info->size >= offsetof(sb_program_info, numerics) + sizeof info->numerics)
            info->numerics = precision == "f16" ? &ofFloat16 : precision == "bf16" ? &ofBFloat16 : &ofFloat32;
        if (info->size >= offsetof(sb_program_info, resident) + sizeof info->resident) info->resident = program->resident();
    });
}

const sb_graphs graphs = {sizeof graphs, &ofFloat32, claim, compile, execute, release, describe, save, load, verdict};
