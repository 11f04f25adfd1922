// SPDX-License-Identifier: Apache-2.0

/// The free stretches of memory that grows at its end, in classes by size: taking and giving back take nearly constant time however many there are
/// (after Masmano et al., "TLSF: a new dynamic memory allocator for real-time systems", 2004).
struct FreeStretches {
    /// Where the memory ends.
    private(set) var end = 0

    private var sizes: [Int: Int] = [:]  // by first byte
    private var beginnings: [Int: Int] = [:]  // by end
    /// First bytes, by class; also of stretches that are gone or have another size by now.
    private var classes = [[Int]](repeating: [], count: 4 * Int.bitWidth)
    private let unit: Int
    /// Stretches of the very class of a request that are looked at: some are too small.
    private static let mostTries = 16

    /// - Parameter unit: what all sizes are multiples of, in bytes.
    init(unit: Int) { self.unit = unit }

    /// Four classes from one power of two to the next.
    private func sizeClass(_ size: Int) -> Int {
        let units = size / unit
        let power = Int.bitWidth - 1 - units.leadingZeroBitCount
        return 4 * power + (power >= 2 ? units >> (power - 2) & 3 : units << (2 - power) & 3)
    }

    /// The offset of `size` bytes that were free, or are new at the end.
    mutating func take(_ size: Int) -> Int {
        if let begin = fitting(size) {
            let room = remove(begin)
            if room > size { add(begin + size, room - size) }
            return begin
        }
        // What is free at the end grows.
        let begin = beginnings[end] ?? end
        if begin < end { remove(begin) }
        end = begin + size
        return begin
    }

    mutating func giveBack(_ begin: Int, _ size: Int) {
        var (begin, size) = (begin, size)
        if let before = beginnings[begin] {
            size += remove(before)
            begin = before
        }
        if sizes[begin + size] != nil { size += remove(begin + size) }
        add(begin, size)
    }

    private mutating func fitting(_ size: Int) -> Int? {
        let own = sizeClass(size)
        while let begin = classes[own].last, sizes[begin].map(sizeClass) != own { classes[own].removeLast() }
        var best: (begin: Int, room: Int)?
        for begin in classes[own].suffix(Self.mostTries) {
            if let room = sizes[begin], room >= size, sizeClass(room) == own, room < best?.room ?? .max { best = (begin, room) }
        }
        if let best { return best.begin }
        for other in (own + 1)..<classes.count {
            while let begin = classes[other].last {
                if let room = sizes[begin], sizeClass(room) == other { return begin }
                classes[other].removeLast()
            }
        }
        return nil
    }

    private mutating func add(_ begin: Int, _ size: Int) {
        sizes[begin] = size
        beginnings[begin + size] = begin
        classes[sizeClass(size)].append(begin)
    }

    @discardableResult
    private mutating func remove(_ begin: Int) -> Int {
        guard let size = sizes.removeValue(forKey: begin) else { return 0 }
        beginnings[begin + size] = nil
        return size
    }
}
