/* The way out of tickets whose masks are complete: their outputs, and these down. */
#include <string.h>

#include "pipeline/lane_cuda.h"

/* Views that are rendered by one launch. */
typedef struct vrs_rendering {
    vrs_cuda_slot *slot;
    vrs_render_params params;
    int32_t count;
} vrs_rendering;

static vrs_status flush(vrs_rendering *r)
{
    int32_t count = r->count;
    r->count = 0;
    if (count == 0)
        return VRS_OK;
    const vrs_cuda_lane *lane = r->slot->lane;
    r->params.threshold = lane->cuda->pipeline->settings.threshold;
    r->params.rows = 0;
    return vrs_cuda_render(&lane->cuda->postprocess, lane->stream, &r->params, count);
}

static vrs_status add_view(vrs_rendering *r, const vrs_post_part *part)
{
    vrs_status status = r->count == VRS_POST_VIEWS ? flush(r) : VRS_OK;
    if (status == VRS_OK)
        status = vrs_cuda_render_view(part, &r->params.view[r->count]);
    if (status == VRS_OK)
        r->count++;
    return status;
}

static int32_t part_output(vrs_output_kind kind)
{
    return kind == VRS_OUTPUT_COMPOSITE ? VRS_POST_COMPOSITE
           : kind == VRS_OUTPUT_CUTOUT  ? VRS_POST_CUTOUT
                                        : VRS_POST_GRAY;
}

/* The mask of a view as a part's source: coefficients at the picture's own size, else the small
 * mask. */
static vrs_post_part view_part(const vrs_ticket *ticket, int32_t target, uint32_t view)
{
    const vrs_pipeline *pipeline = ticket->pipeline;
    const vrs_stream *stream = ticket->stream;
    const vrs_cuda_ticket *t = ticket->lane;
    vrs_rect c = vrs_preprocess_content(stream->plans[view]);
    bool refine = stream->refine && target == 0 && !ticket->plain;
    uint64_t origin = (uint64_t)c.y * (uint64_t)pipeline->spec->width + (uint64_t)c.x;
    vrs_device_ptr mask = vrs_cuda_agrees(ticket, view) ? t->agreed[view] : t->masks[view];
    return (vrs_post_part){
        .source = &t->source,
        .source_rect = stream->views[view],
        .target_rect = stream->targets[target].rects[view],
        .mask_kind = refine ? VRS_POST_MASK_REFINE : VRS_POST_MASK_SMALL,
        .mask = refine ? t->coefficients[view] + origin * 2 * sizeof(float)
                       : mask + origin * sizeof(int16_t),
        .mask_stride = pipeline->spec->width,
        .mask_width = c.width,
        .mask_height = c.height,
    };
}

static vrs_status render_direct(vrs_rendering *r, vrs_ticket *ticket, int32_t target)
{
    const vrs_stream *stream = ticket->stream;
    const vrs_cuda_ticket *t = ticket->lane;
    vrs_status status = VRS_OK;
    for (uint32_t v = 0; v < stream->view_count; v++) {
        vrs_post_part part = view_part(ticket, target, v);
        for (uint32_t i = 0; i < ticket->pipeline->output_count && status == VRS_OK; i++) {
            const vrs_output_desc *out = &stream->outputs[i];
            if (stream->output_target[i] != target || out->kind == VRS_OUTPUT_CLASSES)
                continue;
            part.target = &t->outputs[i];
            part.output = part_output(out->kind);
            memcpy(part.background, out->background, sizeof(part.background));
            status = add_view(r, &part);
        }
    }
    return status;
}

/* Views one after the other, as later ones cover earlier ones. */
static vrs_status render_alpha(vrs_cuda_slot *slot, vrs_ticket *ticket, int32_t target)
{
    const vrs_cuda_lane *lane = slot->lane;
    const vrs_stream *stream = ticket->stream;
    const vrs_cuda_stream *s = stream->lane;
    const vrs_target *size = &stream->targets[target];
    const vrs_pipeline_settings *set = &ticket->pipeline->settings;
    int32_t stride = vrs_cuda_alpha_stride(size->width);
    const vrs_device_ptr *alpha = s->alpha[lane - lane->cuda->lanes];
    vrs_status status = vrs_device_fill(lane->stream, alpha[0], 0,
                                        (size_t)stride * (size_t)size->height * sizeof(int16_t));
    const bool tiles = stream->view_count > stream->eye_count;
    for (uint32_t v = 0; v < stream->eye_count && status == VRS_OK; v++) {
        vrs_post_part part = view_part(ticket, target, v);
        vrs_render_params params = {.threshold = tiles ? 0 : set->threshold};
        uint64_t place = (uint64_t)part.target_rect.y * (uint64_t)stride;
        place = alpha[0] + (place + (uint64_t)part.target_rect.x) * sizeof(int16_t);
        if (part.target_rect.width <= 0 || part.target_rect.height <= 0)
            continue;
        status = vrs_cuda_alpha_view(&part, place, stride, &params.view[0]);
        if (status == VRS_OK)
            status = vrs_cuda_render(&lane->cuda->postprocess, lane->stream, &params, 1);
    }
    if (status == VRS_OK && tiles)
        status = vrs_cuda_queue_patches(lane, ticket, target, alpha[0], stride);
    if (status != VRS_OK || set->feather == 0)
        return status;
    vrs_box_params box = {.radius = set->feather};
    box.view[0] = (vrs_box_view){alpha[0], alpha[1], stride, stride, size->width, size->height};
    return vrs_cuda_feather(&lane->cuda->postprocess, lane->stream, &box, 1);
}

