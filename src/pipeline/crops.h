/* Crops that follow people: of the places where a crop can be, which are looked at in a frame.
 *
 * What a frame's masks show goes into a coarse map of the eye, which forgets slowly; both eyes
 * share it, so that their crops look the same way. Crops take the places that show most of it, one
 * after the other, each of what the ones before it leave; a crop stays where it is until another
 * place shows clearly more. Beside them a scout goes through all places in turn: its mask is only
 * looked at, so that who is too small for the whole eye is found as well.
 *
 * A frame's places depend on the frames of its stream up to VRS_CROPS_LAG before it and on nothing
 * else, however batches and threads fall: its stream has no more tickets than that. */
#ifndef VRS_PIPELINE_CROPS_H
#define VRS_PIPELINE_CROPS_H

#include "pipeline/lane.h"
#include "vr/tiles.h"

/* Frames from what was seen to where is looked; most frames of such a stream in flight. */
#define VRS_CROPS_LAG 8
#define VRS_CROPS_MOST 3 /* an eye */
#define VRS_CROPS_MAP 32 /* cells of the map, a side */

typedef struct vrs_crops vrs_crops;

/* What a frame showed. */
typedef struct vrs_crops_seen {
    float cells[VRS_CROPS_MAP * VRS_CROPS_MAP]; /* share of person, 0..1 */
} vrs_crops_seen;

/* For an eye's places; returns owned; borrows the eye's map until it is destroyed. VRS_NO_MEMORY.
 */
vrs_status vrs_crops_create(const vrs_eye *eye, const vrs_tile *places, int32_t place_count,
                            int32_t crop_count, vrs_crops **crops) VRS_MUST_USE;
void vrs_crops_destroy(vrs_crops *crops);

/* Adds a mask of width x height, Q15, stride in elements, to what a frame showed: of the whole eye,
 * or of a place. What is seen twice counts once. Any thread. */
void vrs_crops_add_eye(vrs_crops_seen *seen, const int16_t *mask, int32_t width, int32_t height,
                       ptrdiff_t stride);
void vrs_crops_add_place(const vrs_crops *crops, vrs_crops_seen *seen, int32_t place,
                         const int16_t *mask, int32_t width, int32_t height, ptrdiff_t stride);

/* Frame `sequence` has ended; `seen` is NULL where it failed; `restart`: it had no past. Frames may
 * end in any order. With the pipeline's lock held. */
void vrs_crops_ended(vrs_crops *crops, uint64_t sequence, const vrs_crops_seen *seen, bool restart);

/* The places of frame `sequence`, crop_count of them and then the scout's of each of two eyes. All
 * frames up to VRS_CROPS_LAG before it have ended; frames before `first` belong to another past.
 * With the lock held. */
void vrs_crops_places(const vrs_crops *crops, uint64_t sequence, uint64_t first,
                      int32_t places[VRS_CROPS_MOST + 2]);

#endif
