// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import PluginKit
import SimulatedNPUMachine
import Synchronization
import Tensors

/// Programs of nodes that were asked about: a node is lowered once for its support and its preparation, and so are nodes that are alike.
///
/// Programs with constants of their own are not kept: they are packed from memory that is the host's.
final class LoweringCache: Sendable {
    /// Of all programs together, about 100 MB.
    private static let mostInstructions: UInt64 = 1 << 19

    private let kept = Mutex<(lowerings: [String: Lowering], instructions: UInt64)>(([:], 0))

    func lowering(of node: NodeView, kernel: String, _ lower: () throws(Refusal) -> Lowering) throws(Refusal) -> Lowering {
        guard let key = Self.key(node, kernel) else { return try lower() }
        if let known = kept.withLock({ $0.lowerings[key] }) { return known }
        let made = try lower()
        let hasConstants = made.sources.contains { if case .constant = $0 { true } else { false } }
        let count = made.program.instructionCount
        if hasConstants || count > Self.mostInstructions / 8 { return made }
        kept.withLock { kept in
            if kept.instructions + count > Self.mostInstructions { kept = ([:], 0) }
            kept.lowerings[key] = made
            kept.instructions += count
        }
        return made
    }

    /// Everything that a program depends on; nil where that is too much to keep.
    private static func key(_ node: NodeView, _ kernel: String) -> String? {
        var text = "\(kernel) \(node.version)"
        for attribute in node.attributes {
            if attribute.tensor != nil { return nil }
            text +=
                " \(attribute.name)=\(attribute.ints.map { Array($0) } ?? [])\(attribute.floats.map { $0.map(\.bitPattern) } ?? [])\(attribute.strings ?? [])"
        }
        for index in 0..<(node.inputCount + node.outputCount) {
            guard let tensor = index < node.inputCount ? node.input(index) : node.output(index - node.inputCount) else {
                text += " -"
                continue
            }
            text += " \(tensor.dataType)\(Array(tensor.shape))"
            if tensor.layout != SB_LAYOUT_ROW_MAJOR { text += "@\(tensor.layout)" }
            if tensor.strides != nil { return nil }
            guard let host = tensor.host else { continue }
            let bytes = tensor.count * (DataType(rawValue: tensor.dataType)?.bits ?? 0) / 8
            guard tensor.count <= 64 else { return nil }
            text += "=\(Array(UnsafeRawBufferPointer(start: host, count: bytes)))"
        }
        return text
    }
}
