// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// What `southbridge debug` found.
package struct DebugReport: Encodable, Sendable {
    package enum Phase: String, Encodable, Sendable {
        /// A node by itself on reference inputs.
        case alone
        /// A fused node or a compiled program by itself on reference inputs.
        case group
        /// On the device's own values from the first node on, step by step.
        case chained
        /// All at once, as `run` does it.
        case complete
    }

    /// An error beside what is allowed.
    package struct Measure: Encodable, Sendable {
        /// `measured` over `bound`; above 1 the node is over its bound.
        package let ratio: Double
        package let measured: Double
        package let bound: Double
        /// `ulp` for nodes alone; `relative` for what is compared by norms.
        package let unit: String
        package var grade: Grade?

        package var isOver: Bool { ratio > 1 }
    }

    package struct Node: Encodable, Sendable {
        package let name: String
        package let `operator`: String
        package let dataType: String
        package let device: String
        package let kernel: String
        /// Nil where nothing can be told; `message` says why.
        package var alone: Measure?
        package var group: Measure?
        package var chained: Measure?
        package var message: String?

        package var worstRatio: Double { [alone, group, chained].compactMap { $0?.ratio }.max() ?? 0 }
    }

    /// The first node over its bound.
    package struct Verdict: Encodable, Sendable {
        package let phase: Phase
        package let node: String
        package let `operator`: String
        package let device: String
        package let kernel: String
        package let message: String
    }

    package let schema = "southbridge.debug/1"
    package let device: String
    package let against: String
    package let seed: UInt64
    /// In the order of execution: nodes by kernels, then fused nodes and programs.
    package internal(set) var nodes: [Node] = []
    package internal(set) var verdict: Verdict?
    /// Most bytes of values held at once: the reference's, the device's and those of the noisy runs.
    package internal(set) var peakBytes = 0
    /// Most bytes of the model's own values that are needed at once.
    package internal(set) var activationBytes = 0
    package internal(set) var remarks: [String] = []

    private enum CodingKeys: String, CodingKey {
        case schema, device, against, seed, nodes, verdict, remarks
        case peakBytes = "peak_bytes"
        case activationBytes = "activation_bytes"
    }

    init(device: String, against: String, seed: UInt64) {
        self.device = device
        self.against = against
        self.seed = seed
    }
}

/// What shows the first node over its bound, as a model of its own.
package struct DebugEvidence: Sendable {
    package let graph: Graph
    package let inputs: [(name: String, tensor: HostTensor)]
    package let expected: [(name: String, tensor: HostTensor)]
    package let actual: [(name: String, tensor: HostTensor)]

    init(_ piece: Piece, inputs: (ValueID) throws -> HostTensor, expected: [HostTensor], actual: [HostTensor]) rethrows {
        graph = piece.graph
        let outputs = piece.graph.outputs.map { piece.graph[$0].name }
        self.inputs = try zip(piece.graph.inputs, piece.inputs).map { (piece.graph[$0].name, try inputs($1)) }
        self.expected = Array(zip(outputs, expected))
        self.actual = Array(zip(outputs, actual))
    }
}
