// SPDX-License-Identifier: Apache-2.0
import CConformance
import Foundation
import Southbound

let loadProcessChecks: [Check] = [
    Check("load/process/floating-point-mode", .load, ["SB-ABI-009"]) { context in
        let (before, after) = try statesAroundUse(context)
        try expect(
            before.floatingPoint == after.floatingPoint, .declaration,
            "the floating-point mode (rounding, flushing of denormal numbers, traps) was 0x\(String(before.floatingPoint, radix: 16)) and is 0x\(String(after.floatingPoint, radix: 16)); "
                + "a library linked with -ffast-math does this when it is loaded")
        let tiny = Double(bitPattern: (context.seed | 1) & 0xffff)
        try expect((tiny * 2).bitPattern == tiny.bitPattern * 2, .declaration, "denormal numbers are flushed to zero")
    },
    Check("load/process/locale", .load, ["SB-ABI-009"]) { context in
        let (before, after) = try statesAroundUse(context)
        try expect(
            before.locale == after.locale, .declaration, "the locale was '\(before.locale)' and is '\(after.locale)'")
    },
    Check("load/process/signal-handlers", .load, ["SB-ABI-009"]) { context in
        let (before, after) = try statesAroundUse(context)
        for (index, pair) in zip(before.handlers, after.handlers).enumerated() {
            try expect(
                pair.0 == pair.1, .declaration,
                "signal \(index + 1) (\(String(cString: strsignal(Int32(index + 1))))) has another handler now")
        }
        try expect(before.blockedSignals == after.blockedSignals, .declaration, "other signals are blocked now")
    },
    Check("load/process/working-directory", .load, ["SB-ABI-009"]) { context in
        let (before, after) = try statesAroundUse(context)
        try expect(
            before.folder == after.folder, .declaration,
            "the working directory was \(before.folder) and is \(after.folder)")
    },
    Check("load/process/standard-streams", .load, ["SB-ABI-009"]) { context in
        let (before, after) = try statesAroundUse(context)
        for (index, name) in ["input", "output", "error"].enumerated() {
            try expect(
                before.streams[index] == after.streams[index], .declaration,
                "standard \(name) \(after.streams[index].isEmpty ? "was closed" : "leads to another file now")")
        }
    },
    Check("load/process/descriptors", .load, ["SB-NEG-009", "SB-DEV-004"]) { context in
        for _ in 0..<5 { try useAndStop(context) }
        let before = ProcessUse.descriptorCount()
        for _ in 0..<20 { try useAndStop(context) }
        let after = ProcessUse.descriptorCount()
        try expect(after - before < 10, .leak, "20 times loaded, used and stopped left \(after - before) files open")
    },
    Check("load/process/threads", .load, ["SB-NEG-009", "SB-DEV-004"]) { context in
        for _ in 0..<3 { try useAndStop(context) }
        let before = ProcessUse.threadCount()
        for _ in 0..<20 { try useAndStop(context) }
        // Threads that were told to end may take a moment.
        var after = ProcessUse.threadCount()
        for _ in 0..<100 where after - before >= 10 {
            usleep(5000)
            after = ProcessUse.threadCount()
        }
        try expect(
            after - before < 10, .leak, "20 times loaded, used and stopped left \(after - before) threads running")
    },
    Check("load/process/memory", .load, ["SB-NEG-009", "SB-DEV-004"]) { context in
        try expectNoGrowth("load, use and stop", repeating: 50, warmUp: 20, heap: 1 << 20) { _ in
            try useAndStop(context)
        }
    },
]

private func useAndStop(_ context: CheckContext) throws {
    let plugin = try context.loadPlugin()
    if plugin.driver != nil { try useOnce(try context.openDevice(of: plugin), context) }
    plugin.stop()
}

/// The state before the plugin was first loaded, and after it was loaded, used and stopped once more.
private func statesAroundUse(_ context: CheckContext) throws -> (before: ProcessState, after: ProcessState) {
    let before = ProcessState.initial
    let plugin = try context.loadPlugin()
    if plugin.driver != nil {
        let device = try context.openDevice(of: plugin)
        try useOnce(device, context)
        let stream = try device.makeStream()
        try stream.synchronize()
    }
    plugin.stop()
    return (before, ProcessState())
}
