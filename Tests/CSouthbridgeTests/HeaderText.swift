// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport

/// `southbridge.h` as text, taken apart.
struct HeaderText {
    struct Comment {
        let line: Int
        let text: String
    }
    struct Member: Hashable {
        let name: String
        let isRequired: Bool
    }

    let text: String
    let comments: [Comment]
    /// With comments replaced by nothing.
    let code: String

    static let file = repository.appending(path: "Sources/CSouthbridge/include/southbridge.h")

    init() throws {
        text = try String(contentsOf: Self.file, encoding: .utf8)
        var (comments, code): ([Comment], String) = ([], "")
        var rest = Substring(text)
        var line = 1
        while let start = rest.range(of: "/*") {
            code += rest[..<start.lowerBound]
            line += rest[..<start.lowerBound].count { $0 == "\n" }
            guard let end = rest.range(of: "*/", range: start.upperBound..<rest.endIndex) else {
                throw TestFailure("a comment of southbridge.h has no end")
            }
            let comment = rest[start.upperBound..<end.lowerBound]
            comments.append(Comment(line: line, text: String(comment)))
            line += comment.count { $0 == "\n" }
            rest = rest[end.upperBound...]
        }
        self.comments = comments
        self.code = code + rest
    }

    /// Identifiers of sentences, in order, where they are defined: in brackets at the start of a comment's line.
    var identifiers: [String] { text.matches(of: /(?m)^ \* \[(SB-[A-Z]+-[0-9]{3})\]/).map { String($0.1) } }

    /// Lines of code that are neither empty nor comment.
    var declarationLineCount: Int {
        code.split(separator: "\n").count { !$0.allSatisfy(\.isWhitespace) }
    }

    /// The structs with a body, in order, and their members with the word "(required)" in the comment behind them.
    func structures() throws -> [(name: String, members: [Member])] {
        try text.matches(of: /(?m)^(?:typedef )?struct (sb_\w+) \{$/).map { match in
            guard let end = text[match.range.upperBound...].range(of: "\n}") else {
                throw TestFailure("\(match.1) has no end")
            }
            return (String(match.1), Self.members(of: String(text[match.range.upperBound..<end.lowerBound])))
        }
    }

    private static func members(of body: String) -> [Member] {
        var members: [Member] = []
        var declaration = ""
        var rest = Substring(body)
        while !rest.isEmpty {
            if rest.hasPrefix("/*") {
                let end = rest.range(of: "*/")?.upperBound ?? rest.endIndex
                rest = rest[end...]
                continue
            }
            let character = rest.removeFirst()
            guard character == ";" else {
                declaration.append(character)
                continue
            }
            // What stands behind a member, on its line or, for the last of a longer comment, on the next ones, is about it.
            let behind = rest.prefix { $0 != "\n" }
            let isRequired = behind.contains("(required)")
            members += names(in: declaration).map { Member(name: $0, isRequired: isRequired) }
            declaration = ""
        }
        return members
    }

    private static func names(in declaration: String) -> [String] {
        if let function = declaration.firstMatch(of: /\(\*(\w+)\)\(/) { return [String(function.1)] }
        return declaration.split(separator: ",").compactMap { $0.matches(of: /\w+/).last.map { String($0.0) } }
    }
}
