// SPDX-License-Identifier: Apache-2.0
import CConformance

/// From here on SIGINT and SIGTERM end a run after the case in flight, with what was decided kept, instead of ending the process.
package func catchInterrupts() { sbc_catch_interrupts() }

/// Whether one of them has come.
package var isInterrupted: Bool { sbc_interrupted() != 0 }
