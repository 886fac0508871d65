/* Settings from a config, with every "auto" decided by the machine. */
#include <string.h>

#include "pipeline/internal.h"
#include "vrseg/system.h"

/* Of a GPU, where nobody says how many. */
#define LANES 4

static int32_t clamp32(int64_t value, int64_t low, int64_t high)
{
    return (int32_t)(value < low ? low : value > high ? high : value);
}

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

/* A core each on the CPU, and as many as keep a GPU's lanes busy. A network on the GPU fills it
 * with one batch for each lane, and every further one costs its activations. */
static int32_t automatic_requests(const vrs_config *config, bool gpu, bool network_on_gpu)
{
    int32_t cores = vrs_cpu_count(), lanes = clamp32(vrs_config_int(config, "lanes", LANES), 1, 64);
    if (!gpu)
        return clamp32(cores, 1, 64);
    return network_on_gpu ? lanes : clamp32(cores < LANES ? LANES : cores, 1, 64);
}

/* One inference a core at batch 1 is fastest on CPUs (a larger batch gains nothing there). Pre- and
 * postprocessing are a small share of the work, so they get few threads: more would only displace
 * the network and the encoder from the caches. */
vrs_status vrs_settings_read(const vrs_config *config, const vrs_model_spec *spec, bool gpu,
                             bool network_on_gpu, vrs_pipeline_settings *settings)
{
    int32_t cores = vrs_cpu_count();
    vrs_pipeline_settings s = {0};
    vrs_status status = vrs_batch_settings_read(config, spec->state_count > 0, &s.batch);
    if (status != VRS_OK)
        return status;
    s.max_batch = s.batch.queue.max_batch_size;
    s.requests = (int32_t)vrs_config_int(config, "requests",
                                         automatic_requests(config, gpu, network_on_gpu));
    s.lanes = !gpu ? 0 : clamp32(vrs_config_int(config, "lanes", LANES), 1, s.requests);
    s.engine_threads = (int32_t)vrs_config_int(config, "engine_threads", clamp32(cores, 1, 256));
    s.preprocess_threads =
        (int32_t)vrs_config_int(config, "preprocess_threads", clamp32(cores / 4, 1, 16));
    s.postprocess_threads =
        (int32_t)vrs_config_int(config, "postprocess_threads", clamp32(cores / 2, 1, 16));
    if (gpu)
        s.preprocess_threads = s.postprocess_threads = s.lanes; /* that are busy at once */
    int64_t in_flight = (int64_t)s.requests * s.max_batch * 2;
    s.tickets = (int32_t)vrs_config_int(
        config, "tickets",
        clamp32(in_flight + s.preprocess_threads + s.postprocess_threads + 2, 4, 256));
    const char *layout = vrs_config_get(config, "layout");
    s.layout = strcmp(layout, "sbs") == 0 ? 1 : strcmp(layout, "tb") == 0 ? 2 : 0;
    const char *refine = vrs_config_get(config, "refine");
    s.refine = strcmp(refine, "off") != 0;
    s.refine_always = strcmp(refine, "on") == 0;
    s.refine_radius = (int32_t)vrs_config_int(config, "refine_radius", 1);
    s.refine_epsilon = (float)vrs_config_float(config, "refine_epsilon", 0.0005);
    s.smooth = vrs_config_bool(config, "smooth");
    s.smooth_weight = q15(vrs_config_float(config, "smooth_weight", 0.6));
    s.threshold = q15(vrs_config_float(config, "threshold", 0));
    s.feather = (int32_t)vrs_config_int(config, "feather", 0);
    s.isa = isa_from_name(vrs_config_get(config, "kernels"));
    if (spec->state_count > 0 && s.smooth)
        s.smooth = false; /* a recurrent network is steady by itself */
    *settings = s;
    return VRS_OK;
}
