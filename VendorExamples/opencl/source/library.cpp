// SPDX-License-Identifier: Apache-2.0
//
// Group "operators": the table of kernels, support, prepare and launch.
#include <cstddef>
#include <deque>

#include "device.hpp"
#include "operators.hpp"
#include "sources.hpp"

namespace {

// What a family of operators does with elements.
enum class Arithmetic {
    none,     // they are moved
    elements, // a result is computed of a few, and rounded once
    sums,     // many become one
};

// A kernel of the table, with what its description points to.
struct Entry {
    Offer offer;
    Arithmetic arithmetic;
    std::string name;
    sb_numerics numerics{};          // of the kernel, for hosts that look no further
    sb_numerics declared[3][2] = {}; // by precision of the results (float16, bfloat16, all else), and whether denormals are flushed
    sb_kernel kernel{};

    // What holds for a node on a device (SB-NUM-003).
    const sb_numerics *numerics_of(const Node &node, const Hardware &hardware) const {
        uint32_t type = node.output(0).type();
        size_t precision = type == SB_TYPE_FLOAT16 ? 0 : type == SB_TYPE_BFLOAT16 ? 1 : 2;
        return &declared[precision][flushes(node, hardware)];
    }

  private:
    bool flushes(const Node &node, const Hardware &hardware) const {
        if (arithmetic == Arithmetic::none) return false;
        bool found = false;
        auto look = [&](const Tensor &tensor) {
            if (!tensor) return;
            switch (tensor.type()) {
            case SB_TYPE_FLOAT64:
                found |= !hardware.keeps_denormals_of_float64;
                break;
            case SB_TYPE_FLOAT32:
            case SB_TYPE_BFLOAT16: // the exponents of float32, in which it is computed
                found |= !hardware.keeps_denormals;
                break;
            case SB_TYPE_FLOAT16:
                // Nothing that it holds is subnormal in float32, and OpenCL lets no load or store of a half flush; but products of many elements may fall so low.
                found |= !hardware.keeps_denormals && !strcmp(offer.operator_name, "ReduceProd");
                break;
            }
        };
        for (size_t i = 0; i < node.inputs_given(); ++i) look(node.maybe_input(i));
        for (size_t i = 0; i < node.outputs_given(); ++i) look(node.maybe_output(i));
        return found;
    }
};

struct Table {
    std::deque<Entry> entries;
    std::vector<const sb_kernel *> kernels;

    Table() {
        const struct {
            std::vector<Offer> (*offers)();
            Arithmetic arithmetic;
        } families[] = {
            {elementwise_offers, Arithmetic::elements}, {cast_offers, Arithmetic::elements},  {movement_offers, Arithmetic::none},
            {gather_offers, Arithmetic::none},          {product_offers, Arithmetic::sums},   {convolution_offers, Arithmetic::sums},
            {pooling_offers, Arithmetic::sums},         {reduction_offers, Arithmetic::sums}, {normalization_offers, Arithmetic::sums},
        };
        for (const auto &family : families) {
            for (const Offer &offer : family.offers()) {
                // What a kernel declares holds for all its types: those of 16 bits, which are rounded from float32, have one of their own.
                if (offer.function_error == 0 || family.arithmetic == Arithmetic::sums) {
                    add(offer, family.arithmetic, "", offer.function_error);
                } else {
                    Offer narrow = offer, wide = offer;
                    narrow.types &= short_floats;
                    wide.types &= ~short_floats;
                    add(narrow, family.arithmetic, "-16", 0);
                    add(wide, family.arithmetic, "", offer.function_error);
                }
            }
        }
        for (const Entry &entry : entries) kernels.push_back(&entry.kernel);
    }

