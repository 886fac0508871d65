/* The CUDA postprocess kernels against the C reference: on the device that is there, or on
 * fake_cuda, where it is the launches that are tested. Sizes are small and ugly, outputs poisoned,
 * padding and guard bands compared too. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_cuda/kernels_postprocess.h"
#include "image/format.h"
#include "kernels/cuda/postprocess_launch.h"
#include "kernels/cuda_fixture.h"
#include "kernels/kernels.h"

static vrs_cuda_postprocess kernels;

typedef struct rng {
    uint64_t state;
} rng;

static uint32_t next(rng *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return (uint32_t)((r->state * UINT64_C(2685821657736338717)) >> 32);
}

static int32_t in(rng *r, int32_t low, int32_t high)
{
    return low + (int32_t)(next(r) % (uint32_t)(high - low + 1));
}

static void fill_q15(int16_t *q15, size_t n, rng *r)
{
    const int kind = in(r, 0, 3);
    for (size_t i = 0; i < n; i++)
        q15[i] = (int16_t)(kind == 0   ? (next(r) & 1) * VRS_Q15_ONE
                           : kind == 1 ? (i % 7 < 3) * VRS_Q15_ONE
                                       : (int32_t)(next(r) & 0x7fff));
}

static const int32_t sizes[][2] = {{1, 1},   {17, 9},  {2, 2},   {3, 5},   {64, 8},   {60, 33},
                                   {61, 34}, {130, 3}, {257, 5}, {8, 130}, {120, 64}, {31, 70}};
#define SIZES 12

/* binary16 of a float that one can hold, or the traps. */
static uint16_t to_half(float value)
{
    if (isnan(value))
        return 0x7e00;
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    const float size = fabsf(value);
    if (size > 65504)
        return sign | 0x7c00;
    if (size < 0x1p-14f)
        return sign | (uint16_t)lrintf(ldexpf(size, 24));
    int exponent;
    const float mantissa = frexpf(size, &exponent);
    const long code = lrintf(ldexpf(mantissa, 11));
    return sign | (uint16_t)(((exponent + 13) << 10) + (int)code);
}

/* Scores of a batch and the masks that are made of them. */
typedef struct person_case {
    vrs_person_params device, host;
    cuda_block scores[VRS_POST_VIEWS], mask[VRS_POST_VIEWS], state_in[VRS_POST_VIEWS],
        state_out[VRS_POST_VIEWS], sum[VRS_POST_VIEWS];
    int32_t count;
} person_case;

static void set_score(void *scores, bool half, size_t i, float value)
{
    if (half)
        ((uint16_t *)scores)[i] = to_half(value);
    else
        ((float *)scores)[i] = value;
}

static float score_value(rng *r, float spread, bool hostile)
{
    static const float traps[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 88.9f, -104, 0, 1e-40f};
    if (hostile && in(r, 0, 19) == 0)
        return traps[in(r, 0, 8)];
    return (float)in(r, -1000000, 1000000) * 1e-6f * spread;
}

/* Strides of NCHW, NHWC, and padded forms of both. Returns the elements of a view. */
static size_t person_strides(vrs_person_params *p, int layout)
{
    const int64_t w = p->width, h = p->height, c = p->classes;
    const int64_t gap = layout % 2 == 0 ? 0 : 4;
    if (layout < 2) {
        p->column_stride = 1;
        p->row_stride = w + gap;
        p->class_stride = p->row_stride * h + gap;
        return (size_t)(p->class_stride * c);
    }
    p->class_stride = 1;
    p->column_stride = c + (layout == 4 ? 3 : 0);
    p->row_stride = p->column_stride * w + gap;
    return (size_t)(p->row_stride * h);
}

static void smooth_of(person_case *t, vrs_post_smooth *s, int32_t v, bool host)
{
    const cuda_block *blocks[3] = {&t->state_in[v], &t->state_out[v], &t->sum[v]};
    uint64_t address[3];
    for (int i = 0; i < 3; i++)
        address[i] = blocks[i]->host == NULL ? 0
                     : host                  ? (uint64_t)(uintptr_t)cuda_block_host(blocks[i])
                                             : cuda_block_device(blocks[i]);
    s->state_in = address[0];
    s->state_out = address[1];
    s->sum = address[2];
}

