/* Views through grids, and their masks laid back: kernels/warp.h, a pixel a thread. All places are
 * the reference's integers. */
#include "params_warp.h"
#include "preprocess.cuh"

#define PIXEL 4096
#define MOST_WAY (1 << 22)
#define NO_PLACE (-2147483647 - 1)
#define Q15_ONE 32767

/* ---- the way in ---- */

struct vrs_cell {
    int corner[2], right[2], below[2], both[2];
};

__device__ __forceinline__ int vrs_way(const vrs_warp_view &view, int from, int to, int axis)
{
    int d = to - from;
    if (view.around != 0 && axis == 0) {
        const int turn = view.width * PIXEL;
        d = d > turn / 2 ? d - turn : (d < -turn / 2 ? d + turn : d);
    }
    return max(min(d, MOST_WAY), -MOST_WAY);
}

__device__ __forceinline__ vrs_cell vrs_cell_at(const vrs_warp_view &view, int width, int x, int y)
{
    const int2 *p = reinterpret_cast<const int2 *>(view.positions) + (size_t)y * (width + 1) + x;
    const int2 *q = p + width + 1;
    const int2 a = __ldg(p), b = __ldg(p + 1), c = __ldg(q), d = __ldg(q + 1);
    vrs_cell cell;
    cell.corner[0] = a.x;
    cell.corner[1] = a.y;
    cell.right[0] = vrs_way(view, a.x, b.x, 0);
    cell.right[1] = vrs_way(view, a.y, b.y, 1);
    cell.below[0] = vrs_way(view, a.x, c.x, 0);
    cell.below[1] = vrs_way(view, a.y, c.y, 1);
    cell.both[0] = vrs_way(view, a.x, d.x, 0);
    cell.both[1] = vrs_way(view, a.y, d.y, 1);
    return cell;
}

/* The two neighbours of a position on an axis, and the weight of the second in 2^-8. */
struct vrs_between {
    int first, second, weight;
};

__device__ __forceinline__ vrs_between vrs_neighbours(int position, int low, int high, bool around)
{
    int place = position - PIXEL / 2;
    vrs_between b;
    if (around) {
        const int size = high - low + 1, index = place >> 12;
        b.first = index < low ? index + size : (index > high ? index - size : index);
        b.second =
            index + 1 < low ? index + 1 + size : (index + 1 > high ? index + 1 - size : index + 1);
        b.weight = (place & (PIXEL - 1)) >> 4;
        return b;
    }
    place = max(min(place, high * PIXEL), low * PIXEL);
    b.first = min(place >> 12, high - 1);
    b.second = b.first + 1;
    b.weight = (place - b.first * PIXEL) >> 4;
    return b;
}

__device__ __forceinline__ unsigned vrs_code(const vrs_warp_view &view, const uint8_t *row,
                                             int index)
{
    if (view.sample_bytes == 1)
        return __ldg(row + index);
    const int code = __ldg(reinterpret_cast<const uint16_t *>(row) + index) >> view.shift;
    return min(code, (int)view.peak);
}

__device__ __forceinline__ unsigned vrs_bilinear(const vrs_warp_view &view, int component,
                                                 const vrs_between &x, const vrs_between &y)
{
    const int plane = view.component_plane[component];
    const int step = view.component_step[component], offset = view.component_offset[component];
    const uint8_t *data = reinterpret_cast<const uint8_t *>(view.plane[plane]);
    const uint8_t *upper = data + (int64_t)y.first * view.stride[plane];
    const uint8_t *lower = data + (int64_t)y.second * view.stride[plane];
    const int left = x.first * step + offset, right = x.second * step + offset;
    const unsigned above =
        vrs_code(view, upper, left) * (256 - x.weight) + vrs_code(view, upper, right) * x.weight;
    const unsigned under =
        vrs_code(view, lower, left) * (256 - x.weight) + vrs_code(view, lower, right) * x.weight;
    return above * (256 - y.weight) + under * y.weight;
}

