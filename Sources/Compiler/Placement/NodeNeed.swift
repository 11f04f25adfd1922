// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Operators
package import Southbound
package import Tensors

/// What it takes for a device to run one node of the graph that the stack is going to run.
package struct NodeNeed: Sendable {
    package let name: String
    /// With its domain.
    package let operatorName: String
    /// By the roofline of the device's description, whoever runs it.
    package let seconds: Double
    package internal(set) var ways: KernelWays
    /// Of the node and its parts: what the kernels of `ways` would be asked.
    package internal(set) var calls: [WishedCall] = []
    /// Why no kernel helps.
    package internal(set) var obstacle: String?

    /// The device runs it as it is.
    package var isNative: Bool { ways.sets.first?.isEmpty ?? false }
}

/// Sets of kernels, each of which would do, none with another one in it, the smallest first. One empty set: nothing is lacking. None: no kernel helps.
package struct KernelWays: Sendable, Hashable {
    package private(set) var sets: [Set<KernelWish>]
    /// There is no other way than these.
    package private(set) var isComplete = true

    static let nothing = KernelWays([[]])
    static let none = KernelWays([])

    init(_ sets: [Set<KernelWish>]) { self.sets = sets }

    /// More ways than these are not followed.
    private static let limit = 32

    /// One or the other.
    func or(_ other: KernelWays) -> KernelWays { KernelWays(sets + other.sets, isComplete && other.isComplete) }

    /// Both.
    func and(_ other: KernelWays) -> KernelWays {
        KernelWays(sets.flatMap { one in other.sets.map { one.union($0) } }, isComplete && other.isComplete)
    }

    private init(_ all: [Set<KernelWish>], _ isComplete: Bool) {
        // Stable, so that a node's own kernel stays before its parts.
        let ordered = all.enumerated().sorted { ($0.element.count, $0.offset) < ($1.element.count, $1.offset) }.map(\.element)
        var least: [Set<KernelWish>] = []
        for set in ordered where !least.contains(where: set.isSuperset) { least.append(set) }
        sets = Array(least.prefix(Self.limit))
        self.isComplete = isComplete && least.count <= Self.limit
    }
}

/// A node, or a part of one, as a wished kernel would be asked about it.
package struct WishedCall: Sendable {
    package let wish: KernelWish
    /// `node`, or `node/part`.
    package let name: String
    /// Its values are not those of any graph that still is.
    package let node: Node
    /// In which the operator's meaning was last changed.
    package let version: Int
    /// With the standard's defaults.
    package let attributes: [String: Attribute]
    package let inputs: [Argument?]
    package let outputs: [ConcreteType?]
    /// An output's shape is known only after the launch.
    package let reportsShape: Bool
    /// What the kernels that the device has for the operator answered.
    package let refusals: [String]
    /// Equal for calls that a kernel cannot tell apart.
    package let signature: NodeSignature

    package struct Argument: Sendable {
        package let type: ConcreteType
        package let isConstant: Bool
        /// Of a small constant, which may be axes or a scale.
        package let value: HostTensor?
    }
}
