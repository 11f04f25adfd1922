// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Southbound

/// A folder in the standard ONNX backend-test layout: `model.onnx` and `test_data_set_N/{input,output}_K.pb`.
package struct ModelCase: Sendable {
    package struct DataSet: Sendable {
        /// By position.
        package let inputs: [URL]
        package let outputs: [URL]
    }

    package let folder: URL
    package let dataSets: [DataSet]
    package let tolerance: CorpusTolerance
    /// Whole networks may have parts computed before the run; a case about an operator must see it run.
    package let folding: Bool

    package var model: URL { folder.appending(path: "model.onnx") }

    package init(folder: URL, folding: Bool) throws(ConformanceError) {
        self.folder = folder
        self.folding = folding
        tolerance = try CorpusTolerance(caseFile: folder.appending(path: "case.json"))
        var sets: [DataSet] = []
        while true {
            let set = folder.appending(path: "test_data_set_\(sets.count)")
            guard Self.exists(set) else { break }
            sets.append(DataSet(inputs: Self.numbered("input", in: set), outputs: Self.numbered("output", in: set)))
        }
        dataSets = sets
    }

    /// From the files that a run keeps of a failure.
    init(reproducer folder: URL) throws(ConformanceError) {
        self.folder = folder
        folding = false
        tolerance = try CorpusTolerance(caseFile: folder.appending(path: "case.json"))
        dataSets = [DataSet(inputs: Self.numbered("input", in: folder), outputs: Self.numbered("expected", in: folder))]
    }

    private static func numbered(_ word: String, in folder: URL) -> [URL] {
        var files: [URL] = []
        while true {
            let file = folder.appending(path: "\(word)_\(files.count).pb")
            guard exists(file) else { return files }
            files.append(file)
        }
    }

    private static func exists(_ url: URL) -> Bool { access(url.path, F_OK) == 0 }
}

extension Case {
    /// What every model case tests of `southbridge.h`.
    package static let modelSpecification = ["SB-OPS-005"]
    package static let generatedSuite = "operators"
    /// What every generated case tests of it.
    package static let generatedSpecification = ["SB-OPS-005", "SB-NUM-001", "SB-NUM-002", "SB-NUM-003", "SB-NUM-004"]

    /// All cases below a corpus folder: `[GROUP/]CASE/model.onnx`.
    /// - Parameters:
    ///   - suite: first part of the ids.
    ///   - folding: see `ModelCase`.
    static func corpus(_ folder: URL, suite: String, level: Level, folding: Bool) throws(ConformanceError) -> [Case] {
        guard let groups = try? FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() else {
            throw .usage("the corpus folder \(folder.path) cannot be read")
        }
        var cases: [Case] = []
        for group in groups where !group.hasPrefix(".") {
            let path = folder.appending(path: group)
            if access(path.appending(path: "model.onnx").path, R_OK) == 0 {
                cases.append(try model(path, id: "\(suite)/corpus/\(group)", level: level, folding: folding))
                continue
            }
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path.path).sorted()) ?? []
            for name in names where access(path.appending(path: name).appending(path: "model.onnx").path, R_OK) == 0 {
                cases.append(try model(path.appending(path: name), id: "\(suite)/\(group)/\(name)", level: level, folding: folding))
            }
        }
        guard !cases.isEmpty else {
            throw .usage("the corpus folder \(folder.path) holds no case ([GROUP/]CASE/model.onnx)")
        }
        return cases
    }

    /// The networks of the suite, by name.
    package static func networks(_ installation: Installation) throws(ConformanceError) -> [ModelCase] {
        try corpus(try CaseList.present(installation.networks), suite: "networks", level: .models, folding: true).compactMap { testCase in
            if case .model(let model) = testCase.body { model } else { nil }
        }
    }

    private static func model(_ folder: URL, id: String, level: Level, folding: Bool) throws(ConformanceError) -> Case {
        Case(id: id, level: level, body: .model(try ModelCase(folder: folder, folding: folding)), specification: modelSpecification)
    }
}

extension Case {
    /// All sentences of the specification that some case of the suite tests.
    package static var citedSpecification: Set<String> {
        Set(
            checks().flatMap(\.specification) + modelSpecification + generatedSpecification + GraphCase.specification
                + PassCase.specification)
    }
}