/* The picture with the mask in its corners. */
static vrs_status pack_output(vrs_cuda_slot *slot, const vrs_ticket *ticket, uint32_t index)
{
    const vrs_cuda_lane *lane = slot->lane;
    const vrs_stream *stream = ticket->stream;
    const vrs_cuda_ticket *t = ticket->lane;
    const vrs_cuda_stream *s = stream->lane;
    const vrs_device_ptr *alpha = s->alpha[lane - lane->cuda->lanes];
    const vrs_image *out = &t->outputs[index];
    const int64_t stride = 2 * (int64_t)vrs_cuda_alpha_stride(out->width);
    vrs_unroll parts[VRS_PACKED_PARTS];
    vrs_unroll_params unroll = {.view = {{0}}};
    vrs_pack_params pack = {.view = {{0}}};
    const int32_t count =
        vrs_packed_parts(&stream->packed, &t->source, out, (const void *)(uintptr_t)alpha[0],
                         (void *)(uintptr_t)alpha[1], (ptrdiff_t)stride, parts);
    for (int32_t i = 0; i < count; i++) {
        bool luma = parts[i].grid == stream->packed.grids[0];
        unroll.view[i] = (vrs_unroll_view){
            .grid = stream->packed.unrolls ? s->unroll_grids[luma ? 0 : 1] : 0,
            .src = (uint64_t)(uintptr_t)parts[i].src,
            .dst = (uint64_t)(uintptr_t)parts[i].dst,
            .src_stride = parts[i].src_stride,
            .dst_stride = parts[i].dst_stride,
            .size = parts[i].size,
            .sample_bytes = parts[i].sample_bytes,
            .src_step = parts[i].src_step,
            .src_shift = parts[i].src_shift,
            .outside = parts[i].outside,
        };
    }
    vrs_status status = vrs_cuda_unroll(&lane->cuda->packing, lane->stream, &unroll, count);
    if (status != VRS_OK)
        return status;
    const vrs_image *source = &ticket->frame.image;
    pack.view[0] = (vrs_pack_view){
        .mask = alpha[stream->packed.unrolls ? 1 : 0],
        .mask_stride = stride,
        .width = out->width,
        .height = out->height,
        .sample_bytes = vrs_format_get(out->format)->sample_bytes,
        .codes = vrs_pack_codes_of(vrs_color_resolve(source), vrs_format_get(source->format)->depth,
                                   stream->outputs[index].red),
    };
    for (int p = 0; p < 3; p++) {
        pack.view[0].dst[p] = (uint64_t)(uintptr_t)out->planes[p];
        pack.view[0].dst_stride[p] = out->strides[p];
    }
    return vrs_cuda_pack(&lane->cuda->packing, lane->stream, &pack, 1);
}

static vrs_status render_by_alpha(vrs_cuda_slot *slot, vrs_ticket *ticket, int32_t target)
{
    const vrs_cuda_lane *lane = slot->lane;
    const vrs_stream *stream = ticket->stream;
    const vrs_cuda_ticket *t = ticket->lane;
    const vrs_cuda_stream *s = stream->lane;
    const vrs_target *size = &stream->targets[target];
    vrs_status status = render_alpha(slot, ticket, target);
    vrs_render_params params = {.threshold = 0};
    int32_t count = 0;
    for (uint32_t i = 0; i < ticket->pipeline->output_count && status == VRS_OK; i++) {
        const vrs_output_desc *out = &stream->outputs[i];
        if (stream->output_target[i] != target || out->kind == VRS_OUTPUT_CLASSES)
            continue;
        if (out->kind == VRS_OUTPUT_PACKED) {
            status = pack_output(slot, ticket, i);
            continue;
        }
        vrs_post_part part = {
            .source = &t->source,
            .source_rect = {0, 0, size->width, size->height},
            .target = &t->outputs[i],
            .target_rect = {0, 0, size->width, size->height},
            .output = part_output(out->kind),
            .mask_kind = VRS_POST_MASK_FULL,
            .mask = s->alpha[lane - lane->cuda->lanes][0],
            .mask_stride = vrs_cuda_alpha_stride(size->width),
            .mask_width = size->width,
            .mask_height = size->height,
            .background = {out->background[0], out->background[1], out->background[2]},
        };
        status = vrs_cuda_render_view(&part, &params.view[count]);
        count++;
    }
    if (status == VRS_OK && count > 0)
        status = vrs_cuda_render(&lane->cuda->postprocess, lane->stream, &params, count);
    return status;
}

