// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

/// A plugin written in Swift. An object of the type is a started plugin; `PluginTable` makes the C tables of the type.
///
/// All of it is called from any thread.
package protocol Plugin: AnyObject, Sendable {
    associatedtype Device: PluginKit.Device
    static var identity: PluginIdentity { get }
    static var options: [OptionSchema] { get }
    /// Whether calls on a stream do the work themselves or only queue it.
    static var execution: Execution { get }
    /// The operator library, in the order in which the host lists it. Empty: the plugin is a driver alone.
    static var kernels: [any Kernel<Device>] { get }
    /// The plugin's own compiler for whole subgraphs. By default none: the host runs node by node.
    static var graphCompiler: (any GraphCompiler<Device>)? { get }
    /// A stored constant: `static let table = PluginTable(Self.self) { Self.start($0, $1, $2, $3, $4) }` with the type's name for `Self`.
    static var table: PluginTable { get }

    /// Starts the plugin. A bad option value is refused with a failure that names the option; see `OptionValues`.
    init(host: HostServices, options: OptionValues) throws(PluginFailure)
    var deviceCount: Int { get }
    /// What device `index` (below `deviceCount`) is. Asked at most once per start.
    func hardware(of index: Int) throws(PluginFailure) -> HardwareDescription
    /// Opens device `index` (below `deviceCount`); each opening is independent of the others.
    func open(_ index: Int) throws(PluginFailure) -> Device
}

extension Plugin {
    package static var graphCompiler: (any GraphCompiler<Device>)? { nil }
}

package struct PluginIdentity: Sendable {
    /// Letters, digits, '-' and '_'.
    package var name: String
    package var vendor: String
    package var version: String

    package init(name: String, vendor: String, version: String) {
        self.name = name
        self.vendor = vendor
        self.version = version
    }
}

package enum Execution: UInt32, Sendable {
    case inline = 0
    case queued = 1
}

/// One option that a user may set.
package struct OptionSchema: Sendable {
    package enum Kind: UInt32, Sendable { case string, integer, number, boolean, path }
    package var name: String
    package var kind: Kind
    package var defaultValue: String
    package var help: String

    package init(name: String, kind: Kind, defaultValue: String, help: String) {
        self.name = name
        self.kind = kind
        self.defaultValue = defaultValue
        self.help = help
    }
}

/// The options that a start was given, checked to be among the schema's and given once.
package struct OptionValues: Sendable {
    private let values: [String: String]

    package init(_ values: [String: String]) { self.values = values }

    package func string(_ option: OptionSchema) -> String { values[option.name] ?? option.defaultValue }

    /// Throws a failure that names the option if its value is no integer or outside `range`.
    package func integer(_ option: OptionSchema, in range: ClosedRange<Int>) throws(PluginFailure) -> Int {
        let text = string(option)
        guard let value = Int(text), range.contains(value) else {
            throw .invalid("option '\(option.name)' must be an integer from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
        }
        return value
    }

    /// Throws a failure that names the option if its value is neither "true" nor "false".
    package func boolean(_ option: OptionSchema) throws(PluginFailure) -> Bool {
        guard let value = Bool(string(option)) else {
            throw .invalid("option '\(option.name)' must be true or false, not '\(string(option))'")
        }
        return value
    }
}

/// The host's services; callable from any thread until the library is closed.
package struct HostServices: @unchecked Sendable {
    package enum LogLevel: UInt32, Sendable { case debug, info, warning, error }
    private let raw: UnsafePointer<sb_host>

    /// Throws unless the host speaks this major version and offers every service.
    init(checking raw: UnsafePointer<sb_host>?) throws(PluginFailure) {
        guard let raw, raw.pointee.size >= MinimumSize.host else {
            throw .invalid("the host's table is NULL or shorter than in version 0.1")
        }
        let major = raw.pointee.version >> 16
        guard major == SB_VERSION_MAJOR else {
            throw .unsupported("the host speaks major version \(major) of the southbound interface; this plugin speaks \(SB_VERSION_MAJOR)")
        }
        guard raw.pointee.log != nil, raw.pointee.clock != nil else { throw .invalid("the host's table lacks a service") }
        self.raw = raw
    }

    package func log(_ level: LogLevel, _ message: String) {
        var message = message
        message.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                raw.pointee.log?(raw.pointee.context, level.rawValue, sb_string(data: $0.baseAddress, length: $0.count))
            }
        }
    }
}
