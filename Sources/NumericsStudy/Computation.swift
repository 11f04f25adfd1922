// SPDX-License-Identifier: Apache-2.0
package import Conformance
import Operators
package import Tensors

/// The outputs that a kernel of some arithmetic gives for the call of a judge.
package struct Computation {
    private let judge: Judge
    private let context: ReferenceContext
    private let name: String
    private let type: DataType
    private let sums: SumKernel?

    package init(_ judge: Judge) {
        self.judge = judge
        context = judge.context
        name = judge.call.definition.name
        type = judge.call.inputs.lazy.compactMap { $0?.dataType }.first(where: \.isFloat) ?? .float32
        sums = SumProblem(name, context).flatMap { SumKernel($0) }
    }

    /// Nil for calls that the study has no kernel for.
    package func outputs(_ arithmetic: Arithmetic) throws -> [HostTensor?]? {
        guard context.inputs.contains(where: { $0 != nil }), context.inputs.compactMap({ $0?.count }).reduce(0, +) < 1 << 21 else {
            return nil
        }
        let isNative = type != .float64 && arithmetic.isNative
        if let exact = try discrete(arithmetic) { return exact }
        guard let values = isNative ? floats(Machine<Float>(arithmetic, type: type)) : floats(Machine<Double>(arithmetic, type: type))
        else { return nil }
        return try zip(values.indices, judge.results).map { index, result in
            guard let result else { return nil }
            return try arithmetic.tensor(values[index], result.shape, result.dataType)
        }
    }

    private func floats<S: Scalar>(_ machine: Machine<S>) -> [[Double]]? {
        func one(_ values: [Double]?) -> [[Double]]? { values.map { [$0] } }
        guard case .floats? = context.inputs[0]?.elements else {
            return name == "DequantizeLinear" ? one(QuantisedKernel.dequantize(context, machine)) : nil
        }
        switch name {
        case "Softmax", "LogSoftmax": return one(LineKernel.softmax(name, context, machine))
        case "ReduceProd", "CumProd": return one(LineKernel.product(name, context, machine))
        case "ReduceL2", "ReduceLogSum", "ReduceLogSumExp": return one(LineKernel.functionOfSum(name, context, machine))
        case "LayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization", "BatchNormalization":
            return NormalisationKernel.run(name, context, machine)
        case "Attention": return one(CompositeKernel.attention(context, machine))
        case "RNN", "GRU", "LSTM": return CompositeKernel.recurrent(name, context, machine)
        default:
            if let sums { return one(sums.run(machine)) }
            return one(ElementKernel.run(name, context, machine))
        }
    }

    private func discrete(_ arithmetic: Arithmetic) throws -> [HostTensor?]? {
        let output = context.output(0)
        func integers(_ values: [Int64]?) throws -> [HostTensor?]? {
            try values.map { [try HostTensor(output.dataType, output.shape, integers: $0)] }
        }
        switch name {
        case "Cast": return try QuantisedKernel.cast(context, arithmetic).map { [$0] }
        case "QuantizeLinear": return try integers(QuantisedKernel.quantize(context, Machine(arithmetic, type: .float32)))
        case "QLinearMatMul": return try integers(QuantisedKernel.product(context, Machine(arithmetic, type: .float32)))
        case "MatMulInteger": return try integers(DiscreteKernel.integerProduct(context, arithmetic))
        case "TopK", "ArgMax", "ArgMin": return try QuantisedKernel.property(name, context, arithmetic)
        default:
            if let values = DiscreteKernel.movement(name, context, arithmetic) {
                return [
                    try HostTensor(output.dataType, output.shape, doubles: arithmetic.losesNaN ? values.map { $0.isNaN ? 0 : $0 } : values)
                ]
            }
            return try integers(DiscreteKernel.integers(name, context, arithmetic))
        }
    }
}
