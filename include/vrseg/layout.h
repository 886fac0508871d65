/* How VR video lies in its frames: which part is which eye's, and what its pixels look at.
 *
 * Places in an eye's picture are u (0 left edge, 1 right edge) and v (0 top edge, 1 bottom edge);
 * the centre of pixel i of n is at (i + 1/2) / n. Directions are of length 1: x to the right, y up,
 * z ahead; longitude atan2(x, z) grows to the right and latitude asin(y) upwards. An eye's picture
 * is taken with its own aspect, stretched over the eye's rectangle where the layout is squeezed. */
#ifndef VRSEG_LAYOUT_H
#define VRSEG_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers are never changed. */
typedef enum vrs_stereo {
    VRS_STEREO_MONO = 0, /* the frame is one picture */
    VRS_STEREO_SBS = 1,  /* left eye in the left half, right eye in the right half */
    VRS_STEREO_TB = 2,   /* left eye in the upper half, right eye in the lower half */
} vrs_stereo;

/* u and v of a direction. Numbers are never changed. */
typedef enum vrs_projection {
    VRS_PROJECTION_FLAT = 0, /* a plain picture: no directions */
    /* lon = 2 pi (cut_left + u (1 - cut_left - cut_right) - 1/2),
     * lat =   pi (1/2 - cut_top - v (1 - cut_top - cut_bottom)).
     * EQUIRECT without cuts is the whole sphere. HALF_EQUIRECT is the same with cut_left =
     * cut_right = 1/4: lon = pi (u - 1/2). */
    VRS_PROJECTION_EQUIRECT = 1,
    VRS_PROJECTION_HALF_EQUIRECT = 2,
    /* Equidistant: theta, the angle to z, is (fov / 2) r / R, with r the distance from the eye's
     * centre in pixels and R = min(eye width, eye height) / 2. Nothing lies outside the circle. */
    VRS_PROJECTION_FISHEYE = 3,
    /* Triangles from directions to u and v, from the file: see vrs_layout.mesh. */
    VRS_PROJECTION_MESH = 4,
    /* Named in files; its pictures are looked at as flat ones. */
    VRS_PROJECTION_CUBEMAP = 5,
} vrs_projection;

/* Lenses that players know by name: fisheye of 200, 220, 220 and 190 degrees. */
typedef enum vrs_lens {
    VRS_LENS_NONE = 0,
    VRS_LENS_MKX200 = 1,
    VRS_LENS_MKX220 = 2,
    VRS_LENS_VRCA220 = 3,
    VRS_LENS_RF52 = 4,
} vrs_lens;

/* Least and greatest angle across a fisheye's circle, in degrees. */
#define VRS_MIN_FOV 90
#define VRS_MAX_FOV 270

typedef struct vrs_mesh vrs_mesh;

typedef struct vrs_layout {
    vrs_stereo stereo;
    bool swapped;  /* SBS: the right eye is on the left; TB: the right eye is above */
    bool squeezed; /* each eye was made half as wide (SBS) or high (TB) to fit in a plain frame */
    vrs_projection projection;
    vrs_lens lens; /* of a fisheye, where it is known by name */
    double fov;    /* of a fisheye, degrees, VRS_MIN_FOV..VRS_MAX_FOV; 0 for the others */
    /* Of the two equirectangular ones: how much of the sphere is not there, as shares of its width
     * (left, right) and height (top, bottom); each 0 or more, the sum of a pair below 1. */
    double cut_left, cut_right, cut_top, cut_bottom;
    /* How the camera was turned, degrees, as in the file's prhd: yaw to the left, pitch up, roll
     * counter-clockwise. A mask lies where its picture does: only what is to be upright needs it.
     */
    double yaw, pitch, roll;
    /* MESH: who looks where; borrowed from whoever made the layout. Where it is the mesh of a
     * fisheye or an equirectangular picture within a quarter of a degree, `projection` is that one
     * in its place, and this stays for the files that are written. NULL: there is none. */
    const vrs_mesh *mesh;
} vrs_layout;

