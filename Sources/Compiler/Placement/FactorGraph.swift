// SPDX-License-Identifier: Apache-2.0

/// A sum of tables over discrete variables, minimised by eliminating one variable after the other (bucket elimination; R. Dechter, "Bucket elimination:
/// a unifying framework for reasoning", Artificial Intelligence 113, 1999).
///
/// Exact while no table that an elimination needs is larger than a limit, which holds for trees, chains of blocks with branches, and whatever else falls
/// apart when few variables are taken out. Beyond the limit the variable with most tables keeps the value that it had; the rest is then optimal given these.
struct FactorGraph {
    /// Values of each variable are 0..<size.
    private(set) var sizes: [Int] = []
    private var single: [[Double]] = []
    private var factors: [Factor] = []
    private var byVariable: [[Int32]] = []

    /// A table over some variables; the last one's value changes fastest.
    private struct Factor {
        let scope: [Int32]
        let table: Table
    }

    /// Numbers that stay where they are.
    private final class Table {
        let values: UnsafeMutableBufferPointer<Double>

        init(_ values: [Double]) {
            self.values = .allocate(capacity: max(values.count, 1))
            _ = self.values.initialize(from: values)
        }

        deinit { values.deallocate() }
    }

    struct Solution {
        var values: [Int]
        /// Nothing had to be held.
        var isExact: Bool
        /// Variables that kept their value.
        var held: Set<Int>
    }

    @discardableResult
    mutating func addVariable(size: Int, costs: [Double]? = nil) -> Int {
        sizes.append(size)
        single.append(costs ?? [Double](repeating: 0, count: size))
        byVariable.append([])
        return sizes.count - 1
    }

    mutating func add(costs: [Double], to variable: Int) {
        for value in costs.indices { single[variable][value] += costs[value] }
    }

    /// - Parameter scope: different variables.
    /// - Parameter cost: of their values, in the order of `scope`.
    mutating func addFactor(_ scope: [Int], cost: ([Int]) -> Double) {
        var table: [Double] = []
        var values = [Int](repeating: 0, count: scope.count)
        table.reserveCapacity(scope.reduce(1) { $0 * sizes[$1] })
        repeat { table.append(cost(values)) } while advance(&values, scope)
        // A variable of one value takes part in no table.
        append(Factor(scope: scope.filter { sizes[$0] > 1 }.map(Int32.init), table: Table(table)))
    }

    /// The next combination of values; false after the last one.
    private func advance(_ values: inout [Int], _ scope: [Int]) -> Bool {
        for position in scope.indices.reversed() {
            values[position] += 1
            if values[position] < sizes[scope[position]] { return true }
            values[position] = 0
        }
        return false
    }

    private mutating func append(_ factor: Factor) {
        if factor.scope.count == 1 {
            return add(costs: Array(factor.table.values.prefix(sizes[Int(factor.scope[0])])), to: Int(factor.scope[0]))
        }
        if factor.scope.isEmpty { return }
        for variable in factor.scope { byVariable[Int(variable)].append(Int32(factors.count)) }
        factors.append(factor)
    }

    /// Finds values of least sum. O(variables × limit) time at most.
    ///
    /// - Parameters:
    ///   - start: what a held variable keeps.
    ///   - limit: entries of the largest table.
    ///   - reluctant: variables to be held only if nothing else can be.
    func minimum(from start: [Int], limit: Int, reluctant: Set<Int> = []) -> Solution {
        let run = Elimination(self, limit: limit)
        return run.solve(from: start, reluctant: reluctant)
    }

    /// One minimisation: tables that are used up are gone.
    private final class Elimination {
        private var graph: FactorGraph
        private let limit: Int
        private var isGone: [Bool]
        private var isUsedUp: [Bool]
        private var trace: [(variable: Int, scope: [Int32], best: [UInt16])] = []
        /// Variables by the binary logarithm of the table that their elimination needs; a variable may stand in several, the lowest counts.
        private var queue: [[Int32]]

        init(_ graph: FactorGraph, limit: Int) {
            self.limit = limit
            isGone = [Bool](repeating: false, count: graph.sizes.count)
            isUsedUp = [Bool](repeating: false, count: graph.factors.count)
            queue = [[Int32]](repeating: [], count: Self.bucket(limit) + 2)
            self.graph = graph
        }

        private static func bucket(_ size: Int) -> Int { Int.bitWidth - size.leadingZeroBitCount }

        func solve(from start: [Int], reluctant: Set<Int>) -> Solution {
            var values = start
            var held: Set<Int> = []
            for variable in graph.sizes.indices.reversed() { enqueue(variable) }
            while let variable = next() {
                let scope = neighbours(of: variable)
                if size(scope) * graph.sizes[variable] <= limit {
                    eliminate(variable, scope)
                } else {
                    let all = scope.map(Int.init) + [variable]
                    let free = all.filter { !reluctant.contains($0) }
                    let chosen = (free.isEmpty ? all : free).max {
                        (graph.byVariable[$0].count, graph.sizes[$0]) < (graph.byVariable[$1].count, graph.sizes[$1])
                    }!
                    hold(chosen, at: start[chosen])
                    held.insert(chosen)
                    if chosen != variable { enqueue(variable) }
                }
            }
            for (variable, scope, best) in trace.reversed() {
                values[variable] = Int(best[scope.reduce(0) { $0 * graph.sizes[Int($1)] + values[Int($1)] }])
            }
            return Solution(values: values, isExact: held.isEmpty, held: held)
        }

