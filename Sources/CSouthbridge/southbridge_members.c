/* SPDX-License-Identifier: Apache-2.0 */
#include "southbridge_members.h"

/* Rows: the struct stands in STRUCT while its rows are listed, so that each row names its member once. */
#define ROW(member, kind, required, minor, needed_with, absent)                                                                            \
    { #member, offsetof(STRUCT, member), sizeof(((STRUCT *)0)->member), SOUTHBRIDGE_KIND_##kind, required, minor, needed_with, absent }
#define SIZE(minor)                                     ROW(size, SIZE, true, minor, NULL, "")
#define REQUIRED(member, kind, minor)                   ROW(member, kind, true, minor, NULL, "")
#define OPTIONAL(member, kind, minor, absent)           ROW(member, kind, false, minor, NULL, absent)
#define NEEDED_WITH(member, kind, minor, other, absent) ROW(member, kind, false, minor, other, absent)
#define RESERVED(member, minor)                         ROW(member, NUMBER, false, minor, NULL, "written as 0, not read")

#define STRUCT sb_string
static const southbridge_member string_members[] = {
    OPTIONAL(data, POINTER, 1, "allowed if `length` is 0"),
    OPTIONAL(length, NUMBER, 1, "the empty string"),
};
#undef STRUCT

#define STRUCT sb_error
static const southbridge_member error_members[] = {
    SIZE(1),
    OPTIONAL(flags, NUMBER, 1, "no flag"),
    RESERVED(reserved, 1),
    OPTIONAL(correlation, NUMBER, 1, "the failure belongs to no launch"),
    OPTIONAL(message, POINTER, 1, "the host wants no message"),
    OPTIONAL(capacity, NUMBER, 1, "the host wants no message"),
};
#undef STRUCT

#define STRUCT sb_host
static const southbridge_member host_members[] = {
    SIZE(1),
    REQUIRED(version, NUMBER, 1),
    RESERVED(reserved, 1),
    OPTIONAL(context, POINTER, 1, "handed back to the host as it is"),
    REQUIRED(log, FUNCTION, 1),
    REQUIRED(clock, FUNCTION, 1),
};
#undef STRUCT

#define STRUCT sb_option_schema
static const southbridge_member option_schema_members[] = {
    SIZE(1),
    REQUIRED(name, STRING, 1),
    OPTIONAL(type, NUMBER, 1, "SB_OPTION_STRING"),
    RESERVED(reserved, 1),
    OPTIONAL(default_value, STRING, 1, "no default"),
    OPTIONAL(help, STRING, 1, "no help"),
};
#undef STRUCT

#define STRUCT sb_option
static const southbridge_member option_members[] = {
    REQUIRED(name, STRING, 1),
    OPTIONAL(value, STRING, 1, "the empty text"),
};
#undef STRUCT

#define STRUCT sb_group
static const southbridge_member group_members[] = {
    REQUIRED(name, STRING, 1),
    REQUIRED(version, NUMBER, 1),
    RESERVED(reserved, 1),
    REQUIRED(table, POINTER, 1),
};
#undef STRUCT

#define STRUCT sb_plugin
static const southbridge_member plugin_members[] = {
    SIZE(1),
    REQUIRED(version, NUMBER, 1),
    RESERVED(reserved, 1),
    REQUIRED(name, STRING, 1),
    OPTIONAL(vendor, STRING, 1, "unknown"),
    OPTIONAL(plugin_version, STRING, 1, "unknown"),
    REQUIRED(groups, POINTER, 1),
    REQUIRED(group_count, NUMBER, 1),
    OPTIONAL(options, POINTER, 1, "takes no options"),
    OPTIONAL(option_count, NUMBER, 1, "takes no options"),
    OPTIONAL(start, FUNCTION, 1, "nothing to start; `instance` is NULL in every later call"),
    OPTIONAL(stop, FUNCTION, 1, "nothing to stop"),
};
#undef STRUCT

#define STRUCT sb_memory_space
static const southbridge_member memory_space_members[] = {
    SIZE(1),
    OPTIONAL(name, STRING, 1, "has no name"),
    OPTIONAL(kind, NUMBER, 1, "SB_SPACE_DEVICE"),
    OPTIONAL(flags, NUMBER, 1, "no flag"),
    OPTIONAL(level, NUMBER, 1, "not a cache"),
    OPTIONAL(count, NUMBER, 1, "reads as 1"),
    OPTIONAL(capacity, NUMBER, 1, "unknown"),
    OPTIONAL(bandwidth, NUMBER, 1, "unknown"),
    OPTIONAL(latency, NUMBER, 1, "unknown"),
    OPTIONAL(alignment, NUMBER, 1, "reads as 64"),
    OPTIONAL(largest, NUMBER, 1, "reads as `capacity`"),
};
#undef STRUCT

#define STRUCT sb_rate
static const southbridge_member rate_members[] = {
    REQUIRED(data_type, NUMBER, 1),
    OPTIONAL(accumulator_type, NUMBER, 1, "unknown"),
    OPTIONAL(per_cycle, NUMBER, 1, "unknown"),
};
#undef STRUCT

#define STRUCT sb_compute_unit
static const southbridge_member compute_unit_members[] = {
    SIZE(1),
    OPTIONAL(name, STRING, 1, "has no name"),
    OPTIONAL(kind, NUMBER, 1, "SB_UNIT_SCALAR"),
    OPTIONAL(count, NUMBER, 1, "unknown"),
    OPTIONAL(clock, NUMBER, 1, "unknown"),
    OPTIONAL(tile_m, NUMBER, 1, "unknown"),
    OPTIONAL(tile_n, NUMBER, 1, "unknown"),
    OPTIONAL(tile_k, NUMBER, 1, "unknown"),
    RESERVED(reserved, 1),
    OPTIONAL(rates, POINTER, 1, "rates are unknown"),
    OPTIONAL(rate_count, NUMBER, 1, "rates are unknown"),
};
#undef STRUCT

#define STRUCT sb_link
static const southbridge_member link_members[] = {
    SIZE(1),
    OPTIONAL(kind, NUMBER, 1, "SB_LINK_HOST"),
    OPTIONAL(peer, NUMBER, 1, "device 0, if the link is to a peer"),
    OPTIONAL(bandwidth, NUMBER, 1, "unknown"),
    OPTIONAL(latency, NUMBER, 1, "unknown"),
};
#undef STRUCT

#define STRUCT sb_layout
static const southbridge_member layout_members[] = {
    SIZE(2),
    OPTIONAL(name, STRING, 2, "has no name"),
    REQUIRED(value, NUMBER, 2),
    OPTIONAL(block_rows, NUMBER, 2, "unknown"),
    OPTIONAL(block_columns, NUMBER, 2, "unknown"),
    RESERVED(reserved, 2),
    OPTIONAL(blocks, POINTER, 4, "the last two dimensions are cut, by `block_rows` and `block_columns`"),
    NEEDED_WITH(block_rank, NUMBER, 4, "blocks", "there are no `blocks`"),
};
#undef STRUCT

#define STRUCT sb_hardware
static const southbridge_member hardware_members[] = {
    SIZE(1),
    REQUIRED(id, STRING, 1),
    REQUIRED(name, STRING, 1),
    OPTIONAL(family, NUMBER, 1, "SB_FAMILY_OTHER"),
    OPTIONAL(flags, NUMBER, 1, "no flag"),
    OPTIONAL(driver, STRING, 1, "unknown"),
    OPTIONAL(firmware, STRING, 1, "unknown"),
    OPTIONAL(serial, STRING, 1, "unknown"),
    OPTIONAL(spaces, POINTER, 1, "one space of unknown size, aligned to 64 bytes"),
    OPTIONAL(space_count, NUMBER, 1, "one space of unknown size, aligned to 64 bytes"),
    OPTIONAL(units, POINTER, 1, "units are unknown"),
    OPTIONAL(unit_count, NUMBER, 1, "units are unknown"),
    OPTIONAL(links, POINTER, 1, "links are unknown"),
    OPTIONAL(link_count, NUMBER, 1, "links are unknown"),
    OPTIONAL(layouts, POINTER, 2, "row-major alone"),
    OPTIONAL(layout_count, NUMBER, 2, "row-major alone"),
    OPTIONAL(launch_latency, NUMBER, 2, "unknown"),
    OPTIONAL(queue_depth, NUMBER, 2, "unknown"),
    OPTIONAL(largest_rank, NUMBER, 2, "no limit below SB-TEN-003"),
};
#undef STRUCT

#define STRUCT sb_location
static const southbridge_member location_members[] = {
    OPTIONAL(buffer, POINTER, 1, "the location is in host memory"),
    OPTIONAL(host, POINTER, 1, "the location is in `buffer`"),
    OPTIONAL(offset, NUMBER, 1, "the first byte"),
};
#undef STRUCT

#define STRUCT sb_driver
static const southbridge_member driver_members[] = {
    SIZE(1),
    REQUIRED(open, FUNCTION, 1),
    REQUIRED(close, FUNCTION, 1),
    REQUIRED(allocate, FUNCTION, 1),
    REQUIRED(free, FUNCTION, 1),
    REQUIRED(copy, FUNCTION, 1),
    OPTIONAL(count, FUNCTION, 1, "one device"),
    OPTIONAL(describe, FUNCTION, 1, "family \"other\", one memory space of unknown size, aligned to 64 bytes"),
    OPTIONAL(host_address, FUNCTION, 1, "no buffer is visible to the host"),
    OPTIONAL(import_host, FUNCTION, 1, "the host allocates and copies"),
    OPTIONAL(fill, FUNCTION, 1, "the host copies a pattern"),
    OPTIONAL(usage, FUNCTION, 1, "unknown"),
    OPTIONAL(copy_peer, FUNCTION, 3, "copies between devices go through the host"),
};
#undef STRUCT

#define STRUCT sb_streams
static const southbridge_member streams_members[] = {
    SIZE(1),
    OPTIONAL(execution, NUMBER, 1, "SB_EXECUTION_INLINE"),
    RESERVED(reserved, 1),
    REQUIRED(create, FUNCTION, 1),
    REQUIRED(destroy, FUNCTION, 1),
    REQUIRED(synchronize, FUNCTION, 1),
    OPTIONAL(query, FUNCTION, 1, "the host synchronizes"),
    OPTIONAL(cancel, FUNCTION, 3, "the host waits for what it has given"),
};
#undef STRUCT

#define STRUCT sb_events
static const southbridge_member events_members[] = {
    SIZE(1),
    REQUIRED(create, FUNCTION, 1),
    REQUIRED(destroy, FUNCTION, 1),
    REQUIRED(record, FUNCTION, 1),
    REQUIRED(wait, FUNCTION, 1),
    REQUIRED(synchronize, FUNCTION, 1),
    OPTIONAL(query, FUNCTION, 1, "the host synchronizes"),
    OPTIONAL(elapsed, FUNCTION, 1, "no device clock"),
};
#undef STRUCT

#define STRUCT sb_tensor
static const southbridge_member tensor_members[] = {
    SIZE(1),
    REQUIRED(data_type, NUMBER, 1),
    OPTIONAL(rank, NUMBER, 1, "one element"),
    OPTIONAL(shape, POINTER, 1, "allowed if `rank` is 0"),
    OPTIONAL(strides, POINTER, 1, "dense, row-major"),
    OPTIONAL(buffer, POINTER, 1, "not placed yet, or on the host only"),
    OPTIONAL(offset, NUMBER, 1, "the first byte"),
    OPTIONAL(host, POINTER, 1, "not reachable by the host"),
    OPTIONAL(layout, NUMBER, 1, "SB_LAYOUT_ROW_MAJOR"),
    RESERVED(reserved, 1),
};
#undef STRUCT

#define STRUCT sb_attribute
static const southbridge_member attribute_members[] = {
    SIZE(1),
    REQUIRED(name, STRING, 1),
    OPTIONAL(type, NUMBER, 1, "SB_ATTRIBUTE_INTS"),
    OPTIONAL(flags, NUMBER, 1, "no flag"),
    OPTIONAL(count, NUMBER, 1, "no entry"),
    OPTIONAL(ints, POINTER, 1, "of another type, or no entry"),
    OPTIONAL(floats, POINTER, 1, "of another type, or no entry"),
    OPTIONAL(strings, POINTER, 1, "of another type, or no entry"),
    OPTIONAL(tensor, POINTER, 1, "of another type"),
};
#undef STRUCT

#define STRUCT sb_node
static const southbridge_member node_members[] = {
    SIZE(1),
    OPTIONAL(kernel, POINTER, 1, "the node is part of a graph"),
    OPTIONAL(domain, STRING, 1, "the standard's default domain"),
    REQUIRED(operator_name, STRING, 1),
    REQUIRED(version, NUMBER, 1),
    RESERVED(reserved, 1),
    OPTIONAL(attributes, POINTER, 1, "allowed if there are none"),
    OPTIONAL(attribute_count, NUMBER, 1, "no attribute"),
    OPTIONAL(inputs, POINTER, 1, "allowed if there are none"),
    OPTIONAL(input_count, NUMBER, 1, "no input"),
    OPTIONAL(outputs, POINTER, 1, "allowed if there are none"),
    OPTIONAL(output_count, NUMBER, 1, "no output"),
};
#undef STRUCT

#define STRUCT sb_numerics
static const southbridge_member numerics_members[] = {
    SIZE(1),
    OPTIONAL(accumulator_type, NUMBER, 1, "the default of SB-NUM-001"),
    OPTIONAL(input_bits, NUMBER, 1, "all bits"),
    OPTIONAL(flags, NUMBER, 1, "no flag"),
    RESERVED(reserved, 1),
    OPTIONAL(function_error, NUMBER, 1, "as the suite grants"),
    OPTIONAL(value_type, NUMBER, 4, "values keep their types"),
    RESERVED(reserved2, 4),
};
#undef STRUCT

#define STRUCT sb_kernel
static const southbridge_member kernel_members[] = {
    SIZE(1),
    REQUIRED(name, STRING, 1),
    OPTIONAL(domain, STRING, 1, "the standard's default domain"),
    REQUIRED(operator_name, STRING, 1),
    OPTIONAL(since, NUMBER, 1, "from the first version"),
    OPTIONAL(until, NUMBER, 1, "no limit"),
    OPTIONAL(data_types, NUMBER, 1, "no data type: the kernel is never asked"),
    OPTIONAL(flags, NUMBER, 1, "no flag"),
    OPTIONAL(priority, NUMBER, 1, "priority 0"),
    OPTIONAL(host_inputs, NUMBER, 1, "no input is wanted on the host"),
    OPTIONAL(context, POINTER, 1, "not read by the host"),
    OPTIONAL(numerics, POINTER, 1, "the defaults of SB-NUM-001"),
};
#undef STRUCT

#define STRUCT sb_support
static const southbridge_member support_members[] = {
    SIZE(1),
    OPTIONAL(supported, NUMBER, 1, "not supported"),
    OPTIONAL(reason, NUMBER, 1, "SB_REASON_NONE"),
    OPTIONAL(message, POINTER, 1, "the host wants no message"),
    OPTIONAL(capacity, NUMBER, 1, "the host wants no message"),
    OPTIONAL(workspace, NUMBER, 1, "no workspace"),
    OPTIONAL(cost, NUMBER, 1, "unknown"),
    OPTIONAL(input_layouts, POINTER, 3, "the host does not ask for layouts"),
    OPTIONAL(output_layouts, POINTER, 3, "the host does not ask for layouts"),
    OPTIONAL(layout_cost, NUMBER, 3, "unknown"),
    OPTIONAL(numerics, POINTER, 4, "those of the kernel"),
};
#undef STRUCT

#define STRUCT sb_launch
static const southbridge_member launch_members[] = {
    SIZE(1),
    OPTIONAL(instance, POINTER, 1, "the plugin has no `start`"),
    REQUIRED(device, POINTER, 1),
    OPTIONAL(stream, POINTER, 1, "synchronous"),
    REQUIRED(node, POINTER, 1),
    OPTIONAL(state, POINTER, 1, "the library has no `prepare`"),
    OPTIONAL(inputs, POINTER, 1, "allowed if there are none"),
    OPTIONAL(input_count, NUMBER, 1, "no input"),
    OPTIONAL(outputs, POINTER, 1, "allowed if there are none"),
    OPTIONAL(output_count, NUMBER, 1, "no output"),
    OPTIONAL(workspace, POINTER, 1, "none was asked for"),
    OPTIONAL(workspace_offset, NUMBER, 1, "the first byte"),
    OPTIONAL(workspace_bytes, NUMBER, 1, "none was asked for"),
    OPTIONAL(workspace_host, POINTER, 1, "not reachable by the host"),
    OPTIONAL(correlation, NUMBER, 1, "the launch has no number"),
};
#undef STRUCT

#define STRUCT sb_operators
static const southbridge_member operators_members[] = {
    SIZE(1),
    REQUIRED(kernels, POINTER, 1),
    OPTIONAL(kernel_count, NUMBER, 1, "no kernel"),
    REQUIRED(support, FUNCTION, 1),
    REQUIRED(launch, FUNCTION, 1),
    OPTIONAL(prepare, FUNCTION, 1, "kernels are stateless; `state` is NULL in every launch"),
    NEEDED_WITH(release, FUNCTION, 1, "prepare", "there is no `prepare`"),
    OPTIONAL(layouts, POINTER, 4, "with a driver, the device's; else row-major alone"),
    OPTIONAL(layout_count, NUMBER, 4, "with a driver, the device's; else row-major alone"),
};
#undef STRUCT

#define STRUCT sb_graph
static const southbridge_member graph_members[] = {
    SIZE(2),
    REQUIRED(nodes, POINTER, 2),
    OPTIONAL(node_count, NUMBER, 2, "no node"),
    OPTIONAL(inputs, POINTER, 2, "allowed if there are none"),
    OPTIONAL(input_count, NUMBER, 2, "no input"),
    REQUIRED(outputs, POINTER, 2),
    OPTIONAL(output_count, NUMBER, 2, "no output"),
    REQUIRED(serialize, FUNCTION, 2),
    OPTIONAL(serialize_external, FUNCTION, 4, "constants come inside alone"),
};
#undef STRUCT

#define STRUCT sb_program_info
static const southbridge_member program_info_members[] = {
    SIZE(2),
    OPTIONAL(workspace, NUMBER, 2, "no workspace"),
    OPTIONAL(cost, NUMBER, 2, "unknown"),
    OPTIONAL(numerics, POINTER, 4, "those of the table"),
    OPTIONAL(resident, NUMBER, 4, "unknown"),
    OPTIONAL(per_execution, NUMBER, 4, "unknown"),
};
#undef STRUCT

#define STRUCT sb_execution
static const southbridge_member execution_members[] = {
    SIZE(2),
    OPTIONAL(instance, POINTER, 2, "the plugin has no `start`"),
    REQUIRED(device, POINTER, 2),
    OPTIONAL(stream, POINTER, 2, "synchronous"),
    REQUIRED(program, POINTER, 2),
    OPTIONAL(inputs, POINTER, 2, "allowed if there are none"),
    OPTIONAL(input_count, NUMBER, 2, "no input"),
    REQUIRED(outputs, POINTER, 2),
    OPTIONAL(output_count, NUMBER, 2, "no output"),
    OPTIONAL(workspace, POINTER, 2, "none was asked for"),
    OPTIONAL(workspace_offset, NUMBER, 2, "the first byte"),
    OPTIONAL(workspace_bytes, NUMBER, 2, "none was asked for"),
    OPTIONAL(workspace_host, POINTER, 2, "not reachable by the host"),
    OPTIONAL(correlation, NUMBER, 2, "the execution has no number"),
};
#undef STRUCT

#define STRUCT sb_graphs
static const southbridge_member graphs_members[] = {
    SIZE(2),
    OPTIONAL(numerics, POINTER, 2, "the defaults of SB-NUM-001"),
    REQUIRED(claim, FUNCTION, 2),
    REQUIRED(compile, FUNCTION, 2),
    REQUIRED(execute, FUNCTION, 2),
    OPTIONAL(release, FUNCTION, 2, "programs hold nothing"),
    OPTIONAL(describe, FUNCTION, 2, "no workspace, cost unknown"),
    OPTIONAL(save, FUNCTION, 2, "no artefacts"),
    NEEDED_WITH(load, FUNCTION, 2, "save", "there is no `save`"),
    NEEDED_WITH(verdict, FUNCTION, 2, "save", "there is no `save`"),
};
#undef STRUCT

#define STRUCT sb_counter
static const southbridge_member counter_members[] = {
    SIZE(2),
    REQUIRED(name, STRING, 2),
    OPTIONAL(unit, STRING, 2, "a plain number"),
    OPTIONAL(kind, NUMBER, 2, "SB_COUNTER_CUMULATIVE"),
    RESERVED(reserved, 2),
    OPTIONAL(count, NUMBER, 2, "nothing was counted, or the counter is a gauge"),
    OPTIONAL(value, NUMBER, 2, "0, or the counter is cumulative"),
};
#undef STRUCT

#define STRUCT sb_activity
static const southbridge_member activity_members[] = {
    SIZE(2),
    REQUIRED(lane, STRING, 2),
    REQUIRED(name, STRING, 2),
    OPTIONAL(begin, NUMBER, 2, "when the device was opened"),
    OPTIONAL(end, NUMBER, 2, "when the device was opened"),
    OPTIONAL(correlation, NUMBER, 2, "no launch caused it"),
    OPTIONAL(bytes, NUMBER, 2, "unknown"),
    OPTIONAL(operations, NUMBER, 2, "unknown"),
};
#undef STRUCT

#define STRUCT sb_observation
static const southbridge_member observation_members[] = {
    SIZE(2),
    OPTIONAL(counters, FUNCTION, 2, "counts nothing"),
    OPTIONAL(record, FUNCTION, 2, "records nothing"),
    NEEDED_WITH(activities, FUNCTION, 2, "record", "there is no `record`"),
};
#undef STRUCT

#define STRUCT sb_editor
static const southbridge_member editor_members[] = {
    SIZE(3),
    REQUIRED(node_count, FUNCTION, 3),
    REQUIRED(node, FUNCTION, 3),
    REQUIRED(input, FUNCTION, 3),
    REQUIRED(output, FUNCTION, 3),
    REQUIRED(tensor, FUNCTION, 3),
    REQUIRED(producer, FUNCTION, 3),
    REQUIRED(readers, FUNCTION, 3),
    REQUIRED(is_output, FUNCTION, 3),
    REQUIRED(add_constant, FUNCTION, 3),
    REQUIRED(add_node, FUNCTION, 3),
    REQUIRED(replace, FUNCTION, 3),
    REQUIRED(remove, FUNCTION, 3),
};
#undef STRUCT

#define STRUCT sb_pass
static const southbridge_member pass_members[] = {
    SIZE(3),
    REQUIRED(name, STRING, 3),
    OPTIONAL(help, STRING, 3, "no help"),
    OPTIONAL(after, STRING, 3, "anywhere in its stage"),
    OPTIONAL(stage, NUMBER, 3, "SB_STAGE_SIMPLIFY"),
    RESERVED(reserved, 3),
    REQUIRED(run, FUNCTION, 3),
};
#undef STRUCT

#define STRUCT sb_passes
static const southbridge_member passes_members[] = {
    SIZE(3),
    REQUIRED(passes, POINTER, 3),
    REQUIRED(pass_count, NUMBER, 3),
    OPTIONAL(infer, FUNCTION, 3, "no operators of its own"),
};
#undef STRUCT

#define STRUCT sb_memory_request
static const southbridge_member memory_request_members[] = {
    REQUIRED(bytes, NUMBER, 3),
    OPTIONAL(first, NUMBER, 3, "step 0"),
    OPTIONAL(last, NUMBER, 3, "step 0"),
};
#undef STRUCT

#define STRUCT sb_memory_plan
static const southbridge_member memory_plan_members[] = {
    SIZE(3),
    OPTIONAL(space, NUMBER, 3, "space 0"),
    RESERVED(reserved, 3),
    REQUIRED(alignment, NUMBER, 3),
    REQUIRED(requests, POINTER, 3),
    REQUIRED(request_count, NUMBER, 3),
    REQUIRED(offsets, POINTER, 3),
    REQUIRED(bytes, NUMBER, 3),
};
#undef STRUCT

#define STRUCT sb_memory
static const southbridge_member memory_members[] = {
    SIZE(3),
    REQUIRED(amend, FUNCTION, 3),
};
#undef STRUCT

#define ENTRY(type, members, frozen, writer, group, version)                                                                               \
    { #type, sizeof(type), frozen, SOUTHBRIDGE_WRITER_##writer, group, version, members, sizeof(members) / sizeof(members[0]) }

static const southbridge_structure structures[] = {
    ENTRY(sb_string, string_members, true, BOTH, NULL, 0),
    ENTRY(sb_error, error_members, false, HOST, NULL, 0),
    ENTRY(sb_host, host_members, false, HOST, NULL, 0),
    ENTRY(sb_option_schema, option_schema_members, false, PLUGIN, NULL, 0),
    ENTRY(sb_option, option_members, true, HOST, NULL, 0),
    ENTRY(sb_group, group_members, true, PLUGIN, NULL, 0),
    ENTRY(sb_plugin, plugin_members, false, PLUGIN, NULL, 0),
    ENTRY(sb_memory_space, memory_space_members, false, PLUGIN, NULL, 0),
    ENTRY(sb_rate, rate_members, true, PLUGIN, NULL, 0),
    ENTRY(sb_compute_unit, compute_unit_members, false, PLUGIN, NULL, 0),
    ENTRY(sb_link, link_members, false, PLUGIN, NULL, 0),
    ENTRY(sb_layout, layout_members, false, PLUGIN, NULL, 0),
    ENTRY(sb_hardware, hardware_members, false, PLUGIN, NULL, 0),
    ENTRY(sb_location, location_members, true, HOST, NULL, 0),
    ENTRY(sb_driver, driver_members, false, PLUGIN, "driver", 1),
    ENTRY(sb_streams, streams_members, false, PLUGIN, "streams", 1),
    ENTRY(sb_events, events_members, false, PLUGIN, "events", 1),
    ENTRY(sb_tensor, tensor_members, false, HOST, NULL, 0),
    ENTRY(sb_attribute, attribute_members, false, HOST, NULL, 0),
    ENTRY(sb_node, node_members, false, HOST, NULL, 0),
    ENTRY(sb_numerics, numerics_members, false, PLUGIN, NULL, 0),
    ENTRY(sb_kernel, kernel_members, false, PLUGIN, NULL, 0),
    ENTRY(sb_support, support_members, false, HOST, NULL, 0),
    ENTRY(sb_launch, launch_members, false, HOST, NULL, 0),
    ENTRY(sb_operators, operators_members, false, PLUGIN, "operators", 1),
    ENTRY(sb_graph, graph_members, false, HOST, NULL, 0),
    ENTRY(sb_program_info, program_info_members, false, HOST, NULL, 0),
    ENTRY(sb_execution, execution_members, false, HOST, NULL, 0),
    ENTRY(sb_graphs, graphs_members, false, PLUGIN, "graphs", 1),
    ENTRY(sb_counter, counter_members, false, HOST, NULL, 0),
    ENTRY(sb_activity, activity_members, false, PLUGIN, NULL, 0),
    ENTRY(sb_observation, observation_members, false, PLUGIN, "observation", 1),
    ENTRY(sb_editor, editor_members, false, HOST, NULL, 0),
    ENTRY(sb_pass, pass_members, false, PLUGIN, NULL, 0),
    ENTRY(sb_passes, passes_members, false, PLUGIN, "passes", 1),
    ENTRY(sb_memory_request, memory_request_members, true, HOST, NULL, 0),
    ENTRY(sb_memory_plan, memory_plan_members, false, HOST, NULL, 0),
    ENTRY(sb_memory, memory_members, false, PLUGIN, "memory", 1),
};

const southbridge_structure *southbridge_structures(size_t *count) {
    *count = sizeof(structures) / sizeof(structures[0]);
    return structures;
}
