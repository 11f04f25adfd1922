// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Graph
import HardwareModel
import Operators
import Southbound

/// Takes over the steps of a placement one by one and puts conversions where a reader wants a value in another layout than its maker gives it.
///
/// A value keeps its number row-major; in a layout of the device it is another value of the graph.
struct LayoutRewriter {
    private var placement: Placement
    private let converter: LayoutConverter
    private var steps: [PlacedStep] = []
    /// Values in a layout that is not row-major, by value and layout.
    private var packed: [Key: ValueID] = [:]
    /// Row-major values that exist in a layout only: made when somebody wants them.
    private var missing: [ValueID: (Int, PlacedNode)] = [:]
    private(set) var conversions = 0

    private struct Key: Hashable {
        let value: ValueID
        let layout: Int
        /// What the layout's number means.
        let library: ObjectIdentifier
    }

    init(_ placement: Placement, _ converter: LayoutConverter) {
        self.placement = placement
        self.converter = converter
    }

    mutating func add(_ step: PlacedStep, wish: LayoutWish?) throws {
        guard case .node(var placed) = step, let wish else {
            for case let input? in step.inputs(placement.graph) { try unpack(input) }
            steps.append(step)
            return
        }
        for (place, layout) in wish.inputs.enumerated() {
            guard let input = placement.graph[placed.node].inputs[place] else { continue }
            if layout == 0 {
                try unpack(input)
                continue
            }
            placement.graph[placed.node].inputs[place] = try pack(input, layout, like: placed)
            placed.descriptor.inputs[place]?.pointee.layout = UInt32(layout)
        }
        for (place, layout) in wish.outputs.enumerated() where layout != 0 {
            guard let output = placement.graph[placed.node].outputs[place] else { continue }
            placement.graph[placed.node].outputs[place] = addPacked(output, layout, like: placed)
            placed.descriptor.outputs[place]?.pointee.layout = UInt32(layout)
            missing[output] = (layout, placed)
        }
        let answer = try placed.library.support([placed.descriptor], on: converter.device(placed.device))[0]
        guard answer.isSupported else {
            throw GraphError(
                "\(placed.library.plugin.name)/\(placed.kernel.name) refuses the layouts that it has asked for (SB-OPS-014): \(answer.message)"
            )
        }
        placed.answer = answer
        placed.cost = CostEstimate(answer.costNanoseconds * 1e-9, .answered)
        steps.append(.node(placed))
    }

    mutating func finish() throws -> Placement {
        for output in placement.graph.outputs { try unpack(output) }
        placement.removeSteps(from: 0)
        for step in steps { placement.append(step) }
        return placement
    }

    private mutating func addPacked(_ value: ValueID, _ layout: Int, like placed: PlacedNode) -> ValueID {
        let name = "\(placement.graph[value].name)@\(placed.library.plugin.name).\(layout)"
        let made = placement.graph.addValue(name, type: placement.graph[value].type)
        placement.types.append(placement.types[value.index])
        placement.layouts[made] = placed.library.layouts(on: converter.device(placed.device)).first { $0.value == layout }
        packed[key(value, layout, placed)] = made
        return made
    }

    private func key(_ value: ValueID, _ layout: Int, _ placed: PlacedNode) -> Key {
        Key(value: value, layout: layout, library: ObjectIdentifier(placed.library))
    }

    /// The value in a layout, converted once.
    private mutating func pack(_ value: ValueID, _ layout: Int, like placed: PlacedNode) throws -> ValueID {
        if let made = packed[key(value, layout, placed)] { return made }
        try unpack(value)
        let made = addPacked(value, layout, like: placed)
        try convert(value, to: made, from: 0, layout, like: placed)
        return made
    }

    /// Makes sure that the value exists row-major.
    private mutating func unpack(_ value: ValueID) throws {
        guard let (layout, placed) = missing.removeValue(forKey: value), let source = packed[key(value, layout, placed)] else { return }
        try convert(source, to: value, from: layout, 0, like: placed)
    }

    private mutating func convert(_ source: ValueID, to target: ValueID, from: Int, _ to: Int, like placed: PlacedNode) throws {
        let name = placement.graph[source].name
        guard let type = placement.types[source.index],
            let conversion = try converter.conversion(type, from: from, to: to, by: placed.library, on: placed.device)
        else { throw GraphError("no kernel of '\(placed.library.plugin.name)' converts '\(name)' between its layouts \(from) and \(to)") }
        let node = placement.graph.addNode(
            Node(
                name: "\(name)/layout", domain: "southbridge", operatorName: "ConvertLayout", opset: 1, inputs: [source], outputs: [target])
        )
        steps.append(
            .node(
                PlacedNode(
                    node: node, source: placed.source, device: placed.device, library: conversion.library, kernel: conversion.kernel,
                    descriptor: conversion.descriptor, answer: conversion.answer,
                    cost: CostEstimate(conversion.answer.costNanoseconds * 1e-9, .answered))))
        conversions += 1
    }
}
