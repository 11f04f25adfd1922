// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import HardwareModel
import Southbound

let limitChecks: [Check] = [
    Check("driver/limits/no-such-memory", .driver, ["SB-MEM-003", "SB-ERR-005"]) { context in
        let raw = try RawDevice(try context.openDevice())
        // Close to the ends of the integers, where sizes that are rounded up wrap to small ones.
        for bytes: UInt64 in [
            1 << 62, 1 << 63, (1 << 63) - 1, .max, .max - 1, .max - 62, .max - 63, .max - 64, .max - 4095, .max - 4096,
        ] {
            for alignment: UInt64 in [64, 4096] {
                var handle: OpaquePointer? = untouchedHandle
                let answer = try raw.allocate(bytes, alignment: alignment, buffer: &handle)
                if answer.status == SB_OK { raw.driver.free(raw.device.handle, handle) }
                try answer.refused("allocating \(bytes) bytes, aligned to \(alignment),", with: SB_ERROR_OUT_OF_MEMORY)
            }
        }
        try useOnce(raw.device, context)
    },
    Check("driver/limits/beyond-the-largest", .driver, ["SB-MEM-003", "SB-HW-001"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let largest = raw.device.model.spaces[0].largestAllocationBytes
        if largest == 0 { throw CheckFailure.unsupported("the largest allocation is unknown") }
        var handle: OpaquePointer? = untouchedHandle
        let answer = try raw.allocate(UInt64(largest) + 1, buffer: &handle)
        if answer.status == SB_OK { raw.driver.free(raw.device.handle, handle) }
        try answer.refused(
            "allocating one byte more than the largest allocation of \(largest)", with: SB_ERROR_OUT_OF_MEMORY)
        try useOnce(raw.device, context)
    },
    Check("driver/limits/until-full", .driver, ["SB-MEM-003", "SB-MEM-005"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let space = raw.device.model.spaces[0]
        // Never more than a gibibyte, nor a quarter of what the device has: the machine is to go on.
        let cap = min(1 << 30, space.capacityBytes == 0 ? 1 << 30 : max(space.capacityBytes / 4, 1))
        let chunk = min(cap, 32 << 20)
        for round in 0..<2 {
            var taken: [OpaquePointer?] = []
            defer { for handle in taken { raw.driver.free(raw.device.handle, handle) } }
            while (taken.count + 1) * chunk <= cap {
                var handle: OpaquePointer? = untouchedHandle
                let answer = try raw.allocate(UInt64(chunk), buffer: &handle)
                if answer.status != SB_OK {
                    try answer.refused(
                        "an allocation after \(taken.count) of \(chunk) bytes each", with: SB_ERROR_OUT_OF_MEMORY)
                    break
                }
                taken.append(handle)
            }
            try expect(!taken.isEmpty, .declaration, "in round \(round) the device had not even \(chunk) bytes")
        }
        try useOnce(raw.device, context)
    },
    Check("driver/limits/works-while-refusing", .driver, ["SB-MEM-003"]) { context in
        let raw = try RawDevice(try context.openDevice())
        for round in 0..<100 {
            var handle: OpaquePointer?
            try raw.allocate(1 << 62, buffer: &handle).refused(
                "an allocation of 2^62 bytes", with: SB_ERROR_OUT_OF_MEMORY)
            let sent = pattern(129, context, salt: round)
            try expectEqual(
                try raw.device.read(try raw.device.makeBuffer(sent)), sent, "an allocation after one that failed")
        }
    },
    Check("driver/limits/five-thousand-buffers", .driver, ["SB-MEM-002", "SB-MEM-005"]) { context in
        let device = try context.openDevice()
        let buffers = try (0..<5000).map { index in
            let buffer = try device.allocate(byteCount: 8)
            try device.write(pattern(8, context, salt: index % 97), to: buffer)
            return buffer
        }
        try expect(Set(buffers.map(\.handle)).count == 5000, .memory, "two live buffers have the same handle")
        for index in stride(from: 0, to: 5000, by: 7) {
            try expectEqual(
                try device.read(buffers[index]), pattern(8, context, salt: index % 97), "buffer \(index) of 5,000")
        }
    },
    Check("driver/limits/sixteen-openings", .driver, ["SB-DEV-003"]) { context in
        let plugin = try driverPlugin(context)
        let devices = try (0..<16).map { _ in try context.openDevice(of: plugin) }
        for device in devices.reversed() { try useOnce(device, context) }
    },
]
