/* Preprocessing and the reading of scores beside the reference. */
#include <math.h>
#include <string.h>

#include "doctor/self_test.h"
#include "image/format.h"

const vrs_pixel_format vrs_self_formats[VRS_SELF_FORMATS] = {
    VRS_FORMAT_YUV420P, VRS_FORMAT_NV12, VRS_FORMAT_P010,  VRS_FORMAT_YUV420P10,
    VRS_FORMAT_RGB24,   VRS_FORMAT_BGRA, VRS_FORMAT_GRAY8,
};

/* Kinds of tensors, a type and a layout each at least once. */
static const vrs_tensor_format tensors[VRS_SELF_TENSORS] = {VRS_TENSOR_F32_NCHW, VRS_TENSOR_U8_NHWC,
                                                            VRS_TENSOR_F16_NHWC, VRS_TENSOR_I8_S2D};

void vrs_self_make_picture(vrs_self_case *c, vrs_pixel_format format, int32_t width, int32_t height,
                           int32_t align, vrs_image images[2])
{
    vrs_image image = {.format = format, .width = width, .height = height};
    const vrs_format_info *info = vrs_format_get(format);
    images[0] = images[1] = image;
    for (int plane = 0; plane < info->planes; plane++) {
        ptrdiff_t row = (ptrdiff_t)vrs_plane_row_bytes(&image, plane);
        ptrdiff_t stride = align == 1 ? row + 6 : (row + align - 1) / align * align;
        size_t bytes = (size_t)stride * (size_t)vrs_plane_height(&image, plane);
        vrs_self_twin twin =
            vrs_self_make(c, bytes, info->sample_bytes == 1 ? VRS_SELF_BYTES : VRS_SELF_TEN);
        for (size_t i = 0; info->sample_bytes == 2 && i < bytes / 2; i++) {
            uint16_t *words = twin.reference;
            words[i] = (uint16_t)(words[i] << info->sample_shift);
        }
        memcpy(twin.tested, twin.reference, bytes);
        images[0].planes[plane] = twin.reference;
        images[1].planes[plane] = twin.tested;
        images[0].strides[plane] = images[1].strides[plane] = stride;
    }
}

static vrs_self_type type_of(vrs_tensor_format tensor)
{
    static const vrs_self_type types[] = {[VRS_TENSOR_F32] = VRS_SELF_F32,
                                          [VRS_TENSOR_F16] = VRS_SELF_F16,
                                          [VRS_TENSOR_I8] = VRS_SELF_I8,
                                          [VRS_TENSOR_U8] = VRS_SELF_U8};
    return types[vrs_tensor_type_of(tensor)];
}

/* 1e-5 of full range before the scale; bytes: 1. */
static double within_of(vrs_self_type type, const vrs_preprocess_desc *desc)
{
    bool floats = type == VRS_SELF_F32 || type == VRS_SELF_F16;
    return floats ? 1e-5 * 255 * fabs((double)desc->scale[0]) : 1;
}

vrs_preprocess_desc vrs_self_preprocess(const vrs_self_case *c, const vrs_image *image)
{
    vrs_preprocess_desc desc = {.format = image->format,
                                .image_width = 67,
                                .image_height = 35,
                                .color = {.matrix = VRS_MATRIX_BT709, .range = VRS_RANGE_LIMITED},
                                .view = {c->which % 3, 0, 67 - c->which % 5, 35},
                                .width = 26,
                                .height = 18,
                                .resize = (vrs_resize)(c->which % 2),
                                .fit = (vrs_fit)(c->which / 2 % 2),
                                .tensor = tensors[c->which / VRS_SELF_FORMATS],
                                .mean = {127.5F, 120, 103.94F},
                                .scale = {0.0078F, 0.0078F, 0.0078F},
                                .pad = 17,
                                .quantum = 0.01F};
    desc.view.width -= desc.view.x;
    return desc;
}

void vrs_self_compare_tensor(vrs_self_case *c, const vrs_preprocess_desc *desc,
                             const vrs_self_twin *tensor)
{
    vrs_self_type type = type_of(desc->tensor);
    vrs_self_compare(c, "tensor", tensor, type, within_of(type, desc));
}

