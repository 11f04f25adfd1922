// SPDX-License-Identifier: Apache-2.0
#include "programs.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "failure.hpp"

namespace {

// FNV-1a, 64 bits.
uint64_t hash(const std::string &text, uint64_t value = 0xcbf29ce484222325u) {
    for (unsigned char byte : text) value = (value ^ byte) * 0x100000001b3u;
    return value;
}

std::string build_log(cl_program program, cl_device_id device) {
    size_t bytes = 0;
    clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, 0, nullptr, &bytes);
    std::string log(bytes, '\0');
    clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, bytes, log.data(), nullptr);
    return log.substr(0, 800).c_str();
}

} // namespace

Kernel Programs::kernel(const std::string &source, const std::string &options, const char *name) {
    std::lock_guard guard(lock);
    std::string key = options + '\n' + source;
    auto found = programs.find(key);
    if (found == programs.end()) found = programs.emplace(key, build(source, options)).first;
    cl_int status;
    Kernel kernel(clCreateKernel(found->second.get(), name, &status));
    check(status, "making a kernel");
    return kernel;
}

Program Programs::build(const std::string &source, const std::string &options) {
    std::string path;
    if (!folder.empty()) {
        // What is built depends on all of this; two hashes make 128 bits.
        std::string all = hardware.build + '\n' + options + '\n' + source;
        char name[48];
        snprintf(name, sizeof name, "/%016llx%016llx.clbin", (unsigned long long)hash(all),
                 (unsigned long long)hash(all, 0x9e3779b97f4a7c15u));
        path = folder + name;
        if (Program loaded = load(path, options)) return loaded;
    }
    cl_int status;
    const char *text = source.c_str();
    Program program(clCreateProgramWithSource(context, 1, &text, nullptr, &status));
    check(status, "making a program");
    status = clBuildProgram(program.get(), 1, &hardware.device, options.c_str(), nullptr, nullptr);
    if (status == CL_BUILD_PROGRAM_FAILURE)
        throw Failure{SB_ERROR_INTERNAL, "the OpenCL compiler refuses a kernel: " + build_log(program.get(), hardware.device)};
    check(status, "building a program");
    if (!path.empty()) save(program.get(), path);
    return program;
}

// Empty if there is no such file, or the driver does not take it any more.
Program Programs::load(const std::string &path, const std::string &options) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return {};
    std::vector<unsigned char> bytes((std::istreambuf_iterator<char>(file)), {});
    const unsigned char *data = bytes.data();
    size_t count = bytes.size();
    cl_int status, binary_status;
    Program program(clCreateProgramWithBinary(context, 1, &hardware.device, &count, &data, &binary_status, &status));
    if (status != CL_SUCCESS || binary_status != CL_SUCCESS) return {};
    if (clBuildProgram(program.get(), 1, &hardware.device, options.c_str(), nullptr, nullptr) != CL_SUCCESS) return {};
    return program;
}

// A file that cannot be written costs another build, no more.
void Programs::save(cl_program program, const std::string &path) {
    size_t count = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof count, &count, nullptr) != CL_SUCCESS || count == 0) return;
    std::vector<unsigned char> bytes(count);
    unsigned char *data = bytes.data();
    if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof data, &data, nullptr) != CL_SUCCESS) return;
    mkdir(folder.c_str(), 0777);
    // Written apart and renamed: another process sees the whole file or none.
    std::string part = path + "." + std::to_string(getpid());
    std::ofstream file(part, std::ios::binary);
    file.write((const char *)data, (std::streamsize)count);
    file.close();
    if (!file || rename(part.c_str(), path.c_str()) != 0) unlink(part.c_str());
}
