/* The kernels of a GPU beside the reference, and the tiny network on our own engine there.
 *
 * The case's arena lies on the device too, each block at the same place: everything goes up, the
 * kernel works on the tested blocks, everything comes down, and then the reference works on the
 * others. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "device/raw.h"
#include "doctor/self_test.h"
#include "engine/report.h"
#include "image/format.h"
#include "kernels/cuda/postprocess_launch.h"
#include "kernels/cuda/preprocess_launch.h"
#include "pipeline/place.h"

typedef struct vrs_self_gpu {
    vrs_device *device;
    vrs_device_stream *stream;
    vrs_device_event *event;
    vrs_device_ptr arena;
    vrs_cuda_preprocess preprocess;
    vrs_cuda_postprocess postprocess;
} vrs_self_gpu;

/* The device's address of what lies at a place of the arena. */
static uint64_t at(const vrs_self_case *c, const void *place)
{
    return c->gpu->arena + (uint64_t)((const uint8_t *)place - c->arena);
}

static bool push(vrs_self_case *c)
{
    if (vrs_device_upload(c->gpu->stream, c->gpu->arena, c->arena, c->used) != VRS_OK)
        vrs_self_failed(c, "upload");
    return !c->differs;
}

/* Waits for what is queued. */
static bool settle(const vrs_self_gpu *gpu)
{
    return vrs_device_event_record(gpu->event, gpu->stream) == VRS_OK &&
           vrs_device_event_wait(gpu->event) == VRS_OK;
}

/* After a launch with this status. */
static bool pull(vrs_self_case *c, vrs_status launched)
{
    vrs_self_gpu *gpu = c->gpu;
    if (launched != VRS_OK ||
        vrs_device_download(gpu->stream, c->arena, gpu->arena, c->used) != VRS_OK || !settle(gpu))
        vrs_self_failed(c, "launch");
    return !c->differs;
}

/* ---- preprocessing ---- */

static void preprocess_rows(vrs_self_case *c, int32_t align)
{
    vrs_image images[2], there;
    vrs_preprocess_plan *plan;
    vrs_preprocess_view view;
    vrs_self_make_picture(c, vrs_self_formats[c->which % VRS_SELF_FORMATS], 67, 35, align, images);
    const vrs_preprocess_desc desc = vrs_self_preprocess(c, &images[0]);
    if (vrs_preprocess_plan_create(&desc, &plan) != VRS_OK) {
        vrs_self_failed(c, "a plan of preprocessing");
        return;
    }
    vrs_self_twin tensor = vrs_self_make(c, vrs_preprocess_tensor_bytes(plan), VRS_SELF_POISON);
    vrs_self_twin luma = vrs_self_make(c, 26 * 18, VRS_SELF_POISON);
    void *tables = vrs_self_scratch(c, vrs_cuda_preprocess_bytes(plan));
    void *scratch = vrs_self_scratch(c, vrs_preprocess_scratch(plan));
    vrs_cuda_preprocess_fill(plan, tables, &view);
    there = images[1];
    for (int i = 0; i < vrs_format_get(there.format)->planes; i++)
        there.planes[i] = (uint8_t *)(uintptr_t)at(c, images[1].planes[i]);
    const vrs_cuda_preprocess_item item = {.plan = plan,
                                           .view = &view,
                                           .image = &there,
                                           .tables = at(c, tables),
                                           .tensor = at(c, tensor.tested),
                                           .luma = at(c, luma.tested)};
    if (push(c) &&
        pull(c, vrs_cuda_preprocess_run(&c->gpu->preprocess, c->gpu->stream, &item, 1))) {
        c->reference->preprocess(plan, &images[0], tensor.reference, luma.reference, scratch);
        vrs_self_compare_tensor(c, &desc, &tensor);
        vrs_self_compare(c, "luma", &luma, VRS_SELF_U8, 1);
    }
    vrs_preprocess_plan_destroy(plan);
}

static void run_preprocess_any(vrs_self_case *c)
{
    preprocess_rows(c, 1);
}

static void run_preprocess_fast(vrs_self_case *c)
{
    preprocess_rows(c, 16);
}

/* ---- scores and masks ---- */

