/* A stream: everything that depends on the format and size of its frames, made by its first frame,
 * so that nothing is allocated on the way of a frame. */
#include <string.h>

#include "base/alloc.h"
#include "pipeline/internal.h"
#include "vrseg/log.h"

vrs_rect vrs_content_in(const vrs_preprocess_plan *plan, const vrs_model_spec *spec, int32_t width,
                        int32_t height)
{
    vrs_rect c = vrs_preprocess_content(plan);
    if (width == spec->width && height == spec->height)
        return c;
    double sx = (double)width / spec->width, sy = (double)height / spec->height;
    int32_t x0 = (int32_t)(c.x * sx + 0.5), y0 = (int32_t)(c.y * sy + 0.5);
    int32_t x1 = (int32_t)((c.x + c.width) * sx + 0.5), y1 = (int32_t)((c.y + c.height) * sy + 0.5);
    x0 = x0 < width ? x0 : width - 1;
    y0 = y0 < height ? y0 : height - 1;
    x1 = x1 > x0 ? x1 : x0 + 1;
    y1 = y1 > y0 ? y1 : y0 + 1;
    return (vrs_rect){x0, y0, x1 - x0, y1 - y0};
}

static vrs_status make_plans(const vrs_stream *stream, const vrs_model_spec *spec,
                             const vrs_engine_io *io, vrs_preprocess_plan **plans)
{
    vrs_preprocess_desc desc = {
        .format = stream->shape.format,
        .image_width = stream->shape.width,
        .image_height = stream->shape.height,
        .color = vrs_color_resolve(&stream->shape),
        .width = spec->width,
        .height = spec->height,
        .resize = spec->resize,
        .fit = spec->fit,
        .tensor = io->tensor,
        .bgr = io->normalises ? 0 : spec->bgr,
        .pad = spec->pad,
        .quantum = io->quantum,
        .channels = io->channels,
    };
    for (int i = 0; i < 3; i++) {
        desc.mean[i] = io->normalises ? 0 : spec->mean[i];
        desc.scale[i] = io->normalises ? 1 : spec->scale[i];
    }
    for (uint32_t v = 0; v < stream->view_count; v++) {
        desc.view = stream->views[v];
        if (v >= stream->eye_count)
            desc.fit = VRS_FIT_STRETCH; /* its grid says where its pixels are */
        vrs_status status = vrs_preprocess_plan_create(&desc, &plans[v]);
        if (status != VRS_OK)
            return status;
        if (vrs_preprocess_tensor_bytes(plans[v]) != io->input_bytes)
            return vrs_fail(VRS_INVALID,
                            "the network takes %zu bytes a view, preprocessing makes %zu",
                            io->input_bytes, vrs_preprocess_tensor_bytes(plans[v]));
    }
    return VRS_OK;
}

/* Where a view of the frame lies in a mask of another size. */
static vrs_rect scale_rect(vrs_rect r, int32_t from_w, int32_t from_h, int32_t to_w, int32_t to_h)
{
    int64_t x0 = (2 * (int64_t)r.x * to_w + from_w) / (2 * from_w);
    int64_t y0 = (2 * (int64_t)r.y * to_h + from_h) / (2 * from_h);
    int64_t x1 = (2 * (int64_t)(r.x + r.width) * to_w + from_w) / (2 * from_w);
    int64_t y1 = (2 * (int64_t)(r.y + r.height) * to_h + from_h) / (2 * from_h);
    return (vrs_rect){(int32_t)x0, (int32_t)y0, (int32_t)(x1 - x0), (int32_t)(y1 - y0)};
}

static vrs_status make_tables(vrs_upsample *upsample, void **tables, vrs_rect content, vrs_rect to)
{
    if (to.width == 0 || to.height == 0)
        return VRS_OK; /* too small a mask for this view */
    *tables = vrs_alloc_aligned(vrs_upsample_storage(to.width, to.height));
    if (*tables == NULL)
        return VRS_NO_MEMORY;
    vrs_upsample_init(upsample, content.width, content.height, to.width, to.height, *tables);
    return VRS_OK;
}

