// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound
import Synchronization

let threadChecks: [Check] = [
    Check("driver/threads/allocate-and-copy", .driver, ["SB-THR-001", "SB-MEM-002"]) { context in
        let device = try context.openDevice()
        try onThreads(8) { thread in
            for round in 0..<60 {
                let sent = pattern(1 + (thread * 131 + round * 977) % 9000, context, salt: thread * 1000 + round)
                try expectEqual(
                    try device.read(try device.makeBuffer(sent)), sent, "thread \(thread) of 8, round \(round)")
            }
        }
    },
    Check("driver/threads/large-copies", .driver, ["SB-THR-001", "SB-CPY-001"]) { context in
        let device = try context.openDevice()
        try onThreads(4) { thread in
            let sent = pattern(300_001, context, salt: thread)
            for _ in 0..<4 {
                try expectEqual(try device.read(try device.makeBuffer(sent)), sent, "thread \(thread) of 4")
            }
        }
    },
    Check("driver/threads/one-source", .driver, ["SB-THR-001"]) { context in
        let device = try context.openDevice()
        let sent = pattern(20_000, context)
        let buffer = try device.makeBuffer(sent)
        try onThreads(6) { thread in
            for round in 0..<30 {
                let offset = (thread * 37 + round * 61) % 10_000
                try expectEqual(
                    try device.read(buffer, at: offset, count: 9999), Array(sent[offset..<(offset + 9999)]),
                    "one of six threads that read one buffer")
            }
        }
    },
    Check("driver/threads/parts-of-one-buffer", .driver, ["SB-THR-001", "SB-CPY-003"]) { context in
        let device = try context.openDevice()
        let part = 1003
        let buffer = try device.allocate(byteCount: 8 * part)
        try onThreads(8) { thread in
            for round in 0..<30 {
                try device.write(pattern(part, context, salt: thread * 100 + round), to: buffer, at: thread * part)
            }
        }
        for thread in 0..<8 {
            try expectEqual(
                try device.read(buffer, at: thread * part, count: part),
                pattern(part, context, salt: thread * 100 + 29),
                "the part that thread \(thread) of 8 wrote beside the others")
        }
    },
    Check("driver/threads/handed-over", .driver, ["SB-THR-001", "SB-MEM-005"]) { context in
        let device = try context.openDevice()
        let shelf = Mutex<[(salt: Int, buffer: Buffer)]>([])
        for round in 0..<5 {
            try onThreads(4) { thread in
                for index in 0..<10 {
                    let salt = round * 1000 + thread * 100 + index
                    let buffer = try device.makeBuffer(pattern(501, context, salt: salt))
                    shelf.withLock { $0.append((salt, buffer)) }
                }
            }
            try onThreads(4) { _ in
                while let (salt, buffer) = shelf.withLock({ $0.popLast() }) {
                    try expectEqual(
                        try device.read(buffer), pattern(501, context, salt: salt), "a buffer that another thread made")
                }
            }
        }
    },
    Check("driver/threads/a-stream-each", .driver, ["SB-THR-001", "SB-THR-002"]) { context in
        let device = try streamingDevice(context)
        try onThreads(6) { thread in
            let stream = try CheckedStream(device)
            let source = GuardedBytes(pattern(7001, context, salt: thread))
            let target = GuardedBytes([UInt8](repeating: 0, count: 7001))
            let buffer = try device.allocate(byteCount: 7001)
            for _ in 0..<20 {
                try stream.copy(7001, from: .host(source), to: .buffer(buffer))
                try stream.copy(7001, from: .buffer(buffer), to: .host(target))
            }
            try stream.synchronize()
            try expectEqual(target.bytes, source.bytes, "the stream of thread \(thread) of 6")
        }
    },
    Check("driver/threads/usage-adds-up", .driver, ["SB-THR-001", "SB-MEM-005"]) { context in
        let device = try context.openDevice()
        guard let start = try device.usage() else { throw CheckFailure.unsupported("the plugin has no 'usage'") }
        try onThreads(8) { thread in
            for round in 0..<200 { _ = try device.allocate(byteCount: 1 + (thread + round) % 300) }
        }
        try expectUsage(of: device, start, .race, "8 threads freed all that they had allocated")
    },
    Check("driver/threads/an-opening-each", .driver, ["SB-DEV-003", "SB-THR-001"]) { context in
        let plugin = try driverPlugin(context)
        let devices = try (0..<4).map { _ in try context.openDevice(of: plugin) }
        try onThreads(4) { thread in
            for round in 0..<30 {
                let sent = pattern(2003, context, salt: thread * 100 + round)
                try expectEqual(
                    try devices[thread].read(try devices[thread].makeBuffer(sent)), sent,
                    "opening \(thread) of 4, each with its own thread")
            }
        }
    },
    Check("driver/threads/failures-beside-work", .driver, ["SB-THR-001", "SB-ERR-005", "SB-MEM-003"]) { context in
        let raw = try RawDevice(try context.openDevice())
        try onThreads(6) { thread in
            for round in 0..<40 {
                if thread % 2 == 0 {
                    var handle: OpaquePointer?
                    try raw.allocate(1 << 62, buffer: &handle).refused(
                        "an allocation of 2^62 bytes", with: SB_ERROR_OUT_OF_MEMORY)
                } else {
                    let sent = pattern(1009, context, salt: thread * 100 + round)
                    try expectEqual(
                        try raw.device.read(try raw.device.makeBuffer(sent)), sent,
                        "a thread that works while others fail")
                }
            }
        }
    },
]