/* A view's blocks; state and sum now and then. `chains`: views of one stream. */
static void person_view(person_case *t, int32_t v, size_t elements, bool chains, rng *r)
{
    const size_t pixels = (size_t)t->host.width * (size_t)t->host.height;
    const bool half = t->host.half != 0;
    t->scores[v] = cuda_block_make(elements * (half ? 2 : 4));
    const float spread = (float[]){0.7f, 6, 40, 2000}[in(r, 0, 3)];
    const bool hostile = in(r, 0, 1) == 0;
    for (size_t i = 0; i < elements; i++)
        set_score(cuda_block_host(&t->scores[v]), half, i, score_value(r, spread, hostile));
    t->mask[v] = cuda_block_make(pixels * 2);
    const bool smooths = chains || in(r, 0, 2) == 0;
    if (smooths && in(r, 0, 3) > 0) {
        t->state_in[v] = cuda_block_make(pixels * 2);
        fill_q15(cuda_block_host(&t->state_in[v]), pixels, r);
        cuda_block_upload(&t->state_in[v]);
    }
    if (smooths)
        t->state_out[v] = cuda_block_make(pixels * 2);
    if (in(r, 0, 1) == 0) {
        t->sum[v] = cuda_block_make(8);
        memset(cuda_block_host(&t->sum[v]), 0, 8);
        cuda_block_upload(&t->sum[v]);
    }
    vrs_post_smooth s = {.next = chains && v + 2 < t->count ? v + 2 : -1,
                         .restart = in(r, 0, 4) == 0,
                         .x = in(r, 0, t->host.width - 1),
                         .y = in(r, 0, t->host.height - 1)};
    s.width = in(r, 1, t->host.width - s.x);
    s.height = in(r, 1, t->host.height - s.y);
    t->host.view[v].smooth = s;
    smooth_of(t, &t->host.view[v].smooth, v, true);
    t->host.view[v].scores = (uint64_t)(uintptr_t)cuda_block_host(&t->scores[v]);
    t->host.view[v].mask = (uint64_t)(uintptr_t)cuda_block_host(&t->mask[v]);
    t->device.view[v].smooth = s;
    smooth_of(t, &t->device.view[v].smooth, v, false);
    t->device.view[v].scores = cuda_block_device(&t->scores[v]);
    t->device.view[v].mask = cuda_block_device(&t->mask[v]);
    cuda_block_upload(&t->scores[v]);
}

static void compare_q15(const cuda_block *block, int32_t within, const char *what)
{
    const int16_t *got = cuda_block_result(block, what), *expected = cuda_block_host(block);
    for (size_t i = 0; i < block->bytes / 2; i++)
        if (abs(got[i] - expected[i]) > within)
            fail_msg("%s: %d instead of %d at %zu", what, got[i], expected[i], i);
}

/* Exact kernels give the same state and sum; after `person` each pixel may differ by 1. */
static void compare_person(person_case *t, int32_t within, const char *what)
{
    for (int32_t v = 0; v < t->count; v++) {
        compare_q15(&t->mask[v], within, what);
        if (t->state_out[v].host != NULL && t->host.view[v].smooth.next < 0)
            compare_q15(&t->state_out[v], within, what);
        if (t->sum[v].host == NULL)
            continue;
        const uint64_t got = *(const uint64_t *)cuda_block_result(&t->sum[v], what);
        const uint64_t expected = *(const uint64_t *)cuda_block_host(&t->sum[v]);
        const vrs_post_smooth *s = &t->host.view[v].smooth;
        const int64_t most = (int64_t)within * s->width * s->height;
        if (llabs((long long)(got - expected)) > most)
            fail_msg("%s: a sum of %llu instead of %llu", what, (unsigned long long)got,
                     (unsigned long long)expected);
    }
}

static void person_free(person_case *t)
{
    for (int32_t v = 0; v < t->count; v++) {
        cuda_block_free(&t->scores[v]);
        cuda_block_free(&t->mask[v]);
        cuda_block_free(&t->state_in[v]);
        cuda_block_free(&t->state_out[v]);
        cuda_block_free(&t->sum[v]);
    }
}

