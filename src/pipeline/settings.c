/* Settings from a config, with every "auto" decided by the machine. */
#include <stdio.h>
#include <string.h>

#include "pipeline/internal.h"
#include "pipeline/threads.h"

/* Within which a live mask is wanted where nobody says: what a viewer takes for at once. */
#define LIVE_TARGET_NS (VRS_NS_PER_S / 10)

/* Shares of the new mask where nobody says. */
#define SMOOTH_WEIGHT_MOTION 0.15
#define SMOOTH_WEIGHT_FIXED 0.6

static int16_t q15(double value)
{
    return (int16_t)(value * VRS_Q15_ONE + 0.5);
}

static vrs_isa isa_from_name(const char *name)
{
    if (strcmp(name, "reference") == 0)
        return VRS_ISA_REFERENCE;
    if (strcmp(name, "avx2") == 0)
        return VRS_ISA_AVX2;
    return VRS_ISA_AVX512;
}

bool vrs_settings_network_on_gpu(const vrs_config *config, bool gpu)
{
    const char *engine = vrs_config_get(config, "engine");
    bool ort = strcmp(engine, "onnxruntime") == 0;
    bool own = strcmp(engine, "cuda") == 0 || strcmp(engine, "auto") == 0;
    return gpu && (own || (ort && strcmp(vrs_config_get(config, "ort_provider"), "cpu") != 0));
}

/* One inference a core at batch 1 is fastest on CPUs (a larger batch gains nothing there). Pre- and
 * postprocessing are a small share of the work, so they get few threads: more would only displace
 * the network and the encoder from the caches. */
static void read_threads(const vrs_config *config, bool gpu, bool network_on_gpu, int32_t streams,
                         vrs_pipeline_settings *s)
{
    vrs_allowance machine;
    vrs_allowance_read("", &machine);
    vrs_thread_wish wish = {
        .gpu = gpu,
        .network_on_gpu = network_on_gpu,
        .max_batch = s->max_batch,
        .requests = (int32_t)vrs_config_int(config, "requests", 0),
        .lanes = (int32_t)vrs_config_int(config, "lanes", 0),
        .preprocess = (int32_t)vrs_config_int(config, "preprocess_threads", 0),
        .postprocess = (int32_t)vrs_config_int(config, "postprocess_threads", 0),
        .streams = streams,
    };
    vrs_thread_plan plan = vrs_threads_choose(&machine, &wish);
    s->requests = plan.requests;
    s->lanes = plan.lanes;
    s->engine_threads = (int32_t)vrs_config_int(config, "engine_threads", plan.engine_threads);
    s->preprocess_threads = plan.preprocess;
    s->postprocess_threads = plan.postprocess;
    s->tickets = (int32_t)vrs_config_int(config, "tickets", plan.tickets);
}

static vrs_status read_views(const vrs_config *config, vrs_pipeline_settings *s)
{
    static const char *const words[] = {"auto", "whole", "eyes", "tiles", "crops"};
    vrs_layout layout = vrs_layout_flat();
    (void)snprintf(s->layout, sizeof(s->layout), "%s", vrs_config_get(config, "layout"));
    (void)snprintf(s->projection, sizeof(s->projection), "%s",
                   vrs_config_get(config, "projection"));
    s->layout_chosen = vrs_config_get_layer(config, "layout") != VRS_LAYER_DEFAULT;
    for (int i = 0; i < 5; i++)
        if (strcmp(vrs_config_get(config, "views"), words[i]) == 0)
            s->views = (vrs_views_kind)i;
    s->tile_fov = vrs_config_float(config, "tile_fov", 75);
    s->crop_fov = vrs_config_float(config, "crop_fov", 50);
    s->crops = (int32_t)vrs_config_int(config, "crops", 1);
    return strcmp(s->projection, "auto") == 0 ? VRS_OK
                                              : vrs_layout_set_projection(&layout, s->projection);
}

vrs_status vrs_settings_read(const vrs_config *config, const vrs_model_spec *spec, bool gpu,
                             bool network_on_gpu, int32_t streams, vrs_pipeline_settings *settings)
{
    vrs_pipeline_settings s = {0};
    vrs_status status = vrs_batch_settings_read(config, spec->state_count > 0, &s.batch);
    if (status != VRS_OK)
        return status;
    s.max_batch = s.batch.queue.max_batch_size;
    read_threads(config, gpu, network_on_gpu, streams, &s);
    s.live = vrs_config_bool(config, "live");
    s.live_degrade = vrs_config_bool(config, "degrade");
    if (s.live && s.batch.latency_target_ns == 0)
        s.batch.latency_target_ns = LIVE_TARGET_NS;
    status = read_views(config, &s);
    if (status != VRS_OK)
        return status;
    const char *refine = vrs_config_get(config, "refine");
    s.refine = strcmp(refine, "off") != 0;
    s.refine_always = strcmp(refine, "on") == 0;
    s.refine_radius = (int32_t)vrs_config_int(config, "refine_radius", 1);
    s.refine_epsilon = (float)vrs_config_float(config, "refine_epsilon", 0.0005);
    s.smooth = vrs_config_bool(config, "smooth");
    s.threshold = q15(vrs_config_float(config, "threshold", 0));
    s.feather = (int32_t)vrs_config_int(config, "feather", 0);
    s.isa = isa_from_name(vrs_config_get(config, "kernels"));
    if (spec->state_count > 0 && s.smooth)
        s.smooth = false; /* a recurrent network is steady by itself */
    s.steady = s.smooth && vrs_config_bool(config, "smooth_motion");
    s.match_eyes = s.steady && vrs_config_bool(config, "match_eyes");
    double weight = s.steady ? SMOOTH_WEIGHT_MOTION : SMOOTH_WEIGHT_FIXED;
    s.smooth_weight = q15(vrs_config_float(config, "smooth_weight", weight));
    *settings = s;
    return VRS_OK;
}