    void add(const Offer &offer, Arithmetic arithmetic, const char *suffix, double function_error) {
        Entry &entry =
            entries.emplace_back(Entry{offer, arithmetic, std::string(offer.operator_name) + "-" + std::to_string(offer.since) + suffix});
        // A kernel's own declaration holds for every device that is there.
        bool keeps_denormals = true;
        for (const Hardware &hardware : all_hardware()) keeps_denormals &= hardware.keeps_denormals && hardware.keeps_denormals_of_float64;
        bool flushes = arithmetic != Arithmetic::none && !keeps_denormals;
        entry.numerics = {sizeof(sb_numerics), 0, 0, flushes ? SB_NUMERICS_FLUSHES_DENORMALS : 0, 0, function_error, 0, 0};
        // ULP of float32 in one of the type. Errors of a function within a sum stay in ULP of the type that the sum is kept in.
        const double ulps[] = {0x1p-13, 0x1p-16};
        for (size_t precision = 0; precision < 3; ++precision) {
            double error = offer.function_error;
            if (error != 0 && arithmetic == Arithmetic::elements && precision < 2) error = 0.5 + error * ulps[precision];
            for (uint32_t is_flushed : {0, 1})
                entry.declared[precision][is_flushed] = {
                    sizeof(sb_numerics), 0, 0, is_flushed ? SB_NUMERICS_FLUSHES_DENORMALS : 0, 0, error, 0, 0};
        }
        sb_kernel &kernel = entry.kernel;
        kernel.size = sizeof kernel;
        kernel.name = {entry.name.data(), entry.name.size()};
        kernel.operator_name = {offer.operator_name, strlen(offer.operator_name)};
        kernel.since = offer.since;
        kernel.until = offer.until;
        kernel.data_types = offer.types;
        kernel.flags = SB_KERNEL_FLAG_DETERMINISTIC | offer.flags;
        kernel.host_inputs = offer.host_inputs;
        kernel.context = &entry;
        kernel.numerics = &entry.numerics;
    }
};

const Table &table() {
    static const Table made;
    return made;
}

Plan make_plan(const Hardware &hardware, const sb_kernel *kernel, const Node &node) {
    const Offer &offer = ((const Entry *)kernel->context)->offer;
    Plan plan{hardware, {}};
    for (size_t i = 0; i < node.inputs_given(); ++i)
        if (Tensor input = node.maybe_input(i)) checked_count(input.count());
    bool is_empty = true;
    for (size_t i = 0; i < node.outputs_given(); ++i)
        if (Tensor output = node.maybe_output(i)) is_empty &= checked_count(output.count()) == 0;
    offer.planner(plan, node, offer.context);
    if (is_empty) plan.steps.clear();
    return plan;
}

// A step that is ready: its kernel, and what its arguments are set to.
struct ReadyStep {
    struct Argument {
        Operand operand;
        cl_ulong offset = 0;
        bool is_set = false;
    };
    Kernel kernel;
    std::vector<Argument> arguments;
    cl_uint correlation_index;
    size_t global[3], local[3];
    bool may_fail;
};

// Steps of a plan with their programs built. Arguments belong to a kernel object, so launches of one node take turns in setting them.
class Ready {
  public:
    Ready(SharedDevice &device, const Plan &plan) {
        std::string options = device.hardware.has_exact_division ? "-w -cl-fp32-correctly-rounded-divide-sqrt" : "-w";
        for (const Step &step : plan.steps) {
            if (step.local[0] * step.local[1] * step.local[2] > device.hardware.largest_group)
                throw Failure{SB_ERROR_UNSUPPORTED, "the device's work-groups are too small"};
            ReadyStep &ready = steps.emplace_back();
            ready.kernel =
                device.programs.kernel(step.prelude + sources::types + step.source,
                                       options + (step.uses_float64 ? " -DFLOAT64" : " -cl-single-precision-constant"), step.kernel);
            for (const Operand &operand : step.operands) ready.arguments.push_back({operand});
            cl_uint index = 1 + 2 * (cl_uint)step.operands.size();
            for (const std::string &constant : step.constants)
                check(clSetKernelArg(ready.kernel.get(), index++, constant.size(), constant.data()), "passing arguments");
            ready.correlation_index = index;
            ready.may_fail = step.may_fail;
            for (int i = 0; i < 3; ++i) {
                ready.local[i] = step.local[i];
                ready.global[i] = step.local[i] * step.groups[i];
            }
        }
    }

