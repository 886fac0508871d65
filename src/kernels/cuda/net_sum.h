/* What adds up along axes: vrs_net_reduce, _along, _matmul, _norm. As net_ops.h says. */
#ifndef VRS_KERNELS_CUDA_NET_SUM_H
#define VRS_KERNELS_CUDA_NET_SUM_H

#include "net_value.h"

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
    for (int32_t axis = 0; axis < p->over_rank; axis++)
        count *= p->over_dims[axis];
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
    if (!vrs_net_reduce_place(p, i, &to, &from))
        value = vrs_net_reduce_end(p, vrs_net_reduce_part(p, from, 0, 1, count), count);
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
    for (int64_t k = 0; k < p->count; k++)
        most = fmaxf(most, vrs_net_load(p->in.data, p->in.type, from + k * p->in_stride));
    for (int64_t k = 0; k < p->count; k++)
        sum += expf(vrs_net_load(p->in.data, p->in.type, from + k * p->in_stride) - most);
    float log_sum = sum > 0 ? logf(sum) : sum;
    for (int64_t k = 0; k < p->count; k++) {
        float v = vrs_net_load(p->in.data, p->in.type, from + k * p->in_stride) - most;
        vrs_net_store(p->out.data, p->out.type, to + k * p->out_stride,
                      p->op == VRS_NET_LOG_SOFTMAX ? v - log_sum : expf(v) / sum);
    }
    for (int64_t k = p->count; k < p->fill; k++)
        vrs_net_store(p->out.data, p->out.type, to + k * p->out_stride, 0.0f);
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
