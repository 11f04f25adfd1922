// SPDX-License-Identifier: Apache-2.0
//
// Reproducer without the plugin: exp of a float64 just below the largest argument. OpenCL grants 3 ULP; PoCL 3.1 gives infinity.
#include <CL/cl.h>

#include <cmath>
#include <cstdio>

int main() {
    const char *source = "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n__kernel void run(__global double *x) { *x = exp(*x); }";
    const double argument = std::log(1.7976931348623157e308);
    double x = argument;
    cl_platform_id platform;
    cl_device_id device;
    if (clGetPlatformIDs(1, &platform, nullptr) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr)) return 2;
    cl_context context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, nullptr);
    cl_command_queue queue = clCreateCommandQueue(context, device, 0, nullptr);
    cl_mem memory = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof x, &x, nullptr);
    cl_program program = clCreateProgramWithSource(context, 1, &source, nullptr, nullptr);
    if (clBuildProgram(program, 1, &device, "", nullptr, nullptr)) return 2;
    cl_kernel kernel = clCreateKernel(program, "run", nullptr);
    size_t one = 1;
    clSetKernelArg(kernel, 0, sizeof memory, &memory);
    clEnqueueNDRangeKernel(queue, kernel, 1, nullptr, &one, nullptr, 0, nullptr, nullptr);
    clEnqueueReadBuffer(queue, memory, CL_TRUE, 0, sizeof x, &x, 0, nullptr, nullptr);
    printf("exp(%.17g) is %.17g, not %.17g\n", argument, x, std::exp(argument));
    return std::isinf(x);
}
