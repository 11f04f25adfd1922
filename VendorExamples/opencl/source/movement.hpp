// SPDX-License-Identifier: Apache-2.0
#pragma once

// The OpenCL type of an element that is only moved. Refuses sizes that have none.
const char *unit_type(unsigned bytes);
