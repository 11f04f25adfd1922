// SPDX-License-Identifier: Apache-2.0
import Graph
import HardwareModel
import Operators
package import Southbound
import Tensors

/// Chooses the layouts in which kernels of a device give values to each other: row-major, or what the kernels would rather have, so that kernels and
/// conversions together take the least time. Values that anybody else reads (other devices, programs, the caller) are row-major.
///
/// Along chains and trees of kernels the choice is the best one, by dynamic programming; where values have several readers, single kernels are changed as long as that
/// helps. Linear in the number of steps.
package struct LayoutSelection {
    private let devices: [Device]

    package init(devices: [Device]) { self.devices = devices }

    /// Puts conversions between the steps, and tells the kernels the layouts of their tensors.
    /// - Returns: how many conversions there are.
    @discardableResult
    package func apply(to placement: inout Placement) throws -> Int {
        let wishes = try wishes(of: placement)
        if wishes.isEmpty { return 0 }
        let converter = LayoutConverter(devices)
        let problem = try LayoutProblem(placement, wishes, converter)
        let chosen = problem.solve()
        if !chosen.contains(true) { return 0 }
        var rewriter = LayoutRewriter(placement, converter)
        for (index, step) in placement.steps.enumerated() {
            try rewriter.add(step, wish: problem.position[index].flatMap { chosen[$0] ? problem.members[$0].wish : nil })
        }
        placement = rewriter.finish()
        return rewriter.conversions
    }

    /// By step. A kernel without a neighbour that takes layouts, too, gains nothing by one, and is not asked.
    private func wishes(of placement: Placement) throws -> [Int: LayoutWish] {
        var makers: [ValueID: Int] = [:]
        var asked: Set<Int> = []
        for (index, step) in placement.steps.enumerated() {
            guard case .node(let placed) = step, placed.kernel.flags.contains(.layouts), placed.answer.costNanoseconds > 0,
                !devices[placed.device].model.layouts.isEmpty
            else { continue }
            for case let input? in step.inputs(placement.graph) {
                guard let maker = makers[input], placement.steps[maker].device == placed.device else { continue }
                asked.formUnion([maker, index])
            }
            for case let output? in step.outputs(placement.graph) { makers[output] = index }
        }
        var wishes: [Int: LayoutWish] = [:]
        for index in asked.sorted() {
            guard case .node(let placed) = placement.steps[index] else { continue }
            wishes[index] = try placed.library.support([placed.descriptor], on: devices[placed.device], askingForLayouts: true)[0].wish
        }
        return wishes
    }
}

extension Placement {
    /// Nil where a type is not known.
    func byteCount(of value: ValueID) -> Int? {
        guard let type = types[value.index] else { return nil }
        guard let layout = layouts[value] else { return type.byteCount }
        return elementCount(layout.filled(type.shape)).flatMap { type.dataType.byteCount(of: $0) }
    }
}

extension Layout {
    /// A shape whose last two dimensions are filled up to whole blocks; one without them counts as a matrix of one row.
    func filled(_ shape: [Int]) -> [Int] {
        var filled = [Int](repeating: 1, count: max(2 - shape.count, 0)) + shape
        for (axis, block) in [(filled.count - 2, blockRows), (filled.count - 1, blockColumns)] {
            filled[axis] = (filled[axis] + block - 1) / block * block
        }
        return filled
    }
}

extension InferredOutput {
    var dataType: DataType {
        switch self {
        case .known(let type): type.dataType
        case .bounded(let dataType, _): dataType
        }
    }

    var shape: [Int] {
        switch self {
        case .known(let type): type.shape
        case .bounded(_, let shape): shape
        }
    }
}
