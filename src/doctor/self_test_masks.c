/* Kernels on masks and samples beside the reference, on a few ugly sizes. */
#include <string.h>

#include "doctor/self_test.h"

/* One sample, around a vector, and a row with a rest. */
static const size_t lengths[] = {1, 17, 47, 64, 641};
#define LENGTHS 5

/* Source and result of an up-sampling. */
static const int32_t resizes[][4] = {
    {1, 1, 5, 7}, {9, 3, 31, 17}, {33, 2, 129, 3}, {40, 13, 17, 9}};
#define RESIZES 4

/* Width, height, radius. */
static const int32_t windows[][3] = {{1, 1, 1}, {9, 5, 3}, {33, 20, 4}, {31, 7, 64}};
#define WINDOWS 4

static void run_smooth(vrs_self_case *c)
{
    size_t n = lengths[c->which];
    vrs_self_twin state = vrs_self_make(c, 2 * n, VRS_SELF_Q15);
    vrs_self_twin mask = vrs_self_make(c, 2 * n, VRS_SELF_Q15);
    int16_t weight = (int16_t)vrs_self_range(c, 0, VRS_Q15_ONE);
    c->reference->smooth(state.reference, mask.reference, n, weight);
    c->tested->smooth(state.tested, mask.tested, n, weight);
    vrs_self_compare(c, "state", &state, VRS_SELF_I16, 0);
    vrs_self_compare(c, "mask", &mask, VRS_SELF_I16, 0);
}

/* Width and height. */
static const int32_t pictures[][2] = {{1, 1}, {9, 5}, {33, 20}, {47, 31}};
#define PICTURES 4

/* Two pictures of noise in three sizes, on both sides; the tested one's by `kernels`. */
typedef struct pair {
    int32_t width, height;
    vrs_self_twin storage[2];
    vrs_pyramid reference[2], tested[2];
} pair;

static pair make_pair(vrs_self_case *c, const vrs_kernels *kernels)
{
    pair p = {.width = pictures[c->which][0], .height = pictures[c->which][1]};
    size_t bytes = vrs_pyramid_storage(p.width, p.height);
    for (int i = 0; i < 2; i++) {
        vrs_self_twin guide = vrs_self_make(c, (size_t)p.width * (size_t)p.height, VRS_SELF_BYTES);
        p.storage[i] = vrs_self_make(c, bytes, VRS_SELF_POISON);
        vrs_pyramid_init(&p.reference[i], p.width, p.height, p.storage[i].reference);
        vrs_pyramid_init(&p.tested[i], p.width, p.height, p.storage[i].tested);
        c->reference->pyramid(&p.reference[i], guide.reference, p.width);
        kernels->pyramid(&p.tested[i], guide.tested, p.width);
    }
    return p;
}

static void run_pyramid(vrs_self_case *c)
{
    pair p = make_pair(c, c->tested);
    vrs_self_compare(c, "picture", &p.storage[0], VRS_SELF_U8, 0);
}

static size_t cell_bytes(const pair *p)
{
    return (size_t)vrs_cells(p->width) * (size_t)vrs_cells(p->height) * sizeof(vrs_motion);
}

static void run_match(vrs_self_case *c)
{
    pair p = make_pair(c, c->reference);
    vrs_motion *coarse = vrs_self_scratch(c, cell_bytes(&p)); /* of larger cells: enough */
    vrs_self_twin motion = vrs_self_make(c, cell_bytes(&p), VRS_SELF_POISON);
    uint64_t unlike[2];
    vrs_match m = {&p.reference[0], &p.reference[1], coarse, motion.reference, &unlike[0]};
    c->reference->match(&m);
    m = (vrs_match){&p.tested[0], &p.tested[1], coarse, motion.tested, &unlike[1]};
    c->tested->match(&m);
    vrs_self_compare(c, "vector", &motion, VRS_SELF_I16, 0);
}

