/* The CPU's lanes: workers that preprocess, workers that postprocess, a queue before each. */
#include <string.h>

#include "base/alloc.h"
#include "pipeline/internal.h"

static vrs_status create(vrs_pipeline *pipeline)
{
    (void)pipeline; /* has the workers */
    return VRS_OK;
}

static vrs_status start(vrs_pipeline *pipeline)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < pipeline->settings.preprocess_threads && status == VRS_OK; i++)
        status =
            vrs_thread_start(&pipeline->preprocess[i], "vrs-pre", vrs_preprocess_main, pipeline);
    for (int32_t i = 0; i < pipeline->settings.postprocess_threads && status == VRS_OK; i++)
        status =
            vrs_thread_start(&pipeline->postprocess[i], "vrs-post", vrs_postprocess_main, pipeline);
    return status;
}

static void stop(vrs_pipeline *pipeline)
{
    for (int i = 0; i < VRS_MAX_WORKERS; i++)
        vrs_thread_join(&pipeline->preprocess[i]);
    for (int i = 0; i < VRS_MAX_WORKERS; i++)
        vrs_thread_join(&pipeline->postprocess[i]);
}

static void destroy(vrs_pipeline *pipeline)
{
    (void)pipeline;
}

static void dispatch(vrs_batch *batch)
{
    for (int32_t i = 0; i < batch->count; i++)
        vrs_queue_push(batch->pipeline->to_preprocess, &batch->views[i]);
}

static void give_up(vrs_ticket *ticket)
{
    vrs_masks_done(ticket);
}

static void inferred(vrs_batch *batch)
{
    vrs_queue_push(batch->pipeline->to_postprocess, batch);
}

static vrs_status check(const vrs_pipeline *pipeline, const vrs_image *image)
{
    (void)pipeline;
    return vrs_image_check(image);
}

typedef struct vrs_take {
    bool failed;
} vrs_take;

static void *take(vrs_take *all, bool wanted, size_t bytes)
{
    if (!wanted || all->failed)
        return NULL;
    void *block = vrs_alloc_aligned(bytes);
    all->failed = block == NULL;
    return block;
}

static void largest_target(const vrs_stream *stream, size_t *width, size_t *height)
{
    *width = *height = 1;
    for (int32_t i = 0; i < stream->target_count; i++) {
        size_t w = (size_t)stream->targets[i].width, h = (size_t)stream->targets[i].height;
        *width = w > *width ? w : *width;
        *height = h > *height ? h : *height;
    }
}

static vrs_status make_post_scratch(vrs_pipeline *pipeline, vrs_stream *stream, vrs_scratch *s)
{
    const vrs_pipeline_settings *set = &pipeline->settings;
    const vrs_engine_io *io = pipeline->io;
    size_t width, height, net_w = (size_t)pipeline->spec->width;
    size_t net = net_w * (size_t)pipeline->spec->height;
    largest_target(stream, &width, &height);
    bool whole = set->feather > 0 || stream->packed.wanted;
    size_t rows = whole ? height : VRS_STRIP_ROWS;
    size_t padded = width + 64;
    vrs_take all = {false};
    s->alpha = take(&all, true, rows * padded * sizeof(int16_t));
    s->hard = take(&all, true, padded * sizeof(int16_t) * 2);
    s->fish = take(&all, stream->packed.unrolls, rows * padded * sizeof(int16_t));
    s->pack = take(&all, stream->packed.wanted, vrs_pack_scratch((int32_t)width));
    s->chroma_alpha = take(&all, true, padded * sizeof(int16_t));
    s->upsample = take(&all, true, 2 * padded * sizeof(int16_t));
    s->refine = take(&all, stream->refine, 4 * padded * sizeof(float));
    s->luma = take(&all, stream->refine, VRS_STRIP_ROWS * padded);
    s->guided = take(&all, stream->refine,
                     vrs_guided_scratch(pipeline->spec->width, pipeline->spec->height));
    for (uint32_t v = 0; v < stream->view_count; v++) {
        s->slope[v] = take(&all, stream->refine, net * sizeof(float));
        s->offset[v] = take(&all, stream->refine, net * sizeof(float));
    }
    s->feather = take(&all, set->feather > 0, vrs_feather_scratch((int32_t)width, (int32_t)height));
    bool other_size =
        io->scores_width != pipeline->spec->width || io->scores_height != pipeline->spec->height;
    size_t scores = (size_t)io->scores_width * (size_t)io->scores_height;
    if (pipeline->smaller.engine != NULL) {
        const vrs_engine_io *small = pipeline->smaller.io;
        size_t others = (size_t)small->scores_width * (size_t)small->scores_height;
        other_size = true;
        scores = others > scores ? others : scores;
    }
    s->scores = take(&all, other_size, scores * sizeof(int16_t));
    s->upsample_scores = take(&all, other_size, 2 * (net_w + 64) * sizeof(int16_t));
    bool tiles = stream->view_count > stream->eye_count;
    s->patches = take(&all, tiles, 2 * padded * sizeof(float));
    s->classes = take(&all, pipeline->want_classes, 3 * 32 * (width + 16) * sizeof(float));
    return all.failed ? VRS_NO_MEMORY : VRS_OK;
}

