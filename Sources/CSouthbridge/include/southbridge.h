/* SPDX-License-Identifier: Apache-2.0
 *
 * southbridge.h - the Southbridge southbound interface, version 0.4
 *
 * A chip vendor copies this one file, writes one shared library against it, and the chip runs in the stack.
 * It is a specification: every sentence that binds somebody carries an identifier such as [SB-MEM-003]; the conformance suite
 * cites the identifiers that a case tests. It needs C11 or C++17 and no other header than the three below.
 *
 * The smallest working device is eight functions:
 *     entry point                                                     (section 3)
 *     driver:            open, close, allocate, free, copy            (section 5)
 *     operator library:  support, launch                              (section 9)
 * A chip that compiles whole subgraphs itself has, instead of or beside the operator library, a
 *     graph compiler:    claim, compile, execute                      (section 10)
 * A member marked (required) must be there: the writer's `size` reaches past it, a pointer is not NULL, a string is not empty.
 * Every other member may be NULL, 0 or empty, and its comment says what that means.
 *
 * Order of a plugin's life:
 *     southbridge_plugin -> start -> open -> { allocate, copy, support, prepare, launch, synchronize ... } -> close -> stop
 * Members, structs and groups that came after version 0.1 say so: "since 0.2", "since 0.3", "since 0.4".
 */
#ifndef SOUTHBRIDGE_H
#define SOUTHBRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------------------------------
 * 1. Rules for the whole interface
 *
 * [SB-ABI-001] A plugin and a host work together if their major versions are equal; the host refuses any other plugin.
 * [SB-ABI-002] Within a major version the interface only grows: a struct grows at its end, a new group gets a new name or version.
 * [SB-ABI-003] Every struct begins with `size`, the bytes that its writer knows, except the frozen ones: sb_string, sb_option, sb_group,
 *              sb_rate, sb_location, sb_memory_request. Who reads a member first checks that `size` reaches past it; nobody compares sizes for equality.
 * [SB-ABI-004] A member beyond the writer's `size` counts as NULL or 0, which is always a documented default.
 * [SB-ABI-005] Arrays of structs that may grow are arrays of pointers.
 * [SB-ABI-006] Strings are UTF-8 with a length in bytes; they need no terminating zero.
 * [SB-ABI-007] Bits of a flags member that a reader does not know are ignored by it and written as 0 by everybody else.
 * [SB-ABI-008] Nothing throws, longjmps, exits or aborts across this interface.
 * [SB-ABI-009] Loading the library and calling it leaves the process as it was found: floating-point mode, locale, signal handlers, working
 *              directory, standard streams.
 * [SB-ABI-010] No global state: several instances of a plugin, and several plugins, live in one process.
 * [SB-ABI-011] A struct that the host writes reaches at least to its end in the version that brought the struct; only members that came later need the
 *              check of SB-ABI-003.
 * [SB-ABI-012] A reader that meets a constant that it does not know (a kind, a family) reads it as the most general one, or skips the entry.
 *
 * Threads
 * [SB-THR-001] Functions that take a device may be called from any thread, also at once.
 * [SB-THR-002] Functions that take a stream are called by one thread at a time for that stream.
 * [SB-THR-003] Host services may be called from any thread of the plugin. They never call back into the plugin.
 *
 * Ownership
 * [SB-OWN-001] What the host passes belongs to the host and is valid until the call returns, unless a longer time is stated.
 * [SB-OWN-002] What the plugin returns belongs to the plugin and is valid until the handle that it came from is given back, unless a longer time is stated.
 * [SB-OWN-003] The host gives every handle back exactly once, children before parents: states, programs, events, streams and buffers before their
 *              device, devices before their instance.
 */
#define SB_VERSION_MAJOR 0u
#define SB_VERSION_MINOR 4u
#define SB_VERSION       ((SB_VERSION_MAJOR << 16) | SB_VERSION_MINOR)

#if defined(_WIN32)
#define SB_EXPORT __declspec(dllexport)
#else
#define SB_EXPORT __attribute__((visibility("default")))
#endif

typedef struct sb_instance sb_instance; /* a started plugin                     */
typedef struct sb_device sb_device;     /* an open device                       */
typedef struct sb_buffer sb_buffer;     /* device memory; not an address        */
typedef struct sb_stream sb_stream;     /* an in-order queue of a device        */
typedef struct sb_event sb_event;       /* a point in a stream                  */
typedef struct sb_state sb_state;       /* what `prepare` made of a node        */
typedef struct sb_program sb_program;   /* what `compile` made of a graph       */

/* Frozen. */
typedef struct sb_string {
    const char *data;
    size_t length;
} sb_string;

#define SB_STRING(literal)                                                                                                                 \
    { (literal), sizeof(literal) - 1 }

/* ---------------------------------------------------------------------------------------------------------------------
 * 2. Status and errors
 *
 * [SB-ERR-001] A function that can fail returns SB_OK or one of the codes below, and takes an sb_error as its last argument.
 * [SB-ERR-002] On failure the plugin fills the sb_error with a message for a person; on success it leaves it alone.
 * [SB-ERR-003] `error` may be NULL: the caller wants no detail.
 * [SB-ERR-004] The message is truncated to `capacity` bytes, its terminating zero among them.
 * [SB-ERR-005] A failed call has no effect: no output written, no handle made, nothing to give back.
 * [SB-ERR-006] A code outside this list is read as SB_ERROR_INTERNAL.
 */
#define SB_OK                     0
#define SB_ERROR_INVALID_ARGUMENT 1 /* the caller broke a rule of this file                              */
#define SB_ERROR_UNSUPPORTED      2 /* allowed by this file, not offered by this plugin                  */
#define SB_ERROR_OUT_OF_MEMORY    3 /* freeing memory may help                                           */
#define SB_ERROR_NOT_READY        4 /* answer of `query`: the work is not finished                       */
#define SB_ERROR_DEVICE_LOST      5 /* the device is gone until it is opened again                       */
#define SB_ERROR_TIMEOUT          6 /* the device did not answer in time                                 */
#define SB_ERROR_CANCELLED        7 /* the work was cancelled on request                                 */
#define SB_ERROR_INTERNAL         8 /* the plugin, driver or device failed                               */

#define SB_ERROR_FLAG_RETRY 1u /* the same call may succeed later */

typedef struct sb_error {
    size_t size;
    uint32_t flags; /* out: SB_ERROR_FLAG_*                                                              */
    uint32_t reserved;
    uint64_t correlation; /* out: `correlation` of the launch that failed, 0 if the failure belongs to none   */
    char *message;        /* in: the host's memory for the message                                            */
    size_t capacity;      /* in: its bytes                                                                    */
} sb_error;

