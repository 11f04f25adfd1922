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
        let steps = wishes.keys.sorted()
        let chosen = try problem(placement, wishes, steps, converter).solve()
        let granted = Set(zip(steps, chosen).filter(\.1).map(\.0))
        if granted.isEmpty { return 0 }
        var rewriter = LayoutRewriter(placement, converter)
        for (index, step) in placement.steps.enumerated() {
            try rewriter.add(step, wish: granted.contains(index) ? wishes[index] : nil)
        }
        placement = try rewriter.finish()
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
            let wish = try placed.library.support([placed.descriptor], on: devices[placed.device], askingForLayouts: true)[0].wish
            // What is known before the run stays as it is.
            let isFree = zip(placement.graph[placed.node].inputs, wish?.inputs ?? []).allSatisfy { input, layout in
                layout == 0 || input.map { placement.values[$0] == nil } ?? true
            }
            if isFree { wishes[index] = wish }
        }
        return wishes
    }

    /// - Parameter steps: of the kernels with wishes, in order: the problem's kernels.
    private func problem(
        _ placement: Placement, _ wishes: [Int: LayoutWish], _ steps: [Int], _ converter: LayoutConverter
    ) throws -> LayoutProblem {
        let graph = placement.graph
        let members = Dictionary(uniqueKeysWithValues: steps.enumerated().map { ($1, $0) })
        var changes: [Double] = []
        var links: [ValueID: LayoutProblem.Link] = [:]
        var sites: [ValueID: Int] = [:]
        for (index, step) in placement.steps.enumerated() {
            let wish = wishes[index]
            for (place, input) in step.inputs(graph).enumerated() {
                guard let input else { continue }
                if let member = members[index], let layout = wish?.inputs[place], layout != 0 {
                    links[input, default: .init()].readers.append((member, layout))
                    sites[input] = step.device
                } else {
                    links[input, default: .init()].isRowMajor = true
                }
            }
            guard let member = members[index], let wish, case .node(let placed) = step else { continue }
            changes.append(wish.costNanoseconds - placed.answer.costNanoseconds)
            for (output, layout) in zip(step.outputs(graph), wish.outputs) where layout != 0 {
                guard let output else { continue }
                links[output, default: .init()].maker = (member, layout)
                sites[output] = step.device
            }
        }
        for output in graph.outputs { links[output]?.isRowMajor = true }
        var concerned: [LayoutProblem.Link] = []
        for (value, site) in sites.sorted(by: { $0.key.index < $1.key.index }) {
            guard var link = links[value], let layout = link.maker?.layout ?? link.readers.first?.layout,
                let type = placement.types[value.index]
            else { continue }
            link.pack = try converter.cost(type, from: 0, to: layout, on: site)
            link.unpack = try converter.cost(type, from: layout, to: 0, on: site)
            concerned.append(link)
        }
        return LayoutProblem(changes: changes, links: concerned)
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
