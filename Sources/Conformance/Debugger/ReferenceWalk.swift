// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import HardwareModel
import Operators
import Southbound
import Tensors

/// Runs the model node by node on the reference device and, on the same inputs, each node alone on the device under test. Beside the reference's values it
/// keeps those of noisy runs, in which every node errs as a right one may: what they come to by a value is what the device's chained values may be off there.
final class ReferenceWalk {
    /// Values of noisy runs that `numerics.md` asks for.
    static let noisyRuns = 3

    struct Value {
        let reference: HostTensor
        let noisy: [HostTensor]

        var byteCount: Int { noisy.reduce(reference.byteCount) { $0 + $1.byteCount } }
    }

    /// One node, judged.
    struct Outcome {
        let result: DebugReport.Node
        /// Set where the node is over its bound.
        let evidence: DebugEvidence?
        let remark: String?
    }

    let placement: Placement
    let steps: [PlacedNode]
    /// By value of the placement's graph: the step that writes it.
    let producer: [ValueID: Int]
    private(set) var next = 0
    private(set) var values: [ValueID: Value] = [:]
    /// Of every value so far: how far the noisy runs came from the reference.
    private(set) var floors: [ValueID: ErrorNorms] = [:]
    /// Of the steps in `keepsNoise`.
    private(set) var noise: [Int: NodeNoise] = [:]
    /// Steps that are run again as parts of a group.
    var keepsNoise: Set<Int> = []
    /// By step: what the compiled program that it is part of declares about its arithmetic.
    var programFacts: [Int: NumericFacts] = [:]

    private let target: DeviceSet
    private let against: DeviceSet
    private let rules: PlacementRules
    private let seed: UInt64

    init(_ placement: Placement, inputs: [String: HostTensor], target: DeviceSet, against: DeviceSet, rules: PlacementRules, seed: UInt64) {
        self.placement = placement
        self.target = target
        self.against = against
        self.rules = rules
        self.seed = seed
        steps = placement.steps.compactMap { step in if case .node(let placed) = step { placed } else { nil } }
        var producer: [ValueID: Int] = [:]
        for (index, step) in steps.enumerated() {
            for case let output? in placement.graph[step.node].outputs { producer[output] = index }
        }
        self.producer = producer
        for input in placement.graph.inputs {
            guard let tensor = inputs[placement.graph[input].name] else { continue }
            values[input] = Value(reference: tensor, noisy: [HostTensor](repeating: tensor, count: Self.noisyRuns))
            floors[input] = ErrorNorms.none
        }
    }

    func reference(_ value: ValueID) throws -> HostTensor {
        if let tensor = placement.values[value] ?? values[value]?.reference { return tensor }
        throw ConformanceError.internal("'\(placement.graph[value].name)' was let go before its last use")
    }

    private func noisy(_ run: Int, _ value: ValueID) throws -> HostTensor {
        if let tensor = placement.values[value] ?? values[value]?.noisy[run] { return tensor }
        return try reference(value)
    }

    func forget(_ value: ValueID) { values[value] = nil }
    func forgetNoise(of step: Int) { noise[step] = nil }

    func piece(_ steps: [Int], outputs: [ValueID]) -> Piece {
        Piece(steps.map { self.steps[$0].node }, of: placement.graph, outputs: outputs, known: placement.values) { value in
            if let tensor = values[value]?.reference { return ConcreteType(tensor.dataType, tensor.shape) }
            if case .known(let type)? = placement.types[value.index] { return type }
            return nil
        }
    }

    func referenceRunner(_ piece: Piece) -> Piece.Runner { piece.runner(on: against.devices, against.libraries, .alone(on: nil)) }

