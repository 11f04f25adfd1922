// SPDX-License-Identifier: Apache-2.0
import Glibc
package import PluginKit
import Synchronization

/// An opening of the CPU: host memory, work done by the calling thread and the plugin's thread pool.
package final class CPUDevice: Device {
    package let pool: ThreadPool
    package let products: MatrixProduct
    private let ledger: MemoryLedger
    private let spaceCount: Int
    private let allocated = Atomic<Int>(0)

    init(pool: ThreadPool, products: MatrixProduct, ledger: MemoryLedger, spaceCount: Int) {
        self.pool = pool
        self.products = products
        self.ledger = ledger
        self.spaceCount = spaceCount
    }

    package func allocate(space: Int, bytes: UInt64, alignment: UInt64) throws(PluginFailure) -> CPUBuffer {
        guard space == 0 else { throw .invalid("memory space \(space) cannot be allocated; only space 0 can") }
        guard let byteCount = Int(exactly: bytes), let boundary = Int(exactly: alignment), ledger.reserve(byteCount) else {
            throw .outOfMemory("\(bytes) bytes are more than is left of the machine's \(ledger.capacity) bytes of memory")
        }
        var address: UnsafeMutableRawPointer?
        guard posix_memalign(&address, max(boundary, MemoryLayout<Int>.alignment), byteCount) == 0, let address else {
            ledger.giveBack(byteCount)
            throw .outOfMemory("the system has no \(bytes) bytes of memory aligned to \(alignment)")
        }
        allocated.add(byteCount, ordering: .relaxed)
        return CPUBuffer(address: address, byteCount: byteCount, isImported: false)
    }

    package func importHost(_ address: UnsafeMutableRawPointer, bytes: UInt64) throws(PluginFailure) -> CPUBuffer {
        guard let byteCount = Int(exactly: bytes) else { throw .invalid("\(bytes) bytes of host memory cannot be") }
        return CPUBuffer(address: address, byteCount: byteCount, isImported: true)
    }

    package func free(_ buffer: CPUBuffer) {
        guard !buffer.isImported else { return }
        Glibc.free(buffer.address)
        allocated.subtract(buffer.byteCount, ordering: .relaxed)
        ledger.giveBack(buffer.byteCount)
    }

    package func hostAddress(of buffer: CPUBuffer) -> UnsafeMutableRawPointer { buffer.address }

    package func copy(
        _ bytes: UInt64, from source: Location<CPUBuffer>, to destination: Location<CPUBuffer>, on stream: InlineStream?
    ) throws(PluginFailure) {
        let (from, to) = (try address(source, bytes), try address(destination, bytes))
        memcpy(to, from, Int(bytes))
    }

    package func fill(_ bytes: UInt64, of destination: Location<CPUBuffer>, with byte: UInt8, on stream: InlineStream?)
        throws(PluginFailure)
    {
        memset(try address(destination, bytes), Int32(byte), Int(bytes))
    }

    package func usage(ofSpace space: Int) throws(PluginFailure) -> UInt64 {
        guard space < spaceCount else { throw .invalid("there is no memory space \(space)") }
        return space == 0 ? UInt64(allocated.load(ordering: .relaxed)) : 0
    }

    /// Where `bytes` bytes may be read or written. Throws if they reach past the end of a buffer.
    private func address(_ location: Location<CPUBuffer>, _ bytes: UInt64) throws(PluginFailure) -> UnsafeMutableRawPointer {
        switch location {
        case .host(let address): return address
        case .buffer(let buffer, let offset):
            let (end, overflow) = offset.addingReportingOverflow(bytes)
            guard !overflow, end <= UInt64(buffer.byteCount) else {
                throw .invalid("\(bytes) bytes at offset \(offset) reach past the end of a buffer of \(buffer.byteCount) bytes")
            }
            return buffer.address + Int(offset)
        }
    }
}

/// Host memory: the plugin's own, or imported.
package final class CPUBuffer: Buffer, @unchecked Sendable {
    let address: UnsafeMutableRawPointer
    let byteCount: Int
    let isImported: Bool

    init(address: UnsafeMutableRawPointer, byteCount: Int, isImported: Bool) {
        self.address = address
        self.byteCount = byteCount
        self.isImported = isImported
    }
}

/// Bytes that all openings of one started plugin hold together, never more than the machine's memory: without it the system would promise
/// memory that it does not have, and kill the process at the first touch.
final class MemoryLedger: Sendable {
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
