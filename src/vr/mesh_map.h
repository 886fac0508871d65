/* An eye's mesh both ways: from directions to places in its picture and back, as projection.h does
 * it by formulas. Made of tables once, so that the mesh itself is not looked at afterwards.
 *
 * Within a triangle of the mesh places and directions belong together as in a renderer that draws
 * it as a flat triangle around the viewer. */
#ifndef VRS_VR_MESH_MAP_H
#define VRS_VR_MESH_MAP_H

#include "vr/mesh.h"
#include "vr/projection.h"

typedef struct vrs_mesh_map vrs_mesh_map;

/* Returns owned. VRS_UNSUPPORTED: the mesh shows nothing around the horizon; VRS_NO_MEMORY. */
vrs_status vrs_mesh_map_create(const vrs_mesh_eye *eye, vrs_mesh_map **map) VRS_MUST_USE;
/* NULL is fine. */
void vrs_mesh_map_destroy(vrs_mesh_map *map);

/* As vrs_place_of(): of what the mesh does not show the place is the nearest that it shows. */
bool vrs_mesh_place_of(const vrs_mesh_map *map, vrs_direction direction, vrs_uv *place);

/* As vrs_direction_of(): false where the mesh has no triangle; then the direction is not set.
 * Places up to an eighth of the picture beyond its edges go on as at the edge. */
bool vrs_mesh_direction_of(const vrs_mesh_map *map, vrs_uv place, vrs_direction *direction);

/* Longitudes between which it shows something around the horizon, radians, first < last. */
void vrs_mesh_shown(const vrs_mesh_map *map, double *first, double *last);

#endif
