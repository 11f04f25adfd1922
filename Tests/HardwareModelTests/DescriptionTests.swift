// SPDX-License-Identifier: Apache-2.0
import Foundation
import HardwareModel
import TestSupport
import Testing

/// Reading descriptions that people write.
struct DescriptionTests {
    private static let sound = """
        id: x-1
        name: X
        family: npu
        spaces:
          - name: device
            kind: device
            isAllocatable: true
            capacityBytes: 1 GiB
        units:
          - name: matrix
            kind: matrix
            tile: {m: 4, n: 4, k: 8}
            rates:
              - {dataType: float16, accumulatorType: float32, operationsPerCycle: 128}
        links:
          - kind: host
            bandwidthBytesPerSecond: 1 GB/s
        layouts:
          - {name: fractal, value: 1, blockRows: 4, blockColumns: 4}
        """

    /// A change of the sound description, and what is said about it; nothing is said about what is sound.
    struct Example: Sendable, CustomTestStringConvertible {
        let old, new: String
        let error: String?
        var testDescription: String { new }
        var text: String { DescriptionTests.sound.replacingOccurrences(of: old, with: new) }

        init(_ old: String, _ new: String, _ error: String?) {
            self.old = old
            self.new = new
            self.error = error
        }
    }

    static let examples = [
        Example("name: X", "name: X", nil),
        Example("capacityBytes: 1 GiB", "capacityBytes: 1000", nil),
        Example("capacityBytes: 1 GiB", "capacityBytes: '1.5 kB'", nil),
        Example("kind: host", "kind: peer\n    peer: 1", nil),
        Example("name: X", "name: '910'", nil),
        Example("operationsPerCycle: 128", "operationsPerCycle: 0.5", nil),
        Example(
            "1 GB/s", "1 GB",
            "line 17, column 30: links[0].bandwidthBytesPerSecond: expected bytes per second, such as '1.2 TB/s', not '1 GB'"),
        Example(
            "capacityBytes", "capacity", "line 8, column 5: spaces[0]: unknown key 'capacity'; the nearest known one is 'capacityBytes'"),
        Example("family", "famly", "line 3, column 1: unknown key 'famly'; the nearest known one is 'family'"),
        Example("id: x-1\n", "", "line 1, column 1: the key 'id' is missing; expected text (in quotes where it looks like a number)"),
        Example("name: X", "name:", "line 2, column 6: name: expected text (in quotes where it looks like a number), not nothing"),
        Example("name: X", "name: 910", "line 2, column 7: name: expected text (in quotes where it looks like a number), not '910'"),
        Example("family: npu", "family: tpu", "line 3, column 9: family: expected one of cpu, gpgpu, npu, other, not 'tpu'"),
        Example(
            "isAllocatable: true", "isAllocatable: maybe", "line 7, column 20: spaces[0].isAllocatable: expected true or false, not 'maybe'"
        ),
        Example("m: 4,", "m: -4,", "line 12, column 15: units[0].tile.m: expected a whole number from 0 to 4294967295, not '-4'"),
        Example("m: 4,", "m: 4.5,", "line 12, column 15: units[0].tile.m: expected a whole number from 0 to 4294967295, not '4.5'"),
        Example("m: 4,", "m: '4',", "line 12, column 15: units[0].tile.m: expected a whole number from 0 to 4294967295, not '4'"),
        Example(
            "m: 4,", "m: 4294967296,", "line 12, column 15: units[0].tile.m: expected a whole number from 0 to 4294967295, not '4294967296'"
        ),
        Example("value: 1", "value: 0", "line 19, column 28: layouts[0].value: expected a whole number from 1 to 4294967295, not '0'"),
        Example(
            "operationsPerCycle: 128", "operationsPerCycle: 0",
            "line 14, column 75: units[0].rates[0].operationsPerCycle: expected a number greater than 0, not '0'"),
        Example(
            "kind: host", "kind: peer",
            "line 16, column 5: links[0]: the key 'peer' is missing; expected a whole number from 0 to 4294967295"),
        Example("tile: {m: 4, n: 4, k: 8}", "tile: [4, 4, 8]", "line 12, column 11: units[0].tile: expected keys and values, not a list"),
        Example(
            "links:\n  - kind: host\n    bandwidth", "links:\n    kind: host\n    bandwidth",
            "line 16, column 5: links: expected a list of at most 256 entries, each beginning with '- ', not a mapping"),
        Example(
            "capacityBytes: 1 GiB", "capacityBytes: -1",
            "line 8, column 20: spaces[0].capacityBytes: expected bytes, such as 65536 or '64 KiB', not '-1'"),
        Example(
            "capacityBytes: 1 GiB", "capacityBytes: [1]",
            "line 8, column 20: spaces[0].capacityBytes: expected bytes, such as 65536 or '64 KiB', not a list"),
        Example("dataType: float16", "dataType: half", "line 14, column 20: units[0].rates[0].dataType: expected one of float32, "),
    ]

