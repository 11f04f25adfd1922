// SPDX-License-Identifier: Apache-2.0

/// How fast a device can be at best: by its operations, or by the bytes of memory space 0 that they need, whichever takes longer
/// (S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for multicore architectures", CACM 52(4), 2009).
package struct Roofline: Codable, Sendable, Hashable {
    /// All units of one kind together, on one data type.
    package struct Peak: Codable, Sendable, Hashable {
        package let unit: String
        package let dataType: String
        package let accumulatorType: String
        package let operationsPerSecond: Double

        package init(unit: String, dataType: String, accumulatorType: String, operationsPerSecond: Double) {
            self.unit = unit
            self.dataType = dataType
            self.accumulatorType = accumulatorType
            self.operationsPerSecond = operationsPerSecond
        }
    }

    /// Of memory space 0; 0 is unknown.
    package var bytesPerSecond: Double
    package var peaks: [Peak]

    package init(bytesPerSecond: Double, peaks: [Peak]) {
        self.bytesPerSecond = bytesPerSecond
        self.peaks = peaks
    }

    /// Data types that have a peak, in the order of the units.
    package var dataTypes: [String] {
        var seen: Set<String> = []
        return peaks.map(\.dataType).filter { seen.insert($0).inserted }
    }

    /// The fastest unit's; nil where none is known.
    package func peak(of dataType: String) -> Double? { peaks.filter { $0.dataType == dataType }.map(\.operationsPerSecond).max() }

    /// Operations per byte from which on arithmetic is the limit; nil where either figure is unknown.
    package func ridge(of dataType: String) -> Double? {
        guard bytesPerSecond > 0, let peak = peak(of: dataType) else { return nil }
        return peak / bytesPerSecond
    }

    /// Operations per second at an intensity in operations per byte; nil where nothing limits them as far as is known.
    package func attainable(at intensity: Double, _ dataType: String) -> Double? {
        let limits = [peak(of: dataType), bytesPerSecond > 0 ? intensity * bytesPerSecond : nil]
        return limits.compactMap { $0 }.min()
    }

    /// The least time that the work can take, in seconds: 0 where nothing is known.
    package func floor(of work: Work) -> Double {
        let arithmetic = work.operations.compactMap { type, count in peak(of: type).map { count / $0 } }
        return max(arithmetic.max() ?? 0, bytesPerSecond > 0 ? work.bytes / bytesPerSecond : 0)
    }
}

/// What has to be done, whatever does it.
package struct Work: Codable, Sendable, Hashable {
    /// By the data type of the operands; a multiply-add counts as two.
    package var operations: [String: Double]
    /// That have to be read or written at least once.
    package var bytes: Double

    package init(operations: [String: Double] = [:], bytes: Double = 0) {
        self.operations = operations
        self.bytes = bytes
    }

    package var operationCount: Double { operations.values.reduce(0, +) }
    /// Operations per byte.
    package var intensity: Double { bytes > 0 ? operationCount / bytes : 0 }
    /// Of which there are most operations.
    package var dataType: String? { operations.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key }

    package static func + (first: Work, second: Work) -> Work {
        Work(operations: first.operations.merging(second.operations, uniquingKeysWith: +), bytes: first.bytes + second.bytes)
    }
}

extension DeviceModel {
    /// What the description promises.
    package var roofline: Roofline {
        Roofline(
            bytesPerSecond: Double(spaces.first?.bandwidthBytesPerSecond ?? 0),
            peaks: units.flatMap { unit in
                unit.rates.filter { _ in unit.clockHertz > 0 }.map { rate in
                    Roofline.Peak(
                        unit: unit.name, dataType: rate.dataType, accumulatorType: rate.accumulatorType,
                        operationsPerSecond: rate.operationsPerCycle * Double(unit.count) * Double(unit.clockHertz))
                }
            })
    }
}

extension Link {
    /// Seconds that `bytes` bytes take; nil where the bandwidth is unknown.
    package func seconds(moving bytes: Double) -> Double? { transfer(bytes, bandwidthBytesPerSecond, latencyPicoseconds) }
}

extension MemorySpace {
    /// Seconds in which all of this space together moves `bytes` bytes; nil where the bandwidth is unknown.
    package func seconds(moving bytes: Double) -> Double? { transfer(bytes, bandwidthBytesPerSecond, latencyPicoseconds) }
}

private func transfer(_ bytes: Double, _ bytesPerSecond: Int, _ latency: Int) -> Double? {
    bytesPerSecond > 0 ? Double(latency) * 1e-12 + bytes / Double(bytesPerSecond) : nil
}
