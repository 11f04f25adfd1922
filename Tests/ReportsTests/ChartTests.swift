// SPDX-License-Identifier: Apache-2.0
import Foundation
import HardwareModel
import Reports
import TestSupport
import Testing

struct ChartTests {
    private func cloud(named name: String) throws -> DeviceModel {
        var model = try DeviceModel(yamlFile: repository.appending(path: "Conformance/profiles/npu/cloud.yaml"))
        model.name = name
        model.spaces[1].name = name
        return model
    }

    /// All text of an SVG in order; throws where it is not well-formed XML.
    private func texts(_ svg: String) throws -> [String] {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "picture.svg")
            try Data(svg.utf8).write(to: file)
            let script = """
                import json, sys, xml.etree.ElementTree as tree
                print(json.dumps([''.join(e.itertext()) for e in tree.parse(sys.argv[1]).iter('{http://www.w3.org/2000/svg}text')]))
                """
            let result = try runCommand("python3", ["-c", script, file.path])
            return try JSONDecoder().decode([String].self, from: Data(result.output.utf8))
        }
    }

    /// Whatever a plugin calls itself, the picture stays XML and shows the name.
    @Test(arguments: ["Chip", "<script>alert(1)</script>", "a & \"b\" 'c'", "bell\u{7}", "]]>", "芯片 🚀"])
    func namesAreEscaped(name: String) throws {
        let model = try cloud(named: name)
        let shown = name.replacingOccurrences(of: "\u{7}", with: "\u{fffd}")
        let point = RooflineChart.Point(name: name, dataType: "float16", intensity: 3, operationsPerSecond: 1e12, share: 0.5)
        let roofline = try #require(RooflineChart(title: name, model.roofline, points: [point]).svg)
        #expect(try texts(roofline).contains(shown))
        #expect(try texts(roofline).contains("1  \(shown), 50 %"))
        #expect(try texts(MemoryChart(model).svg).contains(shown))
    }

    /// Roofs of types with the same peak are one; the figures are those of the model.
    @Test func theRoofsAreNamed() throws {
        let model = try cloud(named: "Chip")
        let texts = try texts(try #require(RooflineChart(title: "Chip", model.roofline).svg))
        #expect(texts.contains("float16, bfloat16  295 TFLOP/s") && texts.contains("int8, uint8  590 TOP/s") && texts.contains("1.2 TB/s"))
        let memory = try self.texts(MemoryChart(model).svg)
        #expect(memory.contains("24 × 512 KiB") && memory.contains("tile 16 × 16 × 32") && memory.contains("50 GB/s"))
    }

    @Test func nothingKnownIsNoPicture() throws {
        #expect(RooflineChart(title: "x", Roofline(bytesPerSecond: 0, peaks: [])).svg == nil)
        #expect(RooflineChart(title: "x", Roofline(bytesPerSecond: 1e9, peaks: [])).svg == nil)
        #expect(try texts(MemoryChart(DeviceModel(id: "x", name: "x", family: .other)).svg).contains("size unknown"))
    }
}