/* Means of components first..last-1, which lie at the same places. Sums stay below 2^32. */
__device__ __forceinline__ void vrs_means(const vrs_warp_view &view, const vrs_cell &cell,
                                          int first, int last, float component[3])
{
    const bool chroma = view.component_axis[first] != 0;
    const int half = chroma ? 1 : 0;
    const int bits = chroma && view.samples > 0 ? view.samples - 1 : view.samples;
    const int n = 1 << bits, shift = 2 * bits + 2;
    unsigned sum[3] = {0, 0, 0};
#pragma unroll 1
    for (int b = 1; b < 2 * n; b += 2) {
#pragma unroll 2
        for (int a = 1; a < 2 * n; a += 2) {
            int at[2];
#pragma unroll
            for (int axis = 0; axis < 2; axis++) {
                const int weighted = cell.right[axis] * (a * (2 * n - b)) +
                                     cell.below[axis] * ((2 * n - a) * b) +
                                     cell.both[axis] * (a * b);
                at[axis] = (cell.corner[axis] + (weighted >> shift)) >> half;
            }
            const vrs_between x =
                vrs_neighbours(at[0] + (chroma ? view.site_x : 0), view.x >> half,
                               (view.x + view.width - 1) >> half, view.around != 0);
            const vrs_between y = vrs_neighbours(at[1] + (chroma ? view.site_y : 0), view.y >> half,
                                                 (view.y + view.height - 1) >> half, false);
#pragma unroll
            for (int i = 0; i < 3; i++)
                if (i >= first && i < last)
                    sum[i] += vrs_bilinear(view, i, x, y);
        }
    }
#pragma unroll
    for (int i = 0; i < 3; i++)
        if (i >= first && i < last)
            component[i] = (float)sum[i] * (1.0f / (65536.0f * (float)(n * n)));
}

extern "C" __global__ void __launch_bounds__(VRS_WARP_COLUMNS *VRS_WARP_ROWS)
    vrs_preprocess_warp(const __grid_constant__ vrs_warp_params p)
{
    const vrs_warp_view &view = p.view[blockIdx.z];
    const int x = blockIdx.x * VRS_WARP_COLUMNS + threadIdx.x;
    const int y = blockIdx.y * VRS_WARP_ROWS + threadIdx.y;
    if (x >= p.width || y >= p.height)
        return;
    const vrs_cell cell = vrs_cell_at(view, p.width, x, y);
    float component[3] = {0.0f, 0.0f, 0.0f}, value[3];
    const bool together = view.component_axis[1] == 0;
    vrs_means(view, cell, 0, view.components == 1 ? 1 : (together ? 3 : 1), component);
    if (view.components == 3 && !together)
        vrs_means(view, cell, 1, 3, component);
#pragma unroll
    for (int c = 0; c < 3; c++) {
        value[c] = __saturatef(vrs_dot(view.matrix[c], component));
        if (view.tone != 0)
            value[c] = vrs_tone(reinterpret_cast<const float *>(view.tone), value[c]);
        value[c] = fmaf(value[c], p.scale[c], p.bias[c]);
    }
    if (view.luma != 0)
        reinterpret_cast<uint8_t *>(view.luma)[(size_t)y * p.width + x] =
            vrs_guide(vrs_dot(view.guide, component));
    vrs_store_pixel(p, view.tensor, x, y, value);
}

/* ---- and back ---- */

__device__ __forceinline__ bool vrs_position(uint64_t positions, int width, int x, int y, int at[2])
{
    const int pairs = (width + 7) / 8 + 1;
    const int2 *p = reinterpret_cast<const int2 *>(positions) + (size_t)(y >> 3) * pairs + (x >> 3);
    const int2 a = __ldg(p), b = __ldg(p + 1), c = __ldg(p + pairs), d = __ldg(p + pairs + 1);
    if (a.x == NO_PLACE || b.x == NO_PLACE || c.x == NO_PLACE || d.x == NO_PLACE)
        return false;
    const int s = 2 * (x & 7) + 1, t = 2 * (y & 7) + 1;
    at[0] = ((a.x * (16 - t) + c.x * t) * (16 - s) + (b.x * (16 - t) + d.x * t) * s) >> 8;
    at[1] = ((a.y * (16 - t) + c.y * t) * (16 - s) + (b.y * (16 - t) + d.y * t) * s) >> 8;
    return true;
}

__device__ __forceinline__ float vrs_ramp(int position, int size, int length)
{
    const int nearest = min(position, (size << 10) - position);
    return (float)max(min(nearest, length), 0) / (float)length;
}

__device__ __forceinline__ int vrs_left(int position, int size, float *weight)
{
    const int place = max(min(position - 512, (size - 1) << 10), 0);
    const int index = min(place >> 10, size - 2);
    *weight = (float)(place - (index << 10)) * (1.0f / 1024.0f);
    return index;
}

