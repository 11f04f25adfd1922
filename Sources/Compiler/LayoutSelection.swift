// SPDX-License-Identifier: Apache-2.0
import Graph
import HardwareModel
import Operators
package import Southbound
import Tensors

/// Chooses the layouts in which kernels of a library give values to each other on a device: row-major, or what the kernels would rather have, so that kernels and
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
                !placed.library.layouts(on: devices[placed.device]).isEmpty
            else { continue }
            for case let input? in step.inputs(placement.graph) {
                guard let maker = makers[input], case .node(let other) = placement.steps[maker], other.device == placed.device,
                    other.library === placed.library
                else { continue }
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
            if isFree, let wish, isPossible(wish, placed, placement) { wishes[index] = wish }
        }
        return wishes
    }

    /// Whether every layout is one of the library's, and holds its tensor.
    private func isPossible(_ wish: LayoutWish, _ placed: PlacedNode, _ placement: Placement) -> Bool {
        let layouts = placed.library.layouts(on: devices[placed.device])
        let node = placement.graph[placed.node]
        return zip(node.inputs + node.outputs, wish.inputs + wish.outputs).allSatisfy { value, wished in
            guard wished != 0, let value else { return wished == 0 }
            guard let layout = layouts.first(where: { $0.value == wished }), let type = placement.types[value.index] else { return false }
            return layout.holds(type.shape)
        }
    }

    /// - Parameter steps: of the kernels with wishes, in order: the problem's kernels.
    private func problem(
        _ placement: Placement, _ wishes: [Int: LayoutWish], _ steps: [Int], _ converter: LayoutConverter
    ) throws -> LayoutProblem {
        let graph = placement.graph
        let members = Dictionary(uniqueKeysWithValues: steps.enumerated().map { ($1, $0) })
        var changes: [Double] = []
        var links: [ValueID: LayoutProblem.Link] = [:]
        var forms = Forms()
        for (index, step) in placement.steps.enumerated() {
            guard let member = members[index], let wish = wishes[index], case .node(let placed) = step else {
                for case let input? in step.inputs(graph) { links[input, default: .init()].isRowMajor = true }
                continue
            }
            for (input, layout) in zip(step.inputs(graph), wish.inputs) {
                guard let input else { continue }
                if layout != 0 {
                    links[input, default: .init()].readers.append((member, forms.number(layout, placed)))
                } else {
                    links[input, default: .init()].isRowMajor = true
                }
            }
            changes.append(wish.costNanoseconds - placed.answer.costNanoseconds)
            for case (let output?, let layout) in zip(step.outputs(graph), wish.outputs) where layout != 0 {
                links[output, default: .init()].maker = (member, forms.number(layout, placed))
            }
        }
        for output in graph.outputs { links[output]?.isRowMajor = true }
        var concerned: [LayoutProblem.Link] = []
        for (value, link) in links.sorted(by: { $0.key.index < $1.key.index }) where link.maker != nil || !link.readers.isEmpty {
            guard let type = placement.types[value.index] else { continue }
            var link = link
            for layout in Set(link.readers.map(\.layout)) { link.pack[layout] = try forms.cost(layout, type, isPacking: true, converter) }
            if let maker = link.maker { link.unpack = try forms.cost(maker.layout, type, isPacking: false, converter) }
            concerned.append(link)
        }
        return LayoutProblem(changes: changes, links: concerned)
    }

    /// Numbers for the layouts of all libraries on all devices, from 1.
    private struct Forms {
        private struct Key: Hashable {
            let library: ObjectIdentifier
            let device: Int
            let layout: Int
        }
        private var numbers: [Key: Int] = [:]
        private var owners: [(layout: Int, placed: PlacedNode)] = []

        mutating func number(_ layout: Int, _ placed: PlacedNode) -> Int {
            let key = Key(library: ObjectIdentifier(placed.library), device: placed.device, layout: layout)
            if let known = numbers[key] { return known }
            owners.append((layout, placed))
            numbers[key] = owners.count
            return owners.count
        }

        func cost(_ number: Int, _ type: InferredOutput, isPacking: Bool, _ converter: LayoutConverter) throws -> Double {
            let (layout, placed) = owners[number - 1]
            return try converter.cost(
                type, from: isPacking ? 0 : layout, to: isPacking ? layout : 0, by: placed.library, on: placed.device)
        }
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
