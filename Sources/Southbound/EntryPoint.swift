// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge

/// A plugin's entry point as it is, without the host's checks around it: for the suite, which plays hosts of other versions.
package struct EntryPoint: Sendable {
    private let function: SharedLibrary.EntryPoint

    package init(_ reference: PluginReference) throws(PluginError) {
        let library = try SharedLibrary(path: reference.path, plugin: reference.displayName)
        function = try library.entryPoint(plugin: reference.displayName)
    }

    /// - Parameter host: stays valid for the rest of the process (SB-NEG-002), like the libraries, which are never unmapped.
    package func callAsFunction(
        _ host: UnsafePointer<sb_host>, _ plugin: UnsafeMutablePointer<UnsafePointer<sb_plugin>?>,
        _ error: UnsafeMutablePointer<sb_error>?
    ) -> Int32 {
        function(host, plugin, error)
    }
}
