/* Live mode: a source is read at the times of its frames. */
#include "base/clock.h"
#include "media/job/job_internal.h"

/* So often a wait looks whether the job ends. */
#define LOOK_NS (VRS_NS_PER_S / 10)

void vrs_slot_pace(vrs_job_slot *slot, vrs_frame *frame)
{
    vrs_job *job = slot->job;
    int64_t now = vrs_now_ns();
    int64_t due = vrs_pace_next(&slot->pace, frame->pts, now, slot->source->starved_ns > 0);
    int64_t begin_ns = now;
    vrs_mutex_lock(&job->lock);
    while (now < due && !vrs_slot_reading_ends(slot)) {
        int64_t next = due - now > LOOK_NS ? now + LOOK_NS : due;
        (void)vrs_cond_wait_until(&job->changed, &job->lock, next);
        now = vrs_now_ns();
    }
    vrs_mutex_unlock(&job->lock);
    vrs_job_load_wait(slot->read_track, VRS_SPAN_SOURCE, frame->id, now - begin_ns);
    frame->capture_ns = due;
}
