// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import Southbound
import TestSupport
import Testing

/// The header's text against what the stack knows of it.
@Suite struct HeaderTests {
    struct Untested: Decodable {
        /// Why no case tests the sentence yet, by its identifier.
        let sentences: [String: String]
    }

    @Test func identifiersAreUniqueAndInOrder() throws {
        let identifiers = try HeaderText().identifiers
        #expect(identifiers.count >= 80)
        #expect(Set(identifiers).count == identifiers.count)
        for (group, members) in Dictionary(grouping: identifiers, by: { String($0.dropLast(4)) }) {
            let numbers = members.compactMap { Int($0.suffix(3)) }
            #expect(numbers == Array(1...numbers.count), "\(group) is numbered \(numbers)")
        }
    }

    /// A sentence that binds somebody stands behind an identifier; the comment at the top explains the marks, and binds nobody.
    @Test func everyBindingSentenceHasAnIdentifier() throws {
        for comment in try HeaderText().comments.dropFirst() {
            let free = comment.text.range(of: "[SB-").map { comment.text[..<$0.lowerBound] } ?? Substring(comment.text)
            let words = free.matches(of: /\b(must|shall|never|has to|have to|may not|is refused)\b/).map {
                String($0.0)
            }
            // What NULL or 0 means stands at the member, and is a default, no demand.
            #expect(
                words.isEmpty || free.contains("NULL:"),
                "line \(comment.line): \(words.joined(separator: ", ")) without an identifier")
        }
    }

    @Test func referencesLeadSomewhere() throws {
        let header = try HeaderText()
        let defined = Set(header.identifiers)
        for match in header.text.matches(of: /SB-[A-Z]+-[0-9]{3}/) { #expect(defined.contains(String(match.0))) }
    }

    @Test func everySentenceIsTestedOrListed() throws {
        let file = repository.appending(path: "Conformance/not-yet-tested.json")
        let untested = try JSONDecoder().decode(Untested.self, from: try Data(contentsOf: file)).sentences
        let defined = Set(try HeaderText().identifiers)
        let cited = Case.citedSpecification
        #expect(cited.subtracting(defined).isEmpty, "cited, but not in the header")
        #expect(Set(untested.keys).subtracting(defined).isEmpty, "listed, but not in the header")
        #expect(defined.subtracting(cited).subtracting(untested.keys).isEmpty, "neither cited by a check nor listed")
        #expect(cited.intersection(untested.keys).isEmpty, "listed as not yet tested, but a check cites it")
        for (identifier, reason) in untested { #expect(reason.count > 10, "\(identifier) has no reason") }
    }

    @Test func atMost600LinesOfDeclarations() throws {
        #expect((100...600).contains(try HeaderText().declarationLineCount))
    }

    @Test func onlyThreeHeadersAreIncluded() throws {
        let included = try HeaderText().code.matches(of: /#include [<"](.*)[>"]/).map { String($0.1) }
        #expect(included == ["stdbool.h", "stddef.h", "stdint.h"])
    }

    /// The member table is what the loader requires members by.
    @Test func memberTableSaysWhatTheHeaderSays() throws {
        let written = try HeaderText().structures()
        #expect(written.map(\.name) == Structure.all.map(\.name))
        for (text, table) in zip(written, Structure.all) {
            #expect(text.members.map(\.name) == table.members.map(\.name), "\(text.name)")
            for (member, row) in zip(text.members, table.members) {
                // A struct's own size is always required, and the header says so once.
                #expect(member.isRequired == row.isRequired || row.kind == .size, "\(text.name).\(member.name)")
                #expect(row.isRequired == row.absent.isEmpty, "\(text.name).\(member.name) needs a default, or has one")
            }
        }
    }

    @Test func frozenStructsHaveNoSize() throws {
        let frozen = Structure.all.filter(\.isFrozen).map(\.name)
        let sentence = try #require(try HeaderText().text.firstMatch(of: /except the frozen ones: ([a-z_,*\s]+)\./))
        #expect(sentence.1.matches(of: /sb_\w+/).map { String($0.0) }.sorted() == frozen.sorted())
        for structure in Structure.all {
            #expect((structure.members[0].kind == .size) != structure.isFrozen, "\(structure.name)")
        }
    }
}
