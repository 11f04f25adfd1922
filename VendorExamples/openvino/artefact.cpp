// SPDX-License-Identifier: Apache-2.0
#include "artefact.hpp"

#include <cstring>

namespace {

/// Of what follows the head; a number more for every change of it.
constexpr uint32_t formatVersion = 2;
constexpr char magic[8] = {'S', 'B', 'O', 'P', 'E', 'N', 'V', 'I'};

/// Begins every artefact, of whatever version.
struct Head {
    char magic[8];
    uint32_t version;
    uint32_t reserved;
    uint64_t bytes;
    /// Of everything, with this as 0.
    uint64_t checksum;
    /// Checksums of OpenVINO's build, and of the device and the options that programs depend on.
    uint64_t build;
    uint64_t device;
};

/// A step for each word of eight bytes that no two states or words share: a change within one word always shows.
uint64_t checksum(const unsigned char *data, uint64_t bytes, uint64_t sum = 0xcbf29ce484222325u) {
    while (bytes > 0) {
        uint64_t word = 0;
        const uint64_t taken = bytes < 8 ? bytes : 8;
        std::memcpy(&word, data, taken);
        sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
        sum ^= sum >> 32;
        data += taken;
        bytes -= taken;
    }
    return sum;
}

uint64_t checksum(const std::string &text) {
    return checksum(reinterpret_cast<const unsigned char *>(text.data()), text.size());
}

uint64_t checksum(Head head, const unsigned char *data, uint64_t bytes) {
    head.checksum = 0;
    const uint64_t sum = checksum(reinterpret_cast<const unsigned char *>(&head), sizeof head);
    return checksum(data + sizeof head, bytes - sizeof head, sum);
}

template <typename Value> void put(std::string &out, Value value) {
    out.append(reinterpret_cast<const char *>(&value), sizeof value);
}

void put(std::string &out, const std::vector<Signature> &signatures) {
    put(out, static_cast<uint64_t>(signatures.size()));
    for (const Signature &each : signatures) {
        put(out, each.type);
        put(out, static_cast<uint32_t>(each.shape.size()));
        for (int64_t size : each.shape) put(out, size);
    }
}

/// Reads no further than the end, whatever the checksum has promised.
struct Reader {
    const unsigned char *data;
    uint64_t left;

    template <typename Value> Value take() {
        Value value;
        if (left < sizeof value) throw Failure(SB_ERROR_INVALID_ARGUMENT, "the artefact ends too early");
        std::memcpy(&value, data, sizeof value);
        data += sizeof value;
        left -= sizeof value;
        return value;
    }

    std::vector<Signature> signatures() {
        std::vector<Signature> result;
        for (auto count = take<uint64_t>(); count > 0; --count) {
            Signature each;
            each.type = take<uint32_t>();
            for (auto rank = take<uint32_t>(); rank > 0; --rank) each.shape.push_back(take<int64_t>());
            result.push_back(std::move(each));
        }
        return result;
    }
};

} // namespace

std::string written(const Artefact &artefact, const sb_instance &instance) {
    std::string out(sizeof(Head), '\0');
    put(out, artefact.inputs);
    put(out, artefact.outputs);
    put(out, artefact.packed);
    out += artefact.blob;
    Head head{};
    std::memcpy(head.magic, magic, sizeof magic);
    head.version = formatVersion;
    head.bytes = out.size();
    head.build = checksum(instance.build);
    head.device = checksum(instance.identity);
    head.checksum = checksum(head, reinterpret_cast<const unsigned char *>(out.data()), out.size());
    std::memcpy(&out[0], &head, sizeof head);
    return out;
}

uint32_t judged(const void *data, uint64_t bytes, const sb_instance &instance) {
    Head head;
    if (bytes < sizeof head) return SB_ARTIFACT_DAMAGED;
    std::memcpy(&head, data, sizeof head);
    if (std::memcmp(head.magic, magic, sizeof magic) != 0 || head.bytes != bytes ||
        head.checksum != checksum(head, static_cast<const unsigned char *>(data), bytes))
        return SB_ARTIFACT_DAMAGED;
    if (head.version != formatVersion || head.build != checksum(instance.build)) return SB_ARTIFACT_OTHER_VERSION;
    return head.device == checksum(instance.identity) ? SB_ARTIFACT_COMPATIBLE : SB_ARTIFACT_OTHER_DEVICE;
}

Artefact read(const void *data, uint64_t bytes) {
    Reader reader{static_cast<const unsigned char *>(data) + sizeof(Head), bytes - sizeof(Head)};
    Artefact artefact;
    artefact.inputs = reader.signatures();
    artefact.outputs = reader.signatures();
    artefact.packed = reader.take<uint64_t>();
    artefact.blob.assign(reinterpret_cast<const char *>(reader.data), reader.left);
    return artefact;
}
