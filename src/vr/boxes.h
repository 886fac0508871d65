/* What the boxes of an MP4 or MOV say of its pictures' layout, in full: libav 5.1 drops the stereo
 * modes 3 and 4 and the mesh of VR180. Source: Google, Spherical Video V2 RFC (st3d and sv3d in the
 * visual sample entry). */
#ifndef VRS_VR_BOXES_H
#define VRS_VR_BOXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vrseg/layout.h"
#include "vrseg/status.h"

/* A file, as bytes at places. `read` gives exactly `count` of them or false. */
typedef struct vrs_bytes {
    bool (*read)(void *opaque, uint64_t place, uint8_t *bytes, size_t count);
    void *opaque;
    uint64_t size;
} vrs_bytes;

typedef enum vrs_sphere {
    VRS_SPHERE_NONE = 0,
    VRS_SPHERE_EQUI = 1,
    VRS_SPHERE_CUBE = 2,
    VRS_SPHERE_MESH = 3,
} vrs_sphere;

/* st3d's modes. */
enum {
    VRS_ST3D_MONO = 0,
    VRS_ST3D_TB = 1,
    VRS_ST3D_LR = 2,
    VRS_ST3D_CUSTOM = 3,
    VRS_ST3D_RL = 4,
};

/* Of the first video track that has either. Numbers as stored, big-endian read. */
typedef struct vrs_boxes {
    bool is_mp4;
    int stereo;                        /* st3d's mode; -1: there is none */
    vrs_sphere sphere;                 /* sv3d's projection */
    int32_t yaw, pitch, roll;          /* prhd, 16.16 degrees */
    uint32_t top, bottom, left, right; /* equi, 0.32 shares */
    uint64_t mesh_place, mesh_size;    /* mshp's contents in the file */
    char trouble[VRS_DETAIL_SIZE];     /* what is broken in them: a sentence; "" */
} vrs_boxes;

/* Looks through the boxes; reads a few hundred bytes of a file whatever its size, at most 4096
 * boxes. A file that is no MP4, or whose boxes lie about their sizes, has what was found before. */
vrs_boxes vrs_boxes_read(const vrs_bytes *bytes);

/* Most bytes of an mshp box that are read. */
#define VRS_MESH_BOX_MOST (4 << 20)

/* What the boxes say as a layout: stereo and projection are those of `claim`, with how sure that
 * is; a sentence in `why`. `mesh` is that of the box or NULL, `width` and `height` the frame's. The
 * layout borrows the mesh. */
void vrs_boxes_claim(const vrs_boxes *boxes, const vrs_mesh *mesh, int32_t width, int32_t height,
                     vrs_layout_claim *claim);

/* A moov box, as bytes, whose first video track says what `say` does and nothing else of its
 * layout: `stereo`, `sphere` with what belongs to it, and of a mesh the `mesh_size` bytes of mshp's
 * contents at `mesh`. Returns owned in `out`. VRS_UNSUPPORTED: no moov box of 32 bits with a video
 * track; VRS_NO_MEMORY. */
vrs_status vrs_boxes_put(const uint8_t *moov, size_t size, const vrs_boxes *say,
                         const uint8_t *mesh, uint8_t **out, size_t *out_size) VRS_MUST_USE;

#endif
