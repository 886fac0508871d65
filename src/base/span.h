/* Spans: what ran when. Each recording thread has a track of its own, written without locks; the
 * last spans of each track are kept, the totals count all, and one reader may follow along. Cost: a
 * few stores, and what two readings of the clock cost. */
#ifndef VRS_BASE_SPAN_H
#define VRS_BASE_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/status.h"

typedef struct vrs_recorder vrs_recorder;
typedef struct vrs_track vrs_track;

/* Kinds are small numbers that the recorder's owner defines. */
#define VRS_SPAN_KINDS 32

/* Tracks whose names begin so are of work on a GPU, by its own clock: a span ends when the host saw
 * the end. */
#define VRS_TRACK_GPU "gpu "

typedef struct vrs_span {
    int64_t begin_ns, end_ns;
    int64_t frame; /* the caller's frame number, -1: none */
    uint32_t kind;
    uint32_t track;
} vrs_span;

typedef struct vrs_span_totals {
    uint64_t count;
    int64_t busy_ns; /* sum of the spans' lengths */
    int64_t max_ns;
} vrs_span_totals;

/* Returns owned. Keeps the last `spans_per_track` (1..2^20, rounded up to a power of two) of each
 * of at most `tracks` tracks. VRS_NO_MEMORY. */
VRS_API vrs_status vrs_recorder_create(uint32_t tracks, uint32_t spans_per_track,
                                       vrs_recorder **recorder) VRS_MUST_USE;
VRS_API void vrs_recorder_destroy(vrs_recorder *recorder);

/* Gives the calling thread a track named `name` (copied, cut at 31 bytes); it lives as long as the
 * recorder. NULL when all tracks are taken: recording on NULL does nothing. Any thread. */
VRS_API vrs_track *vrs_recorder_track(vrs_recorder *recorder, const char *name);

/* Records a span; only by the track's thread. */
VRS_API void vrs_track_record(vrs_track *track, uint32_t kind, int64_t frame, int64_t begin_ns,
                              int64_t end_ns);

/* Totals of a kind over all tracks, from any thread, while recording goes on: the times hold at
 * least the counted spans. */
VRS_API vrs_span_totals vrs_recorder_totals(const vrs_recorder *recorder, uint32_t kind);

/* Calls `visit` for the kept spans, oldest first in each track. Only while no track records. */
typedef void (*vrs_span_visit_fn)(void *opaque, const char *track_name, const vrs_span *span);
VRS_API void vrs_recorder_visit(const vrs_recorder *recorder, vrs_span_visit_fn visit,
                                void *opaque);

/* Calls `visit` for the spans that were recorded since the last drain, oldest first in each track,
 * while recording goes on. Returns how many are lost, since their track kept fewer than it recorded
 * in between. One thread at a time. */
VRS_API uint64_t vrs_recorder_drain(vrs_recorder *recorder, vrs_span_visit_fn visit, void *opaque);

#endif
