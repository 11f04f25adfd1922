// SPDX-License-Identifier: Apache-2.0
import Guidance
import Tensors
import Testing

@Suite struct SmallestSetTests {
    /// Against all sets, in the order of their size.
    @Test(arguments: 0..<60) func noSmallerSetDoes(seed: Int) {
        let random = CounterRandom(seed: UInt64(seed), case: "needs", tensor: "")
        var index: UInt64 = 0
        func draw(_ limit: Int) -> Int {
            index += 1
            return Int(random.integer(index, below: UInt64(limit)))
        }
        let wishCount = 6 + draw(6)
        let needs = (0..<(3 + draw(6))).map { _ in
            (0..<(1 + draw(3))).map { _ in WishSet((0..<(1 + draw(4))).map { _ in draw(wishCount) }) }
        }
        let found = SmallestSet(needs)
        #expect(found.isExact)
        #expect(needs.allSatisfy { $0.contains { $0.isSubset(of: found.wishes) } })
        let least = (0..<(1 << wishCount)).map { mask in WishSet((0..<wishCount).filter { mask & (1 << $0) != 0 }) }
            .filter { set in needs.allSatisfy { $0.contains { $0.isSubset(of: set) } } }.map(\.count).min()
        #expect(found.wishes.count == least)
    }

    /// Without steps to search, what is found does, and is said not to be proven.
    @Test func saysWhereItGaveUp() {
        let needs = (0..<8).map { [WishSet([$0, 8]), WishSet([$0 + 9, 17])] }
        let found = SmallestSet(needs, stepLimit: 1)
        #expect(!found.isExact && needs.allSatisfy { $0.contains { $0.isSubset(of: found.wishes) } })
    }

    @Test func nothingIsNeededForNothing() {
        #expect(SmallestSet([]).wishes.isEmpty)
        #expect(SmallestSet([[WishSet()]]).wishes.isEmpty)
    }
}
