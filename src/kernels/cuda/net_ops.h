/* What the kernels that run a network compute for one element, shared by C and CUDA: the C side is
 * the reference that the kernels are tested against, itself tested against the graph's interpreter.
 *
 * Every function takes the number of an element in the order in which the result lies in memory. */
#ifndef VRS_KERNELS_CUDA_NET_OPS_H
#define VRS_KERNELS_CUDA_NET_OPS_H

#include "net_value.h"

/* ---- vrs_net_map ---- */

VRS_NET_FN float vrs_net_map_value(const vrs_net_map_params *p, const float v[3])
{
    switch (p->op) {
    case VRS_NET_MOVE:
        return v[0];
    case VRS_NET_SCALE_SHIFT:
        return v[0] * v[1] + v[2];
    case VRS_NET_WHERE:
        return v[0] != 0 ? v[1] : v[2];
    case VRS_NET_QUANTIZE:
        return vrs_net_quantize(p->out.type, v[0], v[1], v[2]);
    case VRS_NET_DEQUANTIZE:
        return (v[0] - v[2]) * v[1];
    case VRS_NET_SUM:
        return v[0] + v[1] + v[2];
    default:
        return p->op >= VRS_NET_BINARY ? vrs_net_binary(p->op - VRS_NET_BINARY, v[0], v[1], p->fmod)
                                       : vrs_net_unary(p->op - VRS_NET_UNARY, v[0]);
    }
}

VRS_NET_FN int64_t vrs_net_map_integer(const vrs_net_map_params *p, const int64_t at[4])
{
    const int64_t a = vrs_net_load_integer(p->in[0].data, p->in[0].type, at[0]);
    if (p->op >= VRS_NET_BINARY) {
        const int64_t b = vrs_net_load_integer(p->in[1].data, p->in[1].type, at[1]);
        return vrs_net_binary_integer(p->op - VRS_NET_BINARY, a, b, p->fmod);
    }
    if (p->op == VRS_NET_UNARY + VRS_NET_UNARY_ABS) {
        return a < 0 ? -a : a;
    }
    return p->op == VRS_NET_UNARY + VRS_NET_UNARY_NEG    ? -a
           : p->op == VRS_NET_UNARY + VRS_NET_UNARY_SIGN ? (a > 0) - (a < 0)
                                                         : a;
}

/* Splits an element's number: place along the last axis (which may lie in the fill) and the offset
 * of every view. */
VRS_NET_FN void vrs_net_map_element(const vrs_net_map_params *p, int64_t i)
{
    int64_t at[4] = {0, 0, 0, 0}, slope = 0;
    int32_t last = p->rank - 1;
    int64_t place = i % p->fill;
    int64_t rest = i / p->fill;
    int32_t filling = place >= p->dims[last];
    for (int32_t axis = last; axis >= 0; axis--) {
        if (axis != last) {
            place = rest % p->dims[axis];
            rest /= p->dims[axis];
        }
        for (int k = 0; k < 3; k++) {
            at[k] += place * p->in[k].stride[axis];
        }
        at[3] += place * p->out.stride[axis];
        slope += place * p->slope.stride[axis];
    }
    if (filling) {
        vrs_net_store(p->out.data, p->out.type, at[3], 0.0f);
        return;
    }
    int32_t integers = p->in[0].type == VRS_NET_I32 || p->in[0].type == VRS_NET_I64;
    if (integers && (p->op == VRS_NET_MOVE || p->op >= VRS_NET_UNARY)) {
        vrs_net_store_integer(p->out.data, p->out.type, at[3], vrs_net_map_integer(p, at));
        return;
    }
    if (p->op == VRS_NET_WHERE && (p->out.type == VRS_NET_I64 || p->out.type == VRS_NET_I32)) {
        int k = vrs_net_load(p->in[0].data, p->in[0].type, at[0]) != 0 ? 1 : 2;
        vrs_net_store_integer(p->out.data, p->out.type, at[3],
                              vrs_net_load_integer(p->in[k].data, p->in[k].type, at[k]));
        return;
    }
    float v[3] = {0, 0, 0};
    for (int k = 0; k < 3; k++) {
        if (p->in[k].data) {
            v[k] = vrs_net_load(p->in[k].data, p->in[k].type, at[k]);
        }
    }
    float s = p->slope.data ? vrs_net_load(p->slope.data, p->slope.type, slope) : 0.0f;
    vrs_net_store(p->out.data, p->out.type, at[3],
                  vrs_net_apply(p->act, s, vrs_net_map_value(p, v)));
}