/* Writes `message` into `error` (which may be NULL) and returns `code`: `return sb_fail(error, SB_ERROR_UNSUPPORTED, "...");` */
static inline int32_t sb_fail(sb_error *error, int32_t code, const char *message) {
    if (error && error->message && error->capacity) {
        size_t i = 0;
        for (; message[i] && i + 1 < error->capacity; ++i) error->message[i] = message[i];
        error->message[i] = 0;
    }
    return code;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * 3. Negotiation
 *
 * [SB-NEG-001] The library exports one function, `southbridge_plugin`. The host calls it before anything else.
 * [SB-NEG-002] `host` stays valid until the library is closed. `*plugin` stays valid and unchanged until then, too.
 * [SB-NEG-003] The entry point may be called more than once; every call returns an equal table.
 * [SB-NEG-004] A plugin that cannot work with `host->version` returns SB_ERROR_UNSUPPORTED.
 * [SB-NEG-005] `name` is not empty and is an identifier: letters, digits, '-' and '_'.
 * [SB-NEG-006] A group is found by name and version. The host ignores groups that it does not know; a group stands in the list once.
 * [SB-NEG-007] A plugin has at least one of the groups "driver", "operators" and "graphs".
 * [SB-NEG-008] `start` gets only options that the schema lists, each at most once; a bad value is refused with SB_ERROR_INVALID_ARGUMENT
 *              and a message that names the option.
 * [SB-NEG-009] After `stop` the plugin may be started again.
 */
#define SB_ENTRY_POINT "southbridge_plugin"

#define SB_LOG_DEBUG   0u
#define SB_LOG_INFO    1u
#define SB_LOG_WARNING 2u
#define SB_LOG_ERROR   3u

/* Services of the host. */
typedef struct sb_host {
    size_t size;
    uint32_t version; /* (required) SB_VERSION of the host */
    uint32_t reserved;
    void *context;                                                 /* first argument of every service */
    void (*log)(void *context, uint32_t level, sb_string message); /* (required) */
    uint64_t (*clock)(void *context);                              /* (required) nanoseconds, monotonic */
} sb_host;

#define SB_OPTION_STRING  0u
#define SB_OPTION_INTEGER 1u
#define SB_OPTION_NUMBER  2u
#define SB_OPTION_BOOLEAN 3u /* "true" or "false" */
#define SB_OPTION_PATH    4u

/* One option that a user may set. */
typedef struct sb_option_schema {
    size_t size;
    sb_string name; /* (required) an identifier, unique in the plugin */
    uint32_t type;  /* SB_OPTION_* */
    uint32_t reserved;
    sb_string default_value; /* text of that type; empty: none */
    sb_string help;
} sb_option_schema;

/* One option that the user has set; the value is text of the schema's type. Frozen. */
typedef struct sb_option {
    sb_string name; /* (required) */
    sb_string value;
} sb_option;

/* A table of functions under a name and a version. Frozen. */
typedef struct sb_group {
    sb_string name;   /* (required) */
    uint32_t version; /* (required) */
    uint32_t reserved;
    const void *table; /* (required) begins with its size, like every growing struct */
} sb_group;

typedef struct sb_plugin {
    size_t size;
    uint32_t version; /* (required) SB_VERSION that the plugin was compiled with */
    uint32_t reserved;
    sb_string name;                         /* (required) */
    sb_string vendor;                       /* empty: unknown */
    sb_string plugin_version;               /* empty: unknown */
    const sb_group *groups;                 /* (required) */
    size_t group_count;                     /* (required) */
    const sb_option_schema *const *options; /* NULL: takes none */
    size_t option_count;
    /* NULL: nothing to start; `instance` is NULL in every later call. */
    int32_t (*start)(const sb_host *host, const sb_option *options, size_t option_count, sb_instance **instance, sb_error *error);
    /* NULL: nothing to stop. Called when every device is closed. */
    void (*stop)(sb_instance *instance);
} sb_plugin;

/* (required) The entry point. */
SB_EXPORT int32_t southbridge_plugin(const sb_host *host, const sb_plugin **plugin, sb_error *error);

/* ---------------------------------------------------------------------------------------------------------------------
 * 4. Hardware description
 *
 * [SB-HW-001] Figures are those of the hardware as it is clocked by default; 0 means unknown. The stack derives placement, alignment and cost
 *             from them, and the suite compares them with what it measures.
 * [SB-HW-002] `id` is the same for the same piece of hardware in every process, and differs between two devices of a plugin.
 * [SB-HW-003] Space 0 is the one in which the stack keeps tensors; it can be allocated. No space listed: one of unknown size, aligned to 64 bytes.
 * [SB-HW-004] `alignment` is a power of two. The host aligns every offset that it passes to it.
 * [SB-HW-005] A layout's `value` differs between two layouts of a device. In a blocked layout the last two dimensions are cut into blocks of the given
 *             size, those at the edges filled up to it; the order of blocks and within them is the plugin's own, and only its own kernels and
 *             programs read or write such a tensor.
 * [SB-HW-006] In a blocked layout a tensor takes the bytes of its elements with both of these dimensions rounded up to full blocks; one of rank 0 or 1 counts as a
 *             matrix of one row.
 * [SB-HW-007] A layout with `blocks` cuts every dimension of a tensor, dimension i into blocks of blocks[i], and holds tensors of rank `block_rank` alone. SB-HW-005 and
 *             006 hold for all dimensions instead of the last two. Where all blocks are 1 it is the order that is another (channels last).
 * [SB-HW-008] What fills up the last blocks is the plugin's own, as their order is: the host never writes a tensor in a layout, and moves it as bytes alone.
 */
#define SB_FAMILY_OTHER 0u
#define SB_FAMILY_CPU   1u
#define SB_FAMILY_GPGPU 2u
#define SB_FAMILY_NPU   3u

#define SB_HARDWARE_FLAG_SIMULATED 1u /* since 0.3; results are real, times and counters are those of a model */

#define SB_SPACE_DEVICE  0u /* the device's main memory                      */
#define SB_SPACE_HOST    1u /* the host's main memory                        */
#define SB_SPACE_CACHE   2u /* filled by hardware                            */
#define SB_SPACE_SCRATCH 3u /* on-chip memory filled by programs             */

#define SB_SPACE_FLAG_ALLOCATABLE  1u /* `allocate` takes it                                */
#define SB_SPACE_FLAG_HOST_VISIBLE 2u /* `host_address` works for its buffers               */

typedef struct sb_memory_space {
    size_t size;
    sb_string name;
    uint32_t kind;      /* SB_SPACE_*                                    */
    uint32_t flags;     /* SB_SPACE_FLAG_*                               */
    uint32_t level;     /* of a cache: 1, 2, 3 ...                       */
    uint32_t count;     /* how many of it the device has; 0 reads as 1   */
    uint64_t capacity;  /* bytes of one                                  */
    uint64_t bandwidth; /* bytes per second of all together              */
    uint64_t latency;   /* picoseconds                                   */
    uint64_t alignment; /* bytes; 0 reads as 64                          */
    uint64_t largest;   /* largest single allocation in bytes; 0: capacity */
} sb_memory_space;

#define SB_UNIT_SCALAR 0u
#define SB_UNIT_VECTOR 1u
#define SB_UNIT_MATRIX 2u

/* Operations per cycle of one unit; a multiply-add is two. Frozen. */
typedef struct sb_rate {
    uint32_t data_type;        /* (required) SB_TYPE_* of the inputs */
    uint32_t accumulator_type; /* SB_TYPE_*                    */
    double per_cycle;
} sb_rate;

typedef struct sb_compute_unit {
    size_t size;
    sb_string name;
    uint32_t kind; /* SB_UNIT_* */
    uint32_t count;
    uint64_t clock;                  /* hertz     */
    uint32_t tile_m, tile_n, tile_k; /* native tile of a matrix unit; tile_n: lanes of a vector unit */
    uint32_t reserved;
    const sb_rate *rates;
    size_t rate_count;
} sb_compute_unit;

#define SB_LINK_HOST 0u
#define SB_LINK_PEER 1u

typedef struct sb_link {
    size_t size;
    uint32_t kind;      /* SB_LINK_*                      */
    uint32_t peer;      /* device index, for SB_LINK_PEER */
    uint64_t bandwidth; /* bytes per second          */
    uint64_t latency;   /* picoseconds               */
} sb_link;

/* A layout of tensors other than row-major. Since 0.2. */
typedef struct sb_layout {
    size_t size;
    sb_string name;
    uint32_t value; /* (required) the number that `sb_tensor.layout` has, 1 or more */
    uint32_t block_rows;
    uint32_t block_columns;
    uint32_t reserved;
    const uint32_t *blocks; /* since 0.4; see SB-HW-007; NULL: block_rows and block_columns */
    size_t block_rank;      /* since 0.4; entries of `blocks` */
} sb_layout;

typedef struct sb_hardware {
    size_t size;
    sb_string id;     /* (required) */
    sb_string name;   /* (required) as a person would call it */
    uint32_t family;  /* SB_FAMILY_*                          */
    uint32_t flags;   /* SB_HARDWARE_FLAG_*                   */
    sb_string driver; /* versions, as far as they are known; empty: unknown */
    sb_string firmware;
    sb_string serial;
    const sb_memory_space *const *spaces;
    size_t space_count;
    const sb_compute_unit *const *units;
    size_t unit_count;
    const sb_link *const *links;
    size_t link_count;
    const sb_layout *const *layouts; /* since 0.2 */
    size_t layout_count;             /* since 0.2 */
    uint64_t launch_latency;         /* since 0.2; picoseconds from a launch on an idle stream to its first operation */
    uint32_t queue_depth;            /* since 0.2; launches that a stream holds before a call waits */
    uint32_t largest_rank;           /* since 0.2; of a tensor that kernels and programs take; 0: no limit below SB-TEN-003 */
} sb_hardware;

/* ---------------------------------------------------------------------------------------------------------------------
 * 5. Group "driver", version 1: devices, memory, copies
 *
 * [SB-DEV-001] Devices are numbered from 0; the numbers do not change while the plugin is started.
 * [SB-DEV-002] `open` with a number that does not exist fails with SB_ERROR_INVALID_ARGUMENT.
 * [SB-DEV-003] A device may be opened several times; each opening is independent of the others.
 * [SB-DEV-004] After `close` and before the next `open` the device holds no memory of that opening.
 * [SB-DEV-005] `describe` works without an open device and answers the same until `stop`.
 *
 * [SB-MEM-001] `allocate` is asked for at least one byte, and for an alignment that is a power of two.
 * [SB-MEM-002] The new buffer has at least `bytes` bytes, overlaps no other live buffer, and honours `alignment`. Its contents are undefined.
 * [SB-MEM-003] If the memory is not there `allocate` fails with SB_ERROR_OUT_OF_MEMORY, and the device works on; after a `free` it may succeed.
 * [SB-MEM-004] A space that does not exist or cannot be allocated fails with SB_ERROR_INVALID_ARGUMENT.
 * [SB-MEM-005] `free` gives all the buffer's memory back. The host calls it when no work that uses the buffer is in flight.
 * [SB-MEM-006] A buffer may be larger than 4 GiB if the space is.
 * [SB-MEM-007] Where `host_address` gives an address, the host may read and write there while no work on the buffer is in flight.
 * [SB-MEM-008] `import_host` makes a buffer of host memory without copying it; the memory stays the host's, is not written by the plugin unless the
 *              host hands the buffer out as an output, and outlives the buffer. It may lie at any address unless the plugin refuses it
 *              with SB_ERROR_UNSUPPORTED.
 *
 * [SB-CPY-001] `copy` moves `bytes` bytes between two locations, in host memory or in buffers of this device, at any byte offset.
 * [SB-CPY-002] With `stream` NULL the copy is complete when the call returns. Otherwise it takes its place in the stream, and both ends stay valid and
 *              the source unchanged until the stream has passed it: a plugin may read the source that late.
 * [SB-CPY-003] Exactly the bytes of the destination range are written.
 * [SB-CPY-004] Source and destination do not overlap.
 * [SB-CPY-005] `bytes` may be 0: nothing happens.
 * [SB-CPY-006] `fill` writes `bytes` bytes, each with the value `byte`.
 * [SB-CPY-007] `copy` and `fill` refuse a range that does not lie within its buffer with SB_ERROR_INVALID_ARGUMENT, in the call itself.
 * [SB-CPY-008] `copy_peer` moves bytes from a buffer of `peer`, another open device of the same instance, to one of `device`. SB-CPY-002 to 005 and 007 hold for it;
 *              `stream` is one of `device`. A pair of devices without a way between them fails with SB_ERROR_UNSUPPORTED in the call itself.
 */

/* One end of a copy: in a buffer, or in host memory where `buffer` is NULL. Frozen. */
typedef struct sb_location {
    sb_buffer *buffer;
    void *host;      /* used if `buffer` is NULL */
    uint64_t offset; /* bytes from the start of the buffer or from `host` */
} sb_location;

typedef struct sb_driver {
    size_t size;
    int32_t (*open)(sb_instance *instance, uint32_t index, sb_device **device, sb_error *error); /* (required) */
    void (*close)(sb_device *device);                                                            /* (required) */
    int32_t (*allocate)(sb_device *device, uint32_t space, uint64_t bytes, uint64_t alignment, sb_buffer **buffer,
                        sb_error *error);               /* (required) */
    void (*free)(sb_device *device, sb_buffer *buffer); /* (required) */
    int32_t (*copy)(sb_device *device, sb_stream *stream, sb_location destination, sb_location source, uint64_t bytes,
                    sb_error *error); /* (required) */
    /* NULL: one device. */
    int32_t (*count)(sb_instance *instance, uint32_t *count, sb_error *error);
    /* NULL: a device of family "other" with one memory space of unknown size, aligned to 64 bytes. */
    int32_t (*describe)(sb_instance *instance, uint32_t index, const sb_hardware **hardware, sb_error *error);
    /* NULL: no buffer is visible to the host. */
    int32_t (*host_address)(sb_device *device, sb_buffer *buffer, void **address, sb_error *error);
    /* NULL: host memory cannot be imported; the host allocates and copies. */
    int32_t (*import_host)(sb_device *device, void *address, uint64_t bytes, sb_buffer **buffer, sb_error *error);
    /* NULL: the host copies a pattern. */
    int32_t (*fill)(sb_device *device, sb_stream *stream, sb_location destination, uint8_t byte, uint64_t bytes, sb_error *error);
    /* NULL: unknown. Bytes of a space that are allocated now, by this opening of the device. */
    int32_t (*usage)(sb_device *device, uint32_t space, uint64_t *bytes, sb_error *error);
    /* Since 0.3. NULL: copies between devices go through the host. */
    int32_t (*copy_peer)(sb_device *device, sb_stream *stream, sb_location destination, sb_device *peer, sb_location source, uint64_t bytes,
                         sb_error *error);
} sb_driver;

/* ---------------------------------------------------------------------------------------------------------------------
 * 6. Group "streams", version 1. Without it every call does its work before it returns.
 *
 * [SB-STR-001] Work on one stream runs in the order in which it was given; between streams there is no order but that of events.
 * [SB-STR-002] `execution` says whether calls on a stream do the work themselves (inline) or only queue it. A queued call never waits for the device's work,
 *              unless its queue is full.
 * [SB-STR-003] When `synchronize` returns SB_OK all work given to the stream before is done and visible to the host.
 * [SB-STR-004] Queued work that fails poisons its stream: later launches, executions, and copies and fills of buffers are skipped, and the next `synchronize`
 *              returns the first failure with its correlation number. After that the stream works again. What copies and fills leave in host memory after
 *              the failure is undefined.
 * [SB-STR-005] `destroy` waits for the stream's work.
 * [SB-STR-006] `query` answers SB_OK if all work is done, else SB_ERROR_NOT_READY, without waiting.
 * [SB-STR-007] `cancel` drops the stream's work that has not begun, and may break off what has; it does not wait, and may be called while another thread
 *              synchronizes the stream. If anything was dropped, the next `synchronize` returns SB_ERROR_CANCELLED; after that the stream works again.
 */
#define SB_EXECUTION_INLINE 0u
#define SB_EXECUTION_QUEUED 1u

typedef struct sb_streams {
    size_t size;
    uint32_t execution; /* SB_EXECUTION_* */
    uint32_t reserved;
    int32_t (*create)(sb_device *device, sb_stream **stream, sb_error *error); /* (required) */
    void (*destroy)(sb_stream *stream);                                        /* (required) */
    int32_t (*synchronize)(sb_stream *stream, sb_error *error);                /* (required) */
    int32_t (*query)(sb_stream *stream, sb_error *error);                      /* NULL: the host synchronizes */
    int32_t (*cancel)(sb_stream *stream, sb_error *error);                     /* since 0.3; NULL: the host waits for what it has given */
} sb_streams;

/* ---------------------------------------------------------------------------------------------------------------------
 * 7. Group "events", version 1. Without it the host synchronizes streams instead.
 *
 * [SB-EVT-001] `record` marks the point that the stream has reached by the work given so far; recording again moves the mark.
 * [SB-EVT-002] `wait` holds back later work on `stream` until the mark is reached. An event that was never recorded holds nothing back.
 * [SB-EVT-003] When `synchronize` returns SB_OK the work before the mark is done and visible to the host. It does not fire before.
 * [SB-EVT-004] `query` answers SB_OK or SB_ERROR_NOT_READY without waiting; an event that was never recorded is ready.
 * [SB-EVT-005] `elapsed` gives the device's nanoseconds between two marks that are both reached; it is never negative for marks in order on one
 *              stream, and fails with SB_ERROR_NOT_READY rather than waiting.
 */
typedef struct sb_events {
    size_t size;
    int32_t (*create)(sb_device *device, sb_event **event, sb_error *error);                    /* (required) */
    void (*destroy)(sb_event *event);                                                           /* (required) */
    int32_t (*record)(sb_event *event, sb_stream *stream, sb_error *error);                     /* (required) */
    int32_t (*wait)(sb_stream *stream, sb_event *event, sb_error *error);                       /* (required) */
    int32_t (*synchronize)(sb_event *event, sb_error *error);                                   /* (required) */
    int32_t (*query)(sb_event *event, sb_error *error);                                         /* NULL: the host synchronizes */
    int32_t (*elapsed)(sb_event *start, sb_event *end, uint64_t *nanoseconds, sb_error *error); /* NULL: no device clock */
} sb_events;

/* ---------------------------------------------------------------------------------------------------------------------
 * 8. Tensors and nodes
 *
 * [SB-TEN-001] A tensor begins `offset` bytes into `buffer`. `host` is the address of the same first element if the host can reach it, else NULL.
 * [SB-TEN-002] Without strides it is dense and row-major. With strides (in elements, never negative) element (i0, i1 ...) lies i0*strides[0] + i1*strides[1] ...
 *              elements on. Only kernels with SB_KERNEL_FLAG_STRIDED get strides; for others the host makes the tensor dense.
 * [SB-TEN-003] Rank is at most 64 and the element count at most 2^63 - 1. A dimension may be 0; rank 0 is one element.
 * [SB-TEN-004] Elements narrower than a byte are packed without gaps, the first in the lowest bits.
 * [SB-TEN-005] A bool is one byte, 0 or 1. Integers are two's complement, everything is little-endian.
 * [SB-TEN-006] A constant's address may be aligned to one byte only if the plugin offers `import_host`; everything else is aligned as the space says.
 */
#define SB_TYPE_FLOAT32         1u
#define SB_TYPE_UINT8           2u
#define SB_TYPE_INT8            3u
#define SB_TYPE_UINT16          4u
#define SB_TYPE_INT16           5u
#define SB_TYPE_INT32           6u
#define SB_TYPE_INT64           7u
#define SB_TYPE_BOOL            9u
#define SB_TYPE_FLOAT16         10u
#define SB_TYPE_FLOAT64         11u
#define SB_TYPE_UINT32          12u
#define SB_TYPE_UINT64          13u
#define SB_TYPE_COMPLEX64       14u
#define SB_TYPE_COMPLEX128      15u
#define SB_TYPE_BFLOAT16        16u
#define SB_TYPE_FLOAT8_E4M3FN   17u
#define SB_TYPE_FLOAT8_E4M3FNUZ 18u
#define SB_TYPE_FLOAT8_E5M2     19u
#define SB_TYPE_FLOAT8_E5M2FNUZ 20u
#define SB_TYPE_UINT4           21u
#define SB_TYPE_INT4            22u
#define SB_TYPE_FLOAT4_E2M1     23u
#define SB_TYPE_FLOAT8_E8M0     24u
#define SB_TYPE_UINT2           25u
#define SB_TYPE_INT2            26u

#define SB_TYPE_BIT(type) ((uint64_t)1 << (type))

#define SB_LAYOUT_ROW_MAJOR 0u /* other values: those of sb_layout */

typedef struct sb_tensor {
    size_t size;
    uint32_t data_type; /* (required) SB_TYPE_*                 */
    uint32_t rank;
    int64_t *shape;         /* `rank` entries; see SB-OPS-009 for who may write them */
    const int64_t *strides; /* NULL: dense                          */
    sb_buffer *buffer;      /* NULL: not placed yet (in `support` and `prepare`), or on the host only */
    uint64_t offset;        /* bytes                                */
    void *host;             /* NULL: not reachable by the host      */
    uint32_t layout;        /* SB_LAYOUT_ROW_MAJOR or one of the device's layouts */
    uint32_t reserved;
} sb_tensor;

/* Elements of a tensor; UINT64_MAX / 16 (more than any memory holds, whatever the type) if they are more than that. */
static inline uint64_t sb_element_count(const sb_tensor *tensor) {
    const uint64_t limit = UINT64_MAX / 16;
    uint64_t count = 1;
    bool overflows = false;
    for (uint32_t axis = 0; axis < tensor->rank; ++axis) {
        uint64_t size = (uint64_t)tensor->shape[axis];
        if (size == 0) return 0;
        if (overflows || count > limit / size)
            overflows = true;
        else
            count *= size;
    }
    return overflows ? limit : count;
}

#define SB_ATTRIBUTE_INTS    0u /* a single integer is a list of one, told apart by `flags` */
#define SB_ATTRIBUTE_FLOATS  1u
#define SB_ATTRIBUTE_STRINGS 2u
#define SB_ATTRIBUTE_TENSOR  3u

#define SB_ATTRIBUTE_FLAG_LIST 1u /* the attribute is a list, even if it has one entry */

typedef struct sb_attribute {
    size_t size;
    sb_string name; /* (required) */
    uint32_t type;  /* SB_ATTRIBUTE_*: which of the members below is set */
    uint32_t flags;
    size_t count;
    const int64_t *ints;
    const float *floats;
    const sb_string *strings;
    const sb_tensor *tensor; /* on the host */
} sb_attribute;

typedef struct sb_kernel sb_kernel;

/*
 * One operator applied to tensors.
 * [SB-NOD-001] Operators, their attributes and versions mean what the ONNX standard says. `version` is the operator-set version in which the operator's
 *              meaning was last changed.
 * [SB-NOD-002] An optional input or output that is left out is a NULL entry; left out at the end it may be missing from the count.
 * [SB-NOD-003] Attributes that have a default in the standard are always present. They come in no particular order.
 * [SB-NOD-004] An input whose value is known before the run has `host` set in `support` and `prepare`.
 */
typedef struct sb_node {
    size_t size;
    const sb_kernel *kernel; /* the kernel that the host asks for, one of the plugin's own; NULL: the node is part of a graph */
    sb_string domain;        /* empty: the standard's default domain */
    sb_string operator_name; /* (required) */
    uint32_t version;        /* (required) */
    uint32_t reserved;
    const sb_attribute *const *attributes;
    size_t attribute_count;
    const sb_tensor *const *inputs;
    size_t input_count;
    const sb_tensor *const *outputs;
    size_t output_count;
} sb_node;

/* ---------------------------------------------------------------------------------------------------------------------
 * 9. Group "operators", version 1: kernels, support, launch
 *
 * [SB-OPS-001] `kernels` lists what the library offers. Two kernels with the same name are an error; several kernels for one operator are not.
 *              The list may be made for the processor at hand when the library is loaded.
 * [SB-OPS-002] A kernel may be asked about any node of its operator, its version range and its data types. The data type of a node is that of its first input
 *              (of its first output, if it has no input); since 0.4 that of the second for Where, whose first is a condition.
 * [SB-OPS-003] `support` answers for every node of the batch: yes, or no with a reason code and a text. It never fails because one node is not supported.
 * [SB-OPS-004] The answer depends on nothing but the node and the device. A node that was supported can be prepared and launched with any values.
 * [SB-OPS-005] `launch` computes every output that is present, writes nothing else but the workspace, and does not write its inputs.
 * [SB-OPS-006] `launch` uses `stream` (NULL: it returns when the outputs are there). Arguments, except `sb_launch` and what it points to directly or
 *              through tensors, which stay until the stream has passed the launch, are valid until the call returns.
 * [SB-OPS-007] Outputs do not overlap inputs, unless the kernel has SB_KERNEL_FLAG_IN_PLACE: then output 0 may be exactly input 0.
 * [SB-OPS-008] Inputs named in `host_inputs` are on the host when the kernel is launched; all others need not be.
 * [SB-OPS-009] A kernel with SB_KERNEL_FLAG_REPORTS_SHAPE gets upper bounds as output shapes and writes the real dimensions, each no larger, into `shape`,
 *              by the time that the stream has passed it. All other kernels leave shapes alone.
 * [SB-OPS-010] An index input that is out of range gives an error or the operator's documented result; it never reads or writes out of bounds.
 * [SB-OPS-011] What `prepare` returned serves any number of launches of that node, also at once on several streams, until `release`.
 * [SB-OPS-012] The workspace has the size that `support` asked for, is aligned as the space says, and its contents are undefined.
 * [SB-OPS-013] A kernel with SB_KERNEL_FLAG_LAYOUTS may be asked about a node whose tensors have any of its layouts, answers for exactly these,
 *              and if it said yes gets them so. All others see row-major tensors alone. Its layouts are those of the device; those of the table
 *              for a library without a driver, whose numbers mean something to this library alone.
 * [SB-OPS-014] Asked about row-major tensors, such a kernel may write the layouts that it would rather have; asked about these, it then says yes.
 * [SB-OPS-015] A library whose kernels take a layout has kernels for the operator `ConvertLayout` of the domain `southbridge`, version 1: one input and one
 *              output of equal type and shape, one row-major and one in that layout, for every type that it takes in the layout.
 * [SB-OPS-016] A library without a driver is asked about devices of other plugins, those whose memory the host sees. It never looks into `device` or a
 *              buffer: its tensors have `host` set. Its launches get no stream: the host waits before for what they touch, and the call does the work.
 */
#define SB_KERNEL_FLAG_STRIDED       1u  /* takes inputs with strides                         */
#define SB_KERNEL_FLAG_IN_PLACE      2u  /* see SB-OPS-007                                    */
#define SB_KERNEL_FLAG_REPORTS_SHAPE 4u  /* see SB-OPS-009                                    */
#define SB_KERNEL_FLAG_DETERMINISTIC 8u  /* same inputs, same bits, always                    */
#define SB_KERNEL_FLAG_GENERIC       16u /* a slow general implementation; any other is preferred */
#define SB_KERNEL_FLAG_LAYOUTS       32u /* since 0.3, see SB-OPS-013                         */

/*
 * What a kernel declares about its arithmetic. The conformance suite derives from it how far results may be off, and probes it.
 * [SB-NUM-001] A kernel computes at least as precisely as it declares. Without a declaration sums are kept in float32 for floats of 16 and 8 bits, in int32 for
 *              integers of 8 and 4 bits, else in the type itself; inputs keep all their bits; stores round to nearest, ties to even; subnormal
 *              numbers are kept; NaN goes through minimum and maximum.
 * [SB-NUM-002] With SB_NUMERICS_FLUSHES_DENORMALS subnormal numbers of any inputs, and of results, may count as zero, in comparisons, too. With
 *              SB_NUMERICS_IGNORES_NAN a maximum or minimum of numbers and NaN may be that of the numbers alone (where there are none, an
 *              infinity): for Max, Min, ReduceMax, ReduceMin, MaxPool, GlobalMaxPool, Clip, Relu (the maximum of x and 0) and HardSigmoid (a Clip to 0 and 1).
 *              The flags excuse no more.
 * [SB-NUM-003] Where an answer of `support` or the description of a program has `numerics`, they hold for this node or program, in every respect, instead of those of
 *              the kernel or of the table: for what depends on the device, the data type or an option.
 * [SB-NUM-004] With a `value_type` floating-point values whose significands have more bits may be rounded to it, to nearest, where they are read, written or kept
 *              between the nodes of a program, constants among them. What is too large for it becomes its largest number or an infinity.
 */
#define SB_NUMERICS_TRUNCATES         1u /* stores round faithfully, not to nearest                       */
#define SB_NUMERICS_FLUSHES_DENORMALS 2u /* subnormal numbers are read or written as zero                 */
#define SB_NUMERICS_TRANSFORMS        4u /* products by transforms (Winograd, FFT)                        */
#define SB_NUMERICS_IGNORES_NAN       8u /* minimum and maximum of a number and NaN give the number       */

typedef struct sb_numerics {
    size_t size;
    uint32_t accumulator_type; /* SB_TYPE_*; 0: the default of SB-NUM-001                      */
    uint32_t input_bits; /* bits of the significand that products keep of their inputs, the hidden one included: 11 for TF32; 0: all */
    uint32_t flags;      /* SB_NUMERICS_*                                                */
    uint32_t reserved;
    /* Of approximated functions, in ULP of the result; of those within sums and normalisations, of the accumulator's type. 0: as the suite grants. */
    double function_error;
    uint32_t value_type; /* since 0.4; SB_TYPE_*, see SB-NUM-004; 0: values keep their types */
    uint32_t reserved2;
} sb_numerics;

struct sb_kernel {
    size_t size;
    sb_string name;              /* (required) unique in the library */
    sb_string domain;            /* empty: the standard's default domain */
    sb_string operator_name;     /* (required) */
    uint32_t since;              /* smallest and largest `version` of the node; */
    uint32_t until;              /* until 0: no limit                           */
    uint64_t data_types;         /* SB_TYPE_BIT of each                         */
    uint32_t flags;              /* SB_KERNEL_FLAG_*                            */
    int32_t priority;            /* among kernels for the same node: larger wins */
    uint64_t host_inputs;        /* bit i: input i is wanted on the host        */
    const void *context;         /* the plugin's own                            */
    const sb_numerics *numerics; /* NULL: the defaults of SB-NUM-001         */
};

#define SB_REASON_NONE      0u
#define SB_REASON_DATA_TYPE 1u
#define SB_REASON_SHAPE     2u
#define SB_REASON_ATTRIBUTE 3u
#define SB_REASON_LAYOUT    4u
#define SB_REASON_MEMORY    5u
#define SB_REASON_OTHER     6u

/* The answer about one node. The host sets `size`, `message` and `capacity`; everything else is 0 before the call. */
typedef struct sb_support {
    size_t size;
    uint32_t supported; /* 1: yes                                              */
    uint32_t reason;    /* SB_REASON_*, if not supported                       */
    char *message;      /* the host's memory; written if not supported, ended by a zero */
    size_t capacity;
    uint64_t workspace;          /* bytes that each launch needs                        */
    double cost;                 /* expected nanoseconds; 0: unknown                    */
    uint32_t *input_layouts;     /* since 0.3; the host's memory, an entry per input of the node, 0 before the call; NULL: not wanted */
    uint32_t *output_layouts;    /* since 0.3; likewise for the outputs                                                               */
    double layout_cost;          /* since 0.3; expected nanoseconds with these layouts; 0: unknown                                    */
    const sb_numerics *numerics; /* since 0.4; see SB-NUM-003; NULL: the kernel's                                                  */
} sb_support;

/* Everything that a launch needs. The host fills it once and passes it again for every run. */
typedef struct sb_launch {
    size_t size;
    sb_instance *instance;
    sb_device *device;   /* (required) */
    sb_stream *stream;   /* NULL: synchronous */
    const sb_node *node; /* (required) */
    sb_state *state;     /* from `prepare`; NULL without it */
    const sb_tensor *const *inputs;
    size_t input_count;
    const sb_tensor *const *outputs;
    size_t output_count;
    sb_buffer *workspace; /* NULL if none was asked for */
    uint64_t workspace_offset;
    uint64_t workspace_bytes;
    void *workspace_host; /* NULL: not reachable by the host */
    uint64_t correlation; /* comes back with an asynchronous failure */
} sb_launch;

typedef struct sb_operators {
    size_t size;
    const sb_kernel *const *kernels; /* (required) */
    size_t kernel_count;
    int32_t (*support)(sb_instance *instance, sb_device *device, const sb_node *const *nodes, size_t node_count, sb_support *const *answers,
                       sb_error *error);                         /* (required) */
    int32_t (*launch)(const sb_launch *launch, sb_error *error); /* (required) */
    /* NULL: kernels are stateless; `state` is NULL in every launch. */
    int32_t (*prepare)(sb_instance *instance, sb_device *device, const sb_node *node, sb_state **state, sb_error *error);
    /* NULL only if `prepare` is. */
    void (*release)(sb_state *state);
    const sb_layout *const *layouts; /* since 0.4; of a library without a driver, see SB-OPS-013; NULL: none */
    size_t layout_count;             /* since 0.4 */
} sb_operators;

/* ---------------------------------------------------------------------------------------------------------------------
 * 10. Group "graphs", version 1, since 0.2: the plugin's own compiler takes whole subgraphs
 *
 * [SB-GRA-001] A graph's nodes are in an order in which every value is made before it is read. Shapes and types are known, all of them.
 * [SB-GRA-002] One value is one sb_tensor: the same pointer, wherever in the graph it is made or read. A value that no node makes is an input of the
 *              graph, or a constant, which has `host` set. Outputs are values that nodes make; nodes of the graph may read them, too.
 * [SB-GRA-003] `serialize` gives the same graph as an ONNX model: nodes, inputs and outputs in the same order, constants as initializers. The bytes are the
 *              host's and stay until the call that the graph was passed to returns. `serialize_external` gives the same, but constants of 1024 bytes and
 *              more as external data: at `location`, as it was given, with the address as `offset`, which stays as long, and the bytes as `length`.
 * [SB-GRA-004] `claim` writes one number per node: 0 leaves the node to kernels, equal numbers above 0 put nodes into one program. The host sets all to 0 before.
 * [SB-GRA-005] The answer of `claim` depends on nothing but the graph and the device. It never fails because a node is not supported.
 * [SB-GRA-006] A plugin keeps its groups free of paths that leave a group and enter it again. Where one does, perhaps through nodes that `claim` was not
 *              shown, the host divides the group into parts without such a path, and each becomes a program.
 * [SB-GRA-007] `compile` gets one claimed group as a graph of its own, and succeeds unless memory runs out. Of any other graph, a part of a claimed group
 *              among them, it makes a program or fails with SB_ERROR_UNSUPPORTED.
 * [SB-GRA-008] A program keeps nothing of the graph that it was made of: after `compile` the host may free the graph, its constants among it.
 * [SB-GRA-009] A program serves any number of executions, also at once on several streams, until `release`. Same inputs, same bits.
 * [SB-GRA-010] `execute` gets dense row-major tensors with the types and shapes of the compiled graph's inputs and outputs, in their order, and computes every
 *              output. It writes nothing else but the workspace, and does not write its inputs.
 * [SB-GRA-011] `execute` uses `stream` (NULL: it returns when the outputs are there). Its arguments stay as long as those of a launch (SB-OPS-006), and
 *              the workspace is as in SB-OPS-012.
 * [SB-GRA-012] Outputs overlap neither inputs nor each other.
 * [SB-GRA-013] Each node is computed at least as precisely as the table's `numerics` declare. Values inside the program may keep more precision than their type
 *              has, but less only where `value_type` says so; outputs are rounded to their type.
 * [SB-GRA-014] `save` with `data` NULL gives the size of the artefact in `bytes`; with data it writes the artefact and its size, or fails with
 *              SB_ERROR_INVALID_ARGUMENT if `capacity` is too small.
 * [SB-GRA-015] A program that is loaded from an artefact computes the same bits as the program that was saved.
 * [SB-GRA-016] `verdict` answers for any bytes whatever. It calls an artefact damaged if a bit has changed or the end is missing.
 * [SB-GRA-017] `load` takes an artefact that `verdict` calls compatible. It refuses a damaged one with SB_ERROR_INVALID_ARGUMENT and all others with
 *              SB_ERROR_UNSUPPORTED.
 */

typedef struct sb_graph sb_graph;

/* A subgraph, to be read. */
struct sb_graph {
    size_t size;
    const sb_node *const *nodes; /* (required) `kernel` of each is NULL */
    size_t node_count;
    const sb_tensor *const *inputs;
    size_t input_count;
    const sb_tensor *const *outputs; /* (required) */
    size_t output_count;
    int32_t (*serialize)(const sb_graph *graph, sb_string *onnx, sb_error *error); /* (required) */
    /* Since 0.4. NULL: constants come inside alone, and a model is smaller than 2 GiB. */
    int32_t (*serialize_external)(const sb_graph *graph, sb_string location, sb_string *onnx, sb_error *error);
};

typedef struct sb_program_info {
    size_t size;
    uint64_t workspace;          /* bytes that each execution needs          */
    double cost;                 /* expected nanoseconds; 0: unknown         */
    const sb_numerics *numerics; /* since 0.4; see SB-NUM-003; NULL: the table's                                    */
    uint64_t resident;           /* since 0.4; bytes of the plugin's own that the program holds until `release`; 0: unknown   */
    uint64_t per_execution;      /* since 0.4; bytes of the plugin's own that each execution needs beside the workspace       */
} sb_program_info;

/* Everything that an execution needs. The host fills it once and passes it again for every run. */
typedef struct sb_execution {
    size_t size;
    sb_instance *instance;
    sb_device *device;   /* (required) */
    sb_stream *stream;   /* NULL: synchronous */
    sb_program *program; /* (required) */
    const sb_tensor *const *inputs;
    size_t input_count;
    const sb_tensor *const *outputs; /* (required) */
    size_t output_count;
    sb_buffer *workspace; /* NULL if none was asked for */
    uint64_t workspace_offset;
    uint64_t workspace_bytes;
    void *workspace_host; /* NULL: not reachable by the host */
    uint64_t correlation; /* comes back with an asynchronous failure */
} sb_execution;

#define SB_ARTIFACT_COMPATIBLE    0u
#define SB_ARTIFACT_OTHER_VERSION 1u /* of the plugin or its compiler: compile anew    */
#define SB_ARTIFACT_OTHER_DEVICE  2u /* made for another device or another kind of it  */
#define SB_ARTIFACT_DAMAGED       3u /* or no artefact of this plugin at all           */

typedef struct sb_graphs {
    size_t size;
    const sb_numerics *numerics; /* NULL: the defaults of SB-NUM-001 */
    int32_t (*claim)(sb_instance *instance, sb_device *device, const sb_graph *graph, uint32_t *groups, sb_error *error); /* (required) */
    int32_t (*compile)(sb_instance *instance, sb_device *device, const sb_graph *graph, sb_program **program,
                       sb_error *error);                                /* (required) */
    int32_t (*execute)(const sb_execution *execution, sb_error *error); /* (required) */
    /* NULL: programs hold nothing. */
    void (*release)(sb_program *program);
    /* NULL: no workspace, cost unknown. The host sets `size`; everything else is 0 before the call. */
    int32_t (*describe)(sb_program *program, sb_program_info *info, sb_error *error);
    /* NULL: no artefacts. */
    int32_t (*save)(sb_program *program, void *data, uint64_t capacity, uint64_t *bytes, sb_error *error);
    /* NULL only if `save` is. */
    int32_t (*load)(sb_instance *instance, sb_device *device, const void *data, uint64_t bytes, sb_program **program, sb_error *error);
    /* NULL only if `save` is. Writes SB_ARTIFACT_*. */
    int32_t (*verdict)(sb_instance *instance, sb_device *device, const void *data, uint64_t bytes, uint32_t *verdict, sb_error *error);
} sb_graphs;

/* ---------------------------------------------------------------------------------------------------------------------
 * 11. Group "observation", version 1, since 0.2: what the device counts and what it was doing
 *
 * [SB-OBS-001] `counters` writes how many counters the device has into `count`, and fills the first `capacity` of them or all. The host sets `size`;
 *              everything else is 0 before the call. Names and units stay until the device is closed.
 * [SB-OBS-002] The counters of a device, their names, units, kinds and order do not change while it is open; no two have the same name.
 * [SB-OBS-003] A cumulative counter counts exactly, from 0 when the device was opened, and never falls. It counts work by the time that its stream is
 *              synchronized.
 * [SB-OBS-004] A gauge is a measurement of now, in `value`; NaN if there is none at this time.
 * [SB-OBS-005] Activities are recorded while recording is on; it is off when the device is opened. Recording changes no result and no counter.
 * [SB-OBS-006] `activities` calls `sink` on the calling thread, once for each recorded activity that has finished, and forgets it. `sink` calls nothing of
 *              the plugin; the activity and its strings are valid until it returns.
 * [SB-OBS-007] Times are picoseconds of the device's own clock since the device was opened; `begin` is not after `end`. Activities of one lane do not overlap.
 * [SB-OBS-008] An activity carries the `correlation` of the launch or execution that caused it, 0 if none did.
 */
#define SB_COUNTER_CUMULATIVE 0u /* `count` holds it */
#define SB_COUNTER_GAUGE      1u /* `value` holds it */

typedef struct sb_counter {
    size_t size;
    sb_string name; /* (required) */
    sb_string unit; /* "cycles", "bytes", "operations", "ns", "W", "°C", "%" ...; empty: a plain number */
    uint32_t kind;  /* SB_COUNTER_* */
    uint32_t reserved;
    uint64_t count;
    double value;
} sb_counter;

typedef struct sb_activity {
    size_t size;
    sb_string lane; /* (required) what did it: "core 0 matrix", "stream 1", "link" */
    sb_string name; /* (required) what it did */
    uint64_t begin;
    uint64_t end;
    uint64_t correlation;
    uint64_t bytes;      /* moved, 0 if unknown */
    uint64_t operations; /* 0 if unknown        */
} sb_activity;

typedef struct sb_observation {
    size_t size;
    /* NULL: counts nothing. */
    int32_t (*counters)(sb_device *device, sb_counter *const *counters, size_t capacity, size_t *count, sb_error *error);
    /* NULL: records nothing. */
    int32_t (*record)(sb_device *device, bool on, sb_error *error);
    /* NULL only if `record` is. */
    int32_t (*activities)(sb_device *device, void *context, void (*sink)(void *context, const sb_activity *activity), sb_error *error);
} sb_observation;

/* ---------------------------------------------------------------------------------------------------------------------
 * 12. Group "passes", version 1, since 0.3: the plugin rewrites graphs, and brings operators of its own
 *
 * [SB-PAS-001] The host runs a pass at its stage, after the passes that `after` names; a graph may pass through it more than once.
 * [SB-PAS-002] Nodes and values have numbers. Nodes are numbered from 0 in an order in which every value is made before it is read; what is added gets a number
 *              that was never used. SB_NOTHING stands for what is not there.
 * [SB-PAS-003] What an accessor returns stays until the pass returns, and shows the node as it was when it was asked for. Tensors have type and shape, constants
 *              `host`; a dimension of -1 depends on data.
 * [SB-PAS-004] Accessors answer NULL, SB_NOTHING, 0 or false for a number that does not exist; a change that would break the graph fails and changes nothing.
 * [SB-PAS-005] `add_node` takes domain, operator, version, attributes and the numbers of inputs, and writes the numbers of new values for the outputs (SB_NOTHING
 *              before the call: left out). Types and shapes of the outputs are the host's to find: by the standard, or by a plugin's `infer`.
 * [SB-PAS-006] `replace` lets all readers of a value, and the graph's outputs, have another one of the same type and shape instead. Nodes whose values nobody
 *              wants any more may stay: the host removes them.
 * [SB-PAS-007] A pass keeps what the graph computes, within the bounds of the operators' arithmetic. The host verifies the structure after every pass, and numbers
 *              on request; a pass that fails, or breaks a rule, is undone, named and not run again.
 * [SB-PAS-008] A pass depends on nothing but the graph and the plugin's options.
 * [SB-PAS-009] `infer` writes type, rank and shape (64 entries are there) of each output of a node in a domain of the plugin's own, for any inputs that the node has;
 *              otherwise it fails with SB_ERROR_UNSUPPORTED.
 */
#define SB_NOTHING 0xFFFFFFFFu

#define SB_STAGE_SIMPLIFY 0u /* before the host's own passes: folding, common subexpressions, identities */
#define SB_STAGE_FUSE     1u /* after these, before the host fuses patterns to larger operators          */
#define SB_STAGE_FINAL    2u /* last, before nodes are placed on devices                                 */

typedef struct sb_editor sb_editor;

/* A graph, to be read and rewritten. */
struct sb_editor {
    size_t size;
    uint32_t (*node_count)(sb_editor *editor);                /* (required) numbers given so far, those of removed nodes among them */
    const sb_node *(*node)(sb_editor *editor, uint32_t node); /* (required) */
    uint32_t (*input)(sb_editor *editor, uint32_t node, size_t position);  /* (required) */
    uint32_t (*output)(sb_editor *editor, uint32_t node, size_t position); /* (required) */
    const sb_tensor *(*tensor)(sb_editor *editor, uint32_t value);         /* (required) */
    uint32_t (*producer)(sb_editor *editor, uint32_t value);               /* (required) */
    /* Writes the first `capacity` of them or all, and returns how many there are. A node that reads the value twice is there once. */
    size_t (*readers)(sb_editor *editor, uint32_t value, uint32_t *nodes, size_t capacity);                /* (required) */
    bool (*is_output)(sb_editor *editor, uint32_t value);                                                  /* (required) */
    int32_t (*add_constant)(sb_editor *editor, const sb_tensor *tensor, uint32_t *value, sb_error *error); /* (required) */
    int32_t (*add_node)(sb_editor *editor, const sb_node *node, const uint32_t *inputs, uint32_t *outputs,
                        sb_error *error);                                                /* (required) */
    int32_t (*replace)(sb_editor *editor, uint32_t value, uint32_t by, sb_error *error); /* (required) */
    int32_t (*remove)(sb_editor *editor, uint32_t node, sb_error *error);                /* (required) fails while its values are wanted */
};

typedef struct sb_pass {
    size_t size;
    sb_string name; /* (required) unique in the plugin                            */
    sb_string help;
    sb_string after; /* a pass of the same stage and plugin; empty: anywhere       */
    uint32_t stage;  /* SB_STAGE_*                                                 */
    uint32_t reserved;
    int32_t (*run)(sb_instance *instance, sb_editor *editor, sb_error *error); /* (required) */
} sb_pass;

typedef struct sb_passes {
    size_t size;
    const sb_pass *const *passes; /* (required) */
    size_t pass_count;            /* (required) */
    /* NULL: no operators of its own. */
    int32_t (*infer)(sb_instance *instance, const sb_node *node, sb_tensor *const *outputs, sb_error *error);
} sb_passes;

/* ---------------------------------------------------------------------------------------------------------------------
 * 13. Group "memory", version 1, since 0.3: the host's memory plan, offered to the plugin before it is used
 *
 * [SB-PLN-001] The plan as it is given is sound: every request has an aligned offset, lies within `bytes`, and shares no byte with another one that is
 *              needed at the same step.
 * [SB-PLN-002] `amend` may write other offsets and another `bytes`; the host verifies them, and keeps its own plan if they are not sound.
 * [SB-PLN-003] Steps are numbered in the order in which work is given to the device. Work on several streams may keep a request longer than its steps say: the
 *              host waits where two requests share memory.
 */

/* Memory for one tensor or workspace. Frozen. */
typedef struct sb_memory_request {
    uint64_t bytes; /* (required) */
    uint64_t first; /* step that writes it  */
    uint64_t last;  /* last step that needs it */
} sb_memory_request;

typedef struct sb_memory_plan {
    size_t size;
    uint32_t space;
    uint32_t reserved;
    uint64_t alignment;                /* (required) */
    const sb_memory_request *requests; /* (required) */
    size_t request_count;              /* (required) */
    uint64_t *offsets;                 /* (required) one per request */
    uint64_t bytes;                    /* (required) of the whole */
} sb_memory_plan;

typedef struct sb_memory {
    size_t size;
    int32_t (*amend)(sb_instance *instance, sb_device *device, sb_memory_plan *plan, sb_error *error); /* (required) */
} sb_memory;

#ifdef __cplusplus
}
#endif
#endif
