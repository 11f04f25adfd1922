// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginKit
import Synchronization

/// The memory of one opening of the chip: device addresses that the host cannot touch, and behind them bytes that only the simulator reaches.
///
/// Device addresses lie in a reserved range of the process's own address space, without access rights: a host that takes one for an address
/// of its own dies at once. The bytes lie a fixed distance behind them, and the system provides only what is used of them.
final class DeviceMemory: @unchecked Sendable {
    /// Bytes that all openings of a started plugin hold together.
    final class Ledger: Sendable {
        let capacity: Int
        private let reserved = Atomic<Int>(0)

        init(capacity: Int) { self.capacity = capacity }

        func reserve(_ bytes: Int) -> Bool {
            guard bytes <= capacity else { return false }
            if reserved.add(bytes, ordering: .relaxed).newValue <= capacity { return true }
            giveBack(bytes)
            return false
        }

        func giveBack(_ bytes: Int) { reserved.subtract(bytes, ordering: .relaxed) }
    }

    private struct Range {
        var begin, end: Int
    }

    static let alignment = 64
    /// Freed stretches from this size on go back to the system.
    private static let worthReturning = 1 << 18

    /// Before each buffer's bytes lies its size.
    fileprivate static let headerBytes = 64

    private let ledger: Ledger
    private let devices: UnsafeMutableRawPointer
    private let extent: Int
    private let monitor = Monitor()
    /// Free stretches in ascending order; no two touch.
    private var free: [Range]
    private var used = 0

    init(ledger: Ledger) throws(PluginFailure) {
        self.ledger = ledger
        // Room for as many headers as there can be buffers.
        extent = 2 * ledger.capacity + 1 << 20
        guard extent <= NPUBuffer.distance else {
            throw .outOfMemory("the simulator has no \(extent) addresses for \(ledger.capacity) bytes of device memory")
        }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let devices = mmap(nil, NPUBuffer.distance + extent, PROT_NONE, flags, -1, 0), devices != MAP_FAILED else {
            throw .outOfMemory("the system has no addresses for the device's \(ledger.capacity) bytes of memory")
        }
        guard mprotect(devices + NPUBuffer.distance, extent, PROT_READ | PROT_WRITE) == 0 else {
            munmap(devices, NPUBuffer.distance + extent)
            throw .outOfMemory("the system provides no memory for the device's \(ledger.capacity) bytes")
        }
        self.devices = devices
        free = [Range(begin: 0, end: extent)]
    }

    deinit {
        ledger.giveBack(used)
        munmap(devices, NPUBuffer.distance + extent)
    }

    var usage: Int { monitor.locked { used } }

    /// The first free stretch that is large enough.
    func allocate(_ byteCount: UInt64, alignment: UInt64) throws(PluginFailure) -> NPUBuffer {
        let tooMuch = PluginFailure.outOfMemory(
            "\(byteCount) bytes are more than is left of the device's \(ledger.capacity) bytes of memory")
        guard byteCount <= UInt64(ledger.capacity), alignment <= UInt64(ledger.capacity) else { throw tooMuch }
        let size = (Int(byteCount) + Self.alignment - 1) / Self.alignment * Self.alignment
        let boundary = max(Int(alignment), Self.alignment)
        return try monitor.locked { () throws(PluginFailure) -> NPUBuffer in
            for index in free.indices {
                let range = free[index]
                let base = Int(bitPattern: devices)
                let begin = (base + range.begin + Self.headerBytes + boundary - 1) / boundary * boundary - base
                guard begin + size <= range.end else { continue }
                guard ledger.reserve(size) else { throw tooMuch }
                let rest = [Range(begin: range.begin, end: begin - Self.headerBytes), Range(begin: begin + size, end: range.end)]
                free.replaceSubrange(index...index, with: rest.filter { $0.begin < $0.end })
                used += size
                let buffer = NPUBuffer(address: devices + begin)
                (buffer.bytes - Self.headerBytes).storeBytes(of: Int(byteCount), as: Int.self)
                return buffer
            }
            throw tooMuch
        }
    }

    func release(_ buffer: NPUBuffer) {
        let begin = buffer.address - devices - Self.headerBytes
        let size = (buffer.byteCount + Self.alignment - 1) / Self.alignment * Self.alignment
        monitor.locked {
            used -= size
            ledger.giveBack(size)
            var place = Range(begin: begin, end: begin + Self.headerBytes + size)
            if size >= Self.worthReturning {
                let (first, last) = ((begin + 4095) / 4096 * 4096, (begin + size) / 4096 * 4096)
                madvise(devices + NPUBuffer.distance + first, last - first, MADV_DONTNEED)
            }
            let after = firstFree(after: begin)
            var replaced = after..<after
            if after < free.count, free[after].begin == place.end {
                place.end = free[after].end
                replaced = after..<(after + 1)
            }
            if after > 0, free[after - 1].end == place.begin {
                place.begin = free[after - 1].begin
                replaced = (after - 1)..<replaced.upperBound
            }
            free.replaceSubrange(replaced, with: [place])
        }
    }

    private func firstFree(after offset: Int) -> Int {
        var (low, high) = (0, free.count)
        while low < high {
            let middle = (low + high) / 2
            if free[middle].begin > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// A stretch of device memory. Its handle is what the chip calls it: an address that is none of the host's.
package struct NPUBuffer: Buffer {
    /// From a device address to the simulator's bytes.
    static let distance = 1 << 39

    let address: UnsafeMutableRawPointer
    var bytes: UnsafeMutableRawPointer { address + Self.distance }
    var byteCount: Int { (bytes - DeviceMemory.headerBytes).load(as: Int.self) }

    package func makeHandle() -> OpaquePointer { OpaquePointer(address) }
    package static func behind(_ handle: OpaquePointer) -> NPUBuffer { NPUBuffer(address: UnsafeMutableRawPointer(handle)) }
    package static func release(_ handle: OpaquePointer) {}
}
