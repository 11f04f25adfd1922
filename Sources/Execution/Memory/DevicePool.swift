// SPDX-License-Identifier: Apache-2.0
import HardwareModel
package import Southbound
import Synchronization
package import Tensors

/// The memory of one device for all sessions that use it: blocks that are given back stay on the device, and serve the next plan.
///
/// Any thread may call it.
package final class DevicePool: Sendable {
    package struct Statistics: Sendable, Hashable {
        /// Of blocks that are lent now.
        package var inUseBytes = 0
        /// Of blocks that wait for the next plan.
        package var cachedBytes = 0
        /// The most that both together came to.
        package var peakBytes = 0
        /// Requests that the device served, and requests that a waiting block served.
        package var allocations = 0
        package var hits = 0
        /// How often all waiting blocks went back to the device because it had no more memory.
        package var trims = 0

        package init(inUseBytes: Int = 0, cachedBytes: Int = 0, peakBytes: Int = 0, allocations: Int = 0, hits: Int = 0, trims: Int = 0) {
            self.inUseBytes = inUseBytes
            self.cachedBytes = cachedBytes
            self.peakBytes = peakBytes
            self.allocations = allocations
            self.hits = hits
            self.trims = trims
        }
    }

    package let device: Device
    private let state = Mutex(State())

    private struct State {
        var cached: [Buffer] = []
        var lent: [ObjectIdentifier: (name: String, byteCount: Int)] = [:]
        var constants: [ConstantKey: WeakBlock] = [:]
        var statistics = Statistics()
    }

    private struct ConstantKey: Hashable {
        let address: Int
        let byteCount: Int
    }

    private struct WeakBlock: Sendable {
        weak var block: PoolBlock?
    }

    /// A waiting block may be larger than what is asked for by this share of the request.
    private static let mostWaste = 4

    private static let pools = Mutex<[ObjectIdentifier: WeakPool]>([:])
    private struct WeakPool: Sendable {
        weak var pool: DevicePool?
    }

    private init(_ device: Device) { self.device = device }

    /// The one pool of this opening of a device; it goes, with its memory, when nobody uses it any more.
    package static func shared(_ device: Device) -> DevicePool {
        pools.withLock { pools in
            if let pool = pools[ObjectIdentifier(device)]?.pool { return pool }
            pools = pools.filter { $0.value.pool != nil }
            let pool = DevicePool(device)
            pools[ObjectIdentifier(device)] = WeakPool(pool: pool)
            return pool
        }
    }

    package var statistics: Statistics { state.withLock { $0.statistics } }

    /// New or used memory; its contents are undefined. It is aligned as space 0 of the device says.
    ///
    /// - Parameter name: what it is for, as a person would call it.
    /// - Throws: if the device has no memory left even after all waiting blocks went back; the message says what holds it.
    package func allocate(byteCount: Int, name: String) throws(PluginError) -> PoolBlock {
        if let buffer = takeCached(byteCount) { return lend(buffer, name) }
        do throws(PluginError) {
            return lend(try newBuffer(byteCount), name)
        } catch {
            guard error.code == .outOfMemory else { throw error }
        }
        trim()
        do throws(PluginError) {
            return lend(try newBuffer(byteCount), name)
        } catch {
            guard error.code == .outOfMemory else { throw error }
            throw exhausted(asked: byteCount, name)
        }
    }

    /// A constant in the device's reach: the host's own bytes where the plugin can use them, else a copy. Plans that need the same bytes share it.
    package func constant(_ tensor: HostTensor, name: String) throws(PluginError) -> PoolBlock {
        let key = ConstantKey(address: Int(bitPattern: tensor.bytes.baseAddress), byteCount: tensor.byteCount)
        if tensor.byteCount > 0, let known = state.withLock({ $0.constants[key]?.block }) { return known }
        let block: PoolBlock
        if tensor.byteCount > 0, let buffer = try device.importHost(tensor.bytes, owner: tensor.owner) {
            block = PoolBlock(buffer, pool: nil, name: name, source: tensor)
        } else {
            let memory = try allocate(byteCount: max(tensor.byteCount, 1), name: name)
            if tensor.byteCount > 0 { try device.upload(tensor.bytes, to: memory.buffer, offset: 0) }
            memory.source = tensor
            block = memory
        }
        state.withLock { state in
            if state.constants.count > 64, state.constants.count.nonzeroBitCount == 1 {
                state.constants = state.constants.filter { $0.value.block != nil }
            }
            state.constants[key] = WeakBlock(block: block)
        }
        return block
    }

    /// Gives all waiting blocks back to the device, and returns how many bytes.
    @discardableResult
    package func trim() -> Int {
        // The buffers go outside the lock: freeing calls the plugin.
        let freed = state.withLock { state in
            let cached = state.cached
            state.cached = []
            state.statistics.cachedBytes = 0
            state.statistics.trims += 1
            return cached
        }
        return freed.reduce(0) { $0 + $1.byteCount }
    }

    /// The largest blocks that are lent now.
    package func holders(_ count: Int) -> [(name: String, byteCount: Int)] {
        state.withLock { Array($0.lent.values.sorted { ($1.byteCount, $0.name) < ($0.byteCount, $1.name) }.prefix(count)) }
    }

    /// Bytes that are free for one more plan, waiting blocks among them, as far as the device's description and its usage tell; nil where they do not.
    package func availableBytes() throws(PluginError) -> Int? {
        let capacity = device.model.spaces[0].capacityBytes
        guard capacity > 0 else { return nil }
        let statistics = statistics
        let used = try device.usage() ?? statistics.inUseBytes + statistics.cachedBytes
        return max(0, capacity - used + statistics.cachedBytes)
    }

    private func newBuffer(_ byteCount: Int) throws(PluginError) -> Buffer {
        let buffer = try device.allocate(byteCount: byteCount)
        state.withLock { $0.statistics.allocations += 1 }
        return buffer
    }

    private func takeCached(_ byteCount: Int) -> Buffer? {
        state.withLock { state in
            let fitting = state.cached.indices.filter {
                (byteCount...(byteCount + byteCount / Self.mostWaste)).contains(state.cached[$0].byteCount)
            }
            guard let best = fitting.min(by: { state.cached[$0].byteCount < state.cached[$1].byteCount }) else { return nil }
            let buffer = state.cached.remove(at: best)
            state.statistics.cachedBytes -= buffer.byteCount
            state.statistics.hits += 1
            return buffer
        }
    }

    private func lend(_ buffer: Buffer, _ name: String) -> PoolBlock {
        state.withLock { state in
            state.lent[ObjectIdentifier(buffer)] = (name, buffer.byteCount)
            state.statistics.inUseBytes += buffer.byteCount
            state.statistics.peakBytes = max(state.statistics.peakBytes, state.statistics.inUseBytes + state.statistics.cachedBytes)
        }
        return PoolBlock(buffer, pool: self, name: name)
    }

    fileprivate func giveBack(_ buffer: Buffer) {
        state.withLock { state in
            state.lent[ObjectIdentifier(buffer)] = nil
            state.cached.append(buffer)
            state.statistics.inUseBytes -= buffer.byteCount
            state.statistics.cachedBytes += buffer.byteCount
        }
    }

    private func exhausted(asked byteCount: Int, _ name: String) -> PluginError {
        let capacity = device.model.spaces[0].capacityBytes
        let whole = capacity > 0 ? "its \(Quantity.bytes.shown(capacity))" : "its memory"
        return PluginError(
            .outOfMemory, plugin: device.plugin.name,
            "\(device.name) has no room for \(Quantity.bytes.shown(byteCount)) (\(name)): of \(whole) are held \(holdings); "
                + "use a device with more memory or a smaller batch, or place nodes elsewhere with --place")
    }

    /// Who holds the device's memory, the largest first, for a person.
    package var holdings: String {
        let shown = holders(5)
        var parts = shown.map { "\(Quantity.bytes.shown($0.byteCount)) by \($0.name)" }
        let lent = statistics.inUseBytes
        let rest = lent - shown.reduce(0) { $0 + $1.byteCount }
        if rest > 0 { parts.append("\(Quantity.bytes.shown(rest)) by smaller ones") }
        if let usage = try? device.usage(), usage > lent + statistics.cachedBytes {
            parts.append(
                "\(Quantity.bytes.shown(usage - lent - statistics.cachedBytes)) by the plugin itself (packed weights and programs)")
        }
        return parts.isEmpty ? "nothing of this process" : parts.joined(separator: ", ")
    }
}

/// Memory of a device on loan from its pool; goes back with the last reference. No work that uses it may be in flight then.
package final class PoolBlock: @unchecked Sendable {
    package let buffer: Buffer
    package let name: String
    /// Nil for host memory that the device reads where it is.
    private let pool: DevicePool?
    /// What a constant is a copy of: as long as it lives nothing else has its address.
    fileprivate var source: HostTensor?

    fileprivate init(_ buffer: Buffer, pool: DevicePool?, name: String, source: HostTensor? = nil) {
        self.buffer = buffer
        self.pool = pool
        self.name = name
        self.source = source
    }

    deinit { pool?.giveBack(buffer) }

    /// Takes memory of the device.
    package var isOwn: Bool { pool != nil }
}
