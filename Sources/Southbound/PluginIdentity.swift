// SPDX-License-Identifier: Apache-2.0

/// Who a plugin says it is.
package struct PluginIdentity: Codable, Sendable, Hashable {
    /// As the plugin declares it.
    package let name: String
    /// Empty where unknown, like the version.
    package let vendor: String
    package let version: String
    /// Version of `southbridge.h` that the plugin was built with: "0.1".
    package let abi: String
    package let path: String
}
