// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// A compiler in one of the two languages that the header is for.
struct Compiler: Sendable, CustomTestStringConvertible {
    let program: String
    let standard: String
    var isCPlusPlus: Bool { standard.hasPrefix("c++") }
    var testDescription: String { "\(program) -std=\(standard)" }

    static let all = [
        Compiler(program: "gcc", standard: "c11"), Compiler(program: "g++", standard: "c++17"),
        Compiler(program: "clang", standard: "c11"), Compiler(program: "clang++", standard: "c++17"),
    ]

    /// A compiler that is missing fails the test, unless SOUTHBRIDGE_TEST_WITHOUT names it ("clang,clang++"), which then ends it as known.
    func requireInstalled() throws {
        if try runCommand("which", [program]).status == 0 { return }
        let without = ProcessInfo.processInfo.environment["SOUTHBRIDGE_TEST_WITHOUT"] ?? ""
        let reason = "\(program) is not installed; install it, or set SOUTHBRIDGE_TEST_WITHOUT=\(program)"
        if without.split(separator: ",").contains(Substring(program)) { try Test.cancel("\(reason) (it is set)") }
        throw TestFailure(reason)
    }

    /// Compiles without a warning, or throws what the compiler says.
    func compile(_ source: String) throws {
        let result = try diagnostics(source)
        guard result.status == 0, result.error.isEmpty else {
            throw TestFailure("\(testDescription): \(result.error.prefix(2000))")
        }
    }

    func diagnostics(_ source: String) throws -> CommandResult {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: isCPlusPlus ? "header.cpp" : "header.c")
            try Data(source.utf8).write(to: file)
            return try runCommand(
                program,
                ["-std=\(standard)", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wconversion", "-fsyntax-only"]
                    + ["-I", HeaderText.file.deletingLastPathComponent().path, file.path])
        }
    }
}

@Suite struct CompilerTests {
    /// Uses every constant and macro, so that none is only text.
    private func source() throws -> String {
        let names = try HeaderText().code.matches(of: /(?m)^#define (SB_[A-Z0-9_]+) .+$/).map { String($0.1) }
        let values = names.filter { $0 != "SB_EXPORT" && $0 != "SB_ENTRY_POINT" }
        #expect(values.count > 60)
        return """
            #include "southbridge.h"
            #include "southbridge.h"
            int64_t use(sb_error *error);
            int64_t use(sb_error *error) {
                static const sb_string text = SB_STRING(SB_ENTRY_POINT);
                uint64_t sum = SB_TYPE_BIT(SB_TYPE_INT2) + text.length;
            \(values.map { "    sum += (uint64_t)(\($0));" }.joined(separator: "\n"))
                return (int64_t)(sum & 0xff) + sb_fail(error, SB_ERROR_INTERNAL, text.data);
            }

            """
    }

    @Test(arguments: Compiler.all) func headerAlone(_ compiler: Compiler) throws {
        try compiler.requireInstalled()
        try compiler.compile("#include \"southbridge.h\"\n")
        try compiler.compile(try source())
    }

    /// The check can fail: what is a warning stays one.
    @Test(arguments: Compiler.all) func warningsAreErrors(_ compiler: Compiler) throws {
        try compiler.requireInstalled()
        let result = try compiler.diagnostics(
            "#include \"southbridge.h\"\nint32_t cut(uint64_t x);\nint32_t cut(uint64_t x) { return (x); }\n")
        #expect(result.status != 0 && result.error.contains("onversion"))
    }

    @Test(arguments: Compiler.all.filter { !$0.isCPlusPlus }) func minimalExample(_ compiler: Compiler) throws {
        try compiler.requireInstalled()
        try compiler.compile("#include \"\(repository.appending(path: "VendorExamples/minimal/minimal.c").path)\"\n")
    }

    /// `sb_fail` is the one function that a plugin gets from the header.
    @Test func failTruncates() throws {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "fail.c")
            try Data(
                """
                #include "southbridge.h"
                #include <string.h>
                int main(void) {
                    char text[8] = "......";
                    sb_error error = {sizeof error, 0, 0, 0, text, 4};
                    if (sb_fail(&error, SB_ERROR_TIMEOUT, "late") != SB_ERROR_TIMEOUT || strcmp(text, "lat") || text[4] != '.') return 1;
                    error.capacity = 1;
                    if (sb_fail(&error, 2, "late") != 2 || text[0] != 0 || text[1] != 'a') return 2;
                    error.capacity = 0;
                    if (sb_fail(&error, 3, "x") != 3 || text[0] != 0) return 3;
                    error.message = 0;
                    error.capacity = 9;
                    return sb_fail(&error, 4, "x") != 4 || sb_fail(0, 5, "x") != 5 ? 4 : 0;
                }
                """.utf8
            ).write(to: file)
            let program = folder.appending(path: "fail").path
            let build = try runCommand(
                "cc", ["-std=c11", "-I", HeaderText.file.deletingLastPathComponent().path, "-o", program, file.path])
            #expect(build.status == 0, "\(build.error)")
            #expect(try runCommand(program, []).status == 0)
        }
    }
}
