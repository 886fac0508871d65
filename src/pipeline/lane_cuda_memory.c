/* What lanes on a GPU hold for batches, streams and tickets: a block of device memory and one of
 * pinned memory each, cut into parts at fixed addresses. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "pipeline/lane_cuda.h"

/* Parts of a block begin at multiples of this. */
#define PART 256
/* Of device memory, in which it is handed out by drivers. */
#define STEP ((size_t)2 << 20)

static size_t round_up(size_t bytes)
{
    return (bytes + PART - 1) / PART * PART;
}

/* Cuts a block: first with base 0, to know its size. */
typedef struct vrs_cut {
    uint64_t base;
    size_t used;
} vrs_cut;

static uint64_t cut(vrs_cut *block, bool wanted, size_t bytes)
{
    if (!wanted)
        return 0;
    uint64_t place = block->base + block->used;
    block->used += round_up(bytes);
    return place;
}

/* Planes of an image one after the other, rows as vrs_image_alloc() has them. Returns the bytes. */
static size_t lay_out(vrs_image *image)
{
    const vrs_format_info *info = vrs_format_get(image->format);
    size_t used = 0;
    for (int p = 0; p < info->planes; p++) {
        size_t row = (size_t)vrs_plane_row_bytes(image, p);
        row = (row + VRS_ALIGNMENT - 1) / VRS_ALIGNMENT * VRS_ALIGNMENT;
        image->strides[p] = (ptrdiff_t)row;
        image->planes[p] = (uint8_t *)(uintptr_t)used;
        used += row * (size_t)vrs_plane_height(image, p);
    }
    return used;
}

/* An image that was laid out, at an address. */
static vrs_image place_image(const vrs_image *laid_out, uint64_t address)
{
    vrs_image image = *laid_out;
    for (int p = 0; p < vrs_format_get(image.format)->planes; p++)
        image.planes[p] = (uint8_t *)(uintptr_t)(address + (uintptr_t)laid_out->planes[p]);
    return image;
}

static vrs_image bare_image(vrs_pixel_format format, int32_t width, int32_t height)
{
    return (vrs_image){.format = format, .width = width, .height = height};
}

/* What something needs, in a sentence: VRS_INVALID where nothing can be done without it and the
 * budget is what lacks, as whoever set it can only set another. */
static vrs_status too_little(const vrs_cuda *cuda, const char *what, bool must, size_t device,
                             size_t pinned)
{
    char why[VRS_DETAIL_SIZE];
    vrs_memory_stats gpu, host;
    vrs_memory_get_stats(cuda->memory, VRS_MEMORY_PLACE_DEVICE, &gpu);
    vrs_memory_get_stats(cuda->memory, VRS_MEMORY_PLACE_PINNED, &host);
    (void)snprintf(why, sizeof(why), "%s", vrs_last_error());
    if (device >= STEP / 2)
        device = (device + STEP - 1) / STEP * STEP;
    bool of_gpu = gpu.used + device > gpu.budget, of_host = host.used + pinned > host.budget;
    return vrs_fail(must && (of_gpu || of_host) ? VRS_INVALID : VRS_NO_MEMORY,
                    "the memory %s too small for %s: it needs %.1f MB of GPU memory (%.1f MB with "
                    "all that is in use) and %.1f MB of pinned memory%s (%.260s)",
                    of_gpu || of_host ? "budget is" : "that is left is", what, (double)device / 1e6,
                    (double)(gpu.used + device) / 1e6, (double)pinned / 1e6,
                    of_gpu    ? ": raise gpu_memory"
                    : of_host ? ": raise pinned_memory"
                              : "",
                    why);
}

static vrs_cuda_past cut_past(vrs_cut *block, const vrs_model_spec *spec)
{
    size_t net = (size_t)spec->width * (size_t)spec->height, from = block->used;
    vrs_cuda_past past;
    past.guide = cut(block, true, net);
    past.small = cut(block, true, (size_t)vrs_steady_small_bytes(spec->width, spec->height));
    past.age = cut(block, true, net);
    past.mask = cut(block, true, net * sizeof(int16_t));
    past.bytes = block->used - from;
    return past;
}

