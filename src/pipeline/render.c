/* Outputs of a frame: the small masks of its views become pictures, strip by strip, so that the
 * mask of a strip is still in the cache when the picture is composed from it. */
#include <string.h>

#include "pipeline/internal.h"

/* One frame's rendering to masks of one size. */
typedef struct vrs_render {
    vrs_ticket *ticket;
    const vrs_stream *stream;
    const vrs_target *target;
    const vrs_kernels *kernels;
    const vrs_pipeline_settings *settings;
    vrs_scratch *scratch;
    ptrdiff_t stride; /* of alpha, in elements */
    bool refined;
    vrs_patch patches[VRS_MAX_VIEWS]; /* in the target */
    int32_t patch_count;
} vrs_render;

/* 8-bit luma of RGB rows by BT.709 weights in Q16 (ITU-R BT.709-6, 3.2): only a guide for edges. */
static void luma_of_rgb(const vrs_image *image, vrs_rect view, int32_t row_begin, int32_t row_end,
                        uint8_t *luma, ptrdiff_t stride)
{
    bool bgra = image->format == VRS_FORMAT_BGRA;
    int32_t step = bgra ? 4 : 3, red = bgra ? 2 : 0, blue = bgra ? 0 : 2;
    for (int32_t y = row_begin; y < row_end; y++) {
        const uint8_t *src = image->planes[0] + (view.y + y) * image->strides[0] + view.x * step;
        uint8_t *dst = luma + (y - row_begin) * stride;
        for (int32_t x = 0; x < view.width; x++, src += step)
            dst[x] =
                (uint8_t)((13933 * src[red] + 46871 * src[1] + 4732 * src[blue] + 32768) >> 16);
    }
}

static vrs_luma luma_rows(const vrs_render *r, vrs_rect view, int32_t row_begin, int32_t row_end)
{
    const vrs_image *image = &r->ticket->frame.image;
    const vrs_format_info *info = vrs_format_get(image->format);
    if (info->plane_samples[0] > 2) {
        luma_of_rgb(image, view, row_begin, row_end, r->scratch->luma, view.width);
        return (vrs_luma){
            r->scratch->luma - row_begin * (ptrdiff_t)view.width, view.width, 1, 0, 1.0f / 255, 0};
    }
    vrs_color color = vrs_color_resolve(image);
    float peak = (float)(1 << (info->depth - 8));
    bool full = !info->is_yuv || color.range == VRS_RANGE_FULL;
    float scale = full ? 1 / (256 * peak - 1) : 1 / (219 * peak);
    return (vrs_luma){image->planes[0] + view.y * image->strides[0] +
                          (ptrdiff_t)view.x * info->sample_bytes,
                      image->strides[0],
                      info->sample_bytes,
                      info->sample_shift,
                      scale,
                      full ? 0 : -16 * peak * scale};
}

/* The mask of rows row_begin..row_end-1 of one view; dst is row_begin's. */
static void view_rows(const vrs_render *r, uint32_t v, int32_t row_begin, int32_t row_end,
                      int16_t *dst)
{
    const vrs_preprocess_plan *plan = r->stream->plans[v];
    ptrdiff_t stride = r->ticket->pipeline->spec->width;
    vrs_rect content = vrs_preprocess_content(plan);
    ptrdiff_t origin = content.y * stride + content.x;
    if (!r->refined) {
        r->kernels->upsample(&r->target->upsample[v], r->ticket->mask[v] + origin, stride,
                             row_begin, row_end, dst, r->stride, r->scratch->upsample);
        return;
    }
    for (int32_t y = row_begin; y < row_end; y += VRS_STRIP_ROWS) {
        int32_t end = y + VRS_STRIP_ROWS < row_end ? y + VRS_STRIP_ROWS : row_end;
        vrs_luma luma = luma_rows(r, r->stream->views[v], y, end);
        r->kernels->refine(&r->target->upsample[v], r->scratch->slope[v] + origin,
                           r->scratch->offset[v] + origin, stride, &luma, y, end,
                           dst + (y - row_begin) * r->stride, r->stride, r->scratch->refine);
    }
}

