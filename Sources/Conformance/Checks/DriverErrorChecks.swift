// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

/// The failures that every driver has to be able to give, to look at how it gives them.
private let endless: UInt64 = 1 << 62

let errorChecks: [Check] = [
    Check("driver/errors/no-detail-wanted", .driver, ["SB-ERR-003"]) { context in
        let raw = try RawDevice(try context.openDevice())
        var handle: OpaquePointer?
        let full = raw.driver.allocate(raw.device.handle, 0, endless, 64, &handle, nil)
        try expect(
            full == SB_ERROR_OUT_OF_MEMORY, .errorCode,
            "without an sb_error, allocating 2^62 bytes gives \(statusName(full))")
        let opened = raw.driver.open(raw.device.plugin.instance, 0xffff_ffff, &handle, nil)
        try expect(
            opened == SB_ERROR_INVALID_ARGUMENT, .errorCode,
            "without an sb_error, opening device 2^32 - 1 gives \(statusName(opened))")
        let buffer = try raw.device.allocate(byteCount: 64)
        let byte = GuardedBytes([0])
        let copied = withExtendedLifetime((buffer, byte)) {
            raw.driver.copy(raw.device.handle, nil, End.buffer(buffer, 64).place, End.host(byte).place, 1, nil)
        }
        try expect(
            copied == SB_ERROR_INVALID_ARGUMENT, .errorCode,
            "without an sb_error, a copy beyond its buffer gives \(statusName(copied))")
        try useOnce(raw.device, context)
    },
    Check("driver/errors/message-fits", .driver, ["SB-ERR-004"]) { context in
        let raw = try RawDevice(try context.openDevice())
        for capacity in [0, 1, 2, 3, 7, 8, 16, 64, 4096] {
            var handle: OpaquePointer? = untouchedHandle
            // `ask` looks at what lies behind the message.
            let answer = try ask("an allocation that fails, with \(capacity) bytes for its message", capacity: capacity) {
                raw.driver.allocate(raw.device.handle, 0, endless, 64, &handle, $0)
            }
            try expect(
                answer.status == SB_ERROR_OUT_OF_MEMORY, .errorCode,
                "with \(capacity) bytes for a message the status is \(statusName(answer.status))")
            try expect(
                capacity < 2 || !answer.message.isEmpty, .errorCode,
                "with \(capacity) bytes for a message there is none")
        }
    },
    Check("driver/errors/message-is-utf-8", .driver, ["SB-ERR-002", "SB-ABI-006"]) { context in
        let raw = try RawDevice(try context.openDevice())
        var handle: OpaquePointer? = untouchedHandle
        let answer = try raw.allocate(endless, buffer: &handle)
        try expect(
            !answer.message.unicodeScalars.contains("\u{FFFD}"), .errorCode,
            "the message is not UTF-8: \(answer.message)")
        try expect(
            !answer.message.unicodeScalars.contains { $0.value < 32 && $0 != "\n" && $0 != "\t" }, .errorCode,
            "the message has control characters in it")
    },
    Check("driver/errors/failure-makes-no-handle", .driver, ["SB-ERR-005"]) { context in
        let raw = try RawDevice(try context.openDevice())
        for (bytes, space) in [(endless, UInt32(0)), (64, 0xffff)] {
            var handle: OpaquePointer? = untouchedHandle
            let answer = try raw.allocate(bytes, space: space, buffer: &handle)
            try expect(answer.status != SB_OK, .errorCode, "allocating \(bytes) bytes in space \(space) succeeded")
            try expect(
                handle == untouchedHandle || handle == nil, .errorCode, "an allocation that failed gave a handle")
        }
    },
    Check("driver/errors/success-leaves-the-error-alone", .driver, ["SB-ERR-002"]) { context in
        // `ask` compares the sb_error and its message with what they were.
        let raw = try RawDevice(try context.openDevice())
        var handle: OpaquePointer?
        try raw.allocate(512, buffer: &handle).succeeded("an allocation of 512 bytes")
        let target = End(place: sb_location(buffer: handle, host: nil, offset: 0), owner: nil)
        let source = GuardedBytes(pattern(512, context))
        defer { raw.driver.free(raw.device.handle, handle) }
        try raw.copy(512, from: .host(source), to: target).succeeded("a copy of 512 bytes")
        if raw.driver.fill != nil { try raw.fill(512, at: target, with: 7).succeeded("a fill of 512 bytes") }
    },
    Check("driver/errors/known-codes", .driver, ["SB-ERR-001", "SB-ERR-006"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let buffer = try raw.device.allocate(byteCount: 64)
        var handle: OpaquePointer?
        let host = GuardedBytes([UInt8](repeating: 0, count: 128))
        let answers = [
            try raw.allocate(endless, buffer: &handle), try raw.allocate(1, space: 999, buffer: &handle),
            try raw.copy(128, from: .host(host), to: .buffer(buffer)),
            try raw.copy(128, from: .buffer(buffer), to: .host(host)),
        ]
        for answer in answers {
            try expect(
                (SB_OK...SB_ERROR_INTERNAL).contains(answer.status), .errorCode,
                "the status \(answer.status) is none of southbridge.h")
        }
    },
    Check("driver/errors/works-after-each", .driver, ["SB-ERR-005", "SB-MEM-003"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let sent = pattern(1000, context)
        let kept = try raw.device.makeBuffer(sent)
        let host = GuardedBytes([UInt8](repeating: 9, count: 2000))
        for _ in 0..<20 {
            var handle: OpaquePointer? = untouchedHandle
            _ = try raw.allocate(endless, buffer: &handle)
            _ = try raw.allocate(64, space: 1000, buffer: &handle)
            _ = try raw.copy(2000, from: .host(host), to: .buffer(kept))
            try expectEqual(try raw.device.read(kept), sent, "a buffer, after calls that failed")
        }
    },
]
