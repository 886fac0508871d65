/* Outputs with alpha in their corners (vr/pack.h): what a stream must be for them, and how its
 * pictures become a fisheye's where they are none. Made with the stream. */
#ifndef VRS_PIPELINE_PACKED_H
#define VRS_PIPELINE_PACKED_H

#include <stdbool.h>

#include "kernels/pack.h"
#include "kernels/unroll.h"
#include "vrseg/image.h"
#include "vrseg/layout.h"
#include "vrseg/status.h"

struct vrs_stream;

/* Parts of a frame that are copied or unrolled: three planes and the mask, of two eyes. */
#define VRS_PACKED_PARTS 8

typedef struct vrs_packed {
    bool wanted;
    bool unrolls;           /* by grids: [0] of luma and mask, [1] of chroma */
    vrs_unroll_size eye[2]; /* of an eye's luma and chroma; else of the frame's */
    int32_t *grids[2];
} vrs_packed;

/* Looks what the stream's outputs want of a layout. VRS_UNSUPPORTED: the layout is not side by
 * side, or its projection is neither a fisheye nor equirectangular, or the frame's sides do not
 * divide; each says what to do. VRS_NO_MEMORY. */
vrs_status vrs_packed_set(struct vrs_stream *stream, const vrs_layout *layout) VRS_MUST_USE;
void vrs_packed_free(struct vrs_stream *stream);

/* Pairs of a grid. */
int64_t vrs_packed_nodes(const vrs_packed *packed, int index);

/* The parts of a source picture on their way into an output, and behind them, where grids are used,
 * those of the mask, from `mask` to `fish` (NULL: not yet), both of the frame's width with `stride`
 * bytes a row. Grids are the host's. Returns how many. */
int32_t vrs_packed_parts(const vrs_packed *packed, const vrs_image *source, const vrs_image *output,
                         const void *mask, void *fish, ptrdiff_t stride,
                         vrs_unroll parts[VRS_PACKED_PARTS]);

#endif
