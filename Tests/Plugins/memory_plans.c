/* SPDX-License-Identifier: Apache-2.0
 *
 * The minimal plugin with a word in the memory plan. PLAN says what it makes of the plan:
 * 0 nothing, 1 everything one place further on, 2 everything in one place, 3 one byte off, 4 less memory than it needs, 5 more than there is, 6 it fails.
 */
#include "southbridge.h"

#define southbridge_plugin minimal_entry
#include "../../VendorExamples/minimal/minimal.c"
#undef southbridge_plugin

static int32_t amend(sb_instance *instance, sb_device *device, sb_memory_plan *plan, sb_error *error) {
    (void)instance;
    (void)device;
    for (size_t i = 0; i < plan->request_count; ++i) {
        if (PLAN == 1) plan->offsets[i] += plan->alignment;
        if (PLAN == 2) plan->offsets[i] = 0;
    }
    if (PLAN == 1) plan->bytes += plan->alignment;
    if (PLAN == 3) plan->offsets[0] += 1, plan->bytes += plan->alignment;
    if (PLAN == 4) plan->bytes = 1;
    if (PLAN == 5) plan->bytes = UINT64_MAX;
    return PLAN == 6 ? sb_fail(error, SB_ERROR_INTERNAL, "no plan is good enough") : SB_OK;
}

static const sb_memory memory = {sizeof memory, amend};
static const sb_group planning_groups[] = {
    {SB_STRING("driver"), 1, 0, &driver}, {SB_STRING("operators"), 1, 0, &operators}, {SB_STRING("memory"), 1, 0, &memory}};

int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    static sb_plugin table;
    int32_t status = minimal_entry(host, plugin, error);
    if (status != SB_OK) return status;
    table = **plugin;
    table.groups = planning_groups;
    table.group_count = 3;
    *plugin = &table;
    return SB_OK;
}
