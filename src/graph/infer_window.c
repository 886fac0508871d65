/* Inference of shapes: convolutions, pools and resizing. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "graph/infer.h"

/* Places at which a window starts along one axis, with its pads. */
typedef struct axis_window {
    int64_t in, kernel, stride, dilation;
    int32_t *before, *after;
} axis_window;

/* What the window covers; at most VRS_GRAPH_MAX_SIDE squared. */
static int64_t extent(const axis_window *w)
{
    return (w->kernel - 1) * w->dilation + 1;
}

static vrs_status set_pads(const vrs_graph *graph, const vrs_node *node, const axis_window *w,
                           int64_t total)
{
    total = total > 0 ? total : 0;
    if (total > VRS_GRAPH_MAX_SIDE) {
        return vrs_fail_node(graph, node, VRS_UNSUPPORTED,
                             "it pads by %" PRId64 ", and at most %d "
                             "are supported",
                             total, VRS_GRAPH_MAX_SIDE);
    }
    bool upper = node->rule->auto_pad == VRS_AUTO_PAD_UPPER;
    *w->before = (int32_t)(upper ? total / 2 : total - total / 2);
    *w->after = (int32_t)(upper ? total - total / 2 : total / 2);
    return VRS_OK;
}

/* Size of the output along one axis. */
static vrs_status slide(const vrs_graph *graph, const vrs_node *node, const axis_window *w,
                        bool ceil_mode, int64_t *out)
{
    if (node->rule->auto_pad != VRS_AUTO_PAD_NONE) {
        *out = (w->in + w->stride - 1) / w->stride;
        return set_pads(graph, node, w, (*out - 1) * w->stride + extent(w) - w->in);
    }
    int64_t room = w->in + *w->before + *w->after - extent(w);
    if (room < 0) {
        return vrs_fail_node(graph, node, VRS_FORMAT,
                             "shapes disagree: its kernel covers %" PRId64 ", and its input with "
                             "its pads has %" PRId64,
                             extent(w), room + extent(w));
    }
    *out = (room + (ceil_mode ? w->stride - 1 : 0)) / w->stride + 1;
    /* The last window has to start inside the picture or the pad before it. */
    if (ceil_mode && (*out - 1) * w->stride >= w->in + *w->before)
        --*out;
    return VRS_OK;
}

/* The parts that both kinds of convolutions have alike. */
static vrs_status check_conv(const vrs_graph *graph, const vrs_node *node, int64_t channels_in,
                             int64_t channels_out)
{
    const vrs_value *x = infer_in(graph, node, 0);
    if (x->rank != 4 || x->dtype != VRS_DTYPE_F32 || x->dims[1] != channels_in) {
        return vrs_fail_node(graph, node, VRS_FORMAT,
                             "shapes disagree: \"%.100s\" has not four axes with the %" PRId64
                             " channels of the weights",
                             x->name, channels_in);
    }
    if (node->inputs[2] != VRS_NO_VALUE &&
        vrs_value_elements(infer_in(graph, node, 2)) != (size_t)channels_out) {
        return vrs_fail_node(graph, node, VRS_FORMAT, "its bias has not %" PRId64 " elements",
                             channels_out);
    }
    return VRS_OK;
}

/* The dims are set; a residual must have the same. */
static vrs_status check_residual(const vrs_graph *graph, const vrs_node *node)
{
    const vrs_value *y = &graph->values[node->outputs[0]];
    if (node->inputs[3] == VRS_NO_VALUE)
        return VRS_OK;
    const vrs_value *residual = infer_in(graph, node, 3);
    bool same = residual->rank == 4 && memcmp(residual->dims, y->dims, sizeof(y->dims)) == 0;
    return same ? VRS_OK
                : vrs_fail_node(graph, node, VRS_FORMAT,
                                "shapes disagree: \"%.100s\" cannot be added to the result",
                                residual->name);
}

static axis_window conv_window(const vrs_value *x, vrs_conv_attributes *conv, int32_t i)
{
    return (axis_window){.in = x->dims[2 + i],
                         .kernel = conv->kernel[i],
                         .stride = conv->stride[i],
                         .dilation = conv->dilation[i],
                         .before = &conv->pad_before[i],
                         .after = &conv->pad_after[i]};
}

