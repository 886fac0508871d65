/* Meshes of VR180: which direction each place of an eye's picture looks at. Source: Google,
 * Spherical Video V2 RFC, box mshp.
 *
 * Here directions are as in vrseg/layout.h (z ahead, where the file has -z), and v grows downwards
 * (in the file upwards). u and v are those of one eye's picture. */
#ifndef VRS_VR_MESH_H
#define VRS_VR_MESH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vrseg/layout.h"
#include "vrseg/status.h"

/* More of anything is refused. The largest known meshes have some 5,000 vertices an eye. */
#define VRS_MESH_MOST_COORDINATES 100000
#define VRS_MESH_MOST_VERTICES 100000
#define VRS_MESH_MOST_TRIANGLES 200000

typedef struct vrs_mesh_vertex {
    float x, y, z; /* of length 1 */
    float u, v;
} vrs_mesh_vertex;

typedef struct vrs_mesh_eye {
    vrs_mesh_vertex *vertices;
    int32_t vertex_count;
    int32_t (*triangles)[3];
    int32_t triangle_count;
} vrs_mesh_eye;

struct vrs_mesh {
    vrs_mesh_eye eyes[2]; /* left, right; of one mesh for both the second has no vertices */
    int32_t eye_count;    /* 1 or 2 */
    bool halves;          /* u and v were of the whole frame: see vrs_mesh_halves() */
    vrs_layout place;     /* then: stereo and swapped */
};

/* Reads the contents of an mshp box (from its version and flags on). `custom`: st3d is 3, so u and
 * v are of the whole frame; they become the eyes'. Returns owned. VRS_CORRUPT: broken, with where
 * and what was expected; VRS_UNSUPPORTED: an encoding other than "raw " and "dfl8", or more than
 * the limits above; VRS_NO_MEMORY. */
vrs_status vrs_mesh_read(const uint8_t *data, size_t size, bool custom,
                         vrs_mesh **mesh) VRS_MUST_USE;
/* NULL is fine. */
void vrs_mesh_destroy(vrs_mesh *mesh);

/* The mesh of an eye, 0 left and 1 right. */
const vrs_mesh_eye *vrs_mesh_of_eye(const vrs_mesh *mesh, int eye);

/* Where the eyes lie in the frame by the meshes themselves (st3d 3): sets stereo and swapped.
 * False: they say nothing. */
bool vrs_mesh_halves(const vrs_mesh *mesh, vrs_layout *layout);

/* Where every vertex looks within a quarter of a degree as in a fisheye or an equirectangular
 * picture, the layout's projection becomes that one, its mesh stays. `width` and `height`: the
 * frame's, which the layout's stereo divides. A NULL mesh changes nothing. */
void vrs_mesh_simplify(const vrs_mesh *mesh, int32_t width, int32_t height, vrs_layout *layout);

/* The places u, v in an eye's picture that directions look at, as a table over the sphere: entry
 * [row][column] is of lon = 2 pi ((column + 1/2) / columns - 1/2), lat = pi (1/2 - (row + 1/2) /
 * rows). `uv`: rows x columns pairs; both are -1 where no triangle lies. Sides 1..4096. */
void vrs_mesh_table(const vrs_mesh_eye *eye, int32_t columns, int32_t rows, float (*uv)[2]);

#endif
