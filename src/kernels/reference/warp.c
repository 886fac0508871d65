/* The definition of views through grids: each sample by itself. */
#include <assert.h>
#include <math.h>

#include "kernels/kernels.h"
#include "kernels/preprocess_plan.h"

#define MOST_WAY (1 << 22)
#define PIXEL (1 << VRS_WARP_BITS)

vrs_status vrs_warp_check(const vrs_warp *warp)
{
    const vrs_rect *s = &warp->source;
    if (s->width < 4 || s->height < 4) {
        return vrs_fail(VRS_INVALID, "a picture of %dx%d is too small for tiles: 4x4 is the least",
                        s->width, s->height);
    }
    if (warp->around != 0 && (s->x % 2 != 0 || s->width % 2 != 0)) {
        return vrs_fail(VRS_INVALID,
                        "a picture of 360 degrees is %d pixels wide: tiles want an even width",
                        s->width);
    }
    return VRS_OK;
}

static int32_t hold(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : (value > high ? high : value);
}

/* The ways from a pixel's upper left corner. */
typedef struct vrs_cell {
    int32_t corner[2], right[2], below[2], both[2];
} vrs_cell;

static int32_t way(const vrs_warp *warp, int32_t from, int32_t to, int axis)
{
    int32_t d = to - from;
    const int32_t turn = warp->source.width * PIXEL;
    if (warp->around != 0 && axis == 0)
        d = d > turn / 2 ? d - turn : (d < -turn / 2 ? d + turn : d);
    return hold(d, -MOST_WAY, MOST_WAY);
}

static vrs_cell cell_of(const vrs_warp *warp, int32_t width, int32_t x, int32_t y)
{
    const size_t pairs = (size_t)width + 1;
    const int32_t *p = warp->positions + 2 * ((size_t)y * pairs + (size_t)x);
    const int32_t *q = p + 2 * pairs;
    vrs_cell cell;
    for (int axis = 0; axis < 2; axis++) {
        cell.corner[axis] = p[axis];
        cell.right[axis] = way(warp, p[axis], p[2 + axis], axis);
        cell.below[axis] = way(warp, p[axis], q[axis], axis);
        cell.both[axis] = way(warp, p[axis], q[2 + axis], axis);
    }
    return cell;
}

/* Where a sample lies between two pixels of an axis. */
typedef struct vrs_between {
    int32_t first, second, weight; /* of the second, in 2^-8 */
} vrs_between;

static int32_t joined(int32_t index, int32_t low, int32_t high)
{
    const int32_t size = high - low + 1;
    return index < low ? index + size : (index > high ? index - size : index);
}

static vrs_between between(int32_t position, int32_t low, int32_t high, bool around)
{
    int32_t place = position - PIXEL / 2;
    if (around) {
        const int32_t index = place >> VRS_WARP_BITS;
        return (vrs_between){joined(index, low, high), joined(index + 1, low, high),
                             (place & (PIXEL - 1)) >> 4};
    }
    place = hold(place, low * PIXEL, high * PIXEL);
    int32_t index = place >> VRS_WARP_BITS;
    index = index < high ? index : high - 1;
    return (vrs_between){index, index + 1, (place - index * PIXEL) >> 4};
}

static int64_t sample(const vrs_preprocess_plan *plan, const vrs_image *image,
                      const vrs_component *c, vrs_between x, vrs_between y)
{
    const uint8_t *upper = image->planes[c->plane] + image->strides[c->plane] * y.first;
    const uint8_t *lower = image->planes[c->plane] + image->strides[c->plane] * y.second;
    const int32_t left = x.first * c->step + c->offset, right = x.second * c->step + c->offset;
    const int64_t above = (int64_t)vrs_preprocess_sample(plan, upper, left) * (256 - x.weight) +
                          (int64_t)vrs_preprocess_sample(plan, upper, right) * x.weight;
    const int64_t under = (int64_t)vrs_preprocess_sample(plan, lower, left) * (256 - x.weight) +
                          (int64_t)vrs_preprocess_sample(plan, lower, right) * x.weight;
    return above * (256 - y.weight) + under * y.weight;
}

