// SPDX-License-Identifier: Apache-2.0
import Foundation
import ONNX
import Tensors
import Testing

/// `TensorProto` in every field that the schema has for elements.
@Suite struct TensorFileTests {
    private func read(_ wire: Wire) throws -> HostTensor { try readTensor(data: Data(wire.bytes)).tensor }

    @Test func readsFloatsAndDoubles() throws {
        #expect(try read(tensor("t", type: 1, [2]).packed(4, [1.5, -2] as [Float])).decodedDoubles() == [1.5, -2])
        #expect(try read(tensor("t", type: 14, [1]).packed(4, [1.5, -2] as [Float])).decodedDoubles() == [1.5, -2])
        #expect(
            try read(tensor("t", type: 11, [2]).packed(10, [1e300, -2] as [Double])).decodedDoubles() == [1e300, -2])
        #expect(
            try read(tensor("t", type: 15, [1]).packed(10, [1e300, -2] as [Double])).decodedDoubles() == [1e300, -2])
        // Fields that are repeated instead of packed are legal too.
        #expect(try read(tensor("t", type: 1, [2]).float(4, 1.5).float(4, -2)).decodedDoubles() == [1.5, -2])
    }

    @Test(arguments: [
        (2, [0, 255]), (3, [-128, 127]), (4, [0, 65535]), (5, [-32768, 32767]), (6, [-2_147_483_648, 2_147_483_647]),
        (9, [0, 1]),
    ])
    func readsIntegersInInt32Data(type: Int, values: [Int]) throws {
        #expect(try read(tensor("t", type: type, [2]).ints(5, values)).decodedIntegers() == values.map(Int64.init))
    }

    @Test func readsBitPatternsInInt32Data() throws {
        #expect(try read(tensor("t", type: 10, [2]).ints(5, [0x3c00, 0xc000])).decodedDoubles() == [1, -2])
        #expect(try read(tensor("t", type: 16, [2]).ints(5, [0x3f80, 0xc000])).decodedDoubles() == [1, -2])
        #expect(try read(tensor("t", type: 17, [2]).ints(5, [0x38, 0xc0])).decodedDoubles() == [1, -2])
        // Two elements to a number, the first in the low bits; an odd count leaves the last high half unused.
        #expect(try read(tensor("t", type: 22, [3]).ints(5, [0xf1, 0x08])).decodedIntegers() == [1, -1, -8])
        #expect(try read(tensor("t", type: 21, [3]).ints(5, [0xf1, 0x08])).decodedIntegers() == [1, 15, 8])
        #expect(try read(tensor("t", type: 26, [4]).ints(5, [0b11_10_01_00])).decodedIntegers() == [0, 1, -2, -1])
    }

    @Test func readsWideIntegers() throws {
        #expect(try read(tensor("t", type: 7, [2]).ints(7, [Int.min, Int.max])).decodedIntegers() == [.min, .max])
        #expect(try read(tensor("t", type: 13, [2]).ints(11, [-1, 1])).decodedIntegers() == [-1, 1])
        #expect(try read(tensor("t", type: 12, [2]).ints(11, [0xffff_ffff, 1])).decodedIntegers() == [0xffff_ffff, 1])
    }

    @Test func readsStrings() throws {
        #expect(try read(tensor("t", type: 8, [2]).texts(6, ["", "größer"])).strings == ["", "größer"])
        #expect(throws: ONNXError.self) { try read(tensor("t", type: 8, [1]).data(6, [0xff])) }
        #expect(throws: ONNXError.self) { try read(tensor("t", type: 8, [2]).texts(6, ["one"])) }
        #expect(throws: ONNXError.self) { try read(tensor("t", type: 8, [1]).data(9, [0x61])) }
    }

    @Test func readsEmptyTensors() throws {
        #expect(try read(tensor("t", [0, 3])).shape == [0, 3])
        #expect(try read(tensor("t", type: 8, [0])).strings.isEmpty)
        #expect(try read(tensor("t", []).packed(9, [7] as [Float])).decodedDoubles() == [7])
    }

    @Test(arguments: [
        tensor("t", type: 0, [1]).ints(5, [1]), tensor("t", type: 99, [1]).ints(5, [1]),
        tensor("t", type: 2, [1]).ints(5, [256]),
        tensor("t", type: 3, [1]).ints(5, [-129]), tensor("t", type: 1, [2]).packed(4, [1] as [Float]),
        tensor("t", type: 1, [2]).data(4, [1, 2, 3]),
        tensor("t", type: 12, [1]).ints(11, [1 << 32]), tensor("t", type: 22, [3]).ints(5, [1, 2, 3]),
        tensor("t", type: 1, [1]),
    ])
    func refuses(wire: Wire) {
        #expect(throws: ONNXError.self) { try read(wire) }
    }

    @Test(arguments: DataType.allCases) func writesWhatItReads(type: DataType) throws {
        let source =
            type == .string
            ? try HostTensor(strings: ["a", "", "ß"], shape: [3])
            : try HostTensor(type, [3]) { bytes in
                for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: 37 * index + 1) }
            }
        let (name, copy) = try readTensor(data: try tensorProtoData(name: "t", source))
        #expect(name == "t" && copy.dataType == type && copy.shape == [3] && copy.strings == source.strings)
        #expect(copy.bytes.elementsEqual(source.bytes))
    }
}
