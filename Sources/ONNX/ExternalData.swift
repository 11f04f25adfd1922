// SPDX-License-Identifier: Apache-2.0
import Foundation
import Tensors

/// Files beside a model that hold elements of its tensors. Each is mapped once.
///
/// A model must not be able to reach anything but files in its own folder: absolute paths, `..` and symbolic links that lead out
/// are refused.
final class ExternalData {
    private let folder: String?
    private var files: [String: MappedFile] = [:]

    init(folder: String?) { self.folder = folder }

    /// The `expected` bytes that `external_data` points at, and what keeps them alive.
    func bytes(entries: [Onnx_StringStringEntryProto], expected: Int) throws(ONNXError) -> (UnsafeRawBufferPointer, AnyObject) {
        var values: [String: String] = [:]
        for entry in entries { values[entry.key] = entry.value }
        guard let location = values["location"], !location.isEmpty else { throw .invalid("its external data has no location") }
        let offset = try number(values["offset"], "offset") ?? 0
        let length = try number(values["length"], "length") ?? expected
        guard length == expected else {
            throw .invalid("its external data in '\(location)' has \(length) bytes where type and shape ask for \(expected)")
        }
        let file = try file(at: location)
        guard offset <= file.bytes.count, length <= file.bytes.count - offset else {
            throw .invalid(
                "its external data are \(length) bytes at offset \(offset) of '\(location)', which has only \(file.bytes.count) bytes")
        }
        return (UnsafeRawBufferPointer(rebasing: file.bytes[offset..<offset + length]), file)
    }

    private func number(_ text: String?, _ key: String) throws(ONNXError) -> Int? {
        guard let text else { return nil }
        guard let number = Int(text), number >= 0 else {
            throw .invalid("the \(key) '\(text)' of its external data is not a number of bytes")
        }
        return number
    }

    private func file(at location: String) throws(ONNXError) -> MappedFile {
        if let file = files[location] { return file }
        guard let folder else { throw .invalid("its external data are in '\(location)', but the model does not come from a file") }
        guard !location.hasPrefix("/"), !location.split(separator: "/").contains(".."), !location.utf8.contains(0) else {
            throw .invalid("its external data are in '\(location)', which leaves the model's folder")
        }
        let base = folder.isEmpty ? "." : folder
        guard let root = resolved(base), let path = resolved(base + "/" + location) else {
            throw .invalid("its external data are in '\(location)': \(String(cString: strerror(errno)))")
        }
        guard path.hasPrefix(root.hasSuffix("/") ? root : root + "/") else {
            throw .invalid("its external data are in '\(location)', a link that leaves the model's folder")
        }
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .invalid("its external data are in '\(location)', which is not a regular file")
        }
        do {
            let file = try MappedFile(path: path)
            files[location] = file
            return file
        } catch { throw .unreadable(error.description) }
    }

    private func resolved(_ path: String) -> String? {
        guard let pointer = realpath(path, nil) else { return nil }
        defer { free(pointer) }
        return String(cString: pointer)
    }
}
