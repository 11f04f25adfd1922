// SPDX-License-Identifier: Apache-2.0
#include "plan.hpp"

#include <cstring>

namespace {

void *address(const sb_tensor &tensor) {
    if (!tensor.host) throw Failure(SB_ERROR_UNSUPPORTED, "oneDNN computes in the host's memory, and a tensor is elsewhere");
    return tensor.host;
}

} // namespace

void sb_state::execute(const sb_launch &launch) const {
    auto *const scratch = static_cast<unsigned char *>(launch.workspace_host);
    if (workspace > 0 && !scratch)
        throw Failure(SB_ERROR_UNSUPPORTED, "oneDNN computes in the host's memory, and the workspace is elsewhere");
    dnnl::stream stream(engine);
    std::unordered_map<int, dnnl::memory> arguments;
    for (const Step &step : steps) {
        arguments.clear();
        for (const auto &[key, place] : step.arguments) {
            switch (place.kind) {
            case Place::input:
                arguments.emplace(key, dnnl::memory(place.desc, engine, address(*launch.inputs[place.index])));
                break;
            case Place::output:
                arguments.emplace(key, dnnl::memory(place.desc, engine, address(*launch.outputs[place.index])));
                break;
            case Place::constant:
                arguments.emplace(key, constants[place.index]);
                break;
            case Place::workspace:
                arguments.emplace(key, dnnl::memory(place.desc, engine, scratch + place.index));
                break;
            }
        }
        step.primitive.execute(stream, arguments);
    }
    stream.wait();
}

Place Builder::reserve(const dnnl::memory::desc &desc) {
    const uint64_t begin = state.workspace;
    // Lines of the cache, as the host aligns the whole.
    state.workspace += (desc.get_size() + 63) / 64 * 64;
    return {Place::workspace, begin, desc};
}

void Builder::estimate(dnnl::primitive::kind kind, const char *implementation, const std::vector<std::pair<int, Place>> &arguments,
                       double operations) {
    Work work{kind, implementation, arguments[0].second.desc.data_type(), operations, 0, 0, false, false, false};
    for (const auto &[key, place] : arguments) {
        const Dims shape = place.desc.dims();
        const auto type = place.desc.data_type();
        double count = 1;
        for (const int64_t each : shape) count *= static_cast<double>(each);
        work.bytes += count * static_cast<double>(dnnl::memory::data_type_size(type));
        const bool isRows = place.desc == rowMajor(shape, type);
        if (key == DNNL_ARG_SRC || key == DNNL_ARG_MULTIPLE_SRC) {
            work.readsRowMajor = isRows;
            work.readsChannelsLast = !isRows && shape.size() == 4 && place.desc == arranged(shape, type, channelsLast);
        } else if (key == DNNL_ARG_DST) {
            work.elements = count;
            work.writesRowMajor = isRows;
        }
    }
    state.cost += expectedNanoseconds(work);
}

dnnl::primitive_attr Builder::attributes() {
    dnnl::primitive_attr result;
    result.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return result;
}

Place Builder::input(size_t index) const {
    const sb_tensor *tensor = node.input(index);
    if (!tensor) throw Refusal(SB_REASON_OTHER, "an input is left out");
    return {Place::input, index, asItLies(*tensor)};
}

Place Builder::output() const {
    if (node.outputCount() != 1 || !source.outputs[0]) throw Refusal(SB_REASON_OTHER, "only the first output is computed");
    return {Place::output, 0, asItLies(*source.outputs[0])};
}

Place Builder::operand(size_t index, size_t rank) const {
    const Place place = input(index);
    const Dims shape = place.desc.dims();
    if (shape.size() > rank) throw Refusal(SB_REASON_SHAPE, "an operand has more axes than the result");
    return shape.size() == rank ? place : place.as(rowMajor(padded(shape, rank), place.desc.data_type()));
}

Place Builder::constant(const std::vector<float> &values, const dnnl::memory::desc &desc) {
    dnnl::memory memory(desc, engine());
    std::memset(memory.get_data_handle(), 0, desc.get_size());
    std::memcpy(memory.get_data_handle(), values.data(), values.size() * sizeof(float));
    state.constants.push_back(memory);
    return {Place::constant, state.constants.size() - 1, desc};
}

Place Builder::ordered(const Place &from, const dnnl::memory::desc &wanted) {
    if (from.desc == wanted) return from;
    const dnnl::reorder::primitive_desc reorder(engine(), from.desc, engine(), wanted, attributes());
    const sb_tensor *tensor = from.kind == Place::input ? node.input(from.index) : nullptr;
    if (!tensor || !tensor->host) {
        const Place copy = reserve(wanted);
        add(reorder, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, copy}});
        return copy;
    }
    if (packs) {
        dnnl::memory packed(wanted, engine());
        dnnl::stream stream(engine());
        dnnl::memory scratch(reorder.scratchpad_desc(), engine());
        dnnl::reorder(reorder).execute(
            stream,
            {{DNNL_ARG_FROM, dnnl::memory(from.desc, engine(), tensor->host)}, {DNNL_ARG_TO, packed}, {DNNL_ARG_SCRATCHPAD, scratch}});
        stream.wait();
        state.constants.push_back(packed);
    } else {
        state.constants.emplace_back();
    }
    return {Place::constant, state.constants.size() - 1, wanted};
}

Place Builder::target(const Place &to, const dnnl::memory::desc &wanted) {
    return to.desc == wanted ? to : reserve(wanted);
}

void Builder::deliver(const Place &from, const Place &to) {
    if (from.kind == to.kind && from.index == to.index) return;
    const dnnl::reorder::primitive_desc reorder(engine(), from.desc, engine(), to.desc, attributes());
    add(reorder, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}
