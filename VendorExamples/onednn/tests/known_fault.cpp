// SPDX-License-Identifier: Apache-2.0
//
// A maximum over nothing but -infinity is the lowest finite number in oneDNN, which begins there instead of at -infinity. Exits with 1 if it is gone: then
// expected-failures.json has to go, too.
#include <cmath>
#include <cstdio>
#include <dnnl.hpp>

int main() {
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    dnnl::stream stream(engine);
    const dnnl::memory::desc desc({1, 8, 1, 1}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::nhwc);
    float from[8], to[8] = {};
    for (float &each : from) each = -INFINITY;
    const dnnl::pooling_forward::primitive_desc pool(
        {dnnl::prop_kind::forward_inference, dnnl::algorithm::pooling_max, desc, desc, {1, 1}, {1, 1}, {0, 0}, {0, 0}}, engine);
    dnnl::pooling_forward(pool).execute(stream, {{DNNL_ARG_SRC, {desc, engine, from}}, {DNNL_ARG_DST, {desc, engine, to}}});
    stream.wait();
    const bool isThere = to[0] != -INFINITY;
    std::printf("%s: the maximum of -infinity is %g\n", isThere ? "there" : "gone", static_cast<double>(to[0]));
    return isThere ? 0 : 1;
}
