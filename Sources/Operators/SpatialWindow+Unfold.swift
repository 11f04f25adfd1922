// SPDX-License-Identifier: Apache-2.0
import Graph
import Tensors

extension SpatialWindow {
    /// Lays out what the windows read: one matrix row per channel and tap, one column per output position (zeros where a tap is in the
    /// padding), for some rows of the output plane (depth times height of them).
    func unfold(_ image: UnsafePointer<Double>, channels: Int, rows: Range<Int>, into matrix: UnsafeMutablePointer<Double>) {
        let width = volume.width
        forEachRow(channels: channels, rows: rows) { source, target, positions, shift in
            let line = matrix + target
            guard let source else {
                line.update(repeating: 0, count: width.output)
                return
            }
            line.update(repeating: 0, count: positions.lowerBound)
            if width.stride == 1 {
                (line + positions.lowerBound).update(from: image + source + positions.lowerBound + shift, count: positions.count)
            } else {
                for position in positions { line[position] = image[source + position * width.stride + shift] }
            }
            (line + positions.upperBound).update(repeating: 0, count: width.output - positions.upperBound)
        }
    }

    /// The reverse: adds every element of such a matrix to the place that its window read.
    func fold(_ matrix: UnsafePointer<Double>, channels: Int, rows: Range<Int>, into image: UnsafeMutablePointer<Double>) {
        let stride = volume.width.stride
        forEachRow(channels: channels, rows: rows) { source, target, positions, shift in
            guard let source else { return }
            for position in positions { image[source + position * stride + shift] += matrix[target + position] }
        }
    }

    /// Calls `body` for every channel, tap and row of the output plane with the start of the image's row that is read (nil if it lies in
    /// the padding), the start of the row in the matrix, the positions whose tap lies inside the row, and the tap's shift along it.
    @inline(__always)
    private func forEachRow(
        channels: Int, rows: Range<Int>, _ body: (_ source: Int?, _ target: Int, _ positions: Range<Int>, _ shift: Int) -> Void
    ) {
        let (depth, height, width) = volume
        var target = 0
        for channel in 0..<channels {
            for tap in 0..<kernelCount {
                let tapX = tap % width.kernel
                let tapY = tap / width.kernel % height.kernel
                let tapZ = tap / width.kernel / height.kernel
                let positions = width.positions(reading: tapX)
                let shift = tapX * width.dilation - width.padBegin
                for row in rows {
                    let z = depth.source(row / height.output, tap: tapZ)
                    let y = height.source(row % height.output, tap: tapY)
                    let isInside = z >= 0 && z < depth.input && y >= 0 && y < height.input && !positions.isEmpty
                    body(isInside ? ((channel * depth.input + z) * height.input + y) * width.input : nil, target, positions, shift)
                    target += width.output
                }
            }
        }
    }
}
