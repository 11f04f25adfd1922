// SPDX-License-Identifier: Apache-2.0
import Southbound

/// A set of wishes by their numbers in a `WishTable`. The order is of no meaning, and the same in every run.
package struct WishSet: Hashable, Comparable, Sendable {
    package static let capacity = 512
    private var words = SIMD8<UInt64>()

    package init() {}

    package init(_ numbers: some Sequence<Int>) {
        for number in numbers { words[number / 64] |= 1 << UInt64(number % 64) }
    }

    package var isEmpty: Bool { words == SIMD8() }
    package var count: Int { words.indices.reduce(0) { $0 + words[$1].nonzeroBitCount } }
    /// Ascending.
    package var numbers: [Int] { (0..<Self.capacity).filter { words[$0 / 64] & (1 << UInt64($0 % 64)) != 0 } }

    package func contains(_ number: Int) -> Bool { words[number / 64] & (1 << UInt64(number % 64)) != 0 }
    package func isSubset(of other: WishSet) -> Bool { words & ~other.words == SIMD8() }
    package func isDisjoint(with other: WishSet) -> Bool { words & other.words == SIMD8() }
    package func union(_ other: WishSet) -> WishSet { WishSet(words: words | other.words) }
    package func subtracting(_ other: WishSet) -> WishSet { WishSet(words: words & ~other.words) }

    private init(words: SIMD8<UInt64>) { self.words = words }

    package static func < (left: WishSet, right: WishSet) -> Bool {
        guard let word = left.words.indices.first(where: { left.words[$0] != right.words[$0] }) else { return false }
        return left.words[word] < right.words[word]
    }
}

/// Wishes by number.
struct WishTable: Sendable {
    private(set) var wishes: [KernelWish] = []
    private var numbers: [KernelWish: Int] = [:]

    mutating func set(_ wishes: some Sequence<KernelWish>) throws(GuidanceError) -> WishSet {
        var found: [Int] = []
        for wish in wishes.sorted() {
            if numbers[wish] == nil {
                guard self.wishes.count < WishSet.capacity else {
                    throw GuidanceError("these models lack more than \(WishSet.capacity) kernels together: name fewer of them")
                }
                numbers[wish] = self.wishes.count
                self.wishes.append(wish)
            }
            found.append(numbers[wish]!)
        }
        return WishSet(found)
    }

    func wishes(in set: WishSet) -> [KernelWish] { set.numbers.map { wishes[$0] }.sorted() }
}
