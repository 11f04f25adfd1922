// SPDX-License-Identifier: Apache-2.0
import Compiler
import Conformance
import Execution
package import Foundation
import Graph
import HardwareModel
import ONNX
import Operators
package import Southbound
package import Tensors

/// Times whole networks as a user runs them: inputs and outputs in host memory, what a device lacks on the reference.
package struct ModelBench {
    private let device: Device
    private let reference: Device?
    private let seconds: Double
    private let mixed: DataType?
    private let isInterrupted: () -> Bool

    private static let fewestSamples = 5
    private static let mostSamples = 500
    private static let precision = 0.02

    package init(_ device: Device, reference: Device?, seconds: Double, mixed: DataType? = nil, isInterrupted: @escaping () -> Bool) {
        self.device = device
        self.reference = reference
        self.seconds = seconds
        self.mixed = mixed
        self.isInterrupted = isInterrupted
    }

    /// A side of the comparison.
    private struct Side {
        let session: Session
        let mixed: DataType?
        var host = Samples()
        var deviceClock = Samples()
        var first = 0.0
        var mismatch: String?

        init(_ graph: Graph, _ devices: [Device], mixed: DataType? = nil) {
            var rules = PlacementRules()
            rules.mixed = mixed
            session = Session(graph, devices: devices, rules: rules)
            self.mixed = mixed
        }

        /// Seconds of a run on the host's clock, and the outputs.
        func run(_ inputs: [String: HostTensor]) throws -> (seconds: Double, device: UInt64?, outputs: [HostTensor]) {
            let clock = ContinuousClock()
            let start = clock.now
            let (outputs, device) = try session.runTimed(inputs)
            return ((clock.now - start) / .seconds(1), device, outputs.map(\.tensor))
        }
    }

    /// - Parameter folder: a network in the layout of the ONNX backend tests.
    package func run(_ folder: URL) throws -> BenchReport.ModelResult {
        let model = try ModelCase(folder: folder, folding: true)
        guard let data = model.dataSets.first else { throw ConformanceError.usage("\(folder.path) has no test data") }
        let graph = try readModel(path: model.model.path).graph
        let tensors = try data.inputs.map { try readTensor(path: $0.path).tensor }
        let expected = try data.outputs.map { try readTensor(path: $0.path).tensor }
        let given = Dictionary(uniqueKeysWithValues: zip(graph.inputs, tensors))
        let inputs = Dictionary(uniqueKeysWithValues: given.map { (graph[$0].name, $1) })
        var result = BenchReport.ModelResult(
            id: folder.lastPathComponent, work: try GraphInference(graph, given: given).work(), plugin: .init(.measured))
        var sides = [Side(graph, [device] + (reference.map { [$0] } ?? []), mixed: mixed)] + (reference.map { [Side(graph, [$0])] } ?? [])
        var ratios = Samples()
        do {
            try measure(&sides, &ratios, inputs, expected, model.tolerance)
        } catch let error as ExecutionError {
            result.plugin = .init(error.isMissingKernel ? .unsupported : .failed, error.description)
            return result
        }
        result.placement = sides[0].session.summary?.placement ?? [:]
        // What ran elsewhere is no part of the device's own floor.
        let isAlone = result.placement.keys.allSatisfy { $0 == device.name || $0 == "host" }
        result.plugin = measurement(sides[0], result.work, isAlone ? device.model.roofline : Roofline(bytesPerSecond: 0, peaks: []))
        if let reference { result.reference = measurement(sides[1], result.work, reference.model.roofline) }
        if result.plugin.status == .measured, result.reference?.status == .measured { result.ratio = ratios.statistics }
        return result
    }

    private func measure(
        _ sides: inout [Side], _ ratios: inout Samples, _ inputs: [String: HostTensor], _ expected: [HostTensor],
        _ tolerance: CorpusTolerance
    ) throws {
        for index in sides.indices {
            sides[index].first = try sides[index].run(inputs).seconds
            _ = try sides[index].run(inputs)
        }
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds)
        let checked = Int.random(in: 0..<Self.fewestSamples)
        for round in 0..<Self.mostSamples {
            var times = [0.0, 0.0]
            for index in round % 2 == 0 ? Array(sides.indices) : sides.indices.reversed() {
                let (seconds, device, outputs) = try sides[index].run(inputs)
                times[index] = seconds
                sides[index].host.add(seconds)
                if let device { sides[index].deviceClock.add(Double(device) * 1e-9) }
                guard round == checked else { continue }
                for (position, (actual, right)) in zip(outputs, expected).enumerated() where sides[index].mismatch == nil {
                    sides[index].mismatch =
                        sides[index].mixed.flatMap { Self.mismatch(actual, right, in: $0, output: position) }
                        ?? (sides[index].mixed == nil ? tolerance.mismatch(actual, right, output: position)?.message : nil)
                }
            }
            if sides.count == 2 { ratios.add(times[0] / times[1]) }
            guard round + 1 >= Self.fewestSamples else { continue }
            let isPrecise = sides.allSatisfy { ($0.host.statistics?.uncertainty ?? 1) <= Self.precision && $0.host.count >= 10 }
            if isPrecise || clock.now >= end || isInterrupted() { return }
        }
    }

    /// Of mixed precision: floats may be off by 32 roundings of the largest element, as where passes are verified. Of other outputs nothing can be told.
    private static func mismatch(_ actual: HostTensor, _ expected: HostTensor, in type: DataType, output: Int) -> String? {
        guard actual.dataType == expected.dataType, actual.shape == expected.shape else {
            return "output \(output) has another type or shape"
        }
        guard expected.dataType.isFloat else { return nil }
        let (values, right) = (actual.decodedDoubles(), expected.decodedDoubles())
        let limit = 32 * type.roundingUnit * right.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 }
        let wrong = values.indices.filter {
            !(values[$0] == right[$0] || values[$0].isNaN && right[$0].isNaN || abs(values[$0] - right[$0]) <= limit)
        }
        return wrong.first.map {
            "output \(output): \(wrong.count) of \(values.count) elements differ by more than \(limit), the first: \(values[$0]), expected \(right[$0])"
        }
    }

    private func measurement(_ side: Side, _ work: Work, _ declared: Roofline) -> BenchReport.Measurement {
        var result = BenchReport.Measurement(.measured)
        result.first = side.first
        result.memoryBytes = side.session.summary?.byteCount
        if let mismatch = side.mismatch {
            (result.status, result.message) = (.wrong, mismatch)
            return result
        }
        result.host = side.host.statistics
        result.deviceClock = side.deviceClock.statistics
        let usesTransforms = side.session.summary?.nodes.contains(where: \.facts.usesTransforms) ?? false
        result.judge(side.mixed.map { work.narrowed(to: $0) } ?? work, declared, usesTransforms: usesTransforms)
        return result
    }
}

extension Work {
    /// The least that is left of it where float32 may become that type anywhere.
    fileprivate func narrowed(to type: DataType) -> Work {
        var work = self
        if let count = work.operations.removeValue(forKey: DataType.float32.name) { work.operations[type.name, default: 0] += count }
        work.bytes *= Double(type.bits) / Double(DataType.float32.bits)
        return work
    }
}
