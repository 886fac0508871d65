/* The part of its inputs that a job makes: from one time to another, or one of several shards. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "media/job/job_internal.h"
#include "media/source/frame_times.h"

#define MOST_SHARDS 10000

/* "90", "1:30", "0:01:30.5" are seconds, "1800f" frames. */
static vrs_status parse_place(const char *name, const char *text, vrs_job_place *place)
{
    double parts[3] = {0};
    int count = 0;
    const char *at = text;
    bool good = true;
    *place = (vrs_job_place){.given = text[0] != 0};
    while (good && *at != 0) {
        char *end = NULL;
        good = count < 3 && *at >= '0' && *at <= '9';
        double value = good ? strtod(at, &end) : 0;
        good = good && isfinite(value) && value < 1e9;
        if (!good)
            break;
        parts[count++] = value;
        if (strcmp(end, "f") == 0 && count == 1 && value == floor(value)) {
            place->frame = (int64_t)value;
            place->by_frame = true;
            return VRS_OK;
        }
        good = *end == 0 || (*end == ':' && end[1] != 0 && value == floor(value));
        at = *end == ':' ? end + 1 : end;
    }
    for (int i = 1; i < count; i++)
        good = good && parts[i] < 60;
    if (!good)
        return vrs_fail(VRS_INVALID,
                        "%s: \"%s\" is no place in a video; expected seconds (90), a time (0:01:30)"
                        " or a frame (2700f)",
                        name, text);
    for (int i = 0; i < count; i++)
        place->seconds = place->seconds * 60 + parts[i];
    return VRS_OK;
}

static vrs_status parse_shard(const char *text, int32_t *shard, int32_t *shards)
{
    int used = 0;
    *shard = *shards = 0;
    if (text[0] == 0)
        return VRS_OK;
    bool good = sscanf(text, "%5d/%5d%n", shard, shards, &used) == 2 && text[used] == 0 &&
                *shards >= 1 && *shards <= MOST_SHARDS && *shard >= 1 && *shard <= *shards;
    return good ? VRS_OK
                : vrs_fail(VRS_INVALID,
                           "shard: \"%s\" is no shard; expected I/N, such as 3/8 for the third of "
                           "eight (at most %d)",
                           text, MOST_SHARDS);
}

vrs_status vrs_job_parse_range(vrs_job *job)
{
    vrs_job_range *range = &job->range;
    vrs_status status = parse_place("from", vrs_config_get(job->config, "from"), &range->from);
    if (status == VRS_OK)
        status = parse_place("to", vrs_config_get(job->config, "to"), &range->to);
    if (status == VRS_OK)
        status = parse_shard(vrs_config_get(job->config, "shard"), &range->shard, &range->shards);
    if (status != VRS_OK)
        return status;
    range->any = range->from.given || range->to.given || range->shards > 0;
    for (int32_t i = 0; i < job->pattern_count && range->shards > 0; i++)
        if (job->patterns[i].kind == VRS_JOB_PREVIEW)
            return vrs_fail(VRS_UNSUPPORTED, "%s: a shard makes no preview", job->patterns[i].path);
    return VRS_OK;
}

static int64_t frame_of(const vrs_frame_times *times, const vrs_job_place *place)
{
    int64_t frame = place->by_frame ? place->frame : vrs_frame_times_find(times, place->seconds);
    return frame < times->count ? frame : times->count;
}

/* Shards are whole segments, so that encoders begin anew where they do in one run of all. */
static void take_shard(const vrs_job *job, vrs_slot_range *part)
{
    const vrs_job_range *range = &job->range;
    int64_t step = vrs_config_int(job->config, "segment_frames", 1800);
    int64_t segments = (part->end - part->first + step - 1) / step;
    int64_t first = (segments * (range->shard - 1) + range->shards - 1) / range->shards * step;
    int64_t end = (segments * range->shard + range->shards - 1) / range->shards * step;
    int64_t all = part->end - part->first;
    part->end = part->first + (end < all ? end : all);
    part->first += first < all ? first : all;
}

vrs_status vrs_slot_find_range(vrs_job_slot *slot, const vrs_source_params *params)
{
    const vrs_job *job = slot->job;
    vrs_frame_times times;
    slot->range = (vrs_slot_range){0};
    if (!job->range.any)
        return VRS_OK;
    vrs_status status = vrs_frame_times_read(params, &times);
    if (status != VRS_OK)
        return status;
    vrs_slot_range part = {.any = true, .end = times.count};
    if (job->range.from.given)
        part.first = frame_of(&times, &job->range.from);
    if (job->range.to.given)
        part.end = frame_of(&times, &job->range.to);
    if (part.first >= part.end)
        status = vrs_fail(
            VRS_INVALID, "%s: no frame lies between from and to; it has %lld frames, %.3f s",
            slot->input->path, (long long)times.count,
            times.count > 0 ? (double)(times.times[times.count - 1] - times.times[0]) * times.unit
                            : 0);
    if (status == VRS_OK && job->range.shards > 0)
        take_shard(job, &part);
    if (status == VRS_OK && part.first >= part.end)
        status = vrs_fail(VRS_INVALID,
                          "%s: has fewer segments than there are shards: shard %d of %d has no "
                          "frame; take fewer shards or a smaller segment_frames",
                          slot->input->path, job->range.shard, job->range.shards);
    if (status == VRS_OK) {
        part.origin = times.times[0];
        part.before_pts = part.first > 0 ? times.times[part.first - 1] : 0;
        slot->range = part;
    }
    vrs_frame_times_free(&times);
    return status;
}
