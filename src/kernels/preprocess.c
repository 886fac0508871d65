#include "kernels/preprocess.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "kernels/preprocess_plan.h"

/* Samples of a row that a tile of the fast implementations aims at: the sums of 16 rows and their
 * transpose (64 bytes a sample each) then stay in a second-level cache of 256 KiB. */
#define TILE_SAMPLES 1536

/* Most terms of a sum of 10-bit and of 8-bit codes in 16 bits. */
#define MOST_TERMS_10 64
#define MOST_TERMS_8 257

/* Most channels of a pixel of a tensor. */
#define MOST_CHANNELS 16

/* Most terms of a sum along a row: sums of VRS_PREPROCESS_TERMS, and so many of these, keep the
 * tolerance. */
#define MOST_TAPS (8 * VRS_PREPROCESS_TERMS)

/* Weights of R', G', B' in the guide of an RGB picture: BT.709's luma. */
static const float rgb_luma[3] = {0.2126F, 0.7152F, 0.0722F};

static const struct {
    vrs_tensor_type type;
    vrs_tensor_layout layout;
} tensor_parts[VRS_TENSOR_FORMATS] = {
    [VRS_TENSOR_F32_NCHW] = {VRS_TENSOR_F32, VRS_TENSOR_NCHW},
    [VRS_TENSOR_F32_NHWC] = {VRS_TENSOR_F32, VRS_TENSOR_NHWC},
    [VRS_TENSOR_U8_NHWC] = {VRS_TENSOR_U8, VRS_TENSOR_NHWC},
    [VRS_TENSOR_F16_NCHW] = {VRS_TENSOR_F16, VRS_TENSOR_NCHW},
    [VRS_TENSOR_F16_NHWC] = {VRS_TENSOR_F16, VRS_TENSOR_NHWC},
    [VRS_TENSOR_I8_NCHW] = {VRS_TENSOR_I8, VRS_TENSOR_NCHW},
    [VRS_TENSOR_I8_NHWC] = {VRS_TENSOR_I8, VRS_TENSOR_NHWC},
    [VRS_TENSOR_F32_S2D] = {VRS_TENSOR_F32, VRS_TENSOR_S2D},
    [VRS_TENSOR_F16_S2D] = {VRS_TENSOR_F16, VRS_TENSOR_S2D},
    [VRS_TENSOR_I8_S2D] = {VRS_TENSOR_I8, VRS_TENSOR_S2D},
};

vrs_tensor_type vrs_tensor_type_of(vrs_tensor_format format)
{
    return tensor_parts[format].type;
}

vrs_tensor_layout vrs_tensor_layout_of(vrs_tensor_format format)
{
    return tensor_parts[format].layout;
}

size_t vrs_tensor_element_bytes(vrs_tensor_type type)
{
    return type == VRS_TENSOR_F32 ? 4 : type == VRS_TENSOR_F16 ? 2 : 1;
}

static vrs_status check_source(const vrs_preprocess_desc *desc)
{
    switch ((int)desc->format) {
    case VRS_FORMAT_YUV420P:
    case VRS_FORMAT_NV12:
    case VRS_FORMAT_P010:
    case VRS_FORMAT_YUV420P10:
    case VRS_FORMAT_RGB24:
    case VRS_FORMAT_BGRA:
    case VRS_FORMAT_GRAY8:
        break;
    default:
        return vrs_fail(VRS_INVALID,
                        "preprocess: format %s cannot be a source; yuv420p, nv12, p010, yuv420p10, "
                        "rgb24, bgra and gray8 can",
                        vrs_pixel_format_name(desc->format));
    }
    if (desc->image_width < 1 || desc->image_width > VRS_MAX_SIDE || desc->image_height < 1 ||
        desc->image_height > VRS_MAX_SIDE) {
        return vrs_fail(VRS_INVALID, "preprocess: image of %dx%d; each side must lie in 1 to %d",
                        desc->image_width, desc->image_height, VRS_MAX_SIDE);
    }
    const vrs_rect *view = &desc->view;
    if (view->width < 1 || view->height < 1 || view->x < 0 || view->y < 0 ||
        view->width > desc->image_width || view->x > desc->image_width - view->width ||
        view->height > desc->image_height || view->y > desc->image_height - view->height) {
        return vrs_fail(
            VRS_INVALID, "preprocess: view of %dx%d at %d,%d does not lie in the image of %dx%d",
            view->width, view->height, view->x, view->y, desc->image_width, desc->image_height);
    }
    return VRS_OK;
}

