// SPDX-License-Identifier: Apache-2.0
import SimulatedNPUMachine

/// What of an iteration space a value depends on: a value that is the same for all rows or all columns is kept once.
struct Extent: OptionSet, Hashable, Sendable {
    let rawValue: UInt8
    init(rawValue: UInt8) { self.rawValue = rawValue }
    static let rows = Extent(rawValue: 1)
    static let columns = Extent(rawValue: 2)
    static let all: Extent = [.rows, .columns]
}

/// Terms as instructions on registers, which are arrays in the vector unit's memory. Knows no sizes yet: the same plan is emitted for every block.
struct VectorPlan {
    enum Place: Hashable {
        case input(Int)
        case register(Int)
        case output(Int)
    }
    enum Operand {
        case place(Place)
        case constant
    }
    struct Register: Hashable {
        let extent: Extent
        let type: npu_type
    }
    struct Step {
        let operation: npu_vector_operation
        /// What is computed; for a reduction, what is reduced.
        let extent: Extent
        let destination: Place
        let operands: [Operand]
        let parameter: Double
        let flags: UInt32
        let isReduction: Bool
    }

    struct Output {
        /// In the phase's list.
        let index: Int
        let term: Term
        let type: npu_type
        let extent: Extent
        /// An input that has the order of the output in local memory.
        let forwardable: Set<Int>
    }

    private(set) var steps: [Step] = []
    private(set) var registers: [Register] = []
    /// Inputs that the steps read.
    private(set) var inputs: Set<Int> = []
    /// Outputs that are an input as it is: stored from its buffer.
    private(set) var forwarded: [Int: Int] = [:]

    private let extents: [Extent]
    private var places: [ObjectIdentifier: Place] = [:]
    private var uses: [ObjectIdentifier: Int] = [:]
    private var free: [Register: [Int]] = [:]

    /// Results to be computed: `outputs` by their place in the phase's list, `kept` reductions to stay in registers for later plans.
    /// - Parameters:
    ///   - extents: of the inputs.
    ///   - registers: those of earlier plans, which keep their numbers.
    ///   - known: reductions that earlier plans have left in registers.
    init(
        outputs: [Output], kept: [Term] = [], extents: [Extent], registers: [Register] = [], known: [ObjectIdentifier: Int] = [:]
    ) {
        self.extents = extents
        self.registers = registers
        for (id, register) in known { places[id] = .register(register) }
        let taken = Set(known.values)
        for (index, register) in registers.enumerated() where !taken.contains(index) { free[register, default: []].append(index) }
        for term in kept { count(term) }
        for output in outputs { count(output.term) }
        // Kept ones are used once more than the steps do.
        for term in kept { uses[ObjectIdentifier(term), default: 0] += 1 }
        for id in known.keys { uses[id, default: 0] += 1 }
        // Their registers are no others': they go on from piece to piece, while those in between are computed anew.
        let first = self.registers.count
        for term in kept { self.registers.append(Register(extent: extent(of: term), type: term.type ?? NPU_FLOAT32)) }
        for (index, term) in kept.enumerated() { compute(term, to: .register(first + index)) }
        for output in outputs { write(output) }
    }

    /// Registers of the reductions that were computed or known.
    func registers(of terms: [Term]) -> [ObjectIdentifier: Int] {
        var result: [ObjectIdentifier: Int] = [:]
        for term in terms {
            if case .register(let register)? = places[ObjectIdentifier(term)] { result[ObjectIdentifier(term)] = register }
        }
        return result
    }

    static func extent(of term: Term, inputs: [Extent]) -> Extent {
        switch term.kind {
        case .input(let index): inputs[index]
        case .constant: []
        case .elementwise(NPU_V_ROW, _, _): .rows
        case .elementwise(NPU_V_COLUMN, _, _): .columns
        case .elementwise(_, let operands, _): operands.reduce([]) { $0.union(extent(of: $1, inputs: inputs)) }
        case .reduction(_, let operand, _): extent(of: operand, inputs: inputs).subtracting(.columns)
        }
    }

    private mutating func count(_ term: Term) {
        let id = ObjectIdentifier(term)
        uses[id, default: 0] += 1
        if uses[id]! > 1 || places[id] != nil { return }
        switch term.kind {
        case .input, .constant: return
        case .elementwise(_, let operands, _): for operand in operands { count(operand) }
        case .reduction(_, let operand, _): count(operand)
        }
    }

