// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

let loadInstanceChecks: [Check] = [
    Check("load/instances/start-stop-start", .load, ["SB-NEG-009"]) { context in
        let raw = try RawTable(context)
        for _ in 0..<5 { raw.table.stop?(try raw.started(context)) }
        try useOnce(try context.openDevice(), context)
    },
    Check("load/instances/restart-after-use", .load, ["SB-NEG-009", "SB-OWN-003"]) { context in
        for _ in 0..<5 {
            let plugin = try context.loadPlugin()
            try useOnce(try context.openDevice(of: plugin), context)
            plugin.stop()
        }
    },
    Check("load/instances/two-side-by-side", .load, ["SB-ABI-010"]) { context in
        let (first, second) = (try context.openDevice(), try context.openDevice())
        let (a, b) = (pattern(5000, context, salt: 1), pattern(5000, context, salt: 2))
        let (left, right) = (try first.makeBuffer(a), try second.makeBuffer(b))
        try expectEqual(try first.read(left), a, "the first instance's buffer, after the second's was written")
        try expectEqual(try second.read(right), b, "the second instance's buffer")
    },
    Check("load/instances/stopping-one-keeps-the-other", .load, ["SB-ABI-010", "SB-NEG-009"]) { context in
        let kept = try context.openDevice()
        let sent = pattern(3000, context)
        let buffer = try kept.makeBuffer(sent)
        for _ in 0..<3 {
            let other = try context.loadPlugin()
            try useOnce(try context.openDevice(of: other), context)
            other.stop()
        }
        try expectEqual(try kept.read(buffer), sent, "a buffer, after another instance was stopped")
        try useOnce(kept, context)
    },
    Check("load/instances/eight-at-once", .load, ["SB-ABI-010"]) { context in
        let devices = try (0..<8).map { _ in try context.openDevice() }
        let sent = devices.indices.map { pattern(777, context, salt: $0) }
        let buffers = try zip(devices, sent).map { try $0.makeBuffer($1) }
        for index in devices.indices.reversed() {
            try expectEqual(
                try devices[index].read(buffers[index]), sent[index], "the buffer of instance \(index) of 8")
        }
    },
    Check("load/instances/stop-without-use", .load, ["SB-NEG-009"]) { context in
        let raw = try RawTable(context)
        let first = try raw.started(context)
        let second = try raw.started(context)
        raw.table.stop?(first)
        raw.table.stop?(second)
        _ = try context.loadPlugin()
    },
]

/// One small buffer there and back.
func useOnce(_ device: Device, _ context: CheckContext) throws {
    let sent = pattern(257, context)
    try expectEqual(try device.read(try device.makeBuffer(sent)), sent, "257 bytes there and back")
}
