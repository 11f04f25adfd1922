/* SPDX-License-Identifier: Apache-2.0 */
#include "southbridge.h" /* the target has no other C */
