/* How the folder's files put together a layout. */
#ifndef VRS_VR_LAYOUT_WORDS_H
#define VRS_VR_LAYOUT_WORDS_H

#include "vrseg/layout.h"

/* Sets the projection with what belongs to it: the cuts, and of a fisheye the lens, whose angle
 * counts before `fov`. */
void vrs_layout_put_projection(vrs_layout *layout, vrs_projection projection, double fov,
                               vrs_lens lens);

#endif
