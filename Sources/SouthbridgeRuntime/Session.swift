// SPDX-License-Identifier: Apache-2.0
import Compiler
import Dispatch
import Execution
import Graph
import Southbound
import Tensors

/// A model on devices: placed, planned and prepared by the first run of each set of shapes, and run as often as wanted.
///
/// Any thread may run it. Runs of one session come one after the other; those of several sessions side by side.
public final class Session: Sendable {
    /// Which device runs a node.
    public struct Placement: Sendable, Hashable {
        /// The node's name in the model.
        public let node: String
        /// "Conv", say.
        public let operatorName: String
        /// "npu:0"; "host" for what the stack computed itself before the run.
        public let device: String
        /// "npu/matmul": the kernel, behind the name of its library.
        public let kernel: String
    }

    private let session: Execution.Session
    private let outputNames: [String]

    /// - Parameters:
    ///   - placing: nodes whose name or operator matches a pattern run on that device alone: `["conv1*": "npu:0", "Softmax": "cpu"]`. The first pattern
    ///     that matches counts.
    ///   - mixed: `float16` or `bfloat16`: products of float32 are computed in that type where the device has kernels for it, and what is sensitive in float32.
    ///     Results change by the type's roundings. Nil: everything in its own type.
    public init(
        _ model: Model, on devices: Devices, placing: KeyValuePairs<String, String> = [:], mixed: ElementType? = nil
    ) throws(RuntimeError) {
        var rules = PlacementRules()
        if let mixed, !MixedPrecision.types.contains(mixed.dataType) {
            throw RuntimeError(
                .usage, "'\(mixed.name)' cannot be mixed with float32; \(MixedPrecision.types.map(\.name).joined(separator: " and ")) can")
        }
        rules.mixed = mixed?.dataType
        for (pattern, device) in placing {
            guard devices.opened.devices.contains(where: { $0.name == device || $0.plugin.name == device }) else {
                throw RuntimeError(.usage, "no device '\(device)' for '\(pattern)'; there are \(devices.names.joined(separator: ", "))")
            }
            rules.pins.append((pattern, device))
        }
        session = Execution.Session(model.graph, devices: devices.opened.devices, libraries: devices.opened.libraries, rules: rules)
        outputNames = model.outputs.map(\.name)
    }

    /// Runs the model once.
    /// - Parameters:
    ///   - inputs: by name, one for each of the model's inputs.
    ///   - deadline: how long the run may take; it then throws `deadline`, and the session runs on.
    /// - Returns: the outputs by name.
    public func run(_ inputs: [String: Tensor], deadline: Duration? = nil) throws(RuntimeError) -> [String: Tensor] {
        try run(inputs, control: deadline.map { RunControl(deadline: $0) })
    }

    /// Runs the model once on a thread of its own, so that nothing else of the program waits. Cancelling the task ends the run with `CancellationError`.
    public func run(_ inputs: [String: Tensor], deadline: Duration? = nil) async throws -> [String: Tensor] {
        let control = deadline.map { RunControl(deadline: $0) } ?? RunControl()
        return try await withTaskCancellationHandler {
            do {
                return try await withCheckedThrowingContinuation { continuation in
                    DispatchQueue.global().async {
                        continuation.resume(
                            with: Result { () throws(RuntimeError) in try self.run(inputs, control: control) }.mapError { $0 })
                    }
                }
            } catch let error as RuntimeError where error.code == .cancelled {
                throw CancellationError()
            }
        } onCancel: {
            control.stop()
        }
    }

    /// The model with places for its inputs and outputs that stay the same; see `BoundRun`. Types, shapes and first values are those of `inputs`.
    public func bind(_ inputs: [String: Tensor]) throws(RuntimeError) -> BoundRun {
        do { return BoundRun(try session.bound(inputs.mapValues(\.host))) } catch { throw RuntimeError(error) }
    }

    /// Node by node, in the order of the model; empty before the first run.
    public var placement: [Placement] { session.summary.map(Placement.list) ?? [] }

    /// How many of the model's nodes each device runs.
    public var nodesByDevice: [String: Int] { session.summary?.placement ?? [:] }

    private func run(_ inputs: [String: Tensor], control: RunControl?) throws(RuntimeError) -> [String: Tensor] {
        do {
            let results = try session.run(inputs.mapValues(\.host), control: control)
            return Dictionary(results.map { ($0.name, Tensor($0.tensor)) }, uniquingKeysWith: { first, _ in first })
        } catch {
            throw RuntimeError(error)
        }
    }
}

extension Session.Placement {
    static func list(_ summary: PlanSummary) -> [Self] {
        summary.nodes.map { Self(node: $0.name, operatorName: $0.operatorName, device: $0.device, kernel: $0.kernel) }
    }
}

extension RunControl {
    /// Stops in so long from now.
    convenience init(deadline: Duration) {
        self.init()
        stop(afterSeconds: deadline / .seconds(1))
    }
}
