// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge
import Synchronization

/// A started plugin and what it has handed to the host until it is stopped.
final class TypedInstance<Plugin: PluginKit.Plugin>: InstanceHandle, @unchecked Sendable {
    private let plugin: Plugin
    private let descriptions = Mutex(Descriptions())

    private struct Descriptions: @unchecked Sendable {
        let memory = StableMemory()
        var made: [Int: UnsafePointer<sb_hardware>] = [:]
    }

    init(_ plugin: Plugin) { self.plugin = plugin }

    override func deviceCount() -> Int { plugin.deviceCount }

    override func hardware(of index: Int) throws(PluginFailure) -> UnsafePointer<sb_hardware> {
        try check(index)
        let result = descriptions.withLock { descriptions in
            Result { () throws(PluginFailure) -> UInt in
                if let made = descriptions.made[index] { return UInt(bitPattern: made) }
                let made = try plugin.hardware(of: index).cValue(in: descriptions.memory)
                descriptions.made[index] = made
                return UInt(bitPattern: made)
            }
        }
        return UnsafePointer(bitPattern: try result.get())!
    }

    override func open(_ index: Int) throws(PluginFailure) -> DeviceHandle {
        try check(index)
        return TypedDevice(try plugin.open(index))
    }

    override func owns(_ kernel: UnsafePointer<sb_kernel>) -> Bool { Plugin.table.owns(kernel) }
    override var graphs: GraphsHandle? { Plugin.table.graphs }

    private func check(_ index: Int) throws(PluginFailure) {
        let count = plugin.deviceCount
        guard index < count else { throw .invalid("there is no device \(index); '\(Plugin.identity.name)' has \(count)") }
    }
}

extension Plugin {
    /// What the table's `start` does for a plugin of this type.
    package static func start(
        _ host: UnsafePointer<sb_host>?, _ options: UnsafePointer<sb_option>?, _ optionCount: Int,
        _ instance: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<sb_error>?
    ) -> Int32 {
        status(error) { () throws(PluginFailure) in
            guard let instance, optionCount == 0 || options != nil else { throw .invalid("start was given NULL") }
            let services = try HostServices(checking: host)
            var values: [String: String] = [:]
            for index in 0..<optionCount {
                let name = String(options![index].name)
                guard Self.options.contains(where: { $0.name == name }) else {
                    throw .invalid("'\(identity.name)' has no option '\(name)'")
                }
                guard values.updateValue(String(options![index].value), forKey: name) == nil else {
                    throw .invalid("option '\(name)' is given twice")
                }
            }
            instance.pointee = TypedInstance(try Self(host: services, options: OptionValues(values))).retainedHandle()
        }
    }
}

/// Turns what a Swift body throws into the header's status.
@inline(__always)
func status(_ detail: UnsafeMutablePointer<sb_error>?, _ body: () throws(PluginFailure) -> Void) -> Int32 {
    do throws(PluginFailure) {
        try body()
        return SB_OK
    } catch {
        return error.report(to: detail)
    }
}
