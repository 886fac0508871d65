#include "pipeline/bottleneck.h"

#include <stdio.h>

/* From these shares on a resource counts as the limit: one that works all but the time that its
 * users need to hand it more, and a wait that is the rule. */
#define SATURATED 0.85
#define WAITED_FOR 0.50
#define BUSY 0.80

const char *vrs_stage_name(vrs_stage stage)
{
    static const char *const names[VRS_STAGE_COUNT] = {"decode", "preprocess", "infer",
                                                       "postprocess", "encode"};
    return (unsigned)stage < VRS_STAGE_COUNT ? names[stage] : "unknown";
}

const char *vrs_resource_name(vrs_resource resource)
{
    static const char *const names[VRS_RESOURCE_COUNT] = {
        "cores", "decoder", "gpu", "copy", "encoder", "disk", "consumer", "source", "memory"};
    return (unsigned)resource < VRS_RESOURCE_COUNT ? names[resource] : "none";
}

static const char *advice(const vrs_bottleneck *b, vrs_stage stage)
{
    if (stage == VRS_STAGE_DECODE && b->gpu_decodes)
        return "try --decoder cpu, or several runs side by side";
    if (stage == VRS_STAGE_INFER && b->gpu_infers)
        return "try --precision f16, a larger --max-batch-size, or a lighter model";
    if (stage == VRS_STAGE_ENCODE && b->gpu_encodes)
        return "try a smaller --mask-size, fewer outputs, or --encoder cpu";
    static const char *const texts[VRS_STAGE_COUNT] = {
        "try more --decoder-threads, or a source that is easier to decode",
        "try more --preprocess-threads",
        "try a lighter model, or --precision bf16 where the processor has it",
        "try --refine off, or more --postprocess-threads",
        "try a faster --preset, a smaller --mask-size, or fewer outputs",
    };
    return (unsigned)stage < VRS_STAGE_COUNT ? texts[stage] : "";
}

static double percent(double share)
{
    return 100 * (share < 0 ? 0 : share > 1 ? 1 : share);
}

static vrs_stage most_cpu(const vrs_bottleneck *b, double *share)
{
    int best = 0;
    double all = 0;
    for (int i = 0; i < VRS_STAGE_COUNT; i++) {
        all += b->stages[i].cpu_seconds;
        best = b->stages[i].cpu_seconds > b->stages[best].cpu_seconds ? i : best;
    }
    *share = all > 0 ? b->stages[best].cpu_seconds / all : 0;
    return (vrs_stage)best;
}

static vrs_stage busiest(const vrs_bottleneck *b, int first, int last)
{
    int best = first;
    for (int i = first; i <= last; i++)
        best = b->stages[i].busy > b->stages[best].busy ? i : best;
    return (vrs_stage)best;
}

/* The fullest of the resources first..last; VRS_RESOURCE_COUNT: none reaches `least`. */
static vrs_resource fullest(const vrs_bottleneck *b, int first, int last, const double *least)
{
    int best = VRS_RESOURCE_COUNT;
    for (int i = first; i <= last; i++)
        if (b->resources[i] >= least[i] &&
            (best == VRS_RESOURCE_COUNT || b->resources[i] > b->resources[best]))
            best = i;
    return (vrs_resource)best;
}

/* What of the machine is in use all the time. */
static void describe_machine(const vrs_bottleneck *b, vrs_bottleneck_finding *f)
{
    double used = percent(b->resources[f->resource]), share;
    char *text = f->text;
    size_t size = sizeof(f->text);
    switch (f->resource) {
    case VRS_RESOURCE_CORES:
        f->stage = most_cpu(b, &share);
        (void)snprintf(text, size,
                       "the processor: %.0f %% of %d core%s busy, most of it in %s (%.0f %%); %s",
                       used, b->cores, b->cores == 1 ? "" : "s", vrs_stage_name(f->stage),
                       100 * share, advice(b, f->stage));
        return;
    case VRS_RESOURCE_DECODER:
        f->stage = VRS_STAGE_DECODE;
        (void)snprintf(text, size, "the GPU's decoder: at work %.0f %% of the time; %s", used,
                       advice(b, f->stage));
        return;
    case VRS_RESOURCE_SMS:
        f->stage = busiest(b, VRS_STAGE_PREPROCESS, VRS_STAGE_POSTPROCESS);
        (void)snprintf(text, size,
                       "the GPU's multiprocessors: kernels run %.0f %% of the time, most in %s; %s",
                       used, vrs_stage_name(f->stage), advice(b, f->stage));
        return;
    default:
        f->stage = VRS_STAGE_PREPROCESS;
        (void)snprintf(text, size,
                       "the GPU's copy engine: frames and masks are copied %.0f %% of the time; "
                       "try --decoder nvdec, so that frames stay on the GPU, or a smaller "
                       "--mask-size",
                       used);
        return;
    }
}

