// SPDX-License-Identifier: Apache-2.0

/// The random numbers of one tensor of one case, as docs/random.md defines them: each is a function of (seed, case, tensor, index)
/// alone. There is no state, so any thread may draw any index in any order. `Conformance/Generator/counter_random.py` gives the same bits.
package struct CounterRandom: Sendable {
    private let firstKey: UInt64
    private let secondKey: UInt64

    private static let goldenGamma: UInt64 = 0x9E37_79B9_7F4A_7C15

    package init(seed: UInt64, case caseName: String, tensor: String) {
        let ofCase = Self.mix(Self.mix(seed &+ Self.goldenGamma) &+ Self.fnv1a(caseName))
        firstKey = Self.mix(ofCase &+ Self.fnv1a(tensor))
        secondKey = Self.mix(firstKey ^ 0xD1B5_4A32_D192_ED03)
    }

    /// 64 even bits.
    package func word(_ index: UInt64) -> UInt64 {
        Self.mix(Self.mix(firstKey &+ (index &+ 1) &* Self.goldenGamma) ^ secondKey)
    }

    /// In [0, 1), a multiple of 2^-53. Rounded to a narrower type it may become 1.
    package func uniform(_ index: UInt64) -> Double {
        Double(word(index) >> 11) * 0x1p-53
    }

    /// In 0 ..< `bound`, for 1 ≤ `bound` ≤ 2^32; off from even by less than `bound` / 2^32.
    package func integer(_ index: UInt64, below bound: UInt64) -> UInt64 {
        precondition((1...(1 << 32)).contains(bound), "the bound \(bound) is outside 1 ... 2^32")
        return ((word(index) >> 32) * bound) >> 32
    }

    /// Mean 0, variance 1, within ±6: the sum of twelve 32-bit uniforms (Irwin-Hall), exact in every step.
    /// Uses the words 6 · `index` to 6 · `index` + 5.
    package func normal(_ index: UInt64) -> Double {
        var sum: UInt64 = 0
        for offset in 0..<UInt64(6) {
            let word = word(index &* 6 &+ offset)
            sum &+= (word >> 32) &+ (word & 0xFFFF_FFFF)
        }
        return (Double(sum) - 25_769_803_770) * 0x1p-32
    }

    /// The finaliser of SplitMix64.
    private static func mix(_ input: UInt64) -> UInt64 {
        var value = input
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// 64-bit FNV-1a over the UTF-8 bytes.
    private static func fnv1a(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
