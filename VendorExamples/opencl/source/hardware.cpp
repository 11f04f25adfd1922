// SPDX-License-Identifier: Apache-2.0
#include "hardware.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>

namespace {

template <typename Value> Value info(cl_device_id device, cl_device_info what) {
    Value value{};
    clGetDeviceInfo(device, what, sizeof value, &value, nullptr);
    return value;
}

std::string text(cl_device_id device, cl_device_info what) {
    size_t bytes = 0;
    if (clGetDeviceInfo(device, what, 0, nullptr, &bytes) != CL_SUCCESS || bytes == 0) return {};
    std::string value(bytes, '\0');
    clGetDeviceInfo(device, what, bytes, value.data(), nullptr);
    value.resize(value.find_last_not_of(std::string(" \0", 2)) + 1);
    return value;
}

std::string platform_text(cl_device_id device, cl_platform_info what) {
    cl_platform_id platform = info<cl_platform_id>(device, CL_DEVICE_PLATFORM);
    char value[1024] = "";
    clGetPlatformInfo(platform, what, sizeof value - 1, value, nullptr);
    return value;
}

sb_string view(const std::string &text) {
    return {text.data(), text.size()};
}

// By the device's UUID, else by its place on the bus; empty if it tells neither.
std::string hardware_id(cl_device_id device, const std::string &extensions) {
    constexpr cl_device_info uuid_khr = 0x106A, pci_bus_nv = 0x4008, pci_slot_nv = 0x4009;
    char text[64] = "";
    unsigned char uuid[16];
    cl_uint bus, slot;
    if (extensions.find("cl_khr_device_uuid") != std::string::npos &&
        clGetDeviceInfo(device, uuid_khr, sizeof uuid, uuid, nullptr) == CL_SUCCESS) {
        for (int i = 0; i < 16; ++i) snprintf(text + 2 * i, 3, "%02x", uuid[i]);
    } else if (clGetDeviceInfo(device, pci_bus_nv, sizeof bus, &bus, nullptr) == CL_SUCCESS &&
               clGetDeviceInfo(device, pci_slot_nv, sizeof slot, &slot, nullptr) == CL_SUCCESS) {
        snprintf(text, sizeof text, "pci-%x-%x", bus, slot);
    }
    return text;
}

// Puts back the signal handlers that a driver replaces when it is loaded.
class SignalHandlers {
  public:
    SignalHandlers() {
        for (int number = 1; number < count; ++number) known[number] = sigaction(number, nullptr, &actions[number]) == 0;
        pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    }
    ~SignalHandlers() {
        for (int number = 1; number < count; ++number)
            if (known[number]) sigaction(number, &actions[number], nullptr);
        pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    }

  private:
    static constexpr int count = 32;
    struct sigaction actions[count];
    bool known[count] = {};
    sigset_t mask;
};

std::deque<Hardware> find() {
    SignalHandlers kept;
    std::deque<Hardware> found;
    cl_uint count = 0;
    if (clGetPlatformIDs(0, nullptr, &count) != CL_SUCCESS) return found;
    std::vector<cl_platform_id> platforms(count);
    clGetPlatformIDs(count, platforms.data(), nullptr);
    for (cl_platform_id platform : platforms) {
        if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, nullptr, &count) != CL_SUCCESS) continue;
        std::vector<cl_device_id> devices(count);
        clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, devices.data(), nullptr);
        // Of the embedded profile less precision is asked than the kernels declare.
        for (cl_device_id device : devices)
            if (text(device, CL_DEVICE_PROFILE) == "FULL_PROFILE" && info<cl_bool>(device, CL_DEVICE_AVAILABLE) &&
                info<cl_bool>(device, CL_DEVICE_COMPILER_AVAILABLE) && info<cl_bool>(device, CL_DEVICE_ENDIAN_LITTLE))
                found.emplace_back(device);
    }
    // Twins that tell nothing of themselves are numbered.
    std::map<std::string, int> seen;
    for (Hardware &hardware : found) {
        int number = seen[hardware.id]++;
        if (number) hardware.id += "-" + std::to_string(number);
        hardware.describe();
    }
    return found;
}

} // namespace

