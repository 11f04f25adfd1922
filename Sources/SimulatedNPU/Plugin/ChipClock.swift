// SPDX-License-Identifier: Apache-2.0
import SimulatedNPUMachine

/// How long commands take on the chip.
struct CommandTiming: Sendable {
    /// What a command occupies, and for how long, in seconds.
    struct Duration {
        enum Part { case link, peers, memory, cores }
        let part: Part
        let busy: Double
        /// After which its result is there, on top.
        let latency: Double
    }

    let config: npu_config
    let peers: PeerLink

    func copy(_ byteCount: UInt64, _ route: CopyRoute) -> Duration {
        switch route {
        case .withinDevice:
            Duration(part: .memory, busy: 2 * Double(byteCount) / config.device_bandwidth, latency: config.device_latency)
        case .fromPeer: Duration(part: .peers, busy: Double(byteCount) / peers.bandwidth, latency: peers.latency)
        case .toDevice, .fromDevice, .withinHost:
            Duration(part: .link, busy: Double(byteCount) / config.link_bandwidth, latency: config.link_latency)
        }
    }

    func fill(_ byteCount: UInt64) -> Duration {
        Duration(part: .memory, busy: Double(byteCount) / config.device_bandwidth, latency: config.device_latency)
    }

    func program(_ seconds: Double) -> Duration { Duration(part: .cores, busy: config.launch_latency + seconds, latency: 0) }
}

/// The way between two devices: bytes per second, seconds.
struct PeerLink: Sendable {
    let bandwidth, latency: Double
}

/// When the parts of the chip are free.
struct ChipClock {
    private var link = 0.0
    private var peers = 0.0
    private var memory = 0.0
    private var cores = 0.0

    /// When a command that may begin at `time` at the earliest occupies its part of the chip. Its result is there a latency later.
    mutating func place(_ duration: CommandTiming.Duration, from time: Double) -> ClosedRange<Double> {
        func take(_ free: inout Double) -> ClosedRange<Double> {
            let begin = max(free, time)
            free = begin + duration.busy
            return begin...free
        }
        return switch duration.part {
        case .link: take(&link)
        case .peers: take(&peers)
        case .memory: take(&memory)
        case .cores: take(&cores)
        }
    }
}
