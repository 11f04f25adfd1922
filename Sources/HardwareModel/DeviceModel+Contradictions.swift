// SPDX-License-Identifier: Apache-2.0
import Tensors

extension DeviceModel {
    /// Figures that cannot all be true of one machine, a sentence each with what to change. Unknown figures contradict nothing.
    ///
    /// A description breaks no rule of `southbridge.h` by them, so that a plugin with one still loads; a chip that is only described, or
    /// simulated, needs to be free of them.
    package var contradictions: [String] {
        duplicateNames + slowInnerMemories + slowLinks + units.enumerated().flatMap { contradictions(of: $1, at: "units[\($0)]") }
    }

    private var duplicateNames: [String] {
        let lists = [("spaces", spaces.map(\.name)), ("units", units.map(\.name)), ("layouts", layouts.map(\.name))]
        let names = lists.flatMap { list, names in
            repeated(names).map { "\(list) has the name '\($0)' twice: give each its own" }
        }
        return names + repeated(layouts.map(\.value)).map { "layouts has the value \($0) twice: tensors could not say which they are in" }
    }

    /// On-chip memory is there because it is faster than what lies behind it.
    private var slowInnerMemories: [String] {
        let onChip = spaces.indices.filter { spaces[$0].isOnChip }
        return onChip.flatMap { inner in
            spaces.indices.filter { isBehind($0, inner) }.flatMap { outer in
                let (near, far) = (spaces[inner], spaces[outer])
                var sentences: [String] = []
                if near.bandwidthBytesPerSecond > 0, far.bandwidthBytesPerSecond > near.bandwidthBytesPerSecond {
                    sentences.append(
                        "memory '\(far.name)' moves \(rate(far.bandwidthBytesPerSecond)), but '\(near.name)' before it only "
                            + "\(rate(near.bandwidthBytesPerSecond)): lower spaces[\(outer)].bandwidthBytesPerSecond or raise "
                            + "spaces[\(inner)].bandwidthBytesPerSecond, which counts all \(near.count) of them together")
                }
                if far.latencyPicoseconds > 0, near.latencyPicoseconds > far.latencyPicoseconds {
                    sentences.append(
                        "memory '\(near.name)' answers after \(time(near.latencyPicoseconds)), later than '\(far.name)' behind it, "
                            + "\(time(far.latencyPicoseconds)): lower spaces[\(inner)].latencyPicoseconds")
                }
                return sentences
            }
        }
    }

    /// Whether `outer` is further from the compute units than on-chip space `inner`.
    private func isBehind(_ outer: Int, _ inner: Int) -> Bool {
        if outer == 0 { return inner != 0 }
        let (near, far) = (spaces[inner].level, spaces[outer].level)
        return spaces[outer].isOnChip && near > 0 && far > near
    }

    private var slowLinks: [String] {
        guard let memory = spaces.first, memory.bandwidthBytesPerSecond > 0 else { return [] }
        return links.enumerated().filter { $1.bandwidthBytesPerSecond > memory.bandwidthBytesPerSecond }.map { index, link in
            "the link to the \(link.kind.rawValue) moves \(rate(link.bandwidthBytesPerSecond)), more than memory '\(memory.name)' at its end, "
                + "\(rate(memory.bandwidthBytesPerSecond)): lower links[\(index)].bandwidthBytesPerSecond or raise "
                + "spaces[0].bandwidthBytesPerSecond"
        }
    }

    private func contradictions(of unit: ComputeUnit, at path: String) -> [String] {
        var sentences: [String] = []
        if unit.clockHertz == 0, !unit.rates.isEmpty {
            sentences.append("unit '\(unit.name)' has rates per cycle but no clock: set \(path).clockHertz")
        }
        sentences += repeated(unit.rates.map { "\($0.dataType) into \($0.accumulatorType)" }).map {
            "unit '\(unit.name)' has two rates for \($0): keep one in \(path).rates"
        }
        sentences += unit.rates.enumerated().compactMap { index, rate in excess(of: rate, at: "\(path).rates[\(index)]", unit, path) }
        for space in spaces.indices where spaces[space].kind == .scratch && spaces[space].count > 1 {
            let (units, memories) = (unit.count, spaces[space].count)
            guard units > 1, units % memories != 0, memories % units != 0 else { continue }
            sentences.append(
                "there are \(units) units '\(unit.name)' but \(memories) memories '\(spaces[space].name)', so that they cannot be shared out "
                    + "evenly: change \(path).count or spaces[\(space)].count")
        }
        if unit.kind == .matrix { sentences += memoryContradictions(ofMatrix: unit, at: path) }
        return sentences
    }

