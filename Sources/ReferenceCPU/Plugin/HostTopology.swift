// SPDX-License-Identifier: Apache-2.0
import CHwloc
import CSouthbridge
import Glibc
import PluginKit
import ReferenceCPUKernels
import Tensors

/// What this machine is, from hwloc: cores that the process may use, caches, memory.
struct HostTopology: Sendable {
    struct Cache: Sendable {
        let level: Int
        let byteCount: Int
        let count: Int
    }

    let model: String
    /// Physical cores that the process may run on.
    let coreCount: Int
    /// Data and unified caches that belong to those cores, by level.
    let caches: [Cache]
    let memoryByteCount: Int

    /// Read once per process: it takes milliseconds, and hardware does not change.
    static let shared = read()

    private static func read() -> HostTopology {
        // A bare root may have no /sys; hwloc complains about that on standard error, and finds a machine without memory.
        guard access("/sys/devices/system/cpu", F_OK) == 0 else { return withoutHwloc }
        var topology: hwloc_topology_t?
        guard hwloc_topology_init(&topology) == 0, let topology else { return withoutHwloc }
        defer { hwloc_topology_destroy(topology) }
        guard hwloc_topology_load(topology) == 0 else { return withoutHwloc }
        let allowed = hwloc_bitmap_alloc()
        defer { hwloc_bitmap_free(allowed) }
        let isBound = hwloc_get_cpubind(topology, allowed, Int32(HWLOC_CPUBIND_PROCESS.rawValue)) == 0

        func objects(_ type: hwloc_obj_type_t) -> [hwloc_obj_t] {
            let count = hwloc_get_nbobjs_by_type(topology, type)
            return (0..<max(count, 0)).compactMap { hwloc_get_obj_by_type(topology, type, UInt32($0)) }
                .filter { !isBound || hwloc_bitmap_intersects($0.pointee.cpuset, allowed) != 0 }
        }
        let package = objects(HWLOC_OBJ_PACKAGE).first
        let model = package.flatMap { hwloc_obj_get_info_by_name($0, "CPUModel") }.map { String(cString: $0) } ?? "CPU"
        let coreCount = max(objects(HWLOC_OBJ_CORE).count, 1)
        let caches: [Cache] = [(1, HWLOC_OBJ_L1CACHE), (2, HWLOC_OBJ_L2CACHE), (3, HWLOC_OBJ_L3CACHE), (4, HWLOC_OBJ_L4CACHE)].compactMap {
            level, type in
            let found = objects(type)
            guard let first = found.first, let attributes = first.pointee.attr else { return nil }
            return Cache(level: level, byteCount: Int(attributes.pointee.cache.size), count: found.count)
        }
        let root = hwloc_get_root_obj(topology)
        let memory = root.map { Int($0.pointee.total_memory) } ?? physicalMemory
        return HostTopology(model: model, coreCount: coreCount, caches: caches, memoryByteCount: memory)
    }

    private static var withoutHwloc: HostTopology {
        HostTopology(model: "CPU", coreCount: max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1), caches: [], memoryByteCount: physicalMemory)
    }

    private static var physicalMemory: Int { sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) }
}

extension HostTopology {
    /// The device's description. `threadCount` cores of it are used.
    /// - Parameter measurement: without one, what the operating system does not tell is unknown.
    func description(threadCount: Int, _ measurement: HostMeasurement?) -> HardwareDescription {
        var hardware = HardwareDescription(id: "host-cpu", name: model, family: .cpu)
        hardware.driver = BLAS.shared?.version ?? ""
        var memory = HardwareDescription.Space(name: "memory", kind: .host, capacity: UInt64(memoryByteCount))
        memory.isAllocatable = true
        memory.isHostVisible = true
        memory.bandwidth = measurement?.bytesPerSecond ?? 0
        hardware.spaces = [memory]
        for cache in caches {
            var space = HardwareDescription.Space(name: "L\(cache.level)", kind: .cache, capacity: UInt64(cache.byteCount))
            space.level = UInt32(cache.level)
            space.count = UInt32(cache.count)
            hardware.spaces.append(space)
        }
        let bits = cpu_vector_bits()
        if bits > 0 {
            // One fused multiply-add a cycle and lane is certain; a second one of a core's ports differs between models.
            let ports = measurement?.ports ?? 1
            let clock = max(maximumClock, measurement?.clock ?? 0)
            var unit = HardwareDescription.Unit(name: "\(bits)-bit multiply-add", kind: .vector, count: UInt32(threadCount), clock: clock)
            unit.tile = (0, UInt32(bits / 32) * UInt32(ports), 0)
            unit.rates = [DataType.float32, .float64].map { type in
                let perCycle = 2 * ports * Int(bits) / type.bits
                return .init(dataType: type.rawValue, accumulatorType: type.rawValue, perCycle: Double(perCycle))
            }
            hardware.units = [unit]
        }
        return hardware
    }

    /// Hertz at which the first core may run, as the kernel tells; 0 if it does not.
    private var maximumClock: UInt64 {
        guard let file = fopen("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "r") else { return 0 }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 32)
        guard fgets(&text, 32, file) != nil else { return 0 }
        return UInt64(max(atoll(text), 0)) * 1000
    }
}
