// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Glibc
import HardwareModel
package import Southbound
import Synchronization

/// One run of the suite on one plugin, from the flags to the report.
package struct ConformanceRun {
    package struct Progress: Sendable {
        package let done: Int
        package let total: Int
        package let summary: Summary
        package let last: CaseResult
    }

    package struct Outcome: Sendable {
        package let report: Report
        package let folder: URL
        /// The plugin could not be negotiated; the report says why.
        package let negotiationError: String?
    }

    private let configuration: RunConfiguration
    private let installation: Installation
    private let executable: String

    /// - Parameter executable: this program, to be started as worker.
    package init(_ configuration: RunConfiguration, installation: Installation, executable: String) {
        self.configuration = configuration
        self.installation = installation
        self.executable = executable
    }

    /// Runs the cases that are not decided yet. `progress` is called after each verdict, from any thread, one call at a time.
    package func run(_ progress: @escaping @Sendable (Progress) -> Void) throws(ConformanceError) -> Outcome {
        let started = Date()
        let store = try RunStore(folder: outputFolder(started), resume: configuration.resume)
        let digest = pluginDigest
        let settings = try settings(of: store, pluginDigest: digest)
        let profile = try Profile(named: settings.profile, installation)
        if let profile, settings.level < profile.level {
            throw .usage("--level \(settings.level.rawValue): the profile '\(profile.name)' is one of the level \(profile.level.rawValue)")
        }
        let list = try CaseList(settings, installation: installation)
        var target = RunTarget(
            plugin: configuration.plugin, options: settings.options, libraries: settings.libraries,
            command: settings.worker.map { .shell($0) } ?? .own(executable), seconds: settings.timeout * settings.timeScale,
            seed: settings.seed, profile: profile,
            expected: try ExpectedFailures(settings.expectedFailures, of: configuration.plugin, installation: installation),
            trust: list.trust)

        let negotiation: WorkerReply?
        var negotiationError: String?
        do throws(CaseInterruption) {
            negotiation = try CaseRunner(target: target, logPath: store.logPath(0)).negotiate()
        } catch {
            if case .interrupted = error { throw interrupted(store) }
            if case .noWorker(let reason) = error { throw .usage(reason) }
            negotiation = nil
            negotiationError = error.description
        }
        target.expected.restrict(to: negotiation?.devices?.first)
        // A plugin that plays no such role is not asked; see `LevelResult.Outcome.notApplicable`.
        let cases = list.cases.filter { testCase in
            negotiation?.groups.map { testCase.applies(to: $0, isChosen: settings.suite != nil || profile?.demands(testCase) == true) }
                ?? true
        }
        if cases.isEmpty { throw .usage("the plugin has no group that the chosen cases are about") }
        if let name = configuration.optionsName, let identity = negotiation?.identity,
            name != identity.name && name != configuration.plugin.givenName
        {
            throw .usage("--option \(name).…: the plugin of this run is named '\(configuration.plugin.givenName ?? identity.name)'")
        }
        if store.header == nil {
            try store.begin(header(settings, profile, negotiation, digest, cases, started))
        }
        let decided = Dictionary(store.earlier.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let collector = Collector(store: store, earlier: Array(decided.values), total: cases.count, progress: progress)
        let open = cases.filter { decided[$0.id] == nil }
        if let negotiationError {
            for testCase in open { try collector.add(Decision(notNegotiated(testCase, negotiationError))) }
        } else {
            try decide(open, target, store, collector)
        }
        guard pluginDigest == digest else {
            throw .usage(
                "\(configuration.plugin.path) changed during the run, so that its results are those of two builds; \(store.folder.path) keeps them without a report: start a new run"
            )
        }
        let report = try makeReport(store, collector.results, seconds: Date().timeIntervalSince(started))
        return Outcome(report: report, folder: store.folder, negotiationError: negotiationError)
    }

    // MARK: Parts

    /// Of the plugin's file as it is now.
    private var pluginDigest: String? {
        (try? Data(contentsOf: URL(fileURLWithPath: configuration.plugin.path), options: .mappedIfSafe)).map { sha256($0) }
    }

    private func decide(_ cases: [Case], _ target: RunTarget, _ store: RunStore, _ collector: Collector) throws(ConformanceError) {
        let jobs = min(max(configuration.jobs ?? ProcessInfo.processInfo.activeProcessorCount, 1), max(cases.count, 1))
        let queue = CaseQueue(cases)
        let group = DispatchGroup()
        for job in 0..<jobs {
            group.enter()
            let logPath = store.logPath(job)
            let isInterrupted = interrupted(store)
            let thread = Thread {
                defer { group.leave() }
                let runner = CaseRunner(target: target, logPath: logPath)
                while let testCase = queue.next() {
                    do {
                        try collector.add(try runner.decide(testCase))
                    } catch let error as ConformanceError {
                        queue.stop(error)
                    } catch {
                        queue.stop(isInterrupted)
                    }
                }
            }
            thread.stackSize = 4 << 20
            thread.start()
        }
        group.wait()
        if let error = queue.failure { throw error }
    }

    private func outputFolder(_ date: Date) -> URL {
        if let output = configuration.output { return URL(fileURLWithPath: output) }
        let stamp = date.formatted(Date.ISO8601FormatStyle(timeZone: .current).year().month().day().dateSeparator(.omitted))
        let time = date.formatted(
            Date.ISO8601FormatStyle(timeZone: .current).time(includingFractionalSeconds: false).timeSeparator(.omitted))
        let base = "southbridge-runs/\(configuration.plugin.displayName)-\(stamp)-\(time)"
        var folder = URL(fileURLWithPath: base)
        var attempt = 2
        while !configuration.resume && access(RunStore.logFile(in: folder).path, F_OK) == 0 {
            folder = URL(fileURLWithPath: "\(base)-\(attempt)")
            attempt += 1
        }
        return folder
    }

    private func settings(of store: RunStore, pluginDigest: String?) throws(ConformanceError) -> RunSettings {
        guard let header = store.header else { return RunSettings(configuration) }
        let settings: RunSettings
        do {
            settings = try JSONDecoder().decode(RunSettings.self, from: JSONEncoder().encode(JSONValue.object(header.options)))
        } catch {
            throw .usage("the run in \(store.folder.path) was made by another version and cannot be resumed: \(error)")
        }
        if header.plugin.digest != pluginDigest {
            throw .usage("the run in \(store.folder.path) was begun with another build of the plugin; start a new run")
        }
        if let flag = settings.contradiction(configuration) {
            throw .usage("\(flag) differs from the run in \(store.folder.path); leave it out when resuming")
        }
        return settings
    }

    private func header(
        _ settings: RunSettings, _ profile: Profile?, _ negotiation: WorkerReply?, _ digest: String?, _ cases: [Case], _ started: Date
    ) throws(ConformanceError) -> RunHeader {
        let identity = negotiation?.identity
        let isSimulated = negotiation?.devices?.contains(where: \.isSimulated) ?? false
        let plugin = Report.Plugin(
            name: identity?.name ?? configuration.plugin.displayName, vendor: identity?.vendor, version: identity?.version,
            abi: identity?.abi, path: configuration.plugin.path, digest: digest, declaredFacts: negotiation?.declaredFacts ?? [:],
            reached: settings.worker != nil ? .bridged : isSimulated ? .virtual : .native)
        do {
            let devices = try (negotiation?.devices ?? []).enumerated().map { index, model in
                guard case .object(let object) = try JSONValue(encoding: model) else { throw CocoaError(.coderInvalidValue) }
                return Report.Device(id: "\(negotiation?.lender ?? plugin.name):\(index)", model: object)
            }
            guard case .object(let options) = try JSONValue(encoding: settings) else { throw CocoaError(.coderInvalidValue) }
            return RunHeader(
                suite: .init(version: suiteVersion, digest: suiteDigest(executable, installation)), plugin: plugin, host: .current(),
                devices: devices,
                run: .init(
                    seed: settings.seed, started: started.formatted(.iso8601), command: configuration.command, shard: settings.shard,
                    expectedFailures: settings.expectedFailures),
                requestedLevel: settings.level, profile: profile?.title ?? settings.profile, options: options,
                planned: .init(ids: cases.map(\.id)))
        } catch {
            throw .internal("the run's header cannot be written: \(error)")
        }
    }

    private func notNegotiated(_ testCase: Case, _ reason: String) -> CaseResult {
        let isFirst = testCase.id == Check.negotiationID
        return CaseResult(
            id: testCase.id, suite: testCase.suite, level: testCase.level, status: isFirst ? .failed : .notRun,
            failure: isFirst ? .declaration : nil, message: isFirst ? reason : "the plugin was not negotiated",
            specification: testCase.specification)
    }

    private func makeReport(_ store: RunStore, _ results: [CaseResult], seconds: Double) throws(ConformanceError) -> Report {
        guard let header = store.header else { throw .internal("a run without a header") }
        var run = header.run
        run.seconds = seconds
        let settings = RunSettings(configuration)
        let isComplete =
            header.options.keys.allSatisfy { !["tier", "suite", "filter", "cases", "shard"].contains($0) } && settings.isComplete
        // What is claimed rests on no list of the plugin's own: with one, a failure is excused, and nothing is claimed.
        let isExcused = run.expectedFailures != nil && results.contains { $0.status == .expectedFailure }
        let cases = results.sorted { ($0.level, $0.id) < ($1.level, $1.id) }
        let judgement = Judgement(cases, requested: header.requestedLevel)
        return Report(
            suite: header.suite, plugin: header.plugin.declaring(byCase: cases), host: header.host, devices: header.devices, run: run,
            verdict: Verdict(
                level: judgement.highest, requestedLevel: header.requestedLevel, profile: header.profile,
                conformant: isComplete && !isExcused ? judgement.isConformant : nil, grade: judgement.grade),
            levels: judgement.levels, cases: cases, log: store.end, specification: .of(installation))
    }

    private func interrupted(_ store: RunStore) -> ConformanceError {
        .interrupted("interrupted; what was decided is kept, continue with --resume --output \(store.folder.path)")
    }
}

extension RunStore {
    func logPath(_ job: Int) -> String { folder.appending(path: "logs/worker-\(job).log").path }
}

/// Hands cases to threads, in order, until one of them stops the run.
private final class CaseQueue: Sendable {
    private let cases: [Case]
    private let state = Mutex((next: 0, failure: ConformanceError?.none))

    init(_ cases: [Case]) { self.cases = cases }

    func next() -> Case? {
        state.withLock { state in
            guard state.failure == nil, state.next < cases.count else { return nil }
            state.next += 1
            return cases[state.next - 1]
        }
    }

    func stop(_ error: ConformanceError) { state.withLock { $0.failure = $0.failure ?? error } }

    var failure: ConformanceError? { state.withLock { $0.failure } }
}

/// Takes verdicts from all threads, one at a time: into the log first, then to whoever watches.
private final class Collector: @unchecked Sendable {
    private let lock = NSLock()
    private let store: RunStore
    private let total: Int
    private let progress: @Sendable (ConformanceRun.Progress) -> Void
    private(set) var results: [CaseResult]
    private var summary: Summary

    init(store: RunStore, earlier: [CaseResult], total: Int, progress: @escaping @Sendable (ConformanceRun.Progress) -> Void) {
        self.store = store
        self.total = total
        self.progress = progress
        results = earlier
        summary = Summary(earlier)
    }

    func add(_ decision: Decision) throws(ConformanceError) {
        lock.lock()
        defer { lock.unlock() }
        if !decision.files.isEmpty { try store.writeReproducer(decision.result.id, files: decision.files) }
        try store.append(decision.result)
        results.append(decision.result)
        summary.add(decision.result.status)
        progress(.init(done: results.count, total: total, summary: summary, last: decision.result))
    }
}