/* ---- batches ---- */

static size_t cut_slot(const vrs_cuda *cuda, vrs_cuda_slot *slot, uint64_t base)
{
    const vrs_pipeline *pipeline = cuda->pipeline;
    const vrs_engine_io *io = pipeline->io;
    size_t views = (size_t)pipeline->settings.max_batch;
    bool small = pipeline->smaller.engine != NULL || cuda->mask[0].width != pipeline->spec->width ||
                 cuda->mask[0].height != pipeline->spec->height;
    bool once = pipeline->settings.refine && pipeline->settings.refine_radius > 1;
    vrs_cut block = {base, 0};
    uint64_t tensors = cut(&block, !io->on_device, views * cuda->tensor_stride);
    uint64_t scores = cut(&block, !io->on_device, views * cuda->scores_stride);
    for (size_t i = 0; i < views && !io->on_device; i++) {
        slot->tensors[0][i] = slot->tensors[1][i] = tensors + i * cuda->tensor_stride;
        slot->scores[0][i] = slot->scores[1][i] = scores + i * cuda->scores_stride;
    }
    slot->small = cut(&block, small, views * cuda->small_stride);
    slot->once = cut(&block, once, views * cuda->once_stride);
    bool steady = pipeline->settings.steady;
    size_t places = views > 2 ? views : 2; /* both eyes are compared at once */
    slot->coarse = cut(&block, steady, places * cuda->coarse_stride);
    slot->motion = cut(&block, steady, places * cuda->motion_stride);
    slot->unlike = cut(&block, steady, places * sizeof(uint64_t));
    return block.used;
}

/* The memory of a slot between host and device, for an engine of the CPU. */
static vrs_status make_bridge(vrs_cuda *cuda, vrs_cuda_slot *slot, size_t tensors, size_t scores)
{
    vrs_status status = vrs_memory_alloc(cuda->memory, VRS_MEMORY_PLACE_PINNED, VRS_MEMORY_STAGING,
                                         tensors + scores, &slot->pinned);
    if (status != VRS_OK)
        return status;
    slot->tensors_host = slot->pinned->host;
    slot->scores_host = slot->tensors_host + tensors;
    memset(slot->pinned->host, 0, tensors + scores);
    return VRS_OK;
}

/* The engine's own memory, which it keeps at these addresses. */
static void find_buffers(const vrs_cuda *cuda, vrs_cuda_slot *slot)
{
    for (int n = 0; n < 2 && slot->batch->requests[n] != NULL; n++) {
        vrs_request *request = slot->batch->requests[n];
        for (int32_t i = 0; i < cuda->pipeline->settings.max_batch; i++) {
            slot->tensors[n][i] = (vrs_device_ptr)(uintptr_t)vrs_request_input(request, i);
            slot->scores[n][i] = (vrs_device_ptr)(uintptr_t)vrs_request_scores(request, i);
        }
    }
}

static vrs_status make_slot_events(vrs_cuda *cuda, vrs_cuda_slot *slot)
{
    vrs_status status = VRS_OK;
    for (int i = 0; i < 2 && status == VRS_OK; i++) {
        status = vrs_device_event_create(cuda->device, true, &slot->begin[i]);
        if (status == VRS_OK)
            status = vrs_device_event_create(cuda->device, true, &slot->end[i]);
        if (status == VRS_OK)
            status = vrs_device_event_create(cuda->device, true, &slot->copied[i]);
    }
    if (status == VRS_OK && cuda->pipeline->io->on_device)
        status = vrs_device_event_create(cuda->device, true, &slot->ran);
    return status;
}

