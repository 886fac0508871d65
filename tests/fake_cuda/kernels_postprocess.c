/* The postprocess kernels of src/kernels/cuda/ in C: each walks the views of its parameters and
 * calls the reference. Addresses in the parameters are what this process can read while a kernel
 * runs. The number of views is the grid's depth where the parameters do not hold it. */
#include "fake_cuda/kernels_postprocess.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/params_postprocess.h"
#include "kernels/kernels.h"
#include "kernels/reference/postprocess.h"

static void *at(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

/* Zeroed, 64-byte aligned memory; the process ends where there is none. */
static void *take(size_t bytes)
{
    void *block = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (block == NULL) {
        fprintf(stderr, "fake_cuda: no memory for a kernel\n");
        abort();
    }
    memset(block, 0, (bytes + 127) / 64 * 64);
    return block;
}

static const vrs_kernels *reference(void)
{
    return vrs_kernels_get(VRS_ISA_REFERENCE);
}

/* IEEE binary16 to float. */
static float from_half(uint16_t h)
{
    const int exponent = h >> 10 & 31, mantissa = h & 1023;
    const float sign = (h & 0x8000) != 0 ? -1.0f : 1.0f;
    if (exponent == 31)
        return mantissa != 0 ? NAN : sign * INFINITY;
    return sign * (exponent == 0 ? ldexpf((float)mantissa, -24)
                                 : ldexpf((float)(mantissa + 1024), exponent - 25));
}

/* Scores as dense planes of floats. */
static float *dense_scores(uint64_t address, bool half, int32_t classes, int32_t width,
                           int32_t height, const int64_t stride[3])
{
    float *scores = take((size_t)classes * (size_t)width * (size_t)height * sizeof(float));
    float *to = scores;
    for (int32_t c = 0; c < classes; c++) {
        for (int32_t y = 0; y < height; y++) {
            for (int32_t x = 0; x < width; x++) {
                const int64_t i = c * stride[0] + y * stride[1] + x * stride[2];
                *to++ = half ? from_half(((const uint16_t *)at(address))[i])
                             : ((const float *)at(address))[i];
            }
        }
    }
    return scores;
}

static vrs_scores describe(const float *data, int32_t classes, int32_t width, int32_t height)
{
    return (vrs_scores){.data = data,
                        .classes = classes,
                        .width = width,
                        .height = height,
                        .class_stride = (ptrdiff_t)width * height,
                        .row_stride = width,
                        .column_stride = 1};
}

/* What follows a mask's making. `past`: the mask before it in the chain, NULL at the first. */
static void finish(const vrs_post_smooth *m, int16_t *mask, int16_t *past, int32_t weight,
                   int32_t width, int32_t height)
{
    const size_t pixels = (size_t)width * (size_t)height;
    if (m->state_out != 0 && past != NULL && !m->restart) {
        int16_t *state = take(pixels * sizeof(*state));
        memcpy(state, past, pixels * sizeof(*state));
        reference()->smooth(state, mask, pixels, (int16_t)weight);
        free(state);
    }
    if (m->state_out != 0 && m->next < 0)
        memcpy(at(m->state_out), mask, pixels * sizeof(*mask));
    if (m->sum == 0)
        return;
    for (int32_t y = m->y; y < m->y + m->height; y++)
        for (int32_t x = m->x; x < m->x + m->width; x++)
            *(uint64_t *)at(m->sum) += (uint64_t)mask[(size_t)y * (size_t)width + (size_t)x];
}

static int16_t *first_past(const vrs_post_smooth *m)
{
    return m->state_out != 0 && m->state_in != 0 ? at(m->state_in) : NULL;
}

void fake_vrs_person(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    const vrs_person_params *p = params;
    const int64_t stride[3] = {p->class_stride, p->row_stride, p->column_stride};
    for (uint32_t chain = 0; chain < grid[2]; chain++) {
        int16_t *past = first_past(&p->view[p->chain[chain]].smooth);
        for (int32_t v = p->chain[chain]; v >= 0; v = p->view[v].smooth.next) {
            float *data = dense_scores(p->view[v].scores, p->half != 0, p->classes, p->width,
                                       p->height, stride);
            vrs_scores scores = describe(data, p->classes, p->width, p->height);
            scores.activation = (vrs_activation)p->activation;
            scores.person_classes = p->person_classes;
            int16_t *mask = at(p->view[v].mask);
            reference()->person(&scores, mask, p->width);
            finish(&p->view[v].smooth, mask, past, p->weight, p->width, p->height);
            past = mask;
            free(data);
        }
    }
}

void fake_vrs_person_enlarge(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    const vrs_person_enlarge_params *all = params;
    const vrs_person_params *p = &all->person;
    const int64_t stride[3] = {p->class_stride, p->row_stride, p->column_stride};
    vrs_upsample up;
    void *tables = take(vrs_upsample_storage(p->width, p->height));
    vrs_upsample_init(&up, all->source_width, all->source_height, p->width, p->height, tables);
    float *large = take((size_t)p->classes * (size_t)p->width * (size_t)p->height * sizeof(*large));
    for (uint32_t chain = 0; chain < grid[2]; chain++) {
        int16_t *past = first_past(&p->view[p->chain[chain]].smooth);
        for (int32_t v = p->chain[chain]; v >= 0; v = p->view[v].smooth.next) {
            float *data = dense_scores(p->view[v].scores, p->half != 0, p->classes,
                                       all->source_width, all->source_height, stride);
            vrs_scores small = describe(data, p->classes, all->source_width, all->source_height);
            vrs_reference_enlarge(&up, &small, large);
            vrs_scores scores = describe(large, p->classes, p->width, p->height);
            scores.activation = (vrs_activation)p->activation;
            scores.person_classes = p->person_classes;
            int16_t *mask = at(p->view[v].mask);
            reference()->person(&scores, mask, p->width);
            finish(&p->view[v].smooth, mask, past, p->weight, p->width, p->height);
            past = mask;
            free(data);
        }
    }
    free(large);
    free(tables);
}

void fake_vrs_person_enlarge_many(const void *params, const uint32_t grid[3],
                                  const uint32_t block[3])
{
    fake_vrs_person_enlarge(params, grid, block);
}

void fake_vrs_enlarge(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    const vrs_enlarge_params *p = params;
    const int64_t stride[3] = {p->class_stride, p->row_stride, p->column_stride};
    vrs_upsample up;
    void *tables = take(vrs_upsample_storage(p->width, p->height));
    vrs_upsample_init(&up, p->source_width, p->source_height, p->width, p->height, tables);
    for (uint32_t v = 0; v < grid[2]; v++) {
        float *data = dense_scores(p->view[v].scores, p->half != 0, p->classes, p->source_width,
                                   p->source_height, stride);
        vrs_scores small = describe(data, p->classes, p->source_width, p->source_height);
        vrs_reference_enlarge(&up, &small, at(p->view[v].dst));
        free(data);
    }
    free(tables);
}

void fake_vrs_mask_resize(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    const vrs_mask_resize_params *p = params;
    vrs_upsample up;
    void *tables = take(vrs_upsample_storage(p->width, p->height));
    vrs_upsample_init(&up, p->source_width, p->source_height, p->width, p->height, tables);
    int16_t *scratch = take(2 * ((size_t)p->width + 64) * sizeof(*scratch));
    for (uint32_t chain = 0; chain < grid[2]; chain++) {
        int16_t *past = first_past(&p->view[p->chain[chain]].smooth);
        for (int32_t v = p->chain[chain]; v >= 0; v = p->view[v].smooth.next) {
            int16_t *mask = at(p->view[v].mask);
            reference()->upsample(&up, at(p->view[v].source), p->source_stride, 0, p->height, mask,
                                  p->width, scratch);
            finish(&p->view[v].smooth, mask, past, p->weight, p->width, p->height);
            past = mask;
        }
    }
    free(scratch);
    free(tables);
}

/* Coefficients of all views; slope and offset side by side. */
static void guided(const vrs_guided_params *p, uint32_t views)
{
    const size_t pixels = (size_t)p->width * (size_t)p->height;
    float *slope = take(pixels * sizeof(*slope)), *offset = take(pixels * sizeof(*offset));
    void *scratch = take(vrs_guided_scratch(p->width, p->height));
    for (uint32_t v = 0; v < views; v++) {
        const vrs_guided g = {
            p->width, p->height, at(p->view[v].mask), p->width, at(p->view[v].guide),
            p->width, p->radius, p->epsilon,          slope,    offset};
        reference()->guided(&g, scratch);
        float *to = at(p->view[v].coefficients);
        for (size_t i = 0; i < pixels; i++) {
            to[2 * i] = slope[i];
            to[2 * i + 1] = offset[i];
        }
    }
    free(slope);
    free(offset);
    free(scratch);
}

void fake_vrs_guided(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    guided(params, grid[2]);
}

/* The reference does both steps at once: in the second, as its inputs are still there. */
void fake_vrs_guided_solve(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)params;
    (void)grid;
    (void)block;
}

