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

/// Makes the folder `name` with a plugin in C that builds and passes the levels `load` and `driver` untouched. All or nothing: the folder is made
/// under another name and then renamed.
///
/// - Parameters:
///   - name: the plugin's, the folder's and the library's: a letter, then letters, digits, '-' and '_'.
///   - vendor: any text; it stands in the plugin's table.
///   - family: `cpu`, `gpgpu` or `npu`.
///   - parent: the folder to make it in.
///   - templates: has a folder `c`.
///   - header: `southbridge.h`, which is copied.
package func scaffold(
    name: String, vendor: String, family: String, into parent: URL, templates: URL, header: URL
) throws(ScaffoldError) -> ScaffoldResult {
    try check(name: name, vendor: vendor)
    guard let constant = ["cpu": "SB_FAMILY_CPU", "gpgpu": "SB_FAMILY_GPGPU", "npu": "SB_FAMILY_NPU"][family] else {
        throw ScaffoldError("there is no family '\(family)'; it is cpu, gpgpu or npu")
    }
    let values = ["@NAME@": name, "@VENDOR@": escapedForC(vendor), "SB_FAMILY_PLACEHOLDER": constant]
    var contents: [String: Data] = ["southbridge.h": try read(header)]
    for (template, file) in [
        ("plugin.c", "\(name).c"), ("Makefile", "Makefile"), ("README.md", "README.md"), ("gitignore", ".gitignore"),
    ] {
        let text = String(decoding: try read(templates.appending(path: "c/\(template)")), as: UTF8.self)
        contents[file] = Data(values.reduce(text) { $0.replacingOccurrences(of: $1.key, with: $1.value) }.utf8)
    }
    let folder = parent.appending(path: name)
    try write(contents, to: folder)
    let place =
        parent.relativePath == "." || parent.path == FileManager.default.currentDirectoryPath ? name : folder.path
    let library = place.hasPrefix("/") ? "\(place)/lib\(name).so" : "./\(place)/lib\(name).so"
    return ScaffoldResult(
        folder: folder, files: contents.keys.sorted(),
        nextSteps: [
            "make -C \(shellWord(place))",
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
        for (name, data) in contents { try data.write(to: partial.appending(path: name)) }
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
