// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import HardwareModel
package import Southbound

/// What the supervisor asks. Members that a kind of request does not use are left out of the JSON.
package struct WorkerRequest: Codable, Sendable {
    package static let protocolVersion = 1

    package enum Kind: String, Codable, Sendable {
        /// First message: `protocol`.
        case hello
        /// Load a plugin and open a device: `plugin`, `name`, `options`, `libraries`, `device`.
        case load
        /// Run a model on the open device: blob 1 is the model (empty: it is in the file `model`), the rest are its inputs as TensorProto in the graph's
        /// order; `folding`; `guarded`: between guards, twice; `strided`: the inputs with a gap behind each element, for one node whose kernel takes strides; `compiling`: the plugin's own compiler is asked first
        /// (left out: as `folding` says).
        case run
        /// Try what `check` names (an aspect of `GraphCase`) on the program that the plugin's compiler makes of a graph: blob 1 is the graph as a model, the rest
        /// are its inputs; `seed`. Only for workers with the capability "programs".
        case program
        /// Let the pass `check` of the plugin rewrite a graph: blob 1 is the graph as a model, the rest are its inputs. Only for workers with the capability
        /// "passes".
        case pass
        /// Do one named check of the levels `load` and `driver`: `check`, `seed`, and the members of `load`.
        case check
        /// Close everything and exit with status 0; there is no reply.
        case end
    }

    package var type: Kind
    package var `protocol`: Int?
    package var plugin: String?
    package var name: String?
    package var options: [String: String]?
    package var libraries: [String]?
    package var device: Int?
    package var folding: Bool?
    package var guarded: Bool?
    package var strided: Bool?
    package var compiling: Bool?
    package var model: String?
    package var check: String?
    package var seed: UInt64?

    package init(_ type: Kind) { self.type = type }
}

package struct WorkerReply: Codable, Sendable {
    package enum Kind: String, Codable, Sendable {
        /// `protocol`, `program`, `capabilities`.
        case hello
        /// `identity`, `devices`, `lender`, `kernels`, `groups`, `programNumerics`, `passes`.
        case loaded
        /// `placement`, `ranBy`, and if the request said `guarded` perhaps `failure` and `message`: what a kernel did to memory; blobs from 1 on are the outputs as TensorProto in the graph's order.
        case ran
        /// `status`, `failure`, `message`; of a pass the outputs of the rewritten graph, blobs from 1 on.
        case checked
        /// `code`, `message`: the request was not carried out.
        case error
    }

    package enum ErrorCode: String, Codable, Sendable {
        /// The plugin could not be negotiated.
        case negotiation
        /// No kernel of the plugin takes some node: the case is unsupported.
        case noKernel
        /// The stack itself does not cover the model: the case is unsupported.
        case notCovered
        /// The model or an input is broken.
        case model
        /// The device or the plugin returned an error.
        case device
        /// The worker's own fault.
        case `internal`
    }

    package struct KernelSummary: Codable, Sendable {
        package var name: String
        package var domain: String
        package var `operator`: String
        package var generic: Bool
        /// Takes inputs with strides; nil from workers that do not tell.
        package var strided: Bool?
        package var since: Int
        /// Nil: no limit.
        package var until: Int?
        /// Bit t: the data type of value t.
        package var dataTypes: UInt64
        /// What the kernel declares about its arithmetic; nil where it declares nothing.
        package var numerics: NumericFacts?
    }

    package var type: Kind
    package var `protocol`: Int?
    package var program: String?
    package var capabilities: [String]?
    package var identity: PluginIdentity?
    package var devices: [DeviceModel]?
    /// Name of the plugin that `devices` are of, where the one under test brings none.
    package var lender: String?
    package var kernels: [KernelSummary]?
    /// Of the header, by name; nil from workers that do not tell.
    package var groups: [String]?
    /// What the plugin's compiler declares about the arithmetic of its programs; nil where it declares nothing.
    package var programNumerics: NumericFacts?
    /// The plugin's passes by name; nil from workers that do not tell.
    package var passes: [String]?
    package var placement: [String: Int]?
    /// Names of the kernels that ran, by node.
    package var ranBy: [String]?
    /// What holds of their arithmetic, by node: of a kernel's or program's own answer, else what it declares. Nil from workers that do not tell.
    package var ranFacts: [NumericFacts]?
    package var status: Status?
    package var failure: FailureKind?
    package var message: String?
    package var code: ErrorCode?

    package init(_ type: Kind) { self.type = type }

    package static func error(_ code: ErrorCode, _ message: String) -> WorkerReply {
        var reply = WorkerReply(.error)
        reply.code = code
        reply.message = message
        return reply
    }
}

extension FrameChannel {
    package func send(_ message: some Encodable, _ blobs: [Data] = []) throws(FrameError) {
        let json: Data
        do { json = try JSONEncoder().encode(message) } catch { throw FrameError(.malformed, "\(error)") }
        try send(Frame([json] + blobs))
    }

    package func receive<Message: Decodable>(_: Message.Type) throws(FrameError) -> (message: Message, blobs: [Data]) {
        let frame = try receive()
        do {
            return (try JSONDecoder().decode(Message.self, from: frame.blobs[0]), Array(frame.blobs.dropFirst()))
        } catch {
            throw FrameError(.malformed, "a message that is not understood: \(error)")
        }
    }
}
