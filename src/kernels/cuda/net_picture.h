/* What looks at the neighbours of a pixel: vrs_net_pool, _resize, _conv. As net_ops.h says. */
#ifndef VRS_KERNELS_CUDA_NET_PICTURE_H
#define VRS_KERNELS_CUDA_NET_PICTURE_H

#include "net_value.h"

VRS_NET_FN int64_t vrs_net_at(const vrs_net_picture *picture, int64_t n, int32_t y, int32_t x)
{
    return ((n * picture->height + y) * picture->width + x) * picture->pitch;
}

/* Splits an element's number into view, row, column and channel of `out` with `fill` channels. */
typedef struct vrs_net_place {
    int64_t n;
    int32_t y, x, c;
} vrs_net_place;

VRS_NET_FN vrs_net_place vrs_net_split(const vrs_net_picture *out, int32_t fill, int64_t i)
{
    vrs_net_place place;
    place.c = (int32_t)(i % fill);
    i /= fill;
    place.x = (int32_t)(i % out->width);
    i /= out->width;
    place.y = (int32_t)(i % out->height);
    place.n = i / out->height;
    return place;
}

/* Rows or columns of a window that count: inside the picture, and inside its padding. */
VRS_NET_FN int32_t vrs_net_window(const vrs_net_pool_params *p, int32_t axis, int32_t at)
{
    int32_t size = axis == 0 ? p->in.height : p->in.width, count = 0;
    int32_t begin = at * p->stride[axis] - p->pad_before[axis];
    for (int32_t k = 0; k < p->kernel[axis]; k++)
        count += begin + k * p->dilation[axis] < size + p->pad_after[axis];
    return count;
}

VRS_NET_FN float vrs_net_pool_value(const vrs_net_pool_params *p, vrs_net_place place)
{
    float sum = p->kind == VRS_NET_POOL_MAX ? -INFINITY : 0.0f;
    int32_t count = 0;
    for (int32_t ky = 0; ky < p->kernel[0]; ky++) {
        int32_t y = place.y * p->stride[0] - p->pad_before[0] + ky * p->dilation[0];
        for (int32_t kx = 0; kx < p->kernel[1]; kx++) {
            int32_t x = place.x * p->stride[1] - p->pad_before[1] + kx * p->dilation[1];
            if (y < 0 || y >= p->in.height || x < 0 || x >= p->in.width)
                continue;
            float v =
                vrs_net_load(p->in.data, p->in.type, vrs_net_at(&p->in, place.n, y, x) + place.c);
            count++;
            sum = p->kind != VRS_NET_POOL_MAX ? sum + v : v > sum || v != v ? v : sum;
        }
    }
    if (p->kind == VRS_NET_POOL_MAX)
        return sum;
    if (p->include_pad)
        count = vrs_net_window(p, 0, place.y) * vrs_net_window(p, 1, place.x);
    return count ? sum / (float)count : 0.0f;
}

VRS_NET_FN void vrs_net_pool_element(const vrs_net_pool_params *p, int64_t i)
{
    vrs_net_place place = vrs_net_split(&p->out, p->fill, i);
    float value = place.c < p->channels ? vrs_net_pool_value(p, place) : 0.0f;
    vrs_net_store(p->out.data, p->out.type,
                  vrs_net_at(&p->out, place.n, place.y, place.x) + place.c, value);
}

/* Where output place `at` of an axis reads, in the input; vrs_resize_coordinate. */
VRS_NET_FN float vrs_net_resize_source(const vrs_net_resize_params *p, int32_t axis, int32_t at)
{
    float in = (float)(axis == 0 ? p->in.height : p->in.width);
    float out = (float)(axis == 0 ? p->out.height : p->out.width);
    float scale = p->scale[axis], i = (float)at, adjust, centre;
    switch (p->coordinate) {
    case VRS_NET_RESIZE_HALF_PIXEL:
        return (i + 0.5f) / scale - 0.5f;
    case VRS_NET_RESIZE_HALF_PIXEL_SYMMETRIC:
        adjust = out / (in * scale);
        centre = in / 2.0f;
        return centre * (1.0f - adjust) + (i + 0.5f) / scale - 0.5f;
    case VRS_NET_RESIZE_PYTORCH_HALF_PIXEL:
        return out > 1.0f ? (i + 0.5f) / scale - 0.5f : 0.0f;
    case VRS_NET_RESIZE_ALIGN_CORNERS:
        return out > 1.0f ? i * (in - 1.0f) / (out - 1.0f) : 0.0f;
    case VRS_NET_RESIZE_ASYMMETRIC:
        return i / scale;
    case VRS_NET_RESIZE_TF_HALF_PIXEL:
        return (i + 0.5f) / scale;
    default:
        return out > 1.0f
                   ? p->roi_start[axis] * (in - 1.0f) +
                         i * (p->roi_end[axis] - p->roi_start[axis]) * (in - 1.0f) / (out - 1.0f)
                   : 0.5f * (p->roi_start[axis] + p->roi_end[axis]) * (in - 1.0f);
    }
}

