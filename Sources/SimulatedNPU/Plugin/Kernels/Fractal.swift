// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import HardwareModel
import PluginKit
import SimulatedNPUMachine

/// A tensor in the chip's layout: of each matrix (the last two dimensions) one panel of columns after the other, each as wide as a tile of the matrix unit and
/// row-major. Rows and columns are filled up to whole blocks; what lies there means nothing.
struct Fractal: Equatable {
    let matrices, rows, columns: Int
    /// Rows of a panel, those that fill it up among them.
    let height: Int
    let width: Int
    var panels: Int { divideUp(columns, by: width) }
    /// Elements with those that fill up.
    var count: Int { matrices * matrix }
    /// Of one matrix.
    var matrix: Int { panels * height * width }
    /// By which all elements are gone through: matrices, panels, rows, columns of a panel.
    var sizes: [Int] { [matrices, panels, height, width] }

    /// A tensor without two dimensions counts as a matrix of one row.
    init(_ shape: [Int], blockRows: Int, blockColumns: Int) {
        let two = [Int](repeating: 1, count: max(2 - shape.count, 0)) + shape
        (rows, columns) = (two[two.count - 2], two[two.count - 1])
        matrices = two.dropLast(2).reduce(1, *)
        (height, width) = (roundUp(rows, to: blockRows), blockColumns)
    }
}

extension Profile {
    /// How a tensor of `shape` lies in the layout; nil if the chip has none of this number.
    func fractal(_ shape: [Int], _ layout: UInt32) -> Fractal? {
        model.layouts.first { $0.value == Int(layout) }.map { Fractal(shape, blockRows: $0.blockRows, blockColumns: $0.blockColumns) }
    }

    /// The number of the layout that products take as it is: its panels are as wide as the unit's results, and a whole number of them as wide as its tiles are deep. Nil
    /// if the chip has none.
    var productLayout: UInt32? {
        model.layouts.first { $0.blockColumns == Int(config.tile_n) && Int(config.tile_k) % $0.blockColumns == 0 }.map { UInt32($0.value) }
    }
}

extension NodeView {
    /// The node as it would be with other layouts; valid within `body`.
    func with<Result>(inputs: [UInt32], outputs: [UInt32], _ body: (NodeView) -> Result) -> Result {
        let count = inputCount + outputCount
        let tensors = UnsafeMutablePointer<sb_tensor>.allocate(capacity: max(count, 1))
        let pointers = UnsafeMutablePointer<UnsafePointer<sb_tensor>?>.allocate(capacity: max(count, 1))
        let node = UnsafeMutablePointer<sb_node>.allocate(capacity: 1)
        defer {
            tensors.deallocate()
            pointers.deallocate()
            node.deallocate()
        }
        for index in 0..<count {
            let source = index < inputCount ? input(index) : output(index - inputCount)
            guard let source else {
                (pointers + index).initialize(to: nil)
                continue
            }
            (tensors + index).initialize(to: source.raw.pointee)
            tensors[index].layout = index < inputCount ? inputs[index] : outputs[index - inputCount]
            (pointers + index).initialize(to: UnsafePointer(tensors + index))
        }
        node.initialize(to: raw.pointee)
        node.pointee.inputs = UnsafePointer(pointers)
        node.pointee.outputs = UnsafePointer(pointers + inputCount)
        return body(NodeView(trusting: UnsafePointer(node)))
    }
}