vrs_status vrs_cuda_make_slot(vrs_cuda *cuda, vrs_cuda_slot *slot)
{
    bool on_device = cuda->pipeline->io->on_device;
    size_t views = (size_t)cuda->pipeline->settings.max_batch;
    size_t tensors = on_device ? 0 : round_up(views * cuda->tensor_stride);
    size_t scores = on_device ? 0 : round_up(views * cuda->scores_stride);
    size_t device = cut_slot(cuda, slot, 0);
    vrs_status status = VRS_OK;
    if (device > 0)
        status = vrs_memory_alloc(cuda->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TENSORS, device,
                                  &slot->device);
    if (status == VRS_OK && !on_device)
        status = make_bridge(cuda, slot, tensors, scores);
    if (status == VRS_NO_MEMORY)
        return too_little(cuda, "a batch", true, device, tensors + scores);
    if (status != VRS_OK)
        return status;
    if (slot->device != NULL)
        (void)cut_slot(cuda, slot, slot->device->address);
    if (on_device)
        find_buffers(cuda, slot);
    return make_slot_events(cuda, slot);
}

vrs_status vrs_cuda_make_large(vrs_cuda *cuda, vrs_cuda_slot *slot)
{
    const vrs_pipeline *pipeline = cuda->pipeline;
    size_t bytes = (size_t)pipeline->settings.max_batch * cuda->large_stride;
    /* Of tiles scores are kept, so all of a batch are dense. */
    const bool tiles =
        pipeline->settings.views == VRS_VIEWS_TILES || pipeline->settings.views == VRS_VIEWS_CROPS;
    if (!pipeline->want_classes || (pipeline->io->enlarge == 1 && !tiles))
        return VRS_OK;
    vrs_status status = vrs_memory_alloc(cuda->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TENSORS,
                                         bytes, &slot->large);
    return status == VRS_NO_MEMORY ? too_little(cuda, "the class maps of a batch", true, bytes, 0)
                                   : status;
}

void vrs_cuda_free_slot(vrs_cuda *cuda, vrs_cuda_slot *slot)
{
    for (int i = 0; i < 2; i++) {
        vrs_device_event_destroy(slot->begin[i]);
        vrs_device_event_destroy(slot->end[i]);
        vrs_device_event_destroy(slot->copied[i]);
    }
    vrs_device_event_destroy(slot->ran);
    vrs_memory_free(cuda->memory, slot->large);
    vrs_memory_free(cuda->memory, slot->device);
    vrs_memory_free(cuda->memory, slot->pinned);
}

/* ---- streams ---- */

static bool is_even(vrs_rect r, int32_t width, int32_t height)
{
    return r.x % 2 == 0 && r.y % 2 == 0 && (r.width % 2 == 0 || r.x + r.width == width) &&
           (r.height % 2 == 0 || r.y + r.height == height);
}

static bool overlap(vrs_rect a, vrs_rect b)
{
    return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height &&
           b.y < a.y + a.height;
}

/* Views can be rendered straight into the outputs: they cover the picture, none covers another, and
 * none shares chroma samples with another. */
static bool is_direct(const vrs_stream *stream, const vrs_target *target, int32_t feather)
{
    int64_t area = 0;
    bool direct = feather == 0 && stream->view_count == stream->eye_count;
    for (uint32_t v = 0; v < stream->view_count; v++) {
        vrs_rect r = target->rects[v];
        area += (int64_t)r.width * r.height;
        direct = direct && r.width > 0 && r.height > 0 && is_even(r, target->width, target->height);
        for (uint32_t w = 0; w < v; w++)
            direct = direct && !overlap(r, target->rects[w]);
    }
    return direct && area == (int64_t)target->width * target->height;
}

/* By network. */
static vrs_preprocess_plan *const *plans_of(const vrs_stream *stream, int network)
{
    return network == 0 ? stream->plans : stream->smaller_plans;
}

/* Of a grid that packed outputs are made with. */
static size_t grid_bytes(const vrs_stream *stream, int index)
{
    const vrs_packed *packed = &stream->packed;
    return packed->unrolls ? (size_t)vrs_packed_nodes(packed, index) * 2 * sizeof(int32_t) : 0;
}

