/* Smoothing along the motion, and both eyes brought together, on the CPU: what a stream keeps
 * between its frames, and the step that a ticket goes through in the stream's order.
 *
 * Of each view the last mask, its ages and its picture are kept, twice, so that a frame is made
 * from the one before it. The eyes are compared after that and see each other's masks of the same
 * frame; what they agree on goes out and is not kept, so that an eye's past is its own. */
#ifndef VRS_PIPELINE_STEADY_H
#define VRS_PIPELINE_STEADY_H

#include "vrseg/status.h"

typedef struct vrs_stream vrs_stream;
typedef struct vrs_ticket vrs_ticket;
typedef struct vrs_steady vrs_steady;

/* Returns owned; borrows the stream until destroyed. VRS_NO_MEMORY. */
vrs_status vrs_steady_create(const vrs_stream *stream, vrs_steady **steady) VRS_MUST_USE;
void vrs_steady_destroy(vrs_steady *steady);

/* The masks of a ticket, which all are there with their guides; or it has failed, or repeats the
 * masks before it (it fails where there are none). Tickets of a stream come one after the other, in
 * its order. */
void vrs_steady_ticket(vrs_steady *steady, vrs_ticket *ticket);

#endif
