// SPDX-License-Identifier: Apache-2.0
import SimulatedNPUMachine
import Testing

/// Times against figures computed by hand, in nanoseconds, within 5 %.
@Suite struct TimingTests {
    private func expectTime(_ program: TestProgram, nanoseconds expected: Double, _ what: Comment) {
        #expect(program.fault() == nil)
        let measured = program.time().seconds * 1e9
        #expect(abs(measured - expected) <= 0.05 * expected, what)
    }

    @Test func oneTile() {
        // Two tiles of 16 x 16 float16 are 512 bytes each: 512 ns + 512 ns on the port, 100 ns until the second is there, 8 + 2 cycles of the
        // matrix unit, 1024 ns for 16 x 16 float32 on the way back, 100 ns until they are there.
        let program = TestProgram(roundConfig(), slots: [1024, 1024])
        program.copy(to: place(NPU_L1, 0), from: device(0), bytes: 512)
        program.copy(to: place(NPU_L1, 512), from: device(0, 512), bytes: 512)
        program.multiply(16, 16, 16, a: 0, b: 512)
        program.copy(to: device(1), from: place(NPU_ACCUMULATORS, 0), bytes: 1024)
        expectTime(program, nanoseconds: 512 + 512 + 100 + 10 + 1024 + 100, "one tile")
    }

    @Test func bandwidthBoundCopy() {
        // Every byte goes over the port twice, in and out; the latencies of 64 pieces hide behind each other.
        let (bytes, piece) = (1 << 20, 1 << 14)
        let program = TestProgram(roundConfig(), slots: [UInt64(bytes), UInt64(bytes)])
        for index in 0..<(bytes / piece) {
            let local = place(NPU_VECTORS, index % 4 * piece)
            program.copy(to: local, from: device(0, index * piece), bytes: piece)
            if index > 0 {
                program.copy(to: device(1, (index - 1) * piece), from: place(NPU_VECTORS, (index - 1) % 4 * piece), bytes: piece)
            }
        }
        program.copy(to: device(1, bytes - piece), from: place(NPU_VECTORS, 3 * piece), bytes: piece)
        expectTime(program, nanoseconds: 2 * Double(bytes) + 200, "a copy at the memory's pace")
    }

    @Test func computeBoundProduct() {
        // 8 x 8 x 8 tiles of two cycles each, 40 times over: the loads before and the store after are small.
        let program = TestProgram(roundConfig(), slots: [65536, 65536])
        program.copy(to: place(NPU_L1, 0), from: device(0), bytes: 32768)
        program.copy(to: place(NPU_L1, 32768), from: device(0, 32768), bytes: 32768)
        for index in 0..<400 { program.multiply(128, 128, 128, a: 0, b: 32768, accumulate: index > 0) }
        expectTime(program, nanoseconds: 65536 + 100 + 400 * Double(8 + 2 * 512), "a product at the matrix unit's pace")
    }

    @Test func perfectOverlap() {
        // A piece takes 1024 ns to load and as long to work on (1016 cycles of 32 elements and 8 to begin); three places let one hide behind the other.
        let (count, piece) = (64, 1024)
        let program = TestProgram(roundConfig(), slots: [UInt64(count * piece)])
        for index in 0..<count {
            let local = index % 3 * piece
            program.copy(to: place(NPU_VECTORS, local), from: device(0, index * piece), bytes: piece)
            work(program, on: local)
        }
        expectTime(program, nanoseconds: Double(count + 1) * 1024 + 100, "loads behind work")
    }

    @Test func impossibleOverlap() {
        // The same in one place: a load waits until the work on the piece before is done, and its latency shows every time.
        let (count, piece) = (64, 1024)
        let program = TestProgram(roundConfig(), slots: [UInt64(count * piece)])
        for index in 0..<count {
            program.copy(to: place(NPU_VECTORS, 0), from: device(0, index * piece), bytes: piece)
            work(program, on: 0)
        }
        expectTime(program, nanoseconds: Double(count) * (1024 + 100 + 1024), "loads and work in turn")
    }

