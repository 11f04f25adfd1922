// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation
import Southbound
import TestSupport
import Testing

/// Each fault of a library has one clear error of its own, with the exit code of a negotiation failure.
@Suite struct LoaderTests {
    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        let code: PluginError.Code
        /// Words that the message must have for a person to find the fault.
        let words: [String]
        init(_ name: String, _ code: PluginError.Code, _ words: String...) {
            self.name = name
            self.code = code
            self.words = words
        }
        var testDescription: String { name }
    }

    static let faults = [
        Fault("entry_fails", .entryFailed, "refuses this host", "this chip needs a later host"),
        Fault("no_table", .missingTable, "NULL"),
        Fault("wrong_major", .wrongMajorVersion, "7.0", "0.4"),
        Fault("plugin_too_small", .structTooSmall, "sb_plugin", "groups"),
        Fault("driver_too_small", .structTooSmall, "sb_driver", "copy"),
        Fault("kernel_too_small", .structTooSmall, "kernel 1", "sb_kernel"),
        Fault("null_open", .missingFunction, "open", "sb_driver"),
        Fault("null_launch", .missingFunction, "launch", "sb_operators"),
        Fault("null_kernel", .missingTable, "kernel 1"),
        Fault("prepare_without_release", .missingFunction, "release", "prepare"),
        Fault("no_group", .noGroup, "driver", "operators"),
        Fault("unknown_groups_only", .noGroup, "driver", "operators"),
        Fault("group_twice", .duplicateGroup, "driver"),
        Fault("null_group_table", .missingTable, "operators"),
        Fault("too_many_groups", .invalidDescription, "groups", "18446744073709551615"),
        Fault("duplicate_kernel", .duplicateKernel, "relu_float32"),
        Fault("kernel_without_operator", .invalidDescription, "kernel 1", "operator_name"),
        Fault("kernel_ends_before_it_starts", .invalidDescription, "relu_again"),
        Fault("name_not_utf8", .invalidText, "UTF-8"),
        Fault("name_not_identifier", .invalidDescription, "my chip"),
        Fault("name_empty", .invalidDescription, "name", "empty"),
        Fault("vendor_null_with_length", .invalidText, "vendor", "NULL"),
        Fault("kernel_name_too_long", .invalidText, "kernel 1", "5000"),
        Fault("option_twice", .invalidDescription, "depth", "twice"),
        Fault("option_default_wrong", .invalidDescription, "depth", "deep"),
        Fault("no_device", .noDevice, "no device"),
        Fault("too_many_devices", .invalidDescription, "100000"),
        Fault("start_fails", .startFailed, "firmware is too old"),
        Fault("misaligned_table", .invalidDescription, "multiple of 8"),
    ]

    @Test(arguments: faults) func refused(_ fault: Fault) throws {
        let path = try loaderFault(fault.name)
        let error = try #require(throws: PluginError.self) { _ = try Plugin.load(PluginReference(path: path)) }
        #expect(error.code == fault.code, "\(error)")
        #expect(error.isNegotiationFailure)
        for word in fault.words { #expect(error.message.contains(word)) }
        #expect(!error.message.contains("\n") && error.message.count < 400)
    }

    @Test func theSamePluginWithoutFault() throws {
        let plugin = try Plugin.load(PluginReference(path: loaderFault("none")))
        #expect(plugin.library?.kernels.map(\.name) == ["relu_float32", "relu_again"])
    }

    @Test func laterMinorVersionIsTaken() throws {
        let plugin = try Plugin.load(PluginReference(path: loaderFault("later_minor")))
        #expect(plugin.identity.abi == "0.\(SB_VERSION_MINOR + 3)")
    }

    @Test func noEntryPoint() throws {
        let path = try loaderFault("none", "-DWITHOUT_ENTRY")
        let error = try #require(throws: PluginError.self) { _ = try Plugin.load(PluginReference(path: path)) }
        #expect(error.code == .noEntryPoint && error.message.contains("southbridge_plugin"))
    }

    @Test func notALibrary() throws {
        try withTemporaryFolder { folder in
            let text = folder.appending(path: "text.so")
            try Data("This is no library, whatever its name says.\n".utf8).write(to: text)
            try expectCode(.notALibrary, text.path)
            let empty = folder.appending(path: "empty.so")
            try Data().write(to: empty)
            try expectCode(.notALibrary, empty.path)
        }
    }

    @Test func truncatedLibrary() throws {
        let whole = try Data(contentsOf: URL(filePath: loaderFault("none")))
        try withTemporaryFolder { folder in
            for count in [64, 200, whole.count / 2] {
                let cut = folder.appending(path: "cut-\(count).so")
                try whole.prefix(count).write(to: cut)
                try expectCode(.notALibrary, cut.path)
            }
        }
    }

    @Test func libraryOfAnotherMachine() throws {
        var library = try Data(contentsOf: URL(filePath: loaderFault("none")))
        library[18] = 0xF3  // e_machine: RISC-V
        library[19] = 0
        try withTemporaryFolder { folder in
            let foreign = folder.appending(path: "foreign.so")
            try library.write(to: foreign)
            try expectCode(.notALibrary, foreign.path, "another kind of processor")
        }
    }

    @Test func missingFileAndFolder() throws {
        try withTemporaryFolder { folder in
            try expectCode(.cannotOpen, folder.appending(path: "nowhere.so").path, "No such file")
            try expectCode(.cannotOpen, folder.path, "a folder")
        }
    }

    @Test func missingSymbolOfAnotherLibrary() throws {
        try expectCode(
            .cannotOpen, try buildPlugin("Tests/Plugins/unresolved.c").path,
            "function_of_a_driver_that_is_not_installed")
    }

    private func expectCode(_ code: PluginError.Code, _ path: String, _ words: String = "") throws {
        let error = try #require(throws: PluginError.self) { _ = try Plugin.load(PluginReference(path: path)) }
        #expect(error.code == code, "\(error)")
        #expect(error.description.contains(path))
        if !words.isEmpty { #expect(error.message.contains(words), "\(error)") }
    }
}
