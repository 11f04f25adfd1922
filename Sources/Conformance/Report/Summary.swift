// SPDX-License-Identifier: Apache-2.0

/// How many cases have each status. Written with a key per status, zeros included, and `total`, their sum.
package struct Summary: Equatable, Sendable {
    private var counts: [Status: Int] = [:]
    /// The denominator: every case that the run had to decide.
    package private(set) var total = 0

    package init() {}

    package init(_ cases: some Sequence<CaseResult>) {
        for result in cases { add(result.status) }
    }

    package subscript(status: Status) -> Int { counts[status] ?? 0 }

    package mutating func add(_ status: Status) {
        counts[status, default: 0] += 1
        total += 1
    }

    /// The cases that a person has to look at.
    package var needingAttention: Int {
        Status.allCases.lazy.filter(\.needsAttention).reduce(0) { $0 + self[$1] }
    }
}

extension Summary: Codable {
    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
        static let total = Key(stringValue: "total")
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        for status in Status.allCases {
            try container.encode(self[status], forKey: Key(stringValue: status.rawValue))
        }
        try container.encode(total, forKey: .total)
    }

    /// Throws where a status is missing, a count is negative, or the counts do not sum to `total`.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        for status in Status.allCases {
            let key = Key(stringValue: status.rawValue)
            let count = try container.decode(Int.self, forKey: key)
            let (sum, overflow) = total.addingReportingOverflow(count)
            guard count >= 0, !overflow else {
                throw DecodingError.dataCorruptedError(
                    forKey: key, in: container, debugDescription: "\(count) is not a count")
            }
            if count > 0 { counts[status] = count }
            total = sum
        }
        let stated = try container.decode(Int.self, forKey: .total)
        guard stated == total else {
            throw DecodingError.dataCorruptedError(
                forKey: .total, in: container,
                debugDescription: "\(stated) is stated, but the statuses sum to \(total)")
        }
    }
}
