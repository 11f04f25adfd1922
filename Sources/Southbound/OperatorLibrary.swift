// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge
import Foundation
package import HardwareModel
package import Tensors

/// The kernels that a plugin offers. Lives as long as its plugin.
package final class OperatorLibrary: @unchecked Sendable {
    package unowned let plugin: Plugin
    /// In the plugin's own order.
    package let kernels: [Kernel]
    /// A full-size copy of the plugin's table.
    package let table: sb_operators

    private struct Key: Hashable {
        let domain: String
        let operatorName: String
    }
    private let byOperator: [Key: [Kernel]]
    /// Of the kernels of a library that is only assumed.
    private let assumed: CMemory?

    /// Of a library without a driver.
    private let ownLayouts: [Layout]

    init(plugin: Plugin, table: sb_operators, kernels: [Kernel], layouts: [Layout] = [], assumed: CMemory? = nil) {
        self.plugin = plugin
        self.assumed = assumed
        ownLayouts = plugin.driver == nil ? layouts : []
        self.table = table
        self.kernels = kernels
        let order = { (kernel: Kernel) in (kernel.flags.contains(.generic) ? 1 : 0, -kernel.priority) }
        byOperator = Dictionary(grouping: kernels.indices) { Key(domain: kernels[$0].domain, operatorName: kernels[$0].operatorName) }
            .mapValues { indices in
                indices.sorted { left, right in
                    let (a, b) = (order(kernels[left]), order(kernels[right]))
                    return a == b ? left < right : a < b
                }.map { kernels[$0] }
            }
    }

    /// Whether its kernels may run on a device of another plugin, or of its own: the host must see the memory. One that is assumed serves its own plugin's.
    package func serves(_ device: Device) -> Bool {
        assumed == nil ? device.isHostVisible : device.plugin === plugin
    }

    /// Layouts that kernels with the flag for it may be given on a device (SB-OPS-013).
    package func layouts(on device: Device) -> [Layout] { device.plugin === plugin ? device.model.layouts : ownLayouts }

    /// The kernels to ask about a node, best first: not generic before generic, then by priority, then in the plugin's order.
    ///
    /// - Parameters:
    ///   - version: the operator's own version in force, not the model's operator-set version.
    ///   - dataType: of the node by SB-OPS-002.
    package func candidates(domain: String, operatorName: String, version: Int, dataType: DataType) -> [Kernel] {
        (byOperator[Key(domain: domain, operatorName: operatorName)] ?? []).filter { $0.covers(version: version, dataType: dataType) }
    }

    /// Asks the plugin about a batch of nodes. The answers are in the order of the nodes.
    /// - Parameter askingForLayouts: whether kernels may say which layouts they would rather have.
    package func support(
        _ nodes: [NodeDescriptor], on device: Device, askingForLayouts: Bool = false
    ) throws(PluginError) -> [SupportAnswer] {
        if nodes.isEmpty { return [] }
        let wishes = CMemory()
        func places(_ count: Int) -> UnsafeMutablePointer<UInt32>? {
            askingForLayouts ? wishes.array([UInt32](repeating: 0, count: max(count, 1))) : nil
        }
        let capacity = 500
        let messages = UnsafeMutablePointer<CChar>.allocate(capacity: capacity * nodes.count)
        let answers = UnsafeMutablePointer<sb_support>.allocate(capacity: nodes.count)
        defer {
            messages.deallocate()
            answers.deallocate()
        }
        messages.initialize(repeating: 0, count: capacity * nodes.count)
        for index in nodes.indices {
            (answers + index).initialize(
                to: sb_support(
                    size: MemoryLayout<sb_support>.size, supported: 0, reason: 0, message: messages + index * capacity, capacity: capacity,
                    workspace: 0, cost: 0, input_layouts: places(nodes[index].inputs.count),
                    output_layouts: places(nodes[index].outputs.count), layout_cost: 0, numerics: nil))
        }
        let nodePointers: [UnsafePointer<sb_node>?] = nodes.map(\.pointer)
        let answerPointers: [UnsafeMutablePointer<sb_support>?] = nodes.indices.map { answers + $0 }
        try withStatus(plugin: plugin.name, doing: "tell which of \(nodes.count) nodes it supports") { error in
            withExtendedLifetime(nodes) {
                table.support(plugin.instance, device.handle, nodePointers, nodes.count, answerPointers, error)
            }
        }
        var numerics: [NumericFacts?] = []
        for index in nodes.indices {
            let subject = "the answer about '\(nodes[index].operatorName)'"
            numerics.append(
                try answers[index].numerics.map { (pointer) throws(PluginError) in
                    try NumericFacts(pointer, of: subject, PluginReader(plugin: plugin.name))
                })
        }
        return nodes.indices.map { index in
            let text = UnsafeRawBufferPointer(start: messages + index * capacity, count: capacity).prefix { $0 != 0 }
            var answer = SupportAnswer(answers[index], message: String(decoding: text, as: UTF8.self))
            answer.numerics = numerics[index]
            if askingForLayouts && answer.isSupported { answer.wish = LayoutWish(answers[index], of: nodes[index]) }
            return answer
        }
    }

    /// Prepares a node for any number of launches. Without a `prepare` of the plugin the state's handle is nil.
    package func prepare(_ node: NodeDescriptor, on device: Device) throws(PluginError) -> PreparedState {
        var handle: OpaquePointer?
        if let prepare = table.prepare {
            try withStatus(plugin: plugin.name, doing: "prepare '\(node.operatorName)' for kernel '\(node.kernel.name)'") { error in
                withExtendedLifetime(node) { prepare(plugin.instance, device.handle, node.pointer, &handle, error) }
            }
        }
        return PreparedState(library: self, device: device, handle: handle)
    }
}

