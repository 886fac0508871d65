/* What the makers of the CUDA preprocess kernels' tables share. */
#ifndef VRS_KERNELS_CUDA_PREPROCESS_TABLES_H
#define VRS_KERNELS_CUDA_PREPROCESS_TABLES_H

#include <stdbool.h>

#include "kernels/cuda/params_preprocess.h"
#include "kernels/preprocess_plan.h"

static inline const float *vrs_preprocess_weights(const vrs_axis *axis, int32_t output)
{
    return axis->weight + (size_t)output * (size_t)axis->stride;
}

/* Bytes from one sample of a component to the next. */
static inline int32_t vrs_preprocess_pitch(const vrs_preprocess_plan *plan, int kind)
{
    return plan->info->sample_bytes * plan->component[kind].step;
}

/* Whole words of a row of the component's plane; 0 where it ends within one. */
static inline int32_t vrs_preprocess_source_words(const vrs_preprocess_plan *plan, int kind)
{
    const int32_t width = plan->desc.image_width;
    const int32_t bytes =
        (kind == VRS_AXIS_CHROMA ? (width + 1) / 2 : width) * vrs_preprocess_pitch(plan, kind);
    return bytes % 4 == 0 ? bytes / 4 : 0;
}

/* Adds the integers over `denominator` that an output's taps weigh to `low`, under the `words`
 * words of the row from `base` on: layout in params_preprocess.h. High bytes of bytes' weights go
 * behind them; where no weight is above 255 there are none. */
void vrs_preprocess_put_weights(const vrs_preprocess_plan *plan, int kind, int32_t output,
                                int64_t denominator, int32_t base, int32_t words, uint32_t *low);

/* Whether the kernels for whole pictures can make the plan with windows of `words` words of its
 * `kinds` axes, whose weights are at most 255. Then it sets what they read of a view but for
 * `pairs`. */
bool vrs_preprocess_whole(const vrs_preprocess_plan *plan, int kinds, int32_t words,
                          vrs_preprocess_view *view);

/* Words of the table of pairs of columns; writes it. */
size_t vrs_preprocess_pairs_words(const vrs_preprocess_plan *plan, int kinds, int32_t words);
void vrs_preprocess_pairs_fill(const vrs_preprocess_plan *plan, int kinds, int32_t words,
                               const int64_t denominators[VRS_AXIS_KINDS], uint32_t *table);

#endif