static vrs_status render_ticket(vrs_rendering *r, vrs_ticket *ticket)
{
    const vrs_stream *stream = ticket->stream;
    const vrs_cuda_stream *s = stream->lane;
    vrs_status status = vrs_cuda_complete_masks(r->slot, ticket);
    for (int32_t i = 0; i < stream->target_count && status == VRS_OK; i++)
        if (vrs_cuda_is_wanted(ticket->pipeline, stream, i))
            status =
                s->direct[i] ? render_direct(r, ticket, i) : render_by_alpha(r->slot, ticket, i);
    for (uint32_t i = 0; i < ticket->pipeline->output_count && status == VRS_OK; i++)
        if (stream->outputs[i].kind == VRS_OUTPUT_CLASSES && vrs_views_keep_scores(stream))
            status = vrs_cuda_queue_class_patches(r->slot->lane, ticket, i);
    return status;
}

static vrs_status download(const vrs_cuda_lane *lane, vrs_ticket *ticket)
{
    const vrs_cuda_ticket *t = ticket->lane;
    vrs_status status = vrs_device_download(lane->stream, t->sums_host, t->sums,
                                            ticket->stream->view_count * sizeof(uint64_t));
    const vrs_stream *stream = ticket->stream;
    const vrs_model_spec *spec = ticket->pipeline->spec;
    for (uint32_t v = 0; v < stream->view_count && stream->crops != NULL && status == VRS_OK; v++)
        status = vrs_device_download(lane->stream, t->masks_host[v], t->masks[v],
                                     (size_t)spec->width * (size_t)spec->height * sizeof(int16_t));
    if (status == VRS_OK && t->made != NULL)
        status = vrs_cuda_record(t->made, lane->stream);
    for (uint32_t i = 0; i < ticket->pipeline->output_count && status == VRS_OK; i++)
        if (ticket->outputs[i].memory == VRS_MEMORY_HOST)
            status = vrs_device_download(lane->stream, ticket->outputs[i].planes[0],
                                         (vrs_device_ptr)(uintptr_t)t->outputs[i].planes[0],
                                         t->output_bytes[i]);
    return status;
}

void vrs_cuda_queue_tickets(vrs_cuda_slot *slot)
{
    vrs_rendering r = {.slot = slot};
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < slot->finished_count && status == VRS_OK; i++)
        if (slot->finished[i]->result.status == VRS_OK)
            status = render_ticket(&r, slot->finished[i]);
    if (status == VRS_OK)
        status = flush(&r);
    if (status == VRS_OK && slot->finished_count > 0)
        vrs_cuda_mark_copies(slot, VRS_CUDA_OUT);
    for (int32_t i = 0; i < slot->finished_count && status == VRS_OK; i++)
        if (slot->finished[i]->result.status == VRS_OK)
            status = download(slot->lane, slot->finished[i]);
    for (int32_t i = 0; i < slot->finished_count && status != VRS_OK; i++)
        vrs_ticket_fail(slot->finished[i], status, vrs_last_error());
}

/* ---- failed tickets ---- */

static void fill_plane(vrs_image *image, int plane, int32_t value)
{
    bool deep = vrs_format_get(image->format)->sample_bytes == 2;
    int32_t width = vrs_plane_width(image, plane);
    for (int32_t y = 0; y < vrs_plane_height(image, plane); y++) {
        uint8_t *row = image->planes[plane] + y * image->strides[plane];
        if (!deep)
            memset(row, value, (size_t)width);
        for (int32_t x = 0; x < width && deep; x++)
            ((uint16_t *)(void *)row)[x] = (uint16_t)value;
    }
}

void vrs_cuda_fill_background(vrs_ticket *ticket)
{
    static const uint8_t black[3] = {0, 0, 0};
    const vrs_image *source = &ticket->frame.image;
    for (uint32_t i = 0; i < ticket->pipeline->output_count; i++) {
        const vrs_output_desc *desc = &ticket->stream->outputs[i];
        vrs_image *out = &ticket->outputs[i];
        bool cutout = desc->kind == VRS_OUTPUT_CUTOUT;
        if (out->memory != VRS_MEMORY_HOST)
            continue; /* the result will have no planes */
        if (!vrs_is_picture(desc->kind)) {
            fill_plane(out, 0, 0);
            continue;
        }
        int32_t ycc[3];
        vrs_color_from_rgb8(vrs_color_resolve(source), vrs_format_get(source->format)->depth,
                            desc->kind == VRS_OUTPUT_COMPOSITE ? desc->background : black, ycc);
        for (int p = 0; p < 3; p++)
            fill_plane(out, p, ycc[p]);
        if (cutout)
            fill_plane(out, 3, 0);
    }
}
