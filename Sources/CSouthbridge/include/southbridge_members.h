/* SPDX-License-Identifier: Apache-2.0
 *
 * southbridge_members.h - southbridge.h as data: every struct, every member, and which of them are required
 *
 * The loader, the tests and the documentation read this one table. It is not part of the interface: a plugin does not need it.
 * Offsets and sizes come from the compiler; a test compares the names and the word "(required)" with the header's text.
 */
#ifndef SOUTHBRIDGE_MEMBERS_H
#define SOUTHBRIDGE_MEMBERS_H

#include "southbridge.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SOUTHBRIDGE_KIND_SIZE     0u /* the struct's own size; always required            */
#define SOUTHBRIDGE_KIND_NUMBER   1u /* a number or flags; absent is 0                    */
#define SOUTHBRIDGE_KIND_POINTER  2u /* data or a handle; absent is NULL                  */
#define SOUTHBRIDGE_KIND_FUNCTION 3u /* absent is NULL                                    */
#define SOUTHBRIDGE_KIND_STRING   4u /* an sb_string; absent is the empty string          */
#define SOUTHBRIDGE_KIND_STRUCT   5u /* a struct by value                                 */

/* One member of a struct. */
typedef struct southbridge_member {
    const char *name;
    size_t offset;
    size_t size;
    uint32_t kind;           /* SOUTHBRIDGE_KIND_*                                        */
    bool required;           /* the writer's `size` must reach past it, and it must not be absent */
    uint32_t minor;          /* minor version of the header that brought it               */
    const char *needed_with; /* required if this other member is there; NULL: no such rule */
    const char *absent;      /* what NULL, 0 or empty means; "" for a required member     */
} southbridge_member;

#define SOUTHBRIDGE_WRITER_PLUGIN 0u
#define SOUTHBRIDGE_WRITER_HOST   1u
#define SOUTHBRIDGE_WRITER_BOTH   2u

/* One struct of southbridge.h. */
typedef struct southbridge_structure {
    const char *name;
    size_t size;
    bool frozen;
    uint32_t writer;        /* SOUTHBRIDGE_WRITER_*                       */
    const char *group;      /* the group whose table this is, or NULL     */
    uint32_t group_version; /* 0 if it is no group's table                */
    const southbridge_member *members;
    size_t member_count;
} southbridge_structure;

/* All structs, in the header's order. The memory is static. */
const southbridge_structure *southbridge_structures(size_t *count);

#ifdef __cplusplus
}
#endif
#endif
