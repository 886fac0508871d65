/* Where a direction lies in an eye's picture, and what a place in it looks at: the formulas of
 * vrseg/layout.h in doubles. Its conventions hold: u and v from 0 to 1 across and down the eye's
 * picture; x to the right, y up, z ahead.
 *
 * `aspect` is the width of an eye's picture over its height as it was taken (not as it is squeezed
 * into a frame), above 0; only a fisheye depends on it. Any thread. */
#ifndef VRS_VR_PROJECTION_H
#define VRS_VR_PROJECTION_H

#include <stdbool.h>

#include "vrseg/layout.h"

typedef struct vrs_direction {
    double x, y, z; /* any length above 0 */
} vrs_direction;

typedef struct vrs_uv {
    double u, v;
} vrs_uv;

/* Whether the layout's pictures are of directions that these functions know: an equirectangular
 * one or a fisheye. */
bool vrs_is_spherical(const vrs_layout *layout);

/* Whether the picture's left edge goes on at its right one: a whole turn. */
bool vrs_goes_around(const vrs_layout *layout);

/* The place of a direction. True: the picture shows it. False: it does not; the place is outside of
 * 0..1, of a fisheye it may also be in a corner outside of the circle. The layout is spherical. */
bool vrs_place_of(const vrs_layout *layout, double aspect, vrs_direction direction, vrs_uv *place);

/* What a place looks at, of length 1. False: nothing, it lies outside of what a sphere or a
 * fisheye's circle holds; the direction is that of the formula all the same. */
bool vrs_direction_of(const vrs_layout *layout, double aspect, vrs_uv place,
                      vrs_direction *direction);

#endif
