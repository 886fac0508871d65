/* Tables of resampling: which samples of a row or column make an output, and with what weights. */
#ifndef VRS_KERNELS_TAPS_H
#define VRS_KERNELS_TAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/status.h"

/* One axis. Output i = sum over t < taps[i] of weight[i * stride + t] * sample[first[i] + t].
 * The weights of an output add up to 1. */
typedef struct vrs_axis {
    int32_t count;  /* outputs */
    int32_t stride; /* most taps of an output */
    int32_t *first;
    int32_t *taps;
    float *weight;
} vrs_axis;

/* What an axis does, in samples of its plane. Coordinates are those of sample edges: sample k
 * covers k..k+1 and its centre is k + 0.5. Output i covers begin + i * num / den .. begin + (i + 1)
 * * num / den. Samples outside low..high are replaced by the nearest inside. */
typedef struct vrs_axis_geometry {
    double begin;
    int32_t num, den;
    int32_t low, high; /* first and last sample that may be read */
    int32_t count;
    bool area; /* mean over the covered interval where it is longer than a sample; else bilinear */
} vrs_axis_geometry;

/* Fills `axis` (returns owned; vrs_axis_free() frees the parts). VRS_NO_MEMORY. */
vrs_status vrs_axis_build(vrs_axis *axis, const vrs_axis_geometry *geometry) VRS_MUST_USE;
void vrs_axis_free(vrs_axis *axis);

/* The taps of one output of an area or bilinear axis, as a run of equal weights with at most one
 * other weight at each end: sums of equal weights are exact in integers, before one product. */
typedef struct vrs_run {
    int32_t first, count; /* samples of weight `weight` */
    float weight;
    int32_t edges; /* 0 to 2 */
    int32_t edge[2];
    float edge_weight[2];
} vrs_run;

vrs_run vrs_axis_run(const vrs_axis *axis, int32_t output);

#endif
