#include "kernels/taps.h"

#include <math.h>

#include "base/alloc.h"

/* Overlaps and fractions below this are rounding of the coordinates, not pixels. */
#define NOTHING 1e-9

/* Adds a tap; samples come in rising order, so that those clamped to one place are neighbours. */
static void add_tap(vrs_axis *axis, const vrs_axis_geometry *geometry, int32_t output,
                    int32_t sample, double weight)
{
    if (weight < NOTHING)
        return;
    int32_t place = sample < geometry->low ? geometry->low : sample;
    place = place > geometry->high ? geometry->high : place;
    float *weights = axis->weight + (size_t)output * (size_t)axis->stride;
    if (axis->taps[output] == 0)
        axis->first[output] = place;
    const int32_t tap = place - axis->first[output];
    weights[tap] += (float)weight;
    axis->taps[output] = tap + 1;
}

static void add_area(vrs_axis *axis, const vrs_axis_geometry *geometry, int32_t output)
{
    const double scale = (double)geometry->num / geometry->den;
    const double begin = geometry->begin + (double)output * geometry->num / geometry->den;
    const double end = geometry->begin + (output + 1.0) * geometry->num / geometry->den;
    for (int32_t sample = (int32_t)floor(begin); sample < end; sample++) {
        const double overlap = fmin(end, sample + 1.0) - fmax(begin, sample);
        add_tap(axis, geometry, output, sample, overlap / scale);
    }
}

static void add_bilinear(vrs_axis *axis, const vrs_axis_geometry *geometry, int32_t output)
{
    const double centre = geometry->begin + (output + 0.5) * geometry->num / geometry->den - 0.5;
    const double left = floor(centre + NOTHING);
    const double weight = fmax(centre - left, 0.0);
    add_tap(axis, geometry, output, (int32_t)left, 1.0 - weight);
    add_tap(axis, geometry, output, (int32_t)left + 1, weight);
}

vrs_status vrs_axis_build(vrs_axis *axis, const vrs_axis_geometry *geometry)
{
    const bool area = geometry->area && geometry->num >= geometry->den;
    const size_t count = (size_t)geometry->count;
    *axis = (vrs_axis){.count = geometry->count,
                       .stride = area ? geometry->num / geometry->den + 3 : 2};
    axis->first = vrs_alloc_array(count, sizeof(*axis->first));
    axis->taps = vrs_alloc_array(count, sizeof(*axis->taps));
    axis->weight = vrs_alloc_array(count * (size_t)axis->stride, sizeof(*axis->weight));
    if (axis->first == NULL || axis->taps == NULL || axis->weight == NULL) {
        vrs_axis_free(axis);
        return VRS_NO_MEMORY;
    }
    for (int32_t output = 0; output < geometry->count; output++)
        if (area)
            add_area(axis, geometry, output);
        else
            add_bilinear(axis, geometry, output);
    return VRS_OK;
}

void vrs_axis_free(vrs_axis *axis)
{
    vrs_free(axis->first);
    vrs_free(axis->taps);
    vrs_free(axis->weight);
    *axis = (vrs_axis){0};
}

vrs_run vrs_axis_run(const vrs_axis *axis, int32_t output)
{
    const float *weights = axis->weight + (size_t)output * (size_t)axis->stride;
    const int32_t first = axis->first[output];
    const int32_t last = axis->taps[output] - 1;
    vrs_run run = {.weight = weights[last > 1 ? 1 : 0]};
    int32_t begin = 0, end = last;
    if (weights[0] != run.weight) {
        run.edge[run.edges] = first;
        run.edge_weight[run.edges++] = weights[0];
        begin = 1;
    }
    if (last > 0 && weights[last] != run.weight) {
        run.edge[run.edges] = first + last;
        run.edge_weight[run.edges++] = weights[last];
        end = last - 1;
    }
    run.first = first + begin;
    run.count = end - begin + 1;
    return run;
}
