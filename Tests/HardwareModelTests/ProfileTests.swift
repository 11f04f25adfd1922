// SPDX-License-Identifier: Apache-2.0
import Foundation
import HardwareModel
import TestSupport
import Testing

/// The profiles that the project ships.
struct ProfileTests {
    static let names = ["endpoint", "edge", "cloud"]
    private let library = repository.appending(path: ".build/release/libsouthbridge_npu.so").path

    private func profile(_ name: String) throws -> DeviceModel { try HardwareProfile.read(name, of: "npu", besideLibraryAt: library) }

    @Test(arguments: names) func isFreeOfFaults(name: String) throws {
        let model = try profile(name)
        #expect(model.faults(deviceCount: 1) == [])
        #expect(model.contradictions == [])
        #expect(model.family == .npu)
    }

    @Test(arguments: names) func readsAsItIsWritten(name: String) throws {
        let model = try profile(name)
        #expect(try DeviceModel(yaml: model.yaml) == model)
        #expect(try JSONDecoder().decode(DeviceModel.self, from: JSONEncoder().encode(model)) == model)
    }

    /// Space 0 and the four on-chip memories, each unit in every core: what the simulated machine is made of.
    @Test(arguments: names) func hasTheParts(name: String) throws {
        let model = try profile(name)
        #expect(model.spaces.map(\.name) == ["device", "l2", "l1", "accumulators", "vectors"])
        #expect(model.units.map(\.kind) == [.matrix, .vector, .scalar])
        let cores = model.units[0].count
        #expect(model.units.allSatisfy { $0.count == cores } && model.spaces[2...].allSatisfy { $0.count == cores })
        #expect(model.units[0].rates.map(\.dataType) == ["float16", "bfloat16", "int8", "uint8"])
        #expect(model.layouts.first?.blockRows == model.units[0].tile.m)
    }

    @Test func isFoundInAnInstallationToo() throws {
        try withTemporaryFolder { prefix in
            let folder = prefix.appending(path: "share/southbridge/profiles/npu")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data("id: a\nname: mine\nfamily: npu\n".utf8).write(to: folder.appending(path: "tiny.yaml"))
            let library = prefix.appending(path: "lib/southbridge/libsouthbridge_npu.so").path
            #expect(try HardwareProfile.read("tiny", of: "npu", besideLibraryAt: library).name == "mine")
            let error = try #require(throws: DescriptionError.self) {
                try HardwareProfile.read("edge", of: "npu", besideLibraryAt: library)
            }
            #expect(error.message == "there is no profile 'edge'; there are tiny, or give a path to a file")
        }
    }

    @Test func namesWithASlashArePaths() throws {
        let file = repository.appending(path: "Conformance/profiles/npu/edge.yaml").path
        #expect(try HardwareProfile.read(file, of: "npu", besideLibraryAt: "/nowhere/lib.so").id == "simulated-npu-edge")
        let error = try #require(throws: DescriptionError.self) {
            try HardwareProfile.read("./none.yaml", of: "npu", besideLibraryAt: library)
        }
        #expect(error.description.contains("none.yaml: cannot be read"))
        #expect(throws: DescriptionError.self) { try HardwareProfile.read("edge", of: "npu", besideLibraryAt: "/nowhere/lib.so") }
    }
}
