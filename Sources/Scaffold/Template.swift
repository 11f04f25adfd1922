// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The text of a template for one choice. A line with `@if WORD` or `@if no WORD` begins lines that are kept for that language or mode alone (`kernel`, `graph`),
/// one with `@end` ends them; both lines go. `@NAME@` and the like are replaced.
func rendered(_ template: String, _ choice: Choice) -> String {
    var words: Set = [choice.language.rawValue]
    if choice.mode.hasKernels { words.insert("kernel") }
    if choice.mode.hasGraphs { words.insert("graph") }
    var kept: [Substring] = []
    var keeps = true
    for line in template.split(separator: "\n", omittingEmptySubsequences: false) {
        if let match = line.firstMatch(of: /@if (no )?([a-z]+)/) {
            keeps = words.contains(String(match.2)) != (match.1 != nil)
        } else if line.contains("@end") {
            keeps = true
        } else if keeps {
            kept.append(line)
        }
    }
    return replacements(choice).reduce(kept.joined(separator: "\n")) { $0.replacingOccurrences(of: $1.mark, with: $1.text) }
}

private func replacements(_ choice: Choice) -> [(mark: String, text: String)] {
    let work =
        switch choice.mode {
        case .kernel: "Relu"
        case .graph: "chains of Relu, Neg and Abs"
        case .both: "Relu, and chains of Relu, Neg and Abs,"
        }
    return [
        ("@WORK@", work), ("SB_FAMILY_PLACEHOLDER", "SB_FAMILY_\(choice.family.rawValue.uppercased())"),
        ("@FAMILY@", choice.family.rawValue),
        ("@BUILD@", choice.language.build), ("@TEST@", choice.language.test), ("@LIBRARY@", "./\(choice.libraryFile)"),
        ("@SOURCE@", choice.language.source), ("@LEVEL@", choice.mode.hasGraphs ? "graphs" : "operators"),
        ("@VENDOR@", choice.language == .swift ? escapedForSwift(choice.vendor) : escapedForC(choice.vendor)),
        ("@MODULE@", choice.module), ("@NAME@", choice.name),
    ]
}

extension Choice {
    /// A Swift module's name has no '-'.
    var module: String { name.replacingOccurrences(of: "-", with: "_") }

    /// By the file's place in the new folder: the template's, relative to `Templates`.
    var files: [(file: String, template: String)] {
        let common = [
            ("README.md", "common/README.md"), (".gitignore", "common/gitignore"),
            (".github/workflows/conformance.yml", "common/github.yml"),
            (".gitlab-ci.yml", "common/gitlab-ci.yml"), ("Jenkinsfile", "common/Jenkinsfile"),
        ]
        switch language {
        case .c:
            return common + [
                ("\(name).c", "c/plugin.c"), ("Makefile", "common/Makefile"), ("CMakeLists.txt", "common/CMakeLists.txt"),
                ("test.c", "common/test.c"),
            ]
        case .cpp:
            return common + [
                ("\(name).cpp", "cpp/plugin.cpp"), ("southbridge.hpp", "cpp/southbridge.hpp"), ("Makefile", "common/Makefile"),
                ("CMakeLists.txt", "common/CMakeLists.txt"), ("test.c", "common/test.c"),
            ]
        case .swift:
            return common + [
                ("Package.swift", "swift/Package.swift"), ("Sources/\(module)/Plugin.swift", "swift/plugin.swift"),
                ("Sources/CSouthbridge/southbridge.c", "swift/southbridge.c"),
                ("Tests/\(module)Tests/PluginTests.swift", "swift/tests.swift"),
            ]
        }
    }

    /// The library, once it is built.
    var libraryFile: String { language == .swift ? ".build/release/lib\(name).so" : "lib\(name).so" }

    /// Where the copy of the header goes.
    var headerFile: String { language == .swift ? "Sources/CSouthbridge/include/southbridge.h" : "southbridge.h" }
}

extension Language {
    /// Commands and places in the new folder.
    var build: String { self == .swift ? "swift build -c release" : "make" }
    var test: String { self == .swift ? "swift test" : "make test" }
    var source: String {
        switch self {
        case .c: "@NAME@.c"
        case .cpp: "@NAME@.cpp"
        case .swift: "Sources/@MODULE@/Plugin.swift"
        }
    }
}