static size_t cut_stream(const vrs_cuda *cuda, const vrs_stream *stream, uint64_t base)
{
    const vrs_pipeline *pipeline = cuda->pipeline;
    vrs_cuda_stream *s = stream->lane;
    size_t net = (size_t)pipeline->spec->width * (size_t)pipeline->spec->height, alpha = 0;
    for (int32_t t = 0; t < stream->target_count; t++) {
        const vrs_target *target = &stream->targets[t];
        size_t bytes = (size_t)vrs_cuda_alpha_stride(target->width) * (size_t)target->height * 2;
        alpha = !s->direct[t] && bytes > alpha ? bytes : alpha;
    }
    vrs_cut block = {base, 0};
    for (uint32_t v = 0; v < stream->view_count; v++)
        if (pipeline->settings.steady)
            s->past[v] = cut_past(&block, pipeline->spec);
        else
            s->states[v] = cut(&block, pipeline->settings.smooth, net * sizeof(int16_t));
    for (int n = 0; n < 2; n++)
        for (uint32_t v = 0; v < stream->view_count && plans_of(stream, n)[v] != NULL; v++)
            s->tables[n][v] = cut(&block, true, vrs_cuda_preprocess_bytes(plans_of(stream, n)[v]));
    for (int k = 0; k < 2; k++)
        s->unroll_grids[k] = cut(&block, stream->packed.unrolls, grid_bytes(stream, k));
    bool recurrent = pipeline->io->on_device;
    for (uint32_t v = 0; v < stream->view_count; v++)
        for (int32_t i = 0; i < pipeline->io->state_count; i++)
            s->net_states[v][i] =
                cut(&block, recurrent, pipeline->io->states[i].elements * sizeof(float));
    for (uint32_t v = 0; v < stream->view_count; v++)
        s->last[v] = cut(&block, cuda->repeats, net * sizeof(int16_t));
    s->last_sums = cut(&block, cuda->repeats, VRS_MAX_VIEWS * sizeof(uint64_t));
    for (int32_t l = 0; l < pipeline->settings.lanes; l++) {
        s->alpha[l][0] = cut(&block, alpha > 0, alpha);
        s->alpha[l][1] = cut(
            &block, alpha > 0 && (pipeline->settings.feather > 0 || stream->packed.unrolls), alpha);
    }
    return block.used;
}

/* Copies the tables of the plans up, through a pinned block that is needed no longer then. */
static vrs_status make_tables(vrs_cuda *cuda, const vrs_stream *stream)
{
    vrs_cuda_stream *s = stream->lane;
    size_t bytes = 0;
    for (int n = 0; n < 2; n++)
        for (uint32_t v = 0; v < stream->view_count && plans_of(stream, n)[v] != NULL; v++)
            bytes += round_up(vrs_cuda_preprocess_bytes(plans_of(stream, n)[v]));
    for (int k = 0; k < 2; k++)
        bytes += round_up(grid_bytes(stream, k));
    vrs_memory_block *staging = NULL;
    vrs_status status = vrs_memory_alloc(cuda->memory, VRS_MEMORY_PLACE_PINNED, VRS_MEMORY_STAGING,
                                         bytes, &staging);
    if (status != VRS_OK)
        return status;
    memset(staging->host, 0, bytes);
    size_t used = 0;
    for (int n = 0; n < 2; n++)
        for (uint32_t v = 0; v < stream->view_count && plans_of(stream, n)[v] != NULL; v++) {
            const vrs_preprocess_plan *plan = plans_of(stream, n)[v];
            vrs_cuda_preprocess_fill(plan, (char *)staging->host + used, &s->constants[n][v]);
            used += round_up(vrs_cuda_preprocess_bytes(plan));
        }
    for (int k = 0; k < 2; k++) {
        if (stream->packed.unrolls)
            memcpy((char *)staging->host + used, stream->packed.grids[k], grid_bytes(stream, k));
        used += round_up(grid_bytes(stream, k));
    }
    status = vrs_device_upload(cuda->setup, s->tables[0][0], staging->host, bytes);
    vrs_status ended = vrs_cuda_settle(cuda);
    vrs_memory_free(cuda->memory, staging);
    return status == VRS_OK ? ended : status;
}

