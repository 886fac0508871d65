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

/* Whether a word (in lower case) is among those of the name: "alpha" of a file that is packed with
 * alpha, "passthrough" of one over a green screen. */
bool vrs_name_has_word(const char *path, const char *word);

/* The words at the end of a name that players know an output by: of one with alpha packed into its
 * corners, "_LR_180_FISHEYE_F180_alpha" and with lenses "_LR_180_FISHEYE190_alpha" or the lens's
 * name in its place (equirectangular pictures are made a fisheye of 180 degrees); of one over a
 * green screen "_LR_180_SBS_passthrough", with "360" of a whole sphere. */
#define VRS_NAME_WORDS_SIZE 48
void vrs_name_words(const vrs_layout *layout, bool alpha, char words[VRS_NAME_WORDS_SIZE]);

#endif
