/* SPDX-License-Identifier: Apache-2.0 */
#include "vector_math.h"
#include <math.h>

#define CHAINS (2 * LANES)

INLINE float join_sum(float *chains) {
    for (int width = CHAINS / 2; width > 0; width /= 2)
        for (int c = 0; c < width; ++c) chains[c] += chains[c + width];
    return chains[0];
}

/* The sum over a row of TERM, an expression in the element index i, in CHAINS chains. */
#define SUM(RESULT, COUNT, TERM)                                                                                                           \
    do {                                                                                                                                   \
        float chains[CHAINS] = {0};                                                                                                        \
        int64_t base = 0;                                                                                                                  \
        for (; base + CHAINS <= (COUNT); base += CHAINS)                                                                                   \
            for (int c = 0; c < CHAINS; ++c) {                                                                                             \
                const int64_t i = base + c;                                                                                                \
                chains[c] += (TERM);                                                                                                       \
            }                                                                                                                              \
        for (int c = 0; base + c < (COUNT); ++c) {                                                                                         \
            const int64_t i = base + c;                                                                                                    \
            chains[c] += (TERM);                                                                                                           \
        }                                                                                                                                  \
        (RESULT) = join_sum(chains);                                                                                                       \
    } while (0)

/* The mean is taken off before scaling: folding it into the bias would lose digits where it is large against the deviation. */
CLONES void cpu_batch_normalization_float32(int64_t channels, int64_t size, float epsilon, const void *x, const void *scale,
                                            const void *bias, const void *mean, const void *variance, void *y, int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
        const int64_t channel = plane % channels;
        const float factor = ((const float32_u *)scale)[channel] / __builtin_sqrtf(((const float32_u *)variance)[channel] + epsilon);
        const float center = ((const float32_u *)mean)[channel], shift = ((const float32_u *)bias)[channel];
        const float32_u *from = (const float32_u *)x + plane * size;
        float32_u *to = (float32_u *)y + plane * size;
        EACH(int64_t i = 0; i < size; ++i) to[i] = (from[i] - center) * factor + shift;
    }
}

CLONES void cpu_lrn_float32(int64_t channels, int64_t size, int64_t window, float alpha, float beta, float bias, const void *x, void *y,
                            int64_t begin, int64_t end) {
    enum { STRIP = 256 };
    float sums[STRIP];
    const int64_t before = (window - 1) / 2, after = window - 1 - before;
    for (int64_t item = begin; item < end;) {
        const int64_t place = item % size, count = minimum(minimum(size - place, end - item), STRIP);
        const int64_t start = item / size * channels * size + place;
        const float32_u *from = (const float32_u *)x + start;
        float32_u *to = (float32_u *)y + start;
        for (int64_t channel = 0; channel < channels; ++channel) {
            const int64_t first = maximum(channel - before, 0), last = minimum(channel + after, channels - 1);
            for (int64_t i = 0; i < count; ++i) sums[i] = 0;
            for (int64_t c = first; c <= last; ++c)
                for (int64_t i = 0; i < count; ++i) sums[i] += from[c * size + i] * from[c * size + i];
            const float32_u *row = from + channel * size;
            float32_u *output = to + channel * size;
            if (beta == 0.75f) { /* what every network uses; two roots are faster than a power, and more exact */
                for (int64_t i = 0; i < count; ++i) {
                    const float base = bias + alpha / (float)window * sums[i], root = __builtin_sqrtf(base);
                    output[i] = row[i] / (root * __builtin_sqrtf(root));
                }
            } else {
                for (int64_t i = 0; i < count; ++i) output[i] = row[i] / powf(bias + alpha / (float)window * sums[i], beta);
            }
        }
        item += count;
    }
}

INLINE float row_maximum(const float32_u *x, int64_t length) {
    float chains[CHAINS];
    for (int c = 0; c < CHAINS; ++c) chains[c] = -__builtin_inff();
    int64_t base = 0;
    for (; base + CHAINS <= length; base += CHAINS)
        for (int c = 0; c < CHAINS; ++c) chains[c] = x[base + c] > chains[c] ? x[base + c] : chains[c];
    for (int c = 0; base + c < length; ++c) chains[c] = x[base + c] > chains[c] ? x[base + c] : chains[c];
    for (int c = 1; c < CHAINS; ++c) chains[0] = chains[c] > chains[0] ? chains[c] : chains[0];
    return chains[0];
}

