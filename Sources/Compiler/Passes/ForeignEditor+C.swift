// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Graph
import Operators
import Southbound
import Tensors

extension ForeignEditor {
    /// What a plugin calls. Accessors answer NULL, `SB_NOTHING`, 0 or false for what is not there.
    static let table = sb_editor(
        size: MemoryLayout<sb_editor>.size,
        node_count: { of($0).map { UInt32($0.graph.editor.nodeCount) } ?? 0 },
        node: { of($0)?.node(NodeID(Int($1))) },
        input: { of($0)?.end(Int($1), $2, \.inputs) ?? SB_NOTHING },
        output: { of($0)?.end(Int($1), $2, \.outputs) ?? SB_NOTHING },
        tensor: { of($0)?.tensor($1).map { UnsafePointer($0) } },
        producer: { editor, value in
            of(editor)?.graph.editor.producer(of: ValueID(Int(value))).map { UInt32($0.index) } ?? SB_NOTHING
        },
        readers: { editor, value, nodes, capacity in
            guard let editor = of(editor) else { return 0 }
            let readers = editor.graph.readers(of: ValueID(Int(value)))
            if let nodes { for (index, reader) in readers.prefix(max(capacity, 0)).enumerated() { nodes[index] = UInt32(reader.index) } }
            return readers.count
        },
        is_output: { of($0)?.graph.editor.isOutput(ValueID(Int($1))) ?? false },
        add_constant: { of($0)?.addConstant($1, $2, $3) ?? SB_ERROR_INVALID_ARGUMENT },
        add_node: { of($0)?.addNode($1, $2, $3, $4) ?? SB_ERROR_INVALID_ARGUMENT },
        replace: { of($0)?.replace($1, by: $2, $3) ?? SB_ERROR_INVALID_ARGUMENT },
        remove: { of($0)?.remove(NodeID(Int($1)), $2) ?? SB_ERROR_INVALID_ARGUMENT })

    // MARK: Accessors

    private func end(_ node: Int, _ position: Int, _ side: KeyPath<Node, [ValueID?]>) -> UInt32 {
        guard let values = graph.node(NodeID(node))?[keyPath: side], values.indices.contains(position), let value = values[position] else {
            return SB_NOTHING
        }
        return UInt32(value.index)
    }

    /// NULL also for a node that no plugin can be given: one with a subgraph or with strings.
    private func node(_ id: NodeID) -> UnsafePointer<sb_node>? {
        guard let node = graph.node(id), let definition = graph.catalog.definition(of: node) else { return nil }
        if let known = nodes[id.index], known.inputs == node.inputs { return known.pointer }
        func tensors(_ values: [ValueID?]) -> [UnsafeMutablePointer<sb_tensor>?]? {
            let tensors = values.map { value in value.map { tensor(UInt32($0.index)) } }
            return tensors.contains { $0 == .some(nil) } ? nil : tensors.map { $0 ?? nil }
        }
        guard let inputs = tensors(node.inputs), let outputs = tensors(node.outputs),
            let pointer = try? memory.node(
                kernel: nil, domain: node.domain, operatorName: node.operatorName,
                version: definition.version(atOpset: node.opset) ?? node.opset, attributes: definition.allAttributes(of: node),
                inputs: inputs,
                outputs: outputs)
        else { return nil }
        nodes[id.index] = (node.inputs, pointer)
        return pointer
    }

    private func tensor(_ number: UInt32) -> UnsafeMutablePointer<sb_tensor>? {
        if let known = tensors[Int(number)] { return known }
        guard let value = self.value(number), let type = graph.types[value.index] else { return nil }
        let made =
            switch type {
            case .known(let type):
                try? memory.tensor(TensorDescriptor(type.dataType, type.shape, host: graph.constant(value)?.bytes.baseAddress))
            case .bounded(let dataType, let shape): try? memory.tensor(dataType, rank: shape.count)
            }
        tensors[Int(number)] = made
        return made
    }

    // MARK: Changes

    private func addConstant(
        _ tensor: UnsafePointer<sb_tensor>?, _ value: UnsafeMutablePointer<UInt32>?, _ error: UnsafeMutablePointer<sb_error>?
    ) -> Int32 {
        guard let value else { return refuse("'add_constant' is given no place for the value's number", error) }
        do throws(PluginError) {
            let added = graph.addConstant(try HostTensor(reading: tensor, plugin: plugin), name: pass)
            value.pointee = UInt32(added.index)
            return SB_OK
        } catch let fault { return refuse("'add_constant': \(fault.message)", error) }
    }

    private func addNode(
        _ node: UnsafePointer<sb_node>?, _ inputs: UnsafePointer<UInt32>?, _ outputs: UnsafeMutablePointer<UInt32>?,
        _ error: UnsafeMutablePointer<sb_error>?
    ) -> Int32 {
        let read: PassNode
        do throws(PluginError) { read = try PassNode(reading: node, plugin: plugin) } catch let fault {
            return refuse("'add_node': \(fault.message)", error)
        }
        guard read.inputCount == 0 || inputs != nil, let outputs, read.outputCount > 0 else {
            return refuse("'add_node' of '\(read.operatorName)' is given no list of inputs or of outputs", error)
        }
        var sources: [ValueID?] = []
        for index in 0..<read.inputCount {
            guard let number = inputs?[index], number != SB_NOTHING else {
                sources.append(nil)
                continue
            }
            guard let value = value(number) else {
                return refuse("a new '\(read.operatorName)' reads value \(number), which nothing writes", error)
            }
            sources.append(value)
        }
        let added = Node(
            name: "\(pass)/\(read.operatorName)_\(graph.editor.nodeCount)", domain: read.domain, operatorName: read.operatorName,
            opset: read.version, inputs: sources, outputs: [], attributes: read.attributes)
        do throws(GraphError) {
            let values = try graph.addNode(added, wanted: (0..<read.outputCount).map { outputs[$0] != SB_NOTHING })
            for (index, value) in values.enumerated() { outputs[index] = value.map { UInt32($0.index) } ?? SB_NOTHING }
            return SB_OK
        } catch let refusal {
            // The operator's own rules refuse it: nothing is broken.
            return sb_fail(error, SB_ERROR_UNSUPPORTED, refusal.description)
        }
    }

    private func replace(_ number: UInt32, by other: UInt32, _ error: UnsafeMutablePointer<sb_error>?) -> Int32 {
        guard let value = self.value(number), let substitute = self.value(other) else {
            return refuse("value \(number) cannot be replaced by value \(other): nothing writes one of them", error)
        }
        let (old, new) = (graph.editor.producer(of: value), graph.editor.producer(of: substitute))
        do throws(GraphError) {
            try graph.replace(value, by: substitute)
            if let old, let new { replacements.append((old, new)) }
            return SB_OK
        } catch let refusal { return refuse(refusal.description, error) }
    }

    private func remove(_ id: NodeID, _ error: UnsafeMutablePointer<sb_error>?) -> Int32 {
        guard let node = graph.node(id) else { return refuse("there is no node \(id.index) to remove", error) }
        return graph.remove(id) ? SB_OK : refuse("node '\(node.name)' (\(node.operatorName)) is removed while its values are wanted", error)
    }
}