static double component_at(const vrs_preprocess_plan *plan, const vrs_warp *warp,
                           const vrs_image *image, const vrs_component *c, const vrs_cell *cell)
{
    const bool chroma = c->axis == VRS_AXIS_CHROMA;
    const int32_t half = chroma ? 1 : 0;
    const int32_t bits = chroma && warp->samples > 0 ? warp->samples - 1 : warp->samples;
    const int32_t n = 1 << bits;
    const vrs_chroma_site site = plan->desc.color.chroma_site;
    const int32_t shift_x = chroma && site != VRS_CHROMA_CENTER ? PIXEL / 4 : 0;
    const int32_t shift_y = chroma && site == VRS_CHROMA_TOP_LEFT ? PIXEL / 4 : 0;
    const vrs_rect *s = &warp->source;
    int64_t sum = 0;
    for (int32_t b = 1; b < 2 * n; b += 2) {
        for (int32_t a = 1; a < 2 * n; a += 2) {
            int32_t at[2];
            for (int axis = 0; axis < 2; axis++) {
                /* Below 2^30: the weights are less than 256 together. */
                const int32_t weighted = cell->right[axis] * (a * (2 * n - b)) +
                                         cell->below[axis] * ((2 * n - a) * b) +
                                         cell->both[axis] * (a * b);
                at[axis] = (cell->corner[axis] + (weighted >> (2 * bits + 2))) >> half;
            }
            const vrs_between x = between(at[0] + shift_x, s->x >> half,
                                          (s->x + s->width - 1) >> half, warp->around != 0);
            const vrs_between y =
                between(at[1] + shift_y, s->y >> half, (s->y + s->height - 1) >> half, false);
            sum += sample(plan, image, c, x, y);
        }
    }
    return (double)sum / (65536.0 * n * n);
}

void vrs_preprocess_warp_columns(const vrs_preprocess_plan *plan, const vrs_warp *warp,
                                 const vrs_image *image, void *tensor, uint8_t *luma, int32_t row,
                                 int32_t column_begin, int32_t column_end)
{
    for (int32_t x = column_begin; x < column_end; x++) {
        const vrs_cell cell = cell_of(warp, plan->desc.width, x, row);
        double component[3] = {0.0};
        for (int i = 0; i < plan->components; i++)
            component[i] = component_at(plan, warp, image, &plan->component[i], &cell);
        vrs_preprocess_finish(plan, component, tensor, luma, x, row);
    }
}

static void preprocess_warp(const vrs_preprocess_plan *plan, const vrs_warp *warp,
                            const vrs_image *image, void *tensor, uint8_t *luma)
{
    assert(image->width == plan->desc.image_width && image->height == plan->desc.image_height);
    for (int32_t y = 0; y < plan->desc.height; y++)
        vrs_preprocess_warp_columns(plan, warp, image, tensor, luma, y, 0, plan->desc.width);
}

/* ---- and back ---- */

/* The position of a pixel's centre in a patch's grid; false: its cell has not four. */
static bool position_at(const vrs_rect *rect, const int32_t *positions, int32_t x, int32_t y,
                        int32_t position[2])
{
    const int32_t cell = VRS_PATCH_CELL;
    const size_t pairs = (size_t)((rect->width + cell - 1) / cell) + 1;
    const int32_t *p = positions + 2 * ((size_t)(y / cell) * pairs + (size_t)(x / cell));
    const int32_t *q = p + 2 * pairs;
    if (p[0] == VRS_PATCH_NONE || p[2] == VRS_PATCH_NONE || q[0] == VRS_PATCH_NONE ||
        q[2] == VRS_PATCH_NONE)
        return false;
    const int32_t a = 2 * (x % cell) + 1, b = 2 * (y % cell) + 1, n = 2 * cell;
    for (int axis = 0; axis < 2; axis++) {
        const int32_t left = p[axis] * (n - b) + q[axis] * b;
        const int32_t right = p[2 + axis] * (n - b) + q[2 + axis] * b;
        position[axis] = (left * (n - a) + right * a) >> 8; /* at most 2^30 */
    }
    return true;
}

