/* SPDX-License-Identifier: Apache-2.0
 *
 * Along one axis: running sums, positions of extremes, the greatest elements.
 */
#include "indexing.h"
#include "internal.h"

#define SUMMED_TYPES(ENTRY)                                                                                                                \
    ENTRY(FLOAT32, float, double)                                                                                                          \
    ENTRY(FLOAT64, double, double)                                                                                                         \
    ENTRY(INT32, int32_t, uint32_t)                                                                                                        \
    ENTRY(INT64, int64_t, uint64_t)
#define ORDERED_TYPES(ENTRY)                                                                                                               \
    ENTRY(FLOAT32, float)                                                                                                                  \
    ENTRY(FLOAT64, double)                                                                                                                 \
    ENTRY(INT8, int8_t)                                                                                                                    \
    ENTRY(UINT8, uint8_t)                                                                                                                  \
    ENTRY(INT16, int16_t)                                                                                                                  \
    ENTRY(UINT16, uint16_t)                                                                                                                \
    ENTRY(INT32, int32_t)                                                                                                                  \
    ENTRY(UINT32, uint32_t)                                                                                                                \
    ENTRY(INT64, int64_t)                                                                                                                  \
    ENTRY(UINT64, uint64_t)

/* Integers are summed as unsigned ones, which wrap; float32 in float64, because a running sum has no chains that would keep its error small. */
#define RUNNING_SUM(TAG, TYPE, SUM)                                                                                                        \
    static void running_sum_##TAG(int64_t length, int64_t inner, bool exclusive, bool reverse, const void *x, void *y, int64_t begin,      \
                                  int64_t end) {                                                                                           \
        typedef TYPE element UNALIGNED;                                                                                                    \
        const int64_t step = reverse ? -inner : inner;                                                                                     \
        for (int64_t item = begin; item < end; ++item) {                                                                                   \
            const int64_t start = item / inner * length * inner + item % inner + (reverse ? (length - 1) * inner : 0);                     \
            const element *from = (const element *)x + start;                                                                              \
            element *to = (element *)y + start;                                                                                            \
            SUM total = 0;                                                                                                                 \
            for (int64_t k = 0; k < length; ++k) {                                                                                         \
                const SUM next = total + (SUM)from[k * step];                                                                              \
                to[k * step] = (TYPE)(exclusive ? total : next);                                                                           \
                total = next;                                                                                                              \
            }                                                                                                                              \
        }                                                                                                                                  \
    }
SUMMED_TYPES(RUNNING_SUM)

bool cpu_running_sum(cpu_type type, int64_t length, int64_t inner, bool exclusive, bool reverse, const void *x, void *y, int64_t begin,
                     int64_t end) {
#define RUNNING_SUM_CASE(TAG, TYPE, SUM)                                                                                                   \
    case CPU_TYPE_##TAG:                                                                                                                   \
        running_sum_##TAG(length, inner, exclusive, reverse, x, y, begin, end);                                                            \
        return true;
    switch (type) { SUMMED_TYPES(RUNNING_SUM_CASE) default : return false; }
}

/* Whether a comes before b. A NaN is beyond all numbers: first among the greatest, and for the least by the caller's wish. */
#define BEFORE(greatest, nan_first, a, b)                                                                                                  \
    ((a) != (a) ? (nan_first) && (b) == (b) : (b) != (b) ? !(nan_first) : (greatest) ? (a) > (b) : (a) < (b))
#define SAME(a, b) ((a) == (b) || ((a) != (a) && (b) != (b)))

/* Comparisons of an integer with itself look for NaN in floats. */
#pragma clang diagnostic ignored "-Wtautological-compare"

#define EXTREME(TAG, TYPE)                                                                                                                 \
    static void extreme_##TAG(int64_t length, int64_t inner, bool greatest, bool last, const void *x, int64_u *y, int64_t begin,           \
                              int64_t end) {                                                                                               \
        typedef TYPE element UNALIGNED;                                                                                                    \
        for (int64_t item = begin; item < end; ++item) {                                                                                   \
            const element *from = (const element *)x + item / inner * length * inner + item % inner;                                       \
            TYPE best = *from;                                                                                                             \
            int64_t place = 0;                                                                                                             \
            for (int64_t k = 1; k < length; ++k) {                                                                                         \
                const TYPE next = from[k * inner];                                                                                         \
                if (BEFORE(greatest, true, next, best) || (last && SAME(next, best))) best = next, place = k;                              \
            }                                                                                                                              \
            y[item] = place;                                                                                                               \
        }                                                                                                                                  \
    }
