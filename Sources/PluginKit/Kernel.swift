// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge

/// One kernel of an operator library: what it takes, which nodes it supports, and how a node is made ready for launches.
package protocol Kernel<Device>: Sendable {
    associatedtype Device: PluginKit.Device
    var declaration: KernelDeclaration { get }
    /// Asked only about nodes of the declared operator, versions and data types. The answer depends on nothing but the node.
    func support(_ node: NodeView, on device: Device) -> Support
    /// Asked about nodes that it supports with row-major tensors alone, of kernels with the flag `layouts`: the layouts that it would rather have. By default none.
    func preferredLayouts(_ node: NodeView, on device: Device) -> PreferredLayouts?
    /// Called once for a supported node; whatever a launch can do without belongs here. `node` is valid until the call returns.
    func prepare(_ node: NodeView, on device: Device) throws(PluginFailure) -> any PreparedKernel
}

extension Kernel {
    package func preferredLayouts(_ node: NodeView, on device: Device) -> PreferredLayouts? { nil }
}

/// Layouts of a node's tensors, 0 for row-major: one of the device's for each input and output.
package struct PreferredLayouts: Sendable {
    package var inputs: [UInt32]
    package var outputs: [UInt32]
    /// Expected nanoseconds with them; 0 is unknown.
    package var cost: Double

    package init(inputs: [UInt32], outputs: [UInt32], cost: Double) {
        self.inputs = inputs
        self.outputs = outputs
        self.cost = cost
    }
}

/// A node that is ready to be launched, any number of times, also at once on several streams. Launches allocate nothing.
package protocol PreparedKernel: AnyObject, Sendable {
    func launch(_ launch: LaunchView) throws(PluginFailure)
}

package struct KernelDeclaration: Sendable {
    /// Unique in the library.
    package var name: String
    /// Empty for the standard's default domain.
    package var domain: String
    package var operatorName: String
    /// The operator's versions that the kernel takes.
    package var since: UInt32
    /// 0: no limit.
    package var until: UInt32
    /// Bit `t` for the data type `SB_TYPE_*` of value t (SB-OPS-002).
    package var dataTypes: UInt64
    package var flags: KernelFlags
    /// Among kernels for the same node the larger wins.
    package var priority: Int32
    /// Bit i: input i is wanted on the host.
    package var hostInputs: UInt64
    /// What the kernel declares about its arithmetic; nil: the defaults of SB-NUM-001.
    package var numerics: sb_numerics?

    package init(
        name: String, domain: String = "", operatorName: String, since: UInt32 = 1, until: UInt32 = 0, dataTypes: UInt64,
        flags: KernelFlags = [], priority: Int32 = 0, hostInputs: UInt64 = 0, numerics: sb_numerics? = nil
    ) {
        self.name = name
        self.domain = domain
        self.operatorName = operatorName
        self.since = since
        self.until = until
        self.dataTypes = dataTypes
        self.flags = flags
        self.priority = priority
        self.hostInputs = hostInputs
        self.numerics = numerics
    }
}

package struct KernelFlags: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Takes inputs with strides.
    package static let strided = KernelFlags(rawValue: SB_KERNEL_FLAG_STRIDED)
    /// Output 0 may be exactly input 0.
    package static let inPlace = KernelFlags(rawValue: SB_KERNEL_FLAG_IN_PLACE)
    /// Output shapes are upper bounds; the launch writes the real dimensions (`TensorView.setShape`).
    package static let reportsShape = KernelFlags(rawValue: SB_KERNEL_FLAG_REPORTS_SHAPE)
    package static let deterministic = KernelFlags(rawValue: SB_KERNEL_FLAG_DETERMINISTIC)
    package static let generic = KernelFlags(rawValue: SB_KERNEL_FLAG_GENERIC)
    /// May be asked about tensors in layouts of the device. Kernels without it never see one.
    package static let layouts = KernelFlags(rawValue: SB_KERNEL_FLAG_LAYOUTS)
}

/// The answer about one node.
package enum Support: @unchecked Sendable {
    /// `workspace`: bytes that each launch needs. `cost`: expected nanoseconds, 0 if unknown. `numerics`: what holds for this node instead of what the kernel declares
    /// (SB-NUM-003), in memory that stays until the device is closed; a host older than 0.4 goes by the declaration.
    case yes(workspace: UInt64 = 0, cost: Double = 0, numerics: UnsafePointer<sb_numerics>? = nil)
    case no(Reason, String)

    package enum Reason: UInt32, Sendable {
        case dataType = 1
        case shape, attribute, layout, memory, other
    }
}
