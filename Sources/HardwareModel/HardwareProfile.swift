// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// Descriptions that come with the project: `npu/edge` is `profiles/npu/edge.yaml`.
package enum HardwareProfile {
    /// The file of a built-in profile of family folder `family`, for code that knows only where its own shared library lies: in an
    /// installation (`PREFIX/lib/southbridge/`) or somewhere in a build tree.
    package static func locate(_ name: String, of family: String, besideLibraryAt library: String) throws(DescriptionError) -> URL {
        let folder = URL(filePath: library).resolvingSymlinksInPath().deletingLastPathComponent()
        let prefix = folder.deletingLastPathComponent().deletingLastPathComponent()
        var candidates = [prefix.appending(path: "share/southbridge/profiles")]
        var parent = folder
        while parent.path != "/", !parent.path.isEmpty {
            candidates.append(parent.appending(path: "Conformance/profiles"))
            parent.deleteLastPathComponent()
        }
        let folders = candidates.map { $0.appending(path: family) }.filter { FileManager.default.fileExists(atPath: $0.path) }
        guard let found = folders.first else {
            throw DescriptionError(
                "there are no profiles of family '\(family)' where \(library) is installed or was built; give a path to a file")
        }
        let files = (try? FileManager.default.contentsOfDirectory(atPath: found.path)) ?? []
        let names = files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(".yaml".count)) }.sorted()
        guard names.contains(name) else {
            throw DescriptionError("there is no profile '\(name)'; there are \(names.joined(separator: ", ")), or give a path to a file")
        }
        return found.appending(path: "\(name).yaml")
    }

    /// Reads a built-in profile, or the file at a path: something with a slash or the ending `.yaml`. Its figures may contradict each other.
    package static func read(_ nameOrPath: String, of family: String, besideLibraryAt library: String) throws(DescriptionError)
        -> DeviceModel
    {
        if nameOrPath.contains("/") || nameOrPath.hasSuffix(".yaml") { return try DeviceModel(yamlFile: URL(filePath: nameOrPath)) }
        return try DeviceModel(yamlFile: locate(nameOrPath, of: family, besideLibraryAt: library))
    }
}