static float ramp(int32_t position, int32_t size, int32_t length)
{
    const int32_t last = size << VRS_PATCH_BITS;
    const int32_t nearest = position < last - position ? position : last - position;
    return (float)hold(nearest, 0, length) / (float)length;
}

/* Left neighbour and the weight of the right one. */
static int32_t neighbour(int32_t position, int32_t size, float *weight)
{
    const int32_t half = 1 << (VRS_PATCH_BITS - 1);
    const int32_t place = hold(position - half, 0, (size - 1) << VRS_PATCH_BITS);
    int32_t index = place >> VRS_PATCH_BITS;
    index = index < size - 1 ? index : size - 2;
    *weight = (float)(place - (index << VRS_PATCH_BITS)) / (float)(1 << VRS_PATCH_BITS);
    return index;
}

static float mix(float a, float b, float c, float d, float x, float y)
{
    const float upper = a + x * (b - a), lower = c + x * (d - c);
    return upper + y * (lower - upper);
}

static float mixed_floats(const float *from, ptrdiff_t stride, float x, float y)
{
    return mix(from[0], from[1], from[stride], from[stride + 1], x, y);
}

static float value_at(const vrs_patch *patch, const int32_t position[2], float luma)
{
    float wx = 0, wy = 0;
    const int32_t x = neighbour(position[0], patch->width, &wx);
    const int32_t y = neighbour(position[1], patch->height, &wy);
    const ptrdiff_t place = y * patch->stride + x;
    if (patch->slope != NULL) {
        const float value = mixed_floats(patch->slope + place, patch->stride, wx, wy) * luma +
                            mixed_floats(patch->offset + place, patch->stride, wx, wy);
        return value > 0.0F ? fminf(value, 1.0F) * VRS_Q15_ONE : 0.0F; /* not a number: 0 */
    }
    const int16_t *m = patch->mask + place;
    const int16_t *under = m + patch->stride;
    return mix(m[0], m[1], under[0], under[1], wx, wy);
}

static float luma_at(const vrs_luma *luma, int32_t x, int32_t y)
{
    const uint8_t *row = luma->data + luma->stride * y;
    const int32_t code = luma->sample_bytes == 1
                             ? row[x]
                             : ((const uint16_t *)(const void *)row)[x] >> luma->sample_shift;
    return (float)code * luma->scale + luma->offset;
}

static void patches_reference(const vrs_patch *patches, int32_t count, const vrs_luma *luma,
                              int32_t row_begin, int32_t row_end, int32_t width, int16_t *dst,
                              ptrdiff_t dst_stride, float *scratch)
{
    (void)scratch;
    for (int32_t y = row_begin; y < row_end; y++) {
        int16_t *row = dst + (y - row_begin) * dst_stride;
        for (int32_t x = 0; x < width; x++) {
            float sum = 0.0F, weights = 0.0F;
            for (int32_t i = 0; i < count; i++) {
                const vrs_patch *p = &patches[i];
                const int32_t column = x - p->rect.x, line = y - p->rect.y;
                int32_t at[2];
                if (column < 0 || line < 0 || column >= p->rect.width || line >= p->rect.height ||
                    !position_at(&p->rect, p->positions, column, line, at))
                    continue;
                const float weight =
                    ramp(at[0], p->width, p->ramp_x) * ramp(at[1], p->height, p->ramp_y);
                if (weight > 0.0F) {
                    const float y01 = p->slope != NULL ? luma_at(luma, x, y) : 0.0F;
                    sum += weight * value_at(p, at, y01);
                    weights += weight;
                }
            }
            if (weights > 0.0F) {
                sum += fmaxf(0.0F, 1.0F - weights) * (float)row[x];
                row[x] = (int16_t)(sum / fmaxf(1.0F, weights) + 0.5F);
            }
        }
    }
}