/* "mono", "sbs", "tb"; "flat", "equirect", "half-equirect", "fisheye", "mesh", "cubemap"; "MKX200",
 * ...; static text, "unknown" for others, "" for VRS_LENS_NONE. */
VRS_API const char *vrs_stereo_name(vrs_stereo stereo);
VRS_API const char *vrs_projection_name(vrs_projection projection);
VRS_API const char *vrs_lens_name(vrs_lens lens);

/* A flat picture of one eye: what is taken where nothing is known. */
VRS_API vrs_layout vrs_layout_flat(void);

/* By a name and its numbers, as the options layout and projection take them:
 *   "mono", "sbs", "tb", and "rl" and "bt" for swapped eyes;
 *   "flat", "equirect", "half-equirect", "fisheye" (180 degrees), "fisheye:FOV", "mesh", and the
 *   lenses "mkx200", "mkx220", "vrca220", "rf52" in any case.
 * Sets the fields that the word is about, and no others; "mesh" leaves the mesh as it is.
 * VRS_INVALID: another word, or a FOV outside VRS_MIN_FOV..VRS_MAX_FOV; the layout is untouched. */
VRS_API vrs_status vrs_layout_set_stereo(vrs_layout *layout, const char *word) VRS_MUST_USE;
VRS_API vrs_status vrs_layout_set_projection(vrs_layout *layout, const char *word) VRS_MUST_USE;

/* The rectangles of the eyes in a frame, the left eye's first; returns how many in `count`: 1 or 2.
 * VRS_INVALID: the side that is to be halved is odd (the sentence says which and what to do). */
VRS_API vrs_status vrs_layout_eyes(const vrs_layout *layout, int32_t width, int32_t height,
                                   vrs_rect eyes[2], int *count) VRS_MUST_USE;

/* "side by side, half-equirect 180 degrees", "top-bottom, mesh", "flat". Cut at `size`. */
VRS_API void vrs_layout_text(const vrs_layout *layout, char *text, size_t size);

/* Who said it, the strongest first. */
typedef enum vrs_layout_voice {
    VRS_VOICE_OPTION = 0,    /* the options layout and projection */
    VRS_VOICE_CONTAINER = 1, /* boxes of MP4, StereoMode and Projection of Matroska */
    VRS_VOICE_NAME = 2,      /* words in the file's name */
    VRS_VOICE_CONTENT = 3,   /* what the pictures look like */
    VRS_VOICE_NONE = 4,      /* nobody: it is taken as flat, or as one eye */
} vrs_layout_voice;
#define VRS_VOICES 4

/* What one of them says. */
typedef struct vrs_layout_claim {
    vrs_layout layout; /* what it says nothing of is as in vrs_layout_flat() */
    /* 0: it says nothing of this; else how sure it is, up to 1. */
    float stereo, projection;
    char why[192]; /* "st3d: left eye above; sv3d: mesh of 2304 triangles, ..."; "" if nothing */
} vrs_layout_claim;

/* What is known of a file, and why. */
typedef struct vrs_layout_reading {
    vrs_layout layout;                         /* what is taken */
    vrs_layout_voice stereo_by, projection_by; /* from whom */
    vrs_layout_claim claims[VRS_VOICES];       /* by vrs_layout_voice */
    char conflict[VRS_DETAIL_SIZE]; /* who contradicts whom, which wins and why; "" where nobody
                                       does */
    char doubt[VRS_DETAIL_SIZE]; /* what could not be told, and the options that say it; "" where it
                                    could */
} vrs_layout_reading;

/* "option", "container", "name", "content", "nobody"; static text. */
VRS_API const char *vrs_layout_voice_name(vrs_layout_voice voice);

#ifdef __cplusplus
}
#endif
#endif