static void run_person(int32_t index, rng *r)
{
    static const int32_t classes[] = {1, 2, 8, 9, 21, 32};
    person_case t = {.count = index % 5 == 0 ? 16 : in(r, 1, 3)};
    const int32_t *size = sizes[index % SIZES];
    vrs_person_params p = {.classes = classes[in(r, 0, 5)],
                           .width = size[0],
                           .height = size[1],
                           .person_classes = next(r),
                           .activation = in(r, 0, 3),
                           .half = in(r, 0, 1),
                           .weight = in(r, 0, VRS_Q15_ONE)};
    const int layout = in(r, 0, 4);
    const size_t elements = person_strides(&p, layout);
    const bool chains = in(r, 0, 1) == 0;
    t.host = t.device = p;
    for (int32_t v = 0; v < t.count; v++)
        person_view(&t, v, elements, chains, r);
    assert_int_equal(vrs_cuda_person(&kernels, cuda_fixture_stream(), &t.device, t.count), VRS_OK);
    memcpy(t.host.chain, t.device.chain, sizeof(t.host.chain));
    uint32_t heads = chains ? (t.count < 2 ? 1U : 2U) : (uint32_t)t.count;
    fake_vrs_person(&t.host, (uint32_t[3]){1, 1, heads}, (uint32_t[3]){1, 1, 1});
    char what[128];
    (void)snprintf(what, sizeof(what), "person %d: %dx%dx%d, activation %d, layout %d, half %d",
                   index, p.width, p.height, p.classes, p.activation, layout, p.half);
    compare_person(&t, 1, what);
    person_free(&t);
}

static void test_person(void **state)
{
    (void)state;
    rng r = {1};
    for (int32_t i = 0; i < 300; i++)
        run_person(i, &r);
}

static void run_resize(int32_t index, rng *r)
{
    person_case t = {.count = in(r, 1, 4)};
    const int32_t *from = sizes[in(r, 0, SIZES - 1)], *to = sizes[index % SIZES];
    t.host.width = to[0];
    t.host.height = to[1];
    t.host.half = 1; /* 2 bytes an element */
    const int32_t stride = from[0] + in(r, 0, 3);
    vrs_mask_resize_params device = {.source_stride = stride,
                                     .source_width = from[0],
                                     .source_height = from[1],
                                     .width = to[0],
                                     .height = to[1],
                                     .weight = in(r, 0, VRS_Q15_ONE)};
    vrs_mask_resize_params host = device;
    const bool chains = in(r, 0, 1) == 0;
    for (int32_t v = 0; v < t.count; v++) {
        person_view(&t, v, (size_t)stride * (size_t)from[1], chains, r);
        fill_q15(cuda_block_host(&t.scores[v]), (size_t)stride * (size_t)from[1], r);
        cuda_block_upload(&t.scores[v]);
        memcpy(&device.view[v], &t.device.view[v], sizeof(device.view[v]));
        memcpy(&host.view[v], &t.host.view[v], sizeof(host.view[v]));
    }
    assert_int_equal(vrs_cuda_mask_resize(&kernels, cuda_fixture_stream(), &device, t.count),
                     VRS_OK);
    memcpy(host.chain, device.chain, sizeof(host.chain));
    uint32_t heads = chains ? (t.count < 2 ? 1U : 2U) : (uint32_t)t.count;
    fake_vrs_mask_resize(&host, (uint32_t[3]){1, 1, heads}, (uint32_t[3]){1, 1, 1});
    compare_person(&t, 0, "mask_resize");
    person_free(&t);
}

static void test_mask_resize(void **state)
{
    (void)state;
    rng r = {2};
    for (int32_t i = 0; i < 150; i++)
        run_resize(i, &r);
}

static void compare_floats(const cuda_block *block, double within, const char *what)
{
    const float *got = cuda_block_result(block, what), *expected = cuda_block_host(block);
    for (size_t i = 0; i < block->bytes / sizeof(float); i++)
        if (!(fabs((double)got[i] - (double)expected[i]) <= within))
            fail_msg("%s: %.9g instead of %.9g at %zu, further than %g", what, (double)got[i],
                     (double)expected[i], i, within);
}

/* Noise, or an edge with noise, or constant: all variances are met. */
static void fill_guide(uint8_t *guide, int16_t *mask, int32_t width, int32_t height, rng *r)
{
    const int kind = in(r, 0, 2);
    fill_q15(mask, (size_t)width * (size_t)height, r);
    for (int32_t y = 0; y < height; y++) {
        for (int32_t x = 0; x < width; x++) {
            const int32_t i = y * width + x;
            const uint8_t noise = (uint8_t)next(r);
            guide[i] = kind == 0   ? noise
                       : kind == 1 ? (uint8_t)((x > y ? 180 : 40) + noise / 16)
                                   : 77;
            if (kind == 1)
                mask[i] = (int16_t)((x > y ? 28000 : 0) + mask[i] / 8);
        }
    }
}