/* Tiles over the eyes' mask. */
static void patch_rows(const vrs_render *r, int32_t row_begin, int32_t row_end)
{
    const vrs_rect whole = {0, 0, r->target->width, r->target->height};
    for (int32_t y = row_begin; y < row_end; y += VRS_STRIP_ROWS) {
        int32_t end = y + VRS_STRIP_ROWS < row_end ? y + VRS_STRIP_ROWS : row_end;
        vrs_luma luma = {0};
        if (r->refined)
            luma = luma_rows(r, whole, y, end);
        r->kernels->patches(r->patches, r->patch_count, r->refined ? &luma : NULL, y, end,
                            r->target->width, r->scratch->alpha + (y - row_begin) * r->stride,
                            r->stride, r->scratch->patches);
    }
}

/* The mask of rows of the whole picture; what no view covers is background. */
static void mask_rows(const vrs_render *r, int32_t row_begin, int32_t row_end)
{
    int16_t *alpha = r->scratch->alpha;
    bool covered = r->stream->eye_count == 1 && r->target->rects[0].width == r->target->width &&
                   r->target->rects[0].height == r->target->height;
    if (!covered)
        memset(alpha, 0, (size_t)(row_end - row_begin) * (size_t)r->stride * sizeof(*alpha));
    for (uint32_t v = 0; v < r->stream->eye_count; v++) {
        vrs_rect rect = r->target->rects[v];
        int32_t begin = row_begin > rect.y ? row_begin : rect.y;
        int32_t end = row_end < rect.y + rect.height ? row_end : rect.y + rect.height;
        if (begin < end && rect.width > 0)
            view_rows(r, v, begin - rect.y, end - rect.y,
                      alpha + (begin - row_begin) * r->stride + rect.x);
    }
    if (r->patch_count > 0)
        patch_rows(r, row_begin, row_end);
    int32_t threshold = r->settings->threshold;
    for (int32_t y = row_begin; y < row_end && threshold > 0; y++)
        r->kernels->threshold(alpha + (y - row_begin) * r->stride, (size_t)r->target->width,
                              (int16_t)threshold);
    if (r->settings->feather > 0)
        r->kernels->feather(alpha, r->stride, r->target->width, row_end - row_begin,
                            r->settings->feather, r->scratch->feather);
}

static void store_rows(const vrs_render *r, vrs_image *image, int plane, int32_t row_begin,
                       int32_t row_end)
{
    bool deep = vrs_format_get(image->format)->depth > 8;
    for (int32_t y = row_begin; y < row_end; y++) {
        const int16_t *alpha = r->scratch->alpha + (y - row_begin) * r->stride;
        uint8_t *dst = image->planes[plane] + y * image->strides[plane];
        if (deep)
            r->kernels->store10(alpha, (uint16_t *)(void *)dst, (size_t)image->width);
        else
            r->kernels->store8(alpha, dst, (size_t)image->width);
    }
}

static void blend_row(const vrs_kernels *k, const vrs_format_info *info, const uint8_t *src,
                      const int16_t *alpha, uint8_t *dst, size_t n, int32_t background)
{
    if (info->sample_bytes == 1)
        k->blend8(src, alpha, dst, n, (uint8_t)background);
    else
        k->blend10((const uint16_t *)(const void *)src, alpha, (uint16_t *)(void *)dst, n,
                   (uint16_t)background, info->sample_shift);
}

