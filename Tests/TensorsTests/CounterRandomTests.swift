// SPDX-License-Identifier: Apache-2.0
import Foundation
import Tensors
import Testing

/// The table that the Python generator wrote: both sides must give the same bits, or every seed means two things.
@Suite struct CounterRandomTests {
    struct KnownAnswer: Decodable {
        var seed: String
        var `case`: String
        var tensor: String
        var index: String
        var word: String
        var uniform: String
        var integerBelow1000: UInt64
        var normal: String
    }

    static func number(_ text: String) throws -> UInt64 {
        try #require(UInt64(text.dropFirst(2), radix: 16))
    }

    @Test func knownAnswers() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        let table = try Data(contentsOf: root.appending(path: "Conformance/Golden/counter-random.json"))
        let answers = try JSONDecoder().decode([KnownAnswer].self, from: table)
        #expect(answers.count == 28)
        for answer in answers {
            let random = CounterRandom(
                seed: try Self.number(answer.seed), case: answer.case, tensor: answer.tensor)
            let index = try Self.number(answer.index)
            #expect(random.word(index) == (try Self.number(answer.word)))
            #expect(random.uniform(index).bitPattern == (try Self.number(answer.uniform)))
            #expect(random.integer(index, below: 1000) == answer.integerBelow1000)
            #expect(random.normal(index).bitPattern == (try Self.number(answer.normal)))
        }
    }

    @Test func boundsOfIntegers() {
        let random = CounterRandom(seed: 7, case: "bounds", tensor: "x")
        for index in 0..<UInt64(1000) {
            #expect(random.integer(index, below: 1) == 0)
            #expect(random.integer(index, below: 3) < 3)
            #expect(random.integer(index, below: 1 << 32) == random.word(index) >> 32)
        }
    }

    @Test func keysAreApart() {
        let keys = [(0, "a", "b"), (1, "a", "b"), (0, "ab", ""), (0, "", "ab"), (0, "b", "a")]
        let words = keys.map { CounterRandom(seed: UInt64($0.0), case: $0.1, tensor: $0.2).word(0) }
        #expect(Set(words).count == keys.count)
    }
}