void fake_vrs_guided_mean(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    guided(params, grid[2]);
}

void fake_vrs_guided_solve_near(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    fake_vrs_guided_solve(params, grid, block);
}

void fake_vrs_guided_mean_near(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    fake_vrs_guided_mean(params, grid, block);
}

/* 8-bit luma of RGB: as src/pipeline/render.c makes it. */
static uint8_t *rgb_luma(const vrs_render_view *v)
{
    const bool bgra = (v->flags & VRS_POST_SRC_BGRA) != 0;
    uint8_t *luma = take((size_t)v->width * (size_t)v->height);
    for (int32_t y = 0; y < v->height; y++) {
        for (int32_t x = 0; x < v->width; x++) {
            const uint8_t *s = (const uint8_t *)at(v->src[0]) + (ptrdiff_t)y * v->src_stride[0] +
                               (ptrdiff_t)x * (bgra ? 4 : 3);
            luma[(size_t)y * (size_t)v->width + (size_t)x] =
                (uint8_t)((13933 * s[bgra ? 2 : 0] + 46871 * s[1] + 4732 * s[bgra ? 0 : 2] +
                           32768) >>
                          16);
        }
    }
    return luma;
}

static vrs_luma describe_luma(const vrs_render_view *v, const uint8_t *made)
{
    const bool deep = (v->flags & VRS_POST_SRC_DEEP) != 0;
    vrs_luma luma = {at(v->src[0]), v->src_stride[0],
                     deep ? 2 : 1,  (v->flags & VRS_POST_SRC_HIGH) != 0 ? 6 : 0,
                     v->luma_scale, v->luma_offset};
    if (made != NULL) {
        luma.data = made;
        luma.stride = v->width;
    }
    return luma;
}

