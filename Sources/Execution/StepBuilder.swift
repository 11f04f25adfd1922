// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Compiler
import Graph
import Southbound
import Tensors

/// A step of a program before its waits are known.
struct PlannedStep {
    let step: Program.Step
    let lane: Int
    var accesses: [Access]
    var hostReads: [Access] = []
    /// Which of the placement's steps it launches.
    var launch: Int?
    /// Position of the graph input that it copies in.
    var input: Int?
    /// Position of the graph output that it copies out.
    var output: Int?
}

/// Makes the steps of a program of a schedule: what each does, on which lane, and what it touches.
struct StepBuilder {
    private(set) var planned: [PlannedStep] = []
    private(set) var lanes: Lanes
    /// What launches point to.
    let launches = CMemory()
    private let placement: Placement
    private let memory: ProgramMemory
    private let states: [PreparedState?]
    private let devices: [Device]

    init(_ placement: Placement, _ memory: ProgramMemory, devices: [Device], states: [PreparedState?]) {
        self.placement = placement
        self.memory = memory
        self.states = states
        self.devices = devices
        lanes = Lanes(devices)
    }

    /// - Parameter inputScale: see `Program.init`.
    mutating func add(_ scheduled: ScheduledStep, inputs: [HostTensor], inputScale: Int) throws {
        switch scheduled {
        case .input(let position, let slot):
            let copy = try memory.copyIn(to: slot, byteCount: inputs[position].byteCount, &lanes)
            planned.append(PlannedStep(step: copy.step, lane: copy.lane, accesses: [memory.access(slot, writes: true)], input: position))
        case .constant(let value, let slot):
            let copy = try memory.copy(constant: value, to: slot, &lanes)
            planned.append(PlannedStep(step: copy.step, lane: copy.lane, accesses: [memory.access(slot, writes: true)]))
        case .copy(let source, let target):
            let copy = try memory.copy(from: source, to: target, &lanes)
            let accesses = [memory.access(source, writes: false), memory.access(target, writes: true)]
            planned.append(PlannedStep(step: copy.step, lane: copy.lane, accesses: accesses))
        case .launch(let step, let operands, let outputs, let workspace):
            try launch(step, operands, outputs, workspace, inputScale: inputScale)
        }
    }

    private mutating func launch(
        _ index: Int, _ operands: [Operand?], _ outputs: [Int?], _ workspace: Int?, inputScale: Int
    ) throws {
        let placed = placement.steps[index]
        memory.bind(placed, inputs: operands, outputs: outputs)
        let (lane, stream) = try isForeign(placed) ? (0, nil) : lanes.lane(of: placed.device, .compute)
        let step: Program.Step
        switch placed {
        case .node(let node):
            if inputScale > 1 { node.spreadInputs(by: inputScale) }
            let launch = memory.launch(node, state: states[index]!, stream: stream, workspace: workspace, correlation: index + 1)
            step = .launch(node.library.table.launch, launches.allocate(launch))
        case .program(let program):
            let execution = memory.execution(program, stream: stream, workspace: workspace, correlation: index + 1)
            step = .execute(program.program.compiler.table.execute, launches.allocate(execution))
        case .view: return
        }
        var accesses = (outputs + [workspace]).compactMap { $0.map { memory.access($0, writes: true) } }
        var hostReads: [Access] = []
        for (position, operand) in operands.enumerated() {
            guard case .slot(let slot)? = operand else { continue }
            let read = memory.access(slot, writes: false)
            accesses.append(read)
            if placed.kernel?.wantsOnHost(input: position) ?? false { hostReads.append(read) }
        }
        planned.append(PlannedStep(step: step, lane: lane, accesses: accesses, hostReads: hostReads, launch: index))
    }

    /// The kernel's library is not of the device's plugin: the calling thread waits for what the launch touches, and the call does the work (SB-OPS-016).
    private func isForeign(_ placed: PlacedStep) -> Bool {
        guard case .node(let node) = placed else { return false }
        return node.library.plugin !== devices[placed.device].plugin
    }

    /// Adds a copy to the host behind the step that is the last to write the slot.
    mutating func download(_ slot: Int, output: Int) throws {
        let read = memory.access(slot, writes: false)
        let last = planned.lastIndex { step in
            step.accesses.contains { $0.isWrite && $0.memory == read.memory && $0.bytes.overlaps(read.bytes) }
        }
        let copy = try memory.copyOut(from: slot, &lanes)
        planned.insert(
            PlannedStep(step: copy.step, lane: copy.lane, accesses: [read], output: output), at: last.map { $0 + 1 } ?? planned.count)
    }

    /// How many steps earlier a copy may be given to its lane.
    private static let lead = 256

    /// Moves copies of what is there before the run, inputs and constants, forward past steps that do not touch their bytes, so that they go up while earlier
    /// launches work.
    mutating func leadWithUploads() {
        for index in planned.indices where planned[index].isUpload {
            let write = planned[index].accesses[0]
            var target = index
            while target > 0, index - target < Self.lead, !planned[target - 1].isUpload,
                !(planned[target - 1].accesses + planned[target - 1].hostReads).contains(where: {
                    $0.memory == write.memory && $0.bytes.overlaps(write.bytes)
                })
            { target -= 1 }
            if target < index { planned.insert(planned.remove(at: index), at: target) }
        }
    }
}

extension PlannedStep {
    /// Goes to a queue, and reads nothing that the run makes.
    fileprivate var isUpload: Bool { lane > 0 && launch == nil && accesses.count == 1 && accesses[0].isWrite }
}

extension PlacedNode {
    fileprivate func spreadInputs(by scale: Int) {
        for (index, tensor) in descriptor.inputs.enumerated() {
            guard let tensor else { continue }
            let shape = (0..<Int(tensor.pointee.rank)).map { Int(tensor.pointee.shape[$0]) }
            descriptor.setStrides(denseStrides(shape).map { $0 * scale }, ofInput: index)
        }
    }
}
