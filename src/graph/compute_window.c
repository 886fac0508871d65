/* The interpreter: pools, reductions, softmax, resizing. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/compute.h"

/* One output of a pool: the taps that lie in the picture. */
static float pool_at(const vrs_pool_attributes *pool, const float *plane, int64_t height,
                     int64_t width, int64_t top, int64_t left)
{
    double sum = 0;
    float largest = -INFINITY;
    int64_t inside = 0, padded = 0;
    for (int64_t tap = 0; tap < (int64_t)pool->kernel[0] * pool->kernel[1]; tap++) {
        int64_t row = top + tap / pool->kernel[1] * pool->dilation[0];
        int64_t column = left + tap % pool->kernel[1] * pool->dilation[1];
        padded += row < height + pool->pad_after[0] && column < width + pool->pad_after[1];
        if (row < 0 || row >= height || column < 0 || column >= width)
            continue;
        float x = plane[row * width + column];
        largest = x > largest || isnan(x) ? x : largest;
        sum += (double)x;
        inside++;
    }
    if (pool->kind == VRS_POOL_MAX)
        return largest;
    int64_t divisor = pool->count_include_pad ? padded : inside;
    return divisor > 0 ? (float)(sum / (double)divisor) : 0;
}

vrs_status compute_pool(const compute *c)
{
    const vrs_value *x = compute_in(c, 0), *y = compute_out(c, 0);
    const vrs_pool_attributes *pool = &c->node->as.pool;
    float *to = c->out[0];
    for (int64_t n = 0; n < y->dims[0] * y->dims[1]; n++) {
        const float *plane = (const float *)c->in[0] + n * x->dims[2] * x->dims[3];
        for (int64_t i = 0; i < y->dims[2] * y->dims[3]; i++) {
            *to++ = pool_at(pool, plane, x->dims[2], x->dims[3],
                            i / y->dims[3] * pool->stride[0] - pool->pad_before[0],
                            i % y->dims[3] * pool->stride[1] - pool->pad_before[1]);
        }
    }
    return VRS_OK;
}

/* Mean and variance of each plane. */
vrs_status compute_instance_norm(const compute *c)
{
    const vrs_value *x = compute_in(c, 0);
    const float *from = c->in[0], *scale = c->in[1], *shift = c->in[2];
    float *to = c->out[0];
    int64_t pixels = dims_product(x, 2, x->rank);
    for (int64_t n = 0; n < x->dims[0] * x->dims[1]; n++, from += pixels, to += pixels) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < pixels; i++)
            sum += (double)from[i];
        double mean = sum / (double)pixels;
        for (int64_t i = 0; i < pixels; i++)
            squares += ((double)from[i] - mean) * ((double)from[i] - mean);
        double factor = (double)scale[n % x->dims[1]] /
                        sqrt(squares / (double)pixels + (double)c->node->as.norm.epsilon);
        for (int64_t i = 0; i < pixels; i++)
            to[i] = (float)(((double)from[i] - mean) * factor + (double)shift[n % x->dims[1]]);
    }
    return VRS_OK;
}

static double reduce_float(vrs_reduce_kind kind, double so_far, double x, bool first)
{
    switch (kind) {
    case VRS_REDUCE_MAX:
        return first || x > so_far || isnan(x) ? x : so_far;
    case VRS_REDUCE_MIN:
        return first || x < so_far || isnan(x) ? x : so_far;
    case VRS_REDUCE_PROD:
        return first ? x : so_far * x;
    case VRS_REDUCE_L2:
        return (first ? 0 : so_far) + x * x;
    default:
        return (first ? 0 : so_far) + x;
    }
}

static int64_t reduce_integer(vrs_reduce_kind kind, int64_t so_far, int64_t x, bool first)
{
    if (first)
        return x;
    switch (kind) {
    case VRS_REDUCE_MAX:
        return x > so_far ? x : so_far;
    case VRS_REDUCE_MIN:
        return x < so_far ? x : so_far;
    case VRS_REDUCE_PROD:
        return (int64_t)((uint64_t)so_far * (uint64_t)x);
    default:
        return (int64_t)((uint64_t)so_far + (uint64_t)x);
    }
}

