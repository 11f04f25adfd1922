// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge

/// The C tables of a plugin written in Swift. They are made once and stay as they are for as long as the library is loaded.
package final class PluginTable: @unchecked Sendable {
    package typealias Start =
        @convention(c) (
            UnsafePointer<sb_host>?, UnsafePointer<sb_option>?, Int, UnsafeMutablePointer<OpaquePointer?>?, UnsafeMutablePointer<sb_error>?
        ) -> Int32

    private let memory = StableMemory()
    private let plugin: UnsafePointer<sb_plugin>
    private let kernels: UnsafeMutableBufferPointer<sb_kernel>
    /// What the kernels' `context` points to.
    private let kernelHandles: [KernelHandle]
    /// Nil if the plugin has no graph compiler.
    let graphs: GraphsHandle?

    /// `start` is `Plugin.start` of the type: the only function of the header that a handle does not lead to.
    package init<Plugin: PluginKit.Plugin>(_: Plugin.Type, start: @escaping Start) {
        let memory = memory
        func handle<Kernel: PluginKit.Kernel<Plugin.Device>>(_ kernel: Kernel) -> KernelHandle {
            TypedKernel<Plugin.Device, Kernel>(kernel)
        }
        func handle<Compiler: GraphCompiler<Plugin.Device>>(_ compiler: Compiler) -> GraphsHandle {
            TypedGraphs<Plugin.Device, Compiler>(compiler)
        }
        kernelHandles = Plugin.kernels.map { handle($0) }
        graphs = Plugin.graphCompiler.map { handle($0) }
        let values = kernelHandles.map { $0.cValue(in: memory) }
        kernels = UnsafeMutableBufferPointer(start: memory.array(values), count: values.count)

        var groups = [
            sb_group(
                name: memory.string("driver"), version: 1, reserved: 0,
                table: memory.value(driverTable(copiesFromPeers: Plugin.Device.copiesFromPeers))),
            sb_group(
                name: memory.string("streams"), version: 1, reserved: 0,
                table: memory.value(streamsTable(Plugin.execution, isCancellable: Plugin.Device.Stream.isCancellable))),
            sb_group(name: memory.string("events"), version: 1, reserved: 0, table: memory.value(eventsTable())),
        ]
        if !values.isEmpty {
            let list = UnsafePointer(
                memory.array(kernels.indices.map { [kernels] in UnsafePointer<sb_kernel>?(kernels.baseAddress! + $0) }))
            let table = memory.value(operatorsTable(kernels: list, count: values.count))
            groups.append(sb_group(name: memory.string("operators"), version: 1, reserved: 0, table: table))
        }
        if let graphs {
            let table = memory.value(graphsTable(numerics: graphs.numerics.map { UnsafePointer(memory.value($0)) }))
            groups.append(sb_group(name: memory.string("graphs"), version: 1, reserved: 0, table: table))
        }
        if Plugin.Device.self is any ObservedDevice.Type {
            groups.append(sb_group(name: memory.string("observation"), version: 1, reserved: 0, table: memory.value(observationTable())))
        }
        let options = Plugin.options.map { option in
            sb_option_schema(
                size: MemoryLayout<sb_option_schema>.size, name: memory.string(option.name), type: option.kind.rawValue, reserved: 0,
                default_value: memory.string(option.defaultValue), help: memory.string(option.help))
        }
        plugin = UnsafePointer(
            memory.value(
                sb_plugin(
                    size: MemoryLayout<sb_plugin>.size, version: SB_VERSION_MAJOR << 16 | SB_VERSION_MINOR, reserved: 0,
                    name: memory.string(Plugin.identity.name), vendor: memory.string(Plugin.identity.vendor),
                    plugin_version: memory.string(Plugin.identity.version), groups: memory.array(groups), group_count: groups.count,
                    options: options.isEmpty ? nil : memory.pointers(options), option_count: options.count, start: start,
                    stop: { InstanceHandle.release($0) })))
    }

    /// The body of the entry point.
    package func enter(
        _ host: UnsafePointer<sb_host>?, _ result: UnsafeMutablePointer<UnsafePointer<sb_plugin>?>?,
        _ error: UnsafeMutablePointer<sb_error>?
    ) -> Int32 {
        status(error) { () throws(PluginFailure) in
            guard let result else { throw .invalid("the entry point was given NULL for the plugin") }
            _ = try HostServices(checking: host)
            result.pointee = plugin
        }
    }

    /// Whether a kernel that the host names is an entry of this table.
    func owns(_ kernel: UnsafePointer<sb_kernel>) -> Bool {
        guard let base = kernels.baseAddress, !kernels.isEmpty else { return false }
        let (distance, underflow) = UInt(bitPattern: kernel).subtractingReportingOverflow(UInt(bitPattern: base))
        let stride = UInt(MemoryLayout<sb_kernel>.stride)
        return !underflow && distance % stride == 0 && distance / stride < UInt(kernels.count)
    }
}

extension KernelHandle {
    fileprivate func cValue(in memory: StableMemory) -> sb_kernel {
        sb_kernel(
            size: MemoryLayout<sb_kernel>.size, name: memory.string(declaration.name), domain: memory.string(declaration.domain),
            operator_name: memory.string(declaration.operatorName), since: declaration.since, until: declaration.until,
            data_types: declaration.dataTypes, flags: declaration.flags.rawValue, priority: declaration.priority,
            host_inputs: declaration.hostInputs, context: UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque()),
            numerics: declaration.numerics.map { UnsafePointer(memory.value($0)) })
    }
}
