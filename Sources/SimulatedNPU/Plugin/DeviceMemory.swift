// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginKit
import Synchronization

/// The memory of one opening of the chip: device addresses that the host cannot touch, and behind them bytes that only the simulator reaches.
///
/// Device addresses lie in a reserved range of the process's own address space, without access rights: a host that takes one for an address
/// of its own dies at once. The bytes lie `distance` further on, where the system provides only what is used. Before the bytes of every buffer there is room to
/// note the object that stands for it: the handle that the host gets is nothing but the device address.
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
    /// From a device address to the simulator's.
    fileprivate static let distance = 1 << 38
    /// Freed stretches from this size on go back to the system.
    private static let worthReturning = 1 << 18

    private let ledger: Ledger
    private let devices, bytes: UnsafeMutableRawPointer
    private let monitor = Monitor()
    /// Free stretches in ascending order; no two touch.
    private var free: [Range]
    private var used = 0

    init(ledger: Ledger) throws(PluginFailure) {
        self.ledger = ledger
        let capacity = ledger.capacity
        guard capacity <= Self.distance else { throw .unsupported("device memory of more than \(Self.distance) bytes cannot be simulated") }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let devices = mmap(nil, Self.distance + capacity, PROT_NONE, flags, -1, 0), devices != MAP_FAILED,
            mprotect(devices + Self.distance, capacity, PROT_READ | PROT_WRITE) == 0
        else { throw .outOfMemory("the system has no \(Self.distance + capacity) addresses for the device's memory") }
        self.devices = devices
        bytes = devices + Self.distance
        free = [Range(begin: 0, end: ledger.capacity)]
    }

    deinit {
        ledger.giveBack(used)
        munmap(devices, Self.distance + ledger.capacity)
    }

    func holds(_ buffer: NPUBuffer) -> Bool { buffer.memory === self }

    var usage: Int { monitor.locked { used } }

    /// The first free stretch that is large enough.
    func allocate(_ byteCount: UInt64, alignment: UInt64) throws(PluginFailure) -> NPUBuffer {
        let tooMuch = PluginFailure.outOfMemory(
            "\(byteCount) bytes are more than is left of the device's \(ledger.capacity) bytes of memory")
        guard byteCount <= UInt64(ledger.capacity), alignment <= UInt64(ledger.capacity) else { throw tooMuch }
        let size = roundUp(Int(byteCount), to: Self.alignment)
        let boundary = max(Int(alignment), Self.alignment)
        return try monitor.locked { () throws(PluginFailure) -> NPUBuffer in
            for index in free.indices {
                let range = free[index]
                let base = Int(bitPattern: devices)
                let begin = roundUp(base + range.begin + NPUBuffer.noteBytes, to: boundary) - base
                guard begin + size <= range.end else { continue }
                let place = Range(begin: begin - NPUBuffer.noteBytes, end: begin + size)
                guard ledger.reserve(place.end - place.begin) else { throw tooMuch }
                let rest = [Range(begin: range.begin, end: place.begin), Range(begin: place.end, end: range.end)]
                free.replaceSubrange(index...index, with: rest.filter { $0.begin < $0.end })
                used += place.end - place.begin
                return NPUBuffer(self, address: devices + begin, byteCount: Int(byteCount))
            }
            throw tooMuch
        }
    }

    fileprivate func release(_ buffer: NPUBuffer) {
        let begin = buffer.address - UnsafeRawPointer(devices) - NPUBuffer.noteBytes
        let size = NPUBuffer.noteBytes + roundUp(buffer.byteCount, to: Self.alignment)
        monitor.locked {
            used -= size
            ledger.giveBack(size)
            var place = Range(begin: begin, end: begin + size)
            if size >= Self.worthReturning {
                let (first, last) = (roundUp(begin, to: 4096), (begin + size) / 4096 * 4096)
                madvise(bytes + first, last - first, MADV_DONTNEED)
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

/// A stretch of device memory, given back with the object.
package final class NPUBuffer: Buffer, @unchecked Sendable {
    /// Before a buffer's bytes.
    fileprivate static let noteBytes = 64

    /// What the chip calls it, and what the host gets as a handle; no address of the host's.
    let address: UnsafeRawPointer
    let byteCount: Int
    fileprivate let memory: DeviceMemory

    fileprivate init(_ memory: DeviceMemory, address: UnsafeMutableRawPointer, byteCount: Int) {
        self.memory = memory
        self.address = UnsafeRawPointer(address)
        self.byteCount = byteCount
    }

    deinit { memory.release(self) }

    /// Where the simulator keeps the bytes.
    var bytes: UnsafeMutableRawPointer { UnsafeMutableRawPointer(mutating: address) + DeviceMemory.distance }

    package func makeHandle() -> OpaquePointer {
        (bytes - Self.noteBytes).storeBytes(of: Unmanaged.passRetained(self).toOpaque(), as: UnsafeMutableRawPointer.self)
        return OpaquePointer(address)
    }

    package static func behind(_ handle: OpaquePointer) -> NPUBuffer { note(handle).takeUnretainedValue() }
    package static func release(_ handle: OpaquePointer) { note(handle).release() }

    private static func note(_ handle: OpaquePointer) -> Unmanaged<NPUBuffer> {
        Unmanaged.fromOpaque((UnsafeRawPointer(handle) + DeviceMemory.distance - noteBytes).load(as: UnsafeRawPointer.self))
    }
}
