/* The network of smaller input, to which live mode comes where the machine cannot keep up by less
 * work around the network. It is there from the start, so that the step costs nothing. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "pipeline/internal.h"

static vrs_status check(const vrs_pipeline *pipeline, const vrs_smaller *smaller, const char *name)
{
    const vrs_model_spec *large = pipeline->spec, *small = smaller->spec;
    if (large->state_count > 0 || small->state_count > 0)
        return vrs_fail(VRS_INVALID,
                        "smaller_model %s: expected two networks that look at each frame by itself",
                        name);
    bool alike = (int64_t)small->width * large->height == (int64_t)small->height * large->width;
    if (!alike || small->width >= large->width || small->fit != large->fit)
        return vrs_fail(VRS_INVALID,
                        "smaller_model %s: it takes pictures of %dx%d, and expected were the "
                        "proportions and the fit of the model's %dx%d at a smaller size",
                        name, small->width, small->height, large->width, large->height);
    return VRS_OK;
}

static vrs_status open_network(vrs_pipeline *pipeline, const vrs_config *config, const char *name,
                               const struct vrs_engine_ops *ops)
{
    vrs_smaller *smaller = &pipeline->smaller;
    vrs_status status = vrs_pipeline_open_engine(pipeline, config, smaller->model,
                                                 pipeline->engine_name, ops, &smaller->engine);
    if (status != VRS_OK)
        return status;
    smaller->io = vrs_engine_get_io(smaller->engine);
    if (smaller->io->on_device != pipeline->io->on_device)
        return vrs_fail(VRS_UNSUPPORTED,
                        "smaller_model %s: it would run elsewhere than the model itself", name);
    int32_t width = pipeline->spec->width, height = pipeline->spec->height;
    smaller->from_scores_tables = vrs_alloc_aligned(vrs_upsample_storage(width, height));
    if (smaller->from_scores_tables == NULL)
        return VRS_NO_MEMORY;
    vrs_upsample_init(&smaller->from_scores, smaller->io->scores_width, smaller->io->scores_height,
                      width, height, smaller->from_scores_tables);
    size_t used = strlen(pipeline->engine_text);
    (void)snprintf(pipeline->engine_text + used, sizeof(pipeline->engine_text) - used,
                   "; live mode may come to %s", name);
    return VRS_OK;
}

vrs_status vrs_smaller_open(vrs_pipeline *pipeline, const vrs_config *config,
                            const struct vrs_engine_ops *ops)
{
    vrs_smaller *smaller = &pipeline->smaller;
    const char *name = vrs_config_get(config, "smaller_model");
    if (name[0] == 0 || !pipeline->settings.live || !pipeline->settings.live_degrade)
        return VRS_OK;
    vrs_status status = vrs_model_load(name, &smaller->model);
    if (status != VRS_OK)
        return status;
    smaller->spec = vrs_model_get_spec(smaller->model);
    status = check(pipeline, smaller, name);
    return status == VRS_OK ? open_network(pipeline, config, name, ops) : status;
}

void vrs_smaller_close(vrs_smaller *smaller)
{
    vrs_engine_destroy(smaller->engine);
    vrs_model_destroy(smaller->model);
    vrs_free(smaller->from_scores_tables);
}

const vrs_engine_io *vrs_batch_io(const vrs_batch *batch)
{
    return batch->smaller ? batch->pipeline->smaller.io : batch->pipeline->io;
}

const vrs_preprocess_plan *vrs_batch_plan(const vrs_view_work *work)
{
    const vrs_stream *stream = work->ticket->stream;
    return work->slot->smaller ? stream->smaller_plans[work->view] : stream->plans[work->view];
}
