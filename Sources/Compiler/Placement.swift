// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge
package import Graph
package import HardwareModel
package import Operators
package import Southbound
package import Tensors

/// What a user or a suite asks of placement.
package struct PlacementRules: Sendable {
    /// Who gets a node that several devices take.
    package enum Strategy: String, Codable, Sendable {
        /// The first device, in order of preference: what a suite wants to see work is the plugin under test.
        case preference
        /// Whoever makes kernels and copies together cheapest; the order of preference breaks ties.
        case cost
    }
    package var strategy = Strategy.preference
    /// A device, by its name, that gets only what no other takes; nil: all are equal.
    package var lastResort: String?
    /// Nodes that match run on that device alone. The first rule that matches counts. See `PinPattern`.
    package var pins: [(pattern: String, device: String)] = []
    /// Names of libraries whose kernels go first.
    package var preferred: [String] = []
    /// Shell patterns of kernel names (`LIBRARY/KERNEL` or `KERNEL`) that are not to be used.
    package var denied: [String] = []
    /// The only kernel that counts, as `LIBRARY/KERNEL`; nil: all do. For measurements.
    package var onlyKernel: String?
    /// Nodes whose value is known before the run are computed by the stack, once. Without it only host operators are, so that a suite sees every node run.
    package var folding = true
    /// A node that has no kernel but a generic one, or none at all, runs as simpler operators where its decomposition has kernels. Without it every node runs
    /// as the model has it, so that a suite sees what the plugin's own kernels cover, and may judge by the bound of the operator.
    package var decomposing = true
    /// Plugins with a compiler of their own are asked for groups of nodes first. Without it every node goes by kernels, so that a suite sees these.
    package var compiling = true
    /// Passes rewrite the graph, and nodes that only give a value another shape run nowhere. Without it every node runs as the model has it.
    package var optimizing = true
    /// Constants of more bytes are not shown to plugins before the run, so that these do not keep copies of their own: their memory then stays with the stack,
    /// which can do without it for a while.
    package var largestKnownConstant = Int.max
    /// Names of passes that are not run.
    package var disabledPasses: Set<String> = []
    /// After each pass what the graph computes is compared with what it computed before, on random inputs.
    package var verifyingPasses = false
    /// Products of float32 are computed in this type, where who runs them has kernels on it; nil: in float32. One of `MixedPrecision.types`.
    package var mixed: DataType?

    package init() {}

    /// Every node runs as the model has it.
    package static var asGiven: PlacementRules {
        var rules = PlacementRules()
        rules.optimizing = false
        return rules
    }
}

/// Nobody runs a node; `refusals` says what each kernel that was asked answered.
package struct NoKernelError: Error, Sendable, CustomStringConvertible {
    package let node: String
    package let operatorName: String
    package let dataType: DataType?
    package let refusals: [String]
    /// The rule `PATTERN=DEVICE` that left no other device.
    package var pin: String?

    package var description: String {
        let reasons = refusals.isEmpty ? "no kernel is offered for it" : refusals.joined(separator: "; ")
        if let pin { return "node '\(node)' (\(operatorName)) cannot run where '--place \(pin)' wants it: \(reasons)" }
        return "node '\(node)' (\(operatorName)) runs on none of the devices: \(reasons)"
    }
}

/// A node and the kernel that runs it.
package struct PlacedNode {
    /// In the placement's graph.
    package let node: NodeID
    /// The node of the model that it is, or is a part of.
    package let source: NodeID
    /// Index into the list of devices.
    package let device: Int
    package let library: OperatorLibrary
    package let kernel: Kernel
    package let descriptor: NodeDescriptor
    package internal(set) var answer: SupportAnswer
    /// Of one launch.
    package internal(set) var cost: CostEstimate

    /// What holds of its arithmetic.
    package var facts: NumericFacts { answer.numerics ?? kernel.numerics }
}

/// A group of nodes that a plugin's own compiler has made one program of.
package struct PlacedProgram {
    /// In the placement's graph, in order.
    package let nodes: [NodeID]
    /// Index into the list of devices.
    package let device: Int
    package let program: CompiledProgram
    /// Values from outside and values that are wanted outside, in the compiled graph's order.
    package let inputs: [ValueID]
    package let outputs: [ValueID]
    /// The tensors of an execution.
    package let descriptor: GraphDescriptor
    /// Of one execution.
    package let cost: CostEstimate
}