static void blend_chroma(const vrs_render *r, vrs_image *out, const int16_t *alpha, int32_t y,
                         const int32_t ycc[3])
{
    const vrs_image *src = &r->ticket->frame.image;
    const vrs_format_info *info = vrs_format_get(src->format);
    size_t n = (size_t)(src->width + 1) / 2;
    const uint8_t *row1 = src->planes[1] + y * src->strides[1];
    uint8_t *u = out->planes[1] + y * out->strides[1], *v = out->planes[2] + y * out->strides[2];
    if (info->planes == 2 && info->sample_bytes == 1) {
        r->kernels->blend_uv8(row1, alpha, u, v, n, (uint8_t)ycc[1], (uint8_t)ycc[2]);
    } else if (info->planes == 2) {
        r->kernels->blend_uv10((const uint16_t *)(const void *)row1, alpha, (uint16_t *)(void *)u,
                               (uint16_t *)(void *)v, n, (uint16_t)ycc[1], (uint16_t)ycc[2],
                               info->sample_shift);
    } else {
        blend_row(r->kernels, info, row1, alpha, u, n, ycc[1]);
        blend_row(r->kernels, info, src->planes[2] + y * src->strides[2], alpha, v, n, ycc[2]);
    }
}

/* People over a constant. A cut-out is drawn with its alpha made hard just above 0: its colours are
 * the source's wherever a trace of it shows, and nothing of the rest is left in the file. */
static void compose_rows(const vrs_render *r, vrs_image *out, const int32_t ycc[3], bool hard,
                         int32_t row_begin, int32_t row_end)
{
    const vrs_image *src = &r->ticket->frame.image;
    const vrs_format_info *info = vrs_format_get(src->format);
    size_t width = (size_t)src->width;
    for (int32_t y = row_begin; y < row_end; y += 2) {
        int32_t rows = y + 1 < src->height ? 2 : 1;
        const int16_t *alpha[2];
        for (int32_t i = 0; i < 2; i++) {
            const int16_t *row =
                r->scratch->alpha + (y + (i < rows ? i : 0) - row_begin) * r->stride;
            if (hard) {
                int16_t *copy = r->scratch->hard + i * r->stride;
                memcpy(copy, row, width * sizeof(*copy));
                r->kernels->threshold(copy, width, 1);
                row = copy;
            }
            alpha[i] = row;
        }
        for (int32_t i = 0; i < rows; i++)
            blend_row(r->kernels, info, src->planes[0] + (y + i) * src->strides[0], alpha[i],
                      out->planes[0] + (y + i) * out->strides[0], width, ycc[0]);
        r->kernels->chroma_alpha(alpha[0], alpha[1], r->scratch->chroma_alpha, src->width);
        blend_chroma(r, out, r->scratch->chroma_alpha, y / 2, ycc);
    }
}

/* The picture with the mask in its corners; `scratch->alpha` is the whole frame's. */
static void pack_output(const vrs_render *r, const vrs_output_desc *desc, vrs_image *out)
{
    const vrs_packed *packed = &r->stream->packed;
    const vrs_image *src = &r->ticket->frame.image;
    const ptrdiff_t bytes = r->stride * (ptrdiff_t)sizeof(int16_t);
    vrs_unroll parts[VRS_PACKED_PARTS];
    const int32_t count =
        vrs_packed_parts(packed, src, out, r->scratch->alpha, r->scratch->fish, bytes, parts);
    for (int32_t i = 0; i < count; i++)
        r->kernels->unroll(&parts[i], 0, parts[i].size.height);
    const vrs_pack pack = {
        .width = out->width,
        .height = out->height,
        .mask = packed->unrolls ? r->scratch->fish : r->scratch->alpha,
        .stride = r->stride,
        .codes = vrs_pack_codes_of(vrs_color_resolve(src), vrs_format_get(src->format)->depth,
                                   desc->red),
    };
    r->kernels->pack(&pack, 0, out->height, out, r->scratch->pack);
}

