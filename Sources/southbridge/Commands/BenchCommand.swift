// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Benchmark
import Conformance
import Foundation
import HardwareModel
import Reports
import Southbound

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Benchmark a plugin beside the reference plugin.",
        discussion: """
            Times operators and networks on device 0 of the plugin and, turn and turn about, on the reference plugin. Results are checked on the way: a wrong one,
            and a time that the device's own description does not allow, give no figure. docs/benchmark.md describes the method and bench.json.

            EXAMPLES
              southbridge bench ./libchip.so
              southbridge bench cpu --suite operators --filter MatMul
              southbridge bench npu --option npu.profile=edge --output bench/npu-edge
              southbridge bench npu --suite models --filter squeezenet --mixed bfloat16
            """)

    @Argument(help: "The plugin, or PLUGIN:INDEX.")
    var plugin: String

    @Option(help: ArgumentHelp("Run one suite alone: launch, operators, models.", valueName: "name"))
    var suite: String?

    @Option(help: ArgumentHelp("Run what matches a shell pattern: an id or an operator.", valueName: "glob"))
    var filter: String?

    @Option(help: ArgumentHelp("Write bench.json and roofline.svg.", valueName: "dir"), completion: .directory)
    var output: String?

    @Option(help: ArgumentHelp("Seed of the data (default: 1).", valueName: "n"))
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("For one operator; a network gets four times as much (default: 1).", valueName: "seconds"))
    var time: Double = 1

    @OptionGroup var precision: PrecisionOptions
    @OptionGroup var flags: PluginFlags

    func validate() throws {
        guard time > 0, time.isFinite else { throw ValidationError("--time must be more than 0") }
    }

    func run() throws {
        let chosen = try suite.map { name in
            guard let suite = BenchRun.Suite(rawValue: name) else {
                throw CommandFailure(
                    code: 2, "--suite '\(name)' is none of \(BenchRun.Suite.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return suite
        }
        let mixed = try precision.type()
        if mixed != nil, chosen != .models { throw CommandFailure(code: 2, "--mixed is for networks: give --suite models, too") }
        let installation = try Installation.locate()
        let named = try flags.named
        let under = try DeviceReference.parse(plugin, installation: installation)
        let loaded = try Plugin.load(under.plugin, namedOptions: named, measuring: true)
        let isReference = installation.builtInPlugin(named: "cpu") == under.plugin.path
        let reference = isReference ? nil : try Plugin.load(.parse("cpu", installation: installation), namedOptions: named, measuring: true)
        try named.check(names: [loaded.name] + (reference.map { [$0.name] } ?? []))
        catchInterrupts()
        let run = BenchRun(
            try loaded.openDevice(under.index), reference: try reference?.openDevice(0), suite: chosen, filter: filter, seed: seed,
            seconds: time,
            networks: installation.networks, mixed: mixed)
        let report = try run.run { done, total, line in standardError("\(done)/\(total) \(printable(line))") }
        let files = try output.map { try write(report, to: URL(filePath: $0)) } ?? []
        if flags.json {
            print(String(decoding: try ReportJSON.encodeIndented(report), as: UTF8.self), terminator: "")
        } else {
            print(report.table)
        }
        for file in files { standardError(file) }
        if report.isInterrupted { throw CommandFailure(code: 130, "interrupted; what was measured is kept") }
        if report.hasWrongResults { throw CommandFailure.negative }
    }

    private func write(_ report: BenchReport, to folder: URL) throws -> [String] {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var files = [("bench.json", try ReportJSON.encodeIndented(report))]
        if let picture = report.rooflineChart.svg { files.append(("roofline.svg", Data(picture.utf8))) }
        return try files.map { name, data in
            let file = folder.appending(path: name)
            try data.write(to: file, options: .atomic)
            return file.relativePath
        }
    }
}