/* Every other case with smoothing. */
static void run_person(vrs_self_case *c)
{
    vrs_scores scores;
    vrs_self_twin data = vrs_self_make_scores(c, &scores);
    size_t pixels = (size_t)scores.width * (size_t)scores.height;
    vrs_self_twin mask = vrs_self_make(c, 2 * pixels, VRS_SELF_POISON);
    vrs_self_twin state = vrs_self_make(c, 2 * pixels, VRS_SELF_Q15);
    bool smooth = c->which % 2 == 0;
    vrs_person_params params = {.class_stride = scores.class_stride,
                                .row_stride = scores.row_stride,
                                .column_stride = scores.column_stride,
                                .classes = scores.classes,
                                .width = scores.width,
                                .height = scores.height,
                                .person_classes = scores.person_classes,
                                .activation = (int32_t)scores.activation,
                                .weight = 20000};
    params.view[0].scores = at(c, data.tested);
    params.view[0].mask = at(c, mask.tested);
    params.view[0].smooth.next = -1;
    params.view[0].smooth.state_in = smooth ? at(c, state.tested) : 0;
    params.view[0].smooth.state_out = smooth ? at(c, state.tested) : 0;
    if (!push(c) || !pull(c, vrs_cuda_person(&c->gpu->postprocess, c->gpu->stream, &params, 1)))
        return;
    scores.data = data.reference;
    c->reference->person(&scores, mask.reference, scores.width);
    if (smooth)
        c->reference->smooth(state.reference, mask.reference, pixels, 20000);
    vrs_self_compare(c, "mask", &mask, VRS_SELF_I16, 1);
    vrs_self_compare(c, "state", &state, VRS_SELF_I16, 1);
}

/* Source and result of an up-sampling; the last two have rows of whole vectors. */
static const int32_t resizes[][4] = {
    {1, 1, 5, 7}, {9, 3, 31, 17}, {40, 13, 17, 9}, {33, 2, 64, 8}, {24, 16, 264, 37}};
#define RESIZES 5

static void run_mask_resize(vrs_self_case *c)
{
    const int32_t *size = resizes[c->which];
    vrs_upsample up = vrs_self_make_upsample(c, size);
    vrs_self_twin from = vrs_self_make(c, 2 * (size_t)size[0] * (size_t)size[1], VRS_SELF_Q15);
    vrs_self_twin mask = vrs_self_make(c, 2 * (size_t)size[2] * (size_t)size[3], VRS_SELF_POISON);
    int16_t *scratch = vrs_self_scratch(c, 2 * ((size_t)size[2] + 64) * sizeof(int16_t));
    vrs_mask_resize_params params = {.source_stride = size[0],
                                     .source_width = size[0],
                                     .source_height = size[1],
                                     .width = size[2],
                                     .height = size[3]};
    params.view[0].source = at(c, from.tested);
    params.view[0].mask = at(c, mask.tested);
    params.view[0].smooth.next = -1;
    if (push(c) &&
        pull(c, vrs_cuda_mask_resize(&c->gpu->postprocess, c->gpu->stream, &params, 1))) {
        c->reference->upsample(&up, from.reference, size[0], 0, size[3], mask.reference, size[2],
                               scratch);
        vrs_self_compare(c, "mask", &mask, VRS_SELF_I16, 0);
    }
}

/* Width, height, radius; radius 1 has a kernel of its own. */
static const int32_t windows[][3] = {{1, 1, 1}, {33, 20, 1}, {9, 5, 3}, {31, 7, 64}, {65, 40, 4}};
#define WINDOWS 5

/* Slope and offset of the reference, side by side as a GPU has them. */
static void guided_reference(vrs_self_case *c, const vrs_guided *guided, float *pairs)
{
    size_t pixels = (size_t)guided->width * (size_t)guided->height;
    c->reference->guided(guided,
                         vrs_self_scratch(c, vrs_guided_scratch(guided->width, guided->height)));
    for (size_t i = 0; i < pixels; i++) {
        pairs[2 * i] = guided->slope[i];
        pairs[2 * i + 1] = guided->offset[i];
    }
}