static void refine(const vrs_render_view *v, const vrs_upsample *up, int16_t *alpha)
{
    const size_t count = (size_t)v->mask_width * (size_t)v->mask_height;
    float *slope = take(count * sizeof(float)), *offset = take(count * sizeof(float));
    float *scratch = take(4 * ((size_t)v->width + 64) * sizeof(float));
    const bool rgb = (v->flags & (VRS_POST_SRC_RGB | VRS_POST_SRC_BGRA)) != 0;
    uint8_t *made = rgb ? rgb_luma(v) : NULL;
    for (int32_t y = 0; y < v->mask_height; y++) {
        for (int32_t x = 0; x < v->mask_width; x++) {
            const float *from =
                (const float *)at(v->mask) + 2 * ((ptrdiff_t)y * v->mask_stride + x);
            slope[(ptrdiff_t)y * v->mask_width + x] = from[0];
            offset[(ptrdiff_t)y * v->mask_width + x] = from[1];
        }
    }
    const vrs_luma luma = describe_luma(v, made);
    reference()->refine(up, slope, offset, v->mask_width, &luma, 0, v->height, alpha, v->width,
                        scratch);
    free(slope);
    free(offset);
    free(scratch);
    free(made);
}

/* The mask of a view at its full size, after the threshold. */
static int16_t *render_alpha(const vrs_render_params *p, const vrs_render_view *v)
{
    const size_t pixels = (size_t)v->width * (size_t)v->height;
    int16_t *alpha = take(pixels * sizeof(*alpha));
    vrs_upsample up;
    void *tables = take(vrs_upsample_storage(v->width, v->height));
    int16_t *scratch = take(2 * ((size_t)v->width + 64) * sizeof(*scratch));
    if (v->mask_kind == VRS_POST_MASK_SMALL || v->mask_kind == VRS_POST_MASK_REFINE)
        vrs_upsample_init(&up, v->mask_width, v->mask_height, v->width, v->height, tables);
    if (v->mask_kind == VRS_POST_MASK_SMALL)
        reference()->upsample(&up, at(v->mask), v->mask_stride, 0, v->height, alpha, v->width,
                              scratch);
    else if (v->mask_kind == VRS_POST_MASK_REFINE)
        refine(v, &up, alpha);
    for (int32_t y = 0; y < v->height && v->mask_kind == VRS_POST_MASK_FULL; y++)
        memcpy(alpha + (ptrdiff_t)y * v->width,
               (const int16_t *)at(v->mask) + (ptrdiff_t)y * v->mask_stride,
               (size_t)v->width * sizeof(*alpha));
    if (p->threshold > 0)
        reference()->threshold(alpha, pixels, (int16_t)p->threshold);
    free(scratch);
    free(tables);
    return alpha;
}