    private mutating func write(_ output: Output) {
        let id = ObjectIdentifier(output.term)
        let destination = Place.output(output.index)
        if case .input(let input) = output.term.kind, output.forwardable.contains(input), output.term.type == output.type {
            inputs.insert(input)
            forwarded[output.index] = input
        } else if places[id] == nil, uses[id] == 1, output.term.isOperation(spreading: extent(of: output.term) != output.extent) {
            compute(output.term, to: destination, extent: output.extent)
        } else {
            let (operands, parameter) = operands(of: [output.term], parameter: 0)
            emit(NPU_V_COPY, extent: output.extent, destination, operands, parameter)
            release(output.term)
        }
    }

    private func extent(of term: Term) -> Extent { Self.extent(of: term, inputs: extents) }

    private mutating func place(of term: Term) -> Place {
        if let place = places[ObjectIdentifier(term)] { return place }
        if case .input(let index) = term.kind {
            inputs.insert(index)
            return .input(index)
        }
        return compute(term, to: nil)
    }

    /// Operands are released before the result's register is taken, so that it may be one of theirs.
    @discardableResult
    private mutating func compute(_ term: Term, to destination: Place?, extent wanted: Extent? = nil) -> Place {
        switch term.kind {
        case .input, .constant: preconditionFailure("an input or a constant is not computed")
        case .elementwise(let operation, let terms, let parameter):
            let (operands, parameter) = operands(of: terms, parameter: parameter)
            for term in terms { release(term) }
            let destination = destination ?? .register(take(term, extent(of: term)))
            emit(operation, extent: wanted ?? extent(of: term), destination, operands, parameter)
            places[ObjectIdentifier(term)] = destination
            return destination
        case .reduction(let operation, let operand, let flags):
            let (operands, parameter) = operands(of: [operand], parameter: 0)
            // The result is shorter than the operand and must not lie in it.
            let destination = destination ?? .register(take(term, extent(of: term)))
            release(operand)
            steps.append(
                Step(
                    operation: operation, extent: extent(of: operand), destination: destination, operands: operands, parameter: parameter,
                    flags: flags, isReduction: true))
            places[ObjectIdentifier(term)] = destination
            return destination
        }
    }

    /// An instruction has one constant: another one becomes a register.
    private mutating func operands(of terms: [Term], parameter: Double) -> ([Operand], Double) {
        var (result, parameter, isTaken) = ([Operand](), parameter, false)
        for term in terms {
            guard case .constant(let value) = term.kind else {
                result.append(.place(place(of: term)))
                continue
            }
            if isTaken && value.bitPattern != parameter.bitPattern {
                let type = terms.lazy.compactMap(\.type).first { $0 != NPU_BOOL } ?? NPU_FLOAT32
                let register = take(Register(extent: [], type: type))
                steps.append(
                    Step(
                        operation: NPU_V_COPY, extent: [], destination: .register(register), operands: [.constant], parameter: value,
                        flags: 0,
                        isReduction: false))
                result.append(.place(.register(register)))
            } else {
                (parameter, isTaken) = (value, true)
                result.append(.constant)
            }
        }
        return (result, parameter)
    }

    private mutating func emit(
        _ operation: npu_vector_operation, extent: Extent, _ destination: Place, _ operands: [Operand], _ parameter: Double
    ) {
        steps.append(
            Step(
                operation: operation, extent: extent, destination: destination, operands: operands, parameter: parameter, flags: 0,
                isReduction: false))
    }

    private mutating func take(_ term: Term, _ extent: Extent) -> Int { take(Register(extent: extent, type: term.type ?? NPU_FLOAT32)) }

    private mutating func take(_ register: Register) -> Int {
        if let index = free[register]?.popLast() { return index }
        registers.append(register)
        return registers.count - 1
    }

    private mutating func release(_ term: Term) {
        let id = ObjectIdentifier(term)
        uses[id, default: 1] -= 1
        guard uses[id] == 0, case .register(let index)? = places[id] else { return }
        free[registers[index], default: []].append(index)
    }
}

extension Term {
    /// Whether an instruction gives it, also where the same value is wanted in many places.
    fileprivate func isOperation(spreading: Bool) -> Bool {
        switch kind {
        case .input, .constant: false
        case .elementwise: true
        case .reduction: !spreading
        }
    }
}