static void run_follow(vrs_self_case *c)
{
    pair p = make_pair(c, c->reference);
    size_t pixels = (size_t)p.width * (size_t)p.height;
    vrs_self_twin mask = vrs_self_make(c, 2 * pixels, VRS_SELF_Q15);
    vrs_self_twin past = vrs_self_make(c, 2 * pixels, VRS_SELF_Q15);
    vrs_self_twin age = vrs_self_make(c, pixels, VRS_SELF_POISON);
    vrs_motion *motion = vrs_self_scratch(c, cell_bytes(&p));
    for (size_t i = 0; i < cell_bytes(&p) / sizeof(*motion); i++)
        motion[i] = (vrs_motion){(int16_t)vrs_self_range(c, -110, 110),
                                 (int16_t)vrs_self_range(c, -78, 78)};
    uint8_t share[VRS_AGE_MOST + 1];
    vrs_follow_shares((int16_t)vrs_self_range(c, 0, VRS_Q15_ONE), share);
    void *scratch = vrs_self_scratch(c, vrs_follow_scratch(p.width));
    vrs_follow f = {
        &p.reference[0], &p.reference[1], motion, mask.reference, past.reference,      NULL,
        mask.reference,  age.reference,   share,  2000,           VRS_FOLLOW_DISBELIEF};
    c->reference->follow(&f, scratch);
    f.now = &p.tested[0];
    f.before = &p.tested[1];
    f.mask = f.result = mask.tested;
    f.past = past.tested;
    f.age = age.tested;
    c->tested->follow(&f, scratch);
    vrs_self_compare(c, "mask", &mask, VRS_SELF_I16, 0);
    vrs_self_compare(c, "age", &age, VRS_SELF_U8, 0);
}

static void run_threshold(vrs_self_case *c)
{
    size_t n = lengths[c->which];
    vrs_self_twin mask = vrs_self_make(c, 2 * n, VRS_SELF_Q15);
    int16_t threshold = ((const int16_t *)mask.reference)[n / 2];
    c->reference->threshold(mask.reference, n, threshold);
    c->tested->threshold(mask.tested, n, threshold);
    vrs_self_compare(c, "mask", &mask, VRS_SELF_I16, 0);
}

static void run_store8(vrs_self_case *c)
{
    size_t n = lengths[c->which];
    vrs_self_twin mask = vrs_self_make(c, 2 * n, VRS_SELF_Q15);
    vrs_self_twin codes = vrs_self_make(c, n, VRS_SELF_POISON);
    c->reference->store8(mask.reference, codes.reference, n);
    c->tested->store8(mask.tested, codes.tested, n);
    vrs_self_compare(c, "code", &codes, VRS_SELF_U8, 0);
}

static void run_store10(vrs_self_case *c)
{
    size_t n = lengths[c->which];
    vrs_self_twin mask = vrs_self_make(c, 2 * n, VRS_SELF_Q15);
    vrs_self_twin codes = vrs_self_make(c, 2 * n, VRS_SELF_POISON);
    c->reference->store10(mask.reference, codes.reference, n);
    c->tested->store10(mask.tested, codes.tested, n);
    vrs_self_compare(c, "code", &codes, VRS_SELF_U16, 0);
}

static void run_blend8(vrs_self_case *c)
{
    size_t n = lengths[c->which];
    vrs_self_twin src = vrs_self_make(c, n, VRS_SELF_BYTES);
    vrs_self_twin alpha = vrs_self_make(c, 2 * n, VRS_SELF_Q15);
    vrs_self_twin dst = vrs_self_make(c, n, VRS_SELF_POISON);
    c->reference->blend8(src.reference, alpha.reference, dst.reference, n, 77);
    c->tested->blend8(src.tested, alpha.tested, dst.tested, n, 77);
    vrs_self_compare(c, "sample", &dst, VRS_SELF_U8, 0);
}

/* Samples of P010 lie in the upper bits. */
static int32_t shift_some(vrs_self_case *c, vrs_self_twin *samples)
{
    int32_t shift = c->which % 2 == 0 ? 0 : 6;
    for (size_t i = 0; i < samples->bytes / 2; i++) {
        ((uint16_t *)samples->reference)[i] =
            (uint16_t)(((const uint16_t *)samples->reference)[i] << shift);
    }
    memcpy(samples->tested, samples->reference, samples->bytes);
    return shift;
}

static void run_blend10(vrs_self_case *c)
{
    size_t n = lengths[c->which];
    vrs_self_twin src = vrs_self_make(c, 2 * n, VRS_SELF_TEN);
    vrs_self_twin alpha = vrs_self_make(c, 2 * n, VRS_SELF_Q15);
    vrs_self_twin dst = vrs_self_make(c, 2 * n, VRS_SELF_POISON);
    int32_t shift = shift_some(c, &src);
    c->reference->blend10(src.reference, alpha.reference, dst.reference, n, 555, shift);
    c->tested->blend10(src.tested, alpha.tested, dst.tested, n, 555, shift);
    vrs_self_compare(c, "sample", &dst, VRS_SELF_U16, 0);
}