static void run_guided(int32_t index, int32_t radius, rng *r)
{
    const int32_t width = sizes[index % SIZES][0], height = sizes[index % SIZES][1];
    const int32_t count = in(r, 1, 3);
    const size_t pixels = (size_t)width * (size_t)height;
    const float epsilon = (float[]){5e-4f, 1e-6f, 1}[in(r, 0, 2)];
    vrs_guided_params device = {.width = width,
                                .height = height,
                                .radius = radius,
                                .epsilon = epsilon,
                                .rows = in(r, 0, 1) * in(r, 1, 40)};
    vrs_guided_params host = device;
    cuda_block block[VRS_POST_VIEWS][4];
    for (int32_t v = 0; v < count; v++) {
        const size_t bytes[4] = {pixels * 2, pixels, pixels * 8, pixels * 8};
        for (int i = 0; i < 4; i++)
            block[v][i] = cuda_block_make(bytes[i]);
        fill_guide(cuda_block_host(&block[v][1]), cuda_block_host(&block[v][0]), width, height, r);
        cuda_block_upload(&block[v][0]);
        cuda_block_upload(&block[v][1]);
        uint64_t *to = &device.view[v].mask, *reference = &host.view[v].mask;
        for (int i = 0; i < 4; i++) {
            to[i] = cuda_block_device(&block[v][i]);
            reference[i] = (uint64_t)(uintptr_t)cuda_block_host(&block[v][i]);
        }
    }
    assert_int_equal(vrs_cuda_guided(&kernels, cuda_fixture_stream(), &device, count), VRS_OK);
    fake_vrs_guided(&host, (uint32_t[3]){1, 1, (uint32_t)count}, (uint32_t[3]){1, 1, 1});
    const double largest = 0.25 / sqrt((double)epsilon);
    char what[96];
    (void)snprintf(what, sizeof(what), "guided: %dx%d, radius %d, epsilon %g", width, height,
                   radius, (double)epsilon);
    for (int32_t v = 0; v < count; v++) {
        compare_floats(&block[v][3], 1e-5 * (largest > 1 ? largest : 1), what);
        for (int i = 0; i < 4; i++)
            cuda_block_free(&block[v][i]);
    }
}

static void test_guided(void **state)
{
    (void)state;
    rng r = {3};
    const int32_t radii[] = {1, 1, 1, 0, 2, 3, 16, 64};
    for (int32_t i = 0; i < 8 * SIZES; i++)
        run_guided(i, radii[i / SIZES], &r);
}

/* Planes of a picture in one block, any strides; the offset of each plane's row 0. */
typedef struct picture {
    cuda_block block;
    vrs_image image; /* without addresses */
    size_t at[VRS_MAX_PLANES];
} picture;

static picture picture_make(vrs_pixel_format format, int32_t width, int32_t height, bool aligned,
                            bool padded, rng *r)
{
    picture p = {.image = {.format = format, .width = width, .height = height}};
    const vrs_format_info *info = vrs_format_get(format);
    size_t bytes = aligned ? 0 : (size_t)info->sample_bytes * (size_t)in(r, 0, 3);
    for (int i = 0; i < info->planes; i++) {
        int64_t stride = vrs_plane_row_bytes(&p.image, i);
        stride += padded ? info->sample_bytes * in(r, 0, 9) : 0;
        stride = aligned ? (stride + 15) / 16 * 16 : stride;
        bytes = aligned ? (bytes + 15) / 16 * 16 : bytes;
        p.image.strides[i] = (ptrdiff_t)stride;
        p.at[i] = bytes;
        if (padded && !aligned && in(r, 0, 3) == 0) { /* upside down */
            p.at[i] += (size_t)stride * (size_t)(vrs_plane_height(&p.image, i) - 1);
            p.image.strides[i] = -(ptrdiff_t)stride;
        }
        bytes += (size_t)stride * (size_t)vrs_plane_height(&p.image, i);
    }
    p.block = cuda_block_make(bytes);
    return p;
}

static void picture_fill(picture *p, rng *r)
{
    const vrs_format_info *info = vrs_format_get(p->image.format);
    uint8_t *bytes = cuda_block_host(&p->block);
    for (size_t i = 0; i < p->block.bytes; i++)
        bytes[i] = (uint8_t)next(r);
    const int high = info->sample_shift == 0 && info->sample_bytes == 2;
    for (size_t i = 1; i < p->block.bytes && high; i += 2)
        bytes[i] &= 3;
    cuda_block_upload(&p->block);
}

static vrs_image picture_image(const picture *p, bool host)
{
    vrs_image image = p->image;
    const uint64_t base =
        host ? (uint64_t)(uintptr_t)cuda_block_host(&p->block) : cuda_block_device(&p->block);
    for (int i = 0; i < vrs_format_get(image.format)->planes; i++)
        image.planes[i] = (uint8_t *)(uintptr_t)(base + p->at[i]);
    return image;
}