/* Copies one element of any of the types unchanged or converted. */
VRS_NET_FN void vrs_net_copy(const vrs_net_view *out, int64_t to, const vrs_net_view *in,
                             int64_t from)
{
    if (in->type == VRS_NET_I32 || in->type == VRS_NET_I64) {
        vrs_net_store_integer(out->data, out->type, to,
                              vrs_net_load_integer(in->data, in->type, from));
    } else {
        vrs_net_store(out->data, out->type, to, vrs_net_load(in->data, in->type, from));
    }
}

/* ---- vrs_net_reshape, vrs_net_pad, vrs_net_gather ---- */

VRS_NET_FN void vrs_net_reshape_element(const vrs_net_reshape_params *p, int64_t i)
{
    int64_t place[VRS_NET_RANK] = {0, 0, 0, 0, 0, 0};
    for (int32_t k = p->rank - 1; k >= 0; k--) {
        int32_t axis = p->order[k];
        place[axis] = i % p->dims[axis];
        i /= p->dims[axis];
    }
    int64_t number = 0, to = 0, from = 0;
    for (int32_t axis = 0; axis < p->rank; axis++) {
        number = number * p->dims[axis] + place[axis];
        to += place[axis] * p->out.stride[axis];
    }
    for (int32_t axis = p->in_rank - 1; axis >= 0; axis--) {
        from += number % p->in_dims[axis] * p->in.stride[axis];
        number /= p->in_dims[axis];
    }
    vrs_net_copy(&p->out, to, &p->in, from);
}

/* Where place x of a padded axis reads; -1: nowhere. */
VRS_NET_FN int64_t vrs_net_pad_place(int32_t mode, int64_t x, int64_t size)
{
    if (x >= 0 && x < size) {
        return x;
    }
    if (mode == VRS_NET_PAD_CONSTANT) {
        return -1;
    }
    if (mode == VRS_NET_PAD_EDGE || size == 1) {
        return x < 0 ? 0 : size - 1;
    }
    int64_t period = 2 * (size - 1);
    x = (x % period + period) % period;
    return x < size ? x : period - x;
}

VRS_NET_FN void vrs_net_pad_element(const vrs_net_pad_params *p, int64_t i)
{
    int32_t last = p->rank - 1;
    int64_t place = i % p->fill, rest = i / p->fill, to = 0, from = 0;
    int32_t filling = place >= p->dims[last], outside = 0;
    for (int32_t axis = last; axis >= 0; axis--) {
        if (axis != last) {
            place = rest % p->dims[axis];
            rest /= p->dims[axis];
        }
        int64_t x = vrs_net_pad_place(p->mode, place - p->before[axis], p->in_dims[axis]);
        outside |= x < 0;
        from += x * p->in.stride[axis];
        to += place * p->out.stride[axis];
    }
    if (filling || outside) {
        vrs_net_store(p->out.data, p->out.type, to, filling ? 0.0f : p->value);
    } else {
        vrs_net_copy(&p->out, to, &p->in, from);
    }
}

