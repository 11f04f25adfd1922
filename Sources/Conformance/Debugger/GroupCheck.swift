// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Graph
import Tensors

/// A fused node or a compiled program by itself, on the reference's inputs, against the nodes that it stands for.
struct GroupCheck {
    let walk: ReferenceWalk
    /// Of the walk, in order.
    let steps: [Int]
    let outputs: [ValueID]
    private var references: [ValueID: HostTensor] = [:]
    private var floors: [ValueID: ErrorNorms] = [:]

    /// The walk's steps between some values; nil where a value on the way comes from elsewhere.
    static func steps(of walk: ReferenceWalk, from inputs: Set<ValueID>, to outputs: [ValueID]) -> [Int]? {
        var found: Set<Int> = []
        var open = outputs
        while let value = open.popLast() {
            if inputs.contains(value) || walk.placement.values[value] != nil { continue }
            guard let step = walk.producer[value] else { return nil }
            guard found.insert(step).inserted else { continue }
            open += walk.placement.graph[walk.steps[step].node].inputs.compactMap { $0 }
        }
        return found.sorted()
    }

    /// Runs the nodes one by one on the reference device, noisy and not: what the group may be off.
    init(_ walk: ReferenceWalk, _ steps: [Int], outputs: [ValueID], seed: UInt64) throws {
        self.walk = walk
        self.steps = steps
        self.outputs = outputs
        let graph = walk.placement.graph
        var noisy = [[ValueID: HostTensor]](repeating: [:], count: ReferenceWalk.noisyRuns)
        for step in steps {
            let node = graph[walk.steps[step].node]
            let results = node.outputs.compactMap { $0 }
            let runner = walk.referenceRunner(walk.piece([step], outputs: results))
            let known = references
            let expected = try runner.run { try known[$0] ?? walk.reference($0) }
            for (output, tensor) in zip(results, expected) {
                references[output] = tensor
                floors[output] = ErrorNorms.none
            }
            for run in noisy.indices {
                let values = noisy[run]
                let moved = try runner.run { try values[$0] ?? walk.reference($0) }
                for (index, output) in results.enumerated() {
                    let tensor = try (walk.noise[step] ?? .none).moved(
                        moved[index], output: index, seed: seed &+ UInt64(run) &+ 1000, of: "\(node.name)/\(index)")
                    noisy[run][output] = tensor
                    floors[output] = floors[output]!.union(ErrorNorms(of: tensor, against: expected[index]))
                }
            }
        }
    }

    var expected: [HostTensor] { outputs.compactMap { references[$0] } }

    /// The worst of the outputs.
    func measure(_ actual: [HostTensor]) -> DebugReport.Measure { measure(actual, of: outputs) }

    private func measure(_ actual: [HostTensor], of outputs: [ValueID]) -> DebugReport.Measure {
        zip(outputs, actual).map { output, tensor in
            DebugReport.Measure(of: tensor, against: references[output]!, floor: floors[output]!)
        }.max { $0.ratio < $1.ratio } ?? DebugReport.Measure(ratio: 0, measured: 0, bound: 0, unit: "relative")
    }

    /// The first node whose value is over its bound when the group ends with it.
    /// - Parameter runner: of a piece, in the way in which the whole group runs.
    func firstOver(_ runner: (Piece) -> Piece.Runner) throws -> (step: Int, measure: DebugReport.Measure, evidence: DebugEvidence)? {
        let graph = walk.placement.graph
        let inside = Set(steps.flatMap { graph[walk.steps[$0].node].outputs.compactMap { $0 } })
        for last in steps {
            let results = graph[walk.steps[last].node].outputs.compactMap { $0 }
            let outside = Set(steps.flatMap { graph[walk.steps[$0].node].inputs.compactMap { $0 } }).subtracting(inside)
            guard let needed = Self.steps(of: walk, from: outside, to: results) else { continue }
            let piece = walk.piece(needed, outputs: results)
            let actual = try runner(piece).run(walk.reference)
            let measure = measure(actual, of: results)
            if measure.isOver {
                let expected = results.map { references[$0]! }
                return (last, measure, try DebugEvidence(piece, inputs: walk.reference, expected: expected, actual: actual))
            }
        }
        return nil
    }
}

extension DebugReport.Measure {
    /// - Parameter floor: what the noisy runs came to.
    init(of actual: HostTensor, against reference: HostTensor, floor: ErrorNorms) {
        let norms = ErrorNorms(of: actual, against: reference)
        let allowed = floor.allowance(for: reference.dataType)
        self.init(ratio: norms.ratio(to: allowed), measured: norms.largest, bound: allowed.largest, unit: "relative")
    }
}