__device__ __forceinline__ float vrs_lerp(float a, float b, float weight)
{
    return fmaf(weight, b - a, a);
}

__device__ __forceinline__ float vrs_patch_value(const vrs_patches_params &p,
                                                 const vrs_patch_view &patch, const int at[2],
                                                 float luma)
{
    float wx, wy;
    const int x = vrs_left(at[0], patch.mask_width, &wx);
    const int y = vrs_left(at[1], patch.mask_height, &wy);
    const size_t place = (size_t)y * patch.mask_stride + x;
    if (p.refine != 0) {
        const float2 *c = reinterpret_cast<const float2 *>(patch.mask) + place;
        const float2 *d = c + patch.mask_stride;
        const float2 c0 = __ldg(c), c1 = __ldg(c + 1), d0 = __ldg(d), d1 = __ldg(d + 1);
        const float slope = vrs_lerp(vrs_lerp(c0.x, c1.x, wx), vrs_lerp(d0.x, d1.x, wx), wy);
        const float offset = vrs_lerp(vrs_lerp(c0.y, c1.y, wx), vrs_lerp(d0.y, d1.y, wx), wy);
        const float value = fmaf(slope, luma, offset);
        return value > 0.0f ? fminf(value, 1.0f) * (float)Q15_ONE : 0.0f;
    }
    const int16_t *c = reinterpret_cast<const int16_t *>(patch.mask) + place;
    const int16_t *d = c + patch.mask_stride;
    return vrs_lerp(vrs_lerp((float)__ldg(c), (float)__ldg(c + 1), wx),
                    vrs_lerp((float)__ldg(d), (float)__ldg(d + 1), wx), wy);
}

__device__ __forceinline__ float vrs_luma_at(const vrs_patch_luma &luma, int x, int y)
{
    const uint8_t *row = reinterpret_cast<const uint8_t *>(luma.data) + (int64_t)y * luma.stride;
    int code;
    if (luma.step != 0) {
        const uint8_t *pixel = row + (int64_t)x * luma.step;
        code = (13933 * pixel[luma.red] + 46871 * pixel[1] + 4732 * pixel[luma.blue] + 32768) >> 16;
    } else if (luma.sample_bytes == 1) {
        code = __ldg(row + x);
    } else {
        code = __ldg(reinterpret_cast<const uint16_t *>(row) + x) >> luma.shift;
    }
    return fmaf((float)code, luma.scale, luma.offset);
}

extern "C" __global__ void __launch_bounds__(VRS_WARP_COLUMNS *VRS_WARP_ROWS)
    vrs_patches(const __grid_constant__ vrs_patches_params p)
{
    const int column = blockIdx.x * VRS_WARP_COLUMNS + threadIdx.x;
    const int line = blockIdx.y * VRS_WARP_ROWS + threadIdx.y;
    if (column >= p.width || line >= p.height)
        return;
    const int x = p.x + column, y = p.y + line;
    float sum = 0.0f, weights = 0.0f, luma = 0.0f;
    bool have_luma = p.refine == 0;
#pragma unroll 1
    for (int i = 0; i < p.count; i++) {
        const vrs_patch_view &patch = p.view[i];
        const int px = x - patch.x, py = y - patch.y;
        int at[2];
        if ((unsigned)px >= (unsigned)patch.width || (unsigned)py >= (unsigned)patch.height ||
            !vrs_position(patch.positions, patch.width, px, py, at))
            continue;
        const float weight = vrs_ramp(at[0], patch.mask_width, patch.ramp_x) *
                             vrs_ramp(at[1], patch.mask_height, patch.ramp_y);
        if (weight <= 0.0f)
            continue;
        if (!have_luma)
            luma = vrs_luma_at(p.luma, x, y);
        have_luma = true;
        sum = fmaf(weight, vrs_patch_value(p, patch, at, luma), sum);
        weights += weight;
    }
    int16_t *dst = reinterpret_cast<int16_t *>(p.dst) + (int64_t)y * p.dst_stride + x;
    if (weights <= 0.0f && p.threshold == 0)
        return;
    int value = *dst;
    if (weights > 0.0f) {
        sum = fmaf(fmaxf(0.0f, 1.0f - weights), (float)value, sum);
        value = (int)(sum / fmaxf(1.0f, weights) + 0.5f);
    }
    if (p.threshold > 0)
        value = value < p.threshold ? 0 : Q15_ONE;
    *dst = (int16_t)value;
}

