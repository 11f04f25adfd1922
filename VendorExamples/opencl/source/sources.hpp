// SPDX-License-Identifier: Apache-2.0
//
// The files of `kernels`, as text. The Makefile writes sources.cpp from them.
#pragma once

namespace sources {
extern const char types[], copy[], elementwise[], movement[], gather[], product[], convolution[], pooling[], reduction[], normalization[];
}
