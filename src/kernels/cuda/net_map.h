/* What moves elements or works on each by itself: vrs_net_map, _reshape, _pad, _gather. As
 * net_ops.h says. */
#ifndef VRS_KERNELS_CUDA_NET_MAP_H
#define VRS_KERNELS_CUDA_NET_MAP_H

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
    if (p->op == VRS_NET_UNARY + VRS_NET_UNARY_ABS)
        return a < 0 ? -a : a;
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
        for (int k = 0; k < 3; k++)
            at[k] += place * p->in[k].stride[axis];
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
    for (int k = 0; k < 3; k++)
        if (p->in[k].data)
            v[k] = vrs_net_load(p->in[k].data, p->in[k].type, at[k]);
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
    if (x >= 0 && x < size)
        return x;
    if (mode == VRS_NET_PAD_CONSTANT)
        return -1;
    if (mode == VRS_NET_PAD_EDGE || size == 1)
        return x < 0 ? 0 : size - 1;
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
    if (filling || outside)
        vrs_net_store(p->out.data, p->out.type, to, filling ? 0.0f : p->value);
    else
        vrs_net_copy(&p->out, to, &p->in, from);
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
    if (outside)
        vrs_net_store(p->out.data, p->out.type, to, 0.0f);
    else
        vrs_net_copy(&p->out, to, &p->in, from);
}

#endif
