// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import Southbound
import TestSupport
import Testing

/// Each planted fault of the plugin "complete" has to fail the check that names it. Each runs in a process of its own, as in a run of the suite.
@Suite struct FaultyDriverTests {
    static let faults: [(fault: String, check: String)] = [
        ("demands_equal_size", "load/negotiation/later-minor-host"),
        ("demands_equal_version", "load/negotiation/later-minor-host"),
        ("reads_beyond_host", "load/negotiation/shortest-host"),
        ("accepts_other_major_as_its_own", "load/negotiation/other-major-host"),
        ("table_changes", "load/negotiation/entry-twice-equal"),
        ("reserved_not_zero", "load/negotiation/reserved-members-are-zero"),
        ("restart_fails", "load/instances/start-stop-start"),
        ("bad_option_accepted", "load/options/bad-value-refused"),
        ("bad_option_not_named", "load/options/bad-value-refused"),
        ("instances_share_memory", "load/instances/two-side-by-side"),
        ("stop_breaks_others", "load/instances/stopping-one-keeps-the-other"),
        ("start_leaks", "load/process/memory"),
        ("changes_floating_point", "load/process/floating-point-mode"),
        ("changes_locale", "load/process/locale"),
        ("changes_signal", "load/process/signal-handlers"),
        ("changes_folder", "load/process/working-directory"),
        ("closes_standard_input", "load/process/standard-streams"),
        ("leaks_descriptors", "load/process/descriptors"),
        ("leaks_threads", "load/process/threads"),
        ("id_changes", "load/hardware/same-id-in-every-instance"),
        ("same_ids", "load/hardware/different-ids"),
        ("description_changes", "load/hardware/same-answer-while-started"),
        ("alignment_not_a_power", "load/hardware/alignment"),
        ("count_changes", "load/hardware/count-stays"),
        ("largest_untrue", "driver/limits/beyond-the-largest"),
        ("opens_any_index", "driver/devices/no-such-device"),
        ("openings_share_handle", "driver/devices/several-openings"),
        ("close_keeps_usage", "driver/devices/usage-is-per-opening"),
        ("close_leaks", "driver/lifecycle/two-hundred-openings"),
        ("failure_makes_handle", "driver/errors/failure-makes-no-handle"),
        ("failure_without_message", "driver/devices/no-such-device"),
        ("unknown_status", "driver/errors/known-codes"),
        ("message_overruns", "driver/errors/message-fits"),
        ("success_writes_message", "driver/errors/success-leaves-the-error-alone"),
        ("null_error_crashes", "driver/errors/no-detail-wanted"),
        ("ignores_alignment", "driver/memory/addresses-are-aligned"),
        ("ignores_space", "driver/memory/no-such-space"),
        ("full_is_internal", "driver/limits/no-such-memory"),
        ("size_wraps", "driver/limits/no-such-memory"),
        ("buffers_overlap", "driver/memory/addresses-do-not-overlap"),
        ("free_leaks", "driver/lifecycle/ten-thousand-allocations"),
        ("free_keeps_usage", "driver/memory/usage-follows"),
        ("failure_keeps_usage", "driver/memory/usage-after-failure"),
        ("usage_races", "driver/threads/usage-adds-up"),
        ("address_of_a_copy", "driver/host-address/host-writes-are-seen"),
        ("import_copies", "driver/import/not-copied"),
        ("import_writes", "driver/import/stays-the-host-s"),
        ("copy_drops_last_byte", "driver/copy/to-the-device-exactly"),
        ("copy_writes_one_more", "driver/copy/to-the-host-exactly"),
        ("copy_rounds_offset", "driver/copy/to-the-device-exactly"),
        ("copy_ignores_host_offset", "driver/copy/host-offset"),
        ("copy_accepts_any_range", "driver/copy/destination-beyond-its-end"),
        ("copy_range_wraps", "driver/copy/source-beyond-its-end"),
        ("copy_clamps_range", "driver/copy/between-buffers-beyond-an-end"),
        ("copy_refuses_no_bytes", "driver/copy/no-bytes"),
        ("copy_late_without_stream", "driver/copy/source-may-go-after-return"),
        ("copy_shares_staging", "driver/threads/large-copies"),
        ("copy_leaks", "driver/lifecycle/copies"),
        ("fill_value_is_7_bits", "driver/fill/every-value"),
        ("fill_by_words", "driver/fill/exactly"),
        ("stream_out_of_order", "driver/streams/last-write-wins"),
        ("inline_but_queued", "driver/streams/inline-is-done-on-return"),
        ("synchronize_early", "driver/streams/done-after-synchronize"),
        ("query_always_ready", "driver/streams/ready-means-done"),
        ("query_never_ready", "driver/streams/query-after-synchronize"),
        ("destroy_drops_work", "driver/streams/destroy-waits"),
        ("refusal_poisons", "driver/streams/works-after-a-refusal"),
        ("cancel_tells_nobody", "driver/streams/cancelled"),
        ("cancel_sticks", "driver/streams/cancelled"),
        ("stream_leaks", "driver/lifecycle/streams"),
        ("record_once", "driver/events/recorded-again"),
        ("event_early", "driver/events/done-after-synchronize"),
        ("wait_ignored", "driver/events/order-between-streams"),
        ("unrecorded_not_ready", "driver/events/never-recorded"),
        ("elapsed_negative", "driver/events/elapsed"),
        ("event_leaks", "driver/lifecycle/events"),
    ]