static void run_guided(vrs_self_case *c)
{
    const int32_t *size = windows[c->which];
    size_t pixels = (size_t)size[0] * (size_t)size[1];
    vrs_self_twin mask = vrs_self_make(c, 2 * pixels, VRS_SELF_Q15);
    vrs_self_twin guide = vrs_self_make(c, pixels, VRS_SELF_BYTES);
    vrs_self_twin pairs = vrs_self_make(c, 8 * pixels, VRS_SELF_POISON);
    void *once = vrs_self_scratch(c, 8 * pixels);
    vrs_guided_params params = {
        .width = size[0], .height = size[1], .radius = size[2], .epsilon = 5e-4F};
    params.view[0] = (vrs_guided_view){at(c, mask.tested), at(c, guide.tested), at(c, once),
                                       at(c, pairs.tested)};
    if (!push(c) || !pull(c, vrs_cuda_guided(&c->gpu->postprocess, c->gpu->stream, &params, 1)))
        return;
    const vrs_guided guided = {.width = size[0],
                               .height = size[1],
                               .mask = mask.reference,
                               .mask_stride = size[0],
                               .guide = guide.reference,
                               .guide_stride = size[0],
                               .radius = size[2],
                               .epsilon = 5e-4F,
                               .slope = vrs_self_scratch(c, 4 * pixels),
                               .offset = vrs_self_scratch(c, 4 * pixels)};
    guided_reference(c, &guided, pairs.reference);
    vrs_self_compare(c, "coefficient", &pairs, VRS_SELF_F32, 1.12e-4);
}

static void run_feather(vrs_self_case *c)
{
    const int32_t *size = windows[c->which];
    size_t pixels = (size_t)size[0] * (size_t)size[1];
    vrs_self_twin mask = vrs_self_make(c, 2 * pixels, VRS_SELF_Q15);
    void *once = vrs_self_scratch(c, 2 * pixels);
    void *scratch = vrs_self_scratch(c, vrs_feather_scratch(size[0], size[1]));
    vrs_box_params params = {.radius = size[2]};
    params.view[0] =
        (vrs_box_view){at(c, mask.tested), at(c, once), size[0], size[0], size[0], size[1]};
    if (push(c) && pull(c, vrs_cuda_feather(&c->gpu->postprocess, c->gpu->stream, &params, 1))) {
        c->reference->feather(mask.reference, size[0], size[0], size[1], size[2], scratch);
        vrs_self_compare(c, "mask", &mask, VRS_SELF_I16, 0);
    }
}

static void run_classes(vrs_self_case *c)
{
    vrs_scores scores;
    int32_t width = c->which % 3 == 0 ? 65 : 31, height = 13;
    vrs_self_twin data = vrs_self_make_scores(c, &scores);
    vrs_upsample up =
        vrs_self_make_upsample(c, (const int32_t[]){scores.width, scores.height, width, height});
    vrs_self_twin dst = vrs_self_make(c, (size_t)width * (size_t)height, VRS_SELF_POISON);
    float *scratch = vrs_self_scratch(c, (size_t)3 * 32 * ((size_t)width + 16) * sizeof(float));
    vrs_classes_params params = {.classes = scores.classes};
    params.view[0] = (vrs_classes_view){.scores = at(c, data.tested),
                                        .dst = at(c, dst.tested),
                                        .class_stride = scores.class_stride,
                                        .row_stride = scores.row_stride,
                                        .column_stride = scores.column_stride,
                                        .region_width = scores.width,
                                        .region_height = scores.height,
                                        .width = width,
                                        .height = height,
                                        .dst_stride = width};
    if (push(c) && pull(c, vrs_cuda_classes(&c->gpu->postprocess, c->gpu->stream, &params, 1))) {
        scores.data = data.reference;
        c->reference->classes(&up, &scores, 0, height, dst.reference, width, scratch);
        vrs_self_compare(c, "class", &dst, VRS_SELF_U8, 0);
    }
}

/* ---- rendering ---- */

/* What a case of rendering is made of. */
typedef struct rendering {
    const int32_t *size;
    vrs_upsample up;
    vrs_self_twin mask;             /* Q15, or pairs of coefficients */
    vrs_image source[2], target[2]; /* the reference's, the tested one's */
    int16_t *alpha;                 /* the reference's mask at full size */
} rendering;

