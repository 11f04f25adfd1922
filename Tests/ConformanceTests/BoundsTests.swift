// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import HardwareModel
import NumericsStudy
import Operators
import Tensors
import Testing

/// A slice of what `make numerics` does: right arithmetic passes, wrong arithmetic is caught.
@Suite struct BoundsTests {
    /// Faults that the slice of a class must catch, beside those that the suite demands of every group.
    private static let telling: [String: [String]] = [
        "movement and selection": ["NaN lost", "sign of zero lost", "denormals flushed", "ties away from even", "last term dropped"],
        "integer": ["saturates for wraps", "last term dropped"],
        "arithmetic": ["rounded twice", "ties away from even", "denormals flushed", "inputs rounded to bfloat16"],
        "division": ["inputs rounded to TF32", "NaN lost"], "cast": ["ties away from even", "rounded twice", "NaN lost"],
        "transcendental": ["functions off by 16 ULP", "inputs rounded to bfloat16", "NaN lost"],
        "dot": ["float16 accumulator", "off by one: a term twice, one never", "bias dropped"],
        "sum": ["float16 accumulator", "divided by n − 1"],
        "product": ["inputs rounded to TF32", "off by one: a term twice, one never"],
        "softmax": ["maximum not subtracted", "functions off by 16 ULP", "float16 accumulator"],
        "normalisation": ["one-pass variance", "epsilon dropped", "bias dropped", "Welford without the last"],
        "quantised": ["wraps for saturates", "zero point dropped", "inputs rounded to bfloat16"],
        "composite": ["functions off by 16 ULP", "inputs rounded to bfloat16"],
        "property": ["last of equal elements", "last term dropped"],
    ]