/* A small mask, or coefficients, or a full-size mask; all with room at the rows' ends. */
typedef struct mask_source {
    cuda_block block;
    int32_t kind, stride, width, height;
} mask_source;

static mask_source mask_make(int32_t kind, int32_t width, int32_t height, rng *r)
{
    mask_source m = {.kind = kind};
    const int32_t *size = sizes[in(r, 0, SIZES - 1)];
    m.width = kind == VRS_POST_MASK_FULL ? width : size[0];
    m.height = kind == VRS_POST_MASK_FULL ? height : size[1];
    m.stride = m.width + in(r, 0, 5);
    const size_t count = (size_t)m.stride * (size_t)m.height;
    m.block = cuda_block_make(count * 8);
    if (kind == VRS_POST_MASK_REFINE) {
        const float spread = in(r, 0, 5) == 0 ? 255 : 3;
        float *values = cuda_block_host(&m.block);
        for (size_t i = 0; i < 2 * count; i++)
            values[i] = in(r, 0, 199) == 0 && spread == 3
                            ? NAN
                            : spread * (float)in(r, -1000000, 1000000) * 1e-6f;
    } else {
        fill_q15(cuda_block_host(&m.block), count, r);
    }
    cuda_block_upload(&m.block);
    return m;
}

static const vrs_pixel_format yuv_formats[] = {VRS_FORMAT_NV12, VRS_FORMAT_YUV420P, VRS_FORMAT_P010,
                                               VRS_FORMAT_YUV420P10};

/* A pair of formats that go together. */
static void choose_formats(int32_t output, int32_t kind, rng *r, vrs_pixel_format *source,
                           vrs_pixel_format *target)
{
    const int source_index = in(r, 0, 3);
    const bool deep = source_index >= 2;
    *source = yuv_formats[source_index];
    if (output == VRS_POST_GRAY) {
        *target = in(r, 0, 1) == 0 ? VRS_FORMAT_GRAY8 : VRS_FORMAT_GRAY10;
        if (kind == VRS_POST_MASK_REFINE && in(r, 0, 3) == 0)
            *source = in(r, 0, 1) == 0 ? VRS_FORMAT_RGB24 : VRS_FORMAT_BGRA;
    } else if (output == VRS_POST_COMPOSITE) {
        *target = yuv_formats[in(r, 0, 1) + (deep ? 2 : 0)];
    } else {
        *target = deep ? VRS_FORMAT_YUVA420P10 : VRS_FORMAT_YUVA420P;
    }
}

/* Luma and alpha are within `within` alpha steps; exact where that is 0. */
static void compare_picture(const picture *p, int32_t within, const char *what)
{
    if (within == 0) {
        cuda_block_compare(&p->block, what);
        return;
    }
    const bool deep = vrs_format_get(p->image.format)->sample_bytes == 2;
    const uint8_t *got = cuda_block_result(&p->block, what), *expected = cuda_block_host(&p->block);
    const int step = vrs_format_get(p->image.format)->sample_shift != 0 ? 64 : 1;
    for (size_t i = 0; i + (deep ? 1 : 0) < p->block.bytes; i += deep ? 2 : 1) {
        uint16_t a = got[i], b = expected[i];
        if (deep) {
            memcpy(&a, got + i, 2);
            memcpy(&b, expected + i, 2);
        }
        if (abs(a - b) > within * step)
            fail_msg("%s: %d instead of %d at byte %zu", what, a, b, i);
    }
}

typedef struct render_case {
    picture source, target;
    mask_source mask;
    vrs_post_part part;
} render_case;

static void render_make(render_case *t, int32_t index, int32_t output, int32_t kind, rng *r)
{
    const int32_t width = sizes[index % SIZES][0], height = sizes[index % SIZES][1];
    const bool aligned = in(r, 0, 1) == 0, padded = in(r, 0, 1) == 0;
    vrs_pixel_format source, target;
    choose_formats(output, kind, r, &source, &target);
    t->source = picture_make(source, width, height, aligned, padded, r);
    t->target = picture_make(target, width, height, aligned, padded, r);
    picture_fill(&t->source, r);
    cuda_block_upload(&t->target.block);
    t->mask = mask_make(kind, width, height, r);
    t->part = (vrs_post_part){.source_rect = {0, 0, width, height},
                              .target_rect = {0, 0, width, height},
                              .output = output,
                              .mask_kind = kind,
                              .mask_stride = t->mask.stride,
                              .mask_width = t->mask.width,
                              .mask_height = t->mask.height,
                              .background = {(uint8_t)next(r), (uint8_t)next(r), (uint8_t)next(r)}};
}

