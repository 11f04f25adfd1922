// SPDX-License-Identifier: Apache-2.0
import Compiler
import Conformance
import Execution
import Foundation
import Graph
import HardwareModel
import Operators
import Southbound
import Tensors

/// One operator on one device, ready to be timed: as many copies of its tensors as the last cache cannot hold, used in turn.
struct Contestant {
    let device: Device
    private let copies: [ResidentModel]
    private var next = 0
    /// Runs per sample, so that a sample is long against the clock's own noise.
    private var repeats = 1
    private(set) var host = Samples()
    private(set) var deviceClock = Samples()
    let first: Double

    /// Sums of what all copies take stay below this.
    private static let mostBytes = 2 << 30
    static let mostCopies = 64
    private static let shortestSample = 50e-6

    /// Throws an `ExecutionError` where the device has no kernel, or fails.
    init(_ call: OperatorCall, constants: Set<Int>, on device: Device, bytes: Double) throws {
        self.device = device
        let (graph, tensors) = call.graph(constants: constants)
        let inputs = Dictionary(uniqueKeysWithValues: zip(graph.inputs.map { graph[$0].name }, tensors))
        let clock = ContinuousClock()
        let start = clock.now
        let model = try Session(graph, devices: [device], rules: .asGiven).resident(inputs)
        _ = try model.run(times: 1)
        first = (clock.now - start) / .seconds(1)
        let wanted = Double(device.model.rotationBytes)
        let most = min(Self.mostCopies, Self.mostBytes / max(model.summary.byteCount, 1))
        let count = max(min(Int((wanted / max(bytes, 1)).rounded(.up)), most), 1)
        copies = [model] + (try (1..<max(count, 1)).map { _ in try Session(graph, devices: [device], rules: .asGiven).resident(inputs) })
        // Warm: code, tables and pools, and every copy touched once.
        for copy in copies { _ = try copy.run(times: 1) }
        let timing = try sampleTiming()
        repeats = max(1, Int((Self.shortestSample / max(timing, 1e-9)).rounded(.up)))
    }

    var kernels: [String] { copies[0].summary.nodes.map(\.kernel) }
    var memoryBytes: Int { copies[0].summary.byteCount }

    private mutating func sampleTiming() throws -> Double {
        next = (next + 1) % copies.count
        return Double(try copies[next].run(times: 1).total) * 1e-9
    }

    /// One sample. Returns the seconds of a run on the host's clock.
    mutating func sample() throws -> Double {
        var total: UInt64 = 0
        var onDevice: UInt64? = 0
        for _ in 0..<repeats {
            next = (next + 1) % copies.count
            let timing = try copies[next].run(times: 1)
            total += timing.total
            onDevice = onDevice.flatMap { sum in timing.device.map { sum + $0 } }
        }
        let seconds = Double(total) * 1e-9 / Double(repeats)
        host.add(seconds)
        if let onDevice { deviceClock.add(Double(onDevice) * 1e-9 / Double(repeats)) }
        return seconds
    }

    /// What the last run left.
    func outputs() throws -> [HostTensor] { try copies[next].outputs() }

    /// What the kernel that ran declares about its arithmetic.
    var facts: NumericFacts { copies[0].summary.nodes.first?.facts ?? .strict }
}

extension DeviceModel {
    /// Of the largest level of caches; 32 MiB where neither caches nor scratch memories are described, 0 where programs alone fill what is on the chip.
    var lastCacheBytes: Int {
        let caches = spaces.filter { $0.kind == .cache }.map { $0.capacityBytes * $0.count }
        return caches.max() ?? (spaces.contains(where: \.isOnChip) ? 0 : 32 << 20)
    }

    /// What tensors used in turn have to take together so that each comes from memory: the real cache may be larger than a virtual machine is told.
    var rotationBytes: Int { lastCacheBytes > 0 ? max(8 * lastCacheBytes, 256 << 20) : 0 }
}
