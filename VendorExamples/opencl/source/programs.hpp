// SPDX-License-Identifier: Apache-2.0
//
// Programs of one device: built when they are first wanted, and kept; with a folder also between processes.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "handles.hpp"
#include "hardware.hpp"

class Programs {
  public:
    Programs(const Hardware &hardware, cl_context context, const std::string &folder)
        : hardware(hardware), context(context), folder(folder) {}

    // A new kernel of the program that the source becomes with these options.
    Kernel kernel(const std::string &source, const std::string &options, const char *name);

  private:
    const Hardware &hardware;
    cl_context context;
    std::string folder;
    std::mutex lock;
    std::map<std::string, Program> programs;

    Program build(const std::string &source, const std::string &options);
    Program load(const std::string &path, const std::string &options);
    void save(cl_program program, const std::string &path);
};
