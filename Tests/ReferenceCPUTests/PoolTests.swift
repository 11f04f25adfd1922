// SPDX-License-Identifier: Apache-2.0
import ReferenceCPU
import Synchronization
import Tensors
import Testing

@Suite struct PoolTests {
    @Test(arguments: [1, 2, 5]) func rangesCoverEverythingOnce(threads: Int) {
        let pool = ThreadPool(threadCount: threads)
        for count in [0, 1, 2, 7, 1000, 100_003] {
            for grain in [1, 10, 5000] {
                var marks = [UInt8](repeating: 0, count: max(count, 1))
                marks.withUnsafeMutableBufferPointer { buffer in
                    pool.parallel(count, grain: grain, UnsafeMutableRawPointer(buffer.baseAddress)) { context, begin, end in
                        for index in begin..<end { context!.assumingMemoryBound(to: UInt8.self)[index] += 1 }
                    }
                }
                #expect(marks.prefix(count).allSatisfy { $0 == 1 })
            }
        }
    }

    /// A body that asks for more threads gets its own; and so do two callers at once.
    @Test func callsMayNestAndCollide() async {
        let pool = ThreadPool(threadCount: 3)
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let sum = Counter()
                    for _ in 0..<200 {
                        withExtendedLifetime((pool, sum)) {
                            pool.parallel(6, with: (Unmanaged.passUnretained(pool), Unmanaged.passUnretained(sum))) { context, begin, end in
                                let (pool, sum) = context!.assumingMemoryBound(to: (Unmanaged<ThreadPool>, Unmanaged<Counter>).self).pointee
                                for _ in begin..<end {
                                    pool.takeUnretainedValue().parallel(5, with: sum) { context, begin, end in
                                        context!.assumingMemoryBound(to: Unmanaged<Counter>.self).pointee.takeUnretainedValue().add(
                                            end - begin)
                                    }
                                }
                            }
                        }
                    }
                    return sum.value
                }
            }
            for await sum in group { #expect(sum == 200 * 6 * 5) }
        }
    }

    private final class Counter: Sendable {
        private let count = Atomic<Int>(0)
        func add(_ more: Int) { count.add(more, ordering: .relaxed) }
        var value: Int { count.load(ordering: .relaxed) }
    }

    @Test(arguments: [1, 2, 4], [false, true]) func productsAreThoseOfTheDefinition(threads: Int, transposed: Bool) {
        let products = MatrixProduct(pool: ThreadPool(threadCount: threads))
        let random = CounterRandom(seed: 1, case: "products", tensor: "data")
        func draw(_ count: Int, _ salt: UInt64) -> [Float] {
            (0..<count).map { Float(random.integer(salt << 32 + UInt64($0), below: 17)) - 8 }
        }
        for (m, n, k, count) in [(1, 1, 1, 1), (3, 5, 0, 1), (67, 130, 33, 1), (200, 9, 40, 1), (9, 200, 40, 3), (8, 8, 8, 7)] {
            let (a, b, start) = (draw(count * m * k, 1), draw(count * k * n, 2), draw(count * m * n, 3))
            var c = start
            let layout = MatrixProduct.Layout(m: m, n: n, k: k, transposeA: transposed, transposeB: transposed)
            products.sgemm(layout, .init(count: count, strideA: m * k, strideB: k * n, strideC: m * n), alpha: 2, a, b, beta: 0.5, &c)
            var isRight = true
            for index in 0..<count {
                for i in 0..<m {
                    for j in 0..<n {
                        var sum: Float = 0
                        for t in 0..<k {
                            sum +=
                                a[index * m * k + (transposed ? t * m + i : i * k + t)]
                                * b[index * k * n + (transposed ? j * k + t : t * n + j)]
                        }
                        let place = index * m * n + i * n + j
                        // Small integers: every order of summation gives the same bits.
                        isRight = isRight && c[place] == 2 * sum + 0.5 * start[place]
                    }
                }
            }
            #expect(isRight, "\(m) × \(n) × \(k), \(count) products")
        }
    }
}
