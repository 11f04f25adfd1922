// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

let loadIdentityChecks: [Check] = [
    Check("load/identity/name-is-an-identifier", .load, ["SB-NEG-005"]) { context in
        let name = text(try RawTable(context).table.name)
        try expect(
            name.map(isIdentifier) ?? false, .declaration,
            "the plugin's name '\(name ?? "(not UTF-8)")' is not of letters, digits, '-' and '_'")
    },
    Check("load/identity/texts-are-utf-8", .load, ["SB-ABI-006"]) { context in
        let table = try RawTable(context).table
        for (subject, string) in [
            ("name", table.name), ("vendor", table.vendor), ("plugin_version", table.plugin_version),
        ] {
            guard let said = text(string) else {
                throw CheckFailure.failed(.declaration, "'\(subject)' of sb_plugin is not UTF-8, or NULL with a length")
            }
            try expect(
                !said.unicodeScalars.contains { $0.value < 32 || $0.value == 127 }, .declaration,
                "'\(subject)' of sb_plugin has control characters in it; the length may count a terminating zero")
        }
    },
    Check("load/identity/texts-stay", .load, ["SB-NEG-002", "SB-OWN-002"]) { context in
        let raw = try RawTable(context)
        let before = [raw.table.name, raw.table.vendor, raw.table.plugin_version].map(text)
        for _ in 0..<3 { try context.loadPlugin().stop() }
        try expect(
            [raw.table.name, raw.table.vendor, raw.table.plugin_version].map(text) == before, .memory,
            "the table's texts changed while the plugin was started and stopped")
    },
    Check("load/identity/kernels-have-names", .load, ["SB-OPS-001", "SB-ABI-006"]) { context in
        let library = try kernels(context)
        var seen: Set<String> = []
        for kernel in library {
            try expect(
                !kernel.name.isEmpty && !kernel.operatorName.isEmpty, .declaration,
                "a kernel has no name or no operator")
            try expect(seen.insert(kernel.name).inserted, .declaration, "two kernels have the name '\(kernel.name)'")
            try expect(
                !(kernel.name + kernel.operatorName + kernel.domain).unicodeScalars.contains {
                    $0.value < 32 || $0.value == 127
                }, .declaration,
                "kernel '\(kernel.name)' has control characters in its names; a length may count a terminating zero")
        }
    },
    Check("load/identity/kernels-take-data-types", .load, ["SB-OPS-002", "SB-ABI-012"]) { context in
        for kernel in try kernels(context) {
            try expect(
                kernel.since <= kernel.until, .declaration,
                "kernel '\(kernel.name)' starts with version \(kernel.since) and ends with \(kernel.until)")
            try expect(
                kernel.pointer.pointee.data_types != 0, .declaration,
                "kernel '\(kernel.name)' takes no data type, so it can never run")
            try expect(
                kernel.pointer.pointee.data_types & 1 == 0, .declaration,
                "kernel '\(kernel.name)' offers data type 0, which there is not")
        }
    },
    Check("load/identity/kernels-stay", .load, ["SB-NEG-002", "SB-OPS-001"]) { context in
        let first = try kernels(context).map { "\($0.name) \($0.operatorName) \($0.since) \($0.flags.rawValue)" }
        let second = try kernels(context).map { "\($0.name) \($0.operatorName) \($0.since) \($0.flags.rawValue)" }
        try expect(first == second, .declaration, "the plugin lists other kernels when it is loaded again")
    },
    Check("load/identity/release-with-prepare", .load, ["SB-OPS-011"]) { context in
        let plugin = try context.loadPlugin()
        guard let table = plugin.library?.table else {
            throw CheckFailure.unsupported("the plugin has no group 'operators'")
        }
        try expect(
            table.prepare == nil || table.release != nil, .declaration, "the plugin has 'prepare', but no 'release'")
    },
]

private func kernels(_ context: CheckContext) throws -> [Kernel] {
    guard let library = try context.loadPlugin().library else {
        throw CheckFailure.unsupported("the plugin has no group 'operators'")
    }
    return library.kernels
}
