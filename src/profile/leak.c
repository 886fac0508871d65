/* Growth of memory by its owners: a line through its samples over the frames that were finished.
 *
 * What a run takes at its start (streams, caches, libraries) is no leak, so the first quarter of
 * the frames does not count. An owner leaks where the line rises by more than four times its
 * standard error, by more than a hundredth of what is held, by more than allocators round, and
 * still does so in the second half. */
#include <math.h>
#include <string.h>

#include "profile/figures.h"

#define LEAST_POINTS 8
#define LEAST_FRAMES 100
#define LEAST_BYTES 65536.0
#define LEAST_BLOCKS 16.0

typedef struct line {
    double slope, error; /* a frame */
    double mean, frames; /* of the values; range of the frames */
    int32_t points;
} line;

static double mean_in(const vrs_series *s, int32_t bin)
{
    return s->sum[bin] / s->count[bin];
}

/* Least squares over the bins whose frames are at least `from`. */
static line fit(const vrs_series *frames, const vrs_series *values, double from)
{
    double sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0, first = 0, last = 0;
    line l = {0};
    for (int32_t b = 0; b < VRS_BINS; b++) {
        if (frames->count[b] == 0 || values->count[b] == 0 || mean_in(frames, b) < from)
            continue;
        double x = mean_in(frames, b), y = mean_in(values, b);
        first = l.points == 0 ? x : first;
        last = x;
        sx += x;
        sy += y;
        l.points++;
    }
    if (l.points < LEAST_POINTS)
        return l;
    double n = l.points, mx = sx / n, my = sy / n;
    /* About the means: the sums of squares themselves would lose the digits that matter. */
    for (int32_t b = 0; b < VRS_BINS; b++) {
        if (frames->count[b] == 0 || values->count[b] == 0 || mean_in(frames, b) < from)
            continue;
        double x = mean_in(frames, b) - mx, y = mean_in(values, b) - my;
        sxx += x * x;
        sxy += x * y;
        syy += y * y;
    }
    l.mean = my;
    l.frames = last - first;
    if (sxx <= 0)
        return l;
    l.slope = sxy / sxx;
    double rest = fmax(0, syy - l.slope * sxy);
    l.error = sqrt(rest / (n - 2) / sxx);
    return l;
}

static bool is_memory(const char *name)
{
    return strcmp(name, "resident") == 0 || strncmp(name, "host/", 5) == 0 ||
           strncmp(name, "device/", 7) == 0 || strncmp(name, "pinned/", 7) == 0;
}

static bool is_leak(const vrs_series *frames, const vrs_series *values, const line *l)
{
    double grown = l->slope * l->frames;
    double least = strcmp(values->name, "host/blocks") == 0 ? LEAST_BLOCKS : LEAST_BYTES;
    if (l->points < LEAST_POINTS || l->frames < LEAST_FRAMES || l->slope <= 4 * l->error ||
        grown <= least || grown <= fabs(l->mean) / 100)
        return false;
    line late = fit(frames, values, frames->most * 5 / 8); /* half of what was fitted */
    return late.points < LEAST_POINTS || (late.slope > 4 * late.error && late.slope > l->slope / 2);
}

int32_t vrs_report_growth(const vrs_profile_report *report, vrs_growth *growth)
{
    const vrs_series *frames = vrs_report_series(report, "frames finished");
    int32_t count = 0;
    for (int32_t i = 0; i < report->series_count && frames != NULL; i++) {
        const vrs_series *values = &report->series[i];
        if (!is_memory(values->name))
            continue;
        line l = fit(frames, values, frames->most / 4);
        growth[count++] = (vrs_growth){
            .owner = values->name,
            .per_thousand = l.points >= LEAST_POINTS ? l.slope * 1000 : NAN,
            .error = l.error * 1000,
            .level = values->last,
            .leaks = is_leak(frames, values, &l),
        };
    }
    return count;
}