static void render_view(const render_case *t, bool host, vrs_render_view *view)
{
    const vrs_image source = picture_image(&t->source, host);
    const vrs_image target = picture_image(&t->target, host);
    vrs_post_part part = t->part;
    part.source = &source;
    part.target = &target;
    part.mask = host ? (uint64_t)(uintptr_t)cuda_block_host(&t->mask.block)
                     : cuda_block_device(&t->mask.block);
    assert_int_equal(vrs_cuda_render_view(&part, view), VRS_OK);
}

static void run_render(int32_t index, rng *r)
{
    render_case t[VRS_POST_VIEWS];
    vrs_render_params device = {.threshold = in(r, 0, 2) == 0 ? in(r, 1, VRS_Q15_ONE) : 0,
                                .rows = in(r, 0, 1) * in(r, 1, 40)};
    vrs_render_params host = device;
    const int32_t count = index % 10 == 0 ? 16 : in(r, 1, 3);
    bool refined[VRS_POST_VIEWS];
    for (int32_t v = 0; v < count; v++) {
        const int32_t kind = in(r, 0, 3);
        refined[v] = kind == VRS_POST_MASK_REFINE;
        render_make(&t[v], index + v, in(r, VRS_POST_GRAY, VRS_POST_CUTOUT), kind, r);
        render_view(&t[v], false, &device.view[v]);
        render_view(&t[v], true, &host.view[v]);
        if (refined[v] && device.threshold > 0)
            host.threshold = device.threshold = 0; /* a step of 1 would become the whole range */
        if (refined[v] && t[v].part.output == VRS_POST_CUTOUT)
            host.view[v].output = device.view[v].output = VRS_POST_COMPOSITE; /* likewise */
    }
    assert_int_equal(vrs_cuda_render(&kernels, cuda_fixture_stream(), &device, count), VRS_OK);
    fake_vrs_render(&host, (uint32_t[3]){1, 1, (uint32_t)count}, (uint32_t[3]){1, 1, 1});
    for (int32_t v = 0; v < count; v++) {
        char what[128];
        (void)snprintf(what, sizeof(what), "render %d: %dx%d, %s to %s, output %d, mask %d", index,
                       host.view[v].width, host.view[v].height,
                       vrs_pixel_format_name(t[v].source.image.format),
                       vrs_pixel_format_name(t[v].target.image.format), host.view[v].output,
                       host.view[v].mask_kind);
        compare_picture(&t[v].target, refined[v] ? 1 : 0, what);
        cuda_block_free(&t[v].source.block);
        cuda_block_free(&t[v].target.block);
        cuda_block_free(&t[v].mask.block);
    }
}

static void test_render(void **state)
{
    (void)state;
    rng r = {4};
    for (int32_t i = 0; i < 300; i++)
        run_render(i, &r);
}

/* Q15 at full size: the refinement's own tolerance, and exact up-sampling. */
static void run_alpha(int32_t index, rng *r)
{
    render_case t;
    const int32_t kind = in(r, 0, 3);
    render_make(&t, index, VRS_POST_GRAY, kind, r);
    const int32_t width = sizes[index % SIZES][0], height = sizes[index % SIZES][1];
    const int32_t stride = (width + 7) / 8 * 8;
    cuda_block alpha = cuda_block_make((size_t)stride * (size_t)height * 2);
    vrs_render_params device = {0}, host = {0};
    for (int side = 0; side < 2; side++) {
        const vrs_image source = picture_image(&t.source, side == 1);
        vrs_post_part part = t.part;
        part.source = &source;
        part.mask = side == 1 ? (uint64_t)(uintptr_t)cuda_block_host(&t.mask.block)
                              : cuda_block_device(&t.mask.block);
        const uint64_t to =
            side == 1 ? (uint64_t)(uintptr_t)cuda_block_host(&alpha) : cuda_block_device(&alpha);
        vrs_render_view *view = side == 1 ? &host.view[0] : &device.view[0];
        assert_int_equal(vrs_cuda_alpha_view(&part, to, stride, view), VRS_OK);
    }
    cuda_block_upload(&alpha);
    assert_int_equal(vrs_cuda_render(&kernels, cuda_fixture_stream(), &device, 1), VRS_OK);
    fake_vrs_render(&host, (uint32_t[3]){1, 1, 1}, (uint32_t[3]){1, 1, 1});
    if (kind == VRS_POST_MASK_REFINE)
        compare_q15(&alpha, 2, "refined alpha");
    else
        cuda_block_compare(&alpha, "alpha");
    cuda_block_free(&alpha);
    cuda_block_free(&t.source.block);
    cuda_block_free(&t.target.block);
    cuda_block_free(&t.mask.block);
}