    @Test(arguments: examples) func saysWhereAndWhat(example: Example) {
        do {
            _ = try DeviceModel(yaml: example.text)
            #expect(example.error == nil)
        } catch {
            #expect(example.error.map(error.description.hasPrefix) ?? false, "\(error)")
        }
    }

    @Test(arguments: [
        ("", "the file is empty"), ("a: [", "not valid YAML"), ("- a", "the file: expected keys and values, not a list"),
        ("id: a\nid: b", "stands twice in one mapping"), ("id: a\n---\nid: b", "not valid YAML"), ("\tid: a", "not valid YAML"),
        ("&a [*a]", "not valid YAML"), (String(repeating: "[", count: 100_000), "not valid YAML"),
        (String(repeating: " ", count: 1 << 21), "at most 1 MiB"), ("? [a]\n: b", "unknown key ''"), ("id: \u{0}", "not valid YAML"),
    ])
    func refusesWhatIsNoDescription(text: String, message: String) throws {
        let error = try #require(throws: DescriptionError.self) { try DeviceModel(yaml: text) }
        #expect(error.description.contains(message), "\(error)")
    }

    /// The published schema and the reader decide alike, on sound and on bad descriptions, and on the shipped profiles.
    @Test func agreesWithTheSchema() throws {
        try withTemporaryFolder { folder in
            var wanted: [String: Bool] = [:]
            func add(_ name: String, _ text: String) throws {
                wanted[name] = (try? DeviceModel(yaml: text)) != nil
                try Data(text.utf8).write(to: folder.appending(path: name))
            }
            for (index, example) in Self.examples.enumerated() { try add("\(index).yaml", example.text) }
            for name in ProfileTests.names {
                let file = repository.appending(path: "Conformance/profiles/npu/\(name).yaml")
                try add("\(name).yaml", String(contentsOf: file, encoding: .utf8))
                try add("\(name)-written.yaml", DeviceModel(yamlFile: file).yaml)
                try add("\(name)-json.yaml", String(decoding: JSONEncoder().encode(DeviceModel(yamlFile: file)), as: UTF8.self))
                #expect(["", "-written", "-json"].allSatisfy { wanted["\(name)\($0).yaml"] == true })
            }
            let schema = repository.appending(path: "Conformance/schemas/hardware-model.schema.json").path
            let result = try runCommand(
                repository.appending(path: "build/venv/bin/python").path, ["-c", Self.validator, schema, folder.path])
            let verdicts = try JSONDecoder().decode([String: Bool].self, from: Data(result.output.utf8))
            #expect(verdicts.count == wanted.count, "\(result.error)")
            for (name, verdict) in verdicts { #expect(verdict == wanted[name], "\(name): the schema says \(verdict)") }
        }
    }

    private static let validator = """
        import json, pathlib, sys
        import jsonschema, yaml
        schema = json.load(open(sys.argv[1]))
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        print(json.dumps({file.name: validator.is_valid(yaml.safe_load(file.read_text())) for file in pathlib.Path(sys.argv[2]).iterdir()}))
        """
}