VRS_NET_FN void vrs_net_gather_element(const vrs_net_gather_params *p, int64_t i)
{
    int64_t to = 0, from = 0;
    int32_t outside = 0;
    for (int32_t axis = p->rank - 1; axis >= 0; axis--) {
        int64_t place = i % p->dims[axis];
        i /= p->dims[axis];
        to += place * p->out.stride[axis];
        if (axis == p->axis) {
            place = vrs_net_load_integer(p->indices, p->index_type, place);
            place += place < 0 ? p->in_dim : 0;
            outside = place < 0 || place >= p->in_dim;
        }
        from += place * p->in.stride[axis];
    }
    if (outside) {
        vrs_net_store(p->out.data, p->out.type, to, 0.0f);
    } else {
        vrs_net_copy(&p->out, to, &p->in, from);
    }
}

/* ---- pictures ---- */

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
    for (int32_t k = 0; k < p->kernel[axis]; k++) {
        count += begin + k * p->dilation[axis] < size + p->pad_after[axis];
    }
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
            if (y < 0 || y >= p->in.height || x < 0 || x >= p->in.width) {
                continue;
            }
            float v =
                vrs_net_load(p->in.data, p->in.type, vrs_net_at(&p->in, place.n, y, x) + place.c);
            count++;
            sum = p->kind != VRS_NET_POOL_MAX ? sum + v : v > sum || v != v ? v : sum;
        }
    }
    if (p->kind == VRS_NET_POOL_MAX) {
        return sum;
    }
    if (p->include_pad) {
        count = vrs_net_window(p, 0, place.y) * vrs_net_window(p, 1, place.x);
    }
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

VRS_NET_FN void vrs_net_resize_element(const vrs_net_resize_params *p, int64_t i)
{
    vrs_net_place place = vrs_net_split(&p->out, p->fill, i);
    vrs_net_taps y = vrs_net_resize_taps(p, 0, place.y), x = vrs_net_resize_taps(p, 1, place.x);
    float value = 0.0f;
    if (place.c < p->channels && (y.outside || x.outside)) {
        value = p->extrapolation;
    } else if (place.c < p->channels) {
        float v[2][2];
        for (int k = 0; k < 2; k++) {
            int32_t row = k ? y.second : y.first;
            v[k][0] = vrs_net_load(p->in.data, p->in.type,
                                   vrs_net_at(&p->in, place.n, row, x.first) + place.c);
            v[k][1] = vrs_net_load(p->in.data, p->in.type,
                                   vrs_net_at(&p->in, place.n, row, x.second) + place.c);
        }
        float top = v[0][0] + (v[0][1] - v[0][0]) * x.weight;
        float bottom = v[1][0] + (v[1][1] - v[1][0]) * x.weight;
        value = top + (bottom - top) * y.weight;
    }
    if (p->out.type == VRS_NET_I8) {
        value = vrs_net_quantize(VRS_NET_I8, value * p->steps, 1.0f, 0.0f);
    }
    vrs_net_store(p->out.data, p->out.type,
                  vrs_net_at(&p->out, place.n, place.y, place.x) + place.c, value);
}

/* ---- vrs_net_reduce, vrs_net_along ---- */

VRS_NET_FN float vrs_net_reduce_begin(int32_t kind)
{
    return kind == VRS_NET_REDUCE_MAX    ? -INFINITY
           : kind == VRS_NET_REDUCE_MIN  ? INFINITY
           : kind == VRS_NET_REDUCE_PROD ? 1.0f
                                         : 0.0f;
}

VRS_NET_FN float vrs_net_reduce_add(int32_t kind, float sum, float v)
{
    switch (kind) {
    case VRS_NET_REDUCE_MAX:
        return v > sum || v != v ? v : sum;
    case VRS_NET_REDUCE_MIN:
        return v < sum || v != v ? v : sum;
    case VRS_NET_REDUCE_PROD:
        return sum * v;
    default:
        return sum + v;
    }
}

VRS_NET_FN float vrs_net_reduce_end(const vrs_net_reduce_params *p, float sum, int64_t count)
{
    float value = p->kind == VRS_NET_REDUCE_MEAN ? sum / (float)count
                  : p->kind == VRS_NET_REDUCE_L2 ? sqrtf(sum)
                                                 : sum;
    return value * p->factor;
}

