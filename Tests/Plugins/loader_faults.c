/* SPDX-License-Identifier: Apache-2.0
 *
 * The minimal plugin with one fault that the loader has to find before anything is called: -DFAULT=NAME.
 */
#define southbridge_plugin base_plugin
#include "../../VendorExamples/minimal/minimal.c"
#undef southbridge_plugin

enum fault {
    none,
    entry_fails,
    no_table,
    wrong_major,
    plugin_too_small,
    driver_too_small,
    kernel_too_small,
    null_open,
    null_launch,
    null_kernel,
    prepare_without_release,
    no_group,
    unknown_groups_only,
    group_twice,
    null_group_table,
    too_many_groups,
    duplicate_kernel,
    kernel_without_operator,
    kernel_ends_before_it_starts,
    name_not_utf8,
    name_not_identifier,
    name_empty,
    vendor_null_with_length,
    kernel_name_too_long,
    option_twice,
    option_default_wrong,
    no_device,
    too_many_devices,
    start_fails,
    misaligned_table,
    later_minor,
};
#ifndef FAULT
#define FAULT none
#endif

static int32_t prepare(sb_instance *instance, sb_device *device, const sb_node *node, sb_state **state, sb_error *error) {
    (void)instance, (void)device, (void)node, (void)state;
    return sb_fail(error, SB_ERROR_UNSUPPORTED, "never called");
}

static int32_t count(sb_instance *instance, uint32_t *devices, sb_error *error) {
    (void)instance, (void)error;
    *devices = FAULT == no_device ? 0 : 100000;
    return SB_OK;
}

static int32_t start(const sb_host *host, const sb_option *given, size_t given_count, sb_instance **instance, sb_error *error) {
    (void)host, (void)given, (void)given_count, (void)instance;
    return sb_fail(error, SB_ERROR_INTERNAL, "the chip's firmware is too old");
}

/* A plugin of a later minor version: everything has grown at its end. */
struct later_plugin {
    sb_plugin known;
    uint64_t new_members[8];
};

#define SET_NAME(string, text)                                                                                                             \
    (string) = (sb_string) {                                                                                                               \
        (text), sizeof(text) - 1                                                                                                           \
    }

#ifndef WITHOUT_ENTRY
SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error) {
    static struct later_plugin made;
    static sb_driver made_driver;
    static sb_operators made_operators;
    static sb_kernel first, second;
    static const sb_kernel *made_kernels[] = {&first, &second};
    static sb_group made_groups[3];
    static sb_option_schema option = {.size = sizeof option, .name = SB_STRING("depth"), .type = SB_OPTION_INTEGER};
    static const sb_option_schema *const option_list[] = {&option, &option};
    static char long_name[5000];

    const sb_plugin *base;
    base_plugin(host, &base, error);
    sb_plugin *table = &made.known;
    *table = *base;
    made_driver = driver;
    made_operators = operators;
    first = second = relu;
    SET_NAME(second.name, "relu_again");
    made_operators.kernels = made_kernels;
    made_operators.kernel_count = 2;
    made_groups[0] = groups[0];
    made_groups[0].table = &made_driver;
    made_groups[1] = groups[1];
    made_groups[1].table = &made_operators;
    table->groups = made_groups;
    *plugin = table;

    switch (FAULT) {
    case entry_fails:
        return sb_fail(error, SB_ERROR_UNSUPPORTED, "this chip needs a later host");
    case no_table:
        *plugin = NULL;
        break;
    case wrong_major:
        table->version = 7u << 16;
        break;
    case plugin_too_small:
        table->size = offsetof(sb_plugin, groups);
        break;
    case driver_too_small:
        made_driver.size = offsetof(sb_driver, copy);
        break;
    case kernel_too_small:
        second.size = 8;
        break;
    case null_open:
        made_driver.open = NULL;
        break;
    case null_launch:
        made_operators.launch = NULL;
        break;
    case null_kernel:
        made_kernels[1] = NULL;
        break;
    case prepare_without_release:
        made_operators.prepare = prepare;
        break;
    case no_group:
        table->group_count = 0;
        break;
    case unknown_groups_only:
        SET_NAME(made_groups[0].name, "drivers");
        made_groups[1].version = 2;
        break;
    case group_twice:
        made_groups[2] = made_groups[0];
        table->group_count = 3;
        break;
    case null_group_table:
        made_groups[1].table = NULL;
        break;
    case too_many_groups:
        table->group_count = SIZE_MAX;
        break;
    case duplicate_kernel:
        second.name = first.name;
        break;
    case kernel_without_operator:
        second.operator_name.length = 0;
        break;
    case kernel_ends_before_it_starts:
        second.until = 3;
        break;
    case name_not_utf8:
        SET_NAME(table->name, "chip\xff");
        break;
    case name_not_identifier:
        SET_NAME(table->name, "my chip");
        break;
    case name_empty:
        table->name.length = 0;
        break;
    case vendor_null_with_length:
        table->vendor = (sb_string){NULL, 4};
        break;
    case kernel_name_too_long:
        memset(long_name, 'k', sizeof long_name);
        second.name = (sb_string){long_name, sizeof long_name};
        break;
    case option_twice:
    case option_default_wrong:
        table->options = option_list;
        table->option_count = FAULT == option_twice ? 2 : 1;
        if (FAULT == option_default_wrong) SET_NAME(option.default_value, "deep");
        break;
    case no_device:
    case too_many_devices:
        made_driver.count = count;
        break;
    case start_fails:
        table->start = start;
        break;
    case misaligned_table:
        *plugin = (const sb_plugin *)((const char *)table + 4);
        break;
    case later_minor:
        table->version = SB_VERSION + 3;
        table->size = sizeof made;
        memset(made.new_members, 0xA5, sizeof made.new_members);
        break;
    default:
        break;
    }
    return SB_OK;
}
#endif
