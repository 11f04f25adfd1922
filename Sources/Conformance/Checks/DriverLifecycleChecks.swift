// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

let lifecycleChecks: [Check] = [
    Check("driver/lifecycle/ten-thousand-allocations", .driver, ["SB-MEM-005"]) { context in
        let device = try context.openDevice()
        let start = try device.usage()
        try expectNoGrowth("allocate and free", repeating: 10_000, warmUp: 2000) { index in
            _ = try device.allocate(byteCount: 64 + index * 67 % 4096)
        }
        try expectUsage(of: device, start, .leak, "10,000 buffers were allocated and freed")
    },
    Check("driver/lifecycle/large-allocations", .driver, ["SB-MEM-005"]) { context in
        let device = try context.openDevice()
        let sent = pattern(1 << 20, context)
        try expectNoGrowth("allocate 1 MiB, write and free it", repeating: 60, warmUp: 6) { _ in
            _ = try device.makeBuffer(sent)
        }
    },
    Check("driver/lifecycle/two-hundred-openings", .driver, ["SB-DEV-004", "SB-OWN-003"]) { context in
        let plugin = try driverPlugin(context)
        let sent = pattern(4096, context)
        try expectNoGrowth("open, use and close", repeating: 200, warmUp: 20) { _ in
            let device = try context.openDevice(of: plugin)
            _ = try device.makeBuffer(sent)
        }
    },
    Check("driver/lifecycle/copies", .driver, ["SB-CPY-001", "SB-OWN-001"]) { context in
        let device = try context.openDevice()
        let sent = pattern(1024, context)
        let buffer = try device.makeBuffer(sent)
        try expectNoGrowth("copy there and back", repeating: 2000, warmUp: 100) { _ in
            try device.write(sent, to: buffer)
            _ = try device.read(buffer)
        }
    },
    Check("driver/lifecycle/failures", .driver, ["SB-ERR-005"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let buffer = try raw.device.allocate(byteCount: 64)
        let host = GuardedBytes([UInt8](repeating: 0, count: 128))
        try expectNoGrowth("an allocation and a copy that fail", repeating: 5000, warmUp: 200) { _ in
            var handle: OpaquePointer?
            _ = try raw.allocate(1 << 62, buffer: &handle)
            _ = try raw.allocate(64, space: 4000, buffer: &handle)
            _ = try raw.copy(128, from: .host(host), to: .buffer(buffer))
        }
    },
    Check("driver/lifecycle/imports", .driver, ["SB-MEM-008", "SB-MEM-005"]) { context in
        let device = try context.openDevice()
        guard device.plugin.driver?.import_host != nil else {
            throw CheckFailure.unsupported("the plugin has no 'import_host'")
        }
        let host = GuardedBytes(pattern(4096, context))
        try expectNoGrowth("import and give back", repeating: 5000, warmUp: 200) { _ in
            _ = try device.importHost(UnsafeRawBufferPointer(start: host.pointer, count: host.count), owner: nil)
        }
    },
    Check("driver/lifecycle/streams", .driver, ["SB-STR-005", "SB-OWN-003"]) { context in
        let device = try streamingDevice(context)
        let buffer = try device.makeBuffer(pattern(256, context))
        let target = GuardedBytes([UInt8](repeating: 0, count: 256))
        try expectNoGrowth("make a stream, use and destroy it", repeating: 500, warmUp: 100) { _ in
            let stream = try CheckedStream(device)
            try stream.copy(256, from: .buffer(buffer), to: .host(target))
        }
    },
    Check("driver/lifecycle/events", .driver, ["SB-EVT-001", "SB-OWN-003"]) { context in
        let device = try streamingDevice(context)
        guard device.plugin.events != nil else { throw CheckFailure.unsupported("the plugin has no group 'events'") }
        let stream = try CheckedStream(device)
        try expectNoGrowth("make an event, record and destroy it", repeating: 2000, warmUp: 200) { _ in
            let event = try device.makeEvent()
            try stream.record(event)
            try event.synchronize()
            try stream.synchronize()
        }
    },
    Check("driver/lifecycle/work-on-one-stream", .driver, ["SB-STR-001", "SB-STR-003"]) { context in
        let device = try streamingDevice(context)
        let stream = try CheckedStream(device)
        let buffer = try device.makeBuffer(pattern(512, context))
        let target = GuardedBytes([UInt8](repeating: 0, count: 512))
        try expectNoGrowth("20 copies on a stream", repeating: 300, warmUp: 30) { _ in
            for _ in 0..<20 { try stream.copy(512, from: .buffer(buffer), to: .host(target)) }
            try stream.synchronize()
        }
    },
]
