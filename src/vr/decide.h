/* Who is believed of those that say something of a file's layout. */
#ifndef VRS_VR_DECIDE_H
#define VRS_VR_DECIDE_H

#include "vr/content.h"
#include "vrseg/layout.h"

/* Puts together what is said: the first of option, container, name and content that says something
 * of the eyes is taken, and so for the projection. `reading->claims` of the first three are there;
 * that of the content is made of `content` (NULL: nothing was looked at) and the stereo that the
 * others say. `name`: the file's, for sentences; the sides are the frame's. Sets all the rest of
 * `reading`.
 *
 * The container is believed before the name, since it is what players go by and names are easily
 * changed; both before the pictures, since those can only be guessed at. Whoever contradicts the
 * one that wins is named in `conflict`, with the option that overrides it. `doubt` says what nobody
 * knows.
 *
 * VRS_INVALID: the frame cannot be divided so; VRS_UNSUPPORTED: the option mesh, and the file has
 * none. */
vrs_status vrs_layout_decide(const char *name, const vrs_content *content, int32_t width,
                             int32_t height, vrs_layout_reading *reading) VRS_MUST_USE;

#endif
