// SPDX-License-Identifier: Apache-2.0
import Foundation
import Southbound
import Synchronization
import TestSupport
import Testing

@Suite struct NegotiationTests {
    private func complete() throws -> PluginReference { PluginReference(path: try completePlugin()) }

    @Test func identity() throws {
        let plugin = try Plugin.load(complete())
        #expect(
            plugin.name == "complete" && plugin.identity.vendor == "Southbridge" && plugin.identity.version == "1.0")
        #expect(plugin.identity.abi == "0.4" && plugin.deviceCount == 2)
        #expect(plugin.optionSchema.map(\.name) == ["queue-depth"] && plugin.optionSchema[0].kind == .integer)
        // Its group of another version is ignored.
        #expect(plugin.streams != nil && plugin.events != nil && plugin.library == nil)
    }

    /// Nothing behind the end of an older plugin's struct is read.
    @Test func olderHeader() throws {
        let plugin = try Plugin.load(PluginReference(path: try completePlugin(flags: "-DBUILT_FOR_0_1=1")))
        let today = try Plugin.load(complete())
        #expect(plugin.identity.abi == "0.1")
        for index in 0..<2 { #expect(try plugin.model(ofDevice: index) == today.model(ofDevice: index)) }
    }

    @Test func givenName() throws {
        let plugin = try Plugin.load(PluginReference(givenName: "second", path: complete().path))
        #expect(plugin.name == "second" && plugin.identity.name == "complete")
    }

    @Test(arguments: [
        ("queue-depth", "deep", "queue-depth"), ("depth", "1", "depth"), ("queue-depth", "", "queue-depth"),
    ])
    func optionRefused(_ name: String, _ value: String, _ word: String) throws {
        let error = try #require(throws: PluginError.self) { _ = try Plugin.load(complete(), options: [name: value]) }
        #expect(error.code == .badOption && error.isUsageFailure && error.message.contains(word))
    }

    @Test func optionTaken() throws {
        #expect(try Plugin.load(complete(), options: ["queue-depth": "3"]).deviceCount == 2)
    }

    @Test func namedOptions() throws {
        let named = try NamedOptions(["complete.queue-depth=3", "cpu.threads=a=b"])
        #expect(named["complete"] == ["queue-depth": "3"] && named["cpu"] == ["threads": "a=b"] && named["npu"].isEmpty)
        #expect(throws: PluginError.self) { try named.check(names: ["complete"]) }
        for wrong in ["threads=1", "cpu.threads", ".x=1"] {
            #expect(throws: PluginError.self, "\(wrong)") { _ = try NamedOptions([wrong]) }
        }
        #expect(throws: PluginError.self) { _ = try NamedOptions(["a.b=1", "a.b=2"]) }
    }

    @Test func log() throws {
        let lines = Mutex<[String]>([])
        let plugin = try Plugin.load(complete()) { level, message in
            lines.withLock { $0.append("\(level): \(message)") }
        }
        #expect(lines.withLock { $0 } == ["debug: started"])
        plugin.stop()
    }

    @Test func severalInstances() throws {
        let plugins = try (0..<4).map { _ in try Plugin.load(complete()) }
        #expect(Set(plugins.map(\.instance)).count == 4)
    }

    /// The table that the loader requires members by is compared with the header's own words elsewhere; here with the compiler's layout.
    @Test func memberTable() {
        for structure in Structure.all {
            #expect(
                structure.members.last.map { structure.size - $0.end < 8 } ?? false,
                "\(structure.name) has members that the table lacks")
            for (left, right) in zip(structure.members, structure.members.dropFirst()) {
                #expect(left.end <= right.offset)
            }
            #expect(structure.isFrozen || structure.members[0].kind == .size)
        }
    }
}
