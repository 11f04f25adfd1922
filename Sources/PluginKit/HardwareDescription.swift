// SPDX-License-Identifier: Apache-2.0

/// A device described as data; the members are those of `sb_hardware`, 0 and "" mean unknown.
package struct HardwareDescription: Sendable {
    package enum Family: UInt32, Sendable { case other, cpu, gpgpu, npu }

    package struct Space: Sendable {
        package enum Kind: UInt32, Sendable { case device, host, cache, scratch }
        package var name: String
        package var kind: Kind
        package var isAllocatable = false
        package var isHostVisible = false
        /// Of a cache: 1, 2, 3 ...
        package var level: UInt32 = 0
        package var count: UInt32 = 1
        /// Bytes of one.
        package var capacity: UInt64
        /// Bytes per second of all together.
        package var bandwidth: UInt64 = 0
        package var picosecondsLatency: UInt64 = 0
        package var alignment: UInt64 = 64
        /// Largest single allocation in bytes; 0: the capacity.
        package var largest: UInt64 = 0

        package init(name: String, kind: Kind, capacity: UInt64) {
            self.name = name
            self.kind = kind
            self.capacity = capacity
        }
    }

    package struct Unit: Sendable {
        package enum Kind: UInt32, Sendable { case scalar, vector, matrix }
        package var name: String
        package var kind: Kind
        package var count: UInt32
        /// Hertz.
        package var clock: UInt64
        package var tile: (m: UInt32, n: UInt32, k: UInt32) = (0, 0, 0)
        package var rates: [Rate] = []

        package init(name: String, kind: Kind, count: UInt32, clock: UInt64) {
            self.name = name
            self.kind = kind
            self.count = count
            self.clock = clock
        }
    }

    /// Operations per cycle of one unit; a multiply-add is two. Types are `SB_TYPE_*`.
    package struct Rate: Sendable {
        package var dataType: UInt32
        package var accumulatorType: UInt32
        package var perCycle: Double

        package init(dataType: UInt32, accumulatorType: UInt32, perCycle: Double) {
            self.dataType = dataType
            self.accumulatorType = accumulatorType
            self.perCycle = perCycle
        }
    }

    package struct Link: Sendable {
        package enum Kind: UInt32, Sendable { case host, peer }
        package var kind: Kind
        package var peer: UInt32 = 0
        package var bandwidth: UInt64 = 0
        package var picosecondsLatency: UInt64 = 0

        package init(kind: Kind) { self.kind = kind }
    }

    /// A blocked layout of matrices; `value` is what `sb_tensor.layout` has, 1 or more.
    package struct Layout: Sendable {
        package var name: String
        package var value: UInt32
        package var blockRows: UInt32
        package var blockColumns: UInt32

        package init(name: String, value: UInt32, blockRows: UInt32, blockColumns: UInt32) {
            self.name = name
            self.value = value
            self.blockRows = blockRows
            self.blockColumns = blockColumns
        }
    }

    /// The same for the same piece of hardware in every process.
    package var id: String
    package var name: String
    package var family: Family
    package var driver = ""
    package var firmware = ""
    package var serial = ""
    /// Results are real, times and counters are those of a model.
    package var isSimulated = false
    /// Space 0 is the one in which the stack keeps tensors.
    package var spaces: [Space] = []
    package var units: [Unit] = []
    package var links: [Link] = []
    package var layouts: [Layout] = []
    /// From a launch on an idle stream to its first operation.
    package var picosecondsLaunchLatency: UInt64 = 0
    /// Launches that a stream holds before a call waits.
    package var queueDepth: UInt32 = 0
    /// Of a tensor that kernels and programs take; 0: no limit.
    package var largestRank: UInt32 = 0

    package init(id: String, name: String, family: Family) {
        self.id = id
        self.name = name
        self.family = family
    }
}
