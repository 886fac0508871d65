/* Outputs of a run, kept and compared. */
#ifndef TESTS_PIPELINE_OUTPUTS_H
#define TESTS_PIPELINE_OUTPUTS_H

#include <stdint.h>

#include "vrseg/image.h"
#include "vrseg/pipeline.h"

/* Owned; colour included. */
vrs_image outputs_copy(const vrs_image *from);

/* Releases what was copied of so many frames. */
void outputs_drop(vrs_image (*images)[VRS_MAX_OUTPUTS], int frames);

/* The code of a sample; `x` counts samples of the plane's row. */
int32_t outputs_sample(const vrs_image *image, int plane, int32_t x, int32_t y);

typedef struct outputs_difference {
    int32_t largest;
    int64_t beyond, samples; /* how many differ by more than the tolerance, of how many */
} outputs_difference;

/* Two images of the same format and size (asserted). */
outputs_difference outputs_compare(const vrs_image *a, const vrs_image *b, int32_t tolerance);

#endif