static void test_alpha(void **state)
{
    (void)state;
    rng r = {5};
    for (int32_t i = 0; i < 150; i++)
        run_alpha(i, &r);
}

/* Feathering in place against the reference's own two boxes. */
static void run_feather(int32_t index, int32_t radius, rng *r)
{
    const int32_t width = sizes[index % SIZES][0], height = sizes[index % SIZES][1];
    const int32_t stride = width + in(r, 0, 1) * in(r, 0, 9), count = in(r, 1, 3);
    vrs_box_params params = {.radius = radius, .rows = in(r, 0, 1) * in(r, 1, 40)};
    cuda_block alpha[3], once[3];
    void *scratch = aligned_alloc(64, (vrs_feather_scratch(width, height) + 63) / 64 * 64);
    assert_non_null(scratch);
    for (int32_t v = 0; v < count; v++) {
        const size_t elements = (size_t)stride * (size_t)height;
        alpha[v] = cuda_block_make(elements * 2);
        once[v] = cuda_block_make((size_t)width * (size_t)height * 2);
        fill_q15(cuda_block_host(&alpha[v]), elements, r);
        cuda_block_upload(&alpha[v]);
        params.view[v] = (vrs_box_view){cuda_block_device(&alpha[v]),
                                        cuda_block_device(&once[v]),
                                        stride,
                                        width,
                                        width,
                                        height};
        vrs_kernels_get(VRS_ISA_REFERENCE)
            ->feather(cuda_block_host(&alpha[v]), stride, width, height, radius, scratch);
    }
    assert_int_equal(vrs_cuda_feather(&kernels, cuda_fixture_stream(), &params, count), VRS_OK);
    for (int32_t v = 0; v < count; v++) {
        char what[96];
        (void)snprintf(what, sizeof(what), "feather: %dx%d, radius %d", width, height, radius);
        cuda_block_compare(&alpha[v], what);
        cuda_block_free(&alpha[v]);
        cuda_block_free(&once[v]);
    }
    free(scratch);
}

static void test_feather(void **state)
{
    (void)state;
    rng r = {6};
    const int32_t radii[] = {1, 2, 3, 4, 7, 17, 63, 64};
    for (int32_t i = 0; i < 8 * SIZES; i++)
        run_feather(i, radii[i / SIZES], &r);
}

static void run_classes(int32_t index, rng *r)
{
    static const int32_t classes[] = {1, 2, 6, 21, 32};
    const int32_t width = sizes[index % SIZES][0], height = sizes[index % SIZES][1];
    const int32_t *region = sizes[in(r, 0, SIZES - 1)];
    vrs_person_params shape = {
        .width = region[0], .height = region[1], .classes = classes[in(r, 0, 4)]};
    vrs_classes_params device = {.classes = shape.classes, .half = in(r, 0, 1)};
    const size_t elements = person_strides(&shape, in(r, 0, 4));
    cuda_block scores = cuda_block_make(elements * (device.half ? 2 : 4));
    cuda_block dst = cuda_block_make((size_t)(width + 5) * (size_t)height);
    const bool ties = in(r, 0, 1) == 0;
    for (size_t i = 0; i < elements; i++) {
        const float value = score_value(r, 4, index % 3 == 0);
        set_score(cuda_block_host(&scores), device.half != 0, i, ties ? roundf(value) : value);
    }
    cuda_block_upload(&scores);
    device.view[0] = (vrs_classes_view){.scores = cuda_block_device(&scores),
                                        .dst = cuda_block_device(&dst),
                                        .class_stride = shape.class_stride,
                                        .row_stride = shape.row_stride,
                                        .column_stride = shape.column_stride,
                                        .region_width = shape.width,
                                        .region_height = shape.height,
                                        .width = width,
                                        .height = height,
                                        .dst_stride = width + 5};
    vrs_classes_params host = device;
    host.view[0].scores = (uint64_t)(uintptr_t)cuda_block_host(&scores);
    host.view[0].dst = (uint64_t)(uintptr_t)cuda_block_host(&dst);
    assert_int_equal(vrs_cuda_classes(&kernels, cuda_fixture_stream(), &device, 1), VRS_OK);
    fake_vrs_classes(&host, (uint32_t[3]){1, 1, 1}, (uint32_t[3]){1, 1, 1});
    char what[96];
    (void)snprintf(what, sizeof(what), "classes: %dx%dx%d to %dx%d", shape.width, shape.height,
                   shape.classes, width, height);
    cuda_block_compare(&dst, what);
    cuda_block_free(&scores);
    cuda_block_free(&dst);
}