static vrs_status check_tensor(const vrs_preprocess_desc *desc)
{
    const vrs_tensor_layout layout = vrs_tensor_layout_of(desc->tensor);
    const int32_t least = layout == VRS_TENSOR_S2D ? 12 : 3;
    const int32_t most = layout == VRS_TENSOR_NCHW ? 3 : MOST_CHANNELS;
    if (desc->channels != 0 && (desc->channels < least || desc->channels > most)) {
        return vrs_fail(VRS_INVALID, "preprocess: %d channels; tensor format %d can have %d to %d",
                        desc->channels, (int)desc->tensor, least, most);
    }
    if (layout == VRS_TENSOR_S2D && (desc->width % 2 != 0 || desc->height % 2 != 0)) {
        return vrs_fail(VRS_INVALID,
                        "preprocess: network input of %dx%d; space-to-depth needs even sides",
                        desc->width, desc->height);
    }
    if (vrs_tensor_type_of(desc->tensor) == VRS_TENSOR_I8 &&
        !(desc->quantum > 0.0F && isfinite(desc->quantum)))
        return vrs_fail(VRS_INVALID, "preprocess: an INT8 tensor needs a quantum above 0");
    return VRS_OK;
}

static vrs_status check_network(const vrs_preprocess_desc *desc)
{
    if (desc->width < 1 || desc->width > VRS_MAX_SIDE || desc->height < 1 ||
        desc->height > VRS_MAX_SIDE) {
        return vrs_fail(VRS_INVALID,
                        "preprocess: network input of %dx%d; each side must lie in 1 to %d",
                        desc->width, desc->height, VRS_MAX_SIDE);
    }
    if ((desc->resize != VRS_RESIZE_AREA && desc->resize != VRS_RESIZE_BILINEAR) ||
        (desc->fit != VRS_FIT_STRETCH && desc->fit != VRS_FIT_LETTERBOX) ||
        (uint32_t)desc->tensor >= VRS_TENSOR_FORMATS) {
        return vrs_fail(VRS_INVALID, "preprocess: resize %d, fit %d or tensor format %d is unknown",
                        (int)desc->resize, (int)desc->fit, (int)desc->tensor);
    }
    bool finite = isfinite(desc->pad);
    for (int channel = 0; channel < 3; channel++)
        finite = finite && isfinite(desc->mean[channel]) && isfinite(desc->scale[channel]);
    if (!finite)
        return vrs_fail(VRS_INVALID, "preprocess: mean, scale and pad must be finite numbers");
    return check_tensor(desc);
}

/* round(a * b / c), at least 1 and at most `most`. */
static int32_t scaled_side(int32_t a, int32_t b, int32_t c, int32_t most)
{
    const int64_t side = (2 * (int64_t)a * b + c) / (2 * (int64_t)c);
    return side < 1 ? 1 : (side > most ? most : (int32_t)side);
}

static vrs_rect fit_content(const vrs_preprocess_desc *desc)
{
    vrs_rect content = {0, 0, desc->width, desc->height};
    if (desc->fit == VRS_FIT_LETTERBOX) {
        const int64_t by_width = (int64_t)desc->width * desc->view.height;
        const int64_t by_height = (int64_t)desc->height * desc->view.width;
        if (by_width <= by_height) {
            content.height =
                scaled_side(desc->view.height, desc->width, desc->view.width, desc->height);
        } else {
            content.width =
                scaled_side(desc->view.width, desc->height, desc->view.height, desc->width);
        }
        content.x = (desc->width - content.width) / 2;
        content.y = (desc->height - content.height) / 2;
    }
    return content;
}

static void set_components(vrs_preprocess_plan *plan)
{
    static const vrs_component layouts[][3] = {
        {{0, 1, 0, VRS_AXIS_LUMA}, {1, 1, 0, VRS_AXIS_CHROMA}, {2, 1, 0, VRS_AXIS_CHROMA}},
        {{0, 1, 0, VRS_AXIS_LUMA}, {1, 2, 0, VRS_AXIS_CHROMA}, {1, 2, 1, VRS_AXIS_CHROMA}},
        {{0, 3, 0, VRS_AXIS_LUMA}, {0, 3, 1, VRS_AXIS_LUMA}, {0, 3, 2, VRS_AXIS_LUMA}},
        {{0, 4, 2, VRS_AXIS_LUMA}, {0, 4, 1, VRS_AXIS_LUMA}, {0, 4, 0, VRS_AXIS_LUMA}},
        {{0, 1, 0, VRS_AXIS_LUMA}},
    };
    int layout = 0;
    switch ((int)plan->desc.format) {
    case VRS_FORMAT_NV12:
    case VRS_FORMAT_P010:
        layout = 1;
        break;
    case VRS_FORMAT_RGB24:
        layout = 2;
        break;
    case VRS_FORMAT_BGRA:
        layout = 3;
        break;
    case VRS_FORMAT_GRAY8:
        layout = 4;
        break;
    default:
        break;
    }
    memcpy(plan->component, layouts[layout], sizeof(plan->component));
    plan->components = plan->desc.format == VRS_FORMAT_GRAY8 ? 1 : 3;
}

