// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Conformance
import Foundation
import Reports
import Southbound

struct ConformCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conform",
        abstract: "Run the conformance suite on a plugin and write the run's folder.",
        discussion: """
            Levels: load, driver, operators, graphs, models; each needs the one before it. A run that leaves cases out (--filter, --suite, --cases, --shard, --tier smoke)
            claims nothing: it exits with 0 or 1 by its failures. So does one in which a failure is excused by --expected-failures. An operator library
            without a driver is tried on the device of the reference CPU plugin, whose kernels are not used. A compiler without kernels is asked for programs of one node
            where a suite of single operators is named. Profiles say what a class of chip has to offer: docs/profiles.md.

            EXAMPLES
              southbridge conform ./libchip.so
              southbridge conform ./libchip.so --level driver --output runs/today
              southbridge conform cpu --filter Relu
              southbridge conform ./libchip.so --expected-failures known.json
              southbridge conform ./libchip.so --tier smoke
              southbridge conform ./libchip.so --profile edge
              southbridge conform cpu --corpus my-cases --suite corpus
              southbridge conform cpu --output runs/today --resume
              southbridge conform onnxruntime --suite onnx --worker 'python Conformance/Bridges/onnxruntime_worker.py'
            """)

    @Argument(help: "The plugin under test; with --worker also any name that the worker knows.")
    var plugin: String

    @Option(help: ArgumentHelp("Highest level to run (default: models).", valueName: "level"))
    var level: String?

    @Option(
        help: ArgumentHelp("Profile to judge by: declared (default), endpoint, edge, cloud.", valueName: "name"),
        completion: .list(RunConfiguration.profiles))
    var profile: String?

    @Option(
        help: ArgumentHelp(
            "Run one suite alone: load, driver, operators, relations, offers, probes, golden, layouts, onnx, graphs, passes, networks, corpus.",
            valueName: "name"))
    var suite: String?

    @Option(help: ArgumentHelp("Run the cases whose id, name or operator matches a shell pattern.", valueName: "glob"))
    var filter: String?

    @Option(
        help: ArgumentHelp("Add the suite 'corpus' from a folder in the ONNX backend-test layout.", valueName: "dir"),
        completion: .directory)
    var corpus: String?

    @Option(help: ArgumentHelp("Run the first N cases only.", valueName: "n"))
    var cases: Int?

    @Option(help: ArgumentHelp("Worker processes at once (default: one per core).", valueName: "n"))
    var jobs: Int?

    @Option(help: ArgumentHelp("Seed of order and data (default: drawn afresh, and reported).", valueName: "n"))
    var seed: UInt64?

    @Option(help: ArgumentHelp("Limit per case (default: 60).", valueName: "seconds"))
    var timeout: Double?

    @Option(help: ArgumentHelp("Stretch all limits for a slow device.", valueName: "x"))
    var timeScale: Double?

    @Option(
        help: ArgumentHelp("smoke: the fewest cases that still notice every kind of planted fault; or full (default).", valueName: "tier"))
    var tier: String?

    @Option(help: ArgumentHelp("A program that speaks the worker protocol, instead of this one.", valueName: "command"))
    var worker: String?

    @Option(help: ArgumentHelp("Run the I-th of N parts.", valueName: "i/n"))
    var shard: String?

    @Option(
        help: ArgumentHelp("A list of known failures, each with a reason, an owner and a last day.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var expectedFailures: String?

    @Flag(help: "Go on with the run in --output.")
    var resume = false

    @Option(help: ArgumentHelp("The run's folder (default: southbridge-runs/PLUGIN-DATE-TIME).", valueName: "dir"), completion: .directory)
    var output: String?

    @OptionGroup var flags: PluginFlags

    func run() throws {
        let installation = try Installation.locate()
        var configuration = RunConfiguration(plugin: try .parse(plugin, installation: installation, isServedByWorker: worker != nil))
        // A wrong path needs no report of 70,000 cases that were not run.
        if worker == nil, access(configuration.plugin.path, R_OK) != 0 {
            throw CommandFailure(code: 3, "plugin '\(plugin)': \(configuration.plugin.path): \(String(cString: strerror(errno)))")
        }
        (configuration.optionsName, configuration.options) = try flags.named.single()
        configuration.libraries = flags.libraries
        configuration.level = try level.map { try choice($0, Level(rawValue: $0), of: Level.allCases.map(\.rawValue), "--level") }
        if let profile {
            configuration.profile = try choice(
                profile, RunConfiguration.profiles.first { $0 == profile }, of: RunConfiguration.profiles, "--profile")
        }
        configuration.tier = try tier.map { try choice($0, Tier(rawValue: $0), of: Tier.allCases.map(\.rawValue), "--tier") }
        if let shard {
            guard let value = Shard(shard) else { throw CommandFailure(code: 2, "--shard takes I/N with 1 ≤ I ≤ N, not '\(shard)'") }
            configuration.shard = value
        }
        for (name, value) in [
            ("--cases", cases.map(Double.init)), ("--jobs", jobs.map(Double.init)), ("--timeout", timeout), ("--time-scale", timeScale),
        ] {
            if let value, !(value > 0 && value.isFinite) { throw CommandFailure(code: 2, "\(name) must be more than 0") }
        }
        if resume && output == nil { throw CommandFailure(code: 2, "--resume needs --output, the folder of the run to go on with") }
        configuration.suite = suite
        configuration.filter = filter
        configuration.corpus = corpus
        configuration.cases = cases
        configuration.jobs = jobs
        configuration.seed = seed
        configuration.timeout = timeout
        configuration.timeScale = timeScale
        configuration.worker = worker
        configuration.expectedFailures = try expectedFailures.map { try ExpectedFailuresFile(path: $0) }
        configuration.resume = resume
        configuration.output = output
        configuration.command = CommandLine.arguments.map(shellQuoted).joined(separator: " ")

        catchInterrupts()
        let bar = ProgressBar()
        let run = ConformanceRun(
            configuration, installation: installation, executable: URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path)
        let outcome: ConformanceRun.Outcome
        do {
            outcome = try run.run { bar.show($0) }
        } catch {
            bar.finish()
            throw error
        }
        bar.finish()
        let files = try writeReports(outcome.report, to: outcome.folder)
        if flags.json { try printJSON(RunSummary(outcome.report, files)) } else { printSummary(outcome.report, files) }
        if let reason = outcome.negotiationError { throw CommandFailure(code: 3, reason) }
        let isGood = outcome.report.verdict.conformant ?? (outcome.report.summary.needingAttention == 0)
        if !isGood { throw CommandFailure.negative }
    }

    private func choice<Value>(_ text: String, _ value: Value?, of known: [String], _ flag: String) throws -> Value {
        guard let value else { throw CommandFailure(code: 2, "\(flag) '\(text)' is none of \(known.joined(separator: ", "))") }
        return value
    }
}

private struct RunSummary: Encodable {
    let verdict: Verdict
    let summary: Summary
    let seed: UInt64
    let seconds: Double
    let run: String
    let report: String

    init(_ report: Report, _ files: RunFiles) {
        verdict = report.verdict
        summary = report.summary
        seed = report.run.seed
        seconds = report.run.seconds
        run = files.folder.path
        self.report = files.html.path
    }
}

/// Counts, levels, what failed, and where the report lies.
private func printSummary(_ report: Report, _ files: RunFiles) {
    let style = TerminalStyle.standardOutput
    print(style.bold("\(report.plugin.name) \(report.plugin.version ?? "") · suite \(report.suite.version) · seed \(report.run.seed)"))
    for level in report.levels where level.summary.total > 0 || report.isOutOfScope(level) {
        let counts = Status.allCases.filter { level.summary[$0] > 0 }.map { "\(level.summary[$0]) \($0.rawValue)" }.joined(separator: ", ")
        let outcome = style.outcome(level.outcome)
        let cases = level.summary.total > 0 ? "  \(counts) of \(level.summary.total)" : ""
        print("  \(level.level.rawValue.padding(toLength: 11, withPad: " ", startingAt: 0))\(outcome)\(cases)")
    }
    let bad = report.cases.filter { $0.status.needsAttention }
    for result in bad.prefix(10) {
        let message = (result.message ?? "").split(separator: "\n").first.map(String.init) ?? ""
        print("  \(style.bad(result.status.rawValue)) \(result.id): \(printable(String(message.prefix(200))))")
    }
    if bad.count > 10 { print("  … and \(bad.count - 10) more: see the report") }
    let level = report.verdict.level?.rawValue ?? "none"
    switch report.verdict.conformant {
    case true?: print(style.good("conformant") + " at level \(level) of profile \(report.verdict.profile)")
    case false?: print(style.bad("not conformant") + " at level \(report.verdict.requestedLevel.rawValue); highest level reached: \(level)")
    case nil: print(report.openClaim)
    }
    print("\(tenths(report.run.seconds)) s; report: \(files.html.path)")
}

/// Control characters of a plugin's text would move a terminal's cursor.
func printable(_ text: String) -> String {
    String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{fffd}" : Character($0) })
}