Hardware::Hardware(cl_device_id device) : device(device) {
    std::string extensions = text(device, CL_DEVICE_EXTENSIONS);
    name = text(device, CL_DEVICE_NAME);
    std::string platform = platform_text(device, CL_PLATFORM_NAME);
    id = hardware_id(device, extensions);
    if (id.empty()) id = platform + "/" + name;
    driver = platform_text(device, CL_PLATFORM_VERSION) + ", driver " + text(device, CL_DRIVER_VERSION);
    build = platform + "\n" + driver + "\n" + name + "\n" + text(device, CL_DEVICE_VERSION);
    capacity = info<cl_ulong>(device, CL_DEVICE_GLOBAL_MEM_SIZE);
    largest = std::min<uint64_t>(capacity, info<cl_ulong>(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE));
    alignment = std::max(1u, info<cl_uint>(device, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8);
    largest_group = info<size_t>(device, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    local_memory = info<cl_ulong>(device, CL_DEVICE_LOCAL_MEM_SIZE);
    unit_count = info<cl_uint>(device, CL_DEVICE_MAX_COMPUTE_UNITS);
    is_cpu = info<cl_device_type>(device, CL_DEVICE_TYPE) & CL_DEVICE_TYPE_CPU;
    auto single = info<cl_device_fp_config>(device, CL_DEVICE_SINGLE_FP_CONFIG);
    has_exact_division = single & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT;
    keeps_denormals = single & CL_FP_DENORM;
    auto twice = info<cl_device_fp_config>(device, CL_DEVICE_DOUBLE_FP_CONFIG);
    has_float64 = twice != 0;
    keeps_denormals_of_float64 = !has_float64 || twice & CL_FP_DENORM;
}

void Hardware::describe() {
    bool is_unified = info<cl_bool>(device, CL_DEVICE_HOST_UNIFIED_MEMORY);
    memory.size = sizeof memory;
    memory.name = SB_STRING("global");
    memory.kind = SB_SPACE_DEVICE;
    memory.flags = SB_SPACE_FLAG_ALLOCATABLE;
    memory.capacity = capacity;
    memory.largest = largest;
    memory.alignment = alignment;
    spaces = {&memory};
    cache.size = sizeof cache;
    cache.name = SB_STRING("cache of global memory");
    cache.kind = SB_SPACE_CACHE;
    cache.level = 2;
    cache.capacity = info<cl_ulong>(device, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE);
    if (cache.capacity) spaces.push_back(&cache);
    unit.size = sizeof unit;
    unit.name = SB_STRING("compute unit");
    unit.kind = SB_UNIT_VECTOR;
    unit.count = unit_count;
    unit.clock = 1000000ull * info<cl_uint>(device, CL_DEVICE_MAX_CLOCK_FREQUENCY);
    unit.tile_n = info<cl_uint>(device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    scratch.size = sizeof scratch;
    scratch.name = SB_STRING("local");
    scratch.kind = SB_SPACE_SCRATCH;
    scratch.capacity = local_memory;
    scratch.count = unit.count;
    if (info<cl_device_local_mem_type>(device, CL_DEVICE_LOCAL_MEM_TYPE) == CL_LOCAL) spaces.push_back(&scratch);
    link.size = sizeof link;
    link.kind = SB_LINK_HOST;

    table.size = sizeof table;
    table.id = view(id);
    table.name = view(name);
    table.family = is_cpu ? SB_FAMILY_CPU : SB_FAMILY_GPGPU;
    table.driver = view(driver);
    table.spaces = spaces.data();
    table.space_count = spaces.size();
    table.units = units;
    table.unit_count = 1;
    table.links = links;
    table.link_count = is_unified ? 0 : 1;
}

const std::deque<Hardware> &all_hardware() {
    static const std::deque<Hardware> hardware = find();
    return hardware;
}