/* Colours, in the network's channel order. */
static void set_colors(vrs_preprocess_plan *plan)
{
    const vrs_preprocess_desc *desc = &plan->desc;
    const vrs_color color = desc->color;
    const vrs_color_matrix rgb = vrs_color_to_rgb(color, plan->info->depth);
    for (int channel = 0; channel < 3; channel++) {
        /* A gray sample is all three. */
        const int row = plan->components == 1 ? 0 : (desc->bgr ? 2 - channel : channel);
        memcpy(plan->matrix[channel], rgb.m[row], sizeof(plan->matrix[channel]));
        plan->scale[channel] = 255.0F * desc->scale[channel];
        plan->bias[channel] = -desc->mean[channel] * desc->scale[channel];
        plan->pad[channel] = (desc->pad - desc->mean[channel]) * desc->scale[channel];
    }
    plan->pad_code = (uint8_t)(fminf(fmaxf(desc->pad, 0.0F), 255.0F) + 0.5F);
    /* Row 0 of the matrix has the weight of Y in R', which is that of Y in 0..1. */
    if (plan->info->is_yuv || plan->components == 1) {
        vrs_color gray = color;
        gray.matrix = VRS_MATRIX_RGB;
        const vrs_color_matrix luma = vrs_color_to_rgb(gray, plan->info->depth);
        plan->luma[0] = 255.0F * luma.m[0][0];
        plan->luma[3] = 255.0F * luma.m[0][3];
    } else {
        for (int channel = 0; channel < 3; channel++) {
            plan->luma[channel] = 255.0F * rgb_luma[channel] * rgb.m[channel][channel];
            plan->luma[3] += 255.0F * rgb_luma[channel] * rgb.m[channel][3];
        }
    }
    plan->tone = color.transfer == VRS_TRANSFER_PQ || color.transfer == VRS_TRANSFER_HLG;
    if (plan->tone)
        vrs_tone_table(color.transfer, plan->tone_table);
}

/* Chroma sample k stands at luma edge coordinate 2k + 1 where it is centred and at 2k + 0.5 where
 * it shares the first sample's place: in chroma's own edge coordinates a quarter further on. */
