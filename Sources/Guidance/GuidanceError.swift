// SPDX-License-Identifier: Apache-2.0

/// What keeps a plan from being made, in one sentence.
package struct GuidanceError: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
