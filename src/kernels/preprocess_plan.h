/* What a preprocessing plan holds; for its implementations alone. */
#ifndef VRS_KERNELS_PREPROCESS_PLAN_H
#define VRS_KERNELS_PREPROCESS_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "image/format.h"
#include "kernels/preprocess.h"
#include "kernels/taps.h"
#include "kernels/tone.h"

/* Rows that the fast implementations work on at once, at most; their scratch is sized by it. */
#define VRS_PREPROCESS_LANES 16
/* Terms of a sum of floats that they add one by one, at most; of more a sum each. */
#define VRS_PREPROCESS_TERMS 128

/* Slots of plan->x and plan->y. */
enum { VRS_AXIS_LUMA = 0, VRS_AXIS_CHROMA = 1, VRS_AXIS_KINDS = 2 };

/* One of Y, U, V or R, G, B: sample column * step + offset of a plane's row. */
typedef struct vrs_component {
    int32_t plane, step, offset;
    int32_t axis; /* VRS_AXIS_ */
} vrs_component;

struct vrs_preprocess_plan {
    vrs_preprocess_desc desc;
    const vrs_format_info *info;
    vrs_rect content;
    int32_t peak; /* a word above it counts as it (10 bits in 16) */
    vrs_axis x[VRS_AXIS_KINDS], y[VRS_AXIS_KINDS];
    vrs_run *runs[VRS_AXIS_KINDS]; /* y as runs: [content.height] */
    int32_t components;            /* 3, or 1 of a gray picture */
    vrs_component component[3];
    /* Components to 0..1 in the network's channel order: m[.][0..2] * component + m[.][3]. */
    float matrix[3][4];
    vrs_tensor_type type;
    vrs_tensor_layout layout;
    int32_t channels;        /* that a pixel of the tensor takes */
    float luma[4];           /* likewise to the guide, 0..255 */
    float scale[3], bias[3]; /* (rgb * 255 - mean) * scale = rgb * scale[] + bias[] */
    float pad[3];            /* value of the bars before it is rounded; not of U8 */
    uint8_t pad_code;        /* and of bytes and the guide */
    bool tone;
    float tone_table[VRS_TONE_STEPS + 1];
    /* The fast implementations: */
    bool fast; /* sums are short enough for 16 bits and floats; else the reference is called */
    int32_t tile_columns; /* outputs of a tile: a multiple of VRS_PREPROCESS_LANES */
    int32_t tile_samples; /* most samples of a plane's row under a tile, rounded up likewise */
    int32_t row_stride;   /* floats from one summed row to the next */
};

/* Sample `index` of a row, in code values. */
static inline int32_t vrs_preprocess_sample(const vrs_preprocess_plan *plan, const uint8_t *row,
                                            int32_t index)
{
    if (plan->info->sample_bytes == 1)
        return row[index];
    const int32_t code = ((const uint16_t *)(const void *)row)[index] >> plan->info->sample_shift;
    return code > plan->peak ? plan->peak : code;
}

/* The references, for what the fast ones leave to them. */
void vrs_preprocess_reference(const vrs_preprocess_plan *plan, const vrs_image *image, void *tensor,
                              uint8_t *luma, void *scratch);
struct vrs_warp;
/* Columns column_begin..column_end-1 of a row. */
void vrs_preprocess_warp_columns(const vrs_preprocess_plan *plan, const struct vrs_warp *warp,
                                 const vrs_image *image, void *tensor, uint8_t *luma, int32_t row,
                                 int32_t column_begin, int32_t column_end);

/* From a pixel's components in code values to the tensor and, unless it is NULL, the guide. */
void vrs_preprocess_finish(const vrs_preprocess_plan *plan, const double component[3], void *tensor,
                           uint8_t *luma, int32_t x, int32_t y);

/* Writes one pixel of a tensor: `value` is (rgb * 255 - mean) * scale for all types but U8, whose
 * codes 0..255 it holds. The last pixel of what shares channels writes the zeros behind them. */
void vrs_preprocess_store(const vrs_preprocess_plan *plan, void *tensor, int32_t x, int32_t y,
                          const double value[3]);

/* The nearest binary16, ties to even; NaN stays NaN. */
uint16_t vrs_half_from_double(double value);

/* Fills the bars of a letterbox, and the guide's. */
void vrs_preprocess_fill_bars(const vrs_preprocess_plan *plan, void *tensor, uint8_t *luma);

#endif