        private func enqueue(_ variable: Int) { queue[rank(of: variable)].append(Int32(variable)) }

        private func rank(of variable: Int) -> Int {
            let needed = size(neighbours(of: variable)) * graph.sizes[variable]
            return needed > limit ? queue.count - 1 : Self.bucket(needed)
        }

        /// A variable whose elimination needs a small table, about the smallest.
        private func next() -> Int? {
            for bucket in queue.indices {
                while let entry = queue[bucket].popLast() {
                    let variable = Int(entry)
                    if isGone[variable] { continue }
                    let rank = rank(of: variable)
                    if rank <= bucket { return variable }
                    queue[rank].append(entry)
                }
            }
            return nil
        }

        private func size(_ scope: [Int32]) -> Int { scope.reduce(1) { $0 * graph.sizes[Int($1)] } }

        /// Variables that share a table with this one; only some if they are more than any table may have.
        private func neighbours(of variable: Int) -> [Int32] {
            let isUsedUp = isUsedUp
            graph.byVariable[variable].removeAll { isUsedUp[Int($0)] }
            var scope: [Int32] = []
            var product = graph.sizes[variable]
            for index in graph.byVariable[variable] {
                for other in graph.factors[Int(index)].scope where other != Int32(variable) && !scope.contains(other) {
                    scope.append(other)
                    product *= graph.sizes[Int(other)]
                }
                if product > limit { break }
            }
            return scope
        }

        /// Replaces the tables of a variable by one over its neighbours: the least sum over its values.
        private func eliminate(_ variable: Int, _ scope: [Int32]) {
            let used = graph.byVariable[variable].map { graph.factors[Int($0)] }
            let count = size(scope)
            let own = graph.single[variable]
            var strides = [Int](repeating: 0, count: used.count * scope.count)
            var ownStrides = [Int](repeating: 0, count: used.count)
            for (index, factor) in used.enumerated() {
                var stride = 1
                for member in factor.scope.reversed() {
                    if Int(member) == variable {
                        ownStrides[index] = stride
                    } else if let position = scope.firstIndex(of: member) {
                        strides[index * scope.count + position] = stride
                    }
                    stride *= graph.sizes[Int(member)]
                }
            }
            var table = [Double](repeating: .infinity, count: count)
            var best = [UInt16](repeating: 0, count: count)
            var offsets = [Int](repeating: 0, count: used.count)
            var values = [Int](repeating: 0, count: scope.count)
            let sizes = scope.map { graph.sizes[Int($0)] }
            let tables = used.map(\.table.values.baseAddress!)
            for entry in 0..<count {
                for value in own.indices {
                    var sum = own[value]
                    for index in tables.indices { sum += tables[index][offsets[index] + value * ownStrides[index]] }
                    if sum < table[entry] { (table[entry], best[entry]) = (sum, UInt16(value)) }
                }
                for position in scope.indices.reversed() {
                    values[position] += 1
                    let wraps = values[position] == sizes[position]
                    let step = wraps ? 1 - values[position] : 1
                    for index in tables.indices { offsets[index] += step * strides[index * scope.count + position] }
                    if !wraps { break }
                    values[position] = 0
                }
            }
            withExtendedLifetime(used) {}
            trace.append((variable, scope, best))
            retire(variable)
            add(Factor(scope: scope, table: Table(table)))
            for neighbour in scope where graph.byVariable[Int(neighbour)].count <= 16 { enqueue(Int(neighbour)) }
        }

        /// Takes the variable out of all tables.
        private func hold(_ variable: Int, at value: Int) {
            for index in graph.byVariable[variable] where !isUsedUp[Int(index)] {
                let factor = graph.factors[Int(index)]
                let position = factor.scope.firstIndex(of: Int32(variable))!
                let inner = size(Array(factor.scope[(position + 1)...]))
                let block = inner * graph.sizes[variable]
                var rest = factor.scope
                rest.remove(at: position)
                var table: [Double] = []
                let count = factor.table.values.count
                table.reserveCapacity(count / graph.sizes[variable])
                for start in stride(from: value * inner, to: count, by: block) {
                    table += factor.table.values[start..<start + inner]
                }
                isUsedUp[Int(index)] = true
                add(Factor(scope: rest, table: Table(table)))
                for neighbour in rest where graph.byVariable[Int(neighbour)].count <= 16 { enqueue(Int(neighbour)) }
            }
            isGone[variable] = true
        }

        private func retire(_ variable: Int) {
            for index in graph.byVariable[variable] { isUsedUp[Int(index)] = true }
            isGone[variable] = true
        }

        private func add(_ factor: Factor) {
            let before = graph.factors.count
            graph.append(factor)
            if graph.factors.count > before { isUsedUp.append(false) }
        }
    }
}