/// Layouts that a kernel would rather have, by input and output; 0 is row-major.
package struct LayoutWish: Sendable, Hashable {
    package let inputs: [Int]
    package let outputs: [Int]
    /// Expected with them.
    package let costNanoseconds: Double

    /// Nil if nothing is wished, or its cost is unknown.
    fileprivate init?(_ record: sb_support, of node: NodeDescriptor) {
        inputs = (0..<node.inputs.count).map { index in record.input_layouts.map { Int($0[index]) } ?? 0 }
        outputs = (0..<node.outputs.count).map { index in record.output_layouts.map { Int($0[index]) } ?? 0 }
        costNanoseconds = record.layout_cost
        guard (inputs + outputs).contains(where: { $0 != 0 }), costNanoseconds > 0, costNanoseconds.isFinite else { return nil }
    }
}

/// What a plugin answers about one node.
package struct SupportAnswer: Sendable, Hashable {
    package enum Reason: UInt32, Sendable, Hashable { case none, dataType, shape, attribute, layout, memory, other }

    package let isSupported: Bool
    /// Why not.
    package let reason: Reason
    /// The plugin's own words about why not; may be empty.
    package let message: String
    /// That each launch needs.
    package let workspaceBytes: Int
    /// Expected; 0 is unknown.
    package let costNanoseconds: Double
    /// What holds for this node instead of what the kernel declares; nil: nothing else.
    package fileprivate(set) var numerics: NumericFacts?
    /// What it would rather have; nil: nothing else, or it was not asked.
    package fileprivate(set) var wish: LayoutWish?

    init(_ record: sb_support, message: String) {
        let cost = record.cost.isFinite ? max(0, record.cost) : 0
        guard let workspace = Int(exactly: record.workspace) else {
            isSupported = false
            reason = .memory
            self.message = "the plugin asks for a workspace of \(record.workspace) bytes"
            workspaceBytes = 0
            costNanoseconds = cost
            return
        }
        isSupported = record.supported == 1
        reason = isSupported ? .none : Reason(rawValue: record.reason) ?? .other
        self.message = isSupported ? "" : message
        workspaceBytes = workspace
        costNanoseconds = cost
    }
}

/// What `prepare` made of a node; released with the last reference. Serves any number of launches.
package final class PreparedState: @unchecked Sendable {
    private let plugin: Plugin
    private let device: Device
    private let release: (@convention(c) (OpaquePointer?) -> Void)?
    /// Nil for a stateless kernel.
    package let handle: OpaquePointer?

    init(library: OperatorLibrary, device: Device, handle: OpaquePointer?) {
        plugin = library.plugin
        self.device = device
        release = library.table.release
        self.handle = handle
    }

    deinit {
        if let handle { release?(handle) }
    }
}
