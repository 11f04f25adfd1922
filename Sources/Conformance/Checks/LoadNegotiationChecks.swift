// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation
import Southbound

extension Check {
    /// The check that fails if the plugin cannot be negotiated at all.
    static let negotiationID = "load/negotiation/loads"
}

let loadNegotiationChecks: [Check] = [
    Check(Check.negotiationID, .load, ["SB-ABI-001", "SB-NEG-001", "SB-NEG-002"]) { context in
        _ = try context.loadPlugin()
    },
    Check("load/negotiation/a-hundred-times", .load, ["SB-NEG-003", "SB-NEG-009"]) { context in
        for _ in 0..<100 { try context.loadPlugin().stop() }
    },
    Check("load/negotiation/entry-twice-equal", .load, ["SB-NEG-002", "SB-NEG-003"]) { context in
        let first = try RawTable(context)
        let seen = try summary(of: first)
        let second = try RawTable(context)
        let again = try summary(of: second)
        try expect(
            again == seen, .declaration,
            "the second call of the entry point gives another table: \(again) after \(seen)")
        try expect(try summary(of: first) == seen, .declaration, "the table of the first call changed with the second")
    },
    Check("load/negotiation/later-minor-host", .load, ["SB-ABI-002", "SB-ABI-003", "SB-NEG-004"]) { context in
        let raw = try RawTable(context, host: PlayedHost(version: PlayedHost.version + 1, tail: 64))
        raw.table.stop?(try raw.started(context))
    },
    Check("load/negotiation/much-later-minor-host", .load, ["SB-ABI-002", "SB-ABI-003", "SB-NEG-004"]) { context in
        let raw = try RawTable(context, host: PlayedHost(version: SB_VERSION_MAJOR << 16 | 0xffff, tail: 2048))
        raw.table.stop?(try raw.started(context))
    },
    Check("load/negotiation/shortest-host", .load, ["SB-ABI-003", "SB-ABI-011"]) { context in
        // Ends at the end of its page.
        let raw = try RawTable(context, host: PlayedHost())
        raw.table.stop?(try raw.started(context))
    },
    Check("load/negotiation/other-major-host", .load, ["SB-ABI-001", "SB-NEG-004"]) { context in
        let entry = try EntryPoint(context.reference)
        for major in [SB_VERSION_MAJOR + 1, 0x7fff] {
            let host = PlayedHost(version: major << 16)
            var plugin: UnsafePointer<sb_plugin>?
            let answer = try ask("the entry point") { entry(host.pointer, &plugin, $0) }
            // It may leave the refusal to the host; its table has to tell its own version then.
            if answer.status == SB_OK {
                try expect(
                    plugin.map { $0.pointee.version >> 16 == SB_VERSION_MAJOR } ?? false, .declaration,
                    "a host of major version \(major) was given a table without the plugin's own major version")
            } else {
                try answer.refused("a host of major version \(major)", with: SB_ERROR_UNSUPPORTED)
            }
        }
        _ = try RawTable(context)
    },
    Check("load/negotiation/no-detail-wanted", .load, ["SB-ERR-003"]) { context in
        let entry = try EntryPoint(context.reference)
        var plugin: UnsafePointer<sb_plugin>?
        _ = entry(PlayedHost(version: (SB_VERSION_MAJOR + 1) << 16).pointer, &plugin, nil)
        plugin = nil
        let status = entry(PlayedHost().pointer, &plugin, nil)
        try expect(
            status == SB_OK && plugin != nil, .errorCode,
            "with a NULL error the entry point fails with \(statusName(status))")
    },
    Check("load/negotiation/own-version", .load, ["SB-ABI-001"]) { context in
        let version = try RawTable(context).table.version
        try expect(
            version >> 16 == SB_VERSION_MAJOR, .declaration,
            "the plugin's table is of version \(version >> 16).\(version & 0xffff), this host of major version \(SB_VERSION_MAJOR)"
        )
    },
    Check("load/negotiation/required-members", .load, ["SB-ABI-003", "SB-ABI-004", "SB-ABI-005"]) { context in
        let raw = try RawTable(context)
        try requireMembers(UnsafeRawPointer(raw.pointer), Structure.named("sb_plugin"), "the plugin's table")
        for group in raw.groups {
            guard
                let structure = Structure.all.first(where: {
                    $0.group == text(group.name) && $0.groupVersion == group.version
                })
            else { continue }
            guard let table = group.table else {
                throw CheckFailure.failed(.declaration, "the table of a group is NULL")
            }
            try requireMembers(table, structure, "the group '\(text(group.name) ?? "?")'")
        }
    },
    Check("load/negotiation/reserved-members-are-zero", .load, ["SB-ABI-007"]) { context in
        let raw = try RawTable(context)
        guard raw.table.version <= PlayedHost.version else {
            throw CheckFailure.unsupported("the plugin is built with a later minor version")
        }
        try expect(raw.table.reserved == 0, .declaration, "'reserved' of sb_plugin is \(raw.table.reserved), not 0")
        for group in raw.groups {
            try expect(
                group.reserved == 0, .declaration,
                "'reserved' of the group '\(text(group.name) ?? "?")' is \(group.reserved), not 0")
        }
        let plugin = try context.loadPlugin()
        try expect(plugin.streams?.reserved ?? 0 == 0, .declaration, "'reserved' of sb_streams is not 0")
        // SB_KERNEL_FLAG_LAYOUTS came with 0.3.
        let known: UInt32 = raw.table.version & 0xffff < 3 ? 31 : 63
        for kernel in plugin.library?.kernels ?? [] {
            try expect(
                kernel.flags.rawValue & ~known == 0, .declaration,
                "kernel '\(kernel.name)' has flags that its version does not know: \(kernel.flags.rawValue)")
        }
    },
    Check("load/negotiation/groups-once", .load, ["SB-NEG-006"]) { context in
        var seen: Set<String> = []
        for group in try RawTable(context).groups {
            guard let name = text(group.name), !name.isEmpty else {
                throw CheckFailure.failed(.declaration, "a group has no name in UTF-8")
            }
            try expect(group.version > 0, .declaration, "the group '\(name)' is of version 0")
            try expect(
                seen.insert("\(name) \(group.version)").inserted, .declaration,
                "the group '\(name)' of version \(group.version) stands in the list twice")
        }
    },
    Check("load/negotiation/has-a-role", .load, ["SB-NEG-007"]) { context in
        let names = try RawTable(context).groups.map { "\(text($0.name) ?? "?") \($0.version)" }
        try expect(
            names.contains("driver 1") || names.contains("operators 1"), .declaration,
            "of the groups 'driver' and 'operators', version 1, the plugin has neither; it has \(names.joined(separator: ", "))"
        )
    },
    Check("load/negotiation/events-need-streams", .load, ["SB-NEG-006", "SB-NEG-007"]) { context in
        let plugin = try context.loadPlugin()
        guard plugin.streams != nil || plugin.events != nil else {
            throw CheckFailure.unsupported("the plugin has neither streams nor events")
        }
        try expect(
            plugin.driver != nil, .declaration,
            "the plugin has streams or events, but no driver whose devices they could belong to")
        try expect(
            plugin.events == nil || plugin.streams != nil, .declaration,
            "the plugin has events, but no streams to record them on")
    },
]

