// SPDX-License-Identifier: Apache-2.0
import Foundation
import Southbound

/// Failures of a built-in plugin that are known: `Conformance/ExpectedFailures/NAME.json`. Each has a reason, an owner, a link and a day on
/// which it expires and counts as a failure again.
struct ExpectedFailures: Sendable {
    private struct Entry: Codable, Sendable {
        let `case`: String
        let reason: String
        let owner: String
        let link: String
        /// The last day, `2027-01-31`.
        let expires: String
    }

    private let entries: [String: Entry]

    static let none = ExpectedFailures(entries: [:])

    private init(entries: [String: Entry]) { self.entries = entries }

    /// Those of `plugin`; none where it is not one of the installation's own.
    init(of plugin: PluginReference, installation: Installation, today: Date = Date()) throws(ConformanceError) {
        let path = plugin.path
        guard let name = installation.builtInPlugins.first(where: { installation.builtInPlugin(named: $0) == path }) else {
            self = .none
            return
        }
        let file = installation.suites.appending(path: "ExpectedFailures/\(name).json")
        guard let data = try? Data(contentsOf: file) else {
            self = .none
            return
        }
        do {
            let day = today.formatted(.iso8601.year().month().day())
            let list = try JSONDecoder().decode([Entry].self, from: data).filter { $0.expires >= day }
            entries = Dictionary(list.map { ($0.case, $0) }, uniquingKeysWith: { first, _ in first })
        } catch {
            throw .internal("\(file.path) is no list of expected failures: \(error)")
        }
    }

    /// Turns a listed failure into an expected one, and a listed failure that passes into an unexpected pass.
    func apply(to result: inout CaseResult) {
        guard let entry = entries[result.id] else { return }
        switch result.status {
        case .failed, .crashed, .timedOut:
            result.status = .expectedFailure
            result.message = "\(entry.reason) (\(entry.owner), \(entry.link), until \(entry.expires)): \(result.message ?? "")"
        case .passed:
            result.status = .unexpectedPass
            result.message = "listed as failing (\(entry.reason)), but passes: take it off the list"
        default: break
        }
    }
}
