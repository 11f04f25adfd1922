// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import Tensors

/// An operator whose output elements are sums of products, brought into one form: which elements of which inputs make up each output element.
struct SumProblem {
    var shape: [Int]
    /// Factors; `right` empty means ones.
    var left: [Double]
    var right: [Double] = []
    /// The pairs of factors of an output element: appended to the two lists.
    var terms: (_ output: Int, _ left: inout [Int], _ right: inout [Int]) -> Void
    var alpha = 1.0
    var beta = 1.0
    /// Element by element of the output; nil: none.
    var bias: [Double]?
    /// What a mean divides by.
    var divisor: ((_ output: Int, _ count: Int) -> Double)?
    /// Terms are absolute values, or squares.
    var isAbsolute = false
    var isSquared = false

    /// Nil for calls that the study has no kernel for.
    init?(_ name: String, _ context: ReferenceContext) {
        guard let first = context.inputs.first.flatMap({ $0 }), case .floats = first.elements else { return nil }
        switch name {
        case "MatMul": self.init(matMul: context)
        case "Gemm": self.init(gemm: context)
        case "Conv": self.init(conv: context)
        case "AveragePool": self.init(averagePool: context)
        case "GlobalAveragePool": self.init(globalAveragePool: first, context)
        case "CumSum": self.init(running: first, context)
        case "Sum", "Mean": self.init(elementwise: context, isMean: name == "Mean")
        case _ where name.hasPrefix("Reduce"): self.init(reduction: name, first, context)
        default: return nil
        }
    }

    private init(_ shape: [Int], _ left: [Double], _ terms: @escaping (Int, inout [Int], inout [Int]) -> Void) {
        self.shape = shape
        self.left = left
        self.terms = terms
    }

    private init?(matMul context: ReferenceContext) {
        let (a, b) = (context.inputs[0]!, context.inputs[1]!)
        let left = a.shape.count == 1 ? [1] + a.shape : a.shape
        let right = b.shape.count == 1 ? b.shape + [1] : b.shape
        let (rows, depth, columns) = (left[left.count - 2], left[left.count - 1], right[right.count - 1])
        guard let batch = broadcastShape([Array(left.dropLast(2)), Array(right.dropLast(2))]) else { return nil }
        let leftBatch = broadcastIndices(from: Array(left.dropLast(2)), to: batch)
        let rightBatch = broadcastIndices(from: Array(right.dropLast(2)), to: batch)
        self.init(context.output(0).shape, a.floats) { output, l, r in
            let (matrix, row, column) = (output / columns / rows, output / columns % rows, output % columns)
            for k in 0..<depth {
                l.append((leftBatch[matrix] * rows + row) * depth + k)
                r.append((rightBatch[matrix] * depth + k) * columns + column)
            }
        }
        self.right = b.floats
    }

    private init?(gemm context: ReferenceContext) {
        let (a, b, attributes) = (context.inputs[0]!, context.inputs[1]!, context.attributes)
        let (turnsA, turnsB) = (attributes.flag("transA"), attributes.flag("transB"))
        let (m, depth) = turnsA ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
        let n = turnsB ? b.shape[0] : b.shape[1]
        self.init([m, n], a.floats) { output, l, r in
            for k in 0..<depth {
                l.append(turnsA ? k * m + output / n : output / n * depth + k)
                r.append(turnsB ? output % n * depth + k : k * n + output % n)
            }
        }
        right = b.floats
        (alpha, beta) = (attributes.float("alpha") ?? 1, attributes.float("beta") ?? 1)
        bias = context.has(2) ? context.inputs[2]!.broadcast(to: [m, n]).floats : nil
    }

    private init?(conv context: ReferenceContext) {
        let (x, w, attributes) = (context.inputs[0]!, context.inputs[1]!, context.attributes)
        guard let window = StudyWindow(attributes, x.shape, kernel: Array(w.shape[2...])) else { return nil }
        let groups = attributes.int("group") ?? 1
        let (inside, taps) = (w.shape[1], w.shape[2...].reduce(1, *))
        let shape = context.output(0).shape
        let (channels, plane, inputPlane) = (shape[1], shape[2...].reduce(1, *), x.shape[2...].reduce(1, *))
        let (inputChannels, views) = (x.shape[1], (0..<plane).map { window.sources(at: $0) })
        self.init(shape, x.floats) { output, l, r in
            let (image, channel, position) = (output / plane / channels, output / plane % channels, output % plane)
            let sources = views[position]
            for c in 0..<inside {
                let source = image * inputChannels + channel / (channels / groups) * inside + c
                for (tap, place) in sources {
                    l.append(source * inputPlane + place)
                    r.append((channel * inside + c) * taps + tap)
                }
            }
        }
        right = w.floats
        if context.has(2) {
            let values = context.inputs[2]!.floats
            bias = (0..<shape.reduce(1, *)).map { values[$0 / plane % channels] }
        }
    }

    private init?(averagePool context: ReferenceContext) {
        let (x, attributes) = (context.inputs[0]!, context.attributes)
        guard !attributes.flag("ceil_mode"), let kernel = attributes.ints("kernel_shape"),
            let window = StudyWindow(attributes, x.shape, kernel: kernel)
        else {
            return nil
        }
        let shape = context.output(0).shape
        let (plane, inputPlane) = (shape[2...].reduce(1, *), x.shape[2...].reduce(1, *))
        self.init(shape, x.floats) { output, l, _ in
            for (_, place) in window.sources(at: output % plane) { l.append(output / plane * inputPlane + place) }
        }
        let whole = Double(kernel.reduce(1, *))
        let countsPads = attributes.flag("count_include_pad")
        divisor = { _, count in countsPads ? whole : Double(count) }
    }

