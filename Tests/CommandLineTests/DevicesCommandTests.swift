// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

struct DevicesCommandTests {
    private let profile = repository.appending(path: "Conformance/profiles/npu/edge.yaml")

    @Test func aFileIsPrintedWithoutAnyPlugin() throws {
        let result = try southbridge("devices", profile.path)
        #expect(result.status == 0 && result.output.contains("peak 26.2 TFLOP/s, ridge at 256 operations a byte"))
        let json = try southbridge("devices", profile.path, "--json")
        let list = try #require(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]])
        let derived = try #require(list[0]["derived"] as? [String: Any])
        let peaks = try #require(derived["peaks"] as? [[String: Any]])
        #expect(peaks[0]["ridgeOperationsPerByte"] as? Double == 256)
        #expect(list.count == 1 && list[0]["plugin"] == nil)
    }

    /// What `--yaml` prints reads as the same device; what `--svg` names is there.
    @Test func comesBackAsYAML() throws {
        try withTemporaryFolder { folder in
            let written = folder.appending(path: "edge.yaml")
            try Data(southbridge("devices", profile.path, "--yaml").output.utf8).write(to: written)
            #expect(
                try southbridge("devices", "edge.yaml", in: folder).output.dropFirst(9)
                    == southbridge("devices", profile.path).output.dropFirst(profile.path.count))
            let drawn = try southbridge("devices", written.path, "--svg", "pictures", in: folder)
            #expect(drawn.status == 0 && drawn.error == "pictures/edge-roofline.svg\npictures/edge-memory.svg\n")
            #expect(try String(contentsOf: folder.appending(path: "pictures/edge-memory.svg"), encoding: .utf8).hasPrefix("<svg"))
        }
    }

    @Test func aWrongFileIsRefusedWithSentences() throws {
        try withTemporaryFolder { folder in
            let text = try String(contentsOf: profile, encoding: .utf8)
            let file = folder.appending(path: "chip.yaml")
            try Data(text.replacingOccurrences(of: "409.6 GB/s", with: "40.96 GB/s").utf8).write(to: file)
            let slow = try southbridge("devices", file.path)
            #expect(
                slow.status == 2 && slow.output.isEmpty
                    && slow.error.contains("memory 'device' moves 102.4 GB/s, but 'l2' before it only 40.96 GB/s"))
            try Data(text.replacingOccurrences(of: "capacityBytes: 8 GiB", with: "capacity: 8 GiB").utf8).write(to: file)
            let unknown = try southbridge("devices", file.path)
            #expect(
                unknown.status == 2
                    && unknown.error.contains(
                        "line 10, column 5: spaces[0]: unknown key 'capacity'; the nearest known one is 'capacityBytes'")
            )
            #expect(try southbridge("devices", "none.yaml", in: folder).status == 2)
        }
    }

    /// The host is measured for `devices`, unless the user says no.
    @Test func theHostIsMeasured() throws {
        let measured = try southbridge("devices", "cpu")
        #expect(measured.status == 0 && measured.output.contains("GB/s"))
        #expect(try !southbridge("devices", "cpu", "--option", "cpu.measure=false").output.contains("GB/s"))
    }
}
