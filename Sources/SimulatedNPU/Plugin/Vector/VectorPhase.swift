// SPDX-License-Identifier: Apache-2.0
import SimulatedNPUMachine

/// How a phase reads or writes a tensor: element (i, j, ...) of the iteration space lies i*strides[0] + j*strides[1] + ... elements from the address on. Strides may
/// be negative, and zero where it is read.
struct Access {
    var address: npu_address
    let type: npu_type
    var strides: [Int]

    var width: Int { type.width }
}

/// An expression over an iteration space: every result is stored through its access. The last `columns` dimensions are lines, which reductions run along;
/// without reductions there are none, and all dimensions are alike.
struct VectorPhase {
    var sizes: [Int]
    var columns: Int
    var inputs: [Access]
    var outputs: [(term: Term, access: Access)]

    init(_ sizes: [Int], columns: Int = 0, inputs: [Access], outputs: [(term: Term, access: Access)]) {
        self.sizes = sizes
        self.columns = columns
        self.inputs = inputs
        self.outputs = outputs
        if outputs.contains(where: { $0.term.namesPlaces }) {
            // Rows and columns are those of the last two dimensions.
            if columns == 0 { self.columns = 1 }
        } else {
            join()
            // Without lines the innermost dimension is as good as one.
            if !outputs.contains(where: { $0.term.depth > 0 || $0.term.needsWholeLines }) { self.columns = min(1, self.sizes.count) }
        }
    }

    var elementCount: Int { sizes.reduce(1, *) }
    var rowSizes: ArraySlice<Int> { sizes.dropLast(columns) }
    var columnSizes: ArraySlice<Int> { sizes.suffix(columns) }

    /// What of the iteration space an access depends on.
    func extent(of access: Access) -> Extent {
        var extent: Extent = []
        for axis in sizes.indices where access.strides[axis] != 0 && sizes[axis] > 1 {
            extent.insert(axis < sizes.count - columns ? .rows : .columns)
        }
        return extent
    }

    /// Whether rows lie beside each other in device memory and columns do not: such a block keeps that order in local memory.
    func isTransposed(_ access: Access) -> Bool {
        guard extent(of: access) == .all else { return false }
        let split = sizes.count - columns
        func hasUnit(_ axes: Range<Int>) -> Bool { axes.contains { abs(access.strides[$0]) == 1 && sizes[$0] > 1 } }
        return hasUnit(0..<split) && !hasUnit(split..<sizes.count)
    }

    /// Leaves out dimensions of one element and joins those that are one for every access.
    private mutating func join() {
        let split = sizes.count - columns
        var kept: [(size: Int, isColumn: Bool, inputs: [Int], outputs: [Int])] = []
        for axis in sizes.indices where sizes[axis] != 1 {
            let next = (
                size: sizes[axis], isColumn: axis >= split, inputs: inputs.map { $0.strides[axis] },
                outputs: outputs.map { $0.access.strides[axis] }
            )
            if let last = kept.last, last.isColumn == next.isColumn,
                zip(last.inputs, next.inputs).allSatisfy({ $0 == $1 * next.size }),
                zip(last.outputs, next.outputs).allSatisfy({ $0 == $1 * next.size })
            {
                kept[kept.count - 1] = (last.size * next.size, next.isColumn, next.inputs, next.outputs)
            } else {
                kept.append(next)
            }
        }
        sizes = kept.map(\.size)
        columns = kept.count(where: \.isColumn)
        for index in inputs.indices { inputs[index].strides = kept.map { $0.inputs[index] } }
        for index in outputs.indices { outputs[index].access.strides = kept.map { $0.outputs[index] } }
    }
}

extension npu_type {
    var width: Int {
        switch self {
        case NPU_BOOL, NPU_INT8, NPU_UINT8: 1
        case NPU_INT16, NPU_UINT16, NPU_FLOAT16, NPU_BFLOAT16: 2
        case NPU_INT64, NPU_UINT64: 8
        default: 4
        }
    }
}

extension Term {
    /// Whether a value is the place of its element.
    var namesPlaces: Bool {
        switch kind {
        case .input, .constant: false
        case .elementwise(NPU_V_ROW, _, _), .elementwise(NPU_V_COLUMN, _, _): true
        case .elementwise(_, let operands, _): operands.contains(where: \.namesPlaces)
        case .reduction(_, let operand, _): operand.namesPlaces
        }
    }

    /// Whether it can be had from whole lines only.
    var needsWholeLines: Bool {
        switch kind {
        case .input, .constant: false
        case .elementwise(NPU_V_RUNNING_SUM, _, _): true
        case .elementwise(_, let operands, _): operands.contains(where: \.needsWholeLines)
        case .reduction(NPU_V_GREATEST_INDEX, _, _), .reduction(NPU_V_LEAST_INDEX, _, _): true
        case .reduction(_, let operand, _): operand.needsWholeLines
        }
    }

    /// Whether it is a running sum of an input.
    var isRunning: Bool {
        if case .elementwise(NPU_V_RUNNING_SUM, let operands, _) = kind, case .input = operands[0].kind { true } else { false }
    }

    /// How many reductions follow on each other.
    var depth: Int {
        switch kind {
        case .input, .constant: 0
        case .elementwise(_, let operands, _): operands.reduce(0) { Swift.max($0, $1.depth) }
        case .reduction(_, let operand, _): operand.depth + 1
        }
    }

    /// Adds the reductions that it is made from, those that others need first.
    func collectReductions(into list: inout [Term]) {
        switch kind {
        case .input, .constant: return
        case .elementwise(_, let operands, _): for operand in operands { operand.collectReductions(into: &list) }
        case .reduction(_, let operand, _):
            operand.collectReductions(into: &list)
            if !list.contains(where: { $0 === self }) { list.append(self) }
        }
    }
}

/// A part of some dimensions: whole in the last of them, one place in the first, a range in one between; its elements follow on each other.
struct Box {
    var begins: [Int]
    var counts: [Int]
    /// Of the first element among all.
    var first: Int

    var count: Int { counts.reduce(1, *) }

    /// All of `sizes` in boxes of at most `limit` elements, as equal as they can be.
    static func all(of sizes: ArraySlice<Int>, limit: Int) -> [Box] {
        let sizes = Array(sizes)
        var (inner, axis) = (1, sizes.count - 1)
        while axis >= 0, inner * sizes[axis] <= limit {
            inner *= sizes[axis]
            axis -= 1
        }
        guard axis >= 0 else { return [Box(begins: sizes.map { _ in 0 }, counts: sizes, first: 0)] }
        let pieces = divideUp(sizes[axis], by: max(limit / inner, 1))
        let length = divideUp(sizes[axis], by: pieces)
        let outer = sizes[..<axis].reduce(1, *)
        var boxes: [Box] = []
        for place in 0..<outer {
            var (begins, rest) = ([Int](repeating: 0, count: sizes.count), place)
            for dimension in (0..<axis).reversed() {
                begins[dimension] = rest % sizes[dimension]
                rest /= sizes[dimension]
            }
            for begin in stride(from: 0, to: sizes[axis], by: length) {
                begins[axis] = begin
                var counts = [Int](repeating: 1, count: sizes.count)
                counts[axis] = min(length, sizes[axis] - begin)
                for dimension in (axis + 1)..<max(sizes.count, axis + 1) { counts[dimension] = sizes[dimension] }
                boxes.append(Box(begins: begins, counts: counts, first: (place * sizes[axis] + begin) * inner))
            }
        }
        return boxes
    }
}