vrs_status infer_conv(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0), *weights = infer_in(graph, node, 1);
    vrs_status status =
        check_conv(graph, node, weights->dims[1] * node->as.conv.groups, weights->dims[0]);
    int64_t dims[4] = {x->dims[0], weights->dims[0]};
    for (int32_t i = 0; i < 2 && status == VRS_OK; i++) {
        axis_window w = conv_window(x, &node->as.conv, i);
        status = slide(graph, node, &w, false, &dims[2 + i]);
    }
    if (status == VRS_OK)
        status = infer_set(graph, node, 0, VRS_DTYPE_F32, 4, dims);
    return status == VRS_OK ? check_residual(graph, node) : status;
}

vrs_status infer_conv_transposed(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0), *weights = infer_in(graph, node, 1);
    int64_t channels = weights->dims[1] * node->as.conv.groups;
    vrs_status status = check_conv(graph, node, weights->dims[0], channels);
    int64_t dims[4] = {x->dims[0], channels};
    for (int32_t i = 0; i < 2 && status == VRS_OK; i++) {
        axis_window w = conv_window(x, &node->as.conv, i);
        int64_t full = (w.in - 1) * w.stride + node->as.conv.output_pad[i] + extent(&w);
        if (node->rule->auto_pad != VRS_AUTO_PAD_NONE)
            status = set_pads(graph, node, &w, full - w.in * w.stride);
        dims[2 + i] = full - *w.before - *w.after;
    }
    if (status == VRS_OK)
        status = infer_set(graph, node, 0, VRS_DTYPE_F32, 4, dims);
    return status == VRS_OK ? check_residual(graph, node) : status;
}

vrs_status infer_pool(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    vrs_pool_attributes *pool = &node->as.pool;
    if (x->rank != 4)
        return vrs_fail_node(graph, node, VRS_FORMAT, "\"%.100s\" has not four axes", x->name);
    int64_t dims[4] = {x->dims[0], x->dims[1]};
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < 2 && status == VRS_OK; i++) {
        axis_window w = {.in = x->dims[2 + i],
                         .kernel = pool->kernel[i],
                         .stride = pool->stride[i],
                         .dilation = pool->dilation[i],
                         .before = &pool->pad_before[i],
                         .after = &pool->pad_after[i]};
        status = slide(graph, node, &w, pool->ceil_mode, &dims[2 + i]);
        /* Each window then has at least one pixel. */
        if (status == VRS_OK && (*w.before >= extent(&w) || *w.after >= extent(&w))) {
            status = vrs_fail_node(graph, node, VRS_UNSUPPORTED,
                                   "its pads are as large as its "
                                   "window");
        }
    }
    return status == VRS_OK ? infer_set(graph, node, 0, VRS_DTYPE_F32, 4, dims) : status;
}

/* Scales for all four axes, from the scales of the file. */
static vrs_status read_scales(const vrs_graph *graph, const vrs_node *node, const int32_t *axes,
                              int32_t count, float *scales)
{
    const vrs_value *given = &graph->values[node->rule->params[0]];
    if (!given->data || given->dtype != VRS_DTYPE_F32 ||
        vrs_value_elements(given) != (size_t)count) {
        return vrs_fail_node(graph, node, given->data ? VRS_FORMAT : VRS_UNSUPPORTED,
                             "its scales \"%.100s\" are no constant list of %d floats", given->name,
                             count);
    }
    for (int32_t i = 0; i < count; i++) {
        float scale = ((const float *)given->data)[i];
        if (!(scale > 0 && scale <= (float)VRS_GRAPH_MAX_SIDE))
            return vrs_fail_node(graph, node, VRS_FORMAT, "it resizes by %g", (double)scale);
        scales[axes[i]] = scale;
    }
    return VRS_OK;
}

