// SPDX-License-Identifier: Apache-2.0
import Operators

/// What the readers of one model's graphs share.
final class ReaderContext {
    /// More nodes than any real model has after its functions are inlined: a few kilobytes of nested functions can ask for more.
    private static let nodeLimit = 2_000_000

    let catalog: OperatorCatalog
    let tensors: TensorReader
    private let functions: [FunctionID: Onnx_FunctionProto]
    private(set) var unknownOperators: [UnknownOperator] = []
    private var nodeCount = 0

    init(functions: [Onnx_FunctionProto], catalog: OperatorCatalog, tensors: TensorReader) throws(ONNXError) {
        self.catalog = catalog
        self.tensors = tensors
        var table: [FunctionID: Onnx_FunctionProto] = [:]
        for function in functions {
            let id = FunctionID(domain: canonicalDomain(function.domain), name: function.name, overload: function.overload)
            guard table.updateValue(function, forKey: id) == nil else { throw .invalid("the model defines function '\(id)' twice") }
        }
        self.functions = table
    }

    /// The model's own function that a node calls. It goes before an operator of the same name.
    func function(calledBy node: Onnx_NodeProto) -> (FunctionID, Onnx_FunctionProto)? {
        if functions.isEmpty { return nil }
        let id = FunctionID(domain: canonicalDomain(node.domain), name: node.opType, overload: node.overload)
        return functions[id].map { (id, $0) }
    }

    func countNode() throws(ONNXError) {
        nodeCount += 1
        guard nodeCount <= Self.nodeLimit else {
            throw .unsupported("the model has more than \(Self.nodeLimit) nodes once its functions are inlined")
        }
    }

    func noteUnknownOperator(_ unknown: UnknownOperator) {
        let isListed = unknownOperators.contains {
            ($0.domain, $0.name, $0.opset) == (unknown.domain, unknown.name, unknown.opset)
        }
        if !isListed { unknownOperators.append(unknown) }
    }
}

struct FunctionID: Hashable, CustomStringConvertible {
    let domain: String
    let name: String
    let overload: String

    var description: String { "\(domain)::\(name)" + (overload.isEmpty ? "" : ":\(overload)") }
}