/* A NaN is not seen by the maximum, but makes the sum and with it the whole row NaN. */
INLINE void softmax_row(int64_t length, bool logarithm, const float32_u *x, float32_u *y) {
    const float top = row_maximum(x, length);
    float sum;
    if (logarithm) {
        SUM(sum, length, vector_exp(x[i] - top));
        const float shift = logf(sum);
        EACH(int64_t i = 0; i < length; ++i) y[i] = (x[i] - top) - shift;
    } else {
        EACH(int64_t i = 0; i < length; ++i) y[i] = vector_exp(x[i] - top);
        SUM(sum, length, y[i]);
        EACH(int64_t i = 0; i < length; ++i) y[i] /= sum;
    }
}

/* `count` neighbouring softmaxes at once, at most STRIP; elements of one lie `inner` apart. */
enum { STRIP = 128 };
INLINE void softmax_columns(int64_t length, int64_t inner, int64_t count, bool logarithm, const float32_u *x, float32_u *y) {
    float top[STRIP], sum[STRIP];
    for (int64_t i = 0; i < count; ++i) top[i] = -__builtin_inff(), sum[i] = 0;
    for (int64_t k = 0; k < length; ++k)
        for (int64_t i = 0; i < count; ++i) top[i] = x[k * inner + i] > top[i] ? x[k * inner + i] : top[i];
    for (int64_t k = 0; k < length; ++k) EACH(int64_t i = 0; i < count; ++i) {
            const float shifted = x[k * inner + i] - top[i], e = vector_exp(shifted);
            y[k * inner + i] = logarithm ? shifted : e;
            sum[i] += e;
        }
    for (int64_t i = 0; i < count; ++i) sum[i] = logarithm ? vector_log(sum[i]) : sum[i];
    for (int64_t k = 0; k < length; ++k)
        EACH(int64_t i = 0; i < count; ++i) y[k * inner + i] = logarithm ? y[k * inner + i] - sum[i] : y[k * inner + i] / sum[i];
}

CLONES void cpu_softmax_float32(int64_t length, int64_t inner, bool logarithm, const void *x, void *y, int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end;) {
        const int64_t place = item % inner, start = item / inner * length * inner + place;
        const int64_t count = inner == 1 ? 1 : minimum(minimum(inner - place, end - item), STRIP);
        const float32_u *from = (const float32_u *)x + start;
        float32_u *to = (float32_u *)y + start;
        if (inner == 1)
            softmax_row(length, logarithm, from, to);
        else
            softmax_columns(length, inner, count, logarithm, from, to);
        item += count;
    }
}

/* Two passes over the deviations: the one-pass formula cancels. */
CLONES void cpu_layer_normalization_float32(int64_t length, float epsilon, const void *x, const void *scale, const void *bias, void *y,
                                            void *mean, void *inverse, int64_t begin, int64_t end) {
    const float32_u *factor = scale, *shift = bias;
    for (int64_t row = begin; row < end; ++row) {
        const float32_u *from = (const float32_u *)x + row * length;
        float32_u *to = (float32_u *)y + row * length;
        float sum, squares;
        SUM(sum, length, from[i]);
        const float center = sum / (float)length;
        SUM(squares, length, (from[i] - center) * (from[i] - center));
        const float scaling = 1.0f / __builtin_sqrtf(squares / (float)length + epsilon);
        if (shift)
            EACH(int64_t i = 0; i < length; ++i) to[i] = (from[i] - center) * scaling * factor[i] + shift[i];
        else
            EACH(int64_t i = 0; i < length; ++i) to[i] = (from[i] - center) * scaling * factor[i];
        if (mean) ((float32_u *)mean)[row] = center;
        if (inverse) ((float32_u *)inverse)[row] = scaling;
    }
}

