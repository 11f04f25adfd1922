// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

/// The requirement table of `southbridge_members.h` in Swift.
package struct Structure: Sendable {
    package let name: String
    package let size: Int
    /// Never grows, so it has no size of its own.
    package let isFrozen: Bool
    package let writer: Writer
    /// The group whose table this is.
    package let group: String?
    package let groupVersion: UInt32
    package let members: [Member]

    package enum Writer: Sendable { case plugin, host, both }

    package struct Member: Sendable {
        package enum Kind: UInt32, Sendable { case size, number, pointer, function, string, structure }
        package let name: String
        package let offset: Int
        package let size: Int
        package let kind: Kind
        package let isRequired: Bool
        package let minor: UInt32
        /// The member is required if this one is there.
        package let neededWith: String?
        /// What NULL, 0 or empty means.
        package let absent: String
        package var end: Int { offset + size }
    }

    /// Every struct of the header, in its order.
    package static let all: [Structure] = {
        var count = 0
        let rows = southbridge_structures(&count)
        return UnsafeBufferPointer(start: rows, count: count).map { row in
            Structure(
                name: String(cString: row.name), size: row.size, isFrozen: row.frozen,
                writer: row.writer == SOUTHBRIDGE_WRITER_PLUGIN ? .plugin : row.writer == SOUTHBRIDGE_WRITER_HOST ? .host : .both,
                group: row.group.map { String(cString: $0) }, groupVersion: row.group_version,
                members: UnsafeBufferPointer(start: row.members, count: row.member_count).map { member in
                    guard let kind = Member.Kind(rawValue: member.kind) else { preconditionFailure("unknown kind in the member table") }
                    return Member(
                        name: String(cString: member.name), offset: member.offset, size: member.size, kind: kind,
                        isRequired: member.required,
                        minor: member.minor, neededWith: member.needed_with.map { String(cString: $0) },
                        absent: String(cString: member.absent))
                })
        }
    }()

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    package static func named(_ name: String) -> Structure {
        guard let structure = byName[name] else { preconditionFailure("'\(name)' is not in the member table") }
        return structure
    }
}

/// Reads what a plugin hands over. Every pointer, size, count and text is checked before it is used; what a NULL or a wrong address
/// cannot betray is for the worker process to survive.
struct PluginReader {
    /// The plugin's name in errors.
    var plugin: String

    static let longestText = 4096

    /// A full-size copy of a struct that the plugin wrote: members beyond its `size` are 0. Throws unless every required member is there.
    ///
    /// - Parameter subject: what the struct is, for errors: "kernel 3".
    func read<Record: BitwiseCopyable>(_ pointer: UnsafePointer<Record>?, _ name: String, of subject: String) throws(PluginError) -> Record
    {
        let structure = Structure.named(name)
        precondition(structure.size == MemoryLayout<Record>.size)
        guard let pointer else { throw PluginError(.missingTable, plugin: plugin, "\(subject): the \(name) is NULL") }
        let source = UnsafeRawPointer(pointer)
        try checkAlignment(source, "\(subject): the \(name)")
        let size = structure.isFrozen ? structure.size : source.load(as: Int.self)
        if let missing = structure.members.first(where: { $0.isRequired && $0.end > size || size < 0 }) {
            throw PluginError(
                .structTooSmall, plugin: plugin,
                "\(subject): the \(name) has \(UInt(bitPattern: size)) bytes, too few for the required member '\(missing.name)', which ends at byte \(missing.end)"
            )
        }
        let copy = UnsafeMutablePointer<Record>.allocate(capacity: 1)
        defer { copy.deallocate() }
        let target = UnsafeMutableRawPointer(copy)
        target.initializeMemory(as: UInt8.self, repeating: 0, count: structure.size)
        for member in structure.members where member.end <= size {
            (target + member.offset).copyMemory(from: source + member.offset, byteCount: member.size)
        }
        for member in structure.members where isAbsent(member, in: target) {
            let demanding = member.neededWith.flatMap { other in
                structure.members.first { $0.name == other && !isAbsent($0, in: target) }
            }
            guard member.isRequired || demanding != nil else { continue }
            throw absence(of: member, in: name, subject: subject, because: demanding)
        }
        return copy.pointee
    }

    /// NULL or empty. A number is never absent: 0 is a value.
    private func isAbsent(_ member: Structure.Member, in memory: UnsafeMutableRawPointer) -> Bool {
        switch member.kind {
        case .pointer, .function: (memory + member.offset).load(as: UInt.self) == 0
        case .string: (memory + member.offset).load(as: sb_string.self).length == 0
        case .size, .number, .structure: false
        }
    }

    private func absence(
        of member: Structure.Member, in name: String, subject: String, because demanding: Structure.Member?
    ) -> PluginError {
        let reason = demanding.map { "required because '\($0.name)' is there" } ?? "required"
        return switch member.kind {
        case .function:
            PluginError(.missingFunction, plugin: plugin, "\(subject): the function '\(member.name)' of \(name) is \(reason), and NULL")
        case .string:
            PluginError(.invalidDescription, plugin: plugin, "\(subject): the text '\(member.name)' of \(name) is \(reason), and empty")
        default:
            PluginError(.missingTable, plugin: plugin, "\(subject): '\(member.name)' of \(name) is \(reason), and NULL")
        }
    }

    /// A text of the plugin. Throws if it is not UTF-8, is NULL with a length, or is longer than `longestText` bytes.
    func text(_ string: sb_string, _ subject: @autoclosure () -> String) throws(PluginError) -> String {
        if string.length == 0 { return "" }
        guard string.length > 0, string.length <= Self.longestText else {
            throw PluginError(
                .invalidText, plugin: plugin,
                "\(subject()) is \(UInt(bitPattern: string.length)) bytes long; at most \(Self.longestText) are allowed")
        }
        guard let data = string.data else {
            throw PluginError(.invalidText, plugin: plugin, "\(subject()) is NULL with a length of \(string.length)")
        }
        let bytes = UnsafeRawBufferPointer(start: data, count: string.length)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw PluginError(.invalidText, plugin: plugin, "\(subject()) is not UTF-8: '\(String(decoding: bytes, as: UTF8.self))'")
        }
        return text
    }

    /// An array of the plugin, checked for a count that cannot be and a NULL start.
    func array<Element>(
        _ start: UnsafePointer<Element>?, count: Int, atMost limit: Int, _ subject: String
    ) throws(PluginError) -> UnsafeBufferPointer<Element> {
        guard (0...limit).contains(count) else {
            throw PluginError(
                .invalidDescription, plugin: plugin,
                "\(subject): a count of \(UInt(bitPattern: count)) cannot be; at most \(limit) are allowed")
        }
        if count == 0 { return UnsafeBufferPointer(start: nil, count: 0) }
        guard let start else { throw PluginError(.missingTable, plugin: plugin, "\(subject): the list of \(count) entries is NULL") }
        try checkAlignment(UnsafeRawPointer(start), of: MemoryLayout<Element>.alignment, "\(subject): the list")
        return UnsafeBufferPointer(start: start, count: count)
    }

    private func checkAlignment(
        _ pointer: UnsafeRawPointer, of alignment: Int = 8, _ subject: @autoclosure () -> String
    ) throws(PluginError) {
        guard UInt(bitPattern: pointer) % UInt(alignment) == 0 else {
            throw PluginError(.invalidDescription, plugin: plugin, "\(subject()) lies at an address that is not a multiple of \(alignment)")
        }
    }
}
