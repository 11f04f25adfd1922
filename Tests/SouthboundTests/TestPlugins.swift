// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport

/// The path of the plugin that leaves nothing out, with one fault of `Tests/Plugins/complete_types.h`.
func completePlugin(fault: String = "none", flags: String...) throws -> String {
    try buildPlugin("Tests/Plugins/complete.c", flags: ["-pthread", "-DFAULT=\(fault)"] + flags).path
}

/// The path of the minimal plugin with one fault of `Tests/Plugins/loader_faults.c`.
func loaderFault(_ fault: String, _ flags: String...) throws -> String {
    try buildPlugin("Tests/Plugins/loader_faults.c", flags: ["-DFAULT=\(fault)"] + flags).path
}
