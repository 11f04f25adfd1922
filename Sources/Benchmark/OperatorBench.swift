// SPDX-License-Identifier: Apache-2.0
import Conformance
import Execution
import Foundation
import Graph
package import HardwareModel
import Operators
package import Southbound
import Tensors

/// Times one operator on a device and on the reference, in turn.
package struct OperatorBench {
    private let device: Device
    private let reference: Device?
    private let seed: UInt64
    /// For one case, both devices together.
    private let seconds: Double
    private let isInterrupted: () -> Bool

    private static let fewestSamples = 10
    private static let mostSamples = 2000
    /// Half the width of the 95 % interval, as a share of the median, at which it is known well enough.
    private static let precision = 0.02

    package init(_ device: Device, reference: Device?, seed: UInt64, seconds: Double, isInterrupted: @escaping () -> Bool) {
        self.device = device
        self.reference = reference
        self.seed = seed
        self.seconds = seconds
        self.isInterrupted = isInterrupted
    }

    package func run(_ testCase: BenchCase) throws -> BenchReport.OperatorResult {
        let call = try testCase.call(seed: seed)
        let work = try call.inference().work()
        var contestants: [Contestant] = []
        var results: [BenchReport.Measurement] = []
        for device in [device, reference].compactMap({ $0 }) {
            do {
                contestants.append(try Contestant(call, constants: testCase.constants, on: device, bytes: work.bytes))
                results.append(.init(.measured))
            } catch let error as ExecutionError {
                results.append(error.isMissingKernel ? .init(.unsupported) : .init(.failed, error.description))
            }
        }
        var result = BenchReport.OperatorResult(
            id: testCase.id, work: work, plugin: results[0], reference: results.count > 1 ? results[1] : nil, ratio: nil)
        guard result.plugin.status == .measured else { return result }
        var ratios = Samples()
        var findings: [Finding?] = contestants.map { _ in nil }
        do {
            try measure(&contestants, &ratios, &findings, testCase, call, work)
        } catch let error as ExecutionError {
            result.plugin = .init(.failed, error.description)
            return result
        }
        result.plugin = measurement(contestants[0], findings[0], work)
        if contestants.count > 1 { result.reference = measurement(contestants[1], findings[1], work) }
        if result.plugin.status == .measured, result.reference?.status == .measured { result.ratio = ratios.statistics }
        return result
    }

    private func measure(
        _ contestants: inout [Contestant], _ ratios: inout Samples, _ findings: inout [Finding?], _ testCase: BenchCase,
        _ call: OperatorCall,
        _ work: Work
    ) throws {
        let random = CounterRandom(seed: seed, case: testCase.id, tensor: "check")
        let checkedSample = Int(random.integer(1, below: UInt64(Self.fewestSamples)))
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds)
        for round in 0..<Self.mostSamples {
            var times: [Double] = []
            // Who comes first changes, so that neither always finds the caches as the other left them.
            let order = round % 2 == 0 ? Array(contestants.indices) : contestants.indices.reversed()
            for index in order {
                times.append(try contestants[index].sample())
                if round == checkedSample { findings[index] = try check(contestants[index], testCase, call, work, random) }
            }
            if times.count == 2 { ratios.add(round % 2 == 0 ? times[0] / times[1] : times[1] / times[0]) }
            guard round + 1 >= Self.fewestSamples else { continue }
            let isPrecise = contestants.allSatisfy { ($0.host.statistics?.uncertainty ?? 1) <= Self.precision }
            if isPrecise || clock.now >= end || isInterrupted() { return }
        }
    }

    /// Compares a part of what the last repeat left with the reference in float64.
    private func check(
        _ contestant: Contestant, _ testCase: BenchCase, _ call: OperatorCall, _ work: Work, _ random: CounterRandom
    ) throws -> Finding {
        guard let output = try contestant.outputs().first else { return Finding(failure: .shape, message: "there is no output") }
        let inference = try call.inference()
        if let type = inference.concreteType(inference.graph.outputs[0]), type != ConcreteType(output.dataType, output.shape) {
            return Finding(
                failure: .shape,
                message: "output 0 is \(output.dataType.name) \(output.shape), expected \(type.dataType.name) \(type.shape)")
        }
        let (part, actual) = try testCase.sampled(call, output: output, operations: work.operationCount, random: random)
        return try Judge(part, facts: contestant.facts).finding(on: [actual])
    }

    private func measurement(_ contestant: Contestant, _ finding: Finding?, _ work: Work) -> BenchReport.Measurement {
        var result = BenchReport.Measurement(.measured)
        result.kernels = contestant.kernels
        result.first = contestant.first
        result.memoryBytes = contestant.memoryBytes
        if let finding, finding.failure != nil {
            (result.status, result.message) = (.wrong, finding.message)
            return result
        }
        result.host = contestant.host.statistics
        result.deviceClock = contestant.deviceClock.statistics
        result.judge(work, contestant.device.model.roofline, usesTransforms: contestant.facts.usesTransforms)
        return result
    }
}

extension ExecutionError {
    var isMissingKernel: Bool { if case .noKernel = self { true } else { false } }
}

extension BenchReport.Measurement {
    /// Rates from times; a time that the declared roofline does not allow is no measurement.
    package mutating func judge(_ work: Work, _ declared: Roofline, usesTransforms: Bool) {
        guard let seconds = best?.median, seconds > 0 else { return }
        // Transforms (Winograd, FFT) need fewer operations than the definition.
        let bound = usesTransforms ? Work(bytes: work.bytes) : work
        let floor = declared.floor(of: bound)
        if seconds < floor {
            status = .refused
            message = "\(secondsText(seconds)) is less than the \(secondsText(floor)) that the device's own description allows"
            (host, deviceClock) = (nil, nil)
            return
        }
        if work.operationCount > 0 { operationsPerSecond = work.operationCount / seconds }
        bytesPerSecond = work.bytes / seconds
        shareOfDeclared = share(of: declared, bound, seconds)
    }

    /// The least time over the time; nil where the roofline does not tell it, because it lacks a peak that the work needs.
    func share(of roofline: Roofline, _ work: Work, _ seconds: Double) -> Double? {
        let floor = roofline.floor(of: work)
        return floor > 0 && work.operations.keys.allSatisfy { roofline.peak(of: $0) != nil } ? floor / seconds : nil
    }
}
