// SPDX-License-Identifier: Apache-2.0

/// How long a tensor needs its memory: from step `first` to step `last`, both included.
package struct Lifetime: Sendable, Hashable {
    package var byteCount: Int
    package var first: Int
    package var last: Int

    package init(byteCount: Int, first: Int, last: Int) {
        self.byteCount = byteCount
        self.first = first
        self.last = last
    }
}
