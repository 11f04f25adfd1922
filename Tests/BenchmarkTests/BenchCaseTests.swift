// SPDX-License-Identifier: Apache-2.0
import Benchmark
import Conformance
import Graph
import HardwareModel
import Operators
import Tensors
import Testing

struct BenchCaseTests {
    @Test func idsAreUnique() {
        let ids = operatorCases.map(\.id)
        #expect(Set(ids).count == ids.count && ids.count > 50)
    }

    /// Operations and bytes by hand.
    private static let works: [(id: String, operations: Int, bytes: Int)] = [
        ("MatMul/float32-512", 268_435_456, 3 * 1_048_576), ("MatMul/float16-1024", 2_147_483_648, 3 * 2_097_152),
        // 112 x 112 outputs in 64 channels, each of 3 x 7 x 7 products; 150528 inputs, 9408 weights, 64 biases, 802816 outputs.
        ("Conv/float32-resnet-stem-7x7", 2 * 802_816 * 147, 4 * 962_816),
        // 451584 outputs of 9 products each.
        ("Conv/float32-mobilenet-depthwise", 8_128_512, 4 * 904_608), ("Add/float32-1M", 1_048_576, 12 * 1_048_576),
        ("Transpose/float32-2048x2048", 0, 8 * 4_194_304), ("Gather/float32-embedding-32000x1024", 0, 8 * 524_288 + 4096),
        // Both products: 12 heads, 128 by 64 by 128.
        ("Attention/float32-gpt2-128", 50_331_648, 16 * 98_304), ("MatMulInteger/uint8-512", 268_435_456, 6 * 262_144),
        ("ReduceSum/float32-rows-1024x4096", 4_194_304, 4 * 4_195_328 + 8),
    ]

    @Test(arguments: works) func work(id: String, operations: Int, bytes: Int) throws {
        let testCase = try #require(operatorCases.first { $0.id == id })
        let work = try testCase.call(seed: 1).inference().work()
        #expect(work.operationCount == Double(operations))
        #expect(work.bytes == Double(bytes))
    }

    /// The part of each output that is judged is what the operator gives for the part of its inputs: on a case made small, by the reference in whole and in part.
    @Test(arguments: operatorCases) func partFollowsFromParts(testCase: BenchCase) throws {
        let call = try testCase.call(seed: 3)
        let inference = try call.inference()
        let type = try #require(inference.concreteType(inference.graph.outputs[0]))
        let output = try HostTensor(type.dataType, type.shape)
        let operations = try inference.work().operationCount
        let random = CounterRandom(seed: 3, case: testCase.id, tensor: "check")
        let (part, actual) = try testCase.sampled(call, output: output, operations: operations, random: random)
        let partInference = try part.inference()
        let partType = try #require(partInference.concreteType(partInference.graph.outputs[0]))
        #expect(partType == ConcreteType(actual.dataType, actual.shape))
        #expect(try partInference.work().operationCount <= 1e8)
    }

    @Test func slices() throws {
        let tensor = try HostTensor(.int32, [2, 3, 2], integers: (0..<12).map(Int64.init))
        #expect(try tensor.slice(axis: 1, 1..<3).decodedIntegers() == [2, 3, 4, 5, 8, 9, 10, 11])
        #expect(try tensor.slice(axis: 0, 1..<2).decodedIntegers() == [6, 7, 8, 9, 10, 11])
        #expect(try tensor.slice(axis: 2, 0..<1).shape == [2, 3, 1])
    }
}