/* Goes over the kept axes; for each place over the reduced ones. */
vrs_status compute_reduce(const compute *c)
{
    const vrs_value *x = compute_in(c, 0);
    const vrs_reduce_attributes *reduce = &c->node->as.reduce;
    vrs_value kept = *x, gone = *x;
    for (int32_t i = 0; i < x->rank; i++) {
        bool reduced = (reduce->axes >> i & 1) != 0;
        (reduced ? &kept : &gone)->dims[i] = 1;
    }
    odometer outer = odometer_over(&kept), inner = odometer_over(&gone);
    dense_steps(x, outer.steps[0]);
    dense_steps(x, inner.steps[0]);
    int64_t count = (int64_t)vrs_value_elements(&kept), part = (int64_t)vrs_value_elements(&gone);
    for (int64_t i = 0; i < count; i++, odometer_next(&outer)) {
        double sum = 0;
        int64_t whole = 0;
        for (int64_t k = 0; k < part; k++, odometer_next(&inner)) {
            int64_t place = outer.offset[0] + inner.offset[0];
            if (x->dtype == VRS_DTYPE_F32) {
                sum = reduce_float(reduce->kind, sum, ((const float *)c->in[0])[place], k == 0);
            } else {
                whole = reduce_integer(reduce->kind, whole, load_integer(x->dtype, c->in[0], place),
                                       k == 0);
            }
        }
        sum = reduce->kind == VRS_REDUCE_MEAN ? sum / (double)part : sum;
        sum = reduce->kind == VRS_REDUCE_L2 ? sqrt(sum) : sum;
        if (x->dtype == VRS_DTYPE_F32)
            ((float *)c->out[0])[i] = (float)sum;
        else
            store_integer(x->dtype, c->out[0], i, whole);
    }
    return VRS_OK;
}

vrs_status compute_argmax(const compute *c)
{
    const vrs_value *x = compute_in(c, 0);
    const vrs_argmax_attributes *argmax = &c->node->as.argmax;
    int64_t inner = dims_product(x, argmax->axis + 1, x->rank), length = x->dims[argmax->axis];
    int64_t count = (int64_t)vrs_value_elements(x) / length;
    for (int64_t i = 0; i < count; i++) {
        const float *from = (const float *)c->in[0] + i / inner * inner * length + i % inner;
        int64_t best = 0;
        for (int64_t k = 1; k < length; k++) {
            float a = from[k * inner], b = from[best * inner];
            bool better = argmax->min ? a < b : a > b;
            best = better || (argmax->last && a == b) ? k : best;
        }
        ((int64_t *)c->out[0])[i] = best;
    }
    return VRS_OK;
}

vrs_status compute_softmax(const compute *c)
{
    const vrs_value *x = compute_in(c, 0);
    const vrs_softmax_attributes *softmax = &c->node->as.softmax;
    int32_t end = softmax->to_end ? x->rank : softmax->axis + 1;
    int64_t inner = dims_product(x, end, x->rank), length = dims_product(x, softmax->axis, end);
    int64_t count = (int64_t)vrs_value_elements(x) / length;
    for (int64_t i = 0; i < count; i++) {
        int64_t first = i / inner * inner * length + i % inner;
        const float *from = (const float *)c->in[0] + first;
        float *to = (float *)c->out[0] + first;
        double largest = -INFINITY, sum = 0;
        for (int64_t k = 0; k < length; k++)
            largest = fmax(largest, (double)from[k * inner]);
        for (int64_t k = 0; k < length; k++)
            sum += exp((double)from[k * inner] - largest);
        for (int64_t k = 0; k < length; k++) {
            double power = (double)from[k * inner] - largest;
            to[k * inner] = (float)(softmax->log ? power - log(sum) : exp(power) / sum);
        }
    }
    return VRS_OK;
}

/* Where the outputs along one axis read: two places with their weights. */
typedef struct tap {
    int64_t first, second;
    float first_weight, second_weight;
    bool outside;
} tap;

/* ONNX's formulas, in floats as the operator's own definition has them. */
static float source_place(const vrs_resize_attributes *resize, int32_t axis, int64_t i, int64_t in,
                          int64_t out)
{
    float scale = resize->scale[axis], place = (float)i;
    float start = resize->roi_start[axis], end = resize->roi_end[axis];
    switch (resize->coordinate) {
    case VRS_RESIZE_HALF_PIXEL:
        return (place + 0.5F) / scale - 0.5F;
    case VRS_RESIZE_HALF_PIXEL_SYMMETRIC: {
        float adjustment = (float)out / (scale * (float)in);
        return (float)in / 2 * (1 - adjustment) + (place + 0.5F) / scale - 0.5F;
    }
    case VRS_RESIZE_PYTORCH_HALF_PIXEL:
        return out > 1 ? (place + 0.5F) / scale - 0.5F : 0;
    case VRS_RESIZE_ALIGN_CORNERS:
        return out > 1 ? place * (float)(in - 1) / (float)(out - 1) : 0;
    case VRS_RESIZE_ASYMMETRIC:
        return place / scale;
    case VRS_RESIZE_TF_HALF_PIXEL:
        return (place + 0.5F) / scale;
    default: /* TF_CROP */
        return out > 1 ? start * (float)(in - 1) +
                             place * (end - start) * (float)(in - 1) / (float)(out - 1)
                       : 0.5F * (start + end) * (float)(in - 1);
    }
}