static vrs_status build_axes(vrs_preprocess_plan *plan)
{
    const vrs_preprocess_desc *desc = &plan->desc;
    const vrs_rect *view = &desc->view;
    const vrs_chroma_site site = desc->color.chroma_site;
    const double shift_x = site == VRS_CHROMA_CENTER ? 0.0 : 0.25;
    const double shift_y = site == VRS_CHROMA_TOP_LEFT ? 0.25 : 0.0;
    const bool area = desc->resize == VRS_RESIZE_AREA;
    const int kinds = plan->info->chroma_420 ? VRS_AXIS_KINDS : 1;
    for (int kind = 0; kind < kinds; kind++) {
        const int part = kind == VRS_AXIS_CHROMA ? 2 : 1;
        vrs_axis_geometry x = {(double)view->x / part,
                               view->width,
                               part * plan->content.width,
                               view->x / part,
                               (view->x + view->width - 1) / part,
                               plan->content.width,
                               area};
        vrs_axis_geometry y = {(double)view->y / part,
                               view->height,
                               part * plan->content.height,
                               view->y / part,
                               (view->y + view->height - 1) / part,
                               plan->content.height,
                               area};
        if (kind == VRS_AXIS_CHROMA) {
            x.begin += shift_x;
            y.begin += shift_y;
        }
        vrs_status status = vrs_axis_build(&plan->x[kind], &x);
        if (status == VRS_OK)
            status = vrs_axis_build(&plan->y[kind], &y);
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

static vrs_status build_runs(vrs_preprocess_plan *plan)
{
    const int32_t most = plan->info->sample_bytes == 2 ? MOST_TERMS_10 : MOST_TERMS_8;
    /* Padded pixels and what no CPU engine takes are the reference's. */
    plan->fast = plan->desc.tensor <= VRS_TENSOR_U8_NHWC && plan->channels == 3;
    for (int kind = 0; kind < VRS_AXIS_KINDS && plan->y[kind].count > 0; kind++) {
        const int32_t count = plan->y[kind].count;
        plan->fast = plan->fast && plan->x[kind].stride <= MOST_TAPS;
        plan->runs[kind] = vrs_alloc_array((size_t)count, sizeof(vrs_run));
        if (plan->runs[kind] == NULL)
            return VRS_NO_MEMORY;
        for (int32_t output = 0; output < count; output++) {
            plan->runs[kind][output] = vrs_axis_run(&plan->y[kind], output);
            plan->fast = plan->fast && plan->runs[kind][output].count <= most;
        }
    }
    return VRS_OK;
}

static int32_t round_up_lanes(int64_t n)
{
    return (int32_t)((n + VRS_PREPROCESS_LANES - 1) / VRS_PREPROCESS_LANES * VRS_PREPROCESS_LANES);
}

/* Samples of a row that outputs begin..end-1 of a component are made of. */
static int32_t span(const vrs_preprocess_plan *plan, const vrs_component *component, int32_t begin,
                    int32_t end)
{
    const vrs_axis *axis = &plan->x[component->axis];
    const int32_t first = axis->first[begin];
    const int32_t last = axis->first[end - 1] + axis->taps[end - 1];
    return (last - first) * component->step;
}

static void set_tiles(vrs_preprocess_plan *plan)
{
    const int32_t width = plan->content.width;
    int64_t widest = 1; /* samples of a row under the whole content */
    for (int i = 0; i < plan->components; i++) {
        const int32_t samples = span(plan, &plan->component[i], 0, width);
        widest = samples > widest ? samples : widest;
    }
    int64_t columns = (int64_t)width * TILE_SAMPLES / widest;
    columns -= columns % VRS_PREPROCESS_LANES;
    columns = columns < VRS_PREPROCESS_LANES ? VRS_PREPROCESS_LANES : columns;
    plan->tile_columns = columns > width ? round_up_lanes(width) : (int32_t)columns;
    for (int32_t begin = 0; begin < width; begin += plan->tile_columns) {
        const int32_t rest = width - begin;
        const int32_t end = begin + (rest < plan->tile_columns ? rest : plan->tile_columns);
        for (int i = 0; i < plan->components; i++) {
            const int32_t samples = round_up_lanes(span(plan, &plan->component[i], begin, end));
            plan->tile_samples = samples > plan->tile_samples ? samples : plan->tile_samples;
        }
    }
    /* A vector more than the samples: rows a multiple of 4096 bytes apart share a cache set. */
    plan->row_stride = plan->tile_samples + VRS_PREPROCESS_LANES;
}

vrs_status vrs_preprocess_plan_create(const vrs_preprocess_desc *desc, vrs_preprocess_plan **plan)
{
    *plan = NULL;
    vrs_status status = check_source(desc);
    if (status == VRS_OK)
        status = check_network(desc);
    if (status != VRS_OK)
        return status;
    vrs_preprocess_plan *made = vrs_alloc(sizeof(*made));
    if (made == NULL)
        return VRS_NO_MEMORY;
    const vrs_image image = {.format = desc->format,
                             .width = desc->image_width,
                             .height = desc->image_height,
                             .color = desc->color};
    made->desc = *desc;
    made->desc.color = vrs_color_resolve(&image);
    made->info = vrs_format_get(desc->format);
    made->peak = (1 << made->info->depth) - 1;
    made->content = fit_content(desc);
    made->type = vrs_tensor_type_of(desc->tensor);
    made->layout = vrs_tensor_layout_of(desc->tensor);
    made->channels = desc->channels != 0 ? desc->channels : made->layout == VRS_TENSOR_S2D ? 12 : 3;
    set_components(made);
    set_colors(made);
    status = build_axes(made);
    if (status == VRS_OK)
        status = build_runs(made);
    if (status != VRS_OK) {
        vrs_preprocess_plan_destroy(made);
        return status;
    }
    set_tiles(made);
    *plan = made;
    return VRS_OK;
}

void vrs_preprocess_plan_destroy(vrs_preprocess_plan *plan)
{
    if (plan == NULL)
        return;
    for (int kind = 0; kind < VRS_AXIS_KINDS; kind++) {
        vrs_axis_free(&plan->x[kind]);
        vrs_axis_free(&plan->y[kind]);
        vrs_free(plan->runs[kind]);
    }
    vrs_free(plan);
}

size_t vrs_preprocess_scratch(const vrs_preprocess_plan *plan)
{
    const size_t rows = (size_t)plan->row_stride + (size_t)plan->tile_samples;
    const size_t columns = 3 * (size_t)plan->tile_columns;
    return (rows + columns) * VRS_PREPROCESS_LANES * sizeof(float);
}

vrs_rect vrs_preprocess_content(const vrs_preprocess_plan *plan)
{
    return plan->content;
}

size_t vrs_preprocess_tensor_bytes(const vrs_preprocess_plan *plan)
{
    const size_t pixels = (size_t)plan->desc.width * (size_t)plan->desc.height;
    const size_t places = plan->layout == VRS_TENSOR_S2D ? pixels / 4 : pixels;
    return places * (size_t)plan->channels * vrs_tensor_element_bytes(plan->type);
}

uint16_t vrs_half_from_double(double value)
{
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    const double size = fabs(value);
    if (isnan(value))
        return 0x7E00;
    if (size >= 65520.0)
        return sign | 0x7C00;
    /* A step is 2^-24 below 2^-13 and doubles with the exponent. rint: ties to even. */
    int exponent = 0;
    (void)frexp(size, &exponent);
    const int shift = size == 0.0 || exponent < -13 ? 0 : exponent + 13;
    const long steps = lrint(ldexp(size, 24 - shift));
    /* A carry out of the mantissa runs into the exponent, where it belongs. */
    return (uint16_t)(sign + (shift << 10) + steps);
}

static void store_element(const vrs_preprocess_plan *plan, void *tensor, size_t index, double value)
{
    switch (plan->type) {
    case VRS_TENSOR_F32:
        ((float *)tensor)[index] = (float)value;
        break;
    case VRS_TENSOR_F16:
        ((uint16_t *)tensor)[index] = vrs_half_from_double(value);
        break;
    case VRS_TENSOR_I8: {
        const double steps = rint(value / plan->desc.quantum);
        ((int8_t *)tensor)[index] = (int8_t)fmin(fmax(steps, -128.0), 127.0);
        break;
    }
    case VRS_TENSOR_U8:
        ((uint8_t *)tensor)[index] = (uint8_t)(value + 0.5);
        break;
    }
}

void vrs_preprocess_store(const vrs_preprocess_plan *plan, void *tensor, int32_t x, int32_t y,
                          const double value[3])
{
    const size_t width = (size_t)plan->desc.width, height = (size_t)plan->desc.height;
    const size_t channels = (size_t)plan->channels;
    const size_t pixel = (size_t)y * width + (size_t)x;
    size_t first = pixel * channels, step = 1;
    size_t pads = channels - 3; /* behind the three */
    if (plan->layout == VRS_TENSOR_NCHW) {
        first = pixel;
        step = width * height;
        pads = 0;
    } else if (plan->layout == VRS_TENSOR_S2D) {
        const size_t place = (size_t)(y / 2) * (width / 2) + (size_t)(x / 2);
        const int32_t part = y % 2 * 2 + x % 2;
        first = place * channels + (size_t)part * 3;
        pads = part == 3 ? channels - 12 : 0;
    }
    for (size_t channel = 0; channel < 3; channel++)
        store_element(plan, tensor, first + channel * step, value[channel]);
    for (size_t i = 0; i < pads; i++)
        store_element(plan, tensor, first + 3 + i, 0.0);
}

/* Columns begin..end-1 of a row of the tensor and of the guide become bars. */
static void fill_span(const vrs_preprocess_plan *plan, void *tensor, uint8_t *luma, int32_t row,
                      int32_t begin, int32_t end)
{
    double bar[3];
    for (int channel = 0; channel < 3; channel++)
        bar[channel] = plan->type == VRS_TENSOR_U8 ? plan->pad_code : plan->pad[channel];
    for (int32_t column = begin; column < end; column++) {
        vrs_preprocess_store(plan, tensor, column, row, bar);
        if (luma != NULL)
            luma[(size_t)row * (size_t)plan->desc.width + (size_t)column] = plan->pad_code;
    }
}

void vrs_preprocess_fill_bars(const vrs_preprocess_plan *plan, void *tensor, uint8_t *luma)
{
    const vrs_rect *content = &plan->content;
    const int32_t width = plan->desc.width;
    for (int32_t row = 0; row < plan->desc.height; row++) {
        if (row < content->y || row >= content->y + content->height) {
            fill_span(plan, tensor, luma, row, 0, width);
        } else {
            fill_span(plan, tensor, luma, row, 0, content->x);
            fill_span(plan, tensor, luma, row, content->x + content->width, width);
        }
    }
}
