// SPDX-License-Identifier: Apache-2.0

/// What a user asks of the memory of a program.
package struct MemoryRules: Sendable {
    /// Where a device has too little memory, constants and values wait on the host. Without it planning fails then.
    package var spilling = true
    /// Host memory for values that wait or are on their way, above which it is a file, in bytes.
    package var stagingFileLimit = 1 << 32
    /// Programs for different input shapes that a session keeps; at least 1.
    package var keptPlans = 4

    package init() {}
}
