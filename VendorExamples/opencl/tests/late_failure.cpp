// SPDX-License-Identifier: Apache-2.0
//
// A kernel that fails on a queue: a Gather with an index out of range. Launches, fills and copies to buffers that were given to the stream after it must
// be left undone, the next synchronization must tell the launch's number, and after that the stream must work again (SB-STR-004, SB-OPS-010).
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "plugin.hpp"

int main() {
    Plugin opened;
    const sb_driver &driver = opened.driver();
    const sb_streams &streams = opened.streams();
    const sb_operators &operators = opened.operators();
    sb_instance *instance = opened.instance;
    sb_device *device = opened.device;
    sb_error &error = opened.error;
    sb_stream *stream;
    sb_buffer *data, *indices, *result, *other, *another;
    streams.create(device, &stream, &error);
    for (sb_buffer **buffer : {&data, &indices, &result, &other, &another}) driver.allocate(device, 0, 64, 64, buffer, &error);

    sb_buffer *large;
    std::vector<uint32_t> words(3 << 20 | 5), back(words.size());
    for (size_t k = 0; k < words.size(); ++k) words[k] = (uint32_t)k * 2654435761u;
    driver.allocate(device, 0, 4 * words.size(), 64, &large, &error);

    // Gather of 4 elements out of 8.
    int64_t data_shape[] = {8}, index_shape[] = {4};
    sb_tensor x = tensor(SB_TYPE_FLOAT32, data_shape, 1, data), i = tensor(SB_TYPE_INT64, index_shape, 1, indices);
    sb_tensor y = tensor(SB_TYPE_FLOAT32, index_shape, 1, result);
    const sb_tensor *inputs[] = {&x, &i}, *outputs[] = {&y};
    int64_t zero = 0;
    sb_attribute axis{};
    axis.size = sizeof axis;
    axis.name = SB_STRING("axis");
    axis.type = SB_ATTRIBUTE_INTS;
    axis.count = 1;
    axis.ints = &zero;
    const sb_attribute *attributes[] = {&axis};
    sb_node node{sizeof node, nullptr, {}, SB_STRING("Gather"), 13, 0, attributes, 1, inputs, 2, outputs, 1};
    node.kernel = opened.kernel("Gather", SB_TYPE_FLOAT32);
    sb_state *state;
    opened.need(operators.prepare(instance, device, &node, &state, &error));
    auto gather = [&](uint64_t correlation) {
        sb_launch launch{};
        launch.size = sizeof launch;
        launch.instance = instance;
        launch.device = device;
        launch.stream = stream;
        launch.node = &node;
        launch.state = state;
        launch.inputs = inputs;
        launch.input_count = 2;
        launch.outputs = outputs;
        launch.output_count = 1;
        launch.correlation = correlation;
        expect(operators.launch(&launch, &error) == SB_OK, "a launch is queued");
    };
    auto send = [&](sb_buffer *to, const void *from, uint64_t bytes) {
        expect(driver.copy(device, stream, {to, nullptr, 0}, {nullptr, (void *)from, 0}, bytes, &error) == SB_OK,
               "a copy to the device is queued");
    };
    auto fetch = [&](void *to, sb_buffer *from, uint64_t bytes, sb_stream *on) {
        expect(driver.copy(device, on, {nullptr, to, 0}, {from, nullptr, 0}, bytes, &error) == SB_OK, "a copy to the host is given");
    };
    auto set = [&](sb_location to) { expect(driver.fill(device, stream, to, 9, 16, &error) == SB_OK, "a fill is queued"); };
    float values[8] = {0, 1, 2, 3, 4, 5, 6, 7}, fetched[4];
    int64_t good[] = {7, 0, -8, 3}, bad[] = {1, 2, 8, 3};
    const unsigned char marks[32] = {1, 2, 3};
    unsigned char seen[32];
    // Not waiting, and waiting long enough that the failure is known before the next call.
    for (int pause : {0, 50}) {
        send(data, values, sizeof values);
        send(indices, bad, sizeof bad);
        for (sb_buffer *buffer : {other, another}) send(buffer, marks, sizeof marks);
        expect(streams.synchronize(stream, &error) == SB_OK, "copies succeed");
        memcpy(seen, marks, sizeof marks);
        gather(0x1122334455667788);
        std::this_thread::sleep_for(std::chrono::milliseconds(pause));
        gather(2);
        send(other, values, 16);
        expect(driver.copy(device, stream, {other, nullptr, 16}, {data, nullptr, 0}, 16, &error) == SB_OK,
               "a copy on the device is queued");
        set({another, nullptr, 0});
        set({nullptr, seen, 0});
        // What this delivers is undefined.
        fetch(fetched, data, sizeof fetched, stream);
        error.correlation = 0;
        expect(streams.synchronize(stream, &error) == SB_ERROR_INVALID_ARGUMENT, "the next synchronization fails");
        expect(error.correlation == 0x1122334455667788, "it tells the launch that failed first");
        expect(memcmp(seen, marks, sizeof seen) == 0, "fills of host memory after the failure are left out");
        fetch(seen, other, sizeof seen, nullptr);
        expect(memcmp(seen, marks, sizeof seen) == 0, "copies to a buffer after the failure are left out");
        fetch(seen, another, sizeof seen, nullptr);
        expect(memcmp(seen, marks, sizeof seen) == 0, "fills of a buffer after the failure are left out");
        send(indices, good, sizeof good);
        gather(3);
        // While nobody knows yet whether the launch has failed.
        send(large, words.data(), 4 * words.size());
        fetch(fetched, result, sizeof fetched, stream);
        set({nullptr, seen, 0});
        expect(streams.synchronize(stream, &error) == SB_OK, "the stream works again");
        fetch(back.data(), large, 4 * back.size(), nullptr);
        expect(back == words, "it takes large copies");
        expect(seen[0] == 9 && seen[15] == 9 && seen[16] == marks[16], "it fills host memory");
        expect(fetched[0] == 7 && fetched[1] == 0 && fetched[2] == 0 && fetched[3] == 3, "and its results are right");
    }
    operators.release(state);
    streams.destroy(stream);
    for (sb_buffer *buffer : {data, indices, result, other, another, large}) driver.free(device, buffer);
    if (!failures) puts("late failures: as specified");
    return failures != 0;
}