    void launch(const sb_launch &launch, sb_stream &stream) {
        std::lock_guard guard(lock);
        for (ReadyStep &step : steps) {
            set_arguments(step, launch, stream);
            check(clEnqueueNDRangeKernel(stream.queue.get(), step.kernel.get(), 3, nullptr, step.global, step.local, 0, nullptr, nullptr),
                  "queueing a kernel");
            if (step.may_fail) stream.ask_for_verdict();
        }
    }

  private:
    std::mutex lock;
    std::deque<ReadyStep> steps;

    static void set_arguments(ReadyStep &step, const sb_launch &launch, sb_stream &stream) {
        cl_kernel kernel = step.kernel.get();
        cl_mem fault = stream.fault.get();
        cl_int status = clSetKernelArg(kernel, 0, sizeof fault, &fault);
        cl_uint index = 1;
        for (ReadyStep::Argument &argument : step.arguments) {
            const Operand &operand = argument.operand;
            const sb_tensor *const *tensors = operand.is_output ? launch.outputs : launch.inputs;
            const sb_tensor *tensor =
                operand.position < (operand.is_output ? launch.output_count : launch.input_count) ? tensors[operand.position] : nullptr;
            if (!tensor) throw Failure{SB_ERROR_INVALID_ARGUMENT, "a launch lacks a tensor that its node has"};
            cl_mem memory = tensor->buffer ? tensor->buffer->memory.get() : nullptr; // where there is nothing to read
            cl_ulong offset = tensor->offset / operand.element_bytes;
            // A new buffer may have the address of an old one that is gone; setting it again costs little, and keeps it right.
            if (status == CL_SUCCESS) status = clSetKernelArg(kernel, index, sizeof memory, &memory);
            if (status == CL_SUCCESS && (!argument.is_set || offset != argument.offset))
                status = clSetKernelArg(kernel, index + 1, sizeof offset, &offset);
            argument.offset = offset;
            argument.is_set = status == CL_SUCCESS;
            index += 2;
        }
        if (step.may_fail) {
            cl_uint halves[2] = {(cl_uint)launch.correlation, (cl_uint)(launch.correlation >> 32)};
            for (cl_uint i = 0; i < 2 && status == CL_SUCCESS; ++i)
                status = clSetKernelArg(kernel, step.correlation_index + i, sizeof halves[i], &halves[i]);
        }
        check(status, "passing arguments");
    }
};

} // namespace

// What a launch must bring for a tensor of the prepared node.
struct Expected {
    uint32_t type;
    uint64_t elements;
};

struct sb_state {
    std::unique_ptr<Ready> ready; // NULL: how to compute depends on values that only a launch has
    std::vector<Expected> inputs, outputs;
};

