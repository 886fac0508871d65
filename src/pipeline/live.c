#include "pipeline/live.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/internal.h"

#define MS(ns) ((double)(ns) / 1e6)

static const struct {
    uint32_t step;
    const char *text;
} steps_in_order[] = {{VRS_LIVE_NO_REFINEMENT, "no refinement"},
                      {VRS_LIVE_EVERY_SECOND, "every second mask"},
                      {VRS_LIVE_SMALLER_INPUT, "smaller input"}};
#define STEPS (sizeof(steps_in_order) / sizeof(steps_in_order[0]))

/* The first `level` of the steps that are possible. */
static uint32_t steps_of_level(uint32_t possible, int32_t level)
{
    uint32_t steps = 0;
    for (size_t i = 0; i < STEPS && level > 0; i++)
        if ((possible & steps_in_order[i].step) != 0) {
            steps |= steps_in_order[i].step;
            level--;
        }
    return steps;
}

void vrs_live_init(vrs_live *live, const vrs_pipeline *pipeline)
{
    live->on = pipeline->settings.live;
    live->degrades = pipeline->settings.live_degrade;
    live->target_ns = pipeline->settings.batch.latency_target_ns;
    if (live->on)
        vrs_degrade_init(&live->degrade, 1, live->target_ns);
}

void vrs_live_add_steps(vrs_live *live, uint32_t steps)
{
    if (!live->on || !live->degrades || live->degrade.started)
        return;
    live->possible |= steps;
    vrs_degrade_init(&live->degrade, 1 + __builtin_popcount(live->possible), live->target_ns);
}

void vrs_live_steps_text(uint32_t steps, char *text, size_t size)
{
    size_t used = 0;
    (void)snprintf(text, size, "%s", steps == 0 ? "everything" : "");
    for (size_t i = 0; i < STEPS && used < size; i++) {
        if ((steps & steps_in_order[i].step) == 0)
            continue;
        (void)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "",
                       steps_in_order[i].text);
        used += strlen(text + used);
    }
}

static int64_t captured_ns(const vrs_ticket *ticket)
{
    return ticket->frame.capture_ns > 0 ? ticket->frame.capture_ns : ticket->result.submitted_ns;
}

bool vrs_live_is_late(const vrs_ticket *ticket, int64_t now_ns)
{
    const vrs_live *live = &ticket->pipeline->live;
    return live->on && !ticket->restart && now_ns - captured_ns(ticket) > live->target_ns;
}

bool vrs_live_left_out(const vrs_ticket *ticket)
{
    return ticket->pipeline->live.on && ticket->result.status == VRS_DROPPED;
}

/* A frame that has no past is never left out: the next one would go on with the old one. */
vrs_live_verdict vrs_live_look(vrs_pipeline *pipeline, vrs_ticket *ticket)
{
    vrs_live *live = &pipeline->live;
    vrs_stream *stream = ticket->stream;
    uint32_t steps = atomic_load(&live->active);
    ticket->smaller = (steps & VRS_LIVE_SMALLER_INPUT) != 0;
    ticket->plain = ticket->smaller || (steps & VRS_LIVE_NO_REFINEMENT) != 0;
    if (!live->on)
        return VRS_LIVE_QUEUES;
    if (vrs_live_is_late(ticket, ticket->queued_ns))
        return VRS_LIVE_LATE;
    bool repeats = (steps & VRS_LIVE_EVERY_SECOND) != 0 && !ticket->restart && stream->inferred;
    stream->inferred = !repeats;
    if (!repeats)
        return VRS_LIVE_QUEUES;
    ticket->result.repeated = true;
    ticket->plain = true; /* there is no guide without preprocessing */
    return VRS_LIVE_REPEATS;
}

static void describe(const vrs_live *live, const vrs_degrade_change *c, vrs_live_change *change)
{
    change->time_ns = c->time_ns;
    change->from = steps_of_level(live->possible, c->from);
    change->to = steps_of_level(live->possible, c->to);
    if (c->to > c->from)
        (void)snprintf(change->reason, sizeof(change->reason),
                       "%d of the last %d frames were dropped or came after the target of %.1f ms",
                       c->late, c->of, MS(live->target_ns));
    else
        (void)snprintf(change->reason, sizeof(change->reason), "no frame was late for %.1f s",
                       (double)c->quiet_ns / 1e9);
}

void vrs_live_finished(vrs_pipeline *pipeline, const vrs_ticket *ticket)
{
    vrs_live *live = &pipeline->live;
    const vrs_result *result = &ticket->result;
    if (!live->on || (result->status != VRS_OK && result->status != VRS_DROPPED))
        return; /* a failure says nothing of the speed */
    int64_t latency =
        result->status == VRS_DROPPED ? INT64_MAX : result->done_ns - captured_ns(ticket);
    vrs_degrade_change change;
    if (!vrs_degrade_frame(&live->degrade, result->done_ns, latency, &change))
        return;
    vrs_live_change *kept = &live->changes[live->change_count++ % VRS_LIVE_CHANGES];
    describe(live, &change, kept);
    atomic_store(&live->active, kept->to);
}

uint32_t vrs_pipeline_get_changes(const vrs_pipeline *const_pipeline, vrs_live_change *changes,
                                  uint32_t room)
{
    vrs_pipeline *pipeline = (vrs_pipeline *)(uintptr_t)const_pipeline; /* for its lock alone */
    if (!vrs_pipeline_alive(pipeline))
        return 0;
    const vrs_live *live = &pipeline->live;
    vrs_mutex_lock(&pipeline->lock);
    uint32_t count = live->change_count < VRS_LIVE_CHANGES ? live->change_count : VRS_LIVE_CHANGES;
    count = count < room ? count : room;
    for (uint32_t i = 0; i < count; i++)
        changes[i] = live->changes[(live->change_count - count + i) % VRS_LIVE_CHANGES];
    vrs_mutex_unlock(&pipeline->lock);
    return count;
}
