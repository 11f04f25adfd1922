// SPDX-License-Identifier: Apache-2.0
import Foundation
import Southbound

/// The version of the suite; `docs/versioning.md` says what a change of it means.
package let suiteVersion = "0.4.0"

/// Over this program and the manifests of the corpus and the golden results: two runs with the same digest judged by the same rules.
func suiteDigest(_ executable: String, _ installation: Installation) -> String {
    let files = [
        URL(fileURLWithPath: executable), installation.corpus.appending(path: "manifest.json"),
        installation.networks.appending(path: "manifest.json"), installation.golden.appending(path: "operators/manifest.json"),
    ]
    let digests = files.map { file in
        (try? Data(contentsOf: file, options: .mappedIfSafe)).map { sha256($0) } ?? "none"
    }
    return sha256(Data(digests.joined(separator: "\n").utf8))
}

extension Report.Host {
    static func current() -> Report.Host {
        Report.Host(
            cpu: field("model name", in: "/proc/cpuinfo", separator: ":") ?? "unknown",
            cores: ProcessInfo.processInfo.activeProcessorCount,
            os: field("PRETTY_NAME", in: "/etc/os-release", separator: "=") ?? "unknown")
    }

    private static func field(_ name: String, in path: String, separator: Character) -> String? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.split(separator: separator, maxSplits: 1).last.map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " \t\"")) }
    }
}

extension Report.Specification {
    /// The identifiers of the installation's header, and those that no case of the suite cites. Nil without a header.
    static func of(_ installation: Installation) -> Report.Specification? {
        guard let header = try? String(contentsOf: installation.header, encoding: .utf8) else { return nil }
        let identifiers = Set(header.matches(of: /\[(SB-[A-Z]+-[0-9]{3})\]/).map { String($0.output.1) })
        let cited = Case.citedSpecification
        return Report.Specification(identifiers: identifiers.count, withoutCase: identifiers.subtracting(cited).sorted())
    }
}
