/* Two reports side by side. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile/figures.h"

#define BLOCKS 16
#define LEAST_BLOCKS 4

const char vrs_noise_text[] =
    "Noise: each run is cut into 16 blocks of time, of which the first is left out; the spread of "
    "a figure over the blocks gives the standard error of its mean. A change counts where it is "
    "over three times the standard errors of both runs together and over 2 %. What differs between "
    "whole runs, such as another load of the machine, is not in it.";

/* Sums of blocks: `sum` over `count`, or over the block's seconds where `rate`. */
typedef struct block_sums {
    double sum[BLOCKS], count[BLOCKS];
} block_sums;

/* The block of a bin of the run's time with frames; -1: outside. */
static int32_t block_of(const vrs_profile_report *report, int32_t bin)
{
    double middle = ((double)bin + 0.5) * (double)report->bin_ns;
    double begin = (double)report->first_frame_ns;
    double length = (double)report->last_frame_ns - begin;
    if (length <= 0 || middle < begin || middle >= begin + length)
        return -1;
    return (int32_t)((middle - begin) / length * BLOCKS);
}

static vrs_blocks summarise(const double *values, const bool *there)
{
    vrs_blocks result = {0};
    double sum = 0, squares = 0;
    for (int32_t i = 1; i < BLOCKS; i++)
        if (there[i]) {
            sum += values[i];
            result.count++;
        }
    if (result.count == 0)
        return result;
    result.mean = sum / result.count;
    for (int32_t i = 1; i < BLOCKS; i++)
        if (there[i])
            squares += (values[i] - result.mean) * (values[i] - result.mean);
    if (result.count > 1)
        result.error = sqrt(squares / (result.count - 1) / result.count);
    return result;
}

static vrs_blocks of_sums(const block_sums *sums)
{
    double values[BLOCKS] = {0};
    bool there[BLOCKS] = {0};
    for (int32_t i = 0; i < BLOCKS; i++) {
        there[i] = sums->count[i] > 0;
        values[i] = there[i] ? sums->sum[i] / sums->count[i] : 0;
    }
    return summarise(values, there);
}

static vrs_blocks kind_blocks(const vrs_profile_report *report, const vrs_kind_figures *kind)
{
    block_sums sums = {0};
    for (int32_t b = 0; b < VRS_BINS; b++) {
        int32_t block = block_of(report, b);
        if (block < 0)
            continue;
        sums.sum[block] += kind->bin_sum_ns[b] / 1e6;
        sums.count[block] += kind->bin_count[b];
    }
    return of_sums(&sums);
}

/* Frames a second: the bins of a block are its time. */
static vrs_blocks rate_blocks(const vrs_profile_report *report, const vrs_kind_figures *frames)
{
    block_sums sums = {0};
    for (int32_t b = 0; b < VRS_BINS; b++) {
        int32_t block = block_of(report, b);
        if (block < 0)
            continue;
        sums.sum[block] += frames->bin_count[b];
        sums.count[block] += (double)report->bin_ns / 1e9;
    }
    return of_sums(&sums);
}

static vrs_blocks series_blocks(const vrs_profile_report *report, const vrs_series *series)
{
    block_sums sums = {0};
    for (int32_t b = 0; b < VRS_BINS; b++) {
        int32_t block = block_of(report, b);
        if (block < 0)
            continue;
        sums.sum[block] += series->sum[b];
        sums.count[block] += series->count[b];
    }
    return of_sums(&sums);
}

/* Milliseconds of processor time for each frame: the share of the cores, over the rate. */
static vrs_blocks cpu_blocks(const vrs_profile_report *report, const vrs_kind_figures *frames)
{
    block_sums shares = {0}, sums = {0};
    const vrs_series *cpu = vrs_report_series(report, "cpu");
    double cores = (double)strtol(vrs_report_note_of(report, "cores", "1"), NULL, 10);
    for (int32_t b = 0; b < VRS_BINS; b++) {
        int32_t block = block_of(report, b);
        if (block < 0)
            continue;
        shares.sum[block] += cpu != NULL ? cpu->sum[b] : 0;
        shares.count[block] += cpu != NULL ? cpu->count[b] : 0;
        sums.sum[block] += cores * (double)report->bin_ns / 1e6;
        sums.count[block] += frames->bin_count[b];
    }
    for (int32_t i = 0; i < BLOCKS; i++) {
        bool there = shares.count[i] > 0;
        sums.sum[i] *= there ? shares.sum[i] / shares.count[i] : 0;
        sums.count[i] = there ? sums.count[i] : 0;
    }
    return of_sums(&sums);
}

static vrs_change judge(const char *what, const char *unit, bool higher_is_better, double scale,
                        vrs_blocks old, vrs_blocks now)
{
    vrs_change change = {.unit = unit, .noise = -1};
    (void)snprintf(change.what, sizeof(change.what), "%s", what);
    change.old_value = old.mean * scale;
    change.new_value = now.mean * scale;
    if (old.count < LEAST_BLOCKS || now.count < LEAST_BLOCKS)
        return change;
    double errors = sqrt(old.error * old.error + now.error * now.error);
    change.noise = scale * fmax(3 * errors, 0.02 * fabs(old.mean));
    double difference = change.new_value - change.old_value;
    if (fabs(difference) > change.noise)
        change.verdict = (difference > 0) == higher_is_better ? 1 : -1;
    return change;
}

int32_t vrs_report_compare(const vrs_profile_report *report, const vrs_profile_report *old,
                           vrs_change *changes)
{
    static const struct {
        const char *name, *what;
    } values[] = {{"resident", "memory of the process"}, {"device", "memory of the device"}};
    int32_t count = 0;
    const vrs_kind_figures *frames = vrs_report_kind(report, "frame");
    const vrs_kind_figures *before = vrs_report_kind(old, "frame");
    if (frames != NULL && before != NULL) {
        changes[count++] = judge("throughput", "frames/s", true, 1, rate_blocks(old, before),
                                 rate_blocks(report, frames));
        if (vrs_report_series(report, "cpu") != NULL && vrs_report_series(old, "cpu") != NULL)
            changes[count++] = judge("processor time a frame", "ms", false, 1,
                                     cpu_blocks(old, before), cpu_blocks(report, frames));
    }
    for (int32_t i = 0; i < report->kind_count; i++) {
        const vrs_kind_figures *kind = &report->kinds[i];
        char what[64];
        before = vrs_report_kind(old, kind->name);
        /* Waiting at the brake is what the slower stages leave over. */
        if (before == NULL || strcmp(kind->name, "brake") == 0)
            continue;
        (void)snprintf(what, sizeof(what), "%s%s", kind == frames ? "latency of a " : "",
                       kind->name);
        changes[count++] =
            judge(what, "ms", false, 1, kind_blocks(old, before), kind_blocks(report, kind));
    }
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const vrs_series *now = vrs_report_series(report, values[i].name);
        const vrs_series *then = vrs_report_series(old, values[i].name);
        if (now != NULL && then != NULL)
            changes[count++] = judge(values[i].what, "MB", false, 1e-6, series_blocks(old, then),
                                     series_blocks(report, now));
    }
    return count;
}
