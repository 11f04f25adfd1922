// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation
import Graph
import Operators
import Southbound
import Tensors
import Testing

/// Nodes that no well-behaved host sends, given to every kernel of the plugin through the header: an error or a refusal with a text, never a trap.
@Suite struct HostileNodeTests {
    private enum Fault: CaseIterable {
        case rank100, overflowingShape, negativeShape, unknownType, noShape, attributeWithoutValues, attributeOfAnotherKind,
            attributeWithoutName, shortNode,
            nullInputList, missingInputs
    }

    @Test func isRefusedByEveryKernel() throws {
        let plugin = try Plugin.load(.cpu)
        let library = try #require(plugin.library)
        let device = try plugin.openDevice(0)
        var refusals = 0
        for kernel in library.kernels {
            for fault in Fault.allCases {
                let (status, answer, message) = ask(library, device, kernel, fault)
                if fault == .missingInputs && answer { continue }
                #expect(status != SB_OK || !answer, "\(kernel.name) takes a node with \(fault)")
                #expect(!message.isEmpty, "\(kernel.name) says nothing about \(fault)")
                refusals += 1
            }
        }
        #expect(refusals > 1000)
    }

    /// One node with the fault: the status, the answer, and the text of either.
    private func ask(_ library: OperatorLibrary, _ device: Device, _ kernel: Kernel, _ fault: Fault) -> (
        status: Int32, isSupported: Bool, message: String
    ) {
        let memory = CMemory()
        let shape: [Int64] =
            switch fault {
            case .rank100: [Int64](repeating: 1, count: 100)
            case .overflowingShape: [1 << 40, 1 << 40]
            case .negativeShape: [2, -3]
            default: [2, 3]
            }
        let type = (1...26).map { UInt32($0) }.first { kernel.dataTypes.rawValue & 1 << UInt64($0) != 0 } ?? SB_TYPE_FLOAT32
        func tensor() -> UnsafePointer<sb_tensor> {
            UnsafePointer(
                memory.allocate(
                    sb_tensor(
                        size: MemoryLayout<sb_tensor>.size, data_type: fault == .unknownType ? 999 : type, rank: UInt32(shape.count),
                        shape: fault == .noShape ? nil : memory.array(shape), strides: nil, buffer: nil, offset: 0, host: nil, layout: 0,
                        reserved: 0)))
        }
        var attribute = sb_attribute()
        attribute.size = MemoryLayout<sb_attribute>.size
        attribute.name = memory.string("axis")
        attribute.count = 1
        switch fault {
        case .attributeWithoutValues: attribute.type = SB_ATTRIBUTE_INTS
        case .attributeWithoutName:
            attribute.name = sb_string()
            attribute.ints = UnsafePointer(memory.array([Int64(0)]))
        default:
            // No operator has a string of that name.
            attribute.type = SB_ATTRIBUTE_STRINGS
            attribute.strings = UnsafePointer(memory.array([memory.string("first")]))
        }
        let isAttributeFault = [.attributeWithoutValues, .attributeOfAnotherKind, .attributeWithoutName].contains(fault)
        let attributes = memory.array([Optional(UnsafePointer(memory.allocate(attribute)))])
        let inputs = memory.array((0..<2).map { _ in Optional(tensor()) })
        let outputs = memory.array([Optional(tensor())])
        var node = sb_node()
        node.size = fault == .shortNode ? 8 : MemoryLayout<sb_node>.size
        node.kernel = kernel.pointer
        node.domain = memory.string(kernel.domain)
        node.operator_name = memory.string(kernel.operatorName)
        node.version = UInt32(kernel.since)
        (node.attributes, node.attribute_count) = (UnsafePointer(attributes), isAttributeFault ? 1 : 0)
        (node.inputs, node.input_count) = (fault == .nullInputList ? nil : UnsafePointer(inputs), fault == .missingInputs ? 0 : 2)
        (node.outputs, node.output_count) = (UnsafePointer(outputs), 1)

        let text = memory.array([CChar](repeating: 0, count: 400))!
        let errorText = memory.array([CChar](repeating: 0, count: 400))!
        let answer = memory.allocate(
            sb_support(
                size: MemoryLayout<sb_support>.size, supported: 0, reason: 0, message: text, capacity: 400, workspace: 0, cost: 0,
                input_layouts: nil, output_layouts: nil, layout_cost: 0, numerics: nil))
        var error = sb_error()
        error.size = MemoryLayout<sb_error>.size
        error.message = errorText
        error.capacity = 400
        let nodes = memory.array([Optional(UnsafePointer(memory.allocate(node)))])
        let answers = memory.array([Optional(answer)])
        let status = library.table.support(library.plugin.instance, device.handle, nodes, 1, answers, &error)
        return (status, answer.pointee.supported != 0, String(cString: text) + String(cString: errorText))
    }
}

extension PluginReference {
    /// The reference plugin of this build.
    fileprivate static var cpu: PluginReference {
        get throws { try .parse("cpu", installation: try Installation.locate()) }
    }
}
