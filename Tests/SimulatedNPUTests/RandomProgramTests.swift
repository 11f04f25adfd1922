// SPDX-License-Identifier: Apache-2.0
import SimulatedNPUMachine
import Testing

/// What must hold for every program, tried on random ones.
@Suite struct RandomProgramTests {
    /// Loads, products, additions and stores at random places, on four cores, with a barrier now and then.
    private func program(_ config: npu_config, seed: UInt64, cores: UInt32 = 4) -> TestProgram {
        let program = TestProgram(config, cores: cores, slots: [1 << 20, 1 << 20])
        var state = seed &* 2_862_933_555_777_941_757 &+ 3_037_000_493
        func draw(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for step in 0..<60 {
            // Results go to a part of the output that is the core's own.
            let core = draw(Int(cores))
            switch draw(5) {
            case 0:
                program.copy(
                    core: UInt32(core), to: place(NPU_L1, draw(60) * 1024), from: device(0, draw(900) * 1024), bytes: (1 + draw(64)) * 512)
            case 1:
                program.copy(
                    core: UInt32(core), to: place(NPU_VECTORS, draw(32) * 1024), from: device(0, draw(900) * 1024),
                    bytes: (1 + draw(32)) * 512)
            case 2:
                program.multiply(
                    core: UInt32(core), UInt32(1 + draw(64)), UInt32(1 + draw(64)), UInt32(1 + draw(64)), a: draw(60) * 1024,
                    b: 65536 + draw(60) * 1024,
                    accumulators: draw(16) * 1024, accumulate: draw(2) == 0)
            case 3:
                program.add(
                    core: UInt32(core), draw(2) == 0 ? NPU_FLOAT32 : NPU_FLOAT16, count: 1 + draw(2000), to: draw(50) * 1024,
                    draw(50) * 1024, draw(50) * 1024)
            default:
                program.copy(
                    core: UInt32(core), to: device(1, core << 18 | draw(200) * 1024), from: place(NPU_VECTORS, draw(32) * 1024),
                    bytes: (1 + draw(32)) * 512)
            }
            if step % 20 == 19 { program.barrier() }
        }
        #expect(program.fault() == nil)
        return program
    }

    @Test(arguments: [0, 1 << 22])
    func moreOfAnythingIsNeverSlower(l2: UInt64) {
        let resources: [WritableKeyPath<npu_config, Double>] = [
            \.clock, \.float16_rate, \.bfloat16_rate, \.int8_rate, \.vector_float32_rate, \.vector_float16_rate, \.device_bandwidth,
            \.l2_bandwidth,
            \.l1_bandwidth,
        ]
        let latencies: [WritableKeyPath<npu_config, Double>] = [\.device_latency, \.l2_latency]
        for seed in 0..<50 {
            var config = roundConfig(cores: 4)
            config.l2_bytes = l2
            let base = program(config, seed: UInt64(seed)).time().seconds
            func expectNotSlower(_ config: npu_config) {
                let seconds = program(config, seed: UInt64(seed)).time().seconds
                #expect(seconds <= base * (1 + 1e-12), "program \(seed)")
            }
            for resource in resources {
                var better = config
                better[keyPath: resource] *= 2
                expectNotSlower(better)
            }
            for latency in latencies {
                var better = config
                better[keyPath: latency] /= 2
                expectNotSlower(better)
            }
            var better = config
            better.l2_bytes = 1 << 22
            expectNotSlower(better)
        }
    }

    @Test func noProgramBeatsTheRoofline() {
        for seed in 0..<200 {
            var config = roundConfig(cores: 4)
            config.l2_bytes = seed % 2 == 0 ? 0 : 1 << 22
            let (seconds, counters) = program(config, seed: UInt64(seed)).time()
            let floors = [
                Double(counters.device_read + counters.device_written) / config.device_bandwidth,
                Double(counters.l2_read) / config.l2_bandwidth,
                Double(counters.matrix_operations) / (config.float16_rate * config.clock * 4),
                Double(counters.vector_operations) / (config.vector_float16_rate * config.clock * 4),
            ]
            #expect(floors.allSatisfy { $0 <= seconds }, "program \(seed) takes \(seconds) s, its floors are \(floors)")
            #expect(Double(counters.cycles) >= seconds * config.clock - 1)
        }
    }

    /// The bits of the output do not depend on the threads; local memories are poisoned, so that no result hangs on what a core finds there.
    @Test func threadsDoNotChangeBits() throws {
        let bytes = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 8) & 0x3B }
        for seed in 0..<20 {
            var config = roundConfig(cores: 4)
            let program = program(config, seed: UInt64(seed))
            func run(_ threads: UInt32) throws -> [UInt8] {
                let machine = try #require(npu_machine_create(&config, threads, true))
                defer { npu_machine_destroy(machine) }
                var input = bytes
                var output = [UInt8](repeating: 0, count: 1 << 20)
                var message = [CChar](repeating: 0, count: 100)
                let status = input.withUnsafeMutableBytes { input in
                    output.withUnsafeMutableBytes { output in
                        let bindings = [
                            npu_binding(address: input.baseAddress, bytes: 1 << 20),
                            npu_binding(address: output.baseAddress, bytes: 1 << 20),
                        ]
                        return npu_execute(machine, program.raw, bindings, 2, &message, 100)
                    }
                }
                #expect(status == 0)
                return output
            }
            let one = try run(1)
            #expect(try run(2) == one)
            #expect(try run(5) == one)
        }
    }

    @Test func rulesAreChecked() {
        func fault(_ slots: [UInt64] = [4096], _ build: (TestProgram) -> Void) -> String {
            let program = TestProgram(roundConfig(), slots: slots)
            build(program)
            return program.fault() ?? ""
        }
        #expect(
            fault { $0.copy(to: place(NPU_L1, 0), from: device(0, 4000), bytes: 100) }.contains(
                "reaches byte 4100 of a tensor, which has 4096"))
        #expect(fault { $0.copy(to: place(NPU_L1, 1 << 18), from: device(0), bytes: 1) }.contains("of L1, which has 262144"))
        #expect(fault { $0.copy(to: place(NPU_L1, 0), from: device(1), bytes: 1) }.contains("not there"))
        #expect(fault { $0.copy(to: device(0), from: device(0, 64), bytes: 1) }.contains("device memory to device memory"))
        #expect(fault { $0.multiply(16, 16, 0, a: 0, b: 512) }.contains("multiplies nothing"))
        #expect(fault { $0.add(NPU_FLOAT32, count: 4, to: 2, 0, 0) }.contains("not aligned"))
        #expect(fault { $0.add(NPU_FLOAT32, count: 1 << 15, to: 0, 0, 0) }.contains("the vector unit's memory"))
    }
}
