// SPDX-License-Identifier: Apache-2.0
import Foundation
import SwiftProtobuf
import Tensors

/// The bytes of a model or tensor, what keeps them alive, and where files that they name are looked for.
struct ModelSource {
    /// The file's path; for bytes in memory, a name for messages.
    let name: String
    let bytes: UnsafeRawBufferPointer
    let owner: AnyObject
    /// The folder of external data; nil if there is none.
    let folder: String?

    /// Maps a file.
    init(path: String) throws(ONNXError) {
        do {
            let file = try MappedFile(path: path)
            name = path
            bytes = file.bytes
            owner = file
            folder = (path as NSString).deletingLastPathComponent
        } catch { throw .unreadable(error.description) }
    }

    /// Copies `data` once; tensors then view the copy.
    init(data: Data, name: String, folder: String?) {
        let copy = CopiedBytes(data)
        self.name = name
        bytes = UnsafeRawBufferPointer(copy.bytes)
        owner = copy
        self.folder = folder
    }

    /// Parses the bytes as a message whose tensors' `raw_data` are `PayloadReference`s.
    func parse<Parsed: SwiftProtobuf.Message>(_: Parsed.Type, as message: WireScanner.Message, what: String) throws(ONNXError) -> Parsed {
        do {
            let skeleton = try WireScanner(bytes: bytes).skeleton(of: message)
            return try Parsed(serializedBytes: skeleton)
        } catch let error as MalformedMessage {
            throw .unreadable("\(name): not \(what), or damaged: \(error.reason)")
        } catch SwiftProtobuf.BinaryDecodingError.invalidUTF8 {
            throw .unreadable("\(name): not \(what), or damaged: a name is not UTF-8")
        } catch {
            throw .unreadable("\(name): not \(what), or damaged: a field has an impossible value")
        }
    }
}

private final class CopiedBytes: Sendable {
    nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer

    init(_ data: Data) {
        bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: data.count, alignment: 64)
        data.copyBytes(to: bytes)
    }

    deinit { bytes.deallocate() }
}
