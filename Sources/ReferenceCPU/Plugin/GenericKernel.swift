// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
package import PluginKit
import Tensors

/// Any operator of the catalogue by its float64 reference, instantiated at the node's types: slow, and declared so.
package struct GenericKernel: CPUKernel {
    private let definition: OperatorDefinition
    package let declaration: KernelDeclaration

    /// One for every operator that has a reference and works on tensors that can cross the header.
    package static let all: [any Kernel<CPUDevice>] = OperatorCatalog.standard.all.compactMap { GenericKernel($0) }

    /// Operators whose output shapes depend on data.
    private static let reportingShapes: Set<String> = ["Compress", "NonMaxSuppression", "NonZero", "Unique"]

    private init?(_ definition: OperatorDefinition) {
        guard !definition.isHostOperator, definition.reference != nil, let typing = definition.typingParameter,
            !definition.attributes.values.contains(where: { $0.kind == .graph && $0.isRequired })
        else { return nil }
        let types = typing.types.subtracting(TypeSet(.string))
        guard !types.isEmpty else { return nil }
        var flags: KernelFlags = definition.numericClass == .random ? .generic : [.generic, .deterministic]
        if Self.reportingShapes.contains(definition.name) { flags.insert(.reportsShape) }
        self.definition = definition
        declaration = KernelDeclaration(
            "generic_\(definition.domain.isEmpty ? "" : definition.domain + "_")\(definition.name)", domain: definition.domain,
            operator: definition.name, since: definition.since.first ?? 1, types: types, flags: flags)
    }

    package func support(_ node: NodeView, on device: CPUDevice) -> Support {
        for index in 0..<node.inputCount {
            if let tensor = node.input(index), let refusal = refusal(of: tensor, "input \(index)") { return refusal }
        }
        for index in 0..<node.outputCount {
            if let tensor = node.output(index), let refusal = refusal(of: tensor, "output \(index)") { return refusal }
        }
        return definition.refusal(of: node) ?? .yes()
    }

    private func refusal(of tensor: TensorView, _ what: String) -> Support? {
        guard let type = tensor.type, type != .string else { return .no(.dataType, "\(what) has data type \(tensor.dataType)") }
        guard tensor.count <= OperatorDefinition.referenceElementLimit else { return .no(.shape, "\(what) has \(tensor.count) elements") }
        return nil
    }

    package func prepare(_ node: NodeView, on device: CPUDevice) throws(PluginFailure) -> any PreparedKernel {
        PreparedGeneric(definition, version: node.version, attributes: node.attributeValues)
    }
}

private final class PreparedGeneric: PreparedKernel {
    private let definition: OperatorDefinition
    private let version: Int
    private let attributes: [String: Attribute]

    init(_ definition: OperatorDefinition, version: Int, attributes: [String: Attribute]) {
        self.definition = definition
        self.version = version
        self.attributes = attributes
    }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        var inputs: [HostTensor?] = []
        for index in 0..<launch.inputCount {
            inputs.append(launch.hasInput(index) ? try launch.input(index).hostTensor() : nil)
        }
        let wanted = (0..<launch.outputCount).map { launch.hasOutput($0) }
        let results: [HostTensor?]
        do throws(OperatorError) {
            results = try definition.evaluate(opset: version, attributes: attributes, inputs: inputs, wanted: wanted)
        } catch {
            switch error {
            case .invalid(let reason): throw .invalid("\(definition.name): \(reason)")
            case .unsupported, .needsValue: throw .unsupported("\(definition.name): \(error)")
            }
        }
        // All is computed before the first output is written: a failed launch writes nothing.
        for (index, result) in results.enumerated() {
            guard let result else { continue }
            let output = try launch.output(index)
            guard output.type == result.dataType else { throw .invalid("output \(index) of \(definition.name) is \(result.dataType.name)") }
            if output.dimensions != result.shape {
                guard GenericKernel.reports(definition) else {
                    throw .invalid(
                        "output \(index) of \(definition.name) has shape \(result.shape), the launch has place for \(output.dimensions)")
                }
                try output.setShape(result.shape)
            }
            guard let source = result.bytes.baseAddress, result.byteCount > 0 else { continue }
            try output.hostElements().copyMemory(from: source, byteCount: result.byteCount)
        }
    }
}

extension GenericKernel {
    fileprivate static func reports(_ definition: OperatorDefinition) -> Bool { reportingShapes.contains(definition.name) }
}

extension OperatorDefinition {
    /// What the catalogue says against a node.
    func refusal(of node: NodeView) -> Support? {
        do throws(OperatorError) {
            try check(
                opset: node.version, attributes: node.attributeValues, inputTypes: (0..<node.inputCount).map { node.input($0)?.type },
                outputCount: node.outputCount)
            return nil
        } catch {
            return .no(.attribute, error.description)
        }
    }
}

extension TensorView {
    /// The tensor in host memory, without a copy; valid as long as the view.
    func hostTensor() throws(PluginFailure) -> HostTensor {
        guard let type, let byteCount = type.byteCount(of: count) else { throw .invalid("a tensor has data type \(dataType)") }
        do {
            return try HostTensor(
                type, dimensions, viewing: UnsafeRawBufferPointer(start: try hostElements(), count: byteCount), owner: nil)
        } catch let failure as PluginFailure {
            throw failure
        } catch {
            throw .invalid("\(error)")
        }
    }
}

extension NodeView {
    /// The attributes as the catalogue has them, copied.
    var attributeValues: [String: Attribute] {
        var values: [String: Attribute] = [:]
        for attribute in attributes {
            if let ints = attribute.ints {
                values[attribute.name] = attribute.isList || ints.count != 1 ? .ints(Array(ints)) : .int(ints[0])
            } else if let floats = attribute.floats {
                values[attribute.name] = attribute.isList || floats.count != 1 ? .floats(Array(floats)) : .float(floats[0])
            } else if let strings = attribute.strings {
                values[attribute.name] = attribute.isList || strings.count != 1 ? .strings(strings) : .string(strings[0])
            } else if let view = attribute.tensor, let tensor = try? view.hostTensor(),
                let copy = try? HostTensor(tensor.dataType, tensor.shape, fill: { $0.copyMemory(from: tensor.bytes) })
            {
                values[attribute.name] = .tensor(copy)
            }
        }
        return values
    }
}
