// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// Walks several operands broadcast to one shape, row by row: the shape's dimensions are merged as far as every operand's strides allow, and
/// the innermost one left is the row. At most four operands.
struct BroadcastWalk {
    let count: Int
    private(set) var rowLength = 1
    /// The step of each operand along a row: 0 where it is broadcast.
    private(set) var rowStrides = SIMD4<Int>.zero
    private var outer: [(size: Int, strides: SIMD4<Int>)] = []

    /// Every operand must be broadcastable to `shape`, whose element count must not overflow.
    init(shape: [Int], operands: [[Int]]) {
        count = elementCount(shape) ?? 0
        let strides = operands.map(denseStrides)
        for (axis, size) in shape.enumerated() where size != 1 {
            var step = SIMD4<Int>.zero
            for (index, operand) in operands.enumerated() {
                let own = axis - (shape.count - operand.count)
                step[index] = own < 0 || operand[own] == 1 ? 0 : strides[index][own]
            }
            if let last = outer.last, last.strides == step &* size {
                outer[outer.count - 1] = (last.size &* size, step)
            } else {
                outer.append((size, step))
            }
        }
        if let row = outer.popLast() { (rowLength, rowStrides) = (row.size, row.strides) }
    }

    /// Calls `body` with the position of each row's first element in the broadcast shape and in each operand.
    @inline(__always) func forEachRow(_ body: (_ start: Int, _ offsets: SIMD4<Int>) -> Void) {
        guard count > 0 else { return }
        var position = [Int](repeating: 0, count: outer.count)
        var offsets = SIMD4<Int>.zero
        var start = 0
        while true {
            body(start, offsets)
            start += rowLength
            var axis = outer.count - 1
            while axis >= 0 {
                position[axis] += 1
                offsets &+= outer[axis].strides
                if position[axis] < outer[axis].size { break }
                offsets &-= outer[axis].strides &* outer[axis].size
                position[axis] = 0
                axis -= 1
            }
            if axis < 0 { return }
        }
    }
}

/// `function` of each pair of elements of two operands broadcast to `shape`.
@inline(__always) func broadcastMap<A, B, Result>(
    _ a: [A], _ aShape: [Int], _ b: [B], _ bShape: [Int], shape: [Int], _ function: (A, B) -> Result
) -> [Result] {
    let walk = BroadcastWalk(shape: shape, operands: [aShape, bShape])
    return [Result](unsafeUninitializedCapacity: walk.count) { target, initialized in
        a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                walk.forEachRow { start, offsets in
                    var (left, right) = (offsets[0], offsets[1])
                    for index in start..<(start + walk.rowLength) {
                        target.initializeElement(at: index, to: function(a[left], b[right]))
                        left &+= walk.rowStrides[0]
                        right &+= walk.rowStrides[1]
                    }
                }
            }
        }
        initialized = walk.count
    }
}

/// The shape that the inputs broadcast to. Throws if they do not fit or the result's element count overflows.
func broadcastOutput(_ shapes: [[Int]]) throws(OperatorError) -> [Int] {
    guard let shape = broadcastShape(shapes) else {
        throw .invalid("shapes \(shapes.map { "\($0)" }.joined(separator: " and ")) cannot be broadcast together")
    }
    guard elementCount(shape) != nil else { throw .invalid("the output's shape \(shape) has too many elements") }
    return shape
}
