/* From a network's scores to the person's probability and to classes. */
#include <math.h>
#include <stdbool.h>

#include "kernels/postprocess.h"
#include "kernels/reference/postprocess.h"

static bool is_person(const vrs_scores *scores, int32_t c)
{
    return (scores->person_classes >> c & 1) != 0;
}

/* Sum of exp(x - max) over the person classes by that over all: a NaN or +Inf among the values
 * makes the result NaN, as do -Inf alone. */
static double softmax_person(const vrs_scores *scores, const float *pixel)
{
    double max = -INFINITY;
    for (int32_t c = 0; c < scores->classes; c++)
        max = fmax(max, (double)pixel[c * scores->class_stride]);
    double person = 0, all = 0;
    for (int32_t c = 0; c < scores->classes; c++) {
        const double value = exp((double)pixel[c * scores->class_stride] - max);
        all += value;
        person += is_person(scores, c) ? value : 0;
    }
    return person / all;
}

static double argmax_person(const vrs_scores *scores, const float *pixel)
{
    float person = -INFINITY, other = -INFINITY;
    for (int32_t c = 0; c < scores->classes; c++) {
        const float value = pixel[c * scores->class_stride];
        float *best = is_person(scores, c) ? &person : &other;
        *best = value > *best ? value : *best;
    }
    return person > other ? 1 : 0;
}

static float sigmoid(float x)
{
    return (float)(1 / (1 + exp(-(double)x)));
}

static double person_probability(const vrs_scores *scores, const float *pixel)
{
    if (scores->activation == VRS_ACTIVATION_SOFTMAX)
        return softmax_person(scores, pixel);
    if (scores->activation == VRS_ACTIVATION_ARGMAX)
        return argmax_person(scores, pixel);
    float sum = 0; /* as the others add: what overflows is the same */
    for (int32_t c = 0; c < scores->classes; c++) {
        if (!is_person(scores, c))
            continue;
        const float value = pixel[c * scores->class_stride];
        sum += scores->activation == VRS_ACTIVATION_SIGMOID ? sigmoid(value) : value;
    }
    return (double)sum;
}

void vrs_reference_person(const vrs_scores *scores, int16_t *q15, ptrdiff_t stride)
{
    for (int32_t y = 0; y < scores->height; y++) {
        const float *row = scores->data + y * scores->row_stride;
        for (int32_t x = 0; x < scores->width; x++) {
            double p = person_probability(scores, row + x * scores->column_stride);
            p = p > 0 ? fmin(p, 1) : 0; /* NaN too */
            q15[y * stride + x] = (int16_t)floor(p * VRS_Q15_ONE + 0.5);
        }
    }
}

static float lerp(float a, float b, int16_t weight)
{
    const float w = (float)weight * (1.0f / 32768.0f);
    return a + (b - a) * w;
}

/* The score of the class whose region starts at `plane`, at column x and row y of the result. */
static float score_at(const vrs_upsample *up, const vrs_scores *scores, const float *plane,
                      int32_t x, int32_t y)
{
    const int32_t left = up->column_index[x];
    const int32_t right = vrs_min_i32(left + 1, up->source_width - 1);
    const int32_t top = up->row_index[y];
    const int32_t bottom = vrs_min_i32(top + 1, up->source_height - 1);
    const float *row0 = plane + top * scores->row_stride;
    const float *row1 = plane + bottom * scores->row_stride;
    const ptrdiff_t step = scores->column_stride;
    const float upper = lerp(row0[left * step], row0[right * step], up->column_weight[x]);
    const float lower = lerp(row1[left * step], row1[right * step], up->column_weight[x]);
    return lerp(upper, lower, up->row_weight[y]);
}

void vrs_reference_enlarge(const vrs_upsample *upsample, const vrs_scores *scores, float *dst)
{
    for (int32_t c = 0; c < scores->classes; c++) {
        const float *plane = scores->data + c * scores->class_stride;
        for (int32_t y = 0; y < upsample->height; y++)
            for (int32_t x = 0; x < upsample->width; x++)
                *dst++ = score_at(upsample, scores, plane, x, y);
    }
}

void vrs_reference_classes(const vrs_upsample *upsample, const vrs_scores *scores,
                           int32_t row_begin, int32_t row_end, uint8_t *dst, ptrdiff_t dst_stride,
                           float *scratch)
{
    (void)scratch;
    for (int32_t y = row_begin; y < row_end; y++, dst += dst_stride) {
        for (int32_t x = 0; x < upsample->width; x++) {
            float best = -INFINITY;
            dst[x] = 0;
            for (int32_t c = 0; c < scores->classes; c++) {
                const float *plane = scores->data + c * scores->class_stride;
                const float value = score_at(upsample, scores, plane, x, y);
                if (value > best) {
                    best = value;
                    dst[x] = (uint8_t)c;
                }
            }
        }
    }
}
