// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// The references against ONNX's own expected results: every exported case, through reader, inference and evaluation.
@Suite struct CorpusReferenceTests {
    @Test(arguments: ["node", "simple", "pytorch-converted", "pytorch-operator"])
    func agreesWithTheCorpus(group: String) throws {
        for entry in try CorpusCase.all(in: CorpusCase.corpus.appending(path: group)) {
            let failure = entry.failure()
            if let reason = Self.exceptions[entry.name] {
                #expect(failure != nil, "\(entry.name) passes, so it is no exception any more (\(reason))")
            } else {
                #expect(failure == nil, "\(entry.name): \(failure ?? "")")
            }
        }
    }

    private static let exceptions: [String: String] = [:]
}