static vrs_status make_scratch(vrs_pipeline *pipeline, vrs_stream *stream)
{
    size_t bytes = 0;
    for (uint32_t v = 0; v < stream->view_count; v++) {
        size_t need = vrs_preprocess_scratch(stream->plans[v]);
        bytes = need > bytes ? need : bytes;
        need =
            pipeline->smaller.engine != NULL ? vrs_preprocess_scratch(stream->smaller_plans[v]) : 0;
        bytes = need > bytes ? need : bytes;
    }
    for (int32_t i = 0; i < pipeline->settings.preprocess_threads; i++) {
        stream->scratch[i].preprocess = vrs_alloc_aligned(bytes + 1);
        if (stream->scratch[i].preprocess == NULL)
            return VRS_NO_MEMORY;
    }
    for (int32_t i = 0; i < pipeline->settings.postprocess_threads; i++) {
        vrs_status status = make_post_scratch(pipeline, stream, &stream->scratch[i]);
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

static vrs_status make_stream(vrs_stream *stream)
{
    vrs_pipeline *pipeline = stream->pipeline;
    size_t pixels = (size_t)pipeline->spec->width * (size_t)pipeline->spec->height;
    vrs_take all = {false};
    bool in_order = pipeline->settings.smooth || pipeline->settings.live;
    bool plain = in_order && !pipeline->settings.steady;
    for (uint32_t v = 0; v < stream->view_count; v++)
        stream->state[v].smooth = take(&all, plain, pixels * sizeof(int16_t));
    vrs_status status = all.failed ? VRS_NO_MEMORY : VRS_OK;
    if (status == VRS_OK && in_order)
        status = vrs_reorder_create((uint32_t)pipeline->settings.tickets, &stream->order);
    if (status == VRS_OK && pipeline->settings.steady)
        status = vrs_steady_create(stream, &stream->steady);
    return status == VRS_OK ? make_scratch(pipeline, stream) : status;
}

static void free_scratch(vrs_scratch *s)
{
    vrs_free(s->preprocess);
    vrs_free(s->alpha);
    vrs_free(s->chroma_alpha);
    vrs_free(s->hard);
    vrs_free(s->fish);
    vrs_free(s->pack);
    vrs_free(s->upsample);
    vrs_free(s->refine);
    vrs_free(s->luma);
    for (int v = 0; v < VRS_MAX_VIEWS; v++) {
        vrs_free(s->slope[v]);
        vrs_free(s->offset[v]);
    }
    vrs_free(s->guided);
    vrs_free(s->feather);
    vrs_free(s->scores);
    vrs_free(s->upsample_scores);
    vrs_free(s->classes);
    vrs_free(s->patches);
}

static void free_stream(vrs_stream *stream)
{
    for (int i = 0; i < VRS_MAX_WORKERS; i++)
        free_scratch(&stream->scratch[i]);
    for (int v = 0; v < VRS_MAX_VIEWS; v++)
        vrs_free(stream->state[v].smooth);
    vrs_steady_destroy(stream->steady);
    vrs_reorder_destroy(stream->order);
}

static vrs_status make_output(const vrs_stream *stream, uint32_t index, vrs_image *image)
{
    const vrs_output_desc *out = &stream->outputs[index];
    vrs_status status = vrs_image_alloc(image, out->format, out->width, out->height);
    if (status == VRS_OK)
        vrs_output_prepare(stream, index, image);
    return status;
}

static vrs_status make_ticket(vrs_ticket *ticket)
{
    vrs_pipeline *pipeline = ticket->pipeline;
    size_t pixels = (size_t)pipeline->spec->width * (size_t)pipeline->spec->height;
    bool guide = ticket->stream->refine || pipeline->settings.steady;
    const vrs_engine_io *io = pipeline->io;
    size_t kept = vrs_views_keep_scores(ticket->stream) ? (size_t)io->classes : 0;
    kept *= (size_t)io->scores_width * (size_t)io->scores_height;
    vrs_take all = {false};
    for (uint32_t v = 0; v < ticket->stream->view_count; v++) {
        ticket->mask[v] = take(&all, true, pixels * sizeof(int16_t));
        ticket->guide[v] = take(&all, guide, pixels);
        ticket->scores[v] = take(&all, kept > 0, kept * sizeof(float));
    }
    vrs_status status = all.failed ? VRS_NO_MEMORY : VRS_OK;
    for (uint32_t i = 0; i < pipeline->output_count && status == VRS_OK; i++)
        status = make_output(ticket->stream, i, &ticket->outputs[i]);
    return status;
}

static void free_ticket(vrs_ticket *ticket)
{
    for (int v = 0; v < VRS_MAX_VIEWS; v++) {
        vrs_free(ticket->mask[v]);
        vrs_free(ticket->guide[v]);
        vrs_free(ticket->scores[v]);
    }
    for (int i = 0; i < VRS_MAX_OUTPUTS; i++)
        vrs_image_release(&ticket->outputs[i]);
}

const vrs_lane_ops vrs_lanes_cpu = {
    .name = "cpu",
    .create = create,
    .start = start,
    .stop = stop,
    .destroy = destroy,
    .dispatch = dispatch,
    .give_up = give_up,
    .repeats = true,
    .inferred = inferred,
    .check = check,
    .make_stream = make_stream,
    .free_stream = free_stream,
    .make_ticket = make_ticket,
    .free_ticket = free_ticket,
};
