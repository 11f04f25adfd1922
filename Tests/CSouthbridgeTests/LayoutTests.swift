// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation
import Southbound
import TestSupport
import Testing

/// Sizes and offsets are recorded for each released version; a test fails when one moves. For a new version, or a version that is not released
/// yet, SOUTHBRIDGE_REWRITE_LAYOUTS=1 writes the record anew.
@Suite struct LayoutTests {
    struct Layout: Codable, Equatable {
        var version: String
        var structs: [Record]

        struct Record: Codable, Equatable {
            var name: String
            var size: Int
            var frozen: Bool
            var members: [Member]
        }
        struct Member: Codable, Equatable {
            var name: String
            var offset: Int
            var size: Int
        }

        static let current = Layout(
            version: "\(SB_VERSION_MAJOR).\(SB_VERSION_MINOR)",
            structs: Structure.all.map { structure in
                Record(
                    name: structure.name, size: structure.size, frozen: structure.isFrozen,
                    members: structure.members.map { Member(name: $0.name, offset: $0.offset, size: $0.size) })
            })
    }

    private static let folder = repository.appending(path: "Conformance/Layouts")

    @Test func nothingHasMoved() throws {
        let file = Self.folder.appending(path: "southbridge-\(Layout.current.version).json")
        if ProcessInfo.processInfo.environment["SOUTHBRIDGE_REWRITE_LAYOUTS"] == "1" {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try (encoder.encode(Layout.current) + Data("\n".utf8)).write(to: file)
        }
        let recorded = try JSONDecoder().decode(Layout.self, from: try Data(contentsOf: file))
        #expect(recorded.version == Layout.current.version)
        for (old, new) in zip(recorded.structs, Layout.current.structs) {
            #expect(old == new, "\(old.name) has changed")
        }
        #expect(recorded.structs.map(\.name) == Layout.current.structs.map(\.name))
    }

    /// Each older version's members lie where they lay; frozen structs have not grown.
    @Test func olderVersionsAreKept() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).filter {
            $0.hasSuffix(".json")
        }
        #expect(files.contains("southbridge-0.1.json"))
        for file in files {
            let old = try JSONDecoder().decode(
                Layout.self, from: try Data(contentsOf: Self.folder.appending(path: file)))
            for record in old.structs {
                let now = try #require(
                    Layout.current.structs.first { $0.name == record.name }, "\(record.name) of \(file) is gone")
                #expect(Array(now.members.prefix(record.members.count)) == record.members, "\(record.name) of \(file)")
                #expect(now.size >= record.size && (!record.frozen || now == record), "\(record.name) of \(file)")
            }
        }
    }

    /// The record holds for both compilers and both languages, not only for the one that built the table.
    @Test(arguments: Compiler.all) func everyCompilerAgrees(_ compiler: Compiler) throws {
        try compiler.requireInstalled()
        let word = compiler.isCPlusPlus ? "static_assert" : "_Static_assert"
        var source = "#include \"southbridge.h\"\n"
        for record in Layout.current.structs {
            source += "\(word)(sizeof(\(record.name)) == \(record.size), \"\(record.name)\");\n"
            for member in record.members {
                source +=
                    "\(word)(offsetof(\(record.name), \(member.name)) == \(member.offset), \"\(record.name).\(member.name)\");\n"
                source +=
                    "\(word)(sizeof(((\(record.name) *)0)->\(member.name)) == \(member.size), \"\(record.name).\(member.name)\");\n"
            }
        }
        try compiler.compile(source)
    }
}
