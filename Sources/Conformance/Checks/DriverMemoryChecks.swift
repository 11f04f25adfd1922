// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import HardwareModel
import Southbound
import Tensors

let memoryChecks: [Check] = [
    Check("driver/memory/sizes", .driver, ["SB-MEM-001", "SB-MEM-002"]) { context in
        let device = try context.openDevice()
        for size in [1, 2, 3, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097, 65535, 65537, 1 << 20] {
            let sent = pattern(size, context, salt: size)
            try expectEqual(try device.read(try device.makeBuffer(sent)), sent, "a buffer of \(size) bytes")
        }
    },
    Check("driver/memory/64-mebibytes", .driver, ["SB-MEM-002"]) { context in
        let device = try context.openDevice()
        let size = 64 << 20
        if let largest = device.model.spaces.first?.largestAllocationBytes, largest > 0, largest < size {
            throw CheckFailure.unsupported("the largest allocation is \(largest) bytes")
        }
        let buffer = try device.allocate(byteCount: size)
        let places = [0, 8191, size / 2 - 1, size - 4099]
        for place in places { try device.write(pattern(4099, context, salt: place), to: buffer, at: place) }
        for place in places {
            try expectEqual(
                try device.read(buffer, at: place, count: 4099), pattern(4099, context, salt: place),
                "4,099 bytes at \(place)")
        }
    },
    Check("driver/memory/alignments", .driver, ["SB-MEM-001", "SB-MEM-002"]) { context in
        let device = try context.openDevice()
        for exponent in 0...12 {
            for size in [1, 65, 4097] {
                let sent = pattern(size, context, salt: exponent)
                try expectEqual(
                    try device.read(try device.makeBuffer(sent, alignment: 1 << exponent)), sent,
                    "\(size) bytes aligned to \(1 << exponent)")
            }
        }
    },
    Check("driver/memory/addresses-are-aligned", .driver, ["SB-MEM-002", "SB-HW-004"]) { context in
        let device = try hostVisibleDevice(context)
        var kept: [Buffer] = []
        for alignment in [1, 2, 16, 64, 128, 256, 512, 1024, 4096] {
            for size in [1, 2, 3, 63, 64, 65, 4095, 4097] {
                let buffer = try device.allocate(byteCount: size, alignment: alignment)
                let address = UInt(bitPattern: try hostAddress(buffer))
                try expect(
                    address % UInt(alignment) == 0, .memory,
                    "\(size) bytes aligned to \(alignment) lie at 0x\(String(address, radix: 16))")
                kept.append(buffer)
            }
        }
    },
    Check("driver/memory/large-alignments", .driver, ["SB-MEM-002", "SB-ERR-001"]) { context in
        let raw = try RawDevice(try context.openDevice())
        for exponent in [13, 16, 20] {
            var handle: OpaquePointer? = untouchedHandle
            let answer = try raw.allocate(100, alignment: 1 << exponent, buffer: &handle)
            if answer.status != SB_OK {
                // Nothing says that a device has to be able to.
                try answer.refused(
                    "an alignment of 2^\(exponent) bytes", with: SB_ERROR_UNSUPPORTED, SB_ERROR_OUT_OF_MEMORY,
                    SB_ERROR_INVALID_ARGUMENT)
                continue
            }
            defer { raw.driver.free(raw.device.handle, handle) }
            guard raw.device.isHostVisible, let hostAddress = raw.driver.host_address else { continue }
            var address: UnsafeMutableRawPointer?
            try ask("host_address") { hostAddress(raw.device.handle, handle, &address, $0) }.succeeded("host_address")
            try expect(
                UInt(bitPattern: address) % (1 << exponent) == 0, .memory,
                "100 bytes aligned to 2^\(exponent) lie at \(address.map { "\($0)" } ?? "NULL")")
        }
    },
    Check("driver/memory/buffers-are-distinct", .driver, ["SB-MEM-002"]) { context in
        let device = try context.openDevice()
        let sizes = (0..<96).map { [1, 2, 3, 64, 65, 1000, 4096, 4097][$0 % 8] }
        let buffers = try sizes.enumerated().map { try device.makeBuffer(pattern($1, context, salt: $0)) }
        for (index, buffer) in buffers.enumerated() {
            try expectEqual(
                try device.read(buffer), pattern(sizes[index], context, salt: index),
                "buffer \(index) of \(buffers.count), after all were written")
        }
    },
    Check("driver/memory/addresses-do-not-overlap", .driver, ["SB-MEM-002"]) { context in
        let device = try hostVisibleDevice(context)
        let buffers = try (0..<200).map { try device.allocate(byteCount: 1 + $0 * 37 % 5000) }
        let ranges = try buffers.map { buffer in
            let start = UInt(bitPattern: try hostAddress(buffer))
            return start..<(start + UInt(buffer.byteCount))
        }.sorted { $0.lowerBound < $1.lowerBound }
        for (left, right) in zip(ranges, ranges.dropFirst()) {
            try expect(
                left.upperBound <= right.lowerBound, .memory,
                "two live buffers overlap at 0x\(String(right.lowerBound, radix: 16))")
        }
    },
    Check("driver/memory/freed-in-any-order", .driver, ["SB-MEM-005"]) { context in
        let device = try context.openDevice()
        let random = CounterRandom(seed: context.seed, case: "free-order", tensor: "index")
        var live: [(salt: Int, buffer: Buffer)] = []
        for step in 0..<300 {
            if live.count > 20 {
                let victim = live.remove(at: Int(random.integer(UInt64(step), below: UInt64(live.count))))
                try expectEqual(
                    try device.read(victim.buffer), pattern(victim.buffer.byteCount, context, salt: victim.salt),
                    "buffer \(victim.salt), before it was freed")
            }
            live.append((step, try device.makeBuffer(pattern(1 + step * 53 % 3000, context, salt: step))))
        }
        for entry in live {
            try expectEqual(
                try device.read(entry.buffer), pattern(entry.buffer.byteCount, context, salt: entry.salt),
                "buffer \(entry.salt)")
        }
    },
    Check("driver/memory/no-such-space", .driver, ["SB-MEM-004", "SB-ERR-005"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let spaces = raw.device.model.spaces
        var wrong = [UInt32(spaces.count), UInt32(spaces.count) + 7, 0x7fff_ffff, 0xffff_ffff]
        wrong += spaces.indices.filter { !spaces[$0].isAllocatable }.map(UInt32.init)
        for space in wrong {
            var handle: OpaquePointer? = untouchedHandle
            let answer = try raw.allocate(64, space: space, buffer: &handle)
            if answer.status == SB_OK { raw.driver.free(raw.device.handle, handle) }
            try answer.refused(
                "allocating in memory space \(space), which \(Int(space) < spaces.count ? "cannot be allocated" : "does not exist"),",
                with: SB_ERROR_INVALID_ARGUMENT)
        }
    },
    Check("driver/memory/every-allocatable-space", .driver, ["SB-MEM-002", "SB-MEM-004"]) { context in
        let device = try context.openDevice()
        for (index, space) in device.model.spaces.enumerated() where space.isAllocatable {
            let sent = pattern(
                min(1024, max(1, space.largestAllocationBytes == 0 ? 1024 : space.largestAllocationBytes)), context,
                salt: index)
            let buffer = try device.allocate(byteCount: sent.count, space: index)
            try device.write(sent, to: buffer)
            try expectEqual(try device.read(buffer), sent, "memory space \(index) ('\(space.name)')")
        }
    },
    Check("driver/memory/usage-follows", .driver, ["SB-MEM-005", "SB-DEV-004"]) { context in
        let device = try context.openDevice()
        guard let start = try device.usage() else { throw CheckFailure.unsupported("the plugin has no 'usage'") }
        var buffers: [Buffer] = []
        var sum = 0
        for size in [1, 64, 4097, 1 << 20] {
            buffers.append(try device.allocate(byteCount: size))
            sum += size
            let usage = try device.usage() ?? 0
            try expect(
                usage >= start + sum, .declaration,
                "\(sum) bytes are allocated, but the usage is \(usage) (it was \(start) before)")
        }
        buffers = []
        try expectUsage(of: device, start, .leak, "everything is freed")
    },
    Check("driver/memory/usage-after-failure", .driver, ["SB-ERR-005", "SB-MEM-003"]) { context in
        let raw = try RawDevice(try context.openDevice())
        guard let start = try raw.device.usage() else { throw CheckFailure.unsupported("the plugin has no 'usage'") }
        for _ in 0..<10 {
            var handle: OpaquePointer?
            _ = try raw.allocate(1 << 62, buffer: &handle)
        }
        try expectUsage(of: raw.device, start, .leak, "allocations failed")
    },
]

/// Throws unless the device's usage is what it was before; `subject` says what has been done.
func expectUsage(of device: Device, _ before: Int?, _ kind: FailureKind, _ subject: String) throws {
    let after = try device.usage()
    try expect(after == before, kind, "\(subject), but the usage went from \(before ?? 0) to \(after ?? 0) bytes")
}

func hostVisibleDevice(_ context: CheckContext) throws -> Device {
    let device = try context.openDevice()
    guard device.isHostVisible else { throw CheckFailure.unsupported("memory space 0 is not visible to the host") }
    return device
}

func hostAddress(_ buffer: Buffer) throws(CheckFailure) -> UnsafeMutableRawPointer {
    guard let address = buffer.hostAddress else {
        throw .failed(
            .declaration,
            "memory space 0 is described as visible to the host, but a buffer of \(buffer.byteCount) bytes has no host address"
        )
    }
    return address
}
