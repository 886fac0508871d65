/* Tiles on the GPU: their grids go up once, with the stream; a batch's tiles are one launch more,
 * and those of a mask another. */
#include <string.h>

#include "kernels/tone.h"
#include "pipeline/lane_cuda.h"

static size_t round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t warp_bytes(const vrs_model_spec *spec)
{
    return ((size_t)spec->width + 1) * ((size_t)spec->height + 1) * 2 * sizeof(int32_t);
}

/* Cuts a block at `base`, and copies the grids to `host` unless that is NULL; bytes. */
static size_t lay_out_grids(const vrs_stream *stream, vrs_device_ptr base, char *host)
{
    vrs_cuda_stream *s = stream->lane;
    const vrs_pipeline *pipeline = stream->pipeline;
    size_t used = 0;
    for (uint32_t v = 0; v < stream->tile_count; v++) {
        const vrs_view_tile *tile = stream->tiles[v];
        for (int n = 0; n < 2; n++) {
            if (tile->positions[n] == NULL)
                continue;
            const size_t bytes = warp_bytes(n == 0 ? pipeline->spec : pipeline->smaller.spec);
            s->warps[n][v] = base + used;
            if (host != NULL)
                memcpy(host + used, tile->positions[n], bytes);
            used += round_up(bytes);
        }
        for (int32_t t = 0; t < stream->target_count; t++) {
            if (tile->patches[t] == NULL)
                continue;
            const size_t bytes = vrs_patch_pairs(tile->rects[t]) * 2 * sizeof(int32_t);
            s->patches[t][v] = base + used;
            if (host != NULL)
                memcpy(host + used, tile->patches[t], bytes);
            used += round_up(bytes);
        }
    }
    for (int32_t t = 0; t < stream->target_count; t++)
        for (uint32_t e = 0; e < 2; e++) {
            if (stream->eye_grids[t][e] == NULL)
                continue;
            const size_t bytes = vrs_patch_pairs(stream->targets[t].rects[e]) * 2 * sizeof(int32_t);
            s->eye_grids[t][e] = base + used;
            if (host != NULL)
                memcpy(host + used, stream->eye_grids[t][e], bytes);
            used += round_up(bytes);
        }
    return used;
}

vrs_status vrs_cuda_make_grids(vrs_cuda *cuda, const vrs_stream *stream)
{
    vrs_cuda_stream *s = stream->lane;
    const size_t bytes = lay_out_grids(stream, 0, NULL);
    if (bytes == 0)
        return VRS_OK;
    vrs_memory_block *staging = NULL;
    vrs_status status = vrs_memory_alloc(cuda->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TABLES,
                                         bytes, &s->grids);
    if (status == VRS_OK)
        status = vrs_memory_alloc(cuda->memory, VRS_MEMORY_PLACE_PINNED, VRS_MEMORY_STAGING, bytes,
                                  &staging);
    if (status != VRS_OK)
        return status; /* the grids go with the stream */
    memset(staging->host, 0, bytes);
    (void)lay_out_grids(stream, s->grids->address, staging->host);
    status = vrs_device_upload(cuda->setup, s->grids->address, staging->host, bytes);
    vrs_status ended = vrs_cuda_settle(cuda);
    vrs_memory_free(cuda->memory, staging);
    return status == VRS_OK ? ended : status;
}

vrs_status vrs_cuda_queue_tiles(vrs_cuda_slot *slot, const vrs_cuda_preprocess_item *items,
                                const int32_t *places, int32_t count)
{
    const vrs_cuda_lane *lane = slot->lane;
    const int network = vrs_cuda_network_of(slot);
    vrs_cuda_warp_item tiles[VRS_MAX_BATCH];
    for (int32_t i = 0; i < count; i++) {
        const vrs_view_work *work = &slot->batch->views[places[i]];
        const vrs_stream *stream = work->ticket->stream;
        const vrs_cuda_stream *s = stream->lane;
        const vrs_cuda_preprocess_item *item = &items[places[i]];
        tiles[i] = (vrs_cuda_warp_item){
            .plan = item->plan,
            .warp = &vrs_views_tile(work->ticket, work->view)->warps[network],
            .image = item->image,
            .positions = s->warps[network][work->ticket->tile[work->view]],
            .tone = item->view->tone == 0 ? 0 : item->tables + 4 * (uint64_t)item->view->tone,
            .tensor = item->tensor,
            .luma = item->luma,
        };
    }
    return count == 0 ? VRS_OK
                      : vrs_cuda_preprocess_warp(&lane->cuda->warp, lane->stream, tiles, count);
}

vrs_status vrs_cuda_queue_patches(const vrs_cuda_lane *lane, const vrs_ticket *ticket,
                                  int32_t target, vrs_device_ptr alpha, int32_t stride)
{
    const vrs_stream *stream = ticket->stream;
    const vrs_cuda_stream *s = stream->lane;
    const vrs_cuda_ticket *t = ticket->lane;
    const bool refine = stream->refine && target == 0 && !ticket->plain;
    vrs_patch patches[VRS_MAX_VIEWS];
    vrs_device_ptr positions[VRS_MAX_VIEWS], masks[VRS_MAX_VIEWS];
    int32_t count = 0;
    for (uint32_t v = stream->eye_count; v < stream->view_count; v++) {
        patches[count] = vrs_views_patch(ticket, v, target);
        if (patches[count].rect.width == 0)
            continue;
        positions[count] = s->patches[target][ticket->tile[v]];
        masks[count] = refine ? t->coefficients[v] : t->masks[v];
        count++;
    }
    if (count == 0)
        return VRS_OK;
    const vrs_cuda_patches all = {
        .patches = patches,
        .positions = positions,
        .masks = masks,
        .count = count,
        .luma_of = refine ? &t->source : NULL,
        .dst = alpha,
        .dst_stride = stride,
        .width = stream->targets[target].width,
        .height = stream->targets[target].height,
        .threshold = ticket->pipeline->settings.threshold,
    };
    return vrs_cuda_patches_run(&lane->cuda->warp, lane->stream, &all);
}

vrs_status vrs_cuda_queue_class_patches(const vrs_cuda_lane *lane, const vrs_ticket *ticket,
                                        uint32_t output)
{
    const vrs_stream *stream = ticket->stream;
    const vrs_cuda_stream *s = stream->lane;
    const vrs_cuda_ticket *t = ticket->lane;
    const vrs_image *out = &t->outputs[output];
    const int32_t target = stream->output_target[output];
    vrs_class_part parts[VRS_MAX_VIEWS];
    vrs_class_patch patches[VRS_MAX_VIEWS];
    vrs_device_ptr positions[VRS_MAX_VIEWS], scores[VRS_MAX_VIEWS];
    const int32_t count = vrs_views_class_parts(ticket, target, parts);
    if (count == 0)
        return VRS_OK;
    for (int32_t i = 0; i < count; i++) {
        const uint32_t view = parts[i].view;
        patches[i] = parts[i].patch;
        positions[i] = view < stream->eye_count ? s->eye_grids[target][view]
                                                : s->patches[target][ticket->tile[view]];
        scores[i] = t->scores[view] + (uint64_t)parts[i].origin * sizeof(float);
    }
    const vrs_cuda_class_patches all = {
        .patches = patches,
        .positions = positions,
        .scores = scores,
        .count = count,
        .classes = ticket->pipeline->io->classes,
        .dst = (vrs_device_ptr)(uintptr_t)out->planes[0],
        .dst_stride = (int32_t)out->strides[0],
        .width = out->width,
        .height = out->height,
    };
    return vrs_cuda_class_patches_run(&lane->cuda->warp, lane->stream, &all);
}
