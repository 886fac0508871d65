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

/* The contents of the mshp box that `boxes` found in the file at `path`, mesh_size bytes. Returns
 * owned (vrs_free()). VRS_IO, VRS_NO_MEMORY. */
vrs_status vrs_mp4_mesh_bytes(const char *path, const vrs_boxes *boxes,
                              uint8_t **bytes) VRS_MUST_USE;

/* Has the boxes of a finished MP4 or MOV, whose moov box is its last one, say `say`
 * (vrs_boxes_put(), with the contents of mshp in `mesh`), and syncs the file. On failure the file
 * is no longer whole. VRS_UNSUPPORTED: another file; VRS_NO_SPACE, VRS_IO, VRS_NO_MEMORY. */
vrs_status vrs_mp4_layout_write(const char *path, const vrs_boxes *say,
                                const uint8_t *mesh) VRS_MUST_USE;

#endif
