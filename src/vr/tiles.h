/* Views of an eye's picture that are not simply a rectangle of it: rectilinear tiles of spherical
 * pictures, crops of flat ones; and the grids by which kernels go from a network's picture to the
 * frame and back.
 *
 * A tile of a spherical picture is what a camera sees that is turned by yaw (to the right) and
 * pitch (up), without roll: lines stay lines and people keep their shape. A tile of a flat picture
 * is a rectangle of it. s and t are places in the tile's own picture, 0 to 1 across and down. */
#ifndef VRS_VR_TILES_H
#define VRS_VR_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vr/mesh_map.h"
#include "vr/projection.h"

typedef struct vrs_tile {
    /* Spherical: radians, and the tangents of half of the angles across and down. */
    double yaw, pitch, tan_x, tan_y;
    /* Flat: the rectangle in u and v. */
    double left, top, width, height;
} vrs_tile;

/* An eye's picture: where it lies in the frame and what it shows. */
typedef struct vrs_eye {
    vrs_layout layout;
    vrs_rect rect;
    double aspect; /* see projection.h */
    /* Of a mesh that is no formula; borrowed. NULL: the layout's projection counts. */
    const vrs_mesh_map *map;
} vrs_eye;

/* Whether the eye's pictures are of directions: of a projection that is known by formulas, or of a
 * mesh. */
bool vrs_eye_is_spherical(const vrs_eye *eye);

/* The eye's aspect by its rectangle and whether the layout squeezes it. */
double vrs_eye_aspect(const vrs_layout *layout, vrs_rect rect);

/* The place in the eye's picture at (s, t) of the tile; false: the picture does not show it. */
bool vrs_tile_place(const vrs_eye *eye, const vrs_tile *tile, double s, double t, vrs_uv *place);

/* (s, t) of a place of the eye's picture or around it; false: it lies behind the tile's camera. */
bool vrs_tile_find(const vrs_eye *eye, const vrs_tile *tile, vrs_uv place, double *s, double *t);

/* ---- from the network's picture to the frame ---- */

/* Positions in a frame: pixels from its left and upper edge in units of 2^-12. */
#define VRS_WARP_BITS 12

/* Fills the (width + 1) * (height + 1) pairs x, y of the frame's positions of the corners of the
 * pixels of a network's picture of width x height, row by row. They are held within one width and
 * one height around the eye's rectangle. */
void vrs_warp_fill(const vrs_eye *eye, const vrs_tile *tile, int32_t width, int32_t height,
                   int32_t *positions);

/* How many samples a side make a pixel of such a picture at the tile's centre, so that none is left
 * out: its logarithm, 0 to 3. */
int32_t vrs_warp_samples(const vrs_eye *eye, const vrs_tile *tile, int32_t width, int32_t height);

/* ---- and back ---- */

/* Positions in the network's picture: pixels from its edges in units of 2^-10. */
#define VRS_PATCH_BITS 10
/* Pixels of a frame between two positions, across and down. */
#define VRS_PATCH_CELL 8
/* Stands where there is no position, or one more than VRS_PATCH_MOST pixels from 0, which is the
 * largest side of a network's picture too: cells with such a corner show nothing of the tile. */
#define VRS_PATCH_NONE INT32_MIN
#define VRS_PATCH_MOST 4096

/* The part of a mask of target_width x target_height (the whole frame's) that a tile shows: a
 * rectangle inside the eye's part, empty where it shows nothing. */
vrs_rect vrs_patch_rect(const vrs_eye *eye, const vrs_tile *tile, int32_t frame_width,
                        int32_t frame_height, int32_t target_width, int32_t target_height);

/* Pairs of positions of a patch's rectangle: a corner more than cells, either way. */
size_t vrs_patch_pairs(vrs_rect rect);

/* Fills them, row by row: the network's positions (width x height) of the corners of the cells of
 * the target, or VRS_PATCH_NONE twice. */
void vrs_patch_fill(const vrs_eye *eye, const vrs_tile *tile, vrs_rect rect, int32_t frame_width,
                    int32_t frame_height, int32_t target_width, int32_t target_height,
                    int32_t width, int32_t height, int32_t *positions);

/* ---- which tiles ---- */

#define VRS_MAX_TILES 7 /* an eye */

/* Tiles that cover where people can be in a spherical picture: a ring at the horizon's height (of a
 * mesh as far as it shows that), a little below, each `fov` degrees (40..110) across and down,
 * neighbours overlapping by a quarter. Returns how many, at most VRS_MAX_TILES: with more they are
 * wider. 0: the picture is not spherical. */
int32_t vrs_tiles_ring(const vrs_eye *eye, double fov, vrs_tile tiles[VRS_MAX_TILES]);

#define VRS_TILE_PLACES 48 /* of an eye's crops */

/* Places where a crop can be: tiles of `fov` degrees (30..110) in rows and columns half of that
 * apart, from 45 degrees below the horizon to 20 above it; of a flat picture rectangles of 2/5 of
 * its sides, a fifth apart. Wider where there would be more than VRS_TILE_PLACES. Returns how many.
 */
int32_t vrs_tiles_places(const vrs_eye *eye, double fov, vrs_tile tiles[VRS_TILE_PLACES]);

#endif
