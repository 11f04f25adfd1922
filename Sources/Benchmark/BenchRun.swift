// SPDX-License-Identifier: Apache-2.0
import Compiler
import Conformance
package import Foundation
import HardwareModel
package import Southbound
package import Tensors

/// A benchmark of one plugin beside the reference: what is chosen, in order, with the report growing as it goes.
package struct BenchRun {
    package enum Suite: String, CaseIterable, Sendable { case launch, operators, models }

    private let device: Device
    private let reference: Device?
    private let suite: Suite?
    private let filter: String?
    private let seed: UInt64
    private let seconds: Double
    private let networks: URL
    private let mixed: DataType?

    /// - Parameters:
    ///   - reference: nil where the plugin is the reference itself.
    ///   - suite: nil for all.
    ///   - filter: a shell pattern for ids (`MatMul/float32-512`, `resnet50`) or operators.
    ///   - seconds: for one case, both devices together.
    ///   - mixed: in what type the plugin computes the networks' products; nil: in their own, as the reference does.
    package init(
        _ device: Device, reference: Device?, suite: Suite?, filter: String?, seed: UInt64, seconds: Double, networks: URL,
        mixed: DataType? = nil
    ) {
        self.device = device
        self.reference = reference
        self.suite = suite
        self.filter = filter
        self.seed = seed
        self.seconds = seconds
        self.networks = networks
        self.mixed = mixed
    }

    /// - Parameter progress: called after each case with what is done, how many there are, and what came of it.
    package func run(progress: (_ done: Int, _ total: Int, _ line: String) -> Void) throws -> BenchReport {
        let clock = ContinuousClock()
        let start = clock.now
        var report = BenchReport(
            plugin: .init(device), reference: reference.map { .init($0) }, seed: seed, started: Date().ISO8601Format())
        let cases = suite == nil || suite == .operators ? operatorCases.filter { isChosen($0.id, $0.operatorName) } : []
        let models = suite == nil || suite == .models ? try folders().filter { isChosen($0.lastPathComponent, nil) } : []
        let launches = suite == .launch || suite == nil && filter == nil ? [device] + (reference.map { [$0] } ?? []) : []
        let total = launches.count + cases.count + models.count
        guard total > 0 else {
            throw ConformanceError.usage("no benchmark matches '\(filter ?? "")'; ids are such as MatMul/float32-512 and resnet50")
        }
        var done = 0
        func finished(_ line: String) {
            done += 1
            progress(done, total, line)
        }
        for device in launches where !isInterrupted {
            let launch = try measureLaunch(on: device)
            if let launch { report.launch.append(launch) }
            finished("launch on \(device.name): \(launch.map { secondsText($0.throughput.median) } ?? "unsupported")")
        }
        report.plugin.measured.bytesPerSecond = cases.isEmpty ? 0 : try measureCopy(on: device)
        if let reference, !cases.isEmpty { report.reference?.measured.bytesPerSecond = try measureCopy(on: reference) }
        let operators = OperatorBench(device, reference: reference, seed: seed, seconds: seconds) { isInterrupted }
        for testCase in cases where !isInterrupted {
            let result = try operators.run(testCase)
            report.operators.append(result)
            finished("\(result.id): \(result.plugin.line)")
        }
        let networks = ModelBench(device, reference: reference, seconds: 4 * seconds, mixed: mixed) { isInterrupted }
        for folder in models where !isInterrupted {
            let result = try networks.run(folder)
            report.models.append(result)
            finished("\(result.id): \(result.plugin.line)")
        }
        report.addMeasuredRooflines(rotationBytes: (device.model.rotationBytes, reference?.model.rotationBytes ?? 0))
        report.isInterrupted = isInterrupted
        report.seconds = (clock.now - start) / .seconds(1)
        return report
    }

    private func folders() throws -> [URL] {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: networks.path)) ?? []).sorted()
        return names.map { networks.appending(path: $0) }.filter {
            FileManager.default.fileExists(atPath: $0.appending(path: "model.onnx").path)
        }
    }

    private func isChosen(_ id: String, _ operatorName: String?) -> Bool {
        guard let filter else { return true }
        return matches(id, filter) || operatorName.map { matches($0, filter) } ?? false
    }
}

extension BenchReport.Party {
    fileprivate init(_ device: Device) {
        self.init(device: device.name, name: device.plugin.identity.name, version: device.plugin.identity.version, model: device.model)
    }
}

extension BenchReport.Measurement {
    /// For progress: the time, or what went wrong.
    fileprivate var line: String { best.map { secondsText($0.median) } ?? "\(status.rawValue)\(message.map { ": \($0)" } ?? "")" }
}

extension BenchReport {
    /// The best copy and the best rates of this run become each device's measured roofline, and every figure a share of it.
    mutating func addMeasuredRooflines(rotationBytes: (plugin: Int, reference: Int)) {
        plugin.measured = Self.roofline(plugin.measured, operators.map { ($0.work, $0.plugin) }, rotationBytes.plugin)
        for index in operators.indices { operators[index].plugin.setShare(of: plugin.measured, operators[index].work) }
        guard var other = reference else { return }
        other.measured = Self.roofline(
            other.measured, operators.compactMap { one in one.reference.map { (one.work, $0) } }, rotationBytes.reference)
        reference = other
        for index in operators.indices {
            let work = operators[index].work
            operators[index].reference?.setShare(of: other.measured, work)
        }
    }

    private static func roofline(_ copy: Roofline, _ results: [(Work, Measurement)], _ rotationBytes: Int) -> Roofline {
        var best: [String: Double] = [:]
        var bytesPerSecond = copy.bytesPerSecond
        for (work, result) in results where result.status == .measured {
            if let rate = result.operationsPerSecond, let type = work.dataType { best[type] = max(best[type] ?? 0, rate) }
            // Smaller tensors may have come from a cache.
            if let rate = result.bytesPerSecond, work.bytes * Double(Contestant.mostCopies) >= Double(rotationBytes) {
                bytesPerSecond = max(bytesPerSecond, rate)
            }
        }
        return Roofline(
            bytesPerSecond: bytesPerSecond,
            peaks: best.sorted { $0.key < $1.key }.map {
                .init(unit: "measured", dataType: $0.key, accumulatorType: "", operationsPerSecond: $0.value)
            })
    }
}

extension BenchReport.Measurement {
    fileprivate mutating func setShare(of roofline: Roofline, _ work: Work) {
        guard status == .measured, let seconds = best?.median, seconds > 0 else { return }
        shareOfMeasured = share(of: roofline, work, seconds)
    }
}
