// SPDX-License-Identifier: Apache-2.0
import Compiler
import Foundation
import HardwareModel
import Southbound

/// Failures that are known: of a built-in plugin `Conformance/ExpectedFailures/NAME.json`, of any other a file that the user names. Each has a reason, an owner,
/// a link and a day on which it expires and counts as a failure again.
struct ExpectedFailures: Sendable {
    private struct Entry: Codable, Sendable {
        let `case`: String
        let reason: String
        let owner: String
        let link: String
        /// The last day, `2027-01-31`.
        let expires: String
        /// A shell pattern on the name, id or driver of the device; nil: on all.
        var device: String?
        /// False: whether the case shows the failure depends on the data that the seed draws, so that it may pass. Nil: true.
        var always: Bool?
    }

    private var entries: [String: [Entry]]

    static let none = ExpectedFailures([])

    private init(_ list: [Entry]) { entries = Dictionary(grouping: list, by: \.case) }

    /// Those that a user lists in a file, else those of `plugin`; none where it is not one of the installation's own.
    init(
        _ given: ExpectedFailuresFile?, of plugin: PluginReference, installation: Installation, today: Date = Date()
    ) throws(ConformanceError) {
        if let given {
            let data = try given.read()
            do { self.init(try Self.list(data, today)) } catch { throw .usage("\(given.path) is no list of expected failures: \(error)") }
            return
        }
        let path = plugin.path
        let file = installation.builtInPlugins.first { installation.builtInPlugin(named: $0) == path }
            .map { installation.suites.appending(path: "ExpectedFailures/\($0).json") }
        guard let file, let data = try? Data(contentsOf: file) else {
            self = .none
            return
        }
        do { self.init(try Self.list(data, today)) } catch { throw .internal("\(file.path) is no list of expected failures: \(error)") }
    }

    private struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    /// What has not expired.
    private static func list(_ data: Data, _ today: Date) throws -> [Entry] {
        let list: [Entry]
        do {
            list = try JSONDecoder().decode([Entry].self, from: data)
        } catch DecodingError.keyNotFound(let key, let context) {
            throw Malformed(description: "entry \(context.codingPath.first?.intValue ?? 0) has no '\(key.stringValue)'")
        } catch DecodingError.typeMismatch(_, let context) where !context.codingPath.isEmpty {
            let key = context.codingPath.last.map { $0.intValue == nil ? "'\($0.stringValue)' of " : "" } ?? ""
            throw Malformed(description: "\(key)entry \(context.codingPath[0].intValue ?? 0) is of the wrong type")
        } catch {
            throw Malformed(description: "it has to be a JSON array of objects with case, reason, owner, link and expires")
        }
        for (index, entry) in list.enumerated() {
            guard entry.expires.wholeMatch(of: /[0-9]{4}-[0-9]{2}-[0-9]{2}/) != nil else {
                throw Malformed(description: "'expires' of entry \(index) is '\(entry.expires)', not a day such as 2027-01-31")
            }
            if entry.reason.isEmpty || entry.owner.isEmpty || entry.link.isEmpty {
                throw Malformed(description: "entry \(index) has an empty reason, owner or link")
            }
        }
        let day = today.formatted(.iso8601.year().month().day())
        return list.filter { $0.expires >= day }
    }

    /// Keeps what holds for a device; nil: the worker tells of none.
    mutating func restrict(to device: DeviceModel?) {
        entries = entries.compactMapValues { list in
            let kept = list.filter { entry in
                entry.device.map { pattern in
                    device.map { [$0.name, $0.id, $0.driver].contains { Compiler.matches($0, pattern) } } ?? false
                } ?? true
            }
            return kept.isEmpty ? nil : kept
        }
    }

    /// Turns a listed failure into an expected one, and a listed failure that passes into an unexpected pass.
    func apply(to result: inout CaseResult) {
        guard let entry = entries[result.id]?.first else { return }
        switch result.status {
        case .failed, .crashed, .timedOut:
            result.status = .expectedFailure
            result.message = "\(entry.reason) (\(entry.owner), \(entry.link), until \(entry.expires)): \(result.message ?? "")"
        case .passed where entry.always ?? true:
            result.status = .unexpectedPass
            result.message = "listed as failing (\(entry.reason)), but passes: take it off the list"
        default: break
        }
    }
}

/// A list of expected failures that a run was given, as it was when the run began.
package struct ExpectedFailuresFile: Codable, Equatable, Sendable {
    /// Absolute.
    package let path: String
    package let digest: String

    package init(path: String) throws(ConformanceError) {
        self.path = URL(filePath: path).standardizedFileURL.path
        do {
            digest = sha256(try Data(contentsOf: URL(filePath: self.path)))
        } catch {
            throw .usage("the expected failures in \(self.path) cannot be read: \(error.localizedDescription)")
        }
    }

    fileprivate func read() throws(ConformanceError) -> Data {
        let now = try ExpectedFailuresFile(path: path)
        guard now == self else { throw .usage("\(path) has changed since the run began; start a new run") }
        do { return try Data(contentsOf: URL(filePath: path)) } catch {
            throw .usage("the expected failures in \(path) cannot be read: \(error.localizedDescription)")
        }
    }
}
