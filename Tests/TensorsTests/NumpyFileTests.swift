// SPDX-License-Identifier: Apache-2.0
import Foundation
import Tensors
import Testing

@Suite struct NumpyFileTests {
    /// Reads what `bytes` say; the file is gone afterwards, the mapping is not.
    private func read(_ bytes: some Sequence<UInt8>) throws(TensorError) -> HostTensor {
        let path = FileManager.default.temporaryDirectory.appending(path: "southbridge-\(UUID().uuidString).npy").path
        FileManager.default.createFile(atPath: path, contents: Data(bytes))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try readNumpy(path: path)
    }

    /// A file as NumPy itself writes it.
    private func file(_ header: String, version: UInt8 = 1, content: [UInt8] = []) -> [UInt8] {
        let text = Array((header + "\n").utf8)
        let length =
            version == 1
            ? [UInt8(text.count & 0xff), UInt8(text.count >> 8)]
            : [UInt8(text.count & 0xff), UInt8(text.count >> 8), 0, 0]
        return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text + content
    }

    private func header(_ descriptor: String, _ shape: String, fortran: Bool = false) -> String {
        "{'descr': '\(descriptor)', 'fortran_order': \(fortran ? "True" : "False"), 'shape': \(shape), }"
    }

    @Test(arguments: DataType.allCases.filter { $0 != .string }) func everyTypeSurvivesTheRoundTrip(type: DataType)
        throws
    {
        for shape in [[], [0, 4], [5], [2, 3, 2]] as [[Int]] {
            let source = try HostTensor(type, shape) { bytes in
                for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: 37 * index + 1) }
            }
            let written = type == .bool ? try HostTensor(.bool, shape, integers: source.decodedIntegers()) : source
            let copy = try read(try numpyData(written))
            #expect(copy.dataType == type && copy.shape == shape)
            // The last byte of packed types may have unused bits, which are zero in the copy.
            if type.bits >= 8 { #expect(copy.bytes.elementsEqual(written.bytes)) }
            #expect(copy.decodedDoubles().map(\.bitPattern) == written.decodedDoubles().map(\.bitPattern))
        }
    }

    @Test func stringsSurviveTheRoundTrip() throws {
        let source = try HostTensor(strings: ["", "größer", "𝄞", "abc"], shape: [2, 2])
        let copy = try read(try numpyData(source))
        #expect(copy.shape == [2, 2] && copy.strings == source.strings)
        #expect(try read(file(header("|S3", "(2,)"), content: Array("ab\0abc".utf8))).strings == ["ab", "abc"])
    }

    @Test(arguments: [1, 2, 3] as [UInt8]) func readsEveryVersion(version: UInt8) throws {
        let tensor = try read(file(header("<i2", "(2,)"), version: version, content: [1, 0, 255, 255]))
        #expect(tensor.dataType == .int16 && tensor.decodedIntegers() == [1, -1])
    }

    @Test func rearrangesFortranOrder() throws {
        let stored = (0..<24).map { UInt8($0) }
        let tensor = try read(file(header("|u1", "(2, 3, 4)", fortran: true), content: stored))
        var expected: [Int64] = []
        for i in 0..<2 { for j in 0..<3 { for k in 0..<4 { expected.append(Int64(i + 2 * j + 6 * k)) } } }
        #expect(tensor.shape == [2, 3, 4] && tensor.decodedIntegers() == expected)
        #expect(
            try read(file(header("|S1", "(2, 2)", fortran: true), content: Array("acbd".utf8))).strings == [
                "a", "b", "c", "d",
            ])
    }

    @Test func viewsTheFile() throws {
        let tensor = try read(try numpyData(try HostTensor(.float32, [2], [1, 2] as [Float])))
        #expect(tensor.owner is MappedFile)
        #expect(UInt(bitPattern: tensor.bytes.baseAddress) % 64 == 0)
    }

    @Test func refusesEveryPrefix() throws {
        let whole = try numpyData(try HostTensor(.float32, [2], [1, 2] as [Float]))
        for length in 0..<whole.count {
            #expect(throws: TensorError.self) { try read(whole.prefix(length)) }
        }
        #expect(throws: TensorError.self) { try read(whole + [0]) }
    }

    @Test(arguments: [
        "", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False, 'shape': (1",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4611686018427387904)}",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (4611686018427387904, 0)}",
        "{'descr': '<U9223372036854775807', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '|S0', 'fortran_order': True, 'shape': (9223372036854775807,)}",
        "{'descr': '', 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}   # southbridge: float64",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4,)}   # southbridge: bfloat16",
    ])
    func refusesHostileHeaders(text: String) {
        do throws(TensorError) {
            let tensor = try read(file(text, content: [0, 0, 0, 0]))
            Issue.record("read as \(tensor.dataType.name) \(tensor.shape)")
        } catch { #expect(error.description.contains(".npy: ")) }
    }

    @Test func refusesWhatIsNoArray() {
        #expect(throws: TensorError.self) { try read([]) }
        #expect(throws: TensorError.self) { try read(file(header("<f4", "(1,)"), version: 4, content: [0, 0, 0, 0])) }
        #expect(throws: TensorError.self) { try readNumpy(path: "/nonexistent.npy") }
        #expect(throws: TensorError.self) { try read([0x93] + Array("NUMPY".utf8) + [2, 0, 255, 255, 255, 255]) }
        // An element that its type cannot hold.
        #expect(throws: TensorError.self) {
            try read(file(header("|u1", "(1,)") + "  # southbridge: uint4", content: [16]))
        }
    }
}