ORDERED_TYPES(EXTREME)

bool cpu_extreme(cpu_type type, int64_t length, int64_t inner, bool greatest, bool last, const void *x, void *y, int64_t begin,
                 int64_t end) {
#define EXTREME_CASE(TAG, TYPE)                                                                                                            \
    case CPU_TYPE_##TAG:                                                                                                                   \
        extreme_##TAG(length, inner, greatest, last, x, y, begin, end);                                                                    \
        return true;
    switch (type) { ORDERED_TYPES(EXTREME_CASE) default : return false; }
}

/* A heap of the k best so far, the worst of them at the root; then sorted by taking the root away. */
#define TOP_K(TAG, TYPE)                                                                                                                   \
    INLINE bool is_worse_##TAG(const TYPE##_element *x, int64_t inner, bool greatest, int64_t a, int64_t b) {                              \
        const TYPE first = x[a * inner], second = x[b * inner];                                                                            \
        return BEFORE(greatest, greatest, second, first) || (!BEFORE(greatest, greatest, first, second) && a > b);                         \
    }                                                                                                                                      \
    INLINE void sink_##TAG(const TYPE##_element *x, int64_t inner, bool greatest, int64_t *heap, int64_t size, int64_t at) {               \
        for (int64_t child = 2 * at + 1; child < size; child = 2 * at + 1) {                                                               \
            if (child + 1 < size && is_worse_##TAG(x, inner, greatest, heap[child + 1], heap[child])) ++child;                             \
            if (!is_worse_##TAG(x, inner, greatest, heap[child], heap[at])) return;                                                        \
            const int64_t other = heap[at];                                                                                                \
            heap[at] = heap[child], heap[child] = other;                                                                                   \
            at = child;                                                                                                                    \
        }                                                                                                                                  \
    }                                                                                                                                      \
    static void top_k_##TAG(int64_t length, int64_t inner, int64_t k, bool greatest, const void *x, void *values, int64_u *places,         \
                            int64_t *heap, int64_t begin, int64_t end) {                                                                   \
        for (int64_t item = begin; item < end && k > 0; ++item) {                                                                          \
            const TYPE##_element *from = (const TYPE##_element *)x + item / inner * length * inner + item % inner;                         \
            for (int64_t i = 0; i < k; ++i) heap[i] = i;                                                                                   \
            for (int64_t i = k / 2 - 1; i >= 0; --i) sink_##TAG(from, inner, greatest, heap, k, i);                                        \
            for (int64_t i = k; i < length; ++i)                                                                                           \
                if (is_worse_##TAG(from, inner, greatest, heap[0], i)) heap[0] = i, sink_##TAG(from, inner, greatest, heap, k, 0);         \
            const int64_t start = item / inner * k * inner + item % inner;                                                                 \
            for (int64_t size = k; size > 0; --size) {                                                                                     \
                const int64_t target = start + (size - 1) * inner;                                                                         \
                if (values) ((TYPE##_element *)values)[target] = from[heap[0] * inner];                                                    \
                if (places) places[target] = heap[0];                                                                                      \
                heap[0] = heap[size - 1];                                                                                                  \
                sink_##TAG(from, inner, greatest, heap, size - 1, 0);                                                                      \
            }                                                                                                                              \
        }                                                                                                                                  \
    }
#define ELEMENT_TYPE(TAG, TYPE) typedef TYPE TYPE##_element UNALIGNED;
ORDERED_TYPES(ELEMENT_TYPE)
ORDERED_TYPES(TOP_K)

bool cpu_top_k(cpu_type type, int64_t length, int64_t inner, int64_t k, bool greatest, const void *x, void *values, void *places,
               int64_t *scratch, int64_t begin, int64_t end) {
#define TOP_K_CASE(TAG, TYPE)                                                                                                              \
    case CPU_TYPE_##TAG:                                                                                                                   \
        top_k_##TAG(length, inner, k, greatest, x, values, places, scratch, begin, end);                                                   \
        return true;
    switch (type) { ORDERED_TYPES(TOP_K_CASE) default : return false; }
}