VRS_NET_FN int32_t vrs_net_hold(int32_t x, int32_t size)
{
    return x < 0 ? 0 : x >= size ? size - 1 : x;
}

/* vrs_resize_nearest */
VRS_NET_FN int32_t vrs_net_nearest(int32_t rule, float x)
{
    switch (rule) {
    case VRS_NET_NEAREST_ROUND_PREFER_FLOOR:
        return (int32_t)ceilf(x - 0.5f);
    case VRS_NET_NEAREST_ROUND_PREFER_CEIL:
        return (int32_t)floorf(x + 0.5f);
    case VRS_NET_NEAREST_FLOOR:
        return (int32_t)floorf(x);
    default:
        return (int32_t)ceilf(x);
    }
}

/* The two neighbours of an axis and the weight of the second; nearest: both the same, weight 0. */
typedef struct vrs_net_taps {
    int32_t first, second;
    float weight;
    int32_t outside;
} vrs_net_taps;

VRS_NET_FN vrs_net_taps vrs_net_resize_taps(const vrs_net_resize_params *p, int32_t axis,
                                            int32_t at)
{
    int32_t size = axis == 0 ? p->in.height : p->in.width;
    float x = vrs_net_resize_source(p, axis, at);
    vrs_net_taps taps;
    taps.outside = p->coordinate == VRS_NET_RESIZE_TF_CROP && (x < 0.0f || x > (float)(size - 1));
    if (p->mode == VRS_NET_RESIZE_NEAREST) {
        taps.first = taps.second = vrs_net_hold(vrs_net_nearest(p->nearest, x), size);
        taps.weight = 0.0f;
        return taps;
    }
    x = x < 0.0f ? 0.0f : x > (float)(size - 1) ? (float)(size - 1) : x;
    taps.first = (int32_t)x;
    taps.second = vrs_net_hold(taps.first + 1, size);
    taps.weight = x - (float)taps.first;
    return taps;
}

/* The enlarged input at a place of the result. */
VRS_NET_FN float vrs_net_resize_value(const vrs_net_resize_params *p, vrs_net_place place)
{
    vrs_net_taps y = vrs_net_resize_taps(p, 0, place.y), x = vrs_net_resize_taps(p, 1, place.x);
    float v[2][2];
    if (y.outside || x.outside)
        return p->extrapolation;
    for (int k = 0; k < 2; k++) {
        int32_t row = k ? y.second : y.first;
        v[k][0] = vrs_net_load(p->in.data, p->in.type,
                               vrs_net_at(&p->in, place.n, row, x.first) + place.c);
        v[k][1] = vrs_net_load(p->in.data, p->in.type,
                               vrs_net_at(&p->in, place.n, row, x.second) + place.c);
    }
    float top = v[0][0] + (v[0][1] - v[0][0]) * x.weight;
    float bottom = v[1][0] + (v[1][1] - v[1][0]) * x.weight;
    return top + (bottom - top) * y.weight;
}

/* What the taps make at a place of the result. */
VRS_NET_FN float vrs_net_resize_sum(const vrs_net_resize_params *p, vrs_net_place place)
{
    float sum = 0.0f;
    for (int32_t t = 0; t < p->taps * p->taps; t++) {
        vrs_net_place at = place;
        at.y += t / p->taps - p->taps / 2;
        at.x += t % p->taps - p->taps / 2;
        at.c += t * p->channels;
        if (at.y >= 0 && at.y < p->out.height && at.x >= 0 && at.x < p->out.width)
            sum += vrs_net_resize_value(p, at);
    }
    return sum;
}