/// Everything that a table says, as text, to compare two of them.
private func summary(of raw: RawTable) throws(CheckFailure) -> String {
    let table = RawTable(raw.pointer, raw.host).table
    let groups = UnsafeBufferPointer(start: table.groups, count: table.group_count).map { group in
        "\(text(group.name) ?? "?") \(group.version) \(group.table.map { "\($0)" } ?? "NULL")"
    }
    return """
        \(table.size) \(table.version) \(text(table.name) ?? "?") \(text(table.vendor) ?? "?") \(text(table.plugin_version) ?? "?") \
        [\(groups.joined(separator: "; "))] \(table.option_count) \(table.start.map { "\(unsafeBitCast($0, to: UInt.self))" } ?? "NULL") \
        \(table.stop.map { "\(unsafeBitCast($0, to: UInt.self))" } ?? "NULL")
        """
}

/// Throws unless a struct of the plugin reaches all members that the member table requires, and none of them is NULL or empty.
private func requireMembers(_ pointer: UnsafeRawPointer, _ structure: Structure, _ subject: String) throws(CheckFailure) {
    let size = pointer.load(as: Int.self)
    for member in structure.members {
        var required = member.isRequired
        if let other = member.neededWith.flatMap({ name in structure.members.first { $0.name == name } }),
            other.end <= size
        {
            required = required || pointer.load(fromByteOffset: other.offset, as: UInt.self) != 0
        }
        guard required else { continue }
        try expect(
            size >= member.end, .declaration,
            "\(subject) has \(size) bytes and does not reach the required member '\(member.name)'")
        switch member.kind {
        case .pointer, .function:
            try expect(
                pointer.load(fromByteOffset: member.offset, as: UInt.self) != 0, .declaration,
                "\(subject): the required member '\(member.name)' is NULL")
        case .string:
            try expect(
                pointer.load(fromByteOffset: member.offset, as: sb_string.self).length != 0, .declaration,
                "\(subject): the required text '\(member.name)' is empty")
        case .size, .number, .structure: break
        }
    }
}