/// A node whose output 0 is its input 0 with another shape: nothing runs, the value is found where its source lies.
package struct PlacedView {
    /// In the placement's graph.
    package let node: NodeID
    /// The node of the model that it is, or is a part of.
    package let origin: NodeID
    package let source: ValueID
    package let value: ValueID
    /// Where the source lies.
    package let device: Int
}

/// What runs as one launch or execution, or renames a value.
package enum PlacedStep {
    case node(PlacedNode)
    case program(PlacedProgram)
    case view(PlacedView)

    package var device: Int {
        switch self {
        case .node(let placed): placed.device
        case .program(let placed): placed.device
        case .view(let view): view.device
        }
    }

    package var workspaceBytes: Int {
        switch self {
        case .node(let placed): placed.answer.workspaceBytes
        case .program(let placed): placed.program.workspaceBytes
        case .view: 0
        }
    }

    /// The kernel, of a step that is one node.
    package var kernel: Kernel? { if case .node(let placed) = self { placed.kernel } else { nil } }

    /// The C tensors of the step's inputs and outputs. Nil for one left out.
    package var inputTensors: [UnsafeMutablePointer<sb_tensor>?] {
        switch self {
        case .node(let placed): placed.descriptor.inputs
        case .program(let placed): placed.descriptor.inputs
        case .view: []
        }
    }
    package var outputTensors: [UnsafeMutablePointer<sb_tensor>?] {
        switch self {
        case .node(let placed): placed.descriptor.outputs
        case .program(let placed): placed.descriptor.outputs
        case .view: []
        }
    }

    package func inputs(_ graph: Graph) -> [ValueID?] {
        switch self {
        case .node(let placed): graph[placed.node].inputs
        case .program(let placed): placed.inputs
        case .view(let view): [view.source]
        }
    }

    package func outputs(_ graph: Graph) -> [ValueID?] {
        switch self {
        case .node(let placed): graph[placed.node].outputs
        case .program(let placed): placed.outputs
        case .view(let view): [view.value]
        }
    }
}

/// Which node runs where, for one set of input shapes.
package struct Placement {
    /// The model's graph and, behind its nodes and values, the parts of those that were decomposed.
    package internal(set) var graph: Graph
    /// By value of `graph`.
    package internal(set) var types: [InferredOutput?]
    /// In order of execution.
    package private(set) var steps: [PlacedStep] = []
    /// Where each value that a step makes lies.
    private(set) var homes: [ValueID: Int] = [:]
    /// Nodes of the model that the stack computed itself before the run.
    package internal(set) var folded: [NodeID] = []
    /// Constants and the values of folded nodes.
    package internal(set) var values: [ValueID: HostTensor]
    /// Constants of more bytes are not shown to plugins before the run.
    var largestKnownConstant = Int.max
    package internal(set) var inference: GraphInference
    /// Of values that are not row-major.
    package internal(set) var layouts: [ValueID: Layout] = [:]
    /// Why groups that a plugin claimed go by kernels all the same, for a person.
    package internal(set) var remarks: [String] = []
    /// How the devices were chosen, where cost decided.
    package internal(set) var choice: PlacementChoice?
    /// What the passes before it came to.
    package var passes = PassReport()

    /// Nothing is placed yet.
    package init(_ inference: GraphInference) {
        graph = inference.graph
        types = inference.types
        values = inference.graph.constants
        self.inference = inference
    }

    mutating func append(_ step: PlacedStep) {
        steps.append(step)
        for case let output? in step.outputs(graph) { homes[output] = step.device }
    }

    mutating func removeSteps(from index: Int) {
        for step in steps[index...] { for case let output? in step.outputs(graph) { homes[output] = nil } }
        steps.removeSubrange(index...)
    }
}

/// What a choice by cost came to, in expected seconds of kernels and copies.
package struct PlacementChoice: Sendable {
    package var seconds: Double
    /// Of which the copies take so many.
    package var copySeconds: Double
    /// By device: with everything on it that it takes, and the rest where that is cheapest.
    package var onOneDevice: [Double]
    /// See `Partition.isOptimal`.
    package var isOptimal: Bool
}
