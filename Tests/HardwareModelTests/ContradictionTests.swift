// SPDX-License-Identifier: Apache-2.0
import Foundation
import HardwareModel
import TestSupport
import Testing

/// Each change to a sound description leads to one sentence that names what to change.
struct ContradictionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let change: @Sendable (inout DeviceModel) -> Void
        let sentence: String
        var testDescription: String { sentence }
    }

    private static let cases = [
        Case(
            change: { $0.spaces[1].bandwidthBytesPerSecond = 1_000_000_000_000 },
            sentence: "memory 'device' moves 1.2 TB/s, but 'l2' before it only 1 TB/s: lower spaces[0].bandwidthBytesPerSecond or raise "
                + "spaces[1].bandwidthBytesPerSecond, which counts all 1 of them together"),
        Case(
            change: { $0.spaces[2].bandwidthBytesPerSecond = 4_000_000_000_000 },
            sentence: "memory 'l2' moves 4.8 TB/s, but 'l1' before it only 4 TB/s: lower spaces[1].bandwidthBytesPerSecond or raise "
                + "spaces[2].bandwidthBytesPerSecond, which counts all 24 of them together"),
        Case(
            change: { $0.spaces[3].latencyPicoseconds = 200_000 },
            sentence: "memory 'accumulators' answers after 200 ns, later than 'l2' behind it, 120 ns: lower spaces[3].latencyPicoseconds"),
        Case(
            change: { $0.links[0].bandwidthBytesPerSecond = 2_000_000_000_000 },
            sentence: "the link to the host moves 2 TB/s, more than memory 'device' at its end, 1.2 TB/s: lower "
                + "links[0].bandwidthBytesPerSecond or raise spaces[0].bandwidthBytesPerSecond"),
        Case(
            change: { $0.units[1].clockHertz = 0 },
            sentence: "unit 'vector' has rates per cycle but no clock: set units[1].clockHertz"),
        Case(
            change: { $0.units[0].rates[0].operationsPerCycle = 16385 },
            sentence: "unit 'matrix' does 16385 operations a cycle on float16, but its tile of 16 x 16 x 32 holds 2 x m x n x k = 16384: "
                + "lower units[0].rates[0].operationsPerCycle or enlarge units[0].tile"),
        Case(
            change: { $0.units[1].rates[1].operationsPerCycle = 512 },
            sentence:
                "unit 'vector' does 512 operations a cycle on float16, but its 64 lanes of 32 bits hold 256, a multiply-add counted as "
                + "two: lower units[1].rates[1].operationsPerCycle or raise units[1].tile.n"),
        Case(
            change: { $0.spaces[2].capacityBytes = 4095 },
            sentence: "the float16 operands of two tiles of unit 'matrix' take 4096 bytes, but memory 'l1' holds 4095: raise "
                + "spaces[2].capacityBytes or shrink units[0].tile"),
        Case(
            change: { $0.spaces[3].capacityBytes = 2047 },
            sentence: "the float32 sums of two tiles of unit 'matrix' take 2048 bytes, but memory 'accumulators' holds 2047: raise "
                + "spaces[3].capacityBytes or shrink units[0].tile"),
        Case(
            change: { $0.spaces.removeSubrange(1...) },
            sentence:
                "unit 'matrix' multiplies tiles but there is no on-chip memory to keep them in: add a space of kind scratch (or cache)"),
        Case(
            change: { $0.spaces[2].count = 23 },
            sentence:
                "there are 24 units 'matrix' but 23 memories 'l1', so that they cannot be shared out evenly: change units[0].count or "
                + "spaces[2].count"),
        Case(change: { $0.spaces[2].name = "l2" }, sentence: "spaces has the name 'l2' twice: give each its own"),
        Case(change: { $0.units[2].name = "vector" }, sentence: "units has the name 'vector' twice: give each its own"),
        Case(
            change: { $0.layouts.append(Layout(name: "other", value: 1, blockRows: 8, blockColumns: 8)) },
            sentence: "layouts has the value 1 twice: tensors could not say which they are in"),
        Case(
            change: { $0.units[0].rates.append($0.units[0].rates[2]) },
            sentence: "unit 'matrix' has two rates for int8 into int32: keep one in units[0].rates"),
    ]

    private func cloud() throws -> DeviceModel {
        try DeviceModel(yamlFile: repository.appending(path: "Conformance/profiles/npu/cloud.yaml"))
    }

    @Test(arguments: cases) func explains(example: Case) throws {
        var model = try cloud()
        example.change(&model)
        #expect(model.contradictions.contains(example.sentence), "\(model.contradictions)")
    }

    /// Half of a GPU's tensor cores share a memory, and a CPU's caches feed its tiles.
    @Test func acceptsWhatRealChipsAre() {
        let gpu = DeviceModel(
            id: "g", name: "g", family: .gpgpu,
            spaces: [
                MemorySpace(name: "hbm", kind: .device, bandwidthBytesPerSecond: 2_000_000_000_000),
                MemorySpace(name: "shared", kind: .scratch, isAllocatable: false, level: 1, count: 108, capacityBytes: 164 << 10),
            ],
            units: [
                ComputeUnit(
                    name: "tensor", kind: .matrix, count: 432, clockHertz: 1_410_000_000, tile: .init(m: 8, n: 4, k: 8),
                    rates: [.init(dataType: "float16", accumulatorType: "float32", operationsPerCycle: 512)])
            ])
        #expect(gpu.contradictions == [])
        let cpu = DeviceModel(
            id: "c", name: "c", family: .cpu,
            spaces: [
                MemorySpace(name: "memory", kind: .host), MemorySpace(name: "L1", kind: .cache, isAllocatable: false, level: 1, count: 6),
            ],
            units: [ComputeUnit(name: "amx", kind: .matrix, count: 4, clockHertz: 2_000_000_000, tile: .init(m: 16, n: 16, k: 64))])
        #expect(cpu.contradictions == [])
    }
}