namespace {

Expected expected(const sb_tensor *tensor) {
    return tensor ? Expected{tensor->data_type, (uint64_t)Tensor(tensor).count()} : Expected{};
}

int32_t support(sb_instance *, sb_device *device, const sb_node *const *nodes, size_t node_count, sb_support *const *answers, sb_error *) {
    for (size_t i = 0; i < node_count; ++i) {
        sb_support &answer = *answers[i];
        Refusal why{SB_REASON_NONE, ""};
        try {
            const Hardware &hardware = device->shared.hardware;
            Node node(*nodes[i]);
            try {
                make_plan(hardware, nodes[i]->kernel, node);
            } catch (const Unknown &) {
                // Any value will do.
            }
            // Hosts older than 0.4 do not ask for it.
            if (answer.size >= offsetof(sb_support, numerics) + sizeof answer.numerics)
                answer.numerics = ((const Entry *)nodes[i]->kernel->context)->numerics_of(node, hardware);
            answer.supported = 1;
            continue;
        } catch (const Refusal &refusal) {
            why = refusal;
        } catch (const Failure &failure) {
            why = {SB_REASON_OTHER, failure.message};
        } catch (const std::exception &exception) {
            why = {SB_REASON_OTHER, exception.what()};
        }
        answer.reason = why.reason;
        sb_error text = {sizeof text, 0, 0, 0, answer.message, answer.capacity};
        sb_fail(&text, SB_ERROR_UNSUPPORTED, why.message.c_str());
    }
    return SB_OK;
}

int32_t prepare(sb_instance *, sb_device *device, const sb_node *node, sb_state **state, sb_error *error) {
    return guarded(error, [&] {
        auto made = std::make_unique<sb_state>();
        try {
            Plan plan = make_plan(device->shared.hardware, node->kernel, Node(*node));
            made->ready = std::make_unique<Ready>(device->shared, plan);
        } catch (const Unknown &) {
        }
        for (size_t i = 0; i < node->input_count; ++i) made->inputs.push_back(expected(node->inputs[i]));
        for (size_t i = 0; i < node->output_count; ++i) made->outputs.push_back(expected(node->outputs[i]));
        *state = made.release();
    });
}

void release(sb_state *state) {
    delete state;
}

// Refuses tensors that are not those of the node, or do not lie in their buffers.
void check_tensors(const sb_tensor *const *tensors, size_t count, const std::vector<Expected> &expected, uint64_t host_inputs) {
    if (count > expected.size()) throw Failure{SB_ERROR_INVALID_ARGUMENT, "a launch has more tensors than its node"};
    for (size_t i = 0; i < count; ++i) {
        const sb_tensor *tensor = tensors[i];
        if (!tensor || (i < 64 && host_inputs >> i & 1)) continue;
        uint64_t elements_now = 1, bytes = bytes_of(expected[i].type);
        for (uint32_t axis = 0; axis < tensor->rank; ++axis) elements_now *= (uint64_t)tensor->shape[axis];
        if (elements_now != expected[i].elements || tensor->data_type != expected[i].type)
            throw Failure{SB_ERROR_INVALID_ARGUMENT, "a tensor has not the type and shape that its node was prepared for"};
        if (elements_now == 0) continue;
        if (!tensor->buffer) throw Failure{SB_ERROR_INVALID_ARGUMENT, "a tensor does not lie on the device"};
        if (tensor->offset % bytes != 0 || tensor->offset > tensor->buffer->bytes ||
            bytes * elements_now > tensor->buffer->bytes - tensor->offset)
            throw Failure{SB_ERROR_INVALID_ARGUMENT, "a tensor does not lie within its buffer"};
    }
}

int32_t launch(const sb_launch *launch, sb_error *error) {
    return guarded(error, [&] {
        sb_state &state = *launch->state;
        const sb_kernel &kernel = *launch->node->kernel;
        check_tensors(launch->inputs, launch->input_count, state.inputs, kernel.host_inputs);
        check_tensors(launch->outputs, launch->output_count, state.outputs, 0);
        sb_device &device = *launch->device;
        std::unique_ptr<Ready> made;
        if (!state.ready) {
            Node node(*launch->node, launch->inputs, launch->input_count, launch->outputs, launch->output_count);
            made = std::make_unique<Ready>(device.shared, make_plan(device.shared.hardware, &kernel, node));
        }
        Ready &ready = state.ready ? *state.ready : *made;
        if (launch->stream) {
            if (launch->stream->accepts_work()) ready.launch(*launch, *launch->stream);
            return;
        }
        std::lock_guard guard(device.direct.lock);
        ready.launch(*launch, device.direct);
        device.direct.finish();
    });
}

} // namespace

const sb_operators &operators_table() {
    static const sb_operators made = {
        sizeof made, table().kernels.data(), table().kernels.size(), support, launch, prepare, release, nullptr, 0};
    return made;
}