/* Rows of whole vectors where the width allows them. */
static rendering make_rendering(vrs_self_case *c, vrs_pixel_format target, bool refined)
{
    rendering r = {.size = resizes[c->which % RESIZES]};
    int32_t width = r.size[2], height = r.size[3], align = width % 8 == 0 ? 16 : 1;
    size_t from = (size_t)r.size[0] * (size_t)r.size[1];
    r.up = vrs_self_make_upsample(c, r.size);
    r.mask = vrs_self_make(c, (refined ? 8 : 2) * from, refined ? VRS_SELF_FLOATS : VRS_SELF_Q15);
    vrs_self_make_picture(c, VRS_FORMAT_YUV420P, width, height, align, r.source);
    vrs_self_make_picture(c, target, width, height, align, r.target);
    r.alpha = vrs_self_scratch(c, 2 * (size_t)width * (size_t)height);
    return r;
}

static vrs_status launch(vrs_self_case *c, const rendering *r, int32_t output, bool refined)
{
    vrs_image source = r->source[1], target = r->target[1];
    for (int i = 0; i < VRS_MAX_PLANES; i++) {
        source.planes[i] =
            source.planes[i] != NULL ? (uint8_t *)(uintptr_t)at(c, source.planes[i]) : NULL;
        target.planes[i] =
            target.planes[i] != NULL ? (uint8_t *)(uintptr_t)at(c, target.planes[i]) : NULL;
    }
    const vrs_rect whole = {0, 0, r->size[2], r->size[3]};
    const vrs_post_part part = {.source = &source,
                                .source_rect = whole,
                                .target = &target,
                                .target_rect = whole,
                                .output = output,
                                .mask_kind = refined ? VRS_POST_MASK_REFINE : VRS_POST_MASK_SMALL,
                                .mask = at(c, r->mask.tested),
                                .mask_stride = r->size[0],
                                .mask_width = r->size[0],
                                .mask_height = r->size[1],
                                .background = {0, 177, 64}};
    vrs_render_params params = {.threshold = 0};
    vrs_status status = vrs_cuda_render_view(&part, &params.view[0]);
    return status == VRS_OK ? vrs_cuda_render(&c->gpu->postprocess, c->gpu->stream, &params, 1)
                            : status;
}

/* The reference's mask at full size. */
static void render_alpha(vrs_self_case *c, const rendering *r, bool refined)
{
    const int32_t *size = r->size;
    size_t from = (size_t)size[0] * (size_t)size[1];
    void *scratch = vrs_self_scratch(c, 4 * ((size_t)size[2] + 64) * sizeof(float));
    if (!refined) {
        c->reference->upsample(&r->up, r->mask.reference, size[0], 0, size[3], r->alpha, size[2],
                               scratch);
        return;
    }
    float *slope = vrs_self_scratch(c, 4 * from), *offset = vrs_self_scratch(c, 4 * from);
    const float *pairs = r->mask.reference;
    for (size_t i = 0; i < from; i++) {
        slope[i] = pairs[2 * i];
        offset[i] = pairs[2 * i + 1];
    }
    const vrs_luma luma = {.data = r->source[0].planes[0],
                           .stride = r->source[0].strides[0],
                           .sample_bytes = 1,
                           .scale = 1.0F / 219,
                           .offset = -16.0F / 219};
    c->reference->refine(&r->up, slope, offset, size[0], &luma, 0, size[3], r->alpha, size[2],
                         scratch);
}

/* Both targets' planes, as what the guard bands are around. */
static void compare_planes(vrs_self_case *c, const rendering *r, double within)
{
    const vrs_image *a = &r->target[0], *b = &r->target[1];
    for (int i = 0; i < vrs_format_get(a->format)->planes; i++) {
        size_t bytes = (size_t)a->strides[i] * (size_t)vrs_plane_height(a, i);
        const vrs_self_twin twin = {a->planes[i], b->planes[i], bytes};
        vrs_self_compare(c, i == 0 ? "plane 0" : "chroma", &twin, VRS_SELF_U8, within);
    }
}

static void render_mask(vrs_self_case *c, bool refined)
{
    rendering r = make_rendering(c, VRS_FORMAT_GRAY8, refined);
    if (!push(c) || !pull(c, launch(c, &r, VRS_POST_GRAY, refined)))
        return;
    render_alpha(c, &r, refined);
    for (int32_t y = 0; y < r.size[3]; y++) {
        c->reference->store8(r.alpha + (ptrdiff_t)y * r.size[2],
                             r.target[0].planes[0] + y * r.target[0].strides[0], (size_t)r.size[2]);
    }
    compare_planes(c, &r, refined ? 1 : 0);
}

