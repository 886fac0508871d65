#include "base/span.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

#include "base/alloc.h"

#define NAME_SIZE 32

/* Written by the track's thread alone, so plain atomic stores do: no other writer is between its
 * load and its store. */
typedef struct kind_totals {
    _Atomic uint64_t count;
    _Atomic int64_t busy_ns;
    _Atomic int64_t max_ns;
} kind_totals;

struct vrs_track {
    vrs_span *spans;  /* ring of mask + 1 */
    uint64_t written; /* spans ever */
    uint32_t mask;
    uint32_t index;
    char name[NAME_SIZE];
    kind_totals totals[VRS_SPAN_KINDS];
};

struct vrs_recorder {
    uint32_t track_limit;
    atomic_uint track_count;
    vrs_span *spans; /* of all tracks */
    vrs_track *tracks;
};

static uint32_t power_of_two(uint32_t least)
{
    uint32_t size = 1;
    while (size < least) {
        size *= 2;
    }
    return size;
}

vrs_status vrs_recorder_create(uint32_t tracks, uint32_t spans_per_track, vrs_recorder **recorder)
{
    assert(tracks >= 1 && spans_per_track >= 1 && spans_per_track <= 1u << 20);
    vrs_recorder *made = vrs_alloc(sizeof(*made));
    if (made == NULL) {
        return VRS_NO_MEMORY;
    }
    uint32_t size = power_of_two(spans_per_track);
    made->track_limit = tracks;
    made->tracks = vrs_alloc_array(tracks, sizeof(*made->tracks));
    if (made->tracks != NULL) {
        made->spans = vrs_alloc_array(tracks, size * sizeof(*made->spans));
    }
    if (made->spans == NULL) {
        vrs_recorder_destroy(made);
        return VRS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < tracks; i++) {
        made->tracks[i].spans = made->spans + (size_t)i * size;
        made->tracks[i].mask = size - 1;
        made->tracks[i].index = i;
    }
    *recorder = made;
    return VRS_OK;
}

void vrs_recorder_destroy(vrs_recorder *recorder)
{
    if (recorder == NULL) {
        return;
    }
    vrs_free(recorder->spans);
    vrs_free(recorder->tracks);
    vrs_free(recorder);
}

vrs_track *vrs_recorder_track(vrs_recorder *recorder, const char *name)
{
    uint32_t index = atomic_load_explicit(&recorder->track_count, memory_order_relaxed);
    do {
        if (index >= recorder->track_limit) {
            return NULL;
        }
    } while (!atomic_compare_exchange_weak(&recorder->track_count, &index, index + 1));
    vrs_track *track = &recorder->tracks[index];
    snprintf(track->name, sizeof(track->name), "%s", name);
    return track;
}

void vrs_track_record(vrs_track *track, uint32_t kind, int64_t frame, int64_t begin_ns,
                      int64_t end_ns)
{
    if (track == NULL) {
        return;
    }
    assert(kind < VRS_SPAN_KINDS && begin_ns <= end_ns);
    vrs_span *span = &track->spans[track->written & track->mask];
    track->written++;
    span->begin_ns = begin_ns;
    span->end_ns = end_ns;
    span->frame = frame;
    span->kind = kind;
    span->track = track->index;

    kind_totals *totals = &track->totals[kind];
    int64_t length = end_ns - begin_ns;
    int64_t busy = atomic_load_explicit(&totals->busy_ns, memory_order_relaxed) + length;
    atomic_store_explicit(&totals->busy_ns, busy, memory_order_relaxed);
    if (length > atomic_load_explicit(&totals->max_ns, memory_order_relaxed)) {
        atomic_store_explicit(&totals->max_ns, length, memory_order_relaxed);
    }
    uint64_t count = atomic_load_explicit(&totals->count, memory_order_relaxed) + 1;
    atomic_store_explicit(&totals->count, count, memory_order_release);
}

/* The count is read first and written last, so the times hold at least the counted spans. */
vrs_span_totals vrs_recorder_totals(const vrs_recorder *recorder, uint32_t kind)
{
    assert(kind < VRS_SPAN_KINDS);
    vrs_span_totals sum = {0};
    uint32_t count = atomic_load(&recorder->track_count);
    for (uint32_t i = 0; i < count; i++) {
        const kind_totals *totals = &recorder->tracks[i].totals[kind];
        sum.count += atomic_load_explicit(&totals->count, memory_order_acquire);
        sum.busy_ns += atomic_load_explicit(&totals->busy_ns, memory_order_relaxed);
        int64_t max = atomic_load_explicit(&totals->max_ns, memory_order_relaxed);
        sum.max_ns = max > sum.max_ns ? max : sum.max_ns;
    }
    return sum;
}

void vrs_recorder_visit(const vrs_recorder *recorder, vrs_span_visit_fn visit, void *opaque)
{
    uint32_t count = atomic_load(&recorder->track_count);
    for (uint32_t i = 0; i < count; i++) {
        const vrs_track *track = &recorder->tracks[i];
        uint64_t size = (uint64_t)track->mask + 1;
        uint64_t first = track->written > size ? track->written - size : 0;
        for (uint64_t n = first; n < track->written; n++) {
            visit(opaque, track->name, &track->spans[n & track->mask]);
        }
    }
}