    @Test(arguments: StudyClass.all.map(\.name))
    func aSliceOfTheStudy(_ name: String) throws {
        let subject = try #require(StudyClass.all.first { $0.name == name })
        let study = Study(numpy: nil, threads: 1)
        let cases = Study.cases(subject, seed: 3).filter { $0.family != .exhaustive }
        var falseAlarms: [String] = []
        var outputs = 0
        var faults: [String: (failed: Int, isDemanded: Bool)] = [:]
        for one in stride(from: 0, to: cases.count, by: max(cases.count / 120, 1)).map({ cases[$0] }) {
            let tally = try study.judged(one, subject, seed: 3, plantsFaults: true, nil)
            falseAlarms += tally.implementations.flatMap { name, one in one.falseAlarms.map { "\(name): \($0)" } }
            outputs += tally.outputs
            for (name, one) in tally.faults {
                faults[name, default: (0, false)].failed += one.failed
                if !one.demanded.isEmpty { faults[name]!.isDemanded = true }
            }
        }
        #expect(falseAlarms == [])
        #expect(outputs > 5000)
        for (fault, counted) in faults where counted.isDemanded { #expect(counted.failed > 0, "\(fault) got past the slice") }
        for fault in Self.telling[name] ?? [] { #expect(faults[fault]?.failed ?? 0 > 0, "\(fault) got past the slice") }
    }

    // MARK: Single rules

    private func judge(_ name: String, _ inputs: [HostTensor?], opset: Int = 18, facts: NumericFacts = .strict) throws -> Judge {
        let definition = try #require(OperatorCatalog.standard["", name])
        return try Judge(OperatorCall(definition, opset: opset, inputs: inputs), facts: facts)
    }

    private func passes(_ judge: Judge, _ values: [Double], _ type: DataType = .float32) throws -> Bool {
        judge.finding(on: [try HostTensor(type, [values.count], doubles: values)]).failure == nil
    }

    @Test func theLargestNumberIsNoInfinity() throws {
        let largest = Double(Float.greatestFiniteMagnitude)
        let moved = try judge("Identity", [try HostTensor(.float32, [1], doubles: [largest])])
        #expect(try passes(moved, [largest]))
        #expect(try !passes(moved, [.infinity]))
        let sum = try judge("Add", [try HostTensor(.float32, [1], doubles: [largest]), try HostTensor(.float32, [1], doubles: [largest])])
        #expect(try passes(sum, [.infinity]))
        #expect(try !passes(sum, [largest]))
        // Truncation stops at the largest number.
        var truncating = NumericFacts.strict
        truncating.truncates = true
        let truncated = try judge("Add", sum.call.inputs, facts: truncating)
        #expect(try passes(truncated, [largest]))
    }

    @Test func nanIsNoWildcard() throws {
        let inputs = [try HostTensor(.float32, [2], doubles: [1, .nan]), try HostTensor(.float32, [2], doubles: [2, 2])]
        for name in ["Add", "Mul", "Div", "Max", "Pow"] {
            let judge = try judge(name, inputs)
            let right = judge.results[0]!.floats
            #expect(try passes(judge, right))
            #expect(try !passes(judge, [.nan, .nan]), "\(name) may give NaN for numbers")
            #expect(try !passes(judge, [right[0], 0]), "\(name) may give a number for NaN")
        }
    }

    @Test func subnormalInputsMayBeReadAsZeroWhereThatIsDeclared() throws {
        let inputs = [
            try HostTensor(.float32, [2], doubles: [0x1p-140, 1]), try HostTensor(.float32, [2], doubles: [.infinity, 0x1p-130]),
        ]
        var flushing = NumericFacts.strict
        flushing.flushesDenormals = true
        #expect(try !passes(try judge("Mul", inputs), [.nan, 0]))
        #expect(try passes(try judge("Mul", inputs, facts: flushing), [.nan, 0]))
        #expect(try passes(try judge("Mul", inputs, facts: flushing), [.infinity, 0x1p-130]))
        #expect(try !passes(try judge("Mul", inputs, facts: flushing), [1, 0]))
    }

    /// A seed with which scores of some thousand decide: summed in order and then scaled, all in float32, their rounding alone goes beyond the two units that inputs move by.
    @Test func scoresOfAttentionMayBeRounded() throws {
        let definition = try #require(OperatorCatalog.standard["", "Attention"])
        let large = try #require(GeneratedCase.newest(of: definition).first { $0.id.hasSuffix("/float32-large-scores-positive") })
        let call = try large.call(seed: 3_582_565_502_129_544)
        let inputs = call.inputs.compactMap { $0 }
        let (q, k, v) = (
            inputs[0].decodedDoubles().map(Float.init), inputs[1].decodedDoubles().map(Float.init),
            inputs[2].decodedDoubles().map(Float.init)
        )
        let (queries, keys, size) = (inputs[0].shape[2], inputs[1].shape[2], inputs[0].shape[3])
        func result(_ rounded: (Float) -> Float) throws -> HostTensor {
            var y: [Float] = []
            for row in 0..<q.count / size {
                let first = row / queries * keys
                var scores = (0..<keys).map { key in
                    rounded((0..<size).reduce(Float(0)) { $0 + q[row * size + $1] * k[(first + key) * size + $1] } * 40)
                }
                let largest = scores.max()!
                scores = scores.map { Float(exp(Double($0 - largest))) }
                let sum = scores.reduce(0, +)
                y += (0..<size).map { entry in (0..<keys).reduce(Float(0)) { $0 + scores[$1] / sum * v[(first + $1) * size + entry] } }
            }
            return try HostTensor(.float32, inputs[0].shape, y)
        }
        let judge = try Judge(call, facts: .strict)
        #expect(judge.finding(on: [try result { $0 }]).failure == nil)
        // Of 20 bits.
        #expect(judge.finding(on: [try result { Float(bitPattern: ($0.bitPattern + 8) & ~15) }]).failure == .numeric)
    }

    private func narrowing(to type: DataType) -> NumericFacts {
        var facts = NumericFacts.strict
        facts.valueType = type
        return facts
    }

    /// SB-NUM-004: kept, rounded, or one of two rounded; never more than that, and only where it is declared.
    @Test func valuesMayBeRoundedToTheDeclaredType() throws {
        let (a, b) = (1 + 0x1p-9, 0x1p-12)
        let inputs = [try HostTensor(.float32, [2], doubles: [a, 4]), try HostTensor(.float32, [2], doubles: [b, 4])]
        let (strict, narrowing) = (try judge("Add", inputs), try judge("Add", inputs, facts: narrowing(to: .bfloat16)))
        for right in [a + b, a, 1 + b, 1] { #expect(try passes(narrowing, [right, 8]), "\(right)") }
        for wrong in [1 + 0x1p-7, 1 - 0x1p-7] { #expect(try !passes(narrowing, [wrong, 8]), "\(wrong)") }
        #expect(try passes(strict, [a + b, 8]) && !passes(strict, [a, 8]) && !passes(strict, [1, 8]))
        #expect(try !passes(narrowing, [a + b, 8.1]))
        // A type whose significands have no more bits keeps its values.
        let short = [try HostTensor(.bfloat16, [1], doubles: [1 + 0x1p-7]), try HostTensor(.bfloat16, [1], doubles: [1])]
        #expect(try !passes(try judge("Mul", short, facts: self.narrowing(to: .float16)), [1], .bfloat16))
    }

    /// What is too large becomes an infinity or the largest number, and may meet one that was kept.
    @Test func roundingToTheDeclaredTypeMayOverflow() throws {
        let inputs = [try HostTensor(.float32, [2], doubles: [1e6, 2]), try HostTensor(.float32, [2], doubles: [-1e6, 3])]
        let judge = try judge("Add", inputs, facts: narrowing(to: .float16))
        for right: Double in [0, .nan, 1e6 - 65504] { #expect(try passes(judge, [right, 5]), "\(right)") }
        #expect(try !passes(judge, [.nan, .nan]))
        let moved = try self.judge("Identity", [inputs[0]], facts: narrowing(to: .float16))
        for right: Double in [1e6, 65504, .infinity] { #expect(try passes(moved, [right, 2]), "\(right)") }
        for wrong: Double in [65000, -.infinity, .nan] { #expect(try !passes(moved, [wrong, 2]), "\(wrong)") }
    }

    /// Outputs that are no floats go by all rounded inputs or by none.
    @Test func comparisonsOfRoundedValuesAreAllOfOneKind() throws {
        let inputs = [try HostTensor(.float32, [2], doubles: [1 + 0x1p-10, 1]), try HostTensor(.float32, [2], doubles: [1, 1 + 0x1p-10])]
        let judge = try judge("Greater", inputs, facts: narrowing(to: .bfloat16))
        for (values, isRight) in [([Int64]([1, 0]), true), ([0, 0], true), ([0, 1], false), ([1, 1], false)] {
            #expect((judge.finding(on: [try HostTensor(.bool, [2], integers: values)]).failure == nil) == isRight, "\(values)")
        }
    }

    /// x / y with both subnormal: a reciprocal of y reads y alone as zero.
    @Test func subnormalNumbersOfOneInputMayBeReadAsZero() throws {
        let inputs = [try HostTensor(.float32, [1], doubles: [0x1p-130]), try HostTensor(.float32, [1], doubles: [0x1p-131])]
        var flushing = NumericFacts.strict
        flushing.flushesDenormals = true
        for right in [2, 0, .infinity, .nan] as [Double] {
            #expect(try passes(try judge("Div", inputs, facts: flushing), [right]), "\(right)")
        }
        for wrong in [-1, -.infinity, 5] as [Double] {
            #expect(try !passes(try judge("Div", inputs, facts: flushing), [wrong]), "\(wrong)")
        }
        for wrong in [0, .infinity, .nan] as [Double] { #expect(try !passes(try judge("Div", inputs), [wrong]), "\(wrong)") }
    }

    /// Hardware that flushes keeps the sign.
    @Test func aFlushedDivisorMayKeepItsSign() throws {
        let inputs = [try HostTensor(.float32, [1], doubles: [-0x1p-120]), try HostTensor(.float32, [1], doubles: [-0x1p-131])]
        var flushing = NumericFacts.strict
        flushing.flushesDenormals = true
        for right in [2048, .infinity, -.infinity] as [Double] { #expect(try passes(try judge("Div", inputs, facts: flushing), [right])) }
        #expect(try !passes(try judge("Div", inputs, facts: flushing), [4096]))
        #expect(try !passes(try judge("Div", inputs, facts: flushing), [.nan]))
    }

    @Test func comparisonsMayReadSubnormalNumbersAsZero() throws {
        // Less, of: two subnormal numbers, one and zero, two normal numbers.
        let inputs = [
            try HostTensor(.float32, [4], doubles: [0x1p-131, 0, 1, 0x1p-130]),
            try HostTensor(.float32, [4], doubles: [0x1p-130, 0x1p-131, 2, 0x1p-131]),
        ]
        var flushing = NumericFacts.strict
        flushing.flushesDenormals = true
        func isRight(_ facts: NumericFacts, _ values: [Int64]) throws -> Bool {
            try judge("Less", inputs, facts: facts).finding(on: [try HostTensor(.bool, [4], integers: values)]).failure == nil
        }
        #expect(try isRight(.strict, [1, 1, 1, 0]))
        #expect(try isRight(flushing, [1, 1, 1, 0]))
        #expect(try isRight(flushing, [0, 0, 1, 0]))
        // 2^-130 read as zero, 2^-131 as it is.
        #expect(try isRight(flushing, [0, 0, 1, 1]))
        #expect(try !isRight(flushing, [0, 0, 0, 0]))
        #expect(try !isRight(.strict, [0, 1, 1, 0]))
    }

    /// What a maximum or minimum of NaN may be where NaN is ignored: NaN, or what the numbers give, and nothing else.
    @Test func ignoringNaNGivesTheNumbersOrNaN() throws {
        func tensor(_ values: Double...) throws -> HostTensor { try HostTensor(.float32, [values.count], doubles: values) }
        func image(_ values: Double...) throws -> HostTensor { try HostTensor(.float32, [1, 1, values.count], doubles: values) }
        let bounds = [try HostTensor(.float32, [], doubles: [-1]), try HostTensor(.float32, [], doubles: [4])]
        let table: [(name: String, inputs: [HostTensor], right: [Double], wrong: [Double])] = [
            ("Relu", [try tensor(.nan)], [.nan, 0], [1, -1, .infinity]),
            ("Max", [try tensor(.nan), try tensor(3), try tensor(5)], [.nan, 5], [3, 0, .infinity]),
            ("Min", [try tensor(2), try tensor(.nan), try tensor(3)], [.nan, 2], [3, 0, -.infinity]),
            ("ReduceMax", [try tensor(1, .nan, -7)], [.nan, 1], [-7, 0]),
            ("GlobalMaxPool", [try image(-5, .nan, -2)], [.nan, -2], [-5, 0]),
            ("Clip", [try tensor(.nan)] + bounds, [.nan, -1, 4], [0, 5]),
            ("HardSigmoid", [try tensor(.nan)], [.nan, 0, 1], [0.5, -1]),
            // A product with NaN, whatever its other factor.
            ("HardSwish", [try tensor(.nan)], [.nan], [0]),
            // The lowest number is no start of a maximum.
            ("ReduceMax", [try tensor(-.infinity, -.infinity)], [-.infinity], [-Double(Float.greatestFiniteMagnitude), .nan]),
        ]
        var ignoring = NumericFacts.strict
        ignoring.ignoresNaN = true
        for (name, inputs, right, wrong) in table {
            func isRight(_ value: Double, _ facts: NumericFacts) throws -> Bool {
                let judge = try judge(name, inputs, facts: facts)
                return judge.finding(on: [try HostTensor(.float32, judge.results[0]!.shape, doubles: [value])]).failure == nil
            }
            for value in right { #expect(try isRight(value, ignoring), "\(name) may give \(value)") }
            for value in wrong { #expect(try !isRight(value, ignoring), "\(name) gives \(value)") }
            for value in right.dropFirst() { #expect(try !isRight(value, .strict), "\(name) gives \(value) undeclared") }
        }
    }

    /// A sum of n squares loses up to n·u, half of which is left of its root.
    @Test func rootsOfLongSumsMayErrAsTheSumsDo() throws {
        let count = 4096
        let values = (0..<count).map { 1 + Double($0 % 97) / 97 }
        let judge = try judge("ReduceL2", [try HostTensor(.float32, [count], doubles: values)], opset: 13)
        let sequential = values.reduce(Float(0)) { $0 + Float($1) * Float($1) }.squareRoot()
        let finding = judge.finding(on: [try HostTensor(.float32, [1], doubles: [Double(sequential)])])
        #expect(finding.failure == nil)
        #expect(judge.finding(on: [try HostTensor(.float32, [1], doubles: [Double(sequential) * 1.001])]).failure != nil)
    }

    @Test func whatAnIntegerMakesOfNaNIsOpen() throws {
        let zero = try HostTensor(.int8, [], integers: [3])
        let inputs = [try HostTensor(.float32, [2], doubles: [.nan, 4]), try HostTensor(.float32, [], doubles: [0.5]), zero]
        let judge = try judge("QuantizeLinear", inputs)
        for value in [Int64(-128), 0, 3, 127] {
            #expect(judge.finding(on: [try HostTensor(.int8, [2], integers: [value, 11])]).failure == nil)
        }
        #expect(judge.finding(on: [try HostTensor(.int8, [2], integers: [0, 12])]).failure != nil)
    }
}