    /// More operations in a cycle than the tile or the lanes hold.
    private func excess(of rate: ComputeUnit.Rate, at path: String, _ unit: ComputeUnit, _ unitPath: String) -> String? {
        let tile = unit.tile
        switch unit.kind {
        case .matrix:
            guard tile.m > 0, tile.n > 0, tile.k > 0 else { return nil }
            let most = 2 * Double(tile.m) * Double(tile.n) * Double(tile.k)
            guard rate.operationsPerCycle > most else { return nil }
            return "unit '\(unit.name)' does \(number(rate.operationsPerCycle)) operations a cycle on \(rate.dataType), but its tile of "
                + "\(tile.m) x \(tile.n) x \(tile.k) holds 2 x m x n x k = \(number(most)): lower \(path).operationsPerCycle or enlarge \(unitPath).tile"
        case .vector:
            guard tile.n > 0, let bits = dataType(rate.dataType)?.bits, bits > 0 else { return nil }
            let most = 2 * Double(tile.n) * 32 / Double(bits)
            guard rate.operationsPerCycle > most else { return nil }
            return
                "unit '\(unit.name)' does \(number(rate.operationsPerCycle)) operations a cycle on \(rate.dataType), but its \(tile.n) lanes of "
                + "32 bits hold \(number(most)), a multiply-add counted as two: lower \(path).operationsPerCycle or raise \(unitPath).tile.n"
        case .scalar, .other: return nil
        }
    }

    /// A matrix unit eats from on-chip memory, which has to hold two tiles: one in work, the next on its way.
    private func memoryContradictions(ofMatrix unit: ComputeUnit, at path: String) -> [String] {
        guard spaces.contains(where: \.isOnChip) else {
            return [
                "unit '\(unit.name)' multiplies tiles but there is no on-chip memory to keep them in: add a space of kind scratch (or cache)"
            ]
        }
        guard let operands = operandSpace, let sums = accumulatorSpace else { return [] }
        let tile = unit.tile
        return unit.rates.flatMap { rate -> [String] in
            guard let type = dataType(rate.dataType) else { return [] }
            var sentences: [String] = []
            let inputs = (Double(tile.m) * Double(tile.k) + Double(tile.k) * Double(tile.n)) * Double(type.bits) / 8
            if let sentence = overflow(of: 2 * inputs, operands, "the \(rate.dataType) operands of two", unit, path) {
                sentences.append(sentence)
            }
            if let accumulator = dataType(rate.accumulatorType) {
                let result = Double(tile.m) * Double(tile.n) * Double(accumulator.bits) / 8
                if let sentence = overflow(of: 2 * result, sums, "the \(rate.accumulatorType) sums of two", unit, path) {
                    sentences.append(sentence)
                }
            }
            return sentences
        }
    }

    private func overflow(of bytes: Double, _ space: Int, _ what: String, _ unit: ComputeUnit, _ path: String) -> String? {
        let capacity = spaces[space].capacityBytes
        guard capacity > 0, bytes > Double(capacity) else { return nil }
        return "\(what) tiles of unit '\(unit.name)' take \(number(bytes)) bytes, but memory '\(spaces[space].name)' holds \(capacity): "
            + "raise spaces[\(space)].capacityBytes or shrink \(path).tile"
    }

    /// Where tiles of operands are kept: the scratch memory `l1`, else the largest one nearest to the units.
    package var operandSpace: Int? { scratchSpace(named: "l1") ?? nearestScratch }
    /// Where products are summed up: the scratch memory `accumulators`, else where the operands are.
    package var accumulatorSpace: Int? { scratchSpace(named: "accumulators") ?? operandSpace }

    private func scratchSpace(named name: String) -> Int? { spaces.firstIndex { $0.kind == .scratch && $0.name == name } }

    private var nearestScratch: Int? {
        let scratch = spaces.indices.filter { spaces[$0].kind == .scratch }
        let level = scratch.map { spaces[$0].level }.min()
        return scratch.filter { spaces[$0].level == level }.max { spaces[$0].capacityBytes < spaces[$1].capacityBytes }
    }
}

extension MemorySpace {
    package var isOnChip: Bool { kind == .scratch || kind == .cache }
}

private func dataType(_ name: String) -> DataType? { DataType.allCases.first { $0.name == name } }

/// What stands more than once, each named once, in order.
private func repeated<Element: Hashable>(_ elements: [Element]) -> [Element] {
    var seen: [Element: Int] = [:]
    return elements.filter { element in
        seen[element, default: 0] += 1
        return seen[element] == 2
    }
}

private func rate(_ bytesPerSecond: Int) -> String { Quantity.bytesPerSecond.text(bytesPerSecond) }
private func time(_ picoseconds: Int) -> String { Quantity.picoseconds.text(picoseconds) }
/// Whole numbers without a point.
private func number(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }
