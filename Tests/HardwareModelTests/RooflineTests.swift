// SPDX-License-Identifier: Apache-2.0
import Foundation
import HardwareModel
import TestSupport
import Testing

/// The figures here are computed by hand from the shipped profiles.
struct RooflineTests {
    private let cloud: DeviceModel

    init() throws { cloud = try DeviceModel(yamlFile: repository.appending(path: "Conformance/profiles/npu/cloud.yaml")) }

    @Test func peaksAndRidge() throws {
        let roofline = cloud.roofline
        // 8192 operations x 24 cores x 1.5 GHz.
        #expect(roofline.peak(of: "float16") == 294.912e12)
        #expect(roofline.peak(of: "int8") == 589.824e12)
        #expect(roofline.peak(of: "float32") == 4.608e12)
        #expect(roofline.peak(of: "float64") == nil)
        #expect(roofline.ridge(of: "float16") == 245.76)
        #expect(roofline.attainable(at: 1, "float16") == 1.2e12)
        #expect(roofline.attainable(at: 1000, "float16") == 294.912e12)
        #expect(roofline.attainable(at: 2, "float64") == 2.4e12)
    }

    @Test func floorIsTheSlowerOfBoth() {
        let roofline = cloud.roofline
        #expect(roofline.floor(of: Work(operations: ["float16": 294.912e9], bytes: 1.2e6)) == 1e-3)
        #expect(roofline.floor(of: Work(operations: ["float16": 1], bytes: 1.2e9)) == 1e-3)
        #expect(roofline.floor(of: Work(operations: ["float64": 1e15])) == 0)
        #expect(Roofline(bytesPerSecond: 0, peaks: []).floor(of: Work(operations: ["float32": 1e15], bytes: 1e15)) == 0)
    }

    @Test func transfers() throws {
        // 1.5 us and 50 GB/s; 500 ns and 1.2 TB/s.
        #expect(try abs(#require(cloud.links[0].seconds(moving: 5e4)) - 2.5e-6) < 1e-18)
        #expect(try abs(#require(cloud.spaces[0].seconds(moving: 1.2e6)) - 1.5e-6) < 1e-18)
        #expect(Link(kind: .host).seconds(moving: 1) == nil)
        let derived = DerivedFigures(cloud)
        #expect(derived.transfers.map(\.over) == ["host", "device", "l2", "l1", "accumulators", "vectors"])
        #expect(derived.peaks[0].ridgeOperationsPerByte == 245.76)
    }

    @Test func worksAddUp() {
        let sum = Work(operations: ["float32": 1, "int8": 2], bytes: 3) + Work(operations: ["int8": 5], bytes: 4)
        #expect(sum == Work(operations: ["float32": 1, "int8": 7], bytes: 7))
        #expect(sum.dataType == "int8" && sum.operationCount == 8 && sum.intensity == 8.0 / 7)
    }

    /// The worked example of the documentation, with its figures.
    @Test func theDocumentedExample() throws {
        let text = try String(contentsOf: repository.appending(path: "docs/hardware-model.md"), encoding: .utf8)
        let block = try #require(text.components(separatedBy: "```yaml\n").dropFirst().first?.components(separatedBy: "```").first)
        var duo = try DeviceModel(yaml: block)
        #expect(duo.faults(deviceCount: 1) == [] && duo.contradictions == [])
        #expect(duo.roofline.ridge(of: "float16") == 320)
        let large = duo.roofline.floor(of: Work(operations: ["float16": 2 * 0x1p30], bytes: 6 * 0x1p20))
        #expect(abs(large - 131e-6) < 1e-6)
        let small = duo.roofline.floor(of: Work(operations: ["float16": 2 * 0x1p27], bytes: 6 * 0x1p18))
        #expect(abs(small - 31e-6) < 1e-6)
        duo.units[0].tile.k = 8
        let sentence = try #require(duo.contradictions.first)
        #expect(text.replacingOccurrences(of: "\n", with: " ").contains(sentence))
    }
}
