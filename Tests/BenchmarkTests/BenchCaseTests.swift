// SPDX-License-Identifier: Apache-2.0
import Benchmark
import Conformance
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
    @Test(arguments: [
        ("MatMul/float32-512", 2.0 * 512 * 512 * 512, 3.0 * 512 * 512 * 4),
        ("MatMul/float16-1024", 2.0 * 1024 * 1024 * 1024, 3.0 * 1024 * 1024 * 2),
        // 112 x 112 outputs in 64 channels, each of 3 x 7 x 7 products.
        ("Conv/float32-resnet-stem-7x7", 2.0 * 112 * 112 * 64 * 147, 4.0 * (3 * 224 * 224 + 64 * 147 + 64 + 64 * 112 * 112)),
        ("Conv/float32-mobilenet-depthwise", 2.0 * 56 * 56 * 144 * 9, 4.0 * (2 * 144 * 56 * 56 + 144 * 9 + 144)),
        ("Add/float32-1M", 1_048_576, 3.0 * 4 * 1_048_576), ("Transpose/float32-2048x2048", 0, 2.0 * 4 * 2048 * 2048),
        ("Gather/float32-embedding-32000x1024", 0, 2.0 * 512 * 1024 * 4 + 512 * 8),
        // Both products: 12 heads, 128 by 64 by 128.
        ("Attention/float32-gpt2-128", 2.0 * 2 * 12 * 128 * 128 * 64, 4.0 * 4 * 12 * 128 * 64),
        ("MatMulInteger/uint8-512", 2.0 * 512 * 512 * 512, 2.0 * 512 * 512 + 4 * 512 * 512),
        ("ReduceSum/float32-rows-1024x4096", 1024 * 4096, 4.0 * (1024 * 4096 + 1024) + 8),
    ])
    func work(id: String, operations: Double, bytes: Double) throws {
        let testCase = try #require(operatorCases.first { $0.id == id })
        let work = try testCase.call(seed: 1).inference().work()
        #expect(work.operationCount == operations)
        #expect(work.bytes == bytes)
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
        #expect(try partInference.work().operationCount <= 4e7)
    }

    @Test func slices() throws {
        let tensor = try HostTensor(.int32, [2, 3, 2], integers: (0..<12).map(Int64.init))
        #expect(try tensor.slice(axis: 1, 1..<3).decodedIntegers() == [2, 3, 4, 5, 8, 9, 10, 11])
        #expect(try tensor.slice(axis: 0, 1..<2).decodedIntegers() == [6, 7, 8, 9, 10, 11])
        #expect(try tensor.slice(axis: 2, 0..<1).shape == [2, 3, 1])
    }
}
