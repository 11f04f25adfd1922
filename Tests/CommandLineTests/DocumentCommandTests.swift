// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The commands of the guides, run as a reader would: each page's blocks of `sh`, in order, in one fresh folder.
@Suite struct DocumentCommandTests {
    @Test(arguments: ["kernel-or-graph-mode.md", "read-your-report.md"]) func commandsWork(page: String) throws {
        let text = try String(contentsOf: repository.appending(path: "docs/\(page)"), encoding: .utf8)
        let blocks = text.matches(of: /(?m)^```sh\n((?:.*\n)*?)```$/).map { String($0.1) }
        try #require(!blocks.isEmpty)
        try withTemporaryFolder { folder in
            let path = products.path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
            let result = try runCommand(
                "bash", ["-e", "-u", "-o", "pipefail", "-x", "-c", blocks.joined()], in: folder,
                environment: ["PATH": path, "NETWORKS": repository.appending(path: "build/networks").path])
            #expect(result.status == 0, "\(result.output)\n\(result.error)")
        }
    }
}
