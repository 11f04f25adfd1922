// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

let deviceChecks: [Check] = [
    Check("driver/devices/opens-each", .driver, ["SB-DEV-001"]) { context in
        let plugin = try driverPlugin(context)
        for index in 0..<plugin.deviceCount { try useOnce(try plugin.openDevice(index), context) }
    },
    Check("driver/devices/no-such-device", .driver, ["SB-DEV-002", "SB-ERR-002", "SB-ERR-005"]) { context in
        let plugin = try driverPlugin(context)
        guard let driver = plugin.driver else { return }
        for index in [UInt32(plugin.deviceCount), UInt32(plugin.deviceCount) + 1, 0x7fff_ffff, 0xffff_ffff] {
            var handle: OpaquePointer? = untouchedHandle
            let answer = try ask("open device \(index)") { driver.open(plugin.instance, index, &handle, $0) }
            try answer.refused("opening device \(index) of \(plugin.deviceCount)", with: SB_ERROR_INVALID_ARGUMENT)
            try expect(
                handle == untouchedHandle || handle == nil, .errorCode,
                "a refused opening of device \(index) gave a handle")
        }
        try useOnce(try context.openDevice(of: plugin), context)
    },
    Check("driver/devices/several-openings", .driver, ["SB-DEV-003"]) { context in
        let plugin = try driverPlugin(context)
        let devices = try (0..<4).map { _ in try context.openDevice(of: plugin) }
        try expect(Set(devices.map(\.handle)).count == 4, .declaration, "four openings of a device share a handle")
        let sent = devices.indices.map { pattern(4097, context, salt: $0) }
        let buffers = try zip(devices, sent).map { try $0.makeBuffer($1) }
        for index in devices.indices {
            try expectEqual(try devices[index].read(buffers[index]), sent[index], "the buffer of opening \(index) of 4")
        }
    },
    Check("driver/devices/closing-one-keeps-the-others", .driver, ["SB-DEV-003", "SB-DEV-004"]) { context in
        let plugin = try driverPlugin(context)
        let kept = try context.openDevice(of: plugin)
        let sent = pattern(2048, context)
        let buffer = try kept.makeBuffer(sent)
        for _ in 0..<10 { try useOnce(try context.openDevice(of: plugin), context) }
        try expectEqual(try kept.read(buffer), sent, "a buffer, after other openings were closed")
    },
    Check("driver/devices/usage-is-per-opening", .driver, ["SB-DEV-003", "SB-DEV-004"]) { context in
        let plugin = try driverPlugin(context)
        let first = try context.openDevice(of: plugin)
        guard let before = try first.usage() else { throw CheckFailure.unsupported("the plugin has no 'usage'") }
        var second: Device? = try context.openDevice(of: plugin)
        var buffer = try second?.allocate(byteCount: 1 << 20)
        try expect(try first.usage() == before, .declaration, "memory of one opening counts in the usage of another")
        try expect((try second?.usage() ?? 0) >= 1 << 20, .declaration, "1 MiB is allocated, but the usage is less")
        buffer = nil
        second = nil
        withExtendedLifetime(buffer) {}
        let again = try context.openDevice(of: plugin)
        try expectUsage(of: again, 0, .leak, "a new opening has allocated nothing")
    },
    Check("driver/devices/opened-after-stop-and-start", .driver, ["SB-NEG-009", "SB-DEV-004"]) { context in
        for _ in 0..<10 {
            let plugin = try driverPlugin(context)
            let device = try context.openDevice(of: plugin)
            try useOnce(device, context)
            plugin.stop()
        }
    },
]

func driverPlugin(_ context: CheckContext) throws -> Plugin {
    let plugin = try context.loadPlugin()
    guard plugin.driver != nil else { throw CheckFailure.unsupported("the plugin has no group 'driver'") }
    return plugin
}
