// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

/// A row-major shape seen as (outer, size, inner) around one axis: element `k` of line `(o, i)` lies at `(o · size + k) · inner + i`.
/// A shape without elements has no lines.
struct AxisSpan {
    let outer: Int
    let size: Int
    let inner: Int

    init(_ shape: [Int], axis: Int) {
        outer = elementCount(shape) == 0 ? 0 : shape[..<axis].reduce(1, *)
        size = shape[axis]
        inner = outer == 0 ? 0 : shape[(axis + 1)...].reduce(1, *)
    }

    /// The two-dimensional view that Flatten has, and Softmax before version 13: everything from `axis` on is one line.
    init(flattening shape: [Int], axis: Int) {
        outer = elementCount(shape) == 0 ? 0 : shape[..<axis].reduce(1, *)
        size = outer == 0 ? 0 : shape[axis...].reduce(1, *)
        inner = 1
    }

    /// Calls `body` with the position of each line's first element; its next ones follow every `inner` elements.
    @inline(__always) func forEachLine(_ body: (Int) -> Void) {
        for line in 0..<outer { for offset in 0..<inner { body(line * size * inner + offset) } }
    }
}

extension ReferenceTensor {
    /// Keys in the order of the elements: NaN above all, −0 equal to 0, uint64 by its value. Empty for strings and complex numbers.
    var sortKeys: [Int64] {
        switch elements {
        case .floats(let values):
            values.map { value in
                if value.isNaN { return .max }
                let bits = Int64(bitPattern: (value + 0).bitPattern)
                return bits < 0 ? bits ^ .max : bits
            }
        case .integers(let values): dataType == .uint64 ? values.map { $0 ^ .min } : values
        case .strings, .complex: []
        }
    }
}