/* Row y of a plane, `bytes` from its left edge. */
static void *row_of(uint64_t plane, int32_t stride, int32_t y)
{
    return (uint8_t *)at(plane) + (ptrdiff_t)y * stride;
}

static void store_row(const vrs_render_view *v, int plane, int32_t y, const int16_t *alpha)
{
    void *dst = row_of(v->dst[plane], v->dst_stride[plane], y);
    if ((v->flags & VRS_POST_DST_DEEP) == 0) {
        reference()->store8(alpha, dst, (size_t)v->width);
        return;
    }
    reference()->store10(alpha, dst, (size_t)v->width);
    for (int32_t x = 0; x < v->width && (v->flags & VRS_POST_DST_HIGH) != 0; x++)
        ((uint16_t *)dst)[x] = (uint16_t)(((uint16_t *)dst)[x] << 6);
}

/* Samples of a row, `step` apart, to a row with its own step; `alpha` for each. */
static void blend_row(const vrs_render_view *v, const void *src, int32_t src_step, void *dst,
                      int32_t dst_step, const int16_t *alpha, int32_t n, uint16_t background)
{
    const int32_t shift = (v->flags & VRS_POST_SRC_HIGH) != 0 ? 6 : 0;
    for (int32_t i = 0; i < n; i++) {
        if ((v->flags & VRS_POST_SRC_DEEP) == 0) {
            reference()->blend8((const uint8_t *)src + (ptrdiff_t)i * src_step, alpha + i,
                                (uint8_t *)dst + (ptrdiff_t)i * dst_step, 1, (uint8_t)background);
            continue;
        }
        uint16_t *to = (uint16_t *)dst + (ptrdiff_t)i * dst_step;
        reference()->blend10((const uint16_t *)src + (ptrdiff_t)i * src_step, alpha + i, to, 1,
                             background, shift);
        if ((v->flags & VRS_POST_DST_HIGH) != 0)
            *to = (uint16_t)(*to << 6);
    }
}

static void blend_chroma(const vrs_render_view *v, int32_t y, const int16_t *alpha)
{
    const bool from_pairs = (v->flags & VRS_POST_SRC_PAIRED) != 0;
    const bool to_pairs = (v->flags & VRS_POST_DST_PAIRED) != 0;
    const ptrdiff_t src_bytes = (v->flags & VRS_POST_SRC_DEEP) != 0 ? 2 : 1;
    const ptrdiff_t dst_bytes = (v->flags & VRS_POST_DST_DEEP) != 0 ? 2 : 1;
    for (int c = 0; c < 2; c++) {
        const int from = from_pairs ? 1 : 1 + c, to = to_pairs ? 1 : 1 + c;
        const uint8_t *src = row_of(v->src[from], v->src_stride[from], y);
        uint8_t *dst = row_of(v->dst[to], v->dst_stride[to], y);
        blend_row(v, src + (from_pairs ? c * src_bytes : 0), from_pairs ? 2 : 1,
                  dst + (to_pairs ? c * dst_bytes : 0), to_pairs ? 2 : 1, alpha, (v->width + 1) / 2,
                  v->background[1 + c]);
    }
}

static void compose(const vrs_render_view *v, int16_t *alpha)
{
    const size_t width = (size_t)v->width;
    int16_t *chroma = take((width + 1) * sizeof(*chroma));
    if (v->output == VRS_POST_CUTOUT)
        reference()->threshold(alpha, width * (size_t)v->height, 1);
    for (int32_t y = 0; y < v->height; y++) {
        const int16_t *row = alpha + (ptrdiff_t)y * v->width;
        blend_row(v, row_of(v->src[0], v->src_stride[0], y), 1,
                  row_of(v->dst[0], v->dst_stride[0], y), 1, row, v->width, v->background[0]);
        if (y % 2 != 0)
            continue;
        reference()->chroma_alpha(row, y + 1 < v->height ? row + width : row, chroma, v->width);
        blend_chroma(v, y / 2, chroma);
    }
    free(chroma);
}

