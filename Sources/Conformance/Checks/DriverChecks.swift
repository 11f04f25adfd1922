// SPDX-License-Identifier: Apache-2.0
import Southbound
import Tensors

let driverChecks: [Check] = [
    Check("driver/copy/round-trip", .driver, ["SB-CPY-001", "SB-CPY-002"]) { context in
        let device = try context.openDevice()
        let random = CounterRandom(seed: context.seed, case: "round-trip", tensor: "bytes")
        let sent = (0..<4096).map { UInt8(truncatingIfNeeded: random.word($0)) }
        let buffer = try device.allocate(byteCount: sent.count)
        try sent.withUnsafeBytes { try device.upload($0, to: buffer) }
        var received = [UInt8](repeating: 0, count: sent.count)
        try received.withUnsafeMutableBytes { try device.download(from: buffer, into: $0) }
        try expect(received == sent, .memory, "4,096 bytes came back changed")
    }
]
