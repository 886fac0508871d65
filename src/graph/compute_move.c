/* The interpreter: what moves elements. */
#include <inttypes.h>
#include <string.h>

#include "graph/compute.h"

/* Copies the elements that an odometer over the output points at. */
static vrs_status copy_by(const compute *c, odometer *o)
{
    const vrs_value *y = compute_out(c, 0);
    size_t bytes = vrs_dtype_bytes(y->dtype);
    int64_t count = (int64_t)vrs_value_elements(y);
    for (int64_t i = 0; i < count; i++, odometer_next(o))
        copy_element(c->out[0], i, c->in[0], o->offset[0], bytes);
    return VRS_OK;
}

/* Copies between a part and a whole along one axis, whose place in the whole is `first`. */
static void copy_part(const vrs_value *part, const vrs_value *whole, int32_t axis, int64_t first,
                      const void *from, void *to, bool into_whole)
{
    size_t element = vrs_dtype_bytes(whole->dtype);
    int64_t outer = dims_product(whole, 0, axis),
            inner = dims_product(whole, axis + 1, whole->rank);
    size_t part_bytes = (size_t)(part->dims[axis] * inner) * element;
    size_t whole_bytes = (size_t)(whole->dims[axis] * inner) * element;
    size_t offset = (size_t)(first * inner) * element;
    for (int64_t i = 0; i < outer; i++) {
        size_t in_part = (size_t)i * part_bytes, in_whole = (size_t)i * whole_bytes + offset;
        memcpy((char *)to + (into_whole ? in_whole : in_part),
               (const char *)from + (into_whole ? in_part : in_whole), part_bytes);
    }
}

vrs_status compute_concat(const compute *c)
{
    int32_t axis = c->node->as.axis.axis;
    int64_t first = 0;
    for (int32_t i = 0; i < c->node->input_count; i++) {
        copy_part(compute_in(c, i), compute_out(c, 0), axis, first, c->in[i], c->out[0], true);
        first += compute_in(c, i)->dims[axis];
    }
    return VRS_OK;
}

vrs_status compute_split(const compute *c)
{
    int32_t axis = c->node->as.axis.axis;
    int64_t first = 0;
    for (int32_t i = 0; i < c->node->output_count; i++) {
        copy_part(compute_out(c, i), compute_in(c, 0), axis, first, c->in[0], c->out[i], false);
        first += compute_out(c, i)->dims[axis];
    }
    return VRS_OK;
}

vrs_status compute_slice(const compute *c)
{
    odometer o = odometer_over(compute_out(c, 0));
    const vrs_slice_attributes *slice = &c->node->as.slice;
    int64_t steps[VRS_GRAPH_MAX_RANK];
    dense_steps(compute_in(c, 0), steps);
    for (int32_t i = 0; i < o.rank; i++) {
        o.steps[0][i] = steps[i] * slice->step[i];
        o.offset[0] += steps[i] * slice->start[i];
    }
    return copy_by(c, &o);
}

vrs_status compute_transpose(const compute *c)
{
    odometer o = odometer_over(compute_out(c, 0));
    int64_t steps[VRS_GRAPH_MAX_RANK];
    dense_steps(compute_in(c, 0), steps);
    for (int32_t i = 0; i < o.rank; i++)
        o.steps[0][i] = steps[c->node->as.transpose.perm[i]];
    return copy_by(c, &o);
}

vrs_status compute_expand(const compute *c)
{
    odometer o = odometer_over(compute_out(c, 0));
    odometer_broadcast(&o, 0, compute_in(c, 0));
    return copy_by(c, &o);
}

vrs_status compute_reshape(const compute *c)
{
    memcpy(c->out[0], c->in[0], vrs_value_bytes(compute_out(c, 0)));
    return VRS_OK;
}

/* Place along an axis of the input, or -1 for the number that is padded with. */
static int64_t pad_source(vrs_pad_mode mode, int64_t place, int64_t first, int64_t end)
{
    if (place >= first && place < end)
        return place;
    if (mode == VRS_PAD_CONSTANT)
        return -1;
    bool before = place < first;
    if (mode == VRS_PAD_EDGE)
        return before ? first : end - 1;
    return before ? 2 * first - place : 2 * (end - 1) - place;
}

