// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

let loadOptionChecks: [Check] = [
    Check("load/options/unknown-refused", .load, ["SB-NEG-008"]) { context in
        let name = "no-such-option"
        do throws(PluginError) {
            _ = try Plugin.load(context.reference, options: [name: "1"])
        } catch {
            return try expect(
                error.isUsageFailure && error.message.contains(name), .errorCode,
                "the option '\(name)' is refused, but the message does not name it: \(error.message)")
        }
        throw CheckFailure.failed(.errorCode, "the option '\(name)', which is not in the schema, was accepted")
    },
    Check("load/options/schema", .load, ["SB-NEG-008", "SB-ABI-006"]) { context in
        for option in try schema(context) {
            try expect(isIdentifier(option.name), .declaration, "the option's name '\(option.name)' is no identifier")
            try expect(!option.help.isEmpty, .declaration, "the option '\(option.name)' has no help")
        }
    },
    Check("load/options/defaults-accepted", .load, ["SB-NEG-008"]) { context in
        let raw = try RawTable(context)
        for option in try schema(context) where !option.defaultValue.isEmpty {
            var instance: OpaquePointer?
            try raw.start([(option.name, option.defaultValue)], &instance)
                .succeeded("start with the default of option '\(option.name)', '\(option.defaultValue)',")
            raw.table.stop?(instance)
        }
    },
    Check("load/options/bad-value-refused", .load, ["SB-NEG-008", "SB-ERR-002", "SB-ERR-005"]) { context in
        let raw = try RawTable(context)
        let bad: [OptionSchema.Kind: String] = [.integer: "many", .number: "much", .boolean: "perhaps"]
        var count = 0
        for option in try schema(context) {
            guard let value = bad[option.kind] else { continue }
            var instance: OpaquePointer?
            let answer = try raw.start([(option.name, value)], &instance)
            if answer.status == SB_OK { raw.table.stop?(instance) }
            try answer.refused("option '\(option.name)' with the value '\(value)'", with: SB_ERROR_INVALID_ARGUMENT)
            try expect(
                answer.message.contains(option.name), .errorCode,
                "the refusal of '\(value)' for the option '\(option.name)' does not name the option: \(answer.message)")
            try expect(
                instance == untouchedHandle || instance == nil, .errorCode, "a refused start gave an instance")
            count += 1
        }
        if count == 0 { throw CheckFailure.unsupported("no option of the plugin has a type that a text could miss") }
    },
    Check("load/options/works-after-refusal", .load, ["SB-NEG-008", "SB-ERR-005"]) { context in
        let options = try schema(context)
        let raw = try RawTable(context)
        if let option = options.first(where: { $0.kind == .integer || $0.kind == .boolean }) {
            for _ in 0..<10 {
                var instance: OpaquePointer?
                if try raw.start([(option.name, "?")], &instance).status == SB_OK { raw.table.stop?(instance) }
            }
        }
        raw.table.stop?(try raw.started(context))
    },
]

private func schema(_ context: CheckContext) throws -> [OptionSchema] {
    let schema = try context.loadPlugin().optionSchema
    if schema.isEmpty { throw CheckFailure.unsupported("the plugin takes no options") }
    return schema
}