VRS_NET_FN void vrs_net_resize_element(const vrs_net_resize_params *p, int64_t i)
{
    vrs_net_place place = vrs_net_split(&p->out, p->fill, i);
    float value = 0.0f;
    if (place.c < p->channels)
        value = p->taps > 0 ? vrs_net_resize_sum(p, place) : vrs_net_resize_value(p, place);
    if (p->out.type == VRS_NET_I8)
        value = vrs_net_quantize(VRS_NET_I8, value * p->steps, 1.0f, 0.0f);
    vrs_net_store(p->out.data, p->out.type,
                  vrs_net_at(&p->out, place.n, place.y, place.x) + place.c, value);
}

/* ---- vrs_net_conv ---- */

/* The place that tap k of an axis reads for result place `at`; -1: none. */
VRS_NET_FN int32_t vrs_net_conv_place(const vrs_net_conv_params *p, int32_t axis, int32_t at,
                                      int32_t k)
{
    int32_t size = axis == 0 ? p->in.height : p->in.width;
    int32_t x = p->transposed ? at + p->pad_before[axis] - k * p->dilation[axis]
                              : at * p->stride[axis] - p->pad_before[axis] + k * p->dilation[axis];
    if (p->transposed) {
        if (x < 0 || x % p->stride[axis] != 0)
            return -1;
        x /= p->stride[axis];
    }
    return x >= 0 && x < size ? x : -1;
}

/* What follows the sum: scale, bias, residual, activation; `at` is the pixel's number. */
VRS_NET_FN float vrs_net_conv_finish(const vrs_net_conv_params *p, float sum, int64_t pixel,
                                     int32_t c)
{
    if (p->scale)
        sum *= VRS_NET_AT(const float, p->scale)[c];
    if (p->bias)
        sum += VRS_NET_AT(const float, p->bias)[c];
    if (p->residual) {
        sum += p->residual_scale *
               vrs_net_load(p->residual, p->residual_type, pixel * p->residual_pitch + c);
    }
    float slope = p->slope ? VRS_NET_AT(const float, p->slope)[c] : 0.0f;
    float y = vrs_net_apply(p->act, slope, sum);
    if (p->out.type == VRS_NET_I8)
        return vrs_net_quantize(VRS_NET_I8, y, p->out_quantum, 0.0f);
    return y / p->out_quantum;
}

VRS_NET_FN void vrs_net_conv_element(const vrs_net_conv_params *p, int64_t i)
{
    vrs_net_place place = vrs_net_split(&p->out, p->out_channels, i);
    int32_t depth = p->in_channels / p->groups;
    int32_t group = place.c / (p->out_channels / p->groups);
    float sum = 0.0f;
    int32_t whole = 0;
    for (int32_t ky = 0; ky < p->kernel[0]; ky++) {
        int32_t y = vrs_net_conv_place(p, 0, place.y, ky);
        for (int32_t kx = 0; kx < p->kernel[1]; kx++) {
            int32_t x = vrs_net_conv_place(p, 1, place.x, kx);
            if (y < 0 || x < 0)
                continue;
            int64_t from = vrs_net_at(&p->in, place.n, y, x) + (int64_t)group * depth;
            int64_t weight = (((int64_t)place.c * p->kernel[0] + ky) * p->kernel[1] + kx) * depth;
            for (int32_t c = 0; c < depth; c++) {
                if (p->in.type == VRS_NET_I8) {
                    whole += VRS_NET_AT(const int8_t, p->in.data)[from + c] *
                             VRS_NET_AT(const int8_t, p->weights)[weight + c];
                } else {
                    sum += vrs_net_load(p->in.data, p->in.type, from + c) *
                           vrs_net_load(p->weights, p->in.type, weight + c);
                }
            }
        }
    }
    int64_t pixel = (place.n * p->out.height + place.y) * p->out.width + place.x;
    float y = vrs_net_conv_finish(p, p->in.type == VRS_NET_I8 ? (float)whole : sum, pixel, place.c);
    vrs_net_store(p->out.data, p->out.type, pixel * p->out.pitch + place.c, y);
}

#endif