    /// 1024 cycles of work with a value of the piece at `offset`.
    private func work(_ program: TestProgram, on offset: Int) {
        for _ in 0..<4 { program.add(NPU_FLOAT32, count: 248 * 32, to: 16384, 16384, offset, stride: 0) }
    }

    @Test func productThatDoesNotFillTheTile() {
        let times = [(1, 1, 1), (16, 16, 16), (7, 16, 3)].map { m, n, k in
            let program = TestProgram(roundConfig(), slots: [])
            for _ in 0..<100 { program.multiply(UInt32(m), UInt32(n), UInt32(k), a: 0, b: 512) }
            #expect(program.fault() == nil)
            return program.time().seconds
        }
        #expect(times.allSatisfy { $0 == times[0] })
        #expect(abs(times[0] * 1e9 - 1000) < 50)
        let larger = TestProgram(roundConfig(), slots: [])
        for _ in 0..<100 { larger.multiply(17, 16, 16, a: 0, b: 8192) }
        #expect(abs(larger.time().seconds * 1e9 - 1200) < 60)
    }

    @Test func coresShareBandwidth() {
        // Two cores load as much each as one alone: together twice as long, for the memory is one.
        func time(cores: UInt32) -> Double {
            var config = roundConfig(cores: 2)
            config.device_bandwidth = 1e9
            let program = TestProgram(config, cores: cores, slots: [1 << 17])
            for core in 0..<cores {
                program.copy(core: core, to: place(NPU_L1, 0), from: device(0, Int(core) << 16), bytes: 1 << 16)
            }
            #expect(program.fault() == nil)
            return program.time().seconds * 1e9
        }
        #expect(abs(time(cores: 1) - 65636) < 1)
        #expect(abs(time(cores: 2) - 131172) < 1)
    }

    @Test func secondTouchComesFromL2() {
        var config = roundConfig()
        config.l2_bytes = 1 << 20
        let program = TestProgram(config, slots: [1 << 16])
        for _ in 0..<2 { program.copy(to: place(NPU_L1, 0), from: device(0), bytes: 1 << 16) }
        #expect(program.fault() == nil)
        let (seconds, counters) = program.time()
        // Device memory at 1 byte a nanosecond, then L2 at 4; the second waits for the first to be there.
        #expect(abs(seconds * 1e9 - (65536 + 100 + 16384 + 50)) < 1)
        #expect((counters.device_read, counters.l2_read) == (1 << 16, 1 << 16))
    }

    /// Pieces that share lines with their neighbours move every byte once; what comes again is in L2.
    @Test func sharedLinesCountOnce() {
        var config = roundConfig()
        config.l2_bytes = 1 << 20
        let program = TestProgram(config, slots: [6400, 6400])
        for piece in 0..<64 { program.copy(to: place(NPU_L1, piece * 100), from: device(0, piece * 100), bytes: 100) }
        for piece in 0..<64 { program.copy(to: device(1, piece * 100), from: place(NPU_L1, piece * 100), bytes: 100) }
        program.copy(to: place(NPU_L1, 0), from: device(0), bytes: 6400)
        #expect(program.fault() == nil)
        let counters = program.time().counters
        #expect((counters.device_read, counters.device_written, counters.l2_read) == (6400, 6400, 6400))
    }

    /// Less than a line takes a whole one, the first time.
    @Test func smallBurstsTakeLines() {
        var config = roundConfig()
        config.l2_bytes = 1 << 20
        let program = TestProgram(config, slots: [256])
        for piece in 0..<8 { program.copy(to: place(NPU_L1, piece * 64), from: device(0, piece * 32), bytes: 4) }
        #expect(program.fault() == nil)
        let counters = program.time().counters
        #expect((counters.device_read, counters.l2_read) == (256, 256))
    }
}
