// SPDX-License-Identifier: Apache-2.0

/// The verdict on one case: an element of `cases` in `report.json`, a line of `run.jsonl`.
package struct CaseResult: Codable, Sendable {
    /// Unique and stable between versions: `suite/group/case`.
    package var id: String
    package var suite: String
    package var level: Level
    /// The operator under test, if the case is about one.
    @Nullable package var `operator`: String?
    @Nullable package var dataType: String?
    package var status: Status
    @Nullable package var grade: Grade?
    /// What kind of wrong; for a case that `failed`.
    @Nullable package var failure: FailureKind?
    /// Wall-clock time of the case.
    package var seconds: Double
    @Nullable package var error: Deviation?
    /// For a person: what differs, where, by how much. May hold text that the plugin wrote.
    @Nullable package var message: String?
    /// The command that runs this case again, to be typed in the run's folder.
    @Nullable package var reproducer: String?
    /// How many nodes each device (`npu:0`) really ran, folded ones under `host`. Nil where nothing ran.
    @Nullable package var placement: [String: Int]?
    /// Facts by which it was judged that an answer or a program declared, beside what the kernel or the compiler's table does; nil: none.
    package var declared: [String]?
    /// The sentences of the specification that the case tests, such as `SB-MEM-012`.
    package var specification: [String]

    /// A measured error beside the bound that it must keep. Either may be not finite.
    package struct Deviation: Codable, Equatable, Sendable {
        package var measured: Double
        package var bound: Double
        /// `ulp`, `relative`, `absolute`, `bytes`, ...
        package var unit: String

        package init(measured: Double, bound: Double, unit: String) {
            self.measured = measured
            self.bound = bound
            self.unit = unit
        }
    }

    package init(
        id: String, suite: String, level: Level, operator: String? = nil, dataType: String? = nil,
        status: Status, grade: Grade? = nil, failure: FailureKind? = nil, seconds: Double = 0,
        error: Deviation? = nil, message: String? = nil, reproducer: String? = nil,
        placement: [String: Int]? = nil, specification: [String] = []
    ) {
        self.id = id
        self.suite = suite
        self.level = level
        self.operator = `operator`
        self.dataType = dataType
        self.status = status
        self.grade = grade
        self.failure = failure
        self.seconds = seconds
        self.error = error
        self.message = message
        self.reproducer = reproducer
        self.placement = placement
        self.specification = specification
    }
}
