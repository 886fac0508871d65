#include "pipeline/bottleneck.h"

#include <stdio.h>

/* From these shares on a resource or a stage counts as the limit. */
#define VRS_SATURATED_CPU 0.85
#define VRS_SATURATED_STAGE 0.80

const char *vrs_stage_name(vrs_stage stage)
{
    static const char *const names[VRS_STAGE_COUNT] = {"decode", "preprocess", "infer",
                                                       "postprocess", "encode"};
    return (unsigned)stage < VRS_STAGE_COUNT ? names[stage] : "unknown";
}

static const char *advice(const vrs_bottleneck *b, int stage)
{
    if (stage == VRS_STAGE_DECODE && b->gpu_decodes)
        return "it is the GPU's decoder: try --decoder cpu, or several runs side by side";
    if (stage == VRS_STAGE_INFER && b->gpu_infers)
        return "try --precision f16, a larger --max-batch-size, or a lighter model";
    static const char *const texts[VRS_STAGE_COUNT] = {
        "try more --decoder-threads, or a source that is easier to decode",
        "try more --preprocess-threads",
        "try a lighter model, or --precision bf16 where the processor has it",
        "try --refine off, or more --postprocess-threads",
        "try a faster --preset, a smaller --mask-size, or fewer outputs",
    };
    return texts[stage];
}

static int largest(const double values[VRS_STAGE_COUNT])
{
    int best = 0;
    for (int i = 1; i < VRS_STAGE_COUNT; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}

void vrs_bottleneck_text(const vrs_bottleneck *b, char *text, size_t size)
{
    int stage = largest(b->stage_cpu_seconds);
    double all = 0;
    for (int i = 0; i < VRS_STAGE_COUNT; i++)
        all += b->stage_cpu_seconds[i];
    if (b->cpu_share >= VRS_SATURATED_CPU && all > 0) {
        (void)snprintf(text, size,
                       "the processor: %.0f %% of %d core%s busy, most of it in %s (%.0f %%); %s",
                       b->cpu_share * 100, b->cores, b->cores == 1 ? "" : "s",
                       vrs_stage_name((vrs_stage)stage), 100 * b->stage_cpu_seconds[stage] / all,
                       advice(b, stage));
        return;
    }
    stage = largest(b->stage_busy);
    if (b->stage_busy[stage] >= VRS_SATURATED_STAGE) {
        (void)snprintf(text, size, "%s: busy %.0f %% of the time, the processor %.0f %%; %s",
                       vrs_stage_name((vrs_stage)stage), b->stage_busy[stage] * 100,
                       b->cpu_share * 100, advice(b, stage));
        return;
    }
    (void)snprintf(text, size,
                   "nothing for long: the busiest stage, %s, works %.0f %% of the time and the "
                   "processor %.0f %%; the run is short, or the machine does other work",
                   vrs_stage_name((vrs_stage)stage), b->stage_busy[stage] * 100,
                   b->cpu_share * 100);
}
