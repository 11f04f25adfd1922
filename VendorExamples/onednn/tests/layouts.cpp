// SPDX-License-Identifier: Apache-2.0
//
// Asks the plugin as a host does, without one: kernels that would rather have a layout get it, and must give what they give row-major. Beyond what the suite looks at:
// what fills up blocks is zero behind every kernel, whatever was there; inputs stay as they were, and nothing beyond a tensor's pages is touched, for these are no memory.
//
//     layouts PLUGIN LAYOUT [costs]
//
// With `costs` it prints, kernel by kernel, what the plugin expects and what a launch takes, in microseconds.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <vector>

#include "southbridge.h"

namespace {

using Shape = std::vector<int64_t>;

const sb_operators *operators = nullptr;
sb_instance *instance = nullptr;
bool showsCosts = false;
int failures = 0, asked = 0, wished = 0;

void check(bool isTrue, const std::string &what) {
    if (isTrue) return;
    std::printf("FAILED: %s\n", what.c_str());
    ++failures;
}

int64_t blockOf(uint32_t layout, size_t axis) {
    for (size_t i = 0; i < operators->layout_count; ++i)
        if (operators->layouts[i]->value == layout) return operators->layouts[i]->blocks[axis];
    return 1;
}

/// Between two pages that nobody may touch, as near to the second as its alignment lets it.
class Memory {
    unsigned char *pages;
    size_t bytes, whole;
    static constexpr size_t page = 4096, alignment = 64;

  public:
    unsigned char *begin;

