/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin that needs a library which it does not name.
 */
#include "southbridge.h"

int32_t function_of_a_driver_that_is_not_installed(void);

int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    (void)host, (void)plugin, (void)error;
    return function_of_a_driver_that_is_not_installed();
}
