// SPDX-License-Identifier: Apache-2.0
import PluginKit
import Tensors

func require(_ condition: Bool, _ reason: Support.Reason, _ text: @autoclosure () -> String) throws(Refusal) {
    if !condition { throw Refusal(reason, text()) }
}

/// A tensor of a node that must be there, dense and of a type with whole bytes.
struct Operand {
    let view: TensorView
    let type: DataType
    let shape: [Int]
    var count: Int { view.count }
    var width: Int { type.bits / 8 }
    var bytes: Int { count * width }
}

extension NodeView {
    func operand(input index: Int) throws(Refusal) -> Operand { try described(input(index), "input \(index)") }
    func operand(output index: Int) throws(Refusal) -> Operand { try described(output(index), "output \(index)") }

    private func described(_ tensor: TensorView?, _ what: String) throws(Refusal) -> Operand {
        guard let tensor, let type = DataType(rawValue: tensor.dataType) else { throw Refusal(.other, "\(what) is missing") }
        try require(tensor.strides == nil, .layout, "\(what) has strides")
        try require(type.bits >= 8, .dataType, "\(what) has elements narrower than a byte")
        try require(tensor.count < Int.max / 16, .shape, "\(what) has too many elements")
        return Operand(view: tensor, type: type, shape: tensor.shape.map { Int($0) })
    }
}
