// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import HardwareModel
import Southbound

let hostMemoryChecks: [Check] = [
    Check("driver/host-address/host-writes-are-seen", .driver, ["SB-MEM-007"]) { context in
        let device = try hostVisibleDevice(context)
        let sent = pattern(4097, context)
        let buffer = try device.allocate(byteCount: sent.count)
        try hostAddress(buffer).copyMemory(from: sent, byteCount: sent.count)
        try expectEqual(
            try device.read(buffer), sent, "what the host wrote at the buffer's address, read through 'copy'")
    },
    Check("driver/host-address/copies-are-seen", .driver, ["SB-MEM-007", "SB-CPY-002"]) { context in
        let device = try hostVisibleDevice(context)
        let sent = pattern(4097, context)
        let buffer = try device.makeBuffer(sent)
        let seen = try withExtendedLifetime(buffer) {
            Array(UnsafeRawBufferPointer(start: try hostAddress(buffer), count: sent.count))
        }
        try expectEqual(seen, sent, "what 'copy' wrote, read at the buffer's address")
    },
    Check("driver/host-address/stays", .driver, ["SB-MEM-007"]) { context in
        let device = try hostVisibleDevice(context)
        guard let hostAddressOf = device.plugin.driver?.host_address else { return }
        let buffer = try device.allocate(byteCount: 100)
        let first = try hostAddress(buffer)
        let others = try (0..<50).map { _ in try device.allocate(byteCount: 1 << 16) }
        defer { withExtendedLifetime((buffer, others)) {} }
        var address: UnsafeMutableRawPointer?
        try ask("host_address") { hostAddressOf(device.handle, buffer.handle, &address, $0) }.succeeded("host_address")
        try expect(address == first, .memory, "the host address of a buffer changed while it was alive")
    },
    Check("driver/host-address/as-described", .driver, ["SB-MEM-007", "SB-HW-001"]) { context in
        let device = try context.openDevice()
        guard device.plugin.driver?.describe != nil else {
            throw CheckFailure.unsupported("the plugin does not describe its devices")
        }
        guard device.model.spaces.contains(where: \.isHostVisible) else {
            throw CheckFailure.unsupported("no memory space is visible to the host")
        }
        try expect(
            device.plugin.driver?.host_address != nil, .declaration,
            "a memory space is described as visible to the host, but 'host_address' is NULL")
    },
    Check("driver/import/content", .driver, ["SB-MEM-008", "SB-TEN-006"]) { context in
        let device = try context.openDevice()
        for skew in [0, 1, 3, 8, 17] {
            let host = GuardedBytes(pattern(5001, context, salt: skew), skew: skew)
            let buffer = try imported(host, device)
            try expectEqual(
                try device.read(buffer), host.bytes,
                "imported host memory that begins \(skew) bytes after a multiple of 64")
            try expectEqual(
                try device.read(buffer, at: 1001, count: 777), Array(host.bytes[1001..<1778]),
                "a part of imported memory")
        }
    },
    Check("driver/import/not-copied", .driver, ["SB-MEM-008"]) { context in
        let device = try context.openDevice()
        let host = GuardedBytes(pattern(4096, context))
        let buffer = try imported(host, device)
        let later = pattern(4096, context, salt: 1)
        host.pointer.copyMemory(from: later, byteCount: later.count)
        try expectEqual(try device.read(buffer), later, "imported memory that the host wrote after the import")
    },
    Check("driver/import/stays-the-host-s", .driver, ["SB-MEM-008"]) { context in
        let device = try context.openDevice()
        let host = GuardedBytes(pattern(3000, context), skew: 5)
        let before = host.bytes
        for _ in 0..<5 {
            let buffer = try imported(host, device)
            let target = try device.allocate(byteCount: 3000)
            try device.copy(3000, from: .buffer(buffer), to: .buffer(target))
            try expectEqual(try device.read(target), before, "a copy of imported memory")
        }
        try expectEqual(host.bytes, before, "imported memory, after it was only read and given back")
        try host.checkGuards("imported memory")
    },
    Check("driver/import/is-no-allocation", .driver, ["SB-MEM-008"]) { context in
        let device = try context.openDevice()
        guard let before = try device.usage() else { throw CheckFailure.unsupported("the plugin has no 'usage'") }
        let host = GuardedBytes(pattern(1 << 20, context))
        let buffer = try imported(host, device)
        try expect(
            try (device.usage() ?? 0) - before < 1 << 20, .declaration,
            "imported memory counts as allocated; was it copied?")
        withExtendedLifetime(buffer) {}
    },
    Check("driver/import/refused-beyond-its-end", .driver, ["SB-CPY-007", "SB-CPY-003"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let host = GuardedBytes(pattern(500, context))
        let buffer = try imported(host, raw.device)
        let target = GuardedBytes([UInt8](repeating: 1, count: 600))
        try raw.copy(500, from: .buffer(buffer, 1), to: .host(target))
            .refused("reading one byte beyond imported memory", with: SB_ERROR_INVALID_ARGUMENT)
        try expect(target.bytes.allSatisfy { $0 == 1 }, .memory, "a copy that was refused wrote")
    },
]

private func imported(_ host: GuardedBytes, _ device: Device) throws -> Buffer {
    guard device.plugin.driver?.import_host != nil else {
        throw CheckFailure.unsupported("the plugin has no 'import_host'")
    }
    guard
        let buffer = try device.importHost(UnsafeRawBufferPointer(start: host.pointer, count: host.count), owner: host)
    else {
        throw CheckFailure.unsupported("the plugin does not import this memory")
    }
    return buffer
}
