/* The CUDA postprocess kernels but the renderers against the C reference: on the device that is
 * there, or on fake_cuda, where it is the launches that are tested. Sizes are small and ugly,
 * outputs poisoned, padding and guard bands compared too. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_cuda/kernels_postprocess.h"
#include "kernels/cuda/postprocess_launch.h"
#include "kernels/cuda_cases.h"
#include "kernels/half.h"
#include "kernels/kernels.h"

static vrs_cuda_postprocess kernels;

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
        ((uint16_t *)scores)[i] = vrs_half_from_float(value);
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

/* Scores of a smaller size, whole factors and others. */
static void run_enlarge(int32_t index, rng *r)
{
    static const int32_t classes[] = {1, 2, 3, 9, 21, 32};
    person_case t = {.count = index % 7 == 0 ? 16 : in(r, 1, 3)};
    const int32_t *size = sizes[index % SIZES];
    const int32_t factor = 1 << in(r, 0, 4);
    vrs_person_params p = {.classes = classes[in(r, 0, 5)],
                           .width = (size[0] + factor - 1) / factor,
                           .height = (size[1] + factor - 1) / factor,
                           .person_classes = next(r),
                           .activation = in(r, 0, 3),
                           .half = in(r, 0, 1),
                           .weight = in(r, 0, VRS_Q15_ONE)};
    vrs_person_enlarge_params device = {.source_width = p.width, .source_height = p.height};
    const size_t elements = person_strides(&p, in(r, 0, 4));
    const bool whole = in(r, 0, 3) > 0, chains = in(r, 0, 1) == 0;
    p.width = whole ? device.source_width * factor : size[0];
    p.height = whole ? device.source_height * factor : size[1];
    t.host = t.device = p;
    for (int32_t v = 0; v < t.count; v++)
        person_view(&t, v, elements, chains, r);
    vrs_person_enlarge_params host = device;
    device.person = t.device;
    assert_int_equal(vrs_cuda_person_enlarge(&kernels, cuda_fixture_stream(), &device, t.count),
                     VRS_OK);
    memcpy(t.host.chain, device.person.chain, sizeof(t.host.chain));
    host.person = t.host;
    uint32_t heads = chains ? (t.count < 2 ? 1U : 2U) : (uint32_t)t.count;
    fake_vrs_person_enlarge(&host, (uint32_t[3]){1, 1, heads}, (uint32_t[3]){1, 1, 1});
    char what[128];
    (void)snprintf(what, sizeof(what), "enlarge %d: %dx%d to %dx%dx%d, activation %d, half %d",
                   index, host.source_width, host.source_height, p.width, p.height, p.classes,
                   p.activation, p.half);
    compare_person(&t, 1, what);
    person_free(&t);
}

/* The scores themselves. */
static void run_enlarge_scores(int32_t index, rng *r)
{
    const int32_t *size = sizes[index % SIZES];
    vrs_person_params p = {.classes = in(r, 1, 8), .width = in(r, 1, 40), .height = in(r, 1, 30)};
    const bool half = in(r, 0, 1) == 0;
    const size_t elements = person_strides(&p, in(r, 0, 4));
    cuda_block scores = cuda_block_make(elements * (half ? 2 : 4));
    for (size_t i = 0; i < elements; i++)
        set_score(cuda_block_host(&scores), half, i, score_value(r, 6, false));
    cuda_block_upload(&scores);
    cuda_block dst = cuda_block_make((size_t)p.classes * (size_t)size[0] * (size_t)size[1] * 4);
    vrs_enlarge_params device = {.view = {{cuda_block_device(&scores), cuda_block_device(&dst)}},
                                 .class_stride = p.class_stride,
                                 .row_stride = p.row_stride,
                                 .column_stride = p.column_stride,
                                 .classes = p.classes,
                                 .source_width = p.width,
                                 .source_height = p.height,
                                 .width = size[0],
                                 .height = size[1],
                                 .half = half};
    vrs_enlarge_params host = device;
    host.view[0].scores = (uint64_t)(uintptr_t)cuda_block_host(&scores);
    host.view[0].dst = (uint64_t)(uintptr_t)cuda_block_host(&dst);
    assert_int_equal(vrs_cuda_enlarge(&kernels, cuda_fixture_stream(), &device, 1), VRS_OK);
    fake_vrs_enlarge(&host, (uint32_t[3]){1, 1, 1}, (uint32_t[3]){1, 1, 1});
    cuda_block_compare(&dst, "enlarged scores");
    cuda_block_free(&scores);
    cuda_block_free(&dst);
}

static void test_enlarge(void **state)
{
    (void)state;
    rng r = {2};
    for (int32_t i = 0; i < 200; i++)
        run_enlarge(i, &r);
    for (int32_t i = 0; i < 60; i++)
        run_enlarge_scores(i, &r);
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
    const int32_t radii[] = {1, 1, 1, 0, 2, 3, 4, 5, 10, 15, 16, 64};
    for (int32_t i = 0; i < 12 * SIZES; i++)
        run_guided(i, radii[i / SIZES], &r);
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

/* What networks give: areas in which one class is far above the others, sometimes with a trap. */
static void fill_regions(const vrs_person_params *p, void *scores, bool half, rng *r)
{
    const int32_t wide = in(r, 1, 40), high = in(r, 1, 20);
    const bool traps = in(r, 0, 2) == 0;
    for (int32_t y = 0; y < p->height; y++) {
        for (int32_t x = 0; x < p->width; x++) {
            const int32_t owner = (x / wide + 3 * (y / high)) % p->classes;
            for (int32_t c = 0; c < p->classes; c++) {
                const int64_t at = y * p->row_stride + x * p->column_stride + c * p->class_stride;
                float value = score_value(r, 1, false) + (c == owner ? 6.0f : 0.0f);
                if (traps && in(r, 0, 199) == 0)
                    value = score_value(r, 1, true);
                set_score(scores, half, (size_t)at, roundf(value * 256) / 256);
            }
        }
    }
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
    if (index % 2 == 0)
        fill_regions(&shape, cuda_block_host(&scores), device.half != 0, r);
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
    vrs_person_enlarge_params large = {.person = {.width = 4, .height = 4, .classes = 1},
                                       .source_width = 2};
    large.person.view[0].smooth.next = -1;
    assert_int_equal(vrs_cuda_person_enlarge(&kernels, stream, &large, 1), VRS_INVALID);
    vrs_enlarge_params scores = {
        .width = 4, .height = 4, .source_width = 2, .source_height = 2, .classes = 0};
    assert_int_equal(vrs_cuda_enlarge(&kernels, stream, &scores, 1), VRS_INVALID);
    vrs_guided_params guided = {.width = 4, .height = 4, .radius = 65, .epsilon = 1};
    assert_int_equal(vrs_cuda_guided(&kernels, stream, &guided, 1), VRS_INVALID);
    guided.radius = 2; /* without scratch memory */
    assert_int_equal(vrs_cuda_guided(&kernels, stream, &guided, 1), VRS_INVALID);
    vrs_box_params box = {.radius = 0, .view = {{.width = 4, .height = 4}}};
    assert_int_equal(vrs_cuda_feather(&kernels, stream, &box, 1), VRS_INVALID);
    vrs_classes_params classes = {.classes = 0};
    assert_int_equal(vrs_cuda_classes(&kernels, stream, &classes, 1), VRS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_person),   cmocka_unit_test(test_mask_resize),
        cmocka_unit_test(test_enlarge),  cmocka_unit_test(test_guided),
        cmocka_unit_test(test_feather),  cmocka_unit_test(test_classes),
        cmocka_unit_test(test_refusals),
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