/* Sizes of the axes that are resized, from the sizes of the file. */
static vrs_status read_sizes(const vrs_graph *graph, const vrs_node *node, const int32_t *axes,
                             int32_t count, const vrs_value *x, int64_t *dims, float *scales)
{
    int64_t sizes[4];
    int32_t found;
    vrs_status status = infer_list(graph, node, 0, 4, sizes, &found);
    if (status == VRS_OK && found != count) {
        status =
            vrs_fail_node(graph, node, VRS_FORMAT, "it has %d sizes for %d axes", found, count);
    }
    float same = 0;
    for (int32_t i = 0; i < count && status == VRS_OK; i++) {
        /* A file that says batch 1 and is run with more says 1 here, too. */
        if (graph->own->rebatched && axes[i] == 0 && sizes[i] == 1)
            sizes[i] = x->dims[0];
        if (sizes[i] < 1 || sizes[i] > INT32_MAX) {
            return vrs_fail_node(graph, node, VRS_FORMAT, "it resizes to a side of %" PRId64,
                                 sizes[i]);
        }
        float scale = (float)sizes[i] / (float)x->dims[axes[i]];
        if (i == 0 || (node->rule->not_larger ? scale < same : scale > same))
            same = scale;
        dims[axes[i]] = sizes[i];
        scales[axes[i]] = scale;
    }
    bool keep = node->rule->not_larger || node->rule->not_smaller;
    for (int32_t i = 0; i < count && status == VRS_OK && keep; i++) {
        scales[axes[i]] = same;
        dims[axes[i]] = (int64_t)llroundf(same * (float)x->dims[axes[i]]);
    }
    return status;
}

/* The region that tf_crop_and_resize reads: starts of all axes, then ends. */
static vrs_status read_region(const vrs_graph *graph, vrs_node *node, const int32_t *axes,
                              int32_t count)
{
    vrs_resize_attributes *resize = &node->as.resize;
    if (resize->coordinate != VRS_RESIZE_TF_CROP)
        return VRS_OK;
    int32_t index = node->rule->params[2];
    const vrs_value *region = index != VRS_NO_VALUE ? &graph->values[index] : NULL;
    if (!region || !region->data || region->dtype != VRS_DTYPE_F32 ||
        vrs_value_elements(region) != 2 * (size_t)count) {
        return vrs_fail_node(graph, node, VRS_UNSUPPORTED,
                             "its region is no constant list of %d floats", 2 * count);
    }
    const float *numbers = region->data;
    for (int32_t i = 0; i < 2; i++) {
        resize->roi_start[i] = 0;
        resize->roi_end[i] = 1;
    }
    for (int32_t i = 0; i < count; i++) {
        if (axes[i] >= 2) {
            resize->roi_start[axes[i] - 2] = numbers[i];
            resize->roi_end[axes[i] - 2] = numbers[count + i];
        }
    }
    return VRS_OK;
}

vrs_status infer_resize(vrs_graph *graph, vrs_node *node)
{
    const vrs_value *x = infer_in(graph, node, 0);
    if (x->rank != 4 || x->dtype != VRS_DTYPE_F32) {
        return vrs_fail_node(graph, node, VRS_FORMAT, "\"%.100s\" has not four axes of floats",
                             x->name);
    }
    int32_t axes[VRS_GRAPH_MAX_RANK], count;
    float scales[4] = {1, 1, 1, 1};
    int64_t dims[4];
    memcpy(dims, x->dims, sizeof(dims));
    vrs_status status = infer_axes(graph, node, 1, 4, axes, &count);
    if (status == VRS_OK && node->rule->kind == VRS_RULE_SIZES) {
        status = read_sizes(graph, node, axes, count, x, dims, scales);
    } else if (status == VRS_OK) {
        status = read_scales(graph, node, axes, count, scales);
        for (int32_t i = 0; i < 4; i++)
            dims[i] = (int64_t)floorf((float)x->dims[i] * scales[i]);
    }
    if (status == VRS_OK)
        status = read_region(graph, node, axes, count);
    if (status == VRS_OK && (dims[0] != x->dims[0] || dims[1] != x->dims[1])) {
        status = vrs_fail_node(graph, node, VRS_UNSUPPORTED,
                               "it resizes other axes than the last two (height and width)");
    }
    if (status != VRS_OK)
        return status;
    if (node->as.resize.taps > 0)
        dims[1] /= (int64_t)node->as.resize.taps * node->as.resize.taps;
    node->as.resize.scale[0] = scales[2];
    node->as.resize.scale[1] = scales[3];
    return infer_set(graph, node, 0, VRS_DTYPE_F32, 4, dims);
}