    explicit Memory(size_t bytes) : bytes(bytes), whole((bytes + page - 1) / page * page + 2 * page) {
        pages = static_cast<unsigned char *>(mmap(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (pages == MAP_FAILED || (whole > 2 * page && mprotect(pages + page, whole - 2 * page, PROT_READ | PROT_WRITE))) std::abort();
        begin = pages + whole - page - (bytes + alignment - 1) / alignment * alignment;
        std::memset(begin, 0xFF, bytes);
    }
    Memory(const Memory &) = delete;
    ~Memory() { munmap(pages, whole); }
    std::vector<unsigned char> copy() const { return {begin, begin + bytes}; }
};

struct Tensor {
    uint32_t type, layout;
    Shape shape;
    std::shared_ptr<Memory> memory;
    sb_tensor record{};

    size_t width() const { return type == SB_TYPE_BFLOAT16 ? 2 : 4; }
    size_t count(bool isFilled) const {
        size_t result = 1;
        for (size_t i = 0; i < shape.size(); ++i) {
            const int64_t block = isFilled && layout ? blockOf(layout, i) : 1;
            result *= static_cast<size_t>((shape[i] + block - 1) / block * block);
        }
        return result;
    }

    Tensor(uint32_t type, const Shape &shape, uint32_t layout = 0) : type(type), layout(layout), shape(shape) {
        memory = std::make_shared<Memory>(count(true) * width());
    }
    const sb_tensor *describe(bool hasValue) {
        record = {sizeof record, type, static_cast<uint32_t>(shape.size()), shape.data(), nullptr,
                  nullptr,       0,    hasValue ? memory->begin : nullptr,  layout,       0};
        return &record;
    }
    float at(size_t index) const {
        if (type == SB_TYPE_FLOAT32) return reinterpret_cast<const float *>(memory->begin)[index];
        const uint32_t bits = static_cast<uint32_t>(reinterpret_cast<const uint16_t *>(memory->begin)[index]) << 16;
        float value;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
    void set(size_t index, float value) {
        if (type == SB_TYPE_FLOAT32) {
            reinterpret_cast<float *>(memory->begin)[index] = value;
            return;
        }
        uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        reinterpret_cast<uint16_t *>(memory->begin)[index] = static_cast<uint16_t>(bits >> 16);
    }
    /// Quarters from `low` on, which products and sums keep.
    void draw(int low) {
        static uint32_t state = 1;
        for (size_t i = 0; i < count(true); ++i) {
            state = state * 1664525u + 1013904223u;
            set(i, static_cast<float>(low) + static_cast<float>(state >> 24 & 15) / 4);
        }
    }
};

struct Attributes {
    std::vector<std::pair<std::string, std::vector<int64_t>>> ints;
    std::vector<std::pair<std::string, std::vector<float>>> floats;
    std::vector<std::pair<std::string, std::vector<std::string>>> words;
    std::vector<sb_attribute> records;
    std::vector<std::vector<sb_string>> strings;
    std::vector<const sb_attribute *> list;

    void describe() {
        records.clear();
        strings.clear();
        list.clear();
        const auto text = [](const std::string &word) { return sb_string{word.data(), word.size()}; };
        for (const auto &[name, values] : ints)
            records.push_back({sizeof(sb_attribute), text(name), SB_ATTRIBUTE_INTS, SB_ATTRIBUTE_FLAG_LIST, values.size(), values.data(),
                               nullptr, nullptr, nullptr});
        for (const auto &[name, values] : floats)
            records.push_back(
                {sizeof(sb_attribute), text(name), SB_ATTRIBUTE_FLOATS, 0, values.size(), nullptr, values.data(), nullptr, nullptr});
        for (const auto &[name, values] : words) {
            strings.emplace_back();
            for (const std::string &word : values) strings.back().push_back(text(word));
        }
        for (size_t i = 0; i < words.size(); ++i)
            records.push_back({sizeof(sb_attribute), text(words[i].first), SB_ATTRIBUTE_STRINGS, SB_ATTRIBUTE_FLAG_LIST,
                               words[i].second.size(), nullptr, nullptr, strings[i].data(), nullptr});
        for (const sb_attribute &record : records) list.push_back(&record);
    }
};

struct Case {
    std::string name;
    uint32_t version;
    std::vector<Shape> inputs;
    Shape output;
    Attributes attributes;
    /// Inputs from that one on are known before the run.
    size_t firstConstant = 99;
    int low = -2;
};

const sb_kernel *kernelOf(const std::string &name, uint32_t type) {
    for (size_t i = 0; i < operators->kernel_count; ++i) {
        const sb_kernel *each = operators->kernels[i];
        if (name == std::string(each->operator_name.data, each->operator_name.length) && each->data_types & SB_TYPE_BIT(type)) return each;
    }
    return nullptr;
}

struct Answer {
    sb_support record{};
    char message[256] = {};
    std::vector<uint32_t> inputs, outputs;
};

/// A node with everything that it points to.
struct Question {
    std::vector<const sb_tensor *> inputs, outputs;
    sb_node node{};

    Question(Case &each, const sb_kernel *kernel, std::vector<Tensor> &tensors, Tensor &output, bool isLaunch) {
        each.attributes.describe();
        for (size_t i = 0; i < tensors.size(); ++i) inputs.push_back(tensors[i].describe(isLaunch || i >= each.firstConstant));
        outputs.push_back(output.describe(isLaunch));
        node = {sizeof node,
                kernel,
                kernel->domain,
                kernel->operator_name,
                each.version,
                0,
                each.attributes.list.data(),
                each.attributes.list.size(),
                inputs.data(),
                inputs.size(),
                outputs.data(),
                outputs.size()};
    }

    Answer ask() {
        Answer answer;
        answer.inputs.resize(inputs.size());
        answer.outputs.resize(outputs.size());
        answer.record.size = sizeof answer.record;
        answer.record.message = answer.message;
        answer.record.capacity = sizeof answer.message;
        answer.record.input_layouts = answer.inputs.data();
        answer.record.output_layouts = answer.outputs.data();
        const sb_node *nodes[] = {&node};
        sb_support *answers[] = {&answer.record};
        if (operators->support(instance, nullptr, nodes, 1, answers, nullptr)) std::abort();
        return answer;
    }
};

/// Nanoseconds of a launch where costs are wanted; below 0 if the node is refused.
double run(Case &each, const sb_kernel *kernel, std::vector<Tensor> &tensors, Tensor &output) {
    Question question(each, kernel, tensors, output, false);
    const Answer answer = question.ask();
    if (!answer.record.supported) {
        std::printf("%s: %s\n", each.name.c_str(), answer.message);
        return -1;
    }
    sb_state *state = nullptr;
    if (operators->prepare(instance, nullptr, &question.node, &state, nullptr)) return -1;
    Memory workspace(answer.record.workspace);
    Question real(each, kernel, tensors, output, true);
    sb_launch launch{};
    launch.size = sizeof launch;
    launch.instance = instance;
    launch.node = &real.node;
    launch.state = state;
    launch.inputs = real.inputs.data();
    launch.input_count = real.inputs.size();
    launch.outputs = real.outputs.data();
    launch.output_count = real.outputs.size();
    launch.workspace_host = workspace.begin;
    launch.workspace_bytes = answer.record.workspace;
    char text[256] = {};
    sb_error error{};
    error.size = sizeof error;
    error.message = text;
    error.capacity = sizeof text;
    double least = 1e18;
    for (int i = 0; i < (showsCosts ? 20 : 1); ++i) {
        const auto begin = std::chrono::steady_clock::now();
        check(operators->launch(&launch, &error) == SB_OK, each.name + ": " + text);
        least = std::min(least, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count());
    }
    operators->release(state);
    return least;
}

bool convert(Tensor &from, Tensor &to) {
    Case each{"ConvertLayout", 1, {}, {}, {}};
    std::vector<Tensor> inputs{from};
    const sb_kernel *kernel = kernelOf("ConvertLayout", from.type);
    if (!kernel) return false;
    const double least = run(each, kernel, inputs, to);
    if (showsCosts && least > 0) {
        Question question(each, kernel, inputs, to, false);
        std::printf("%-24s %9.1f %9.1f\n", from.layout ? "ConvertLayout, back" : "ConvertLayout", question.ask().record.cost / 1e3,
                    least / 1e3);
    }
    return least > 0;
}

void tryCase(Case &each, uint32_t type) {
    const sb_kernel *kernel = kernelOf(each.name, type);
    if (!kernel) return;
    std::string label = each.name + (type == SB_TYPE_BFLOAT16 ? " bfloat16" : " float32");
    for (const int64_t size : each.inputs[0]) label += " " + std::to_string(size);
    std::vector<Tensor> inputs;
    for (const Shape &shape : each.inputs) {
        inputs.emplace_back(type, shape);
        inputs.back().draw(each.low);
    }
    Tensor plain(type, each.output);
    const double before = run(each, kernel, inputs, plain);
    if (before < 0) return;
    ++asked;
    Question question(each, kernel, inputs, plain, false);
    const Answer answer = question.ask();
    check(answer.record.cost > 0, label + ": no cost");
    std::vector<Tensor> laid;
    bool hasWish = answer.outputs[0] != 0;
    for (size_t i = 0; i < inputs.size(); ++i) {
        hasWish = hasWish || answer.inputs[i];
        laid.push_back(inputs[i]);
        if (!answer.inputs[i]) continue;
        laid[i] = Tensor(type, each.inputs[i], answer.inputs[i]);
        check(convert(inputs[i], laid[i]), label + ": no conversion of an input");
    }
    if (!hasWish) {
        std::printf("%s: would not rather have a layout\n", label.c_str());
        return;
    }
    ++wished;
    check(answer.record.layout_cost > 0, label + ": no cost in its layouts");
    std::vector<std::vector<unsigned char>> held;
    for (Tensor &input : laid) held.push_back(input.memory->copy());
    Tensor result(type, each.output, answer.outputs[0]);
    const double after = run(each, kernel, laid, result);
    check(after >= 0, label + ": refused in the layouts that it would rather have");
    if (showsCosts)
        std::printf("%-24s %9.1f %9.1f   in layouts %9.1f %9.1f   %s\n", each.name.c_str(), answer.record.cost / 1e3, before / 1e3,
                    answer.record.layout_cost / 1e3, after / 1e3, label.c_str());
    for (size_t i = 0; i < laid.size(); ++i) check(laid[i].memory->copy() == held[i], label + ": an input was written");
    if (result.layout) {
        // What is not zero is as many elements as there are, or fewer; all others fill up blocks.
        const int64_t block = blockOf(result.layout, 1), channels = each.output[1], pixels = each.output[2] * each.output[3];
        for (size_t i = 0; block > 1 && i < result.count(true); ++i) {
            const auto channel =
                static_cast<int64_t>(i) / (pixels * block) % ((channels + block - 1) / block) * block + static_cast<int64_t>(i) % block;
            if (channel >= channels && result.at(i) != 0) {
                check(false, label + ": what fills up a block is not zero");
                break;
            }
        }
    }
    Tensor back(type, each.output);
    if (result.layout) check(convert(result, back), label + ": no conversion of the output");
    const Tensor &seen = result.layout ? back : result;
    for (size_t i = 0; i < plain.count(false); ++i) {
        const float expected = plain.at(i), got = seen.at(i),
                    bound = (type == SB_TYPE_BFLOAT16 ? 1e-2f : 1e-5f) * (1 + std::fabs(expected));
        if (!(std::fabs(got - expected) <= bound)) {
            check(false,
                  label + ": element " + std::to_string(i) + " is " + std::to_string(got) + ", row-major " + std::to_string(expected));
            break;
        }
    }
}

std::vector<Case> cases() {
    std::vector<Case> list;
    const std::vector<Shape> images = showsCosts ? std::vector<Shape>{{1, 64, 55, 55}, {1, 256, 14, 14}, {1, 128, 112, 112}}
                                                 : std::vector<Shape>{{2, 32, 9, 8}, {2, 17, 9, 8}, {1, 5, 1, 7}, {3, 48, 5, 5}};
    for (const Shape &image : images) {
        const int64_t n = image[0], c = image[1], h = image[2], w = image[3], f = showsCosts ? c : c + 3;
        const Shape halved{n, c, (h + 1) / 2, (w + 1) / 2}, channel{c, 1, 1};
        Attributes window, pool, same;
        window.ints = {{"kernel_shape", {3, 3}}, {"strides", {2, 2}}, {"pads", {1, 1, 1, 1}}, {"dilations", {1, 1}}, {"group", {1}}};
        pool.ints = {{"kernel_shape", {3, 3}}, {"strides", {2, 2}}, {"pads", {1, 1, 1, 1}}, {"dilations", {1, 1}}, {"ceil_mode", {0}}};
        same.ints = {{"kernel_shape", {3, 3}}, {"strides", {1, 1}}, {"pads", {1, 1, 1, 1}}, {"dilations", {1, 1}}, {"group", {1}}};
        const auto steps = [](Attributes base, std::vector<std::string> names, std::vector<int64_t> operands,
                              std::vector<float> parameters) {
            base.ints.push_back({"reversed", Shape(names.size(), 0)});
            base.ints.push_back({"operands", std::move(operands)});
            base.words.push_back({"steps", std::move(names)});
            base.floats.push_back({"parameters", std::move(parameters)});
            return base;
        };
        list.push_back({"Conv", 11, {image, {f, c, 3, 3}, {f}}, {n, f, halved[2], halved[3]}, window, 1});
        list.push_back({"Conv", 11, {image, {f, c, 3, 3}}, {n, f, h, w}, same, 1});
        Attributes depthwise = same;
        depthwise.ints.back().second = {c};
        list.push_back({"Conv", 11, {image, {c, 1, 3, 3}, {c}}, image, depthwise, 1});
        list.push_back({"FusedConv", 1, {image, {f, c, 3, 3}, {f}}, {n, f, h, w}, steps(same, {"Relu"}, {-1}, {0, 0}), 1});
        // A residual that is no constant, behind weights that are one, stands where the host has it: last.
        list.push_back({"FusedConv",
                        1,
                        {image, {f, c, 3, 3}, {f}, {n, f, h, w}},
                        {n, f, h, w},
                        steps(same, {"Add", "Sigmoid"}, {0, -1}, {0, 0, 0, 0})});
        list.push_back({"FusedConv",
                        1,
                        {image, {f, c, 3, 3}, {f}, {f, 1, 1}},
                        {n, f, h, w},
                        steps(same, {"Mul", "HardSwish"}, {0, -1}, {0, 0, 0, 0}),
                        1});
        list.push_back({"MaxPool", 12, {image}, halved, pool});
        pool.ints.push_back({"count_include_pad", {0}});
        list.push_back({"AveragePool", 11, {image}, halved, pool});
        list.push_back({"GlobalAveragePool", 1, {image}, {n, c, 1, 1}, {}});
        list.push_back({"BatchNormalization", 9, {image, {c}, {c}, {c}, {c}}, image, {}, 1, 1});
        Attributes response;
        response.ints = {{"size", {5}}};
        list.push_back({"LRN", 1, {image}, image, response});
        for (const char *name : {"Abs", "Elu", "Gelu", "HardSwish", "LeakyRelu", "Mish", "Relu", "Round", "Sigmoid", "Sqrt", "Tanh"})
            list.push_back({name, 20, {image}, image, {}, 99, 1});
        for (const char *name : {"Add", "Div", "Max", "Min", "Mul", "Sub"}) {
            list.push_back({name, 14, {image, image}, image, {}, 99, 1});
            list.push_back({name, 14, {image, channel}, image, {}, 1, 1});
            list.push_back({name, 14, {image, {}}, image, {}, 1, 1});
        }
        list.push_back({"Sum", 13, {image, image, image}, image, {}});
        list.push_back({"FusedElementwise", 1, {image, image}, image, steps({}, {"Sigmoid", "Mul"}, {-1, 0}, {0, 0, 0, 0})});
        list.push_back({"FusedElementwise",
                        1,
                        {image, channel, channel},
                        image,
                        steps({}, {"Mul", "Add", "Relu"}, {0, 1, -1}, {0, 0, 0, 0, 0, 0}),
                        1});
        Attributes axis;
        axis.ints = {{"axis", {1}}};
        list.push_back({"Concat", 13, {image, {n, 16, h, w}}, {n, c + 16, h, w}, axis});
    }
    return list;
}

uint64_t now(void *) {
    return 0;
}
void say(void *, uint32_t, sb_string) {}

} // namespace

int main(int count, char **arguments) {
    if (count < 3) return 2;
    showsCosts = count > 3;
    void *library = dlopen(arguments[1], RTLD_NOW);
    const auto entry = library ? reinterpret_cast<decltype(&southbridge_plugin)>(dlsym(library, SB_ENTRY_POINT)) : nullptr;
    if (!entry) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    const sb_host host{sizeof host, SB_VERSION, 0, nullptr, say, now};
    const sb_plugin *plugin = nullptr;
    const sb_option options[] = {{SB_STRING("threads"), SB_STRING("1")}, {SB_STRING("layout"), {arguments[2], std::strlen(arguments[2])}}};
    if (entry(&host, &plugin, nullptr) || plugin->start(&host, options, 2, &instance, nullptr)) return 2;
    operators = static_cast<const sb_operators *>(plugin->groups[0].table);
    if (showsCosts) std::printf("%-24s %9s %9s\n", "microseconds", "expected", "measured");
    std::vector<Case> list = cases();
    for (const uint32_t type : {SB_TYPE_FLOAT32, SB_TYPE_BFLOAT16})
        for (Case &each : list) tryCase(each, type);
    std::printf("layout %s: %d kernels asked, %d would rather have it, %d failures\n", arguments[2], asked, wished, failures);
    plugin->stop(instance);
    return failures ? 1 : 0;
}
