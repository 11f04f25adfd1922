// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import ONNX
import Tensors
import Testing

/// Initialisers: viewed in the model's bytes or beside them, never copied; broken ones refused by name.
@Suite struct InitialiserTests {
    private let add = node("Add", ["x", "w"], ["y"])
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "southbridge-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder.appending(path: "inner"), withIntermediateDirectories: true)
    }

    private func refused(_ weight: Wire, inner: Bool = false) -> String? {
        defer { try? FileManager.default.removeItem(at: folder) }
        let place = inner ? folder.appending(path: "inner").path : folder.path
        return refusal(model(graph([add], initialisers: [weight])), folder: place)?.description
    }

    private func prefixed(_ reason: String) -> String { "initialiser 'w': \(reason)" }

    @Test(arguments: [0, 7, 9, 16]) func refusesWrongByteCounts(count: Int) {
        let reason =
            count == 0
            ? "its shape [2] asks for 2 elements, but it has no data"
            : "a tensor of type float32 and shape [2] takes 8 bytes, but \(count) are there"
        #expect(refused(tensor("w", [2]).data(9, [UInt8](repeating: 0, count: count))) == prefixed(reason))
    }

    @Test func refusesMoreThanOneDataField() {
        let both = tensor("w", [1]).packed(9, [1] as [Float]).packed(4, [1] as [Float])
        #expect(refused(both) == prefixed("it has more than one data field"))
        #expect(
            refused(tensor("w", type: 7, [1]).packed(4, [1] as [Float]))
                == prefixed("elements of type int64 cannot stand in float_data"))
    }

    @Test func refusesEnormousShapes() {
        let side = 1 << 40
        #expect(
            refused(tensor("w", [side, side]).data(9, [0]))
                == prefixed("its shape [\(side), \(side)] has more elements than can be counted"))
        #expect(
            refused(tensor("w", [side]).data(9, [0]))
                == prefixed("a tensor of type float32 and shape [\(side)] takes \(4 * side) bytes, but 1 are there"))
        #expect(
            refused(tensor("w", [side]).packed(4, [1] as [Float]))
                == prefixed("a tensor of type float32 and shape [\(side)] takes \(4 * side) bytes, but 4 are there"))
        #expect(
            refused(tensor("w", type: 7, [side]).int(7, 1))
                == prefixed("its shape [\(side)] does not fit the 1 numbers of its data"))
        #expect(refused(tensor("w", [-1]).data(9, [0])) == prefixed("its shape has the negative dimension -1"))
        #expect(refused(tensor("w", [Int.max]).data(9, [0]))?.hasPrefix("initialiser 'w': ") == true)
    }

    @Test func viewsRawData() throws {
        let weight = tensor("w", [2]).packed(9, [1, 2] as [Float])
        let path = folder.appending(path: "m.onnx").path
        try Data(model(graph([add], initialisers: [weight])).bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(at: folder) }
        let constant = try #require(try readModel(path: path).graph.constants.values.first)
        let file = try #require(constant.owner as? MappedFile)
        #expect(constant.decodedDoubles() == [1, 2])
        #expect(isInside(constant, file))
    }

    @Test func viewsExternalData() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let elements = (0..<1000).map(Float.init)
        try elements.withUnsafeBytes { try Data($0).write(to: folder.appending(path: "weights.bin")) }
        let weights = [("a", 0), ("b", 400)].map { name, offset in
            externalTensor(name, [2], [("location", "weights.bin"), ("offset", "\(offset)"), ("length", "8")])
        }
        let bytes = model(
            graph(
                [node("Add", ["a", "b"], ["c"], name: "1"), node("Add", ["x", "c"], ["y"], name: "2")],
                initialisers: weights)
        ).bytes
        let constants = try readModel(data: Data(bytes), folder: folder.path).graph.constants.values.sorted {
            $0.decodedDoubles()[0] < $1.decodedDoubles()[0]
        }
        #expect(constants.map { $0.decodedDoubles() } == [[0, 1], [100, 101]])
        let files = constants.compactMap { $0.owner as? MappedFile }
        #expect(files.count == 2 && files[0] === files[1])
        #expect(zip(constants, files).allSatisfy(isInside))
        #expect(UnsafeRawPointer(constants[1].bytes.baseAddress!) - constants[0].bytes.baseAddress! == 400)
    }

    @Test func refusesPathsThatLeaveTheFolder() throws {
        try Data(count: 8).write(to: folder.appending(path: "secret.bin"))
        try FileManager.default.createSymbolicLink(
            at: folder.appending(path: "inner/link.bin"), withDestinationURL: folder.appending(path: "secret.bin"))
        func external(_ location: String) -> Wire { externalTensor("w", [2], [("location", location)]) }
        let cases = [
            ("../secret.bin", "leaves the model's folder"), (folder.path + "/secret.bin", "leaves the model's folder"),
            ("a/../../secret.bin", "leaves the model's folder"), ("link.bin", "a link that leaves the model's folder"),
        ]
        defer { try? FileManager.default.removeItem(at: folder) }
        for (location, reason) in cases {
            let message = refusal(
                model(graph([add], initialisers: [external(location)])), folder: folder.appending(path: "inner").path)?
                .description
            #expect(
                message?.hasPrefix("initialiser 'w': its external data are in '\(location)', ") == true
                    && message?.hasSuffix(reason) == true)
        }
    }

    @Test func refusesMissingAndShortFiles() throws {
        try Data(count: 12).write(to: folder.appending(path: "short.bin"))
        defer { try? FileManager.default.removeItem(at: folder) }
        func refused(_ entries: (String, String)...) -> String? {
            refusal(model(graph([add], initialisers: [externalTensor("w", [2], entries)])), folder: folder.path)?
                .description
        }
        #expect(refused() == prefixed("its external data has no location"))
        #expect(
            refused(("location", "none.bin"))
                == prefixed("its external data are in 'none.bin': No such file or directory"))
        #expect(
            refused(("location", "inner")) == prefixed("its external data are in 'inner', which is not a regular file"))
        #expect(
            refused(("location", "short.bin"), ("offset", "8"))
                == prefixed("its external data are 8 bytes at offset 8 of 'short.bin', which has only 12 bytes"))
        #expect(
            refused(("location", "short.bin"), ("offset", "-8"))
                == prefixed("the offset '-8' of its external data is not a number of bytes"))
        #expect(
            refused(("location", "short.bin"), ("length", "12"))
                == prefixed("its external data in 'short.bin' has 12 bytes where type and shape ask for 8"))
        #expect(
            refused(("location", "short.bin"), ("offset", "\(Int.max)"))?.hasPrefix(
                "initialiser 'w': its external data are 8 bytes at offset") == true)
    }

    @Test func refusesExternalDataOfModelsInMemory() {
        #expect(
            refusal(model(graph([add], initialisers: [externalTensor("w", [2], [("location", "w.bin")])])))?.description
                == prefixed("its external data are in 'w.bin', but the model does not come from a file"))
    }

    private func isInside(_ tensor: HostTensor, _ file: MappedFile) -> Bool {
        guard let start = tensor.bytes.baseAddress, let first = file.bytes.baseAddress else { return false }
        return start >= first && start + tensor.byteCount <= first + file.bytes.count
    }
}