static void run_render_mask(vrs_self_case *c)
{
    render_mask(c, false);
}

static void run_render_refined(vrs_self_case *c)
{
    render_mask(c, true);
}

/* The source over a colour: luma by the mask, chroma by the mean of its four. */
static void composite_reference(vrs_self_case *c, const rendering *r)
{
    static const uint8_t background[3] = {0, 177, 64};
    int32_t ycc[3], width = r->size[2], height = r->size[3];
    int16_t *row = vrs_self_scratch(c, 2 * (size_t)width);
    vrs_color_from_rgb8(vrs_color_resolve(&r->source[0]), 8, background, ycc);
    for (int32_t y = 0; y < height; y++) {
        c->reference->blend8(
            r->source[0].planes[0] + y * r->source[0].strides[0], r->alpha + (ptrdiff_t)y * width,
            r->target[0].planes[0] + y * r->target[0].strides[0], (size_t)width, (uint8_t)ycc[0]);
    }
    for (int32_t y = 0; y < (height + 1) / 2; y++) {
        const int16_t *upper = r->alpha + (ptrdiff_t)(2 * y) * width;
        c->reference->chroma_alpha(upper, 2 * y + 1 < height ? upper + width : upper, row, width);
        for (int i = 1; i <= 2; i++) {
            c->reference->blend8(r->source[0].planes[i] + y * r->source[0].strides[i], row,
                                 r->target[0].planes[i] + y * r->target[0].strides[i],
                                 (size_t)(width + 1) / 2, (uint8_t)ycc[i]);
        }
    }
}

static void run_composite(vrs_self_case *c)
{
    bool refined = c->which >= RESIZES;
    rendering r = make_rendering(c, VRS_FORMAT_YUV420P, refined);
    if (push(c) && pull(c, launch(c, &r, VRS_POST_COMPOSITE, refined))) {
        render_alpha(c, &r, refined);
        composite_reference(c, &r);
        compare_planes(c, &r, refined ? 1 : 0);
    }
}

/* Rows that come in whole vectors take the fast kernels, the others the general ones. */
static const vrs_self_kernel gpu_kernels[] = {
    {"preprocess, any rows", run_preprocess_any, VRS_SELF_FORMATS *VRS_SELF_TENSORS},
    {"preprocess, whole rows", run_preprocess_fast, VRS_SELF_FORMATS *VRS_SELF_TENSORS},
    {"person", run_person, VRS_SELF_SCORES},
    {"mask_resize", run_mask_resize, RESIZES},
    {"guided", run_guided, WINDOWS},
    {"feather", run_feather, WINDOWS},
    {"classes", run_classes, 10},
    {"render mask", run_render_mask, RESIZES},
    {"render refined mask", run_render_refined, RESIZES},
    {"render composite", run_composite, 2 * RESIZES},
};

/* ---- the network ---- */

typedef struct verdict {
    int32_t nodes, wrong;
    char text[VRS_DETAIL_SIZE];
} verdict;

static void judge_node(void *opaque, const vrs_engine_check *check)
{
    verdict *v = opaque;
    v->nodes++;
    if (!check->good && v->wrong++ == 0) {
        (void)snprintf(v->text, sizeof(v->text), "%.80s (%.200s) is off by %.2g of its size",
                       check->name, check->does, check->off);
    }
}

static vrs_status verify(const vrs_model *model, const vrs_engine_params *params, verdict *v,
                         char *description, size_t size)
{
    vrs_engine *engine;
    vrs_status status = vrs_engine_create("cuda", model, params, &engine);
    if (status != VRS_OK)
        return status;
    (void)snprintf(description, size, "%s", vrs_engine_describe(engine));
    for (int32_t batch = 1; batch <= 2 && status == VRS_OK; batch++)
        status = vrs_engine_verify(engine, batch, 7, judge_node, v);
    vrs_engine_destroy(engine);
    return status;
}

