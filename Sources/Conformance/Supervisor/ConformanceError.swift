// SPDX-License-Identifier: Apache-2.0

/// Why a run could not be made or finished.
package enum ConformanceError: Error, Sendable, CustomStringConvertible {
    /// The user's words: a wrong flag, a folder in use, an input that cannot be read.
    case usage(String)
    /// Ours, or the machine's: a full disk, no processes left.
    case `internal`(String)
    case interrupted(String)

    package var description: String {
        switch self {
        case .usage(let reason), .internal(let reason), .interrupted(let reason): reason
        }
    }
}
