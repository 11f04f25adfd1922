// SPDX-License-Identifier: Apache-2.0
import Foundation
import Tensors
import Testing

@Suite struct SafetensorsFileTests {
    private func file(_ header: String, _ bytes: [UInt8], length: Int? = nil) -> Data {
        let header = Array(header.utf8)
        let size = UInt64(length ?? header.count)
        return Data((0..<8).map { UInt8(truncatingIfNeeded: size >> (8 * $0)) } + header + bytes)
    }

    private func refusal(_ data: Data) -> String {
        do {
            _ = try SafetensorsFile(data: data, source: "f")
            return "read"
        } catch { return error.description }
    }

    private let two =
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]},"__metadata__":{"k":"v"}}"#

    @Test func readsTensors() throws {
        let ones = [Float(1.5), -2].flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } }
        let read = try SafetensorsFile(data: file(two, ones + [0x21, 0x43, 0x05]), source: "f")
        #expect(Set(read.entries.keys) == ["a", "b"])
        #expect(try read.tensor("a").decodedDoubles() == [1.5, -2])
        #expect(try read.tensor("b", as: .uint4, shape: [5]).decodedIntegers() == [1, 2, 3, 4, 5])
        #expect(throws: TensorError.self) { try read.tensor("c") }
        #expect(throws: TensorError.self) { try read.tensor("a", as: .float64) }
        #expect(throws: TensorError.self) { try read.tensor("b", as: .uint4, shape: [9]) }
        #expect(throws: TensorError.self) { try SafetensorsFile(path: "/nonexistent") }
    }

    @Test(arguments: [
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}}"#, #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}"#, #"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#,
        #"{"a":{"dtype":"F32","shape":[2]}}"#, #"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}"#,
        #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}"#, #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#,
        #"{"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},"b":{"dtype":"U8","shape":[6],"data_offsets":[2,8]}}"#, "[]", "{", "",
    ]) func refusesDamagedHeaders(header: String) {
        #expect(refusal(file(header, [UInt8](repeating: 0, count: 8))).hasPrefix("f is not a safetensors file, or damaged: "))
    }

    @Test func refusesEveryPrefix() {
        let whole = file(two, [UInt8](repeating: 1, count: 11))
        for length in 0..<whole.count { #expect(refusal(whole.prefix(length)) != "read") }
        #expect(refusal(whole) == "read")
        #expect(refusal(file(two, [UInt8](repeating: 1, count: 11), length: .max)) != "read")
    }
}