static void output_rows(const vrs_render *r, uint32_t index, int32_t row_begin, int32_t row_end)
{
    const vrs_output_desc *desc = &r->stream->outputs[index];
    vrs_image *out = &r->ticket->outputs[index];
    if (desc->kind == VRS_OUTPUT_MASK) {
        store_rows(r, out, 0, row_begin, row_end);
        return;
    }
    if (desc->kind == VRS_OUTPUT_PACKED) {
        pack_output(r, desc, out);
        return;
    }
    static const uint8_t black[3] = {0, 0, 0};
    bool cutout = desc->kind == VRS_OUTPUT_CUTOUT;
    const vrs_image *src = &r->ticket->frame.image;
    int32_t ycc[3];
    vrs_color_from_rgb8(vrs_color_resolve(src), vrs_format_get(src->format)->depth,
                        cutout ? black : desc->background, ycc);
    compose_rows(r, out, ycc, cutout, row_begin, row_end);
    if (cutout)
        store_rows(r, out, 3, row_begin, row_end);
}

static void find_patches(vrs_render *r, int32_t target)
{
    r->patch_count = 0;
    for (uint32_t v = r->stream->eye_count; v < r->stream->view_count; v++) {
        vrs_patch patch = vrs_views_patch(r->ticket, v, target);
        if (patch.rect.width == 0)
            continue;
        patch.mask = r->ticket->mask[v];
        patch.slope = r->refined ? r->scratch->slope[v] : NULL;
        patch.offset = r->refined ? r->scratch->offset[v] : NULL;
        r->patches[r->patch_count++] = patch;
    }
}

static void render_target(vrs_render *r, int32_t target_index, uint32_t output_count)
{
    r->target = &r->stream->targets[target_index];
    r->refined = r->stream->refine && target_index == 0 && !r->ticket->plain;
    r->stride = ((ptrdiff_t)r->target->width + 31) & ~(ptrdiff_t)31;
    find_patches(r, target_index);
    bool whole = r->settings->feather > 0 || (r->stream->packed.wanted && target_index == 0);
    int32_t strip = whole ? r->target->height : VRS_STRIP_ROWS;
    for (int32_t y = 0; y < r->target->height; y += strip) {
        int32_t end = y + strip < r->target->height ? y + strip : r->target->height;
        mask_rows(r, y, end);
        for (uint32_t i = 0; i < output_count; i++)
            if (r->stream->output_target[i] == target_index &&
                r->stream->outputs[i].kind != VRS_OUTPUT_CLASSES)
                output_rows(r, i, y, end);
    }
}

static bool target_wanted(const vrs_stream *stream, uint32_t output_count, int32_t target)
{
    for (uint32_t i = 0; i < output_count; i++)
        if (stream->output_target[i] == target && stream->outputs[i].kind != VRS_OUTPUT_CLASSES)
            return true;
    return false;
}

static void guide_views(const vrs_render *r)
{
    const vrs_model_spec *spec = r->ticket->pipeline->spec;
    for (uint32_t v = 0; v < r->stream->view_count; v++) {
        vrs_guided guided = {
            .width = spec->width,
            .height = spec->height,
            .mask = r->ticket->mask[v],
            .mask_stride = spec->width,
            .guide = r->ticket->guide[v],
            .guide_stride = spec->width,
            .radius = r->settings->refine_radius,
            .epsilon = r->settings->refine_epsilon,
            .slope = r->scratch->slope[v],
            .offset = r->scratch->offset[v],
        };
        r->kernels->guided(&guided, r->scratch->guided);
    }
}

static float coverage(const vrs_ticket *ticket)
{
    const vrs_stream *stream = ticket->stream;
    const vrs_model_spec *spec = ticket->pipeline->spec;
    uint64_t sums[VRS_MAX_VIEWS] = {0};
    for (uint32_t v = 0; v < stream->eye_count; v++) {
        vrs_rect c = vrs_preprocess_content(stream->plans[v]);
        for (int32_t y = c.y; y < c.y + c.height; y++) {
            const int16_t *row = ticket->mask[v] + (ptrdiff_t)y * spec->width + c.x;
            int32_t row_sum = 0; /* at most 32768 columns of 32767 */
            for (int32_t x = 0; x < c.width; x++)
                row_sum += row[x];
            sums[v] += (uint64_t)row_sum;
        }
    }
    return vrs_coverage(ticket, sums);
}

