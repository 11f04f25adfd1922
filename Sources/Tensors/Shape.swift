// SPDX-License-Identifier: Apache-2.0

/// A tensor whose bytes or shape cannot be had.
package struct TensorError: Error, Sendable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

/// Number of elements of a shape; nil if a dimension is negative or the product overflows.
package func elementCount(_ shape: [Int]) -> Int? {
    var count = 1
    var zero = false
    for dimension in shape {
        if dimension < 0 { return nil }
        if dimension == 0 {
            zero = true
            continue
        }
        let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
        if overflow { return nil }
        count = product
    }
    return zero ? 0 : count
}

/// Row-major strides, in elements. Meaningless (but no trap) for a shape without elements whose other dimensions overflow.
package func denseStrides(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in stride(from: shape.count - 2, through: 0, by: -1) {
        strides[axis] = strides[axis + 1] &* max(shape[axis + 1], 1)
    }
    return strides
}

/// The shape that ONNX's multidirectional (NumPy's) broadcasting gives; nil if the shapes do not fit.
package func broadcastShape(_ shapes: [[Int]]) -> [Int]? {
    let rank = shapes.map(\.count).max() ?? 0
    var result = [Int](repeating: 1, count: rank)
    for shape in shapes {
        for (axis, dimension) in shape.enumerated() {
            let target = axis + rank - shape.count
            if dimension == result[target] || dimension == 1 { continue }
            if result[target] != 1 { return nil }
            result[target] = dimension
        }
    }
    return result
}
