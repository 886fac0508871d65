#include "media/encode/times.h"

#include <libavutil/avutil.h>
#include <libavutil/mathematics.h>

#include "media/file/journal.h"

void vrs_times_init(vrs_times *times, AVRational time_base, AVRational rate)
{
    *times = (vrs_times){.last_dts = INT64_MIN};
    times->nominal = av_rescale_q(1, av_inv_q(rate), time_base);
    if (times->nominal < 1)
        times->nominal = 1;
}

void vrs_times_resume(vrs_times *times, const struct vrs_journal_entry *first,
                      const struct vrs_journal_entry *last)
{
    times->count = last->first_frame + last->frames;
    times->first = first->first_pts;
    times->last = last->last_pts;
    times->end = last->end_pts;
    times->shift = last->shift;
    times->last_dts = last->last_dts;
    for (int64_t back = 0; back < VRS_TIMES_KEPT && back < times->count; back++) {
        int64_t place = (times->count - 1 - back) % VRS_TIMES_KEPT;
        times->pts[place] = times->last - back * times->nominal;
        times->duration[place] = times->nominal;
    }
}

void vrs_times_add(vrs_times *times, int64_t pts, int64_t duration)
{
    bool first = times->count == 0;
    if (first) {
        times->first = pts == AV_NOPTS_VALUE ? 0 : pts;
        int64_t zero = times->has_origin ? times->origin : times->first;
        times->shift = zero < 0 || times->from_zero ? -zero : 0;
        times->first += times->shift;
    }
    int64_t at = pts == AV_NOPTS_VALUE ? times->end : pts + times->shift;
    if (first) {
        at = times->first;
    } else if (at <= times->last) {
        at = times->last + 1;
        times->repaired++;
    }
    int64_t place = times->count % VRS_TIMES_KEPT;
    times->pts[place] = at;
    times->duration[place] = duration > 0 ? duration : times->nominal;
    times->last = at;
    times->end = at + times->duration[place];
    times->count++;
}

static vrs_status time_of(const vrs_times *times, int64_t number, int64_t *time)
{
    if (number >= times->count || number < times->count - VRS_TIMES_KEPT) {
        return vrs_fail(VRS_IO, "the encoder returned frame %lld of %lld", (long long)number,
                        (long long)times->count);
    }
    *time =
        number < 0 ? times->first + number * times->nominal : times->pts[number % VRS_TIMES_KEPT];
    return VRS_OK;
}

vrs_status vrs_times_apply(vrs_times *times, AVPacket *packet)
{
    int64_t number = packet->pts;
    int64_t dts = 0;
    vrs_status status = time_of(times, number, &packet->pts);
    /* x265 3.5 gives what lay in memory to a segment shorter than its reordering, in which no frame
     * changes places. */
    bool sane = packet->dts <= number && packet->dts >= number - VRS_ENCODER_MAX_DELAY;
    if (status == VRS_OK)
        status = time_of(times, sane ? packet->dts : number, &dts);
    if (status != VRS_OK)
        return status;
    if (dts <= times->last_dts)
        dts = times->last_dts + 1;
    if (number < 0 || dts > packet->pts)
        return vrs_fail(VRS_IO, "the encoder returned frame %lld too late", (long long)number);
    packet->dts = times->last_dts = dts;
    packet->duration = times->duration[number % VRS_TIMES_KEPT];
    return VRS_OK;
}