/* ---- classes ---- */

/* Where a pixel's scores lie in a patch, and what they count. */
typedef struct found {
    const vrs_class_patch *patch;
    ptrdiff_t place;
    float x, y, weight;
} found;

static bool find(const vrs_class_patch *patch, int32_t x, int32_t y, found *out)
{
    const vrs_rect *r = &patch->rect;
    int32_t at[2];
    if (x < r->x || y < r->y || x >= r->x + r->width || y >= r->y + r->height ||
        !position_at(r, patch->positions, x - r->x, y - r->y, at))
        return false;
    out->weight = 1.0F;
    if (patch->ramp_x > 0) {
        out->weight =
            ramp(at[0], patch->width, patch->ramp_x) * ramp(at[1], patch->height, patch->ramp_y);
    }
    const int64_t across = (int64_t)hold(at[0], 0, patch->width << VRS_PATCH_BITS);
    const int64_t down = (int64_t)hold(at[1], 0, patch->height << VRS_PATCH_BITS);
    const int32_t column =
        neighbour((int32_t)(across * patch->columns / patch->width), patch->columns, &out->x);
    const int32_t row =
        neighbour((int32_t)(down * patch->rows / patch->height), patch->rows, &out->y);
    out->patch = patch;
    out->place = row * patch->row_stride + column;
    return out->weight > 0.0F;
}

static uint8_t best_class(const found *all, int32_t count, int32_t classes)
{
    float best = -INFINITY;
    uint8_t result = 0;
    for (int32_t c = 0; c < classes; c++) {
        float sum = 0.0F;
        for (int32_t i = 0; i < count; i++) {
            const vrs_class_patch *p = all[i].patch;
            const float *from = p->scores + c * p->class_stride + all[i].place;
            sum += all[i].weight * mixed_floats(from, p->row_stride, all[i].x, all[i].y);
        }
        if (sum > best) {
            best = sum;
            result = (uint8_t)c;
        }
    }
    return result;
}

/* The tiles that show a pixel, then the eyes behind them; none where no tile does. */
static int32_t find_all(const vrs_class_patch *patches, int32_t count, int32_t x, int32_t y,
                        found all[VRS_CLASS_PATCHES])
{
    int32_t tiles = 0;
    float weights = 0.0F;
    for (int32_t i = 0; i < count; i++)
        if (patches[i].ramp_x > 0 && find(&patches[i], x, y, &all[tiles]))
            weights += all[tiles++].weight;
    const float rest = 1.0F - weights;
    int32_t used = tiles;
    for (int32_t i = 0; i < count && tiles > 0 && rest > 0.0F; i++)
        if (patches[i].ramp_x == 0 && find(&patches[i], x, y, &all[used]))
            all[used++].weight = rest;
    return used;
}

static void class_patches_reference(const vrs_class_patch *patches, int32_t count, int32_t classes,
                                    int32_t row_begin, int32_t row_end, int32_t width, uint8_t *dst,
                                    ptrdiff_t dst_stride)
{
    found all[VRS_CLASS_PATCHES];
    assert(count <= VRS_CLASS_PATCHES);
    for (int32_t y = row_begin; y < row_end; y++, dst += dst_stride) {
        for (int32_t x = 0; x < width; x++) {
            const int32_t used = find_all(patches, count, x, y, all);
            if (used > 0)
                dst[x] = best_class(all, used, classes);
        }
    }
}

void vrs_kernels_fill_reference_warp(vrs_kernels *table)
{
    table->preprocess_warp = preprocess_warp;
    table->patches = patches_reference;
    table->class_patches = class_patches_reference;
}