/* Case: a format and a kind of tensor. */
static void run_preprocess(vrs_self_case *c)
{
    vrs_image images[2];
    vrs_preprocess_plan *plan;
    vrs_self_make_picture(c, vrs_self_formats[c->which % VRS_SELF_FORMATS], 67, 35, 1, images);
    const vrs_preprocess_desc desc = vrs_self_preprocess(c, &images[0]);
    if (vrs_preprocess_plan_create(&desc, &plan) != VRS_OK) {
        vrs_self_failed(c, "a plan of preprocessing");
        return;
    }
    vrs_self_twin tensor = vrs_self_make(c, vrs_preprocess_tensor_bytes(plan), VRS_SELF_POISON);
    vrs_self_twin luma = vrs_self_make(c, 26 * 18, VRS_SELF_POISON);
    void *scratch = vrs_self_scratch(c, vrs_preprocess_scratch(plan));
    c->reference->preprocess(plan, &images[0], tensor.reference, luma.reference, scratch);
    c->tested->preprocess(plan, &images[1], tensor.tested, luma.tested, scratch);
    vrs_self_compare_tensor(c, &desc, &tensor);
    vrs_self_compare(c, "luma", &luma, VRS_SELF_U8, 1);
    vrs_preprocess_plan_destroy(plan);
}

vrs_self_twin vrs_self_make_scores(vrs_self_case *c, vrs_scores *scores)
{
    static const int32_t sizes[][3] = {{1, 1, 1}, {2, 17, 9}, {8, 33, 5}, {21, 47, 3}, {32, 9, 31}};
    const int32_t *size = sizes[c->which % 5];
    ptrdiff_t classes = size[0], width = size[1], height = size[2];
    bool last = c->which / 5 % 2 == 1;
    *scores = (vrs_scores){.classes = size[0],
                           .width = size[1],
                           .height = size[2],
                           .class_stride = last ? 1 : width * height,
                           .row_stride = last ? width * classes : width,
                           .column_stride = last ? classes : 1,
                           .activation = (vrs_activation)(c->which / 10),
                           .person_classes = size[0] < 2 ? 1 : 0x55555554U};
    return vrs_self_make(c, 4 * (size_t)(classes * width * height), VRS_SELF_FLOATS);
}

static void run_person(vrs_self_case *c)
{
    vrs_scores scores;
    vrs_self_twin data = vrs_self_make_scores(c, &scores);
    ptrdiff_t stride = scores.width + 1;
    vrs_self_twin mask =
        vrs_self_make(c, 2 * (size_t)stride * (size_t)scores.height, VRS_SELF_POISON);
    scores.data = data.reference;
    c->reference->person(&scores, mask.reference, stride);
    scores.data = data.tested;
    c->tested->person(&scores, mask.tested, stride);
    vrs_self_compare(c, "mask", &mask, VRS_SELF_I16, 1);
}

static void run_classes(vrs_self_case *c)
{
    vrs_scores scores;
    vrs_upsample up;
    int32_t width = c->which % 3 == 0 ? 65 : 31, height = 13;
    vrs_self_twin data = vrs_self_make_scores(c, &scores);
    vrs_upsample_init(&up, scores.width, scores.height, width, height,
                      vrs_self_scratch(c, vrs_upsample_storage(width, height)));
    vrs_self_twin dst = vrs_self_make(c, (size_t)(width + 3) * (size_t)height, VRS_SELF_POISON);
    float *scratch = vrs_self_scratch(c, (size_t)3 * 32 * ((size_t)width + 16) * sizeof(float));
    scores.data = data.reference;
    c->reference->classes(&up, &scores, 0, height, dst.reference, width + 3, scratch);
    scores.data = data.tested;
    c->tested->classes(&up, &scores, 0, height, dst.tested, width + 3, scratch);
    vrs_self_compare(c, "class", &dst, VRS_SELF_U8, 0);
}

const vrs_self_kernel vrs_self_pictures[] = {
    {"preprocess", run_preprocess, VRS_SELF_FORMATS *VRS_SELF_TENSORS},
    {"person", run_person, VRS_SELF_SCORES},
    {"classes", run_classes, 10},
};
const size_t vrs_self_picture_count = sizeof(vrs_self_pictures) / sizeof(vrs_self_pictures[0]);
