// SPDX-License-Identifier: Apache-2.0
import Glibc
import SimulatedNPUMachine
import Testing

/// The vector unit's arithmetic, against the C library's in float64 and against Swift's own conversions.
@Suite struct VectorUnitTests {
    /// Elements in memory, and how an instruction reads them.
    private struct Values {
        let bytes: [UInt8]
        let type: npu_type
        let count: Int

        init<Element: BitwiseCopyable>(_ elements: [Element], _ type: npu_type) {
            bytes = elements.withUnsafeBytes(Array.init)
            self.type = type
            count = elements.count
        }
    }

    /// Runs one instruction over `rows` rows; operands without constants are dense.
    private func run<Result: BitwiseCopyable>(
        _ operation: npu_vector_operation, _ operands: [Values], to type: npu_type, rows: Int = 1, as _: Result.Type, flags: UInt32 = 0,
        parameter: Double = 0, before: [Result] = []
    ) -> [Result] {
        let count = (operands.first?.count ?? 0) / rows
        let results = npu_vector_reduces(operation.rawValue) ? rows : rows * count
        var memory: [UInt8] = []
        var vector = npu_vector()
        (vector.operation, vector.rows, vector.count, vector.flags, vector.parameter) = (
            operation.rawValue, UInt64(rows), UInt64(count), flags, parameter
        )
        func operand(_ type: npu_type, rowStride: Int) -> npu_operand {
            npu_operand(
                address: place(NPU_VECTORS, memory.count), row_stride: Int64(rowStride), stride: 1, type: type.rawValue, reserved: 0)
        }
        vector.destination = operand(type, rowStride: results / rows)
        memory += before.withUnsafeBytes(Array.init)
        memory += [UInt8](repeating: 0xa5, count: results * MemoryLayout<Result>.size - memory.count)
        for (index, values) in operands.enumerated() {
            memory += [UInt8](repeating: 0, count: (8 - memory.count % 8) % 8)
            let place = operand(values.type, rowStride: count)
            if index == 0 { vector.a = place } else if index == 1 { vector.b = place } else { vector.c = place }
            memory += values.bytes
        }
        #expect(npu_vector_refusal(&vector) == nil)
        return memory.withUnsafeMutableBytes { bytes in
            let base = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
            let spaces: [UnsafeMutablePointer<UInt8>?] = [nil, nil, nil, base]
            npu_vector_run(&vector, spaces)
            return (0..<results).map { bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Result>.size, as: Result.self) }
        }
    }

    /// Numbers of every size and sign, evenly over the bit patterns, and the special ones.
    private static let samples: [Float] =
        stride(from: UInt32(0), to: .max - 130_000, by: 130_003).map { Float(bitPattern: $0) } + [
            0, -0.0, 1, -1, .infinity, -.infinity, .nan, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, 89,
            -104,
        ]

    private static let functions: [(npu_vector_operation, @Sendable (Double) -> Double)] = [
        (NPU_V_EXP, { exp($0) }), (NPU_V_LOG, { log($0) }), (NPU_V_SIN, { sin($0) }), (NPU_V_COS, { cos($0) }), (NPU_V_TAN, { tan($0) }),
        (NPU_V_ASIN, { asin($0) }), (NPU_V_ACOS, { acos($0) }), (NPU_V_ATAN, { atan($0) }), (NPU_V_SINH, { sinh($0) }),
        (NPU_V_COSH, { cosh($0) }), (NPU_V_TANH, { tanh($0) }), (NPU_V_ASINH, { asinh($0) }), (NPU_V_ACOSH, { acosh($0) }),
        (NPU_V_ATANH, { atanh($0) }), (NPU_V_ERF, { erf($0) }), (NPU_V_EXP_MINUS_ONE, { expm1($0) }),
        (NPU_V_SIGMOID, { 1 / (1 + exp(-$0)) }),
        (NPU_V_SOFTPLUS, { $0 > 0 ? $0 + log1p(exp(-$0)) : log1p(exp($0)) }), (NPU_V_SQUARE_ROOT, { $0.squareRoot() }),
    ]

    /// In ULP of float32; nil where one is a number and the other is not.
    private func error(_ value: Float, _ expected: Double) -> Double? {
        let rounded = Float(expected)
        if value.isNaN || rounded.isNaN { return value.isNaN == rounded.isNaN ? 0 : nil }
        if value.isInfinite || rounded.isInfinite { return value == rounded ? 0 : nil }
        return abs(Double(value) - expected) / Double(rounded.ulp)
    }

    @Test(arguments: functions.indices)
    func functionsKeepTheirDeclaredError(index: Int) {
        let (operation, function) = Self.functions[index]
        let results = run(operation, [Values(Self.samples, NPU_FLOAT32)], to: NPU_FLOAT32, as: Float.self)
        for (x, y) in zip(Self.samples, results) {
            let error = error(y, function(Double(x)))
            #expect(error != nil && error! <= NPU_VECTOR_FUNCTION_ERROR, "operation \(operation.rawValue) of \(x) gives \(y)")
        }
    }

    @Test func powersAndRemaindersAreTheLibrarys() {
        let numbers: [Float] = [
            0, -0.0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 1.5, -7.25, 1e-40, -1e-40, 1e30, 16_777_216, -16_777_217, .infinity, -.infinity, .nan,
        ]
        let (a, b) = (numbers.flatMap { x in numbers.map { _ in x } }, numbers.flatMap { _ in numbers })
        let operands = [Values(a, NPU_FLOAT32), Values(b, NPU_FLOAT32)]
        let powers = run(NPU_V_POWER, operands, to: NPU_FLOAT32, as: Float.self)
        let remainders = run(NPU_V_REMAINDER, operands, to: NPU_FLOAT32, as: Float.self)
        for index in a.indices {
            let error = error(powers[index], pow(Double(a[index]), Double(b[index])))
            #expect(error != nil && error! <= NPU_VECTOR_FUNCTION_ERROR, "\(a[index]) to the power of \(b[index]) gives \(powers[index])")
            let rest = fmodf(a[index], b[index])
            #expect(remainders[index] == rest || remainders[index].isNaN && rest.isNaN, "the remainder of \(a[index]) and \(b[index])")
        }
    }

    @Test func float16IsReadAndWrittenExactly() {
        let all = (UInt16.min...UInt16.max).map { $0 }
        let wide = run(NPU_V_COPY, [Values(all, NPU_FLOAT16)], to: NPU_FLOAT32, as: Float.self)
        for (bits, value) in zip(all, wide) {
            let expected = Float(Float16(bitPattern: bits))
            #expect(value == expected || value.isNaN && expected.isNaN)
        }
        let narrow = run(NPU_V_COPY, [Values(Self.samples, NPU_FLOAT32)], to: NPU_FLOAT16, as: UInt16.self)
        for (x, bits) in zip(Self.samples, narrow) where !x.isNaN { #expect(bits == Float16(x).bitPattern, "\(x)") }
    }

    @Test func conversionsSaturateWrapAndRoundOnce() {
        let floats: [Float] = [-129, -128.9, 127.9, 128, 300, -1, .infinity, -.infinity, .nan]
        #expect(
            run(NPU_V_COPY, [Values(floats, NPU_FLOAT32)], to: NPU_INT8, as: Int8.self) == [-128, -128, 127, 127, 127, -1, 127, -128, 0])
        #expect(run(NPU_V_COPY, [Values(floats, NPU_FLOAT32)], to: NPU_UINT8, as: UInt8.self) == [0, 0, 127, 128, 255, 0, 255, 0, 0])
        #expect(run(NPU_V_COPY, [Values([Int64(300), -1, 1 << 40], NPU_INT64)], to: NPU_UINT8, as: UInt8.self) == [44, 255, 0])
        // Half a unit of bfloat16 and a little: by way of float32 the little is lost, and the tie goes to even.
        let halves: [Int64] = [(1 << 40) + (1 << 32) + 1, (1 << 40) + (1 << 32), -((1 << 40) + (1 << 32) + 1)]
        #expect(run(NPU_V_COPY, [Values(halves, NPU_INT64)], to: NPU_BFLOAT16, as: UInt16.self) == [0x5381, 0x5380, 0xd381])
    }

    @Test func integersWrapAndNeverTrap() {
        let (a, b) = (Values([Int32.min, 7, -7, 7], NPU_INT32), Values([Int32(-1), 0, 2, -2], NPU_INT32))
        #expect(run(NPU_V_DIVIDE, [a, b], to: NPU_INT32, as: Int32.self) == [.min, 0, -3, -3])
        #expect(run(NPU_V_REMAINDER, [a, b], to: NPU_INT32, as: Int32.self) == [0, 0, -1, 1])
        #expect(run(NPU_V_MODULO, [a, b], to: NPU_INT32, as: Int32.self) == [0, 0, 1, -1])
        #expect(run(NPU_V_ADD, [a, b], to: NPU_INT32, as: Int32.self) == [.max, 7, -5, 5])
    }

    @Test func reductionsGoOnFromWhatTheyHave() {
        let elements = (0..<3000).map { Float($0 % 97) - 48 }
        let values = Values(elements, NPU_FLOAT32)
        let sums = run(NPU_V_SUM, [values], to: NPU_FLOAT32, rows: 3, as: Float.self)
        #expect(sums == (0..<3).map { row in elements[row * 1000..<(row + 1) * 1000].reduce(0, +) })
        let more = run(NPU_V_SUM, [values], to: NPU_FLOAT32, rows: 3, as: Float.self, flags: 1 << 3, before: [1, 2, 3])
        #expect(more == zip(sums, [1, 2, 3]).map(+))
        let most = run(NPU_V_GREATEST, [Values([1, .nan, 3, 5, 4, -1] as [Float], NPU_FLOAT32)], to: NPU_FLOAT32, rows: 2, as: Float.self)
        #expect(most[0].isNaN && most[1] == 5)
        let places = Values([2, 9, 9, 1] as [Int16], NPU_INT16)
        #expect(run(NPU_V_GREATEST_INDEX, [places], to: NPU_INT64, as: Int64.self) == [1])
        #expect(run(NPU_V_GREATEST_INDEX, [places], to: NPU_INT64, as: Int64.self, flags: 1 << 4) == [2])
    }
}
