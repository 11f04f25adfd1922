// SPDX-License-Identifier: Apache-2.0
import Execution
import Foundation
import Southbound

/// Open devices, in order of preference. Several sessions may use them at once.
public struct Devices: Sendable {
    let opened: DeviceSet

    /// - Parameters:
    ///   - list: `"cpu"`, `"npu:0,cpu:0"` or `"./libchip.so,cpu"`: plugins by name or path, each with the number of a device (0 if left out). The CPU is added at
    ///     the end for what nobody else runs.
    ///   - options: of the plugins: `["cpu.threads": "1"]`.
    ///   - libraries: paths of operator libraries that bring no device.
    ///   - home: where Southbridge is installed. Nil: `$SOUTHBRIDGE_HOME`, else the folder above the program's.
    public init(
        _ list: String = "cpu", options: [String: String] = [:], libraries: [String] = [], home: String? = nil
    ) throws(RuntimeError) {
        do {
            let installation =
                try home.map { Installation(prefix: URL(filePath: $0)) } ?? Installation.locate()
            opened = try DeviceSet(
                list, libraries: libraries, options: NamedOptions(options.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }),
                installation: installation)
        } catch {
            throw RuntimeError(error)
        }
    }

    /// "npu:0", in order of preference.
    public var names: [String] { opened.devices.map(\.name) }
}
