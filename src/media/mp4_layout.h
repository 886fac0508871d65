/* The layout boxes of an MP4 or MOV file (vr/boxes.h), and their mesh. */
#ifndef VRS_MEDIA_MP4_LAYOUT_H
#define VRS_MEDIA_MP4_LAYOUT_H

#include "vr/boxes.h"
#include "vr/mesh.h"

/* Looks through the boxes of a file, a few reads whatever its size. A file that is no MP4, or a
 * broken one, has nothing. With `mesh` that of the projection is read too: returns owned
 * (vrs_mesh_destroy()), NULL where there is none; of one that is broken `trouble` has the reason.
 * Any thread. */
vrs_boxes vrs_mp4_layout_read(const char *path, vrs_mesh **mesh);

#endif
