// SPDX-License-Identifier: Apache-2.0

extension Report {
    /// The suite that judged.
    package struct Suite: Codable, Equatable, Sendable {
        package var version: String
        /// Over the suite's own files and the golden data.
        package var digest: String

        package init(version: String, digest: String) {
            self.version = version
            self.digest = digest
        }
    }

    /// The plugin under test, as it described itself. Every string here may be hostile.
    package struct Plugin: Codable, Equatable, Sendable {
        package var name: String
        @Nullable package var vendor: String?
        @Nullable package var version: String?
        /// The version of `southbridge.h` that was negotiated; nil where none was.
        @Nullable package var abi: String?
        package var path: String
        /// Of the library's bytes; nil where there is no file, as behind a foreign worker.
        @Nullable package var digest: String?
        /// Declared numeric facts, such as an accumulator's type.
        package var declaredFacts: [String: JSONValue]
        /// Driver, firmware, runtime, compiler, board: as far as the plugin tells them.
        package var stack: [String: JSONValue]
        package var reached: Reached

        /// How the suite reached the chip. Results of different kinds are never counted together.
        package enum Reached: String, Codable, CaseIterable, Sendable {
            case native
            /// Through another framework or another board's agent, by the worker protocol.
            case bridged
            /// A simulated device.
            case virtual
        }

        package init(
            name: String, vendor: String? = nil, version: String? = nil, abi: String? = nil, path: String,
            digest: String? = nil, declaredFacts: [String: JSONValue] = [:], stack: [String: JSONValue] = [:],
            reached: Reached = .native
        ) {
            self.name = name
            self.vendor = vendor
            self.version = version
            self.abi = abi
            self.path = path
            self.digest = digest
            self.declaredFacts = declaredFacts
            self.stack = stack
            self.reached = reached
        }
    }

    /// The machine that ran the suite.
    package struct Host: Codable, Equatable, Sendable {
        package var cpu: String
        /// Physical cores open to the run.
        package var cores: Int
        package var os: String

        package init(cpu: String, cores: Int, os: String) {
            self.cpu = cpu
            self.cores = cores
            self.os = os
        }
    }

    /// A device of the plugin and its hardware model; in JSON one object, the model's keys beside `device`.
    package struct Device: Equatable, Sendable {
        /// The name that `CaseResult.placement` uses: `npu:0`. A node that ran on any other is a fallback.
        package var id: String
        package var model: [String: JSONValue]

        package init(id: String, model: [String: JSONValue] = [:]) {
            self.id = id
            self.model = model
        }
    }

    /// How the run was made.
    package struct Run: Codable, Equatable, Sendable {
        /// Seeds that the suite draws stay below 2^53, so that every JSON reader keeps them exact.
        package var seed: UInt64
        /// ISO 8601 in UTC: `2026-01-31T09:30:00Z`.
        package var started: String
        /// Wall-clock time; of the last part where a run was resumed.
        package var seconds: Double
        package var command: String
        /// `I/N` of a sharded run.
        @Nullable package var shard: String?
        /// The list of known failures that the run was given; nil: the suite's own.
        @Nullable package var expectedFailures: ExpectedFailuresFile?

        package init(
            seed: UInt64, started: String, seconds: Double = 0, command: String, shard: String? = nil,
            expectedFailures: ExpectedFailuresFile? = nil
        ) {
            self.expectedFailures = expectedFailures
            self.seed = seed
            self.started = started
            self.seconds = seconds
            self.command = command
            self.shard = shard
        }
    }

    /// Which normative sentences of `southbridge.h` the suite's cases test.
    package struct Specification: Codable, Equatable, Sendable {
        /// How many identifiers the header carries.
        package var identifiers: Int
        /// Those that no case cites.
        package var withoutCase: [String]

        package init(identifiers: Int, withoutCase: [String]) {
            self.identifiers = identifiers
            self.withoutCase = withoutCase
        }
    }
}

extension Report.Device: Codable {
    private static let idKey = "device"

    package func encode(to encoder: any Encoder) throws {
        var object = model
        object[Self.idKey] = .string(id)
        try JSONValue.object(object).encode(to: encoder)
    }

    package init(from decoder: any Decoder) throws {
        model = try [String: JSONValue](from: decoder)
        guard case .string(let id)? = model.removeValue(forKey: Self.idKey) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "no name under '\(Self.idKey)'"))
        }
        self.id = id
    }
}
