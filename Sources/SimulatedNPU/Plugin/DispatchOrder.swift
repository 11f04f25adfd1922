// SPDX-License-Identifier: Apache-2.0

/// Somebody who waits for a stream, or for a mark in it.
final class Demand {
    let stream: NPUStream
    /// What is waited for has come, whether or not the waiting thread has seen it: nothing more runs for its sake.
    let isMet: () -> Bool
    /// Everything that may run before the stream does: drawn when the demand is first looked at.
    var isLast: Bool?

    init(_ stream: NPUStream, until isMet: @escaping () -> Bool) {
        self.stream = stream
        self.isMet = isMet
    }
}

/// Which stream's next command is carried out: at once and in turn, or as unfavourably as the rules allow.
struct DispatchOrder {
    let isPrompt: Bool
    /// State of the draws (SplitMix64).
    private var state: UInt64
    private var turn = 0
    private var queries = 0
    private var granted = 0

    static func prompt() -> DispatchOrder { DispatchOrder(isPrompt: true, seed: 0) }

    /// Nothing is carried out before somebody waits. Then either all other streams run before the awaited one, or nothing runs that it does not
    /// wait for, as the seed draws.
    static func adversarial(seed: UInt64) -> DispatchOrder { DispatchOrder(isPrompt: false, seed: seed) }

    private init(isPrompt: Bool, seed: UInt64) {
        self.isPrompt = isPrompt
        state = seed
    }

    /// A query that says "not ready" for the 16th time lets one command run: a host that polls gets on.
    mutating func grantsQuery() -> Bool {
        guard !isPrompt else { return false }
        queries += 1
        if queries % 16 == 0 { granted += 1 }
        return granted > 0
    }

    mutating func choose(among streams: [NPUStream], _ demands: [Demand]) -> NPUStream? {
        let runnable = streams.filter(\.isRunnable)
        guard !runnable.isEmpty else { return nil }
        if isPrompt {
            turn += 1
            return runnable[turn % runnable.count]
        }
        let demands = demands.filter { !$0.isMet() }
        guard !demands.isEmpty else {
            guard granted > 0 else { return nil }
            granted -= 1
            return runnable[draw(below: runnable.count)]
        }
        let demand = demands[draw(below: demands.count)]
        if demand.isLast == nil { demand.isLast = draw(below: 2) == 0 }
        if demand.isLast == true {
            let others = runnable.filter { $0 !== demand.stream }
            if !others.isEmpty { return others[draw(below: others.count)] }
        }
        var stream = demand.stream
        while case .wait(let mark)? = stream.next, !mark.isReached { stream = mark.stream }
        return stream.isRunnable ? stream : runnable[draw(below: runnable.count)]
    }

    private mutating func draw(below count: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(count))
    }
}

extension NPUStream {
    fileprivate var isRunnable: Bool {
        switch next {
        case nil: false
        case .wait(let mark): mark.isReached
        default: true
        }
    }
}
