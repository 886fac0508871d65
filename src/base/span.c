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

/* A span in the ring. Its thread writes over the oldest one while a reader may look at it. Each
 * store releases, so that a reader that sees a part of a newer span also sees that `written` has
 * come to it; on x86 that costs nothing. */
typedef struct kept_span {
    _Atomic int64_t begin_ns, end_ns, frame;
    _Atomic uint32_t kind;
} kept_span;

struct vrs_track {
    kept_span *spans;         /* ring of mask + 1 */
    _Atomic uint64_t written; /* spans ever */
    uint64_t drained;         /* the reader's: spans that it has seen or lost */
    uint32_t mask;
    uint32_t index;
    atomic_bool named; /* the name may be read */
    char name[NAME_SIZE];
    kind_totals totals[VRS_SPAN_KINDS];
};

struct vrs_recorder {
    uint32_t track_limit;
    atomic_uint track_count;
    kept_span *spans; /* of all tracks */
    vrs_track *tracks;
};

static uint32_t power_of_two(uint32_t least)
{
    uint32_t size = 1;
    while (size < least)
        size *= 2;
    return size;
}

vrs_status vrs_recorder_create(uint32_t tracks, uint32_t spans_per_track, vrs_recorder **recorder)
{
    assert(tracks >= 1 && spans_per_track >= 1 && spans_per_track <= 1u << 20);
    vrs_recorder *made = vrs_alloc(sizeof(*made));
    if (made == NULL)
        return VRS_NO_MEMORY;
    uint32_t size = power_of_two(spans_per_track);
    made->track_limit = tracks;
    made->tracks = vrs_alloc_array(tracks, sizeof(*made->tracks));
    if (made->tracks != NULL)
        made->spans = vrs_alloc_array(tracks, size * sizeof(*made->spans));
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
    if (recorder == NULL)
        return;
    vrs_free(recorder->spans);
    vrs_free(recorder->tracks);
    vrs_free(recorder);
}

vrs_track *vrs_recorder_track(vrs_recorder *recorder, const char *name)
{
    uint32_t index = atomic_load_explicit(&recorder->track_count, memory_order_relaxed);
    do {
        if (index >= recorder->track_limit)
            return NULL;
    } while (!atomic_compare_exchange_weak(&recorder->track_count, &index, index + 1));
    vrs_track *track = &recorder->tracks[index];
    snprintf(track->name, sizeof(track->name), "%s", name);
    atomic_store_explicit(&track->named, true, memory_order_release);
    return track;
}

void vrs_track_record(vrs_track *track, uint32_t kind, int64_t frame, int64_t begin_ns,
                      int64_t end_ns)
{
    if (track == NULL)
        return;
    assert(kind < VRS_SPAN_KINDS && begin_ns <= end_ns);
    uint64_t number = atomic_load_explicit(&track->written, memory_order_relaxed);
    kept_span *span = &track->spans[number & track->mask];
    atomic_store_explicit(&span->begin_ns, begin_ns, memory_order_release);
    atomic_store_explicit(&span->end_ns, end_ns, memory_order_release);
    atomic_store_explicit(&span->frame, frame, memory_order_release);
    atomic_store_explicit(&span->kind, kind, memory_order_release);
    atomic_store_explicit(&track->written, number + 1, memory_order_release);

    kind_totals *totals = &track->totals[kind];
    int64_t length = end_ns - begin_ns;
    int64_t busy = atomic_load_explicit(&totals->busy_ns, memory_order_relaxed) + length;
    atomic_store_explicit(&totals->busy_ns, busy, memory_order_relaxed);
    if (length > atomic_load_explicit(&totals->max_ns, memory_order_relaxed))
        atomic_store_explicit(&totals->max_ns, length, memory_order_relaxed);
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

static vrs_span read_span(const vrs_track *track, uint64_t number)
{
    const kept_span *kept = &track->spans[number & track->mask];
    return (vrs_span){
        .begin_ns = atomic_load_explicit(&kept->begin_ns, memory_order_acquire),
        .end_ns = atomic_load_explicit(&kept->end_ns, memory_order_acquire),
        .frame = atomic_load_explicit(&kept->frame, memory_order_acquire),
        .kind = atomic_load_explicit(&kept->kind, memory_order_acquire),
        .track = track->index,
    };
}

void vrs_recorder_visit(const vrs_recorder *recorder, vrs_span_visit_fn visit, void *opaque)
{
    uint32_t count = atomic_load(&recorder->track_count);
    for (uint32_t i = 0; i < count; i++) {
        const vrs_track *track = &recorder->tracks[i];
        uint64_t size = (uint64_t)track->mask + 1;
        uint64_t written = atomic_load(&track->written);
        for (uint64_t n = written > size ? written - size : 0; n < written; n++) {
            vrs_span span = read_span(track, n);
            visit(opaque, track->name, &span);
        }
    }
}

/* The thread writes span `written` at the place of span `written` - size, so that one is not whole
 * any more. */
static uint64_t drain_track(vrs_track *track, vrs_span_visit_fn visit, void *opaque)
{
    uint64_t size = (uint64_t)track->mask + 1, lost = 0;
    uint64_t end = atomic_load_explicit(&track->written, memory_order_acquire);
    while (track->drained < end) {
        vrs_span span = read_span(track, track->drained);
        uint64_t now = atomic_load_explicit(&track->written, memory_order_acquire);
        if (now >= track->drained + size) {
            uint64_t whole = now - size + 1;
            lost += whole - track->drained;
            track->drained = whole;
            continue;
        }
        visit(opaque, track->name, &span);
        track->drained++;
    }
    return lost;
}

uint64_t vrs_recorder_drain(vrs_recorder *recorder, vrs_span_visit_fn visit, void *opaque)
{
    uint64_t lost = 0;
    uint32_t count = atomic_load(&recorder->track_count);
    for (uint32_t i = 0; i < count; i++) {
        vrs_track *track = &recorder->tracks[i];
        if (atomic_load_explicit(&track->named, memory_order_acquire))
            lost += drain_track(track, visit, opaque);
    }
    return lost;
}
