/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <dlfcn.h>

#include "npu.h"

const char *npu_library_path(void) {
    Dl_info info;
    return dladdr((const void *)npu_library_path, &info) && info.dli_fname ? info.dli_fname : "";
}