static vrs_status make_target(vrs_pipeline *pipeline, vrs_stream *stream, vrs_target *target)
{
    const vrs_engine_io *io = pipeline->io;
    const vrs_model_spec *spec = pipeline->spec;
    for (uint32_t v = 0; v < stream->eye_count; v++) {
        target->rects[v] = scale_rect(stream->views[v], stream->shape.width, stream->shape.height,
                                      target->width, target->height);
        vrs_rect content = vrs_preprocess_content(stream->plans[v]);
        vrs_status status =
            make_tables(&target->upsample[v], &target->tables[v], content, target->rects[v]);
        if (status == VRS_OK && pipeline->want_classes) {
            content = vrs_content_in(stream->plans[v], spec, io->scores_width, io->scores_height);
            status = make_tables(&target->class_upsample[v], &target->class_tables[v], content,
                                 target->rects[v]);
        }
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

/* The guided filter adds edges that lie between a mask's pixels. Where the mask is hardly enlarged
 * there are none, and it only smears (docs/decisions.md); a descriptor may say that it does so for
 * its network. */
#define REFINE_ENLARGES 2

static bool wants_refinement(const vrs_pipeline *pipeline, const vrs_stream *stream)
{
    int64_t large = 0, small = 0;
    for (uint32_t v = 0; v < stream->eye_count; v++) {
        vrs_rect content = vrs_preprocess_content(stream->plans[v]);
        large += (int64_t)stream->views[v].width * stream->views[v].height;
        small += (int64_t)content.width * content.height;
    }
    bool gains = !pipeline->spec->unrefined && large >= REFINE_ENLARGES * small;
    return pipeline->settings.refine && (pipeline->settings.refine_always || gains);
}

static int32_t find_target(vrs_stream *stream, int32_t width, int32_t height)
{
    for (int32_t i = 0; i < stream->target_count; i++)
        if (stream->targets[i].width == width && stream->targets[i].height == height)
            return i;
    vrs_target *target = &stream->targets[stream->target_count];
    target->width = width;
    target->height = height;
    return stream->target_count++;
}

/* The size of an output whose description says "the network's": of a frame in two halves, two
 * networks' side by side, or one above the other. */
static void network_size(const vrs_pipeline *pipeline, const vrs_stream *stream, int32_t *width,
                         int32_t *height)
{
    *width = pipeline->spec->width;
    *height = pipeline->spec->height;
    const vrs_rect *views = stream->views;
    int64_t pixels = 0;
    for (uint32_t v = 0; v < stream->eye_count; v++)
        pixels += (int64_t)views[v].width * views[v].height;
    if (stream->eye_count != 2 || pixels != (int64_t)stream->shape.width * stream->shape.height)
        return;
    if (views[0].y == views[1].y)
        *width *= 2;
    else
        *height *= 2;
}

static vrs_status resolve_output(vrs_pipeline *pipeline, vrs_stream *stream, uint32_t index)
{
    vrs_output_desc *out = &stream->outputs[index];
    *out = pipeline->outputs[index];
    const vrs_format_info *source = vrs_format_get(stream->shape.format);
    bool deep = source->depth > 8;
    bool picture = vrs_is_picture(out->kind);
    if (picture && !source->is_yuv)
        return vrs_fail(VRS_UNSUPPORTED,
                        "pictures with people in them are made from YUV images, this stream is %s: "
                        "convert it to yuv420p first",
                        source->name);
    if (out->width == -1 && !picture)
        network_size(pipeline, stream, &out->width, &out->height);
    if (out->width <= 0 || out->height <= 0) {
        out->width = stream->shape.width;
        out->height = stream->shape.height;
    }
    vrs_pixel_format made = VRS_FORMAT_GRAY8;
    if (out->kind == VRS_OUTPUT_COMPOSITE || out->kind == VRS_OUTPUT_PACKED)
        made = deep ? VRS_FORMAT_YUV420P10 : VRS_FORMAT_YUV420P;
    if (out->kind == VRS_OUTPUT_CUTOUT)
        made = deep ? VRS_FORMAT_YUVA420P10 : VRS_FORMAT_YUVA420P;
    if (out->format == VRS_FORMAT_NONE)
        out->format = made;
    if (picture && out->format != made)
        return vrs_fail(VRS_UNSUPPORTED, "output %u: %s is asked for, a %s stream gives %s", index,
                        vrs_pixel_format_name(out->format), source->name,
                        vrs_pixel_format_name(made));
    stream->output_target[index] = find_target(stream, out->width, out->height);
    return VRS_OK;
}

static vrs_status make_states(vrs_pipeline *pipeline, vrs_stream *stream)
{
    for (uint32_t v = 0; v < stream->view_count && !pipeline->io->on_device; v++)
        for (int32_t s = 0; s < pipeline->io->state_count; s++) {
            float **state = &stream->state[v].states[s];
            *state = vrs_alloc_array(pipeline->io->states[s].elements, sizeof(float));
            if (*state == NULL)
                return VRS_NO_MEMORY;
        }
    return VRS_OK;
}

void vrs_output_prepare(const vrs_stream *stream, uint32_t index, vrs_image *image)
{
    const vrs_output_desc *out = &stream->outputs[index];
    image->color = stream->shape.color;
    if (vrs_is_picture(out->kind))
        return;
    image->color.range = VRS_RANGE_FULL;
    for (int p = 1; out->format == VRS_FORMAT_YUV420P && p < 3; p++)
        for (int32_t y = 0; y < vrs_plane_height(image, p); y++)
            memset(image->planes[p] + y * image->strides[p], 128,
                   (size_t)vrs_plane_row_bytes(image, p));
}

static void free_ticket(vrs_ticket *ticket)
{
    vrs_stream *stream = ticket->stream;
    ticket->next_free = stream->free_list;
    stream->free_list = ticket;
    stream->free_count++;
}

void vrs_stream_retire(vrs_ticket *ticket)
{
    vrs_stream *stream = ticket->stream;
    ticket->finished = true; /* nobody waits for it */
    ticket->next_free = stream->retired_list;
    stream->retired_list = ticket;
    stream->retired++;
}

void vrs_stream_grow_back(vrs_stream *stream)
{
    vrs_pipeline *pipeline = stream->pipeline;
    vrs_ticket *ticket = stream->retired_list;
    if (ticket == NULL || !pipeline->lanes->has_room(stream))
        return;
    stream->retired_list = ticket->next_free;
    vrs_mutex_unlock(&pipeline->lock); /* whoever gives memory up for it takes the lock */
    vrs_mutex_lock(&pipeline->setup_lock);
    vrs_status status = pipeline->lanes->make_ticket(ticket);
    if (status != VRS_OK)
        pipeline->lanes->free_ticket(ticket);
    vrs_mutex_unlock(&pipeline->setup_lock);
    vrs_mutex_lock(&pipeline->lock);
    stream->retired--;
    if (status == VRS_OK)
        free_ticket(ticket);
    else
        vrs_stream_retire(ticket);
}

static vrs_status make_seen(vrs_ticket *ticket)
{
    if (ticket->stream->crops == NULL)
        return VRS_OK;
    ticket->seen = vrs_alloc(sizeof(*ticket->seen));
    return ticket->seen != NULL ? VRS_OK : VRS_NO_MEMORY;
}

/* Where tickets keep the scores of all their views, which are large, a few must do: each has enough
 * views to fill a batch. */
#define SCORES_TICKETS 6

/* The tickets of a stream: fewer where memory is short and the lanes can do with fewer, but one. */
static vrs_status make_tickets(vrs_pipeline *pipeline, vrs_stream *stream)
{
    vrs_status status = VRS_OK;
    int32_t count = pipeline->settings.tickets;
    if (stream->crops != NULL && count > VRS_CROPS_LAG)
        count = VRS_CROPS_LAG;
    if (vrs_views_keep_scores(stream) && count > SCORES_TICKETS)
        count = SCORES_TICKETS;
    for (int32_t i = 0; i < count; i++) {
        vrs_ticket *ticket = &stream->tickets[i];
        ticket->kind = VRS_WORK_TICKET;
        ticket->stream = stream;
        ticket->pipeline = pipeline;
        ticket->settled = true;
        stream->ticket_count++;
        if (status == VRS_OK)
            status = make_seen(ticket);
        if (status == VRS_OK)
            status = pipeline->lanes->make_ticket(ticket);
        if (status == VRS_OK) {
            free_ticket(ticket);
            continue;
        }
        bool fewer = pipeline->lanes->fewer_tickets && stream->free_count > 0;
        if (status != VRS_NO_MEMORY || !fewer)
            return status;
        pipeline->lanes->free_ticket(ticket);
        vrs_stream_retire(ticket);
    }
    return VRS_OK;
}

/* What there is to leave out of the frames' work; of the first stream, before its first frame. */
static void find_live_steps(vrs_pipeline *pipeline, const vrs_stream *stream)
{
    uint32_t steps = stream->refine ? VRS_LIVE_NO_REFINEMENT : 0;
    if (pipeline->lanes->repeats && !pipeline->want_classes)
        steps |= VRS_LIVE_EVERY_SECOND;
    if (pipeline->smaller.engine != NULL && !pipeline->want_classes)
        steps |= VRS_LIVE_SMALLER_INPUT;
    vrs_mutex_lock(&pipeline->lock);
    vrs_live_add_steps(&pipeline->live, steps);
    vrs_mutex_unlock(&pipeline->lock);
}

/* A stream that is made anew goes on with its figures. */
static vrs_status make_latency(vrs_pipeline *pipeline, uint32_t number)
{
    if (pipeline->stream_latency[number] != NULL)
        return VRS_OK;
    vrs_latency_meter *meter = vrs_alloc_aligned(sizeof(*meter));
    vrs_mutex_lock(&pipeline->lock);
    pipeline->stream_latency[number] = meter;
    vrs_mutex_unlock(&pipeline->lock);
    return meter != NULL ? VRS_OK : VRS_NO_MEMORY;
}

static vrs_status make_packed(const vrs_pipeline *pipeline, const vrs_frame *frame,
                              vrs_stream *stream)
{
    vrs_layout layout;
    vrs_status status = vrs_views_layout(pipeline, frame, &layout);
    return status == VRS_OK ? vrs_packed_set(stream, &layout) : status;
}

static vrs_status fill_stream(vrs_pipeline *pipeline, const vrs_frame *frame, vrs_stream *stream)
{
    stream->pipeline = pipeline;
    stream->number = frame->stream;
    stream->restart = true;
    stream->shape = frame->image;
    memset(stream->shape.planes, 0, sizeof(stream->shape.planes));
    stream->shape.release = NULL;
    stream->target_count = 0;
    vrs_status status = vrs_views_set(pipeline, frame, stream);
    if (status == VRS_OK)
        status = make_plans(stream, pipeline->spec, pipeline->io, stream->plans);
    if (status == VRS_OK && pipeline->smaller.engine != NULL)
        status =
            make_plans(stream, pipeline->smaller.spec, pipeline->smaller.io, stream->smaller_plans);
    if (status == VRS_OK)
        stream->refine = wants_refinement(pipeline, stream);
    (void)find_target(stream, frame->image.width, frame->image.height);
    for (uint32_t i = 0; i < pipeline->output_count && status == VRS_OK; i++)
        status = resolve_output(pipeline, stream, i);
    for (int32_t i = 0; i < stream->target_count && status == VRS_OK; i++)
        status = make_target(pipeline, stream, &stream->targets[i]);
    if (status == VRS_OK)
        status = make_packed(pipeline, frame, stream);
    if (status == VRS_OK)
        status = vrs_views_make_grids(stream);
    if (status == VRS_OK)
        status = make_states(pipeline, stream);
    if (status == VRS_OK && pipeline->settings.batch.as_ready)
        status = vrs_reorder_create((uint32_t)pipeline->settings.tickets, &stream->results);
    if (status == VRS_OK)
        status = make_latency(pipeline, stream->number);
    if (status == VRS_OK)
        status = pipeline->lanes->make_stream(stream);
    if (status != VRS_OK)
        return status;
    find_live_steps(pipeline, stream);
    stream->tickets = vrs_alloc_array((size_t)pipeline->settings.tickets, sizeof(vrs_ticket));
    if (stream->tickets == NULL)
        return VRS_NO_MEMORY;
    return make_tickets(pipeline, stream);
}

#define MEGABYTE 1000000.0

/* What the stream takes on the host, before its first frame is worked at: all that it will. `made`:
 * bytes of blocks while it was made, of which hardly any are other threads'. */
static void set_budget(vrs_stream *stream, size_t made)
{
    int64_t frame = 0;
    const vrs_format_info *info = vrs_format_get(stream->shape.format);
    for (int p = 0; info != NULL && p < info->planes; p++)
        frame += vrs_plane_row_bytes(&stream->shape, p) * vrs_plane_height(&stream->shape, p);
    if (stream->shape.memory != VRS_MEMORY_HOST)
        frame = 0;
    const uint32_t tickets = stream->ticket_count - stream->retired;
    stream->host_bytes = (uint64_t)frame * tickets + made;
    vrs_log(
        VRS_LOG_INFO,
        "stream %u: %dx%d %s, %u views a frame: at most %u frames of %.1f MB in flight and %.1f "
        "MB for their masks, outputs, tables and scratch, %.0f MB together beside what decoder "
        "and encoder hold",
        stream->number, stream->shape.width, stream->shape.height,
        vrs_pixel_format_name(stream->shape.format), stream->view_count, tickets,
        (double)frame / MEGABYTE, (double)made / MEGABYTE, (double)stream->host_bytes / MEGABYTE);
}

vrs_status vrs_stream_create(vrs_pipeline *pipeline, const vrs_frame *frame, vrs_stream **out)
{
    const size_t before = vrs_alloc_bytes_live();
    vrs_stream *stream = vrs_alloc(sizeof(*stream));
    if (stream == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = fill_stream(pipeline, frame, stream);
    if (status != VRS_OK) {
        vrs_stream_destroy(stream);
        return status;
    }
    const size_t after = vrs_alloc_bytes_live();
    set_budget(stream, after > before ? after - before : 0);
    *out = stream;
    return VRS_OK;
}

void vrs_stream_destroy(vrs_stream *stream)
{
    if (stream == NULL)
        return;
    for (uint32_t i = 0; i < stream->ticket_count; i++) {
        vrs_image_release(&stream->tickets[i].frame.image);
        stream->pipeline->lanes->free_ticket(&stream->tickets[i]);
        vrs_free(stream->tickets[i].seen);
    }
    vrs_free(stream->tickets);
    vrs_reorder_destroy(stream->results);
    stream->pipeline->lanes->free_stream(stream);
    vrs_views_free(stream);
    vrs_packed_free(stream);
    for (int v = 0; v < VRS_MAX_VIEWS; v++) {
        vrs_preprocess_plan_destroy(stream->plans[v]);
        vrs_preprocess_plan_destroy(stream->smaller_plans[v]);
        for (int s = 0; s < VRS_MAX_STATES; s++)
            vrs_free(stream->state[v].states[s]);
        for (int t = 0; t <= VRS_MAX_OUTPUTS; t++) {
            vrs_free(stream->targets[t].tables[v]);
            vrs_free(stream->targets[t].class_tables[v]);
        }
    }
    vrs_free(stream);
}