void fake_vrs_render(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    const vrs_render_params *p = params;
    for (uint32_t i = 0; i < grid[2]; i++) {
        const vrs_render_view *v = &p->view[i];
        int16_t *alpha = render_alpha(p, v);
        for (int32_t y = 0; y < v->height; y++) {
            const int16_t *row = alpha + (ptrdiff_t)y * v->width;
            if (v->output == VRS_POST_ALPHA)
                memcpy(row_of(v->dst[0], v->dst_stride[0], y), row,
                       (size_t)v->width * sizeof(*row));
            else if (v->output == VRS_POST_GRAY)
                store_row(v, 0, y, row);
            else if (v->output == VRS_POST_CUTOUT)
                store_row(v, 3, y, row);
        }
        if (v->output >= VRS_POST_COMPOSITE)
            compose(v, alpha);
        free(alpha);
    }
}

/* One box by its definition: the sum over the square, edges repeated. */
void fake_vrs_box(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    const vrs_box_params *p = params;
    const int32_t side = 2 * p->radius + 1, area = side * side;
    for (uint32_t i = 0; i < grid[2]; i++) {
        const vrs_box_view *v = &p->view[i];
        int64_t *columns = take((size_t)v->width * sizeof(*columns));
        for (int32_t y = 0; y < v->height; y++) {
            memset(columns, 0, (size_t)v->width * sizeof(*columns));
            for (int32_t r = y - p->radius; r <= y + p->radius; r++) {
                const int32_t inside = r < 0 ? 0 : r >= v->height ? v->height - 1 : r;
                const int16_t *row =
                    (const int16_t *)at(v->src) + (ptrdiff_t)inside * v->src_stride;
                for (int32_t x = 0; x < v->width; x++)
                    columns[x] += row[x];
            }
            int16_t *dst = (int16_t *)at(v->dst) + (ptrdiff_t)y * v->dst_stride;
            for (int32_t x = 0; x < v->width; x++) {
                int64_t sum = area / 2;
                for (int32_t c = x - p->radius; c <= x + p->radius; c++)
                    sum += columns[c < 0 ? 0 : c >= v->width ? v->width - 1 : c];
                dst[x] = (int16_t)(sum / area);
            }
        }
        free(columns);
    }
}

void fake_vrs_box_near(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    fake_vrs_box(params, grid, block);
}

void fake_vrs_classes(const void *params, const uint32_t grid[3], const uint32_t block[3])
{
    (void)block;
    const vrs_classes_params *p = params;
    for (uint32_t i = 0; i < grid[2]; i++) {
        const vrs_classes_view *v = &p->view[i];
        const int64_t stride[3] = {v->class_stride, v->row_stride, v->column_stride};
        float *data = dense_scores(v->scores, p->half != 0, p->classes, v->region_width,
                                   v->region_height, stride);
        const vrs_scores scores = describe(data, p->classes, v->region_width, v->region_height);
        vrs_upsample up;
        void *tables = take(vrs_upsample_storage(v->width, v->height));
        float *scratch = take(3 * 32 * ((size_t)v->width + 16) * sizeof(*scratch));
        vrs_upsample_init(&up, v->region_width, v->region_height, v->width, v->height, tables);
        reference()->classes(&up, &scores, 0, v->height, at(v->dst), v->dst_stride, scratch);
        free(data);
        free(tables);
        free(scratch);
    }
}

/* Kernels for special cases give what the general one gives. */
#define SAME_AS(general, name)                                                            \
    void fake_##name(const void *params, const uint32_t grid[3], const uint32_t block[3]) \
    {                                                                                     \
        fake_##general(params, grid, block);                                              \
    }
SAME_AS(vrs_person, vrs_person_planes)
SAME_AS(vrs_person, vrs_person_softmax)
SAME_AS(vrs_person, vrs_person_pixels)
SAME_AS(vrs_render, vrs_render_mask)
SAME_AS(vrs_render, vrs_render_mask_refined)
SAME_AS(vrs_render, vrs_render_picture)
SAME_AS(vrs_render, vrs_render_picture_refined)
