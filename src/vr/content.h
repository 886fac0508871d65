/* What pictures look like: two eyes, circles of a fisheye, a sphere's poles. */
#ifndef VRS_VR_CONTENT_H
#define VRS_VR_CONTENT_H

#include <stdint.h>

#include "vrseg/layout.h"
#include "vrseg/status.h"

/* The longer side of the picture that is looked at, and the least of the shorter one. */
#define VRS_CONTENT_SIDE 512
#define VRS_CONTENT_LEAST 64

/* What was measured; each by vrs_stereo, of the eyes that it makes of the frame. */
typedef struct vrs_content {
    bool seen; /* false: no picture yet, or one too even to tell anything */
    /* How alike the halves are: the mean, over the blocks that show something, of the best
     * correlation of a block with its place in the other half, some pixels around; of what is finer
     * than the blocks. 0 and below: not at all, 1: the same. [VRS_STEREO_MONO] is 0. */
    float alike[3];
    bool circle[3]; /* dark outside of the circle in each eye, and only there */
    bool poles[3];  /* the first and the last row of each eye show one place each */
    bool round[3];  /* the left edge of each eye goes on at its right edge */
} vrs_content;

/* Measures a picture of 8-bit luma, the frame made smaller; `stride` in bytes. VRS_NO_MEMORY. */
vrs_status vrs_content_look(const uint8_t *luma, int32_t stride, int32_t width, int32_t height,
                            vrs_content *content) VRS_MUST_USE;

/* Whether a picture of this shape can say that there are two eyes. */
bool vrs_content_matters(int32_t width, int32_t height);

/* Below this halves are not of one scene. */
#define VRS_CONTENT_DIFFERENT 0.35f

/* As a layout; `stereo` is what the others have decided, or -1: then what the picture says. The
 * sides are the frame's. */
void vrs_content_claim(const vrs_content *content, int stereo, int32_t width, int32_t height,
                       vrs_layout_claim *claim);

#endif