/* The kept place of a result: offsets into both views, and whether it lies in the fill. */
VRS_NET_FN int32_t vrs_net_reduce_place(const vrs_net_reduce_params *p, int64_t i, int64_t *to,
                                        int64_t *from)
{
    int32_t last = p->rank - 1;
    int64_t place = i % p->fill, rest = i / p->fill;
    int32_t filling = place >= p->dims[last];
    *to = *from = 0;
    for (int32_t axis = last; axis >= 0; axis--) {
        if (axis != last) {
            place = rest % p->dims[axis];
            rest /= p->dims[axis];
        }
        *to += place * p->out.stride[axis];
        *from += place * p->in.stride[axis];
    }
    return filling;
}

VRS_NET_FN int64_t vrs_net_reduce_count(const vrs_net_reduce_params *p)
{
    int64_t count = 1;
    for (int32_t axis = 0; axis < p->over_rank; axis++) {
        count *= p->over_dims[axis];
    }
    return count;
}

/* Adds up elements begin, begin + step, ... of those that are reduced to one result. */
VRS_NET_FN float vrs_net_reduce_part(const vrs_net_reduce_params *p, int64_t from, int64_t begin,
                                     int64_t step, int64_t count)
{
    float sum = vrs_net_reduce_begin(p->kind);
    for (int64_t k = begin; k < count; k += step) {
        int64_t at = from, rest = k;
        for (int32_t axis = p->over_rank - 1; axis > 0; axis--) {
            at += rest % p->over_dims[axis] * p->over_stride[axis];
            rest /= p->over_dims[axis];
        }
        at += rest * p->over_stride[0]; /* the only axis of most: no division */
        float v = vrs_net_load(p->in.data, p->in.type, at);
        sum = vrs_net_reduce_add(p->kind, sum, p->kind == VRS_NET_REDUCE_L2 ? v * v : v);
    }
    return sum;
}

VRS_NET_FN void vrs_net_reduce_element(const vrs_net_reduce_params *p, int64_t i)
{
    int64_t to, from, count = vrs_net_reduce_count(p);
    float value = 0.0f;
    if (!vrs_net_reduce_place(p, i, &to, &from)) {
        value = vrs_net_reduce_end(p, vrs_net_reduce_part(p, from, 0, 1, count), count);
    }
    vrs_net_store(p->out.data, p->out.type, to, value);
}

VRS_NET_FN int64_t vrs_net_arg(const vrs_net_along_params *p, int64_t from)
{
    int64_t best = 0;
    float value = vrs_net_load(p->in.data, p->in.type, from);
    int32_t least = p->op == VRS_NET_ARGMIN || p->op == VRS_NET_ARGMIN_LAST;
    int32_t late = p->op == VRS_NET_ARGMAX_LAST || p->op == VRS_NET_ARGMIN_LAST;
    for (int64_t k = 1; k < p->count; k++) {
        float v = vrs_net_load(p->in.data, p->in.type, from + k * p->in_stride);
        if ((least ? v < value : v > value) || (late && v == value)) {
            value = v;
            best = k;
        }
    }
    return best;
}

