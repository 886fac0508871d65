/* Which views a stream's frames have: the whole frame or its eyes, which cover it, and beside them
 * tiles of each eye, whose masks are laid over the eyes'. Made with the stream. */
#ifndef VRS_PIPELINE_VIEWS_H
#define VRS_PIPELINE_VIEWS_H

#include "kernels/warp.h"
#include "pipeline/lane.h"
#include "vrseg/pipeline.h"

/* The option `views`, in the order of its words. */
typedef enum vrs_views_kind {
    VRS_VIEWS_AUTO = 0,  /* the eyes */
    VRS_VIEWS_WHOLE = 1, /* the frame, whatever its layout */
    VRS_VIEWS_EYES = 2,
    VRS_VIEWS_TILES = 3, /* and a ring of tiles of each eye */
    VRS_VIEWS_CROPS = 4, /* or crops that follow people: pipeline/crops.h */
} vrs_views_kind;

/* Tiles of a stream: those of its views, or all places of its crops. */
#define VRS_MAX_POOL (2 * VRS_TILE_PLACES)

/* A tile: how it is sampled, and where its mask goes in each target (pipeline/internal.h). */
typedef struct vrs_view_tile {
    vrs_eye eye;
    vrs_tile tile;
    vrs_warp warps[2]; /* for the network, and for live mode's smaller one */
    int32_t *positions[2];
    vrs_rect rects[VRS_MAX_OUTPUTS + 1];
    int32_t *patches[VRS_MAX_OUTPUTS + 1];
} vrs_view_tile;

/* Sets the stream's views, the eyes' first. VRS_INVALID: a picture that cannot be halved, or one
 * that has no tiles; VRS_UNSUPPORTED: a network whose picture is too large for tiles, or a mesh
 * that shows nothing around the horizon; VRS_NO_MEMORY. */
vrs_status vrs_views_set(vrs_pipeline *pipeline, const vrs_frame *frame,
                         vrs_stream *stream) VRS_MUST_USE;

/* The tile of a ticket's view; NULL: it is an eye. */
const vrs_view_tile *vrs_views_tile(const vrs_ticket *ticket, uint32_t view);

/* Chooses the tiles of a ticket that has its sequence; with the pipeline's lock held. */
void vrs_views_choose(vrs_ticket *ticket);

/* What the masks of a ticket show, for its stream's crops, if there are any; `masks`: of its views,
 * on the host. */
void vrs_views_look(vrs_ticket *ticket, int16_t *const masks[VRS_MAX_VIEWS]);

/* For what goes from mask to mask, in the stream's order: marks the views whose crop is not where
 * it was, and lets a repeated frame have the last one's. */
void vrs_views_follow(vrs_ticket *ticket);

/* How the frames lie: as the first one says, but for what the options say. */
vrs_status vrs_views_layout(const vrs_pipeline *pipeline, const vrs_frame *frame,
                            vrs_layout *layout) VRS_MUST_USE;

/* Fills the tiles' grids; the stream's plans and targets are there. VRS_NO_MEMORY. */
vrs_status vrs_views_make_grids(vrs_stream *stream) VRS_MUST_USE;

void vrs_views_free(vrs_stream *stream);

/* What of a patch does not depend on where its mask is: of a tile's view, in a target. Its
 * rectangle is empty where the view's mask is not laid back. */
vrs_patch vrs_views_patch(const vrs_ticket *ticket, uint32_t view, int32_t target);

/* Whether tickets of a stream keep the scores of their views, since class maps are put together
 * from eyes and tiles when all of them are there. */
bool vrs_views_keep_scores(const vrs_stream *stream);
/* The size in which they are kept, each class a dense plane. */
void vrs_views_scores_size(const vrs_pipeline *pipeline, int32_t *width, int32_t *height);

/* A view's part of a class map; whose patch has no scores yet: they are the view's, from `origin`
 * elements on. */
typedef struct vrs_class_part {
    vrs_class_patch patch;
    uint32_t view;
    ptrdiff_t origin;
} vrs_class_part;

/* The parts of a ticket's class map of a target's size: of its tiles and eyes, but for those that
 * show nothing. Returns how many. */
int32_t vrs_views_class_parts(const vrs_ticket *ticket, int32_t target,
                              vrs_class_part parts[VRS_MAX_VIEWS]);

#endif
