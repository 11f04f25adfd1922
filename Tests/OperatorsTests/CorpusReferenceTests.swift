// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// The references against ONNX's own expected results: every exported case, through reader, inference and evaluation.
@Suite struct CorpusReferenceTests {
    @Test(arguments: ["node", "simple", "pytorch-converted", "pytorch-operator"])
    func agreesWithTheCorpus(group: String) throws {
        for entry in try CorpusCase.all(in: CorpusCase.corpus.appending(path: group)) {
            let failure = entry.failure()
            if let reason = CorpusExceptions.reasons[entry.name] {
                #expect(failure != nil, "\(entry.name) passes, so it is no exception any more (\(reason))")
            } else {
                #expect(failure == nil, "\(entry.name): \(failure ?? "")")
            }
        }
    }

    @Test func namesOnlyCasesThatExist() throws {
        var names: Set<String> = []
        for group in ["node", "simple"] {
            names.formUnion(try CorpusCase.all(in: CorpusCase.corpus.appending(path: group)).map(\.name))
        }
        #expect(Set(CorpusExceptions.reasons.keys).subtracting(names).isEmpty)
    }

    @Test(arguments: ["squeezenet", "shufflenet", "resnet50"]) func agreesWithNetworks(name: String) throws {
        let network = try #require(
            try CorpusCase.all(in: CorpusCase.networks).first { $0.name == name },
            "no network '\(name)': run `make data` first")
        #expect(network.failure() == nil)
    }

    @Test func saysHowToMakeAMissingCorpus() {
        #expect(throws: CorpusError.self) { try CorpusCase.all(in: CorpusCase.corpus.appending(path: "no such group")) }
    }
}
