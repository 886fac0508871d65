/* Views through grids with AVX2: eight pixels of the network's picture at a time, a sample of each
 * in a vector. The integers are the reference's; only the colours are converted in floats. */
#include <assert.h>
#include <immintrin.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/preprocess_plan.h"
#include "kernels/x86/postprocess_x86.h"

#define LANES 8
#define PIXEL (1 << VRS_WARP_BITS)
#define MOST_WAY (1 << 22)

/* Eight cells: the corners' positions and the ways from them, by axis. */
typedef struct cells {
    __m256i corner[2], right[2], below[2], both[2];
} cells;

/* Bounds and places of an axis of a plane. */
typedef struct span {
    int32_t low, high, half, shift;
    bool around;
} span;

/* Two rows of samples of eight places: their bytes or words, and the weights of the second ones. */
typedef struct places {
    __m256i column, row, next_row; /* indices */
    __m256i weight_x, weight_y;    /* 0..256 */
} places;

static inline __m256i load(const int32_t *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

/* x and y of eight pairs. */
static inline void load_pairs(const int32_t *from, __m256i out[2])
{
    const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    const __m256i a = _mm256_permutevar8x32_epi32(load(from), order);
    const __m256i b = _mm256_permutevar8x32_epi32(load(from + 8), order);
    out[0] = _mm256_permute2x128_si256(a, b, 0x20);
    out[1] = _mm256_permute2x128_si256(a, b, 0x31);
}

static inline __m256i way(__m256i from, __m256i to, int32_t turn)
{
    __m256i d = _mm256_sub_epi32(to, from);
    if (turn != 0) {
        const __m256i whole = _mm256_set1_epi32(turn), half = _mm256_set1_epi32(turn / 2);
        const __m256i over = _mm256_cmpgt_epi32(d, half);
        const __m256i under = _mm256_cmpgt_epi32(_mm256_sub_epi32(_mm256_setzero_si256(), half), d);
        d = _mm256_sub_epi32(d, _mm256_and_si256(over, whole));
        d = _mm256_add_epi32(d, _mm256_and_si256(under, whole));
    }
    return _mm256_max_epi32(_mm256_min_epi32(d, _mm256_set1_epi32(MOST_WAY)),
                            _mm256_set1_epi32(-MOST_WAY));
}

static inline cells load_cells(const vrs_warp *warp, int32_t width, int32_t x, int32_t y)
{
    const size_t pairs = (size_t)width + 1;
    const int32_t *p = warp->positions + 2 * ((size_t)y * pairs + (size_t)x);
    const int32_t turn = warp->around != 0 ? warp->source.width * PIXEL : 0;
    __m256i corner[2], right[2], below[2], both[2];
    cells c;
    load_pairs(p, corner);
    load_pairs(p + 2, right);
    load_pairs(p + 2 * pairs, below);
    load_pairs(p + 2 * pairs + 2, both);
    for (int axis = 0; axis < 2; axis++) {
        const int32_t around = axis == 0 ? turn : 0;
        c.corner[axis] = corner[axis];
        c.right[axis] = way(corner[axis], right[axis], around);
        c.below[axis] = way(corner[axis], below[axis], around);
        c.both[axis] = way(corner[axis], both[axis], around);
    }
    return c;
}

static inline __m256i times(__m256i value, int32_t factor)
{
    return _mm256_mullo_epi32(value, _mm256_set1_epi32(factor));
}

/* First of the two neighbours and the weight of the second; false: a lane's two are not neighbours
 * in memory. */
static inline bool neighbours(__m256i position, const span *s, __m256i *first, __m256i *weight)
{
    const __m256i high = _mm256_set1_epi32(s->high);
    __m256i place = _mm256_srai_epi32(position, s->half);
    place = _mm256_add_epi32(place, _mm256_set1_epi32(s->shift - PIXEL / 2));
    if (s->around) {
        const __m256i index = _mm256_srai_epi32(place, VRS_WARP_BITS);
        const __m256i over = _mm256_cmpgt_epi32(index, _mm256_set1_epi32(s->high - 1));
        const __m256i under = _mm256_cmpgt_epi32(_mm256_set1_epi32(s->low), index);
        *first = index;
        *weight = _mm256_srli_epi32(_mm256_and_si256(place, _mm256_set1_epi32(PIXEL - 1)), 4);
        return _mm256_testz_si256(_mm256_or_si256(over, under), _mm256_set1_epi32(-1)) != 0;
    }
    place = _mm256_max_epi32(place, _mm256_set1_epi32(s->low * PIXEL));
    place = _mm256_min_epi32(place, _mm256_slli_epi32(high, VRS_WARP_BITS));
    const __m256i index = _mm256_min_epi32(_mm256_srai_epi32(place, VRS_WARP_BITS),
                                           _mm256_sub_epi32(high, _mm256_set1_epi32(1)));
    *first = index;
    *weight =
        _mm256_srli_epi32(_mm256_sub_epi32(place, _mm256_slli_epi32(index, VRS_WARP_BITS)), 4);
    return true;
}

/* ---- samples ---- */

/* How a plane's samples are read: `width` of a row in samples of `step`. */
typedef struct reader {
    const uint8_t *data;
    __m256i stride;
    int32_t last; /* where a load of four bytes may begin at most, in bytes */
    __m128i shift;
    __m256i peak;
    bool bytes, pairs;
} reader;

/* Weights of both samples in the words of each lane. */
static inline __m256i weights_of(__m256i second)
{
    const __m256i first = _mm256_sub_epi32(_mm256_set1_epi32(256), second);
    return _mm256_or_si256(first, _mm256_slli_epi32(second, 16));
}

static inline __m256i gather(const uint8_t *from, __m256i offset)
{
    return _mm256_i32gather_epi32((const int *)(const void *)from, offset, 1);
}

/* Codes of 16-bit samples, two a lane. */
static inline __m256i codes(const reader *r, __m256i words)
{
    return _mm256_min_epu16(_mm256_srl_epi16(words, r->shift), r->peak);
}

/* Both samples of a row at each place: [0] of the plane's first component, [1] of its second. */
static inline void row_samples(const reader *r, __m256i column, __m256i row, __m256i out[2])
{
    const __m256i begin = _mm256_mullo_epi32(row, r->stride);
    if (r->bytes && r->pairs) {
        const __m256i four = gather(r->data, _mm256_add_epi32(begin, _mm256_slli_epi32(column, 1)));
        const __m256i low = _mm256_set1_epi32(0x00ff00ff);
        out[0] = _mm256_and_si256(four, low);
        out[1] = _mm256_and_si256(_mm256_srli_epi32(four, 8), low);
    } else if (r->bytes) {
        /* Where a row ends the load begins earlier. */
        const __m256i from = _mm256_min_epi32(column, _mm256_set1_epi32(r->last));
        const __m256i late = _mm256_slli_epi32(_mm256_sub_epi32(column, from), 3);
        const __m256i two = _mm256_srlv_epi32(gather(r->data, _mm256_add_epi32(begin, from)), late);
        out[0] = _mm256_or_si256(
            _mm256_and_si256(two, _mm256_set1_epi32(0xff)),
            _mm256_and_si256(_mm256_slli_epi32(two, 8), _mm256_set1_epi32(0xff0000)));
    } else if (r->pairs) {
        const __m256i at = _mm256_add_epi32(begin, _mm256_slli_epi32(column, 2));
        const __m256i left = codes(r, gather(r->data, at));
        const __m256i right = codes(r, gather(r->data + 4, at));
        const __m256i low = _mm256_set1_epi32(0xffff);
        out[0] = _mm256_or_si256(_mm256_and_si256(left, low), _mm256_slli_epi32(right, 16));
        out[1] = _mm256_or_si256(_mm256_srli_epi32(left, 16), _mm256_andnot_si256(low, right));
    } else {
        const __m256i at = _mm256_add_epi32(begin, _mm256_slli_epi32(column, 1));
        out[0] = codes(r, gather(r->data, at));
    }
}

/* Adds the bilinear samples at these places to the sums. */
static inline void add_samples(const reader *r, const places *p, __m256i sum[2])
{
    __m256i upper[2], lower[2];
    row_samples(r, p->column, p->row, upper);
    row_samples(r, p->column, p->next_row, lower);
    const __m256i weights = weights_of(p->weight_x);
    for (int i = 0; i < (r->pairs ? 2 : 1); i++) {
        const __m256i above = _mm256_madd_epi16(upper[i], weights);
        const __m256i under = _mm256_madd_epi16(lower[i], weights);
        const __m256i more = _mm256_mullo_epi32(_mm256_sub_epi32(under, above), p->weight_y);
        sum[i] = _mm256_add_epi32(sum[i], _mm256_add_epi32(_mm256_slli_epi32(above, 8), more));
    }
}

/* Mean of n x n samples of eight pixels, of `count` planes that lie at the same places; false: at a
 * seam. */
static inline bool mean(const reader *r, int count, const cells *c, const span spans[2],
                        int32_t bits, __m256 *out)
{
    const int32_t n = 1 << bits;
    const __m128i shift = _mm_cvtsi32_si128(2 * bits + 2);
    for (int i = 0; i < 3; i++)
        out[i] = _mm256_setzero_ps();
    for (int32_t b = 1; b < 2 * n; b += 2) {
        /* weighted = start + a * step: the reference's sum in another order. */
        __m256i weighted[2], step[2], sum[2][2];
        memset(sum, 0, sizeof(sum));
        for (int axis = 0; axis < 2; axis++) {
            const __m256i across =
                _mm256_add_epi32(times(c->right[axis], 2 * n - b),
                                 times(_mm256_sub_epi32(c->both[axis], c->below[axis]), b));
            weighted[axis] = _mm256_add_epi32(times(c->below[axis], 2 * n * b), across);
            step[axis] = _mm256_slli_epi32(across, 1);
        }
        for (int32_t a = 0; a < n; a++) {
            places p;
            __m256i at[2];
            for (int axis = 0; axis < 2; axis++) {
                at[axis] =
                    _mm256_add_epi32(c->corner[axis], _mm256_sra_epi32(weighted[axis], shift));
                weighted[axis] = _mm256_add_epi32(weighted[axis], step[axis]);
            }
            if (!neighbours(at[0], &spans[0], &p.column, &p.weight_x))
                return false;
            (void)neighbours(at[1], &spans[1], &p.row, &p.weight_y);
            p.next_row = _mm256_add_epi32(p.row, _mm256_set1_epi32(1));
            for (int i = 0; i < count; i++)
                add_samples(&r[i], &p, sum[i]);
        }
        for (int i = 0; i < count; i++)
            for (int j = 0; j < (r[i].pairs ? 2 : 1); j++)
                out[i + j] = _mm256_add_ps(out[i + j], _mm256_cvtepi32_ps(sum[i][j]));
    }
    const __m256 scale = _mm256_set1_ps(1.0F / (65536.0F * (float)(n * n)));
    for (int i = 0; i < 3; i++)
        out[i] = _mm256_mul_ps(out[i], scale);
    return true;
}

/* ---- colours ---- */

static inline __m256 dot(const float weights[4], const __m256 component[3])
{
    __m256 sum =
        _mm256_fmadd_ps(_mm256_set1_ps(weights[2]), component[2], _mm256_set1_ps(weights[3]));
    sum = _mm256_fmadd_ps(_mm256_set1_ps(weights[1]), component[1], sum);
    return _mm256_fmadd_ps(_mm256_set1_ps(weights[0]), component[0], sum);
}

static inline __m256 clip(__m256 value, float most)
{
    return _mm256_min_ps(_mm256_max_ps(value, _mm256_setzero_ps()), _mm256_set1_ps(most));
}

static inline __m256 tone(const float *table, __m256 code)
{
    const __m256 place = _mm256_mul_ps(code, _mm256_set1_ps((float)VRS_TONE_STEPS));
    const __m256i index =
        _mm256_min_epi32(_mm256_cvttps_epi32(place), _mm256_set1_epi32(VRS_TONE_STEPS - 1));
    const __m256 low = _mm256_i32gather_ps(table, index, 4);
    const __m256 high = _mm256_i32gather_ps(table + 1, index, 4);
    return _mm256_fmadd_ps(_mm256_sub_ps(place, _mm256_cvtepi32_ps(index)),
                           _mm256_sub_ps(high, low), low);
}

static void store_tensor(const vrs_preprocess_plan *plan, void *tensor, size_t pixel, size_t count,
                         float rgb[3][LANES])
{
    const size_t area = (size_t)plan->desc.width * (size_t)plan->desc.height;
    for (size_t c = 0; c < 3; c++) {
        for (size_t i = 0; i < count; i++)
            if (plan->desc.tensor == VRS_TENSOR_F32_NCHW)
                ((float *)tensor)[c * area + pixel + i] = rgb[c][i];
            else if (plan->desc.tensor == VRS_TENSOR_F32_NHWC)
                ((float *)tensor)[3 * (pixel + i) + c] = rgb[c][i];
            else
                ((uint8_t *)tensor)[3 * (pixel + i) + c] = (uint8_t)(rgb[c][i] + 0.5F);
    }
}

static void finish(const vrs_preprocess_plan *plan, const __m256 component[3], void *tensor,
                   uint8_t *luma, size_t pixel)
{
    float rgb[3][LANES], guide[LANES];
    const bool codes_wanted = plan->type == VRS_TENSOR_U8;
    for (int c = 0; c < 3; c++) {
        __m256 value = clip(dot(plan->matrix[c], component), 1.0F);
        if (plan->tone)
            value = tone(plan->tone_table, value);
        const float scale = codes_wanted ? 255.0F : plan->scale[c];
        const float bias = codes_wanted ? 0.0F : plan->bias[c];
        _mm256_storeu_ps(rgb[c],
                         _mm256_fmadd_ps(value, _mm256_set1_ps(scale), _mm256_set1_ps(bias)));
    }
    store_tensor(plan, tensor, pixel, LANES, rgb);
    if (luma != NULL) {
        _mm256_storeu_ps(guide, clip(dot(plan->luma, component), 255.0F));
        for (size_t i = 0; i < LANES; i++)
            luma[pixel + i] = (uint8_t)(guide[i] + 0.5F);
    }
}

/* ---- a view ---- */

typedef struct view {
    const vrs_preprocess_plan *plan;
    const vrs_warp *warp;
    reader luma, chroma[2];
    int chroma_planes; /* 0: gray, 1: UV together, 2: U and V */
    span luma_span[2], chroma_span[2];
} view;

static reader reader_of(const vrs_preprocess_plan *plan, const vrs_image *image,
                        const vrs_component *c)
{
    const int32_t bytes = plan->info->sample_bytes;
    return (reader){
        .data = image->planes[c->plane],
        .stride = _mm256_set1_epi32((int32_t)image->strides[c->plane]),
        .last = (int32_t)vrs_plane_row_bytes(image, c->plane) - 4,
        .shift = _mm_cvtsi32_si128(plan->info->sample_shift),
        .peak = _mm256_set1_epi16((int16_t)plan->peak),
        .bytes = bytes == 1,
        .pairs = c->step == 2,
    };
}

static void set_spans(const view *v, span spans[2], bool chroma)
{
    const vrs_rect *s = &v->warp->source;
    const int32_t half = chroma ? 1 : 0;
    const vrs_chroma_site site = v->plan->desc.color.chroma_site;
    spans[0] = (span){s->x >> half, (s->x + s->width - 1) >> half, half,
                      chroma && site != VRS_CHROMA_CENTER ? PIXEL / 4 : 0, v->warp->around != 0};
    spans[1] = (span){s->y >> half, (s->y + s->height - 1) >> half, half,
                      chroma && site == VRS_CHROMA_TOP_LEFT ? PIXEL / 4 : 0, false};
}

/* Planes of one component, or of U and V in turn; places in 31 bits, rows of four bytes at least.
 */
static bool fits(const vrs_preprocess_plan *plan, const vrs_image *image)
{
    bool good = plan->desc.tensor <= VRS_TENSOR_U8_NHWC && plan->channels == 3 &&
                (plan->components == 1 || plan->info->is_yuv);
    for (int p = 0; p < plan->info->planes && good; p++) {
        const int64_t stride = image->strides[p], rows = vrs_plane_height(image, p);
        const int64_t reach = (stride < 0 ? -stride : stride) * rows;
        good = reach <= INT32_MAX && vrs_plane_row_bytes(image, p) >= 4;
    }
    return good;
}

static bool eight(const view *v, void *tensor, uint8_t *luma, int32_t x, int32_t y)
{
    const cells c = load_cells(v->warp, v->plan->desc.width, x, y);
    const int32_t bits = v->warp->samples;
    __m256 first[3], rest[3], component[3];
    if (!mean(&v->luma, 1, &c, v->luma_span, bits, first))
        return false;
    component[0] = first[0];
    component[1] = component[2] = _mm256_setzero_ps();
    if (v->chroma_planes > 0) {
        if (!mean(v->chroma, v->chroma_planes, &c, v->chroma_span, bits > 0 ? bits - 1 : 0, rest))
            return false;
        component[1] = rest[0];
        component[2] = rest[1];
    }
    finish(v->plan, component, tensor, luma, (size_t)y * (size_t)v->plan->desc.width + (size_t)x);
    return true;
}

static void preprocess_warp(const vrs_preprocess_plan *plan, const vrs_warp *warp,
                            const vrs_image *image, void *tensor, uint8_t *luma)
{
    assert(image->width == plan->desc.image_width && image->height == plan->desc.image_height);
    const bool fast = fits(plan, image);
    view v = {.plan = plan, .warp = warp};
    if (fast) {
        v.luma = reader_of(plan, image, &plan->component[0]);
        set_spans(&v, v.luma_span, false);
        set_spans(&v, v.chroma_span, true);
        v.chroma_planes = plan->components == 1 ? 0 : (plan->info->planes == 2 ? 1 : 2);
        for (int i = 0; i < v.chroma_planes; i++)
            v.chroma[i] = reader_of(plan, image, &plan->component[1 + i]);
    }
    for (int32_t y = 0; y < plan->desc.height; y++) {
        for (int32_t x = 0; x < plan->desc.width; x += LANES) {
            const int32_t rest = plan->desc.width - x;
            if (!fast || rest < LANES || !eight(&v, tensor, luma, x, y)) {
                vrs_preprocess_warp_columns(plan, warp, image, tensor, luma, y, x,
                                            x + (rest < LANES ? rest : LANES));
            }
        }
    }
}

void vrs_kernels_fill_avx2_warp(vrs_kernels *table)
{
    table->preprocess_warp = preprocess_warp;
    table->patches = vrs_avx2_patches;
}