static void test_network(const vrs_checker *to, const vrs_place *place, const vrs_model *model,
                         vrs_precision precision)
{
    char name[64], description[256] = "";
    verdict v = {0};
    (void)snprintf(name, sizeof(name), "%s network in %s",
                   vrs_device_get_properties(place->device)->id, vrs_precision_name(precision));
    const vrs_check_words words = {.name = name,
                                   .wanted = "the results of plain C",
                                   .gives = "right masks",
                                   .remedy = "`vrseg cache clear`; then `vrseg compile MODEL "
                                             "--verify` names the node"};
    const vrs_engine_params params = {.requests = 1,
                                      .threads = 1,
                                      .max_batch = 2,
                                      .batches = {1, 2},
                                      .precision = precision,
                                      .device = place->device,
                                      .memory = place->memory};
    if (verify(model, &params, &v, description, sizeof(description)) != VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_FAILED, true, "%s", vrs_last_error());
    } else if (v.wrong > 0) {
        vrs_check_tell(to, &words, VRS_CHECK_FAILED, true, "%s", v.text);
    } else {
        vrs_check_tell(to, &words, VRS_CHECK_OK, true, "%s: %d results agree", description,
                       v.nodes);
    }
}

static vrs_status test_networks(const vrs_checker *to, const vrs_place *place,
                                const char *descriptor)
{
    vrs_model *model;
    vrs_status status = vrs_model_load(descriptor, &model);
    if (status == VRS_OK) {
        test_network(to, place, model, VRS_PRECISION_F32);
        test_network(to, place, model, VRS_PRECISION_F16);
        vrs_model_destroy(model);
    }
    return status;
}

static vrs_status open_place(const char *id, vrs_place *place)
{
    vrs_config *config = NULL;
    vrs_status status = vrs_config_create(&config);
    if (status == VRS_OK)
        status = vrs_config_set(config, "device", id);
    memset(place, 0, sizeof(*place));
    if (status == VRS_OK)
        status = vrs_place_open(config, place);
    vrs_config_destroy(config);
    return status;
}

static vrs_status open_gpu(const vrs_place *place, vrs_self_gpu *gpu)
{
    *gpu = (vrs_self_gpu){.device = place->device};
    vrs_status status = vrs_device_stream_create(gpu->device, VRS_PRIORITY_NORMAL, &gpu->stream);
    if (status == VRS_OK)
        status = vrs_device_event_create(gpu->device, false, &gpu->event);
    if (status == VRS_OK)
        status = vrs_device_raw_alloc(gpu->device, VRS_SELF_ARENA, &gpu->arena);
    if (status == VRS_OK)
        status = vrs_cuda_preprocess_open(gpu->device, &gpu->preprocess);
    if (status == VRS_OK)
        status = vrs_cuda_postprocess_open(gpu->device, &gpu->postprocess);
    return status;
}

/* What a failed check has queued works on the arena. */
static void close_gpu(vrs_self_gpu *gpu)
{
    if (gpu->event)
        (void)settle(gpu); /* a device that is lost does not work on it any more */
    vrs_device_raw_free(gpu->device, gpu->arena);
    vrs_device_event_destroy(gpu->event);
    vrs_device_stream_destroy(gpu->stream);
}

vrs_status vrs_self_test_gpu(const vrs_checker *to, int32_t number, const char *descriptor)
{
    char id[24];
    vrs_place place;
    vrs_self_gpu gpu = {0};
    (void)snprintf(id, sizeof(id), "cuda:%d", number);
    const vrs_check_words words = {.name = id,
                                   .wanted = "a GPU that can be opened",
                                   .gives = "all stages on the GPU",
                                   .remedy = "the sentence says what is wrong"};
    if (open_place(id, &place) != VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_SKIPPED, false, "%s", vrs_last_error());
        vrs_place_close(&place);
        return VRS_OK;
    }
    vrs_status status = VRS_OK;
    if (open_gpu(&place, &gpu) != VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_FAILED, true, "%s", vrs_last_error());
    } else {
        status = vrs_self_run(to, id, NULL, &gpu, gpu_kernels,
                              sizeof(gpu_kernels) / sizeof(gpu_kernels[0]));
    }
    close_gpu(&gpu);
    if (status == VRS_OK && descriptor != NULL)
        status = test_networks(to, &place, descriptor);
    vrs_place_close(&place);
    return status;
}