static void describe_wait(const vrs_bottleneck *b, vrs_bottleneck_finding *f)
{
    double waited = percent(b->resources[f->resource]);
    double cores = percent(b->resources[VRS_RESOURCE_CORES]);
    char *text = f->text;
    size_t size = sizeof(f->text);
    f->stage = VRS_STAGE_ENCODE;
    switch (f->resource) {
    case VRS_RESOURCE_ENCODER:
        (void)snprintf(text, size, "the %s: busy %.0f %% of the time, the processor %.0f %%; %s",
                       b->gpu_encodes ? "GPU's encoder" : "encoder", waited, cores,
                       advice(b, f->stage));
        return;
    case VRS_RESOURCE_DISK:
        (void)snprintf(text, size,
                       "the disk: written to %.0f %% of the time, the processor is busy %.0f %%; "
                       "try a faster disk, a codec that compresses more, or fewer outputs",
                       waited, cores);
        return;
    case VRS_RESOURCE_CONSUMER:
        (void)snprintf(text, size,
                       "the consumer: finished frames waited %.0f %% of the time for whoever "
                       "takes them; try a faster reader of the results, or a smaller --mask-size",
                       waited);
        return;
    case VRS_RESOURCE_SOURCE:
        f->stage = VRS_STAGE_DECODE;
        (void)snprintf(text, size,
                       b->live
                           ? "the source: it delivers by its own clock, %.0f %% of the time went "
                             "by waiting for the next frame; the machine keeps up, try a heavier "
                             "model or more streams"
                           : "the source: %.0f %% of the time it had no data; try a faster disk, "
                             "network or producer of the pipe",
                       waited);
        return;
    default:
        f->stage = VRS_STAGE_PREPROCESS;
        (void)snprintf(text, size,
                       "memory: there is room for %u of %u frames in flight, and %.0f %% of the "
                       "time was spent waiting for one; try a larger --gpu-memory, a smaller "
                       "--mask-size, or fewer outputs",
                       b->tickets, b->tickets_wanted, waited);
        return;
    }
}

void vrs_bottleneck_find(const vrs_bottleneck *b, vrs_bottleneck_finding *f)
{
    static const double least[VRS_RESOURCE_COUNT] = {SATURATED,  SATURATED,  SATURATED,
                                                     SATURATED,  BUSY,       WAITED_FOR,
                                                     WAITED_FOR, WAITED_FOR, WAITED_FOR};
    *f = (vrs_bottleneck_finding){.found = true};
    f->resource = fullest(b, VRS_RESOURCE_CORES, VRS_RESOURCE_COPY, least);
    if (f->resource != VRS_RESOURCE_COUNT) {
        describe_machine(b, f);
        return;
    }
    f->resource = fullest(b, VRS_RESOURCE_ENCODER, VRS_RESOURCE_MEMORY, least);
    if (f->resource != VRS_RESOURCE_COUNT) {
        describe_wait(b, f);
        return;
    }
    f->stage = busiest(b, 0, VRS_STAGE_COUNT - 1);
    double busy = b->stages[f->stage].busy, cores = b->resources[VRS_RESOURCE_CORES];
    if (busy >= BUSY) {
        (void)snprintf(
            f->text, sizeof(f->text), "%s: busy %.0f %% of the time, the processor %.0f %%; %s",
            vrs_stage_name(f->stage), percent(busy), percent(cores), advice(b, f->stage));
        return;
    }
    f->found = false;
    (void)snprintf(f->text, sizeof(f->text),
                   "nothing for long: the busiest stage, %s, works %.0f %% of the time and the "
                   "processor %.0f %%; the run is short, or the machine does other work",
                   vrs_stage_name(f->stage), percent(busy), percent(cores));
}

static double share_of(int64_t ns, double whole)
{
    double share = whole > 0 ? (double)ns / 1e9 / whole : 0;
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

void vrs_bottleneck_of_stats(const vrs_pipeline_stats *stats, double seconds, vrs_bottleneck *b)
{
    *b = (vrs_bottleneck){.seconds = seconds, .cores = 1};
    for (int i = 0; i < VRS_RESOURCE_COUNT; i++)
        b->resources[i] = -1;
    for (int i = 0; i < VRS_STAGE_COUNT; i++) { /* those of decode and encode, where they are set */
        const vrs_stage_stats *stage = &stats->stages[i];
        double whole = seconds * (stage->threads > 0 ? stage->threads : 1);
        b->stages[i].busy = share_of(stage->busy_ns, whole);
        b->stages[i].starved = share_of(stage->starved_ns, whole);
        b->stages[i].blocked = share_of(stage->blocked_ns, whole);
    }
    if (stats->on_gpu) {
        b->resources[VRS_RESOURCE_SMS] = share_of(stats->gpu_ns, seconds);
        b->resources[VRS_RESOURCE_COPY] = share_of(stats->copy_ns, seconds);
    }
    b->resources[VRS_RESOURCE_CONSUMER] = share_of(stats->unread_ns, seconds);
    b->resources[VRS_RESOURCE_MEMORY] = share_of(stats->short_ns, seconds);
    b->gpu_infers = stats->network_on_gpu;
    b->tickets = stats->tickets;
    b->tickets_wanted = stats->tickets_wanted;
}