static void test_classes(void **state)
{
    (void)state;
    rng r = {7};
    for (int32_t i = 0; i < 200; i++)
        run_classes(i, &r);
}

/* What must not be launched. */
static void test_refusals(void **state)
{
    (void)state;
    vrs_device_stream *stream = cuda_fixture_stream();
    vrs_person_params person = {.width = 4, .height = 4, .classes = 1};
    person.view[0].smooth.next = person.view[1].smooth.next = -1;
    assert_int_equal(vrs_cuda_person(&kernels, stream, &person, 0), VRS_INVALID);
    assert_int_equal(vrs_cuda_person(&kernels, stream, &person, 17), VRS_INVALID);
    person.view[1].smooth.next = 0; /* backwards */
    assert_int_equal(vrs_cuda_person(&kernels, stream, &person, 2), VRS_INVALID);
    person.classes = 33;
    assert_int_equal(vrs_cuda_person(&kernels, stream, &person, 1), VRS_INVALID);
    vrs_guided_params guided = {.width = 4, .height = 4, .radius = 65, .epsilon = 1};
    assert_int_equal(vrs_cuda_guided(&kernels, stream, &guided, 1), VRS_INVALID);
    guided.radius = 2; /* without scratch memory */
    assert_int_equal(vrs_cuda_guided(&kernels, stream, &guided, 1), VRS_INVALID);
    vrs_box_params box = {.radius = 0, .view = {{.width = 4, .height = 4}}};
    assert_int_equal(vrs_cuda_feather(&kernels, stream, &box, 1), VRS_INVALID);
    vrs_render_params render = {.view = {{.width = 0, .height = 4}}};
    assert_int_equal(vrs_cuda_render(&kernels, stream, &render, 1), VRS_INVALID);
    vrs_classes_params classes = {.classes = 0};
    assert_int_equal(vrs_cuda_classes(&kernels, stream, &classes, 1), VRS_INVALID);
}

/* Parts whose chroma belongs to two of them, formats that do not go together, parts outside. */
static void test_view_refusals(void **state)
{
    (void)state;
    vrs_image nv12 = {.format = VRS_FORMAT_NV12, .width = 17, .height = 9, .strides = {32, 32}};
    vrs_image p010 = {.format = VRS_FORMAT_P010, .width = 17, .height = 9, .strides = {64, 64}};
    vrs_post_part part = {.source = &nv12,
                          .target = &nv12,
                          .output = VRS_POST_COMPOSITE,
                          .source_rect = {8, 0, 9, 9},
                          .target_rect = {8, 0, 9, 9}};
    vrs_render_view view;
    assert_int_equal(vrs_cuda_render_view(&part, &view), VRS_OK);
    part.source_rect = part.target_rect = (vrs_rect){0, 0, 9, 9};
    assert_int_equal(vrs_cuda_render_view(&part, &view), VRS_UNSUPPORTED);
    part.source_rect = part.target_rect = (vrs_rect){9, 0, 8, 9};
    assert_int_equal(vrs_cuda_render_view(&part, &view), VRS_UNSUPPORTED);
    part.source_rect = part.target_rect = (vrs_rect){8, 0, 10, 9};
    assert_int_equal(vrs_cuda_render_view(&part, &view), VRS_INVALID);
    part.source_rect = part.target_rect = (vrs_rect){0, 0, 17, 9};
    part.target = &p010;
    assert_int_equal(vrs_cuda_render_view(&part, &view), VRS_UNSUPPORTED);
    part.target = &nv12;
    part.source = NULL;
    assert_int_equal(vrs_cuda_render_view(&part, &view), VRS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_person),        cmocka_unit_test(test_mask_resize),
        cmocka_unit_test(test_guided),        cmocka_unit_test(test_render),
        cmocka_unit_test(test_alpha),         cmocka_unit_test(test_feather),
        cmocka_unit_test(test_classes),       cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_view_refusals),
    };
    const int skipped = cuda_fixture_open();
    if (skipped != 0)
        return skipped;
    if (vrs_cuda_postprocess_open(cuda_fixture_device(), &kernels) != VRS_OK) {
        fprintf(stderr, "%s\n", vrs_last_error());
        return EXIT_FAILURE;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cuda_fixture_close();
    return failed;
}
