/* The way in of a batch: frames up, one launch of preprocessing, and for an engine of the CPU the
 * tensors down. */
#include <string.h>

#include "device/cuda/cuda.h"
#include "pipeline/lane_cuda.h"

/* Copies a frame into pinned memory whose rows lie as on the device. */
static void stage(const vrs_image *from, const vrs_image *to)
{
    const vrs_format_info *info = vrs_format_get(from->format);
    for (int p = 0; p < info->planes; p++) {
        size_t bytes = (size_t)vrs_plane_row_bytes(from, p);
        int32_t rows = vrs_plane_height(from, p);
        if (from->strides[p] == to->strides[p]) {
            memcpy(to->planes[p], from->planes[p],
                   (size_t)(rows - 1) * (size_t)from->strides[p] + bytes);
            continue;
        }
        for (int32_t y = 0; y < rows; y++)
            memcpy(to->planes[p] + y * to->strides[p], from->planes[p] + y * from->strides[p],
                   bytes);
    }
}

/* The maker's event, a handle of the driver: the stream waits for it. */
static vrs_status wait_ready(vrs_cuda_lane *lane, const vrs_image *image)
{
    if (image->ready == NULL)
        return VRS_OK;
    vrs_device *device = lane->cuda->device;
    vrs_status status = vrs_device_enter(device);
    if (status != VRS_OK)
        return status;
    vrs_cu_result result =
        vrs_cuda_api(device)->stream_wait(vrs_device_stream_handle(lane->stream), image->ready, 0);
    vrs_device_leave(device);
    return vrs_cuda_check(device, result, "waiting for a frame");
}

/* Once for each ticket, with its lock held. */
static vrs_status upload(vrs_cuda_lane *lane, vrs_ticket *ticket)
{
    vrs_cuda_ticket *t = ticket->lane;
    const vrs_cuda_stream *s = ticket->stream->lane;
    uint32_t views = ticket->stream->view_count;
    vrs_status status = VRS_OK;
    if (!ticket->result.repeated) /* else they come with its masks */
        status = vrs_device_fill(lane->stream, t->sums, 0, views * sizeof(uint64_t));
    if (status == VRS_OK && s->on_device) {
        t->source = ticket->frame.image;
        t->source.release = NULL;
    } else if (status == VRS_OK) {
        stage(&ticket->frame.image, &t->staging);
        t->source.color = ticket->frame.image.color;
        status = vrs_device_upload(lane->stream, (vrs_device_ptr)(uintptr_t)t->source.planes[0],
                                   t->staging.planes[0], t->source_bytes);
    }
    if (status == VRS_OK && views > 1)
        status = vrs_cuda_record(t->frame_ready, lane->stream);
    return status;
}

/* The frame is on the device for what this lane queues from now on. */
vrs_status vrs_cuda_bring(vrs_cuda_lane *lane, vrs_ticket *ticket)
{
    vrs_cuda_ticket *t = ticket->lane;
    vrs_status status = VRS_OK;
    if (((const vrs_cuda_stream *)ticket->stream->lane)->on_device)
        status = wait_ready(lane, &ticket->frame.image);
    vrs_mutex_lock(&t->lock);
    bool first = status == VRS_OK && !t->uploaded;
    if (first) {
        status = upload(lane, ticket);
        t->uploaded = status == VRS_OK;
    }
    vrs_mutex_unlock(&t->lock);
    if (status == VRS_OK && !first && ticket->stream->view_count > 1)
        status = vrs_cuda_wait(lane->stream, t->frame_ready);
    return status;
}

/* Rectangles in one launch, tiles in another. */
static vrs_status queue_views(vrs_cuda_slot *slot, const vrs_cuda_preprocess_item *items)
{
    const vrs_cuda_lane *lane = slot->lane;
    const vrs_batch *batch = slot->batch;
    vrs_cuda_preprocess_item rects[VRS_MAX_BATCH];
    int32_t places[VRS_MAX_BATCH], rect_count = 0, tile_count = 0;
    for (int32_t i = 0; i < batch->count; i++)
        if (vrs_views_tile(batch->views[i].ticket, batch->views[i].view) != NULL)
            places[tile_count++] = i;
        else
            rects[rect_count++] = items[i];
    vrs_status status = VRS_OK;
    if (rect_count > 0)
        status = vrs_cuda_preprocess_run(&lane->cuda->preprocess, lane->stream, rects, rect_count);
    return status == VRS_OK ? vrs_cuda_queue_tiles(slot, items, places, tile_count) : status;
}

vrs_status vrs_cuda_queue_inputs(vrs_cuda_slot *slot)
{
    vrs_cuda_lane *lane = slot->lane;
    const vrs_cuda *cuda = lane->cuda;
    const vrs_batch *batch = slot->batch;
    vrs_status status = VRS_OK;
    vrs_cuda_preprocess_item items[VRS_MAX_BATCH];
    bool copies = false;
    int network = vrs_cuda_network_of(slot);
    for (int32_t i = 0; i < batch->count && status == VRS_OK; i++) {
        vrs_ticket *ticket = batch->views[i].ticket;
        const vrs_cuda_ticket *t = ticket->lane;
        const vrs_cuda_stream *s = ticket->stream->lane;
        uint32_t view = batch->views[i].view;
        status = vrs_cuda_bring(lane, ticket);
        copies = copies || !s->on_device;
        items[i] = (vrs_cuda_preprocess_item){
            .plan = vrs_batch_plan(&batch->views[i]),
            .view = &s->constants[network][view],
            .image = &t->source,
            .tables = s->tables[network][view],
            .tensor = slot->tensors[network][i],
            .luma = network == 0 ? t->guides[view] : 0, /* a guide has the first one's size */
        };
    }
    if (status == VRS_OK && copies)
        vrs_cuda_mark_copies(slot, VRS_CUDA_IN);
    if (status == VRS_OK)
        status = queue_views(slot, items);
    if (status == VRS_OK && !cuda->pipeline->io->on_device)
        status = vrs_device_download(lane->stream, slot->tensors_host, slot->tensors[network][0],
                                     (size_t)batch->count * cuda->tensor_stride);
    return status;
}
