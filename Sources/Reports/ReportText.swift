// SPDX-License-Identifier: Apache-2.0
package import Conformance
import Foundation

/// Words that more than one form needs.
extension Report {
    /// `cpu 0.1.0 by Southbridge`.
    var title: String {
        var title = plugin.name
        if let version = plugin.version, !version.isEmpty { title += " \(version)" }
        if let vendor = plugin.vendor, !vendor.isEmpty { title += " by \(vendor)" }
        return title
    }

    /// The claim in one sentence.
    var claim: String {
        let reached = verdict.level.map { "highest level reached: \($0.rawValue)" } ?? "no level reached"
        return switch verdict.conformant {
        case true?: "Conformant at level \(verdict.level?.rawValue ?? "none") of profile \(verdict.profile)."
        case false?: "Not conformant at level \(verdict.requestedLevel.rawValue) of profile \(verdict.profile); \(reached)."
        case nil: openClaim
        }
    }

    /// Why nothing is claimed.
    package var openClaim: String {
        let excused = summary[.expectedFailure]
        return run.expectedFailures != nil && excused > 0
            ? "\(excused) failure\(excused == 1 ? " is" : "s are") excused by the list that the run was given: nothing is claimed."
            : "Cases were left out of this run: nothing is claimed."
    }

    /// A level that was asked for and has no case, because the plugin has no such role; not because cases were left out.
    package func isOutOfScope(_ level: LevelResult) -> Bool {
        verdict.conformant != nil && level.outcome == .notApplicable && level.summary.total == 0 && level.level.isOnLadder
            && level.level <= verdict.requestedLevel
    }

    /// Facts about plugin, machine and run, in the order in which they are shown.
    var facts: [(name: String, value: String)] {
        var facts: [(String, String)] = [
            ("Plugin", title), ("Library", plugin.path), ("Digest", plugin.digest ?? "none"), ("Header", plugin.abi ?? "not negotiated"),
            ("Reached", plugin.reached.rawValue),
        ]
        facts += plugin.stack.sorted { $0.key < $1.key }.map { ($0.key, Self.text($0.value)) }
        facts += plugin.declaredFacts.sorted { $0.key < $1.key }.map { ("Declares \($0.key)", Self.text($0.value)) }
        facts += devices.map { device in ("Device \(device.id)", Self.text(device.model["name"] ?? .string("unnamed"))) }
        facts += [
            ("Suite", "\(suite.version), \(suite.digest)"), ("Seed", "\(run.seed)"), ("Started", run.started),
            ("Seconds", seconds(run.seconds)),
            ("Command", run.command), ("Host", "\(host.cpu), \(host.cores) cores, \(host.os)"),
        ]
        if let file = run.expectedFailures { facts.append(("Expected failures", "\(file.path), \(file.digest)")) }
        if let shard = run.shard { facts.append(("Shard", shard)) }
        return facts
    }

    private static func text(_ value: JSONValue) -> String {
        if case .string(let text) = value { return text }
        return (try? ReportJSON.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// The statuses that a run has, with their counts: `5 passed, 2 failed`.
    static func counts(_ summary: Summary) -> String {
        let counts = Status.allCases.filter { summary[$0] > 0 }.map { "\(summary[$0]) \($0.rawValue)" }
        return counts.isEmpty ? "no case" : counts.joined(separator: ", ")
    }

    /// Cases that a person has to look at, first.
    var needingAttention: [CaseResult] { cases.filter { $0.status.needsAttention } }

    /// Counts by operator, for the cases that are about one.
    var byOperator: [(name: String, summary: Summary)] {
        Dictionary(grouping: cases.filter { $0.operator != nil }) { $0.operator! }.map { ($0.key, Summary($0.value)) }.sorted {
            $0.0 < $1.0
        }
    }
}

/// Milliseconds are as fine as anybody reads.
func seconds(_ value: Double) -> String { String(format: "%.3f", value) }