/* Rows of channels * size elements. Two passes over the deviations, as above. */
CLONES void cpu_group_normalization_float32(int64_t groups, int64_t channels, int64_t size, float epsilon, const void *x, const void *scale,
                                            const void *bias, void *y, int64_t begin, int64_t end) {
    const int64_t length = channels * size;
    for (int64_t row = begin; row < end; ++row) {
        const float32_u *from = (const float32_u *)x + row * length;
        float32_u *to = (float32_u *)y + row * length;
        float sum, squares;
        SUM(sum, length, from[i]);
        const float center = sum / (float)length;
        SUM(squares, length, (from[i] - center) * (from[i] - center));
        const float scaling = 1.0f / __builtin_sqrtf(squares / (float)length + epsilon);
        for (int64_t c = 0; c < channels; ++c) {
            const int64_t channel = row % groups * channels + c;
            const float factor = ((const float32_u *)scale)[channel], shift = ((const float32_u *)bias)[channel];
            const float32_u *plane = from + c * size;
            float32_u *output = to + c * size;
            EACH(int64_t i = 0; i < size; ++i) output[i] = (plane[i] - center) * scaling * factor + shift;
        }
    }
}

CLONES void cpu_rms_normalization_float32(int64_t length, float epsilon, const void *x, const void *scale, void *y, int64_t begin,
                                          int64_t end) {
    const float32_u *factor = scale;
    for (int64_t row = begin; row < end; ++row) {
        const float32_u *from = (const float32_u *)x + row * length;
        float32_u *to = (float32_u *)y + row * length;
        float squares;
        SUM(squares, length, from[i] * from[i]);
        const float scaling = 1.0f / __builtin_sqrtf(squares / (float)length + epsilon);
        EACH(int64_t i = 0; i < length; ++i) to[i] = from[i] * scaling * factor[i];
    }
}

/* A line without any size stays as it is. */
CLONES void cpu_lp_normalization_float32(int64_t length, int64_t inner, bool euclidean, const void *x, void *y, int64_t begin,
                                         int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
        const int64_t start = item / inner * length * inner + item % inner;
        const float32_u *from = (const float32_u *)x + start;
        float32_u *to = (float32_u *)y + start;
        float sum;
        if (euclidean)
            SUM(sum, length, from[i * inner] * from[i * inner]);
        else
            SUM(sum, length, magnitude(from[i * inner]));
        const float norm = euclidean ? __builtin_sqrtf(sum) : sum, divisor = norm == 0 ? 1 : norm;
        for (int64_t i = 0; i < length; ++i) to[i * inner] = from[i * inner] / divisor;
    }
}

/* (x - mean) / (deviation + 1e-9) over what `reduced` walks, from wherever `kept` is. Sums of a walk's runs are kept apart in LANES chains. */
CLONES void cpu_mean_variance_normalization_float32(const cpu_walk *kept, const cpu_walk *reduced, const void *x, void *y, int64_t begin,
                                                    int64_t end) {
    const int64_t step = reduced->strides[0][reduced->rank - 1];
    int64_t count = 1;
    for (int32_t d = 0; d < reduced->rank; ++d) count *= reduced->shape[d];
    cursor at;
    cursor_place(&at, kept, begin);
    for (int64_t item = begin; item < end; ++item) {
        float center = 0, deviation = 1;
        for (int pass = 0; pass < 3; ++pass) {
            float chains[LANES] = {0};
            cursor inside;
            cursor_place(&inside, reduced, 0);
            for (int64_t done = 0; done < count;) {
                const int64_t run = cursor_run(&inside, reduced, count - done), start = at.offset[0] + inside.offset[0];
                const float32_u *from = (const float32_u *)x + start;
                float32_u *to = (float32_u *)y + start;
                if (pass < 2) {
                    for (int64_t i = 0; i < run; i += LANES)
                        for (int64_t c = 0; c < minimum(run - i, LANES); ++c) {
                            const float value = from[(i + c) * step] - center;
                            chains[c] += pass == 0 ? value : value * value;
                        }
                } else {
                    for (int64_t i = 0; i < run; ++i) to[i * step] = (from[i * step] - center) / deviation;
                }
                cursor_advance(&inside, reduced, run);
                done += run;
            }
            for (int width = LANES / 2; width > 0; width /= 2)
                for (int c = 0; c < width; ++c) chains[c] += chains[c + width];
            if (pass == 0) center = chains[0] / (float)count;
            if (pass == 1) deviation = __builtin_sqrtf(chains[0] / (float)count) + 1e-9f;
        }
        cursor_advance(&at, kept, 1);
    }
}
