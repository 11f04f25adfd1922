// SPDX-License-Identifier: Apache-2.0
import HardwareModel
import Tensors

/// The chips that come with the plugin.
enum BuiltInProfiles {
    static let models: [String: DeviceModel] = [
        "endpoint": model(
            "endpoint", cores: 1, tile: .init(m: 8, n: 8, k: 8), clock: 800_000_000, memory: 256 << 20, bandwidth: 4_000_000_000,
            l2: 512 << 10, l1: 128 << 10, accumulators: 32 << 10, vectors: 32 << 10, lanes: 8, link: 1_000_000_000),
        "edge": model(
            "edge", cores: 4, tile: .init(m: 16, n: 16, k: 16), clock: 1_000_000_000, memory: 8 << 30, bandwidth: 60_000_000_000,
            l2: 8 << 20, l1: 512 << 10, accumulators: 128 << 10, vectors: 128 << 10, lanes: 64, link: 8_000_000_000),
        "cloud": model(
            "cloud", cores: 24, tile: .init(m: 16, n: 16, k: 16), clock: 1_600_000_000, memory: 32 << 30, bandwidth: 1_200_000_000_000,
            l2: 64 << 20, l1: 1 << 20, accumulators: 256 << 10, vectors: 256 << 10, lanes: 64, link: 32_000_000_000),
    ]

    private static func model(
        _ name: String, cores: Int, tile: ComputeUnit.Tile, clock: Int, memory: Int, bandwidth: Int, l2: Int, l1: Int, accumulators: Int,
        vectors: Int, lanes: Int, link: Int
    ) -> DeviceModel {
        let perTile = Double(2 * tile.m * tile.n * tile.k)
        func scratch(_ name: String, _ bytes: Int, _ bandwidth: Int) -> MemorySpace {
            MemorySpace(
                name: name, kind: .scratch, isAllocatable: false, count: cores, capacityBytes: bytes,
                bandwidthBytesPerSecond: bandwidth * cores,
                latencyPicoseconds: 0)
        }
        return DeviceModel(
            id: "simulated-npu-\(name)", name: "simulated NPU, \(name)", family: .npu,
            spaces: [
                MemorySpace(
                    name: "device", kind: .device, capacityBytes: memory, bandwidthBytesPerSecond: bandwidth, latencyPicoseconds: 200_000),
                MemorySpace(
                    name: "l2", kind: .cache, isAllocatable: false, level: 2, capacityBytes: l2, bandwidthBytesPerSecond: 3 * bandwidth,
                    latencyPicoseconds: 100_000),
                scratch("l1", l1, clock * 128), scratch("accumulators", accumulators, clock * 256),
                scratch("vectors", vectors, clock * 256),
            ],
            units: [
                ComputeUnit(
                    name: "matrix", kind: .matrix, count: cores, clockHertz: clock, tile: tile,
                    rates: [
                        .init(dataType: "float16", accumulatorType: "float32", operationsPerCycle: perTile),
                        .init(dataType: "bfloat16", accumulatorType: "float32", operationsPerCycle: perTile),
                        .init(dataType: "int8", accumulatorType: "int32", operationsPerCycle: 2 * perTile),
                        .init(dataType: "uint8", accumulatorType: "int32", operationsPerCycle: 2 * perTile),
                    ]),
                ComputeUnit(
                    name: "vector", kind: .vector, count: cores, clockHertz: clock, tile: .init(m: 0, n: lanes, k: 0),
                    rates: [
                        .init(dataType: "float32", accumulatorType: "float32", operationsPerCycle: Double(lanes)),
                        .init(dataType: "float16", accumulatorType: "float32", operationsPerCycle: Double(2 * lanes)),
                    ]),
            ],
            links: [Link(kind: .host, bandwidthBytesPerSecond: link, latencyPicoseconds: 1_000_000)])
    }
}
