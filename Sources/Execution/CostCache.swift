// SPDX-License-Identifier: Apache-2.0
package import Compiler
import Crypto
package import Foundation
import HardwareModel
package import Southbound
import Synchronization

/// Measured costs of kernels, kept in a folder for later runs: a file for each plugin, its options and a device, that is lines of JSON.
///
/// A file is written under another name and renamed, so it is whole or not there. One that cannot be read counts as empty, with a remark.
package final class CostCache: MeasuredCosts {
    private let folder: URL
    private let state = Mutex(State())

    private struct State {
        var tables: [String: [Entry.Key: Double]] = [:]
        var changed: Set<String> = []
        var digests: [String: String] = [:]
        var remarks: [String] = []
    }

    private struct Entry: Codable {
        let node: String
        let kernel: String
        let seconds: Double

        struct Key: Hashable {
            let node: String
            let kernel: String
        }
    }

    /// The first line of a file.
    private struct Header: Codable, Equatable {
        var schema = "southbridge.costs/1"
        let key: String
    }

    package init(folder: URL) { self.folder = folder }

    /// `$SOUTHBRIDGE_CACHE`, else `southbridge` in `$XDG_CACHE_HOME`, else in `~/.cache`.
    package static func standardFolder(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> URL {
        if let folder = environment["SOUTHBRIDGE_CACHE"], !folder.isEmpty { return URL(filePath: folder) }
        if let folder = environment["XDG_CACHE_HOME"], !folder.isEmpty { return URL(filePath: folder).appending(path: "southbridge") }
        return FileManager.default.homeDirectoryForCurrentUser.appending(path: ".cache/southbridge")
    }

    /// Why files were not read, for a person.
    package var remarks: [String] { state.withLock { $0.remarks } }

    package func seconds(_ signature: NodeSignature, kernel: String, of plugin: Plugin, on device: Device) -> Double? {
        state.withLock { state in
            let name = self.name(plugin, device, &state)
            let table = self.table(name, &state)
            // Most devices have nothing measured.
            return table.isEmpty ? nil : table[.init(node: Self.hex(signature.bytes), kernel: kernel)]
        }
    }

    package func store(_ seconds: Double, _ signature: NodeSignature, kernel: String, of plugin: Plugin, on device: Device) {
        state.withLock { state in
            let name = self.name(plugin, device, &state)
            _ = table(name, &state)
            state.tables[name]?[.init(node: Self.hex(signature.bytes), kernel: kernel)] = seconds
            state.changed.insert(name)
        }
    }

    /// Writes what was stored.
    package func save() throws {
        try state.withLock { state in
            for name in state.changed.sorted() {
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                let encoder = JSONEncoder()
                encoder.outputFormatting = .sortedKeys
                let entries = (state.tables[name] ?? [:]).map { Entry(node: $0.node, kernel: $0.kernel, seconds: $1) }
                    .sorted { ($0.node, $0.kernel) < ($1.node, $1.kernel) }
                var data = try encoder.encode(Header(key: name))
                for entry in entries { data += Data("\n".utf8) + (try encoder.encode(entry)) }
                try (data + Data("\n".utf8)).write(to: file(name), options: .atomic)
            }
            state.changed = []
        }
    }

    private func file(_ name: String) -> URL { folder.appending(path: "\(name).costs.jsonl") }

    private func table(_ name: String, _ state: inout State) -> [Entry.Key: Double] {
        if let known = state.tables[name] { return known }
        var table: [Entry.Key: Double] = [:]
        if FileManager.default.fileExists(atPath: file(name).path) {
            do {
                let lines = try Data(contentsOf: file(name)).split(separator: UInt8(ascii: "\n"))
                let decoder = JSONDecoder()
                guard let first = lines.first, try decoder.decode(Header.self, from: Data(first)) == Header(key: name) else {
                    throw CocoaError(.fileReadCorruptFile)
                }
                for line in lines.dropFirst() {
                    let entry = try decoder.decode(Entry.self, from: Data(line))
                    guard entry.seconds.isFinite, entry.seconds >= 0 else { throw CocoaError(.fileReadCorruptFile) }
                    table[.init(node: entry.node, kernel: entry.kernel)] = entry.seconds
                }
            } catch {
                table = [:]
                state.remarks.append(
                    "measured costs in \(file(name).path) are not used: it is no file of this version, or broken; --measure makes it anew")
            }
        }
        state.tables[name] = table
        return table
    }

    /// Of a plugin's file, its options and a device as it is described, which for a simulated chip is all that it is.
    private func name(_ plugin: Plugin, _ device: Device, _ state: inout State) -> String {
        let owner = "\(plugin.identity.path) \(plugin.givenOptions.sorted { $0.key < $1.key }) \(device.name)"
        if let known = state.digests[owner] { return known }
        var hash = SHA256()
        hash.update(data: (try? Data(contentsOf: URL(filePath: plugin.identity.path), options: .alwaysMapped)) ?? Data())
        for (key, value) in plugin.givenOptions.sorted(by: { $0.key < $1.key }) { hash.update(data: Data("\u{0}\(key)\u{0}\(value)".utf8)) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        hash.update(data: (try? encoder.encode(device.model)) ?? Data(device.name.utf8))
        let name = Self.text(hash.finalize().prefix(16))
        state.digests[owner] = name
        return name
    }

    private static func hex(_ bytes: [UInt8]) -> String { text(SHA256.hash(data: bytes).prefix(16)) }

    private static func text(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
