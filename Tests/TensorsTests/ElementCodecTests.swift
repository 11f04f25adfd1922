// SPDX-License-Identifier: Apache-2.0
import Foundation
import Tensors
import Testing

@Suite struct ElementCodecTests {
    static let small: [DataType] = [
        .float16, .bfloat16, .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz, .float4e2m1, .float8e8m0,
    ]

    /// Every code of the small float types, as a tensor.
    private func allCodes(_ type: DataType) throws -> HostTensor {
        let count = 1 << type.bits
        return try HostTensor(type, [count]) { target in
            for code in 0..<count {
                switch type.bits {
                case 16: target.storeBytes(of: UInt16(code), toByteOffset: 2 * code, as: UInt16.self)
                case 8: target[code] = UInt8(code)
                default: target[code / 2] |= UInt8(code << (4 * (code & 1)))
                }
            }
        }
    }

    @Test(arguments: small) func everyCodeSurvivesTheRoundTrip(type: DataType) throws {
        let codes = try allCodes(type)
        let values = codes.decodedDoubles()
        let again = try HostTensor(type, codes.shape, doubles: values)
        let isNaN = values.map(\.isNaN)
        for (index, (value, other)) in zip(values, again.decodedDoubles()).enumerated() where !isNaN[index] {
            #expect(value.bitPattern == other.bitPattern)
        }
        for index in values.indices where isNaN[index] { #expect(again.decodedDoubles()[index].isNaN) }
        if !isNaN.contains(true) { #expect(Data(codes.bytes) == Data(again.bytes)) }
    }

    /// Against the definition: between two neighbours everything goes to the nearer one, and the tie to the even code.
    @Test(arguments: small.dropLast()) func roundsToNearestEven(type: DataType) throws {
        let positive = (1 << (type.bits - 1))
        let values = try allCodes(type).decodedDoubles().prefix(positive).filter(\.isFinite)
        #expect(zip(values, values.dropFirst()).allSatisfy { $0 < $1 })
        var inputs: [Double] = []
        var expected: [Double] = []
        for code in 0..<(values.count - 1) {
            let (low, high) = (values[code], values[code + 1])
            let middle = (low + high) / 2
            let even = code % 2 == 0 ? low : high
            for (input, output) in [(middle.nextDown, low), (middle, even), (middle.nextUp, high), (low, low)] {
                inputs += [input, -input]
                expected += [output, -output]
            }
        }
        let rounded = try HostTensor(type, [inputs.count], doubles: inputs).decodedDoubles()
        #expect(rounded == expected)
    }

    @Test func overflowFollowsTheTypesRules() throws {
        let inputs: [Double] = [1e30, -1e30, .infinity, -.infinity, .nan, -0.0]
        func encoded(_ type: DataType, saturate: Bool) throws -> [UInt8] {
            let tensor = try HostTensor(type, [inputs.count], doubles: inputs, saturate: saturate)
            return withExtendedLifetime(tensor) { Array(tensor.bytes) }
        }
        #expect(try encoded(.float8e4m3fn, saturate: true) == [0x7E, 0xFE, 0x7E, 0xFE, 0x7F, 0x80])
        #expect(try encoded(.float8e4m3fn, saturate: false) == [0x7F, 0xFF, 0x7F, 0xFF, 0x7F, 0x80])
        #expect(try encoded(.float8e4m3fnuz, saturate: true) == [0x7F, 0xFF, 0x7F, 0xFF, 0x80, 0x00])
        #expect(try encoded(.float8e4m3fnuz, saturate: false) == [0x80, 0x80, 0x80, 0x80, 0x80, 0x00])
        #expect(try encoded(.float8e5m2, saturate: true) == [0x7B, 0xFB, 0x7B, 0xFB, 0x7E, 0x80])
        #expect(try encoded(.float8e5m2, saturate: false) == [0x7C, 0xFC, 0x7C, 0xFC, 0x7E, 0x80])
        #expect(try encoded(.float8e5m2fnuz, saturate: false) == [0x80, 0x80, 0x80, 0x80, 0x80, 0x00])
        #expect(try encoded(.float4e2m1, saturate: false) == [0xF7, 0xF7, 0x80])
        let halves = try HostTensor(.float16, [4], doubles: [65519.99, 65520, 1e-8, -0x1p-24]).elements(as: UInt16.self)
        #expect(halves == [0x7BFF, 0x7C00, 0x0000, 0x8001])
        let largest = Double(Float.greatestFiniteMagnitude)
        let brains = try HostTensor(.bfloat16, [2], doubles: [largest, 0x1.FEp127]).elements(as: UInt16.self)
        #expect(brains == [0x7F80, 0x7F7F])
    }

    @Test func scalesArePowersOfTwo() {
        #expect(ScaleFormat.encode(1, saturate: false) == 127)
        #expect(ScaleFormat.encode(1.5, saturate: false) == 128)
        #expect(ScaleFormat.encode(1.5, rounding: .down, saturate: false) == 127)
        #expect(ScaleFormat.encode(1.001, rounding: .up, saturate: false) == 128)
        #expect(ScaleFormat.encode(0, saturate: true) == 0)
        #expect(ScaleFormat.encode(0, saturate: false) == 255)
        #expect(ScaleFormat.encode(.infinity, saturate: true) == 254)
        #expect(ScaleFormat.encode(-1, saturate: true) == 255)
        #expect(ScaleFormat.encode(.nan, saturate: true) == 255)
        #expect(ScaleFormat.encode(1e300, saturate: false) == 255)
    }

    @Test(arguments: DataType.allCases.filter { $0.isInteger || $0 == .bool }) func integersWrap(type: DataType) throws {
        let values: [Int64] = [0, 1, -1, 2, 3, -2, 7, 8, -8, 127, 128, 255, 256, 1 << 31, .max, .min, 5]
        let tensor = try HostTensor(type, [values.count], integers: values)
        let decoded = tensor.decodedIntegers()
        for (value, result) in zip(values, decoded) {
            if type == .bool {
                #expect(result == (value == 0 ? 0 : 1))
            } else {
                let unused = Int64(64 - type.bits)
                let wrapped =
                    type.kind == .signedInteger
                    ? (value << unused) >> unused : Int64(bitPattern: (UInt64(bitPattern: value) << UInt64(unused)) >> UInt64(unused))
                #expect(result == wrapped)
            }
        }
        #expect(tensor.byteCount == type.byteCount(of: values.count))
    }

    @Test func wideTypesKeepTheirBits() throws {
        let doubles = [1.5, -0.0, .infinity, 1e-310]
        #expect(try HostTensor(.float64, [4], doubles: doubles).decodedDoubles().map(\.bitPattern) == doubles.map(\.bitPattern))
        #expect(try HostTensor(.complex64, [2], doubles: [1, 2, 3, 4]).decodedDoubles() == [1, 2, 3, 4])
        #expect(try HostTensor(.uint64, [1], integers: [-1]).decodedDoubles() == [0x1p64])
        #expect(throws: TensorError.self) { try HostTensor(.float32, [3], doubles: [1, 2]) }
        #expect(throws: TensorError.self) { try HostTensor(.string, [1], doubles: [1.0]) }
    }
}
