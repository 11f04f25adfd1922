// SPDX-License-Identifier: Apache-2.0
package import Conformance
package import Operators
package import Tensors

/// A way to be wrong. It is planted into a right implementation's arithmetic, or into what that gives.
package struct Fault: Sendable {
    package let name: String
    /// The suite's own fault of this kind: where the suite demands that, every group must catch this.
    package let planted: PlantedFault?
    private let plant: Plant

    private enum Plant: Sendable {
        case arithmetic(@Sendable (inout Arithmetic) -> Void)
        /// From (shape) to the source of each element; nil: does not apply.
        case moved(@Sendable (_ shape: [Int]) -> [Int]?)
        /// From (value, flat index, shape).
        case changed(@Sendable (Double, Int, [Int]) -> Double)
    }

    package static let all: [Fault] = [
        Fault("inputs rounded to TF32", .lowerInputs) { ($0.inputBits, $0.dataBits) = (11, 11) },
        Fault("inputs rounded to bfloat16", .lowerInputs) { ($0.inputBits, $0.dataBits) = (8, 8) },
        Fault("float16 accumulator", .lowerAccumulator) { $0.accumulator = .float16 },
        Fault("bfloat16 accumulator", .lowerAccumulator) { $0.accumulator = .bfloat16 },
        Fault("last term dropped", .droppedTerm) { $0.dropsLastTerm = true },
        Fault("off by one: a term twice, one never", nil) { $0.repeatsTerm = true },
        Fault("bias dropped", nil) { $0.dropsBias = true }, Fault("epsilon dropped", nil) { $0.dropsEpsilon = true },
        Fault("divided by n − 1", nil) { $0.countsOneLess = true }, Fault("one-pass variance", nil) { $0.variance = .onePass },
        Fault("Welford without the last", nil) { $0.variance = .welfordWithoutLast },
        Fault("maximum not subtracted", nil) { $0.skipsMaximum = true },
        Fault("functions off by 16 ULP", nil) { $0.functionError = 16 },
        Fault("stores truncated", .truncation) { ($0.store, $0.functions) = (.truncated, .widened) },
        Fault("ties away from even", nil) { ($0.store, $0.functions) = (.tiesAway, .widened) },
        Fault("rounded twice", nil) { ($0.store, $0.functions) = (.twice, .widened) },
        Fault("sums truncated", nil) { $0.truncatesSums = true }, Fault("denormals flushed", nil) { $0.flushesDenormals = true },
        Fault("NaN lost", nil) { $0.losesNaN = true }, Fault("sign of zero lost", nil) { $0.losesSignOfZero = true },
        Fault("saturates for wraps", nil) { $0.saturates = true }, Fault("wraps for saturates", nil) { $0.wrapsAtRequantisation = true },
        Fault("zero point dropped", nil) { $0.dropsZeroPoint = true }, Fault("last of equal elements", nil) { $0.takesLastOfEqual = true },
        Fault("results one place off", planted: .wrongIndex, .moved { shape in rotated(shape.reduce(1, *)) }),
        Fault("last row stale", planted: .staleRow, .moved(staleRow)), Fault("axes swapped", planted: .swappedAxes, .moved(swappedAxes)),
        Fault("one element zero", planted: .zeroedElement, .changed { value, index, shape in index == shape.reduce(1, *) / 2 ? 0 : value }),
        Fault(
            "tail of each row zero", planted: .droppedTail,
            .changed { value, index, shape in shape.last ?? 1 > 1 && index % shape.last! == shape.last! - 1 ? 0 : value }),
        Fault("scaled by 1.001", planted: .scaled, .changed { value, _, _ in value * 1.001 }),
        Fault(
            "one element one more", planted: .offByOne,
            .changed { value, index, shape in index == shape.reduce(1, *) / 3 ? value + 1 : value }),
    ]

    private init(_ name: String, _ planted: PlantedFault?, _ change: @escaping @Sendable (inout Arithmetic) -> Void) {
        self.init(name, planted: planted, .arithmetic(change))
    }

    private init(_ name: String, planted: PlantedFault?, _ plant: Plant) {
        (self.name, self.planted, self.plant) = (name, planted, plant)
    }

    /// What the implementation `base` gives with the fault; nil where it cannot be planted.
    /// - Parameter right: what it gives without.
    package func outputs(_ computation: Computation, base: Arithmetic, right: [HostTensor?]) throws -> [HostTensor?]? {
        guard let tensor = right.first.flatMap({ $0 }), tensor.count > 0 else { return nil }
        var wrong = right
        switch plant {
        case .arithmetic(let change): return try computation.outputs(base.with(change))
        case .moved(let move):
            guard let sources = move(tensor.shape) else { return nil }
            wrong[0] = try tensor.replaced({ values in sources.map { values[$0] } }, { values in sources.map { values[$0] } })
        case .changed(let change):
            let shape = tensor.shape
            wrong[0] = try tensor.replaced({ values in values.enumerated().map { change($1, $0, shape) } }) { values in
                values.enumerated().map { index, value in
                    let changed = change(Double(value), index, shape)
                    return changed == Double(value) ? value : Int64(max(-0x1p62, min(0x1p62, changed)))
                }
            }
        }
        return wrong
    }

    /// Whether every group of this operator and type has to notice the fault.
    package func isDemanded(_ definition: OperatorDefinition, _ type: DataType) -> Bool {
        planted.map { PlantedFault.kinds(for: definition, type: type).contains($0) } ?? false
    }
}

private func rotated(_ count: Int) -> [Int] { (0..<count).map { ($0 + 1) % count } }

@Sendable private func staleRow(_ shape: [Int]) -> [Int]? {
    let (count, row) = (shape.reduce(1, *), shape.last ?? 1)
    return count > row && row > 0 ? (0..<count).map { $0 >= count - row ? $0 - row : $0 } : nil
}

@Sendable private func swappedAxes(_ shape: [Int]) -> [Int]? {
    guard shape.count >= 2 else { return nil }
    let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
    return (0..<shape.reduce(1, *)).map { $0 - $0 % (rows * columns) + $0 % rows * columns + $0 % (rows * columns) / rows }
}

extension HostTensor {
    fileprivate func replaced(_ floats: ([Double]) -> [Double], _ integers: ([Int64]) -> [Int64]) throws -> HostTensor {
        dataType.isFloat
            ? try HostTensor(dataType, shape, doubles: floats(decodedDoubles()))
            : try HostTensor(dataType, shape, integers: integers(decodedIntegers()))
    }

    /// Bit for bit, but for NaN's payload.
    package func isSame(as other: HostTensor) -> Bool {
        guard dataType.isFloat else { return decodedIntegers() == other.decodedIntegers() }
        return decodedDoubles().elementsEqual(other.decodedDoubles()) { $0 == $1 && $0.sign == $1.sign || $0.isNaN && $1.isNaN }
    }
}
