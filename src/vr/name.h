/* What a file's name says of its layout, in the words of players: SKYBOX, DeoVR, HereSphere. */
#ifndef VRS_VR_NAME_H
#define VRS_VR_NAME_H

#include "vrseg/layout.h"

/* Most a word of a name counts: it is easily given and easily wrong. */
#define VRS_NAME_SURE 0.8f
/* What players disagree about, or what is only implied. */
#define VRS_NAME_HALF 0.5f

/* Reads the words of the base name of `path` without its extension, in any case, between '_', '-',
 * blanks, dots and brackets:
 *
 *   both eyes        lr sbs 3dh fsbs hsbs(squeezed); rl (right eye first); tb ou 3dv tab fou, hou
 *                    htab (squeezed); bt (right eye first); mono 2d
 *   the projection   360, eac360 (cubemap); 180 180x180 dome (half-equirect); fisheye, f180 180f
 *                    vr180, fNNN NNNf fisheyeNNN of 90 to 270; mkx200 mkx220 vrca220 rf52; flat
 *
 * A lens counts before an angle, that before "fisheye" alone, and that before 180 and 360. "lr" and
 * "tb" without any projection mean 180. Words of one rank that contradict each other say nothing,
 * and `why` tells. */
void vrs_name_claim(const char *path, vrs_layout_claim *claim);

/* "alpha" is among the words: the file is packed with alpha already. */
bool vrs_name_has_alpha(const char *path);

#endif
