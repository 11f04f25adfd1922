/* SPDX-License-Identifier: Apache-2.0 */
#include "attention.h"
#include "double_math.h"
#include "vector_math.h"
#include <string.h>

enum { CHAINS = 2 * LANES };

static void keep(const cpu_attention_row *how, int32_t mode, const float *row) {
    if (how->kept && how->kept_mode == mode) memcpy(how->kept, row, (size_t)how->keys * sizeof(float));
}

/* Minus infinity is added, not stored: a NaN stays one even where the mask hides it. */
INLINE void hide(float *row, int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) row[k] += -__builtin_inff();
}

/* A NaN is not seen by the maximum, but makes the sum and with it the whole row NaN. */
INLINE void softmax(float *row, int64_t keys) {
    float chains[CHAINS];
    for (int c = 0; c < CHAINS; ++c) chains[c] = -__builtin_inff();
    int32_t has_nan = 0;
    int64_t base = 0;
    for (; base + CHAINS <= keys; base += CHAINS)
        for (int c = 0; c < CHAINS; ++c) {
            const float x = row[base + c];
            chains[c] = x > chains[c] ? x : chains[c];
            has_nan |= x != x;
        }
    for (; base < keys; ++base) {
        chains[0] = row[base] > chains[0] ? row[base] : chains[0];
        has_nan |= row[base] != row[base];
    }
    float top = chains[0];
    for (int c = 1; c < CHAINS; ++c) top = chains[c] > top ? chains[c] : top;
    if (top == -__builtin_inff() && !has_nan) {
        memset(row, 0, (size_t)keys * sizeof(float));
        return;
    }
    EACH(int64_t k = 0; k < keys; ++k) row[k] = vector_exp(row[k] - top);
    for (int c = 0; c < CHAINS; ++c) chains[c] = 0;
    for (base = 0; base + CHAINS <= keys; base += CHAINS)
        for (int c = 0; c < CHAINS; ++c) chains[c] += row[base + c];
    for (; base < keys; ++base) chains[base % CHAINS] += row[base];
    for (int width = CHAINS / 2; width > 0; width /= 2)
        for (int c = 0; c < width; ++c) chains[c] += chains[c + width];
    const float sum = chains[0];
    EACH(int64_t k = 0; k < keys; ++k) row[k] /= sum;
}

/* A capped score of a key, with what the mask and the position add. */
INLINE double capped_score(const cpu_attention_row *how, const float *row, int64_t k, bool is_masked) {
    const double cap = how->softcap, score = cap * tanh64((double)row[k] / cap);
    if (!is_masked) return score;
    const bool is_hidden = k < how->first || k >= how->last || (how->mask_kind != CPU_MASK_NONE && k >= how->mask_length) ||
                           (how->mask_kind == CPU_MASK_BOOL && !((const uint8_t *)how->mask)[k]);
    if (is_hidden) return score - __builtin_inf();
    return how->mask_kind == CPU_MASK_FLOAT32 ? score + (double)((const float32_u *)how->mask)[k] : score;
}

/* A cap brings scores close to each other and to itself: rounded to float32, they would lose what tells them apart. So all is float64 up to the weights. */
INLINE void capped_weights(const cpu_attention_row *how, float *row) {
    const int64_t keys = how->keys;
    if (how->kept && (how->kept_mode == 1 || how->kept_mode == 2))
        for (int64_t k = 0; k < keys; ++k) how->kept[k] = (float)capped_score(how, row, k, how->kept_mode == 2);
    double top = -__builtin_inf(), sum = 0;
    bool has_nan = false;
    for (int64_t k = 0; k < keys; ++k) {
        const double score = capped_score(how, row, k, true);
        top = score > top ? score : top;
        has_nan |= score != score;
    }
    if (top == -__builtin_inf() && !has_nan) {
        memset(row, 0, (size_t)keys * sizeof(float));
        return;
    }
    for (int64_t k = 0; k < keys; ++k) {
        const double weight = exp64(capped_score(how, row, k, true) - top);
        row[k] = (float)weight;
        sum += weight;
    }
    for (int64_t k = 0; k < keys; ++k) row[k] = (float)((double)row[k] / sum);
}

CLONES void cpu_attention_weights(const cpu_attention_row *how, float *row) {
    const int64_t keys = how->keys;
    keep(how, 0, row);
    if (how->softcap > 0) {
        capped_weights(how, row);
        keep(how, 3, row);
        return;
    }
    keep(how, 1, row);
    if (how->mask_kind == CPU_MASK_FLOAT32) {
        const float32_u *mask = how->mask;
        for (int64_t k = 0; k < how->mask_length; ++k) row[k] += mask[k];
        hide(row, how->mask_length, keys);
    } else if (how->mask_kind == CPU_MASK_BOOL) {
        const uint8_t *mask = how->mask;
        for (int64_t k = 0; k < how->mask_length; ++k) row[k] += mask[k] ? 0.0f : -__builtin_inff();
        hide(row, how->mask_length, keys);
    }
    hide(row, 0, how->first);
    hide(row, how->last, keys);
    keep(how, 2, row);
    softmax(row, keys);
    keep(how, 3, row);
}

CLONES bool cpu_all_finite(int64_t rows, int64_t size, int64_t stride, const void *x) {
    int32_t other = 0;
    for (int64_t row = 0; row < rows; ++row) {
        const int32_u *from = (const int32_u *)x + row * stride;
        for (int64_t i = 0; i < size; ++i) other |= (from[i] & 0x7f800000) == 0x7f800000;
    }
    return !other;
}

CLONES void cpu_weighted_sum(int64_t keys, int64_t size, int64_t stride, const float *weights, const void *v, float *y) {
    for (int64_t k = 0; k < keys; ++k) {
        const float weight = weights[k];
        const float32_u *from = (const float32_u *)v + k * stride;
        if (weight == 0) continue;
        for (int64_t i = 0; i < size; ++i) y[i] += weight * from[i];
    }
}

INLINE void rotate_row(const cpu_rotary *how, const float32_u *x, const float32_u *c, const float32_u *s, float32_u *y) {
    const int64_t half = how->half;
    if (how->is_interleaved) {
        for (int64_t i = 0; i < half; ++i) {
            const float first = x[2 * i], second = x[2 * i + 1];
            y[2 * i] = first * c[i] - second * s[i];
            y[2 * i + 1] = first * s[i] + second * c[i];
        }
    } else {
        for (int64_t i = 0; i < half; ++i) {
            const float first = x[i], second = x[half + i];
            y[i] = first * c[i] - second * s[i];
            y[half + i] = first * s[i] + second * c[i];
        }
    }
    memcpy(y + 2 * half, x + 2 * half, (size_t)(how->size - 2 * half) * sizeof(float));
}

CLONES void cpu_rotate(const cpu_rotary *how, const void *position_ids, const void *x, const void *cosines, const void *sines, void *y,
                       int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
        const int64_t place = position_ids ? ((const int64_u *)position_ids)[item] : item;
        const float32_u *c = (const float32_u *)cosines + place * how->half, *s = (const float32_u *)sines + place * how->half;
        const int64_t start = item / how->steps * how->batch_stride + item % how->steps * how->step_stride;
        for (int64_t head = 0; head < how->heads; ++head) {
            const int64_t offset = start + head * how->head_stride;
            rotate_row(how, (const float32_u *)x + offset, c, s, (float32_u *)y + offset);
        }
    }
}
