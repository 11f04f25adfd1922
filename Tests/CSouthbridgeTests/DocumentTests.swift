// SPDX-License-Identifier: Apache-2.0
import Foundation
import Southbound
import TestSupport
import Testing

/// The tables of `docs/header.md` are the member table. SOUTHBRIDGE_REWRITE_LAYOUTS=1 writes them anew.
@Suite struct DocumentTests {
    private static let start = "<!-- tables: written by Tests/CSouthbridgeTests from southbridge_members.c -->\n"
    private static let end = "<!-- end of tables -->"

    /// What a vendor writes: the plugin's table, the groups' tables and the structs that they lead to.
    private var structures: [Structure] { Structure.all.filter { $0.writer == .plugin } }

    private func tables() -> String {
        var text = "| role | struct | required |\n|---|---|---|\n"
        for structure in structures {
            let required = structure.members.filter { $0.isRequired && $0.kind != .size }.map { "`\($0.name)`" }
            if required.isEmpty { continue }
            text += "| \(role(of: structure)) | `\(structure.name)` | \(required.joined(separator: ", ")) |\n"
        }
        text +=
            "\n## Defaults\n\nWhat NULL, 0 or empty means. Members of a description that are not listed are \"unknown\" or \"no flag\".\n\n"
        text += "| struct | member | if it is absent |\n|---|---|---|\n"
        for structure in structures {
            for member in structure.members where !member.isRequired && !isPlain(member) {
                let condition = member.neededWith.map { " (required with `\($0)`)" } ?? ""
                text += "| `\(structure.name)` | `\(member.name)`\(condition) | \(member.absent) |\n"
            }
        }
        return text
    }

    private func role(of structure: Structure) -> String {
        switch structure.group {
        case "driver"?: "driver"
        case "operators"?: "operator library"
        case "graphs"?: "graph compiler"
        case let group?: "group `\(group)`, if offered"
        case nil: structure.name == "sb_plugin" || structure.name == "sb_group" ? "every plugin" : "each that is listed"
        }
    }

    private func isPlain(_ member: Structure.Member) -> Bool {
        ["unknown", "no flag", "has no name", "written as 0, not read"].contains(member.absent)
            || member.absent.hasSuffix("are unknown")
    }

    @Test func tablesAreTheMemberTable() throws {
        let file = repository.appending(path: "docs/header.md")
        var text = try String(contentsOf: file, encoding: .utf8)
        let first = try #require(text.range(of: Self.start)), last = try #require(text.range(of: Self.end))
        if ProcessInfo.processInfo.environment["SOUTHBRIDGE_REWRITE_LAYOUTS"] == "1" {
            text.replaceSubrange(first.upperBound..<last.lowerBound, with: tables())
            try Data(text.utf8).write(to: file)
        }
        let written = try #require(text.range(of: Self.end)).lowerBound
        #expect(text[first.upperBound..<written] == tables())
    }

    @Test func figuresAreTrue() throws {
        let text = try String(contentsOf: repository.appending(path: "docs/header.md"), encoding: .utf8)
        let example = try String(
            contentsOf: repository.appending(path: "VendorExamples/minimal/minimal.c"), encoding: .utf8)
        #expect(text.contains("\(example.split(separator: "\n", omittingEmptySubsequences: false).count - 1) lines"))
        let required = Structure.all.filter { $0.group == "driver" || $0.group == "operators" }.flatMap(\.members).count {
            $0.isRequired && $0.kind == .function
        }
        #expect(required + 1 == 8 && text.contains("has eight functions"))
    }
}