static void run_chroma_alpha(vrs_self_case *c)
{
    size_t n = lengths[c->which];
    vrs_self_twin rows[2] = {vrs_self_make(c, 2 * n, VRS_SELF_Q15),
                             vrs_self_make(c, 2 * n, VRS_SELF_Q15)};
    vrs_self_twin dst = vrs_self_make(c, 2 * ((n + 1) / 2), VRS_SELF_POISON);
    c->reference->chroma_alpha(rows[0].reference, rows[1].reference, dst.reference, (int32_t)n);
    c->tested->chroma_alpha(rows[0].tested, rows[1].tested, dst.tested, (int32_t)n);
    vrs_self_compare(c, "alpha", &dst, VRS_SELF_I16, 0);
}

static void run_blend_uv8(vrs_self_case *c)
{
    size_t n = lengths[c->which];
    vrs_self_twin uv = vrs_self_make(c, 2 * n, VRS_SELF_BYTES);
    vrs_self_twin alpha = vrs_self_make(c, 2 * n, VRS_SELF_Q15);
    vrs_self_twin u = vrs_self_make(c, n, VRS_SELF_POISON),
                  v = vrs_self_make(c, n, VRS_SELF_POISON);
    c->reference->blend_uv8(uv.reference, alpha.reference, u.reference, v.reference, n, 44, 201);
    c->tested->blend_uv8(uv.tested, alpha.tested, u.tested, v.tested, n, 44, 201);
    vrs_self_compare(c, "U", &u, VRS_SELF_U8, 0);
    vrs_self_compare(c, "V", &v, VRS_SELF_U8, 0);
}

static void run_blend_uv10(vrs_self_case *c)
{
    size_t n = lengths[c->which];
    vrs_self_twin uv = vrs_self_make(c, 4 * n, VRS_SELF_TEN);
    vrs_self_twin alpha = vrs_self_make(c, 2 * n, VRS_SELF_Q15);
    vrs_self_twin u = vrs_self_make(c, 2 * n, VRS_SELF_POISON);
    vrs_self_twin v = vrs_self_make(c, 2 * n, VRS_SELF_POISON);
    int32_t shift = shift_some(c, &uv);
    c->reference->blend_uv10(uv.reference, alpha.reference, u.reference, v.reference, n, 300, 900,
                             shift);
    c->tested->blend_uv10(uv.tested, alpha.tested, u.tested, v.tested, n, 300, 900, shift);
    vrs_self_compare(c, "U", &u, VRS_SELF_U16, 0);
    vrs_self_compare(c, "V", &v, VRS_SELF_U16, 0);
}

static void run_feather(vrs_self_case *c)
{
    const int32_t *size = windows[c->which];
    ptrdiff_t stride = size[0] + 3;
    vrs_self_twin mask = vrs_self_make(c, 2 * (size_t)stride * (size_t)size[1], VRS_SELF_Q15);
    void *scratch = vrs_self_scratch(c, vrs_feather_scratch(size[0], size[1]));
    c->reference->feather(mask.reference, stride, size[0], size[1], size[2], scratch);
    c->tested->feather(mask.tested, stride, size[0], size[1], size[2], scratch);
    vrs_self_compare(c, "mask", &mask, VRS_SELF_I16, 0);
}

vrs_upsample vrs_self_make_upsample(vrs_self_case *c, const int32_t size[4])
{
    vrs_upsample up;
    void *storage = vrs_self_scratch(c, vrs_upsample_storage(size[2], size[3]));
    vrs_upsample_init(&up, size[0], size[1], size[2], size[3], storage);
    return up;
}

static void run_upsample(vrs_self_case *c)
{
    const int32_t *size = resizes[c->which];
    vrs_upsample up = vrs_self_make_upsample(c, size);
    size_t stride = (size_t)size[2] + 5;
    vrs_self_twin src = vrs_self_make(c, 2 * (size_t)size[0] * (size_t)size[1], VRS_SELF_Q15);
    vrs_self_twin dst = vrs_self_make(c, 2 * stride * (size_t)size[3], VRS_SELF_POISON);
    int16_t *scratch = vrs_self_scratch(c, 2 * ((size_t)size[2] + 64) * sizeof(int16_t));
    c->reference->upsample(&up, src.reference, size[0], 0, size[3], dst.reference,
                           (ptrdiff_t)stride, scratch);
    c->tested->upsample(&up, src.tested, size[0], 0, size[3], dst.tested, (ptrdiff_t)stride,
                        scratch);
    vrs_self_compare(c, "mask", &dst, VRS_SELF_I16, 0);
}

