// SPDX-License-Identifier: Apache-2.0
import Conformance
import HardwareModel
import NumericsStudy
import Tensors
import Testing

/// Probes accuse false declarations, and no right ones.
@Suite struct ProbeTests {
    struct Kernel: Sendable, CustomTestStringConvertible {
        let name: String
        let change: @Sendable (inout Arithmetic) -> Void
        let declares: @Sendable (inout NumericFacts) -> Void
        /// Facts and types whose probes accuse a kernel that declares nothing.
        let accused: [(Probe.Fact, [DataType])]
        var testDescription: String { name }

        init(
            _ name: String, _ change: @escaping @Sendable (inout Arithmetic) -> Void = { _ in },
            declares: @escaping @Sendable (inout NumericFacts) -> Void = { _ in },
            accused: [(Probe.Fact, [DataType])] = []
        ) {
            (self.name, self.change, self.declares, self.accused) = (name, change, declares, accused)
        }
    }

    private static let right: [Kernel] = [
        Kernel("sequential"), Kernel("reversed", { $0.order = .reversed }), Kernel("pairwise", { $0.order = .pairwise }),
        Kernel("lanes", { $0.order = .lanes }),
        Kernel("blocks", { $0.order = .blocks }), Kernel("fused", { $0.isFused = true }),
    ]

    private static let wrong: [Kernel] = [
        Kernel("TF32 factors", { $0.inputBits = 11 }, declares: { $0.inputBits = 11 }, accused: [(.inputBits, [.float64, .float32])]),
        Kernel(
            "bfloat16 factors", { $0.inputBits = 8 }, declares: { $0.inputBits = 8 },
            accused: [(.inputBits, [.float64, .float32, .float16])]),
        Kernel(
            "float16 accumulator", { $0.accumulator = .float16 }, declares: { $0.accumulator = .float16 },
            accused: [(.accumulator, [.float32, .float16, .bfloat16])]),
        Kernel(
            "bfloat16 accumulator in pairs", { ($0.accumulator, $0.order) = (.bfloat16, .pairwise) },
            declares: { $0.accumulator = .bfloat16 },
            accused: [(.accumulator, [.float32, .float16, .bfloat16])]),
        Kernel(
            "flushed denormals", { $0.flushesDenormals = true }, declares: { $0.flushesDenormals = true },
            accused: [(.denormals, [.float32, .bfloat16])]),
        Kernel(
            "lost NaN", { $0.losesNaN = true }, declares: { $0.ignoresNaN = true },
            accused: [(.nan, [.float64, .float32, .float16, .bfloat16])]),
    ]

    private func contradiction(_ probe: Probe, _ kernel: Kernel, _ facts: NumericFacts) throws -> String? {
        let call = try probe.call()
        let outputs = try #require(try Computation(try Judge(call, facts: .strict)).outputs(Arithmetic().with(kernel.change)))
        return probe.contradiction(outputs[0]!.decodedDoubles(), facts, call)
    }

    @Test(arguments: right)
    func noProbeAccusesRightArithmetic(_ kernel: Kernel) throws {
        for probe in Probe.all { #expect(try contradiction(probe, kernel, .strict) == nil, "\(probe.id)") }
    }

    @Test(arguments: wrong)
    func probesSeeWhatIsNotDeclared(_ kernel: Kernel) throws {
        for (fact, types) in kernel.accused {
            for probe in Probe.all where probe.fact == fact && types.contains(probe.type) {
                #expect(try contradiction(probe, kernel, .strict) != nil, "\(probe.id) does not see it")
            }
        }
    }

    @Test(arguments: wrong)
    func noProbeAccusesWhatIsDeclared(_ kernel: Kernel) throws {
        var facts = NumericFacts.strict
        kernel.declares(&facts)
        for (fact, types) in kernel.accused {
            // A narrower accumulator than float16's own is false for any type that it is declared for, and float32 cannot hold its sums in it.
            for probe in Probe.all
            where probe.fact == fact && types.contains(probe.type) && (fact != .accumulator || facts.accumulator == probe.type) {
                #expect(try contradiction(probe, kernel, facts) == nil, "\(probe.id)")
            }
        }
    }
}