    private init(globalAveragePool x: ReferenceTensor, _ context: ReferenceContext) {
        let plane = x.shape.dropFirst(2).reduce(1, *)
        self.init(context.output(0).shape, x.floats) { output, l, _ in l.append(contentsOf: output * plane..<(output + 1) * plane) }
        divisor = { _, count in Double(count) }
    }

    private init(running x: ReferenceTensor, _ context: ReferenceContext) {
        let axis = Int(context.inputs[1]!.integers.first ?? 0)
        let position = axis < 0 ? axis + x.shape.count : axis
        let (size, inner) = (x.shape[position], x.shape[(position + 1)...].reduce(1, *))
        let (isExclusive, isReverse) = (context.attributes.flag("exclusive"), context.attributes.flag("reverse"))
        self.init(x.shape, x.floats) { output, l, _ in
            let place = output / inner % size
            let range = isReverse ? (isExclusive ? place + 1 : place)..<size : 0..<(isExclusive ? place : place + 1)
            for k in isReverse ? Array(range.reversed()) : Array(range) { l.append(output + (k - place) * inner) }
        }
    }

    private init(elementwise context: ReferenceContext, isMean: Bool) {
        let shape = context.output(0).shape
        let count = context.inputs.count
        let size = shape.reduce(1, *)
        self.init(shape, context.inputs.flatMap { $0!.broadcast(to: shape).floats }) { output, l, _ in
            for k in 0..<count { l.append(k * size + output) }
        }
        if isMean { divisor = { _, count in Double(count) } }
    }

    private init?(reduction name: String, _ x: ReferenceTensor, _ context: ReferenceContext) {
        guard let groups = reducedGroups(x.shape, context) else { return nil }
        self.init(context.output(0).shape, x.floats) { output, l, _ in l.append(contentsOf: groups[output]) }
        switch name {
        case "ReduceSum": break
        case "ReduceMean": divisor = { _, count in Double(count) }
        case "ReduceL1": isAbsolute = true
        case "ReduceSumSquare", "ReduceL2": isSquared = true
        default: return nil
        }
    }
}

/// For each element of a reduction's output the flat indices that it folds.
func reducedGroups(_ shape: [Int], _ context: ReferenceContext) -> [[Int]]? {
    let attributes = context.attributes
    var axes = attributes.ints("axes") ?? (context.has(1) ? context.inputs[1]!.integers.map { Int($0) } : [])
    axes = axes.map { $0 < 0 ? $0 + shape.count : $0 }
    if axes.isEmpty { axes = attributes.flag("noop_with_empty_axes") ? [] : Array(shape.indices) }
    return flatGroups(shape, over: axes)
}

/// The flat indices of a tensor in groups, each over all positions of `axes`.
func flatGroups(_ shape: [Int], over axes: [Int]) -> [[Int]] {
    let strides = denseStrides(shape)
    func offsets(_ axes: [Int]) -> [Int] { stridedIndices(shape: axes.map { shape[$0] }, strides: axes.map { strides[$0] }) }
    let inner = offsets(axes)
    return offsets(shape.indices.filter { !axes.contains($0) }).map { base in inner.map { base + $0 } }
}

/// What a window of a convolution or pooling sees; explicit padding only.
private struct StudyWindow {
    private let input: [Int]
    private let kernel: [Int]
    private let strides: [Int]
    private let dilations: [Int]
    private let pads: [Int]
    private let output: [Int]

    init?(_ attributes: NodeAttributes, _ shape: [Int], kernel: [Int]) {
        guard ["NOTSET", nil].contains(attributes.string("auto_pad")) else { return nil }
        let rank = kernel.count
        input = Array(shape[2...])
        self.kernel = kernel
        strides = attributes.ints("strides") ?? [Int](repeating: 1, count: rank)
        dilations = attributes.ints("dilations") ?? [Int](repeating: 1, count: rank)
        let pads = attributes.ints("pads") ?? [Int](repeating: 0, count: 2 * rank)
        self.pads = pads
        output = (0..<rank).map { axis in
            (shape[2 + axis] + pads[axis] + pads[axis + rank] - (kernel[axis] - 1) * (attributes.ints("dilations")?[axis] ?? 1) - 1)
                / (attributes.ints("strides")?[axis] ?? 1) + 1
        }
    }

    /// Taps inside the input and the flat input positions that they read, for a flat output position.
    func sources(at position: Int) -> [(tap: Int, place: Int)] {
        var rest = position
        var start = [Int](repeating: 0, count: kernel.count)
        for axis in kernel.indices.reversed() {
            start[axis] = rest % output[axis] * strides[axis] - pads[axis]
            rest /= output[axis]
        }
        return (0..<kernel.reduce(1, *)).compactMap { tap in
            var (rest, place, scale) = (tap, 0, 1)
            for axis in kernel.indices.reversed() {
                let coordinate = start[axis] + rest % kernel[axis] * dilations[axis]
                guard coordinate >= 0, coordinate < input[axis] else { return nil }
                place += coordinate * scale
                scale *= input[axis]
                rest /= kernel[axis]
            }
            return (tap, place)
        }
    }
}
