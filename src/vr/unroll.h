/* The grid that takes an eye's picture to a fisheye of 180 degrees: kernels/unroll.h. */
#ifndef VRS_VR_UNROLL_H
#define VRS_VR_UNROLL_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/layout.h"

/* Angle across the circle that is made. */
#define VRS_UNROLL_FOV 180

/* Whether pictures of a layout can be made a fisheye: equirectangular ones. */
bool vrs_can_unroll(const vrs_layout *layout);

/* Pixels a side of a grid's cell (a logarithm), and how many pairs the grid of an eye's plane has:
 * away from the poles, where all columns are one, positions are off by a tenth of a pixel at most.
 * Sides: 1..VRS_MAX_SIDE. */
int32_t vrs_unroll_cell(int32_t width, int32_t height);
int64_t vrs_unroll_nodes(int32_t width, int32_t height);

/* Fills the grid of an eye's plane of that size: rows of pairs (column, row) in 2^-8 of a source's
 * pixel, where 0 is the middle of the first. */
void vrs_unroll_fill(const vrs_layout *layout, int32_t width, int32_t height, int32_t *grid);

#endif