vrs_status vrs_cuda_make_stream(vrs_stream *stream)
{
    vrs_cuda *cuda = vrs_cuda_of(stream->pipeline);
    const vrs_pipeline_settings *set = &stream->pipeline->settings;
    vrs_cuda_stream *s = vrs_alloc(sizeof(*s));
    if (s == NULL)
        return VRS_NO_MEMORY;
    stream->lane = s;
    s->on_device = stream->shape.memory == VRS_MEMORY_CUDA;
    for (int32_t t = 0; t < stream->target_count; t++)
        s->direct[t] = is_direct(stream, &stream->targets[t], set->feather) &&
                       !(stream->packed.wanted && t == 0);
    size_t device = cut_stream(cuda, stream, 0);
    vrs_status status = vrs_memory_alloc(cuda->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TABLES,
                                         device, &s->block);
    if (status == VRS_NO_MEMORY)
        return too_little(cuda, "a stream's tables", true, device, 0);
    if (status != VRS_OK)
        return status;
    (void)cut_stream(cuda, stream, s->block->address);
    if (set->smooth)
        status = vrs_device_event_create(cuda->device, false, &s->state_ready);
    if (status == VRS_OK && cuda->repeats)
        status = vrs_device_event_create(cuda->device, false, &s->last_ready);
    const vrs_engine_io *io = stream->pipeline->io;
    for (uint32_t v = 0; v < stream->view_count && status == VRS_OK; v++)
        if (io->on_device && io->state_count > 0)
            status = vrs_device_event_create(cuda->device, false, &s->net_ready[v]);
    if (status == VRS_OK)
        status = make_tables(cuda, stream);
    return status == VRS_OK ? vrs_cuda_make_grids(cuda, stream) : status;
}

void vrs_cuda_free_stream(vrs_stream *stream)
{
    vrs_cuda *cuda = vrs_cuda_of(stream->pipeline);
    vrs_cuda_stream *s = stream->lane;
    if (s == NULL)
        return;
    vrs_device_event_destroy(s->state_ready);
    vrs_device_event_destroy(s->last_ready);
    for (int v = 0; v < VRS_MAX_VIEWS; v++)
        vrs_device_event_destroy(s->net_ready[v]);
    vrs_memory_free(cuda->memory, s->block);
    vrs_memory_free(cuda->memory, s->grids);
    vrs_free(s);
    stream->lane = NULL;
}

/* ---- tickets ---- */

/* Images of a ticket, laid out from address 0. */
typedef struct vrs_ticket_planes {
    vrs_image source, outputs[VRS_MAX_OUTPUTS];
    size_t source_bytes, output_bytes[VRS_MAX_OUTPUTS];
} vrs_ticket_planes;

static vrs_ticket_planes lay_out_ticket(const vrs_stream *stream)
{
    vrs_ticket_planes layout;
    memset(&layout, 0, sizeof(layout));
    layout.source = bare_image(stream->shape.format, stream->shape.width, stream->shape.height);
    layout.source_bytes = lay_out(&layout.source);
    layout.source.color = stream->shape.color;
    for (uint32_t i = 0; i < stream->pipeline->output_count; i++) {
        const vrs_output_desc *out = &stream->outputs[i];
        layout.outputs[i] = bare_image(out->format, out->width, out->height);
        layout.output_bytes[i] = lay_out(&layout.outputs[i]);
    }
    return layout;
}

