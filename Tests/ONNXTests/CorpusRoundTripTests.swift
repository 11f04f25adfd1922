// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import ONNX
import TestSupport
import Testing

/// Every model of the ONNX corpus that can be read is written and read again, and ONNX's own checker takes what was written.
@Suite struct CorpusRoundTripTests {
    /// Runs ONNX's checker over the models of a folder: prints each refused one, then how many there were.
    private static let checker = """
        import os, sys, onnx
        names = sorted(os.listdir(sys.argv[1]))
        for name in names:
            try:
                onnx.checker.check_model(os.path.join(sys.argv[1], name), full_check=False)
            except Exception as error:
                print(name, str(error).strip().replace("\\n", " ")[:300])
        print(len(names))
        """

    @Test(arguments: ["node", "pytorch-converted", "pytorch-operator", "simple"]) func keepsEveryModel(group: String) throws {
        let environment = ProcessInfo.processInfo.environment["SOUTHBRIDGE_CORPUS"].map { URL(fileURLWithPath: $0) }
        let folder = (environment ?? repository.appending(path: "build/corpus")).appending(path: group)
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
        try #require(!names.isEmpty, "\(folder.path) holds no corpus: run `make data` first")
        try withTemporaryFolder { written in
            var count = 0
            for name in names {
                let path = folder.appending(path: name).appending(path: "model.onnx").path
                let model: Model
                do throws(ONNXError) {
                    model = try readModel(path: path, allowingUnknownOperators: true)
                } catch {
                    // Sequences, optionals, maps and sparse tensors have no place in the IR.
                    #expect(error.isNotCovered, "\(name): \(error)")
                    continue
                }
                let data = try modelData(model.graph, opsets: model.opsets)
                let again = try readModel(data: data, allowingUnknownOperators: true)
                #expect(difference(model.graph, again.graph) == nil, "\(name)")
                #expect(model.opsets == again.opsets, "\(name)")
                try data.write(to: written.appending(path: "\(name).onnx"))
                count += 1
            }
            let python = repository.appending(path: "build/venv/bin/python").path
            let result = try runCommand(python, ["-c", Self.checker, written.path])
            #expect(result.output == "\(count)\n", "\(result.output)\(result.error)")
            #expect(count * 10 >= names.count * 9, "only \(count) of \(names.count) models of \(group) can be read")
        }
    }
}
