/* The public input: a source of the CPU, and preprocessing as the pipeline does it. */
#include "vrseg/input.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "image/format.h"
#include "kernels/kernels.h"
#include "media/encode/picture.h"
#include "media/source/source.h"
#include "model/model.h"

struct vrs_input {
    vrs_source *source;
    char *path;
    /* What the last tensor was made with; the same is used again. */
    vrs_preprocess_plan *plan;
    vrs_preprocess_desc desc;
    void *scratch;
};

vrs_status vrs_input_open(const vrs_config *config, const char *path, vrs_input **input)
{
    *input = NULL;
    vrs_input *self = vrs_alloc(sizeof(*self));
    if (self == NULL)
        return VRS_NO_MEMORY;
    const char *raw = vrs_config_get(config, "raw_format");
    const vrs_source_params params = {
        .path = path,
        .raw_format = raw != NULL && raw[0] != 0 ? raw : NULL,
        .decoder = VRS_DECODER_CPU,
        .threads = (int32_t)vrs_config_int(config, "decoder_threads", 0),
        .max_frames = vrs_config_int(config, "max_frames", 0),
        .look = true,
    };
    self->path = vrs_strdup(path);
    vrs_status status =
        self->path == NULL ? VRS_NO_MEMORY : vrs_source_open(&params, &self->source);
    if (status != VRS_OK) {
        vrs_free(self->path);
        vrs_free(self);
        return status;
    }
    *input = self;
    return VRS_OK;
}

static void drop_plan(vrs_input *input)
{
    vrs_preprocess_plan_destroy(input->plan);
    vrs_free(input->scratch);
    input->plan = NULL;
    input->scratch = NULL;
}

void vrs_input_close(vrs_input *input)
{
    if (input == NULL)
        return;
    drop_plan(input);
    vrs_source_close(input->source);
    vrs_free(input->path);
    vrs_free(input);
}

void vrs_input_get_info(const vrs_input *input, vrs_input_info *info)
{
    const vrs_stream_info *s = &input->source->info;
    *info = (vrs_input_info){.format = s->format,
                             .width = s->width,
                             .height = s->height,
                             .rotation = s->rotation,
                             .time_base_num = s->time_base_num,
                             .time_base_den = s->time_base_den,
                             .rate_num = s->rate_num,
                             .rate_den = s->rate_den,
                             .frame_estimate = s->frame_estimate,
                             .still = s->still};
    (void)snprintf(info->description, sizeof(info->description), "%s", s->description);
}

vrs_status vrs_input_get_layout(const vrs_input *input, const vrs_config *config,
                                vrs_layout_reading *layout)
{
    const vrs_source *source = input->source;
    return vrs_source_layout_decide(&source->layout, config, input->path, source->info.width,
                                    source->info.height, layout);
}

vrs_status vrs_input_read(vrs_input *input, vrs_frame *frame)
{
    *frame = (vrs_frame){.id = 0};
    vrs_status status = vrs_source_read(input->source, frame);
    if (status != VRS_OK)
        vrs_image_release(&frame->image);
    return status;
}

uint64_t vrs_input_damaged(const vrs_input *input)
{
    return input->source->damaged;
}

void vrs_input_tensor_of(const vrs_model *model, vrs_input_tensor *tensor)
{
    const vrs_model_spec *spec = vrs_model_get_spec(model);
    *tensor = (vrs_input_tensor){.width = spec->width,
                                 .height = spec->height,
                                 .bilinear = spec->resize == VRS_RESIZE_BILINEAR,
                                 .letterbox = spec->fit == VRS_FIT_LETTERBOX,
                                 .bgr = spec->bgr != 0,
                                 .pad = spec->pad};
    memcpy(tensor->mean, spec->mean, sizeof(tensor->mean));
    memcpy(tensor->scale, spec->scale, sizeof(tensor->scale));
}

static vrs_preprocess_desc describe(const vrs_image *image, const vrs_input_tensor *tensor)
{
    vrs_preprocess_desc desc = {
        .format = image->format,
        .image_width = image->width,
        .image_height = image->height,
        .color = vrs_color_resolve(image),
        .view = {0, 0, image->width, image->height},
        .width = tensor->width,
        .height = tensor->height,
        .resize = tensor->bilinear ? VRS_RESIZE_BILINEAR : VRS_RESIZE_AREA,
        .fit = tensor->letterbox ? VRS_FIT_LETTERBOX : VRS_FIT_STRETCH,
        .tensor = tensor->bytes ? VRS_TENSOR_U8_NHWC : VRS_TENSOR_F32_NCHW,
        .bgr = tensor->bgr,
        .pad = tensor->pad,
    };
    for (int i = 0; i < 3; i++) {
        desc.mean[i] = tensor->bytes ? 0 : tensor->mean[i];
        desc.scale[i] = tensor->bytes ? 1 : tensor->scale[i];
    }
    return desc;
}

/* Of what describe() sets. */
static bool same_job(const vrs_preprocess_desc *a, const vrs_preprocess_desc *b)
{
    bool same = a->format == b->format && a->image_width == b->image_width &&
                a->image_height == b->image_height && a->color.matrix == b->color.matrix &&
                a->color.range == b->color.range && a->color.transfer == b->color.transfer &&
                a->color.chroma_site == b->color.chroma_site &&
                a->color.primaries == b->color.primaries && a->width == b->width &&
                a->height == b->height && a->resize == b->resize && a->fit == b->fit &&
                a->tensor == b->tensor && a->bgr == b->bgr && a->pad == b->pad;
    for (int i = 0; i < 3; i++)
        same = same && a->mean[i] == b->mean[i] && a->scale[i] == b->scale[i];
    return same;
}

/* A video's frames are alike, so that a plan is made once; pictures may differ. */
static vrs_status use_plan(vrs_input *input, const vrs_image *image, const vrs_input_tensor *tensor)
{
    const vrs_preprocess_desc desc = describe(image, tensor);
    if (input->plan != NULL && same_job(&desc, &input->desc))
        return VRS_OK;
    drop_plan(input);
    vrs_status status = vrs_preprocess_plan_create(&desc, &input->plan);
    if (status != VRS_OK) {
        input->plan = NULL;
        return status;
    }
    input->scratch = vrs_alloc_aligned(vrs_preprocess_scratch(input->plan));
    if (input->scratch == NULL) {
        drop_plan(input);
        return VRS_NO_MEMORY;
    }
    input->desc = desc;
    return VRS_OK;
}

vrs_status vrs_input_read_tensor(vrs_input *input, const vrs_input_tensor *tensor, void *data,
                                 vrs_frame *frame)
{
    vrs_frame own = {.id = 0};
    frame = frame != NULL ? frame : &own;
    vrs_status status = vrs_input_read(input, frame);
    if (status != VRS_OK)
        return status;
    status = use_plan(input, &frame->image, tensor);
    if (status == VRS_OK)
        vrs_kernels_get(VRS_ISA_AVX512)
            ->preprocess(input->plan, &frame->image, data, NULL, input->scratch);
    vrs_image_release(&frame->image);
    frame->image = (vrs_image){.format = VRS_FORMAT_NONE};
    return status;
}

vrs_status vrs_image_write_png(const vrs_image *image, const char *path)
{
    return vrs_picture_write(path, image);
}