/* Tiles in the class maps that the eyes' scores have made. */
static void patch_classes(const vrs_ticket *ticket)
{
    const vrs_stream *stream = ticket->stream;
    const vrs_pipeline *pipeline = ticket->pipeline;
    for (uint32_t i = 0; i < pipeline->output_count; i++) {
        const vrs_image *out = &ticket->outputs[i];
        vrs_class_part parts[VRS_MAX_VIEWS];
        vrs_class_patch patches[VRS_MAX_VIEWS];
        if (stream->outputs[i].kind != VRS_OUTPUT_CLASSES)
            continue;
        const int32_t count = vrs_views_class_parts(ticket, stream->output_target[i], parts);
        for (int32_t k = 0; k < count; k++) {
            patches[k] = parts[k].patch;
            patches[k].scores = ticket->scores[parts[k].view] + parts[k].origin;
        }
        pipeline->kernels->class_patches(patches, count, pipeline->io->classes, 0, out->height,
                                         out->width, out->planes[0], out->strides[0]);
    }
}

void vrs_render_outputs(vrs_ticket *ticket, vrs_scratch *scratch)
{
    vrs_pipeline *pipeline = ticket->pipeline;
    vrs_render r = {
        .ticket = ticket,
        .stream = ticket->stream,
        .kernels = pipeline->kernels,
        .settings = &pipeline->settings,
        .scratch = scratch,
    };
    ticket->result.coverage = coverage(ticket);
    vrs_views_look(ticket, ticket->mask);
    if (r.stream->refine && !ticket->plain && target_wanted(r.stream, pipeline->output_count, 0))
        guide_views(&r);
    for (int32_t t = 0; t < r.stream->target_count; t++)
        if (target_wanted(r.stream, pipeline->output_count, t))
            render_target(&r, t, pipeline->output_count);
    if (vrs_views_keep_scores(r.stream) && ticket->result.status == VRS_OK)
        patch_classes(ticket);
}

void vrs_render_classes(vrs_ticket *ticket, uint32_t view, const vrs_scores *scores,
                        vrs_scratch *scratch)
{
    vrs_pipeline *pipeline = ticket->pipeline;
    const vrs_stream *stream = ticket->stream;
    vrs_rect content =
        vrs_content_in(stream->plans[view], pipeline->spec, scores->width, scores->height);
    vrs_scores region = *scores;
    region.data += content.y * scores->row_stride + content.x * scores->column_stride;
    region.width = content.width;
    region.height = content.height;
    for (uint32_t i = 0; i < pipeline->output_count; i++) {
        if (stream->outputs[i].kind != VRS_OUTPUT_CLASSES)
            continue;
        const vrs_target *target = &stream->targets[stream->output_target[i]];
        vrs_rect rect = target->rects[view];
        vrs_image *out = &ticket->outputs[i];
        if (rect.width > 0 && rect.height > 0)
            pipeline->kernels->classes(&target->class_upsample[view], &region, 0, rect.height,
                                       out->planes[0] + rect.y * out->strides[0] + rect.x,
                                       out->strides[0], scratch->classes);
    }
}

void vrs_clear_masks(vrs_ticket *ticket)
{
    const vrs_pipeline *pipeline = ticket->pipeline;
    size_t pixels = (size_t)pipeline->spec->width * (size_t)pipeline->spec->height;
    for (uint32_t v = 0; v < ticket->stream->view_count; v++) {
        memset(ticket->mask[v], 0, pixels * sizeof(int16_t));
        if (ticket->guide[v] != NULL)
            memset(ticket->guide[v], 0, pixels);
    }
    for (uint32_t i = 0; i < pipeline->output_count; i++) {
        vrs_image *out = &ticket->outputs[i];
        if (ticket->stream->outputs[i].kind != VRS_OUTPUT_CLASSES)
            continue;
        for (int32_t y = 0; y < out->height; y++)
            memset(out->planes[0] + y * out->strides[0], 0, (size_t)out->width);
    }
}