static size_t cut_device(const vrs_ticket *ticket, const vrs_ticket_planes *layout, uint64_t base)
{
    const vrs_stream *stream = ticket->stream;
    const vrs_pipeline *pipeline = ticket->pipeline;
    vrs_cuda_ticket *t = ticket->lane;
    bool refine = stream->refine;
    size_t net = (size_t)pipeline->spec->width * (size_t)pipeline->spec->height;
    vrs_cut block = {base, 0};
    t->sums = cut(&block, true, VRS_MAX_VIEWS * sizeof(uint64_t));
    for (uint32_t v = 0; v < stream->view_count; v++) {
        if (pipeline->settings.steady)
            t->kept[v] = cut_past(&block, pipeline->spec);
        bool steady = pipeline->settings.steady;
        t->masks[v] = steady ? t->kept[v].mask : cut(&block, true, net * sizeof(int16_t));
        t->guides[v] = steady ? t->kept[v].guide : cut(&block, refine, net);
        if (vrs_cuda_agrees(ticket, v))
            t->agreed[v] = cut(&block, true, net * sizeof(int16_t));
        t->coefficients[v] = cut(&block, refine, net * 2 * sizeof(float));
        t->scores[v] =
            cut(&block, vrs_views_keep_scores(stream), vrs_cuda_of(pipeline)->large_stride);
    }
    if (stream->shape.memory == VRS_MEMORY_HOST) {
        t->source = place_image(&layout->source, cut(&block, true, layout->source_bytes));
        t->source.memory = VRS_MEMORY_CUDA;
    }
    for (uint32_t i = 0; i < pipeline->output_count; i++) {
        t->outputs[i] =
            place_image(&layout->outputs[i], cut(&block, true, layout->output_bytes[i]));
        t->outputs[i].memory = VRS_MEMORY_CUDA;
        t->outputs[i].device = vrs_device_get_properties(pipeline->place.device)->number;
        t->outputs[i].color = stream->shape.color;
        /* Of a mask only the first plane is made: its chroma, if any, never changes. */
        bool picture = vrs_is_picture(stream->outputs[i].kind);
        t->output_bytes[i] = picture
                                 ? layout->output_bytes[i]
                                 : (size_t)t->outputs[i].strides[0] * (size_t)t->outputs[i].height;
    }
    return block.used;
}

/* Whether results have an output where it was made. */
static bool stays(const vrs_stream *stream, uint32_t output)
{
    return stream->outputs[output].memory == VRS_MEMORY_CUDA;
}

static size_t cut_pinned(vrs_ticket *ticket, const vrs_ticket_planes *layout, uint64_t base)
{
    const vrs_stream *stream = ticket->stream;
    vrs_cuda_ticket *t = ticket->lane;
    vrs_cut block = {base, 0};
    t->sums_host = (uint64_t *)(uintptr_t)cut(&block, true, VRS_MAX_VIEWS * sizeof(uint64_t));
    size_t net = (size_t)ticket->pipeline->spec->width * (size_t)ticket->pipeline->spec->height;
    for (uint32_t v = 0; v < stream->view_count; v++)
        t->masks_host[v] =
            (int16_t *)(uintptr_t)cut(&block, stream->crops != NULL, net * sizeof(int16_t));
    if (stream->shape.memory == VRS_MEMORY_HOST)
        t->staging = place_image(&layout->source, cut(&block, true, layout->source_bytes));
    for (uint32_t i = 0; i < ticket->pipeline->output_count; i++)
        if (stays(stream, i))
            ticket->outputs[i] = t->outputs[i];
        else
            ticket->outputs[i] =
                place_image(&layout->outputs[i], cut(&block, true, layout->output_bytes[i]));
    return block.used;
}

static vrs_status make_events(vrs_cuda *cuda, const vrs_ticket *ticket)
{
    vrs_cuda_ticket *t = ticket->lane;
    vrs_status status = vrs_mutex_init(&t->lock);
    t->has_lock = status == VRS_OK;
    if (status != VRS_OK || ticket->stream->view_count == 1)
        return status;
    status = vrs_device_event_create(cuda->device, false, &t->frame_ready);
    for (uint32_t v = 0; v < ticket->stream->view_count && status == VRS_OK; v++)
        status = vrs_device_event_create(cuda->device, false, &t->mask_ready[v]);
    return status;
}