/* ---- classes ---- */

/* Where a pixel's scores lie in a patch, and what they count. */
struct vrs_class_place {
    uint64_t scores; /* of class 0 */
    int64_t class_stride;
    int row_stride;
    float x, y, weight;
};

__device__ __forceinline__ int vrs_scaled(int position, int size, int scores)
{
    return (int)((int64_t)max(min(position, size << 10), 0) * scores / size);
}

__device__ __forceinline__ bool vrs_class_place_at(const vrs_class_patch_view &patch, int x, int y,
                                                   vrs_class_place *place)
{
    const int px = x - patch.x, py = y - patch.y;
    int at[2];
    if ((unsigned)px >= (unsigned)patch.width || (unsigned)py >= (unsigned)patch.height ||
        !vrs_position(patch.positions, patch.width, px, py, at))
        return false;
    place->weight = 1.0f;
    if (patch.ramp_x > 0)
        place->weight = __fmul_rn(vrs_ramp(at[0], patch.picture_width, patch.ramp_x),
                                  vrs_ramp(at[1], patch.picture_height, patch.ramp_y));
    const int column =
        vrs_left(vrs_scaled(at[0], patch.picture_width, patch.columns), patch.columns, &place->x);
    const int row =
        vrs_left(vrs_scaled(at[1], patch.picture_height, patch.rows), patch.rows, &place->y);
    place->scores = patch.scores + 4 * ((uint64_t)row * patch.row_stride + column);
    place->class_stride = patch.class_stride;
    place->row_stride = patch.row_stride;
    return place->weight > 0.0f;
}

/* As the reference rounds it. */
__device__ __forceinline__ float vrs_lerp_rounded(float a, float b, float weight)
{
    return __fadd_rn(a, __fmul_rn(weight, __fsub_rn(b, a)));
}

__device__ __forceinline__ float vrs_class_score(const vrs_class_place &place, int c)
{
    const float *p = reinterpret_cast<const float *>(place.scores) + c * place.class_stride;
    const float *q = p + place.row_stride;
    return vrs_lerp_rounded(vrs_lerp_rounded(__ldg(p), __ldg(p + 1), place.x),
                            vrs_lerp_rounded(__ldg(q), __ldg(q + 1), place.x), place.y);
}

/* The tiles that show a pixel, then the eyes behind them; 0 where no tile does. */
__device__ __forceinline__ int vrs_find_places(const vrs_class_patches_params &p, int x, int y,
                                               vrs_class_place *places)
{
    int tiles = 0;
    float weights = 0.0f;
#pragma unroll 1
    for (int i = 0; i < p.count; i++)
        if (p.view[i].ramp_x > 0 && vrs_class_place_at(p.view[i], x, y, &places[tiles])) {
            weights = __fadd_rn(weights, places[tiles].weight);
            tiles++;
        }
    const float rest = __fsub_rn(1.0f, weights);
    int used = tiles;
#pragma unroll 1
    for (int i = 0; i < p.count && tiles > 0 && rest > 0.0f; i++)
        if (p.view[i].ramp_x == 0 && vrs_class_place_at(p.view[i], x, y, &places[used]))
            places[used++].weight = rest;
    return used;
}

extern "C" __global__ void __launch_bounds__(VRS_WARP_COLUMNS *VRS_WARP_ROWS)
    vrs_class_patches(const __grid_constant__ vrs_class_patches_params p)
{
    const int x = blockIdx.x * VRS_WARP_COLUMNS + threadIdx.x;
    const int y = blockIdx.y * VRS_WARP_ROWS + threadIdx.y;
    if (x >= p.width || y >= p.height)
        return;
    vrs_class_place places[VRS_PREPROCESS_VIEWS];
    const int used = vrs_find_places(p, x, y, places);
    if (used == 0)
        return;
    float best = -INFINITY;
    int result = 0;
#pragma unroll 1
    for (int c = 0; c < p.classes; c++) {
        float sum = 0.0f;
#pragma unroll 1
        for (int i = 0; i < used; i++)
            sum = __fadd_rn(sum, __fmul_rn(places[i].weight, vrs_class_score(places[i], c)));
        if (sum > best) {
            best = sum;
            result = c;
        }
    }
    reinterpret_cast<uint8_t *>(p.dst)[(int64_t)y * p.dst_stride + x] = (uint8_t)result;
}
