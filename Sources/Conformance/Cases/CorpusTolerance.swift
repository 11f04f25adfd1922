// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Tensors

/// How far a corpus case lets results differ from its expected outputs: the corpus' own rule, |actual − expected| ≤ atol + rtol · |expected|,
/// with rtol at least 2^-6 for bfloat16, as in the corpus' own runner.
///
/// This is the one place with fixed tolerances: expected outputs of the corpus carry roundings of their own, so no derived bound applies to them.
package struct CorpusTolerance: Sendable, Codable {
    package var rtol = 1e-3
    package var atol = 1e-7
    /// The expected values were drawn by one implementation's generator: types and shapes alone are compared.
    package var isRandom = false

    package init() {}

    /// Reads `{"rtol": ..., "atol": ..., "random": ...}`; the corpus' defaults if the file is not there.
    init(caseFile: URL) throws(ConformanceError) {
        guard let data = try? Data(contentsOf: caseFile) else { return }
        struct Keys: Decodable { var rtol: Double?, atol: Double?, random: Bool? }
        guard let keys = try? JSONDecoder().decode(Keys.self, from: data) else {
            throw .usage("\(caseFile.path) is not a JSON object with rtol, atol and random")
        }
        rtol = keys.rtol ?? rtol
        atol = keys.atol ?? atol
        isRandom = keys.random ?? false
    }

    package struct Mismatch: Sendable {
        package let kind: FailureKind
        package let message: String
        package let deviation: CaseResult.Deviation?
    }

    /// What is wrong with `actual`; nil if it is right.
    package func mismatch(_ actual: HostTensor, _ expected: HostTensor, output: Int) -> Mismatch? {
        guard actual.dataType == expected.dataType else {
            return Mismatch(
                kind: .shape, message: "output \(output) is \(actual.dataType.name), expected \(expected.dataType.name)", deviation: nil)
        }
        guard actual.shape == expected.shape else {
            return Mismatch(kind: .shape, message: "output \(output) has shape \(actual.shape), expected \(expected.shape)", deviation: nil)
        }
        if isRandom { return nil }
        switch actual.dataType.kind {
        case .string:
            guard let index = actual.strings.indices.first(where: { actual.strings[$0] != expected.strings[$0] }) else { return nil }
            return Mismatch(kind: .numeric, message: "output \(output), element \(index): another string", deviation: nil)
        case .float, .complex:
            let rtol = expected.dataType == .bfloat16 ? max(rtol, 0x1p-6) : rtol
            return mismatch(actual.decodedDoubles(), expected.decodedDoubles(), rtol, output, expected.shape)
        default:
            let (a, e) = (actual.decodedIntegers(), expected.decodedIntegers())
            let wrong = a.indices.filter { a[$0] != e[$0] }
            guard let first = wrong.first else { return nil }
            return Mismatch(
                kind: .numeric,
                message:
                    "output \(output): \(wrong.count) of \(a.count) elements differ, the first at \(position(first, expected.shape)): \(a[first]), expected \(e[first])",
                deviation: nil)
        }
    }

    private func mismatch(_ actual: [Double], _ expected: [Double], _ rtol: Double, _ output: Int, _ shape: [Int]) -> Mismatch? {
        var wrong = 0
        var worst = 0
        var worstRatio = -1.0
        for index in actual.indices {
            let (a, e) = (actual[index], expected[index])
            if a == e || (a.isNaN && e.isNaN) { continue }
            let difference = abs(a - e)
            let bound = atol + rtol * abs(e)
            if e.isFinite && difference <= bound { continue }
            wrong += 1
            let ratio = difference.isFinite ? difference / max(bound, .leastNormalMagnitude) : .infinity
            if ratio > worstRatio { (worst, worstRatio) = (index, ratio) }
        }
        guard wrong > 0 else { return nil }
        let (a, e) = (actual[worst], expected[worst])
        return Mismatch(
            kind: .numeric,
            message:
                "output \(output): \(wrong) of \(actual.count) elements differ, the worst at \(position(worst, shape)): \(a), expected \(e)",
            deviation: .init(measured: abs(a - e), bound: atol + rtol * abs(e), unit: "absolute"))
    }

    private func position(_ flat: Int, _ shape: [Int]) -> String {
        var rest = flat
        var position: [Int] = []
        for size in shape.reversed() {
            position.append(rest % max(size, 1))
            rest /= max(size, 1)
        }
        return "[\(position.reversed().map(String.init).joined(separator: ", "))]"
    }
}