/* One event for all outputs of a ticket that stay. */
static vrs_status make_output_event(vrs_cuda *cuda, vrs_ticket *ticket, uint32_t output)
{
    vrs_cuda_ticket *t = ticket->lane;
    if (!stays(ticket->stream, output))
        return VRS_OK;
    vrs_status status = VRS_OK;
    if (t->made == NULL)
        status = vrs_device_event_create(cuda->device, false, &t->made);
    if (status == VRS_OK)
        ticket->outputs[output].ready = vrs_device_event_handle(t->made);
    return status;
}

/* Class maps and masks are background where no view is. */
static vrs_status clear_outputs(vrs_cuda *cuda, const vrs_ticket *ticket)
{
    const vrs_cuda_ticket *t = ticket->lane;
    vrs_status status = VRS_OK;
    for (uint32_t i = 0; i < ticket->pipeline->output_count && status == VRS_OK; i++)
        status = vrs_device_fill(cuda->setup, (vrs_device_ptr)(uintptr_t)t->outputs[i].planes[0], 0,
                                 t->output_bytes[i]);
    vrs_status ended = vrs_cuda_settle(cuda);
    return status == VRS_OK ? ended : status;
}

vrs_status vrs_cuda_make_ticket(vrs_ticket *ticket)
{
    vrs_cuda *cuda = vrs_cuda_of(ticket->pipeline);
    vrs_ticket_planes layout = lay_out_ticket(ticket->stream);
    vrs_cuda_ticket *t = vrs_alloc(sizeof(*t));
    if (t == NULL)
        return VRS_NO_MEMORY;
    ticket->lane = t;
    size_t device = cut_device(ticket, &layout, 0), pinned = cut_pinned(ticket, &layout, 0);
    vrs_status status = vrs_memory_alloc(cuda->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_FRAMES,
                                         device, &t->device);
    if (status == VRS_OK)
        status = vrs_memory_alloc(cuda->memory, VRS_MEMORY_PLACE_PINNED, VRS_MEMORY_STAGING, pinned,
                                  &t->pinned);
    if (status == VRS_NO_MEMORY)
        return too_little(cuda, "one frame", ticket->stream->free_count == 0, device, pinned);
    if (status != VRS_OK)
        return status;
    t->source_bytes = layout.source_bytes;
    ((vrs_cuda_stream *)ticket->stream->lane)->ticket_device = device;
    ((vrs_cuda_stream *)ticket->stream->lane)->ticket_pinned = pinned;
    (void)cut_device(ticket, &layout, t->device->address);
    (void)cut_pinned(ticket, &layout, (uint64_t)(uintptr_t)t->pinned->host);
    memset(t->pinned->host, 0, pinned);
    for (uint32_t i = 0; i < ticket->pipeline->output_count; i++)
        vrs_output_prepare(ticket->stream, i, &ticket->outputs[i]);
    status = make_events(cuda, ticket);
    for (uint32_t i = 0; i < ticket->pipeline->output_count && status == VRS_OK; i++)
        status = make_output_event(cuda, ticket, i);
    if (status == VRS_OK)
        status = vrs_cuda_make_rider(cuda, ticket);
    return status == VRS_OK ? clear_outputs(cuda, ticket) : status;
}

void vrs_cuda_free_ticket(vrs_ticket *ticket)
{
    vrs_cuda *cuda = vrs_cuda_of(ticket->pipeline);
    vrs_cuda_ticket *t = ticket->lane;
    if (t == NULL)
        return;
    vrs_cuda_free_rider(cuda, t);
    vrs_device_event_destroy(t->frame_ready);
    vrs_device_event_destroy(t->made);
    for (int v = 0; v < VRS_MAX_VIEWS; v++)
        vrs_device_event_destroy(t->mask_ready[v]);
    if (t->has_lock)
        vrs_mutex_destroy(&t->lock);
    vrs_memory_free(cuda->memory, t->device);
    vrs_memory_free(cuda->memory, t->pinned);
    vrs_free(t);
    ticket->lane = NULL;
}
