// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// The language of a new plugin.
package enum Language: String, CaseIterable, Sendable { case c, cpp, swift }

/// How the stack uses the chip: operator by operator, by subgraphs that the chip's own compiler takes, or both.
package enum Mode: String, CaseIterable, Sendable {
    case kernel, graph, both

    var hasKernels: Bool { self != .graph }
    var hasGraphs: Bool { self != .kernel }
}

package enum Family: String, CaseIterable, Sendable { case cpu, gpgpu, npu }

/// What a new plugin is made of.
package struct Choice: Sendable {
    /// The plugin's, the folder's and the library's name: a letter, then letters, digits, '-' and '_', 64 at most.
    package var name: String
    /// Any text; it stands in the plugin's table.
    package var vendor: String
    package var language: Language
    package var mode: Mode
    package var family: Family

    package init(name: String, vendor: String, language: Language = .c, mode: Mode = .kernel, family: Family = .npu) {
        self.name = name
        self.vendor = vendor
        self.language = language
        self.mode = mode
        self.family = family
    }
}

/// Where the sources of a scaffold lie.
package struct ScaffoldSources: Sendable {
    package var templates: URL
    package var header: URL
    /// The Swift files of `PluginKit`.
    package var pluginKit: URL

    package init(templates: URL, header: URL, pluginKit: URL) {
        self.templates = templates
        self.header = header
        self.pluginKit = pluginKit
    }
}
