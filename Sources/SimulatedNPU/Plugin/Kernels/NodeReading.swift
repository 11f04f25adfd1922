// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
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
    /// As it lies in device memory; nil: row-major.
    let fractal: Fractal?
    var count: Int { view.count }
    var width: Int { type.bits / 8 }
    var bytes: Int { (fractal?.count ?? count) * width }
}

extension NodeView {
    func operand(input index: Int) throws(Refusal) -> Operand { try rowMajor(input(index), "input \(index)") }
    func operand(output index: Int) throws(Refusal) -> Operand { try rowMajor(output(index), "output \(index)") }

    private func rowMajor(_ tensor: TensorView?, _ what: String) throws(Refusal) -> Operand {
        try require(tensor?.layout ?? SB_LAYOUT_ROW_MAJOR == SB_LAYOUT_ROW_MAJOR, .layout, "\(what) is not row-major")
        return try described(tensor, what)
    }

    /// Outputs beyond the first `count` must have been left out.
    func requireOutputs(_ count: Int) throws(Refusal) {
        for index in count..<max(outputCount, count) { try require(output(index) == nil, .other, "output \(index) is wanted") }
    }

    /// An integer list that is an attribute, or an input known before the run. Nil if it is left out.
    func integers(attribute name: String, input index: Int) throws(Refusal) -> [Int]? {
        if let values = ints(name) { return values.map { Int($0) } }
        guard let tensor = input(index) else { return nil }
        try require([.int64, .int32].contains(DataType(rawValue: tensor.dataType)), .dataType, "input \(index) is no list of integers")
        if tensor.count == 0 { return [] }
        guard let address = tensor.host, tensor.strides == nil else { throw Refusal(unknownInput: index) }
        switch DataType(rawValue: tensor.dataType) {
        case .int64: return (0..<tensor.count).map { Int(address.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self)) }
        case .int32: return (0..<tensor.count).map { Int(address.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
        default: throw Refusal(.dataType, "input \(index) is no list of integers")
        }
    }

    /// An axis from an attribute, counted from the end if it is negative.
    func axis(_ name: String = "axis", default value: Int, rank: Int) throws(Refusal) -> Int {
        try axis(int(name).map { Int($0) } ?? value, rank: rank)
    }

    func axis(_ axis: Int, rank: Int) throws(Refusal) -> Int {
        let result = axis < 0 ? axis + rank : axis
        try require(result >= 0 && result < rank, .attribute, "axis \(axis) is outside rank \(rank)")
        return result
    }

    private func described(_ tensor: TensorView?, _ what: String) throws(Refusal) -> Operand {
        guard let tensor, let type = DataType(rawValue: tensor.dataType) else { throw Refusal(.other, "\(what) is missing") }
        try require(tensor.strides == nil, .layout, "\(what) has strides")
        try require(type.bits >= 8, .dataType, "\(what) has elements narrower than a byte")
        try require(tensor.count < Int.max / 16, .shape, "\(what) has too many elements")
        return Operand(view: tensor, type: type, shape: tensor.shape.map { Int($0) }, fractal: nil)
    }

    /// As `operand`, also in the chip's layout.
    func packed(input index: Int, _ profile: Profile) throws(Refusal) -> Operand { try packed(input(index), "input \(index)", profile) }
    func packed(output index: Int, _ profile: Profile) throws(Refusal) -> Operand { try packed(output(index), "output \(index)", profile) }

    private func packed(_ tensor: TensorView?, _ what: String, _ profile: Profile) throws(Refusal) -> Operand {
        let plain = try described(tensor, what)
        guard let layout = tensor?.layout, layout != SB_LAYOUT_ROW_MAJOR else { return plain }
        guard let form = profile.fractal(plain.shape, layout) else { throw Refusal(.layout, "\(what) has the layout \(layout)") }
        return Operand(view: plain.view, type: plain.type, shape: plain.shape, fractal: form)
    }
}
