// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import HardwareModel
import Southbound

let loadHardwareChecks: [Check] = [
    Check("load/hardware/described-without-opening", .load, ["SB-DEV-005", "SB-HW-002"]) { context in
        for model in try models(try described(context)) {
            try expect(!model.id.isEmpty && !model.name.isEmpty, .declaration, "a device has no id or no name")
        }
    },
    Check("load/hardware/same-answer-while-started", .load, ["SB-DEV-005"]) { context in
        let plugin = try described(context)
        let before = try rawModels(plugin)
        let device = try context.openDevice(of: plugin)
        let buffer = try device.allocate(byteCount: 1 << 16)
        try expect(try rawModels(plugin) == before, .declaration, "a device is described otherwise while it is open")
        withExtendedLifetime(buffer) {}
        try expect(try rawModels(plugin) == before, .declaration, "a device is described otherwise after it was open")
    },
    Check("load/hardware/same-id-in-every-instance", .load, ["SB-HW-002"]) { context in
        let first = try models(try described(context)).map(\.id)
        let second = try models(try described(context)).map(\.id)
        try expect(
            first == second, .declaration, "the ids of the devices were \(first) and are \(second) in another instance")
    },
    Check("load/hardware/different-ids", .load, ["SB-HW-002"]) { context in
        let ids = try models(try described(context)).map(\.id)
        if ids.count < 2 { throw CheckFailure.unsupported("the plugin has one device") }
        try expect(
            Set(ids).count == ids.count, .declaration, "two devices have the same id: \(ids.joined(separator: ", "))")
    },
    Check("load/hardware/alignment", .load, ["SB-HW-004"]) { context in
        try forEachSpace(context) { space, subject in
            try expect(
                space.alignmentBytes > 0 && space.alignmentBytes & (space.alignmentBytes - 1) == 0, .declaration,
                "\(subject) is aligned to \(space.alignmentBytes) bytes, which is not a power of two")
            try expect(
                space.alignmentBytes <= 1 << 24, .declaration,
                "\(subject) is aligned to \(space.alignmentBytes) bytes, more than 16 MiB")
        }
    },
    Check("load/hardware/space-0-can-be-allocated", .load, ["SB-HW-003"]) { context in
        for model in try models(try described(context)) {
            try expect(
                model.spaces[0].isAllocatable, .declaration, "memory space 0 of '\(model.name)' cannot be allocated")
            try expect(
                model.spaces[0].kind == .device || model.spaces[0].kind == .host || model.spaces[0].kind == .other,
                .declaration,
                "memory space 0 of '\(model.name)' is a \(model.spaces[0].kind.rawValue), where tensors cannot be kept")
        }
    },
    Check("load/hardware/sizes-fit", .load, ["SB-HW-001"]) { context in
        try forEachSpace(context) { space, subject in
            let whole = space.capacityBytes.multipliedReportingOverflow(by: space.count)
            try expect(
                !whole.overflow, .declaration, "\(subject): \(space.count) times \(space.capacityBytes) bytes cannot be"
            )
            try expect(
                space.capacityBytes == 0 || space.largestAllocationBytes <= space.capacityBytes, .declaration,
                "\(subject) allocates up to \(space.largestAllocationBytes) bytes at once, but has only \(space.capacityBytes)"
            )
        }
    },
    Check("load/hardware/rates", .load, ["SB-HW-001", "SB-ABI-012"]) { context in
        let units = try models(try described(context)).flatMap(\.units)
        if units.isEmpty { throw CheckFailure.unsupported("the plugin describes no compute units") }
        for unit in units {
            for rate in unit.rates {
                try expect(
                    rate.operationsPerCycle.isFinite && rate.operationsPerCycle >= 0, .declaration,
                    "'\(unit.name)' does \(rate.operationsPerCycle) operations per cycle on \(rate.dataType)")
            }
            try expect(
                Set(unit.rates.map { "\($0.dataType) \($0.accumulatorType)" }).count == unit.rates.count, .declaration,
                "'\(unit.name)' has two rates for the same data types")
        }
    },
    Check("load/hardware/links", .load, ["SB-HW-001", "SB-DEV-001"]) { context in
        let models = try models(try described(context))
        if models.allSatisfy(\.links.isEmpty) { throw CheckFailure.unsupported("the plugin describes no links") }
        for (index, model) in models.enumerated() {
            for case let peer? in model.links.map(\.peer) {
                try expect(
                    models.indices.contains(peer) && peer != index, .declaration,
                    "'\(model.name)' has a link to device \(peer), which is no other device")
            }
        }
    },
    Check("load/hardware/count-stays", .load, ["SB-DEV-001"]) { context in
        let plugin = try context.loadPlugin()
        guard let count = plugin.driver?.count else { throw CheckFailure.unsupported("the plugin has no 'count'") }
        let device = try context.openDevice(of: plugin)
        for _ in 0..<10 {
            var devices: UInt32 = 0
            try ask("count devices") { count(plugin.instance, &devices, $0) }.succeeded("count")
            try expect(
                Int(devices) == plugin.deviceCount, .declaration,
                "the plugin had \(plugin.deviceCount) devices and has \(devices) now")
        }
        withExtendedLifetime(device) {}
    },
]

private func described(_ context: CheckContext) throws -> Plugin {
    let plugin = try context.loadPlugin()
    guard plugin.driver?.describe != nil else {
        throw CheckFailure.unsupported("the plugin does not describe its devices")
    }
    return plugin
}

private func models(_ plugin: Plugin) throws -> [DeviceModel] {
    try (0..<plugin.deviceCount).map { try plugin.model(ofDevice: $0) }
}

/// Asks the plugin itself, because the host remembers its first answer.
private func rawModels(_ plugin: Plugin) throws -> [DeviceModel] {
    try (0..<plugin.deviceCount).map { try plugin.describeAgain(device: $0) }
}

private func forEachSpace(_ context: CheckContext, _ body: (MemorySpace, String) throws -> Void) throws {
    for model in try models(try described(context)) {
        for (index, space) in model.spaces.enumerated() {
            try body(space, "memory space \(index) ('\(space.name)') of '\(model.name)'")
        }
    }
}