    /// The next node.
    func advance() throws -> Outcome {
        let placed = steps[next]
        let node = placement.graph[placed.node]
        let outputs = node.outputs.compactMap { $0 }
        let piece = piece([next], outputs: outputs)
        let runner = piece.runner(on: target.devices, target.libraries, .alone(on: target.devices[placed.device], like: rules))
        let reference = referenceRunner(piece)
        var expected = try reference.run(self.reference)
        let actual = try runner.run(self.reference)

        var result = DebugReport.Node(
            name: node.name, operator: node.qualifiedName, dataType: (expected.first ?? actual.first)?.dataType.name ?? "",
            device: target.devices[placed.device].name, kernel: "\(placed.library.plugin.name)/\(placed.kernel.name)")
        var (noise, evidence, remark) = (NodeNoise.none, DebugEvidence?.none, String?.none)
        do {
            let judge = try judge(placed, facts: placed.facts)
            let finding = judge.finding(on: aligned(actual, node))
            result.alone = measure(finding)
            if try isWrong(aligned(expected, node), judge, placed, facts: reference.facts) {
                remark =
                    "the reference itself is over the bound at '\(node.name)' (\(node.qualifiedName)): the catalogue's results stand in for its own"
                expected = try judge.results.compactMap { try $0?.hostTensor() }
            }
            if finding.failure != nil {
                let again = try runner.run(self.reference)
                let isLasting = judge.finding(on: aligned(again, node)).failure != nil
                result.message = (finding.message ?? "wrong") + (isLasting ? "" : "; right when it was run again")
                evidence = try DebugEvidence(piece, inputs: self.reference, expected: expected, actual: actual)
            }
            if let facts = programFacts[next], facts != placed.facts {
                noise = NodeNoise(try self.judge(placed, facts: facts), Finding(), reference: aligned(expected, node), isInGroup: true)
            } else {
                noise = NodeNoise(judge, finding, reference: aligned(expected, node), isInGroup: keepsNoise.contains(next))
            }
        } catch let error as OperatorError {
            result.message = "not judged: \(error)"
        }
        if keepsNoise.contains(next) { self.noise[next] = noise }
        try store(outputs, expected, noise, reference, node)
        next += 1
        return Outcome(result: result, evidence: evidence, remark: remark)
    }

    private func store(_ outputs: [ValueID], _ expected: [HostTensor], _ noise: NodeNoise, _ reference: Piece.Runner, _ node: Node) throws {
        var runs = [[HostTensor]](repeating: [], count: outputs.count)
        for run in 0..<Self.noisyRuns {
            let results = try reference.run { try self.noisy(run, $0) }
            for (index, result) in results.enumerated() {
                // A shape that hangs on data, and on the noise in it, is no noise.
                let result = result.shape == expected[index].shape ? result : expected[index]
                runs[index].append(try noise.moved(result, output: index, seed: seed &+ UInt64(run), of: "\(node.name)/\(index)"))
            }
        }
        for (index, output) in outputs.enumerated() {
            floors[output] = runs[index].reduce(.none) { $0.union(ErrorNorms(of: $1, against: expected[index])) }
            values[output] = Value(reference: expected[index], noisy: runs[index])
        }
    }

    /// Whether the reference's own outputs are over the bound of its kernel.
    private func isWrong(_ outputs: [HostTensor?], _ judge: Judge, _ placed: PlacedNode, facts: NumericFacts) throws -> Bool {
        guard judge.finding(on: outputs).failure != nil else { return false }
        return try facts == judge.facts || self.judge(placed, facts: facts).finding(on: outputs).failure != nil
    }

    private func judge(_ placed: PlacedNode, facts: NumericFacts) throws -> Judge {
        let node = placement.graph[placed.node]
        guard let definition = OperatorCatalog.standard.definition(of: node), definition.numericClass != .random,
            !node.attributes.contains(where: { $0.value.isGraph })
        else { throw OperatorError.unsupported("its results are not told by its inputs alone") }
        let call = OperatorCall(
            definition, opset: node.opset, attributes: node.attributes, inputs: try node.inputs.map { try $0.map(reference) },
            wanted: node.outputs.map { $0 != nil })
        return try Judge(call, facts: facts)
    }

    /// One entry per output that the node names.
    private func aligned(_ outputs: [HostTensor], _ node: Node) -> [HostTensor?] {
        var rest = outputs.makeIterator()
        return node.outputs.map { $0 == nil ? nil : rest.next() }
    }

    private func measure(_ finding: Finding) -> DebugReport.Measure {
        let (measured, bound) = (finding.deviation?.measured ?? 0, finding.deviation?.bound ?? 0)
        // Where the class has no deviation (integers, properties), or where all elements together are over it, a failure is a failure.
        var ratio = measured == 0 ? 0 : measured / max(bound, .leastNonzeroMagnitude)
        if finding.failure == nil { ratio = min(ratio, 1) } else if !(ratio > 1) { ratio = .infinity }
        return DebugReport.Measure(ratio: ratio, measured: measured, bound: bound, unit: "ulp", grade: finding.grade)
    }
}