static void run_guided(vrs_self_case *c)
{
    const int32_t *size = windows[c->which];
    size_t pixels = (size_t)size[0] * (size_t)size[1];
    vrs_self_twin mask = vrs_self_make(c, 2 * pixels, VRS_SELF_Q15);
    vrs_self_twin guide = vrs_self_make(c, pixels, VRS_SELF_BYTES);
    vrs_self_twin slope = vrs_self_make(c, 4 * pixels, VRS_SELF_POISON);
    vrs_self_twin offset = vrs_self_make(c, 4 * pixels, VRS_SELF_POISON);
    void *scratch = vrs_self_scratch(c, vrs_guided_scratch(size[0], size[1]));
    vrs_guided g = {.width = size[0],
                    .height = size[1],
                    .mask = mask.reference,
                    .mask_stride = size[0],
                    .guide = guide.reference,
                    .guide_stride = size[0],
                    .radius = size[2],
                    .epsilon = 5e-4F,
                    .slope = slope.reference,
                    .offset = offset.reference};
    c->reference->guided(&g, scratch);
    g.mask = mask.tested;
    g.guide = guide.tested;
    g.slope = slope.tested;
    g.offset = offset.tested;
    c->tested->guided(&g, scratch);
    /* 1e-5 of the largest slope that there can be, 0.25 / sqrt(epsilon) = 11.2 */
    vrs_self_compare(c, "slope", &slope, VRS_SELF_F32, 1.12e-4);
    vrs_self_compare(c, "offset", &offset, VRS_SELF_F32, 1.12e-4);
}

static void run_refine(vrs_self_case *c)
{
    const int32_t *size = resizes[c->which];
    vrs_upsample up = vrs_self_make_upsample(c, size);
    size_t from = (size_t)size[0] * (size_t)size[1], to = (size_t)size[2] * (size_t)size[3];
    int32_t bytes = c->which % 2 == 0 ? 1 : 2;
    vrs_self_twin slope = vrs_self_make(c, 4 * from, VRS_SELF_FLOATS);
    vrs_self_twin offset = vrs_self_make(c, 4 * from, VRS_SELF_FLOATS);
    vrs_self_twin luma =
        vrs_self_make(c, to * (size_t)bytes, bytes == 1 ? VRS_SELF_BYTES : VRS_SELF_TEN);
    vrs_self_twin dst = vrs_self_make(c, 2 * to, VRS_SELF_POISON);
    float *scratch = vrs_self_scratch(c, 4 * ((size_t)size[2] + 64) * sizeof(float));
    vrs_luma l = {.data = luma.reference,
                  .stride = (ptrdiff_t)size[2] * bytes,
                  .sample_bytes = bytes,
                  .scale = bytes == 1 ? 1.0F / 255 : 1.0F / 1023};
    c->reference->refine(&up, slope.reference, offset.reference, size[0], &l, 0, size[3],
                         dst.reference, size[2], scratch);
    l.data = luma.tested;
    c->tested->refine(&up, slope.tested, offset.tested, size[0], &l, 0, size[3], dst.tested,
                      size[2], scratch);
    vrs_self_compare(c, "mask", &dst, VRS_SELF_I16, 2);
}

const vrs_self_kernel vrs_self_masks[] = {
    {"smooth", run_smooth, LENGTHS},       {"pyramid", run_pyramid, PICTURES},
    {"match", run_match, PICTURES},        {"follow", run_follow, PICTURES},
    {"upsample", run_upsample, RESIZES},   {"guided", run_guided, WINDOWS},
    {"refine", run_refine, RESIZES},       {"threshold", run_threshold, LENGTHS},
    {"feather", run_feather, WINDOWS},     {"store8", run_store8, LENGTHS},
    {"store10", run_store10, LENGTHS},     {"blend8", run_blend8, LENGTHS},
    {"blend10", run_blend10, LENGTHS},     {"chroma_alpha", run_chroma_alpha, LENGTHS},
    {"blend_uv8", run_blend_uv8, LENGTHS}, {"blend_uv10", run_blend_uv10, LENGTHS},
};
const size_t vrs_self_mask_count = sizeof(vrs_self_masks) / sizeof(vrs_self_masks[0]);
