/* What an MP4 says of its pictures' layout and libav 5.1 drops when it reads it: a mesh in place of
 * a projection's formula (VR180), and stereo modes beyond the first three. Source: Google,
 * spherical-video-v2-rfc (boxes st3d and sv3d/proj/mshp in the visual sample entry). */
#ifndef VRS_MEDIA_MP4_LAYOUT_H
#define VRS_MEDIA_MP4_LAYOUT_H

#include <stdbool.h>

typedef struct vrs_mp4_layout {
    bool mesh;       /* mshp */
    int stereo_lost; /* st3d's mode where libav knows none: 3 custom, 4 right eye left; else 0 */
} vrs_mp4_layout;

/* Looks through the boxes of a file, a few reads whatever its size. A file that is no MP4, or a
 * broken one, has nothing. */
vrs_mp4_layout vrs_mp4_layout_read(const char *path);

#endif
