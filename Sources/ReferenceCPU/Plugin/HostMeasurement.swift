import Glibc
// SPDX-License-Identifier: Apache-2.0
import PluginKit
import ReferenceCPUKernels

/// What a stopwatch says about this machine. Every figure is the best of several tries: others may use the machine, too.
struct HostMeasurement: Sendable {
    /// Hertz of a core at work.
    let clock: UInt64
    /// Vector multiply-adds that a core starts in one cycle.
    let ports: Int
    /// Of memory beyond the caches, by all cores: the best of reading, copying past the caches, and the triad a = b + c·x of J. McCalpin's STREAM.
    let bytesPerSecond: UInt64

    /// Taken once per process, in some tenths of a second.
    static let shared = HostMeasurement()

    private init() {
        let cycles = Self.best(of: 30) { cpu_dependent_products(Self.rounds) }
        let hertz = cycles > 0 && cpu_dependent_products(1) != 0 ? Double(24 * Self.rounds) / cycles : 0
        // Steps of 10 MHz: finer ones are noise.
        clock = UInt64((hertz / 1e7).rounded()) * 10_000_000
        let seconds = Self.best(of: 30) { cpu_multiply_adds(CPU_TYPE_FLOAT32, Self.rounds) }
        let perCycle = hertz > 0 && seconds > 0 ? Double(Self.rounds * cpu_multiply_adds_per_round()) / (seconds * hertz) : 1
        ports = min(max(Int(perCycle.rounded()), 1), 4)
        bytesPerSecond = Self.bandwidth()
    }

    /// Short enough that a try among many is not interrupted.
    private static let rounds: Int64 = 20_000

    /// Seconds of the quickest of some tries.
    private static func best<Result>(of tries: Int, _ work: () -> Result) -> Double {
        var best = UInt64.max
        for _ in 0..<tries {
            let start = monotonicNanoseconds()
            withExtendedLifetime(work()) {}
            best = min(best, monotonicNanoseconds() - start)
        }
        return Double(best) * 1e-9
    }

    private struct Arrays {
        let a, b, c: UnsafeMutableRawPointer
    }

    private static func bandwidth() -> UInt64 {
        let lastCache = HostTopology.shared.caches.last.map { $0.byteCount * $0.count } ?? 0
        // Three arrays, together eight times the last cache, which may be larger than a virtual machine is told; no more than an eighth of the memory.
        let byteCount = min(max(8 * lastCache, 256 << 20), 1 << 30, HostTopology.shared.memoryByteCount / 8) / 3 / 4096 * 4096
        let blocks = (0..<3).map { _ in UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 4096) }
        defer { for block in blocks { block.deallocate() } }
        let pool = ThreadPool(threadCount: HostTopology.shared.coreCount)
        let arrays = Arrays(a: blocks[0], b: blocks[1], c: blocks[2])
        pool.parallel(byteCount, grain: 4096, with: arrays) { context, begin, end in
            let arrays = context!.assumingMemoryBound(to: Arrays.self).pointee
            for array in [arrays.a, arrays.b, arrays.c] { memset(array + begin, 1, end - begin) }
        }
        let triad = best(of: 4) {
            pool.parallel(byteCount / 4, grain: 1 << 16, with: arrays) { context, begin, end in
                let arrays = context!.assumingMemoryBound(to: Arrays.self).pointee
                cpu_triad(
                    arrays.a.assumingMemoryBound(to: Float.self), arrays.b.assumingMemoryBound(to: Float.self),
                    arrays.c.assumingMemoryBound(to: Float.self), 3, Int64(begin), Int64(end))
            }
        }
        // In whole vectors for each thread.
        let copy = best(of: 4) {
            pool.parallel(byteCount / 32, grain: 1 << 13, with: arrays) { context, begin, end in
                let arrays = context!.assumingMemoryBound(to: Arrays.self).pointee
                cpu_copy_past_caches(
                    arrays.a.assumingMemoryBound(to: Float.self), arrays.b.assumingMemoryBound(to: Float.self), Int64(begin * 8),
                    Int64(end * 8))
            }
        }
        // All three, so that the caches hold nothing of the next.
        let read = best(of: 4) {
            for array in blocks {
                pool.parallel(byteCount / 8, grain: 1 << 16, array) { array, begin, end in
                    withExtendedLifetime(cpu_read_all(array!.assumingMemoryBound(to: Int64.self), Int64(begin), Int64(end))) {}
                }
            }
        }
        return UInt64(Double(byteCount) * max(3 / triad, 2 / copy, 3 / read))
    }
}
