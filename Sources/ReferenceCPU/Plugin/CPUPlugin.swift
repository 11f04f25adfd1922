// SPDX-License-Identifier: Apache-2.0
public import CSouthbridge
package import PluginKit

/// The reference CPU plugin, started.
package final class CPUPlugin: Plugin {
    package typealias Device = CPUDevice

    package static let identity = PluginIdentity(name: "cpu", vendor: "Southbridge", version: "0.1.0")
    private static let threads = OptionSchema(
        name: "threads", kind: .integer, defaultValue: "0",
        help: "threads that share the work; 0: one per physical core that the process may use")
    private static let measure = OptionSchema(
        name: "measure", kind: .boolean, defaultValue: "false",
        help: "describe the device with its measured clock, peak and memory bandwidth; takes some tenths of a second")
    package static let options = [threads, measure]
    package static let execution = Execution.inline
    package static let kernels: [any Kernel<CPUDevice>] = tunedKernels + GenericKernel.all
    package static let table = PluginTable(CPUPlugin.self) { CPUPlugin.start($0, $1, $2, $3, $4) }

    private let pool: ThreadPool
    private let measures: Bool
    private let ledger = MemoryLedger(capacity: HostTopology.shared.memoryByteCount)

    package init(host: HostServices, options: OptionValues) throws(PluginFailure) {
        measures = try options.boolean(Self.measure)
        let asked = try options.integer(Self.threads, in: 0...1024)
        pool = ThreadPool(threadCount: asked == 0 ? HostTopology.shared.coreCount : asked)
    }

    package var deviceCount: Int { 1 }

    package func hardware(of index: Int) -> HardwareDescription {
        HostTopology.shared.description(threadCount: pool.threadCount, measures ? HostMeasurement.shared : nil)
    }

    package func open(_ index: Int) -> CPUDevice {
        CPUDevice(pool: pool, products: MatrixProduct(pool: pool), ledger: ledger, spaceCount: HostTopology.shared.caches.count + 1)
    }
}

// swift-format-ignore: AlwaysUseLowerCamelCase
/// The one symbol that the host looks for.
@c @implementation
public func southbridge_plugin(
    _ host: UnsafePointer<sb_host>?, _ plugin: UnsafeMutablePointer<UnsafePointer<sb_plugin>?>?, _ error: UnsafeMutablePointer<sb_error>?
) -> Int32 {
    CPUPlugin.table.enter(host, plugin, error)
}
