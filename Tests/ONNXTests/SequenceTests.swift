// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import ONNX
import Tensors
import Testing

/// Sequences are taken apart while a model is read. What they come to is tried by the corpus (`test_sequence_model*`); here is what cannot be taken apart.
@Suite struct SequenceTests {
    private func positions(_ name: String, _ values: [Int64]) -> Wire { tensor(name, type: 7, []).packed(9, values) }

    private func sequenceModel(_ nodes: [Wire], position: Int64 = 0, inputs: [Wire] = [value("x"), value("z")]) -> Wire {
        model(
            graph([node("SequenceConstruct", ["x", "z", "x"], ["s"])] + nodes, inputs: inputs, initialisers: [positions("p", [position])]))
    }

    @Test func leavesOrdinaryNodesAlone() throws {
        let nodes = [node("SequenceErase", ["s", "p"], ["t"]), node("SequenceAt", ["t", "p"], ["y"], name: "at")]
        let graph = try readModel(data: .init(sequenceModel(nodes).bytes)).graph
        #expect(graph.nodes.map(\.operatorName) == ["Identity"])
        #expect(graph[graph.nodes[0].inputs[0]!].name == "z")
    }

    @Test func countsFromTheEnd() throws {
        let graph = try readModel(data: .init(sequenceModel([node("SequenceAt", ["s", "p"], ["y"])], position: -2).bytes)).graph
        #expect(graph[graph.nodes[0].inputs[0]!].name == "z")
    }

    @Test(arguments: [3, -4] as [Int64]) func refusesPositionsOutside(position: Int64) {
        let error = refusal(sequenceModel([node("SequenceAt", ["s", "p"], ["y"])], position: position))
        #expect(error?.description.contains("is outside a sequence of 3") == true, "\(error?.description ?? "read")")
    }

    @Test func refusesWhatIsNotKnownBeforeTheRun() {
        let unknown = sequenceModel(
            [node("SequenceAt", ["s", "q"], ["y"])], inputs: [value("x"), value("z"), value("q", type: 7, [])])
        #expect(refusal(unknown)?.description.contains("'q' is not known before the run") == true)
        let symbolic = model(
            graph([node("SplitToSequence", ["x"], ["s"]), node("SequenceLength", ["s"], ["y"])], inputs: [value("x", ["n"])]))
        #expect(refusal(symbolic)?.description.contains("the length of axis 0 is not known") == true)
    }

    @Test func tellsTensorsFromSequences() {
        #expect(refusal(sequenceModel([node("Relu", ["s"], ["y"])]))?.description.contains("'s', a sequence") == true)
        #expect(refusal(sequenceModel([node("SequenceAt", ["x", "p"], ["y"])]))?.description.contains("which is no sequence") == true)
        #expect(
            refusal(sequenceModel([node("SequenceConstruct", ["x"], ["y"])]))?.description.contains("is a sequence; only tensors") == true)
        #expect(refusal(sequenceModel([node("ConcatFromSequence", ["s"], ["y"])]))?.description.contains("needs attribute 'axis'") == true)
    }
}
