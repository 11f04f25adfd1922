// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine
import Tensors

/// Products that one program computes: for each of `batches`, result (m × n) = epilogue(a (m × k) · b (k × n)).
struct ProductProblem {
    var m, n, k: Int
    var a, b: ProductOperand
    var arithmetic: ProductArithmetic
    var output: Output
    var epilogue: Epilogue
    var batches: Int { output.offsets.count }
    /// The vector unit has nothing to do.
    var isPlain: Bool { !arithmetic.isStaged && a.zeroPoint == nil && b.zeroPoint == nil && storesAccumulators }
    /// The accumulators are the result.
    var storesAccumulators: Bool {
        if case .input(0) = epilogue.term.kind { output.type == arithmetic.accumulator } else { false }
    }

    /// Row-major, the columns side by side; or panels of the chip's layout.
    struct Output {
        /// Which output of the node.
        var index = 0
        var bytes: Int
        var type: DataType
        /// Elements between rows.
        var rowStride: Int
        /// Where each batch begins, in elements.
        var offsets: [Int]
        /// Rows of a panel, where the result is in panels.
        var panelHeight: Int?
    }
}

/// A side of the product: where its elements come from.
struct ProductOperand {
    enum Source {
        /// Element (i, j) lies i · `row` + j · `column` elements on.
        case matrix(row: Int, column: Int)
        /// What the windows of a convolution see (of b only); addresses and ranges are left to be filled in.
        case patches(npu_patch)
        /// Panels of the chip's layout, each of `height` rows and as wide as a tile's results.
        case panels(height: Int)
    }

    var source: Source
    /// Which input of the node.
    var input: Int
    var bytes: Int
    /// Where each batch begins, in elements.
    var offsets: [Int]
    /// The values, if they are known when the node is prepared: they are then packed once.
    var constant: UnsafeRawPointer?
    var zeroPoint: ZeroPoint?

    /// Windows reach past the image, where there is then the zero point.
    var needsPadding: Bool {
        guard zeroPoint != nil, case .patches(let patch) = source else { return false }
        return patch.reachesOutside
    }

    /// What is taken off an integer operand: one for all (`count` 1), or one per row of a, per column of b.
    struct ZeroPoint {
        var input: Int
        var type: DataType
        var count: Int
    }
}

/// How elements go through the matrix unit.
struct ProductArithmetic: Hashable {
    /// Of the operands as they come.
    var a, b: DataType
    /// Of bfloat16 that a float32 is split into; then there are as many products as pairs of them matter.
    var parts = 1

    /// What the unit is given.
    var unitA: DataType { a == .float32 ? .bfloat16 : a }
    var unitB: DataType { b == .float32 ? .bfloat16 : b }
    /// Float32 goes through the vector unit on its way.
    var isStaged: Bool { a == .float32 }
    var accumulator: DataType { a.isFloat ? .float32 : .int32 }

    /// Nil if the matrix unit takes no such operands.
    init?(_ a: DataType, _ b: DataType, _ profile: Profile) {
        (self.a, self.b) = (a, b)
        let config = profile.config
        switch (a, b) {
        case (.float32, .float32):
            if config.bfloat16_rate <= 0 { return nil }
            parts = profile.float32.parts
        case (.float16, .float16): if config.float16_rate <= 0 { return nil }
        case (.bfloat16, .bfloat16): if config.bfloat16_rate <= 0 { return nil }
        case (.int8, .int8), (.int8, .uint8), (.uint8, .int8), (.uint8, .uint8): if config.int8_rate <= 0 { return nil }
        default: return nil
        }
    }
}

/// What becomes of the accumulators before they are stored.
struct Epilogue {
    /// An operand of the expression beside the accumulators, for one batch (`batchStride` elements on for the next).
    struct Input {
        var input: Int
        var bytes: Int
        var type: DataType
        /// Elements between rows and between columns of the result; 0: the same for all.
        var row, column: Int
        var offsets: [Int]
    }

    /// Input 0 is the accumulators, the others are `inputs`.
    var term: Term
    var inputs: [Input] = []

    /// The accumulators as they are.
    static func none(_ arithmetic: ProductArithmetic) -> Epilogue {
        Epilogue(term: .input(0, npu_type(arithmetic.accumulator.rawValue)))
    }
}

extension npu_patch {
    /// Whether a window sees anything outside of the image.
    var reachesOutside: Bool {
        func reaches(_ input: UInt32, _ output: UInt32, _ kernel: UInt32, _ stride: UInt32, _ dilation: UInt32, _ pad: Int32) -> Bool {
            pad > 0 || Int64(output - 1) * Int64(stride) + Int64(kernel - 1) * Int64(dilation) - Int64(pad) >= Int64(input)
        }
        return reaches(input.0, output.0, kernel.0, stride.0, dilation.0, pad.0)
            || reaches(input.1, output.1, kernel.1, stride.1, dilation.1, pad.1)
            || reaches(input.2, output.2, kernel.2, stride.2, dilation.2, pad.2)
    }
}