VRS_NET_FN void vrs_net_along_element(const vrs_net_along_params *p, int64_t i)
{
    int64_t to = 0, from = 0;
    for (int32_t axis = p->rank - 1; axis >= 0; axis--) {
        int64_t place = i % p->dims[axis];
        i /= p->dims[axis];
        to += place * p->out.stride[axis];
        from += place * p->in.stride[axis];
    }
    if (p->op >= VRS_NET_ARGMAX) {
        vrs_net_store_integer(p->out.data, p->out.type, to, vrs_net_arg(p, from));
        return;
    }
    float most = -INFINITY, sum = 0.0f;
    for (int64_t k = 0; k < p->count; k++) {
        most = fmaxf(most, vrs_net_load(p->in.data, p->in.type, from + k * p->in_stride));
    }
    for (int64_t k = 0; k < p->count; k++) {
        sum += expf(vrs_net_load(p->in.data, p->in.type, from + k * p->in_stride) - most);
    }
    float log_sum = sum > 0 ? logf(sum) : sum;
    for (int64_t k = 0; k < p->count; k++) {
        float v = vrs_net_load(p->in.data, p->in.type, from + k * p->in_stride) - most;
        vrs_net_store(p->out.data, p->out.type, to + k * p->out_stride,
                      p->op == VRS_NET_LOG_SOFTMAX ? v - log_sum : expf(v) / sum);
    }
    for (int64_t k = p->count; k < p->fill; k++) {
        vrs_net_store(p->out.data, p->out.type, to + k * p->out_stride, 0.0f);
    }
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
        if (x < 0 || x % p->stride[axis] != 0) {
            return -1;
        }
        x /= p->stride[axis];
    }
    return x >= 0 && x < size ? x : -1;
}

/* What follows the sum: scale, bias, residual, activation; `at` is the pixel's number. */
VRS_NET_FN float vrs_net_conv_finish(const vrs_net_conv_params *p, float sum, int64_t pixel,
                                     int32_t c)
{
    if (p->scale) {
        sum *= VRS_NET_AT(const float, p->scale)[c];
    }
    if (p->bias) {
        sum += VRS_NET_AT(const float, p->bias)[c];
    }
    if (p->residual) {
        sum += p->residual_scale *
               vrs_net_load(p->residual, p->residual_type, pixel * p->residual_pitch + c);
    }
    float slope = p->slope ? VRS_NET_AT(const float, p->slope)[c] : 0.0f;
    float y = vrs_net_apply(p->act, slope, sum);
    if (p->out.type == VRS_NET_I8) {
        return vrs_net_quantize(VRS_NET_I8, y, p->out_quantum, 0.0f);
    }
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
            if (y < 0 || x < 0) {
                continue;
            }
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

/* ---- vrs_net_matmul, vrs_net_norm ---- */

VRS_NET_FN void vrs_net_matmul_element(const vrs_net_matmul_params *p, int64_t product, int64_t row,
                                       int64_t column)
{
    int64_t a = row * p->a_row, b = column * p->b_column;
    int64_t to = row * p->out_row + column * p->out_column;
    for (int axis = 3; axis >= 0; axis--) {
        int64_t place = product % p->dims[axis];
        product /= p->dims[axis];
        a += place * p->a_batch[axis];
        b += place * p->b_batch[axis];
        to += place * p->out_batch[axis];
    }
    float sum = 0.0f;
    for (int32_t k = 0; k < p->depth; k++) {
        sum += vrs_net_load(p->a, p->a_type, a + k * p->a_column) *
               vrs_net_load(p->b, p->b_type, b + k * p->b_row);
    }
    sum *= p->alpha;
    if (p->bias) {
        sum += p->beta *
               vrs_net_load(p->bias, p->bias_type, row * p->bias_row + column * p->bias_column);
    }
    int64_t channel = row * p->slope_row + column * p->slope_column;
    float slope = p->slope ? VRS_NET_AT(const float, p->slope)[channel] : 0.0f;
    vrs_net_store(p->out, p->out_type, to, vrs_net_apply(p->act, slope, sum));
}

/* Normalises one pixel of a channel whose mean and 1 / deviation are known. */
VRS_NET_FN void vrs_net_norm_pixel(const vrs_net_norm_params *p, int64_t pixel, int32_t c,
                                   float mean, float factor)
{
    float y = 0.0f;
    if (c < p->channels) {
        float x = vrs_net_load(p->in.data, p->in.type, pixel * p->in.pitch + c);
        y = (x - mean) * factor * VRS_NET_AT(const float, p->scale)[c] +
            VRS_NET_AT(const float, p->shift)[c];
        y = vrs_net_apply(p->act, 0.0f, y);
    }
    vrs_net_store(p->out.data, p->out.type, pixel * p->out.pitch + c, y);
}

#endif
