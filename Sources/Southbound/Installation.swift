// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// Where the stack's own files are: in an installation, or in the build tree that the program was built in.
///
/// An installation has `lib/southbridge` (built-in plugins) and `share/southbridge` (everything else, laid out as in the repository) below one prefix:
/// `$SOUTHBRIDGE_HOME`, else the folder above the executable's.
package struct Installation: Sendable {
    /// The prefix, or the root of the repository.
    package let home: URL
    /// Built-in plugins, as `libsouthbridge_NAME.so`.
    package let pluginFolder: URL
    package let shareFolder: URL
    package let isBuildTree: Bool
    /// `southbridge.h`.
    package let header: URL
    package let templates: URL
    /// The sources of PluginKit, for plugins in Swift.
    package let pluginKit: URL
    package let suites: URL
    /// Of conformance, and in folders those of hardware.
    package let profiles: URL
    package let golden: URL
    /// What set-up has made from the `onnx` package; it may be absent.
    package let corpus: URL
    package let networks: URL

    package init(prefix: URL) {
        home = prefix
        pluginFolder = prefix.appending(path: "lib/southbridge")
        shareFolder = prefix.appending(path: "share/southbridge")
        isBuildTree = false
        header = shareFolder.appending(path: "include/southbridge.h")
        corpus = shareFolder.appending(path: "corpus")
        networks = shareFolder.appending(path: "networks")
        templates = shareFolder.appending(path: "Templates")
        pluginKit = shareFolder.appending(path: "PluginKit")
        suites = shareFolder.appending(path: "Conformance")
        profiles = shareFolder.appending(path: "profiles")
        golden = suites.appending(path: "Golden")
    }

    /// - Parameter products: the folder of the executable, where the built-in plugins are built, too.
    package init(repository: URL, products: URL) {
        home = repository
        pluginFolder = products
        shareFolder = repository
        isBuildTree = true
        header = repository.appending(path: "Sources/CSouthbridge/include/southbridge.h")
        corpus = repository.appending(path: "build/corpus")
        networks = repository.appending(path: "build/networks")
        templates = repository.appending(path: "Templates")
        pluginKit = repository.appending(path: "Sources/PluginKit")
        suites = repository.appending(path: "Conformance")
        profiles = suites.appending(path: "profiles")
        golden = suites.appending(path: "Golden")
    }

    /// The installation that this process belongs to. Throws an `InstallationError` that names the places looked at.
    package static func locate() throws(InstallationError) -> Installation {
        try locate(
            executable: URL(filePath: "/proc/self/exe").resolvingSymlinksInPath(),
            home: ProcessInfo.processInfo.environment["SOUTHBRIDGE_HOME"])
    }

    package static func locate(executable: URL, home: String?) throws(InstallationError) -> Installation {
        if let home, !home.isEmpty {
            let installation = Installation(prefix: URL(filePath: home))
            guard installation.isPresent else {
                throw InstallationError("SOUTHBRIDGE_HOME is \(home), but \(installation.header.path) is not there")
            }
            return installation
        }
        let products = executable.deletingLastPathComponent()
        let installation = Installation(prefix: products.deletingLastPathComponent())
        if installation.isPresent { return installation }
        var folder = products
        while folder.path != "/", !folder.path.isEmpty {
            let tree = Installation(repository: folder, products: products)
            if tree.isPresent { return tree }
            folder.deleteLastPathComponent()
        }
        throw InstallationError(
            "\(executable.path) is neither in an installation (\(installation.header.path) is not there) nor in a build tree; "
                + "set SOUTHBRIDGE_HOME to the folder that Southbridge was installed to")
    }

    private var isPresent: Bool { FileManager.default.fileExists(atPath: header.path) }

    /// The path of a built-in plugin (`cpu`); nil if there is none of that name.
    package func builtInPlugin(named name: String) -> String? {
        guard isIdentifier(name) else { return nil }
        let path = pluginFolder.appending(path: "libsouthbridge_\(name).so").path
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }

    /// Names of the built-in plugins, sorted.
    package var builtInPlugins: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: pluginFolder.path)) ?? []
        return files.filter { $0.hasPrefix("libsouthbridge_") && $0.hasSuffix(".so") }
            .map { String($0.dropFirst("libsouthbridge_".count).dropLast(".so".count)) }.filter(isIdentifier).sorted()
    }
}

/// The stack's own files cannot be found.
package struct InstallationError: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Letters, digits, '-' and '_', at least one (SB-NEG-005).
package func isIdentifier(_ text: String) -> Bool {
    !text.isEmpty
        && text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
}
