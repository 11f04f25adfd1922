// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// What was made, and what to type next.
package struct ScaffoldResult: Sendable {
    package let folder: URL
    /// Relative to the folder, sorted.
    package let files: [String]
    /// Command lines for the folder above, in order.
    package let nextSteps: [String]
}

/// Why no plugin was made. One line; nothing is left behind.
package struct ScaffoldError: Error, Sendable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

/// Makes the folder of a plugin that builds and passes the levels `load` and `driver` untouched. All or nothing: the folder is made under another name
/// and then renamed.
///
/// - Parameter parent: the folder to make it in.
package func scaffold(_ choice: Choice, into parent: URL, from sources: ScaffoldSources) throws(ScaffoldError) -> ScaffoldResult {
    try check(name: choice.name, vendor: choice.vendor)
    var contents: [String: Data] = [choice.headerFile: try read(sources.header)]
    for (file, template) in choice.files {
        let text = String(decoding: try read(sources.templates.appending(path: template)), as: UTF8.self)
        contents[file] = Data(rendered(text, choice).utf8)
    }
    if choice.language == .swift {
        for file in try list(sources.pluginKit) where file.pathExtension == "swift" {
            contents["Sources/PluginKit/\(file.lastPathComponent)"] = try read(file)
        }
    }
    let folder = parent.appending(path: choice.name)
    try write(contents, to: folder)
    let isHere = parent.relativePath == "." || parent.path == FileManager.default.currentDirectoryPath
    let place = isHere ? choice.name : folder.path
    let library = "\(place.hasPrefix("/") ? "" : "./")\(place)/\(choice.libraryFile)"
    return ScaffoldResult(
        folder: folder, files: contents.keys.sorted(),
        nextSteps: [
            choice.language == .swift ? "swift build -c release --package-path \(shellWord(place))" : "make -C \(shellWord(place))",
            "southbridge devices \(shellWord(library))",
            "southbridge conform \(shellWord(library)) --level driver",
        ])
}

private func check(name: String, vendor: String) throws(ScaffoldError) {
    let letters = { (byte: UInt8) in (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }
    let fits = name.utf8.allSatisfy {
        letters($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
            || $0 == UInt8(ascii: "_")
    }
    guard let first = name.utf8.first, letters(first), fits, name.utf8.count <= 64 else {
        throw ScaffoldError(
            "'\(oneLine(name))' cannot be a plugin's name: a letter, then letters, digits, '-' and '_', 64 at most")
    }
    guard vendor.utf8.count <= 1000 else { throw ScaffoldError("the vendor's name is longer than 1,000 bytes") }
    guard !vendor.utf8.contains(0) else { throw ScaffoldError("the vendor's name has a zero byte in it") }
}

private func read(_ file: URL) throws(ScaffoldError) -> Data {
    do { return try Data(contentsOf: file) } catch {
        throw ScaffoldError("\(file.path) cannot be read: \(reason(error))")
    }
}

private func list(_ folder: URL) throws(ScaffoldError) -> [URL] {
    do { return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) } catch {
        throw ScaffoldError("\(folder.path) cannot be read: \(reason(error))")
    }
}

/// Writes a new folder, complete or not at all.
private func write(_ contents: [String: Data], to folder: URL) throws(ScaffoldError) {
    let manager = FileManager.default
    let parent = folder.deletingLastPathComponent()
    let partial = parent.appending(path: ".\(folder.lastPathComponent).\(getpid()).partial")
    var status = stat()
    guard lstat(folder.path, &status) != 0 else {
        throw ScaffoldError("\(folder.path) is there already; choose another name, or --output")
    }
    do {
        try manager.createDirectory(at: partial, withIntermediateDirectories: true)
        for (name, data) in contents {
            let file = partial.appending(path: name)
            try manager.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try data.write(to: file)
        }
    } catch {
        try? manager.removeItem(at: partial)
        throw ScaffoldError("\(folder.path) cannot be made: \(reason(error))")
    }
    // Fails over a folder that has come up in the meantime, unless that is empty.
    guard rename(partial.path, folder.path) == 0 else {
        let reason = String(cString: strerror(errno))
        try? manager.removeItem(at: partial)
        throw ScaffoldError("\(folder.path) cannot be made: \(reason)")
    }
}

private func reason(_ error: any Error) -> String {
    if let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError,
        underlying.domain == NSPOSIXErrorDomain
    {
        return String(cString: strerror(Int32(underlying.code)))
    }
    return oneLine(error.localizedDescription)
}

private func oneLine(_ text: String) -> String { text.split(whereSeparator: \.isNewline).joined(separator: " ") }

private func shellWord(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+=:@%".utf8.contains(byte)
    }
    return isPlain ? text : "'\(text.replacingOccurrences(of: "'", with: "'\\''"))'"
}
