// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The commands of the guides, run as a reader would: each page's blocks of `sh`, in order, in one fresh folder. A block `c FILE` is what the reader adds to that
/// file.
@Suite struct DocumentCommandTests {
    struct Page: Sendable, CustomTestStringConvertible {
        let name: String
        /// What the reader sees, in this order.
        let shown: [String]
        init(_ name: String, _ shown: [String] = []) { (self.name, self.shown) = (name, shown) }
        var testDescription: String { name }
    }

    private static let pages = [
        Page("kernel-or-graph-mode.md"), Page("read-your-report.md"),
        Page("describe-your-chip.md", ["npu:0 counted in the last run", "matrix_utilization"]),
        Page("plan.md", ["1  Conv float32", "lacks 5 kernels, the fewest that do", "35 unsupported of 35"]),
        Page(
            "port-in-an-afternoon.md",
            ["lacks 5 kernels, the fewest that do", "35 passed of 35", "nothing is lacking", "acme:0 65, host 1", "1 passed of 1"]),
    ]

    @Test(arguments: pages) func commandsWork(page: Page) throws {
        let text = try String(contentsOf: repository.appending(path: "docs/\(page.name)"), encoding: .utf8)
        let blocks = text.matches(of: /(?m)^```(sh|c (\S+))\n((?:.*\n)*?)```$/).map { match in
            match.2.map { file in "cat >> \(file) <<'END-OF-BLOCK'\n\(match.3)END-OF-BLOCK\n" } ?? String(match.3)
        }
        try #require(!blocks.isEmpty)
        try withTemporaryFolder { folder in
            // A page that names files of the source tree is read there.
            for name in ["Conformance", "build"] {
                try FileManager.default.createSymbolicLink(
                    at: folder.appending(path: name), withDestinationURL: repository.appending(path: name))
            }
            let path = products.path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
            let result = try runCommand(
                "bash", ["-e", "-u", "-o", "pipefail", "-c", blocks.joined()], in: folder,
                environment: ["PATH": path, "NETWORKS": repository.appending(path: "build/networks").path])
            #expect(result.status == 0, "\(result.output)\n\(result.error)")
            var rest = Substring(result.output)
            for words in page.shown {
                let range = try #require(rest.range(of: words), "'\(words)' is not shown: \(result.output)")
                rest = rest[range.upperBound...]
            }
        }
    }

    /// What is to be typed is the same in every language.
    @Test(arguments: ["README", "docs/port-in-an-afternoon"]) func translationsShowTheSameCommands(page: String) throws {
        func blocks(_ suffix: String) throws -> [String] {
            try String(contentsOf: repository.appending(path: page + suffix), encoding: .utf8)
                .matches(of: /(?m)^```[^`]*^```$|(?:^    .*\n)+/).map { String($0.output) }
        }
        let original = try blocks(".md")
        #expect(original.count > 5)
        #expect(try blocks(".zh-CN.md") == original)
    }
}