    @Test(arguments: faults) func found(fault: String, check: String) async throws {
        let path = try completePlugin(fault: fault)
        let crashes = ["reads_beyond_host", "null_error_crashes"].contains(fault)
        await #expect(processExitsWith: crashes ? .signal(SIGSEGV) : .exitCode(CheckRun.failed)) {
            [path = path as String, check = check as String] in
            try await CheckRun.only(check, path)
        }
    }

    /// A fault that no check is tried on proves nothing.
    @Test func everyFaultIsTried() throws {
        let source = try String(
            contentsOf: repository.appending(path: "Tests/Plugins/complete_types.h"), encoding: .utf8)
        let names = source.components(separatedBy: "enum fault {")[1].components(separatedBy: "};")[0]
            .split(separator: "\n").compactMap {
                $0.split(separator: ",").first.map { $0.trimmingCharacters(in: .whitespaces) }
            }
            .filter { !$0.isEmpty && $0 != "none" && !$0.hasPrefix("/*") }
        #expect(names.sorted() == Self.faults.map(\.fault).sorted())
    }
}

/// Runs checks in this process. Meant for a child process: the checks look at the process as a whole.
enum CheckRun {
    static let failed: Int32 = 7
    static var tellsTimes: Bool { ProcessInfo.processInfo.environment["SOUTHBRIDGE_TEST_TIMES"] != nil }

    /// Ends the process with `failed` if the check fails, with 0 if it passes or the plugin does not offer what it checks.
    /// A race does not show every time: it has ten tries, for one fault that is found is enough, and a right plugin never fails one.
    static func only(_ id: String, _ path: String) async throws {
        Check.rememberProcess()
        guard let check = Check.byID[id] else { exit(0) }
        for _ in 0..<10 where outcome(check, path) != nil { exit(Self.failed) }
        exit(0)
    }

    /// All checks in the order of their ids, like a worker; ends the process with `failed` if one fails.
    ///
    /// - Parameter log: the path of a file for what failed and, with SOUTHBRIDGE_TEST_TIMES set, how long the slowest took.
    static func all(_ path: String, log: String) -> Never {
        guard let file = fopen(log, "w") else { exit(2) }
        setlinebuf(file)
        dup2(fileno(file), STDERR_FILENO)
        Check.rememberProcess()
        var times: [(Double, String)] = []
        var failures = 0
        for check in Check.all.sorted(by: { $0.id < $1.id }) {
            let start = ContinuousClock.now
            let place = ftell(file)
            fputs("\(check.id): the process died\n", file)
            let message = outcome(check, path)
            fseek(file, place, SEEK_SET)
            ftruncate(fileno(file), place)
            if let message {
                failures += 1
                fputs("\(check.id): \(message)\n", file)
            }
            times.append(((ContinuousClock.now - start) / .milliseconds(1), check.id))
        }
        if tellsTimes {
            fputs("\(times.count) checks in \(Int(times.reduce(0) { $0 + $1.0 })) ms\n", file)
            for (time, id) in times.sorted(by: { $0.0 > $1.0 }).prefix(12) { fputs("\(Int(time)) ms \(id)\n", file) }
        }
        fclose(file)
        exit(failures == 0 ? 0 : Self.failed)
    }

    private static func outcome(_ check: Check, _ path: String) -> String? {
        let context = CheckContext(reference: PluginReference(path: path), options: [:], deviceIndex: 0, seed: 7)
        do {
            try check.body(context)
            return nil
        } catch let failure as CheckFailure {
            return failure.status == .unsupported ? nil : failure.message
        } catch {
            return "\(error)"
        }
    }
}
