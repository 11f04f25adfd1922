// SPDX-License-Identifier: Apache-2.0

/// Numbers that are joined into sets: union-find with halved paths.
struct DisjointSets {
    private var parents: [Int]

    init(_ count: Int) { parents = Array(0..<count) }

    /// The same for all members of a set.
    mutating func root(_ member: Int) -> Int {
        var member = member
        while parents[member] != member {
            parents[member] = parents[parents[member]]
            member = parents[member]
        }
        return member
    }

    /// False if they are in one set already. The root of `one` becomes that of both.
    @discardableResult
    mutating func join(_ one: Int, _ other: Int) -> Bool {
        let (first, second) = (root(one), root(other))
        parents[second] = first
        return first != second
    }
}