static void store_pad(vrs_dtype dtype, void *data, int64_t index, double number)
{
    if (dtype == VRS_DTYPE_F32)
        ((float *)data)[index] = (float)number;
    else
        store_integer(dtype, data, index, (int64_t)number);
}

vrs_status compute_pad(const compute *c)
{
    const vrs_value *x = compute_in(c, 0), *y = compute_out(c, 0);
    const vrs_pad_attributes *pad = &c->node->as.pad;
    odometer o = odometer_over(y);
    int64_t steps[VRS_GRAPH_MAX_RANK], count = (int64_t)vrs_value_elements(y);
    dense_steps(x, steps);
    for (int64_t i = 0; i < count; i++, odometer_next(&o)) {
        int64_t from = 0;
        for (int32_t k = 0; k < o.rank && from >= 0; k++) {
            /* What negative pads cut off is not there for the other modes either. */
            int64_t first = pad->before[k] < 0 ? -pad->before[k] : 0;
            int64_t end = x->dims[k] + (pad->after[k] < 0 ? pad->after[k] : 0);
            int64_t place = pad_source(pad->mode, o.index[k] - pad->before[k], first, end);
            from = place < 0 ? -1 : from + place * steps[k];
        }
        if (from >= 0)
            copy_element(c->out[0], i, c->in[0], from, vrs_dtype_bytes(y->dtype));
        else
            store_pad(y->dtype, c->out[0], i, pad->value);
    }
    return VRS_OK;
}

vrs_status compute_gather(const compute *c)
{
    const vrs_value *x = compute_in(c, 0), *indices = compute_in(c, 1);
    int32_t axis = c->node->as.axis.axis;
    int64_t outer = dims_product(x, 0, axis), length = x->dims[axis];
    size_t inner = (size_t)dims_product(x, axis + 1, x->rank) * vrs_dtype_bytes(x->dtype);
    int64_t count = (int64_t)vrs_value_elements(indices);
    char *to = c->out[0];
    for (int64_t i = 0; i < outer; i++) {
        for (int64_t k = 0; k < count; k++, to += inner) {
            int64_t index = load_integer(indices->dtype, c->in[1], k);
            index += index < 0 ? length : 0;
            if (index < 0 || index >= length) {
                return vrs_fail(VRS_INVALID, "index %" PRId64 " is not in an axis of %" PRId64,
                                index, length);
            }
            memcpy(to, (const char *)c->in[0] + (size_t)(i * length + index) * inner, inner);
        }
    }
    return VRS_OK;
}

/* Both move between [N, C, H * b, W * b] (the large picture) and [N, b * b * C, H, W] (the deep
 * one), whose channels are in the order block row, block column, C, or C first. */
static vrs_status move_blocks(const compute *c, const vrs_value *large, const vrs_value *deep,
                              bool to_deep)
{
    int64_t b = c->node->as.block.size, channels = large->dims[1];
    bool first = !to_deep && c->node->as.block.crd;
    size_t bytes = vrs_dtype_bytes(large->dtype);
    odometer o = odometer_over(large);
    int64_t count = (int64_t)vrs_value_elements(large);
    for (int64_t i = 0; i < count; i++, odometer_next(&o)) {
        int64_t channel = o.index[1], place = o.index[2] % b * b + o.index[3] % b;
        int64_t plane = first ? channel * b * b + place : place * channels + channel;
        int64_t k = ((o.index[0] * deep->dims[1] + plane) * deep->dims[2] + o.index[2] / b) *
                        deep->dims[3] +
                    o.index[3] / b;
        copy_element(c->out[0], to_deep ? k : i, c->in[0], to_deep ? i : k, bytes);
    }
    return VRS_OK;
}

vrs_status compute_depth_to_space(const compute *c)
{
    return move_blocks(c, compute_out(c, 0), compute_in(c, 0), false);
}

vrs_status compute_space_to_depth(const compute *c)
{
    return move_blocks(c, compute_in(c, 0), compute_out(c, 0), true);
}

vrs_status compute_shape(const compute *c)
{
    const vrs_value *x = compute_in(c, 0);
    int64_t count = compute_out(c, 0)->dims[0];
    for (int64_t i = 0; i < count; i++)
        ((int64_t *)c->out[0])[i] = x->dims[c->node->rule->axis + i];
    return VRS_OK;
}
