// SPDX-License-Identifier: Apache-2.0

/// What it costs to have a value on other devices than the one that made it, in seconds.
package struct CopyCosts: Sendable {
    /// Seconds that grow with the number of bytes.
    package struct Line: Sendable, Hashable {
        package var latency: Double
        package var secondsPerByte: Double

        package init(latency: Double, secondsPerByte: Double) {
            self.latency = latency
            self.secondsPerByte = secondsPerByte
        }

        package func seconds(_ bytes: Int) -> Double { latency + Double(bytes) * secondsPerByte }

        package static let free = Line(latency: 0, secondsPerByte: 0)
    }

    /// By source and destination; nil where a copy goes by host memory. The diagonal is not looked at.
    package var direct: [[Line?]]
    package var toHost: [Line]
    package var fromHost: [Line]

    package init(direct: [[Line?]], toHost: [Line], fromHost: [Line]) {
        self.direct = direct
        self.toHost = toHost
        self.fromHost = fromHost
    }

    package var deviceCount: Int { toHost.count }

    /// Seconds to bring a value to each of some devices once.
    ///
    /// - Parameters:
    ///   - source: nil: host memory.
    ///   - devices: a bit for each; the source's own does not count.
    ///   - alsoHost: it is wanted in host memory, too.
    package func seconds(_ bytes: Int, from source: Int?, to devices: UInt64, alsoHost: Bool) -> Double {
        var sum = 0.0
        var needsHost = alsoHost
        for device in 0..<deviceCount where devices & (1 << UInt64(device)) != 0 && device != source {
            if let source, let line = direct[source][device] {
                sum += line.seconds(bytes)
            } else {
                sum += fromHost[device].seconds(bytes)
                needsHost = true
            }
        }
        if let source, needsHost { sum += toHost[source].seconds(bytes) }
        return sum
    }
}