static float round_nearest(vrs_resize_nearest nearest, float place)
{
    switch (nearest) {
    case VRS_RESIZE_ROUND_PREFER_FLOOR:
        return ceilf(place - 0.5F);
    case VRS_RESIZE_ROUND_PREFER_CEIL:
        return floorf(place + 0.5F);
    case VRS_RESIZE_FLOOR:
        return floorf(place);
    default:
        return ceilf(place);
    }
}

static float within(float place, int64_t size)
{
    float last = (float)(size - 1);
    return place >= last ? last : place > 0 ? place : 0; /* NaN too becomes 0 */
}

static void fill_taps(const vrs_resize_attributes *resize, int32_t axis, int64_t in, int64_t out,
                      tap *taps)
{
    for (int64_t i = 0; i < out; i++) {
        float place = source_place(resize, axis, i, in, out);
        bool crop = resize->coordinate == VRS_RESIZE_TF_CROP;
        taps[i].outside = crop && (place < 0 || place > (float)(in - 1));
        if (resize->mode == VRS_RESIZE_NEAREST) {
            taps[i].first = (int64_t)within(round_nearest(resize->nearest, place), in);
            taps[i].second = taps[i].first;
            taps[i].first_weight = 1;
            continue;
        }
        place = within(place, in);
        taps[i].first = (int64_t)place;
        taps[i].second = taps[i].first + 1 < in ? taps[i].first + 1 : taps[i].first;
        taps[i].second_weight = place - (float)taps[i].first;
        taps[i].first_weight = 1 - taps[i].second_weight;
    }
}

static float resize_at(const float *plane, int64_t width, const tap *down, const tap *across)
{
    const float *upper = plane + down->first * width, *lower = plane + down->second * width;
    float above =
        across->first_weight * upper[across->first] + across->second_weight * upper[across->second];
    float below =
        across->first_weight * lower[across->first] + across->second_weight * lower[across->second];
    return down->first_weight * above + down->second_weight * below;
}

/* A picture and how its axes are read. */
typedef struct resized {
    const vrs_value *x, *y;
    const tap *down, *across;
} resized;

/* What the taps make at one place; `from`: the first tap's plane. */
static float add_taps(const resized *r, int32_t taps, const float *from, int64_t row,
                      int64_t column)
{
    int64_t plane = r->x->dims[2] * r->x->dims[3] * r->y->dims[1];
    float sum = 0;
    for (int32_t t = 0; t < taps * taps; t++) {
        int64_t y = row + t / taps - taps / 2, x = column + t % taps - taps / 2;
        if (y >= 0 && y < r->y->dims[2] && x >= 0 && x < r->y->dims[3])
            sum += resize_at(from + t * plane, r->x->dims[3], &r->down[y], &r->across[x]);
    }
    return sum;
}

static void compute_taps(const resized *r, int32_t taps, const float *from, float *to)
{
    for (int64_t n = 0; n < r->y->dims[0] * r->y->dims[1]; n++) {
        int64_t first =
            n / r->y->dims[1] * r->x->dims[1] + n % r->y->dims[1]; /* channel in all of x */
        const float *plane = from + first * r->x->dims[2] * r->x->dims[3];
        for (int64_t row = 0; row < r->y->dims[2]; row++)
            for (int64_t column = 0; column < r->y->dims[3]; column++)
                *to++ = add_taps(r, taps, plane, row, column);
    }
}

vrs_status compute_resize(const compute *c)
{
    const vrs_value *x = compute_in(c, 0), *y = compute_out(c, 0);
    const vrs_resize_attributes *resize = &c->node->as.resize;
    tap *down = vrs_alloc_array((size_t)(y->dims[2] + y->dims[3]), sizeof(*down));
    if (!down)
        return VRS_NO_MEMORY;
    tap *across = down + y->dims[2];
    fill_taps(resize, 0, x->dims[2], y->dims[2], down);
    fill_taps(resize, 1, x->dims[3], y->dims[3], across);
    float *to = c->out[0];
    if (resize->taps > 0) {
        compute_taps(&(resized){x, y, down, across}, resize->taps, c->in[0], to);
        vrs_free(down);
        return VRS_OK;
    }
    for (int64_t n = 0; n < y->dims[0] * y->dims[1]; n++) {
        const float *plane = (const float *)c->in[0] + n * x->dims[2] * x->dims[3];
        for (int64_t row = 0; row < y->dims[2]; row++) {
            for (int64_t column = 0; column < y->dims[3]; column++) {
                bool outside = down[row].outside || across[column].outside;
                *to++ = outside ? resize->extrapolation
                                : resize_at(plane, x->dims[3], &down[row], &across[column]);
            }
        }
    }
    vrs_free(down);
    return VRS_OK;
}
