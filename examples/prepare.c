/* A network made ready for a GPU before it is needed: prepare MODEL [DEVICE [clear]]
 *
 * Compiling times every way to run each layer, which takes a while the first time; the plans are
 * kept, so that the service that starts next opens at once. On the CPU there is nothing to compile.
 * "clear" removes what was kept, of all networks. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vrseg/vrseg.h>

static void check(vrs_status status)
{
    if (status == VRS_OK)
        return;
    (void)fprintf(stderr, "prepare: %s\n", vrs_last_error());
    exit(1);
}

static void show_progress(void *opaque, const vrs_compile_progress *p)
{
    (void)opaque;
    if (p->done == p->all)
        printf("batches of %" PRId32 ": %s, %" PRId32 " done\n", p->batch, p->step, p->done);
}

typedef struct slowest {
    double micros;
    char text[256];
} slowest;

static void find_slowest(void *opaque, const vrs_compiled_node *node)
{
    slowest *s = opaque;
    if (node->micros <= s->micros)
        return;
    s->micros = node->micros;
    (void)snprintf(s->text, sizeof(s->text), "%s by %s", node->does, node->plan);
}

static void show_plans(void *opaque, const vrs_cached_plans *plans)
{
    (void)opaque;
    printf("kept: %s, %" PRIu64 " bytes\n", plans->key != NULL ? plans->key : "unreadable",
           plans->bytes);
}

static void compile(const vrs_config *config, const vrs_model *model)
{
    static const int32_t batches[] = {1, 2};
    char summary[256];
    slowest s = {0};
    const vrs_compile_options options = {.batches = batches,
                                         .batch_count = 2,
                                         .on_progress = show_progress,
                                         .on_node = find_slowest,
                                         .opaque = &s};
    check(vrs_compile(config, model, &options, summary, sizeof(summary)));
    printf("%s\nslowest: %s, %.1f us\n", summary, s.text, s.micros);
}

/* A pipeline compiles what is not kept: who waits for it can be told how far that is. */
static void open_pipeline(const vrs_config *config, const vrs_model *model)
{
    vrs_pipeline *pipeline;
    vrs_compile_on_progress(show_progress, NULL);
    check(vrs_pipeline_create(config, model, &pipeline));
    vrs_compile_on_progress(NULL, NULL);
    printf("opened: %s, %s\n", vrs_pipeline_get_device(pipeline),
           vrs_pipeline_get_engine(pipeline));
    vrs_pipeline_destroy(pipeline);
}

int main(int argc, char **argv)
{
    vrs_config *config;
    vrs_model *model;
    vrs_model_cost cost;
    uint64_t files = 0, bytes = 0;
    const char *device = argc > 2 ? argv[2] : "cpu";
    check(vrs_config_create(&config));
    check(vrs_config_set(config, "device", device));
    check(vrs_config_set(config, "max_batch_size", "2"));
    check(vrs_model_load(argc > 1 ? argv[1] : "selfie-landscape", &model));
    check(vrs_model_count(model, &cost));
    printf("%.3f GFLOP a view, %.2f million weights, %" PRId32 " layers\n", cost.flops / 1e9,
           cost.weights / 1e6, cost.layers);
    if (strcmp(device, "cpu") != 0)
        compile(config, model);
    open_pipeline(config, model);
    check(vrs_plans_list(show_plans, NULL));
    if (argc > 3 && strcmp(argv[3], "clear") == 0) {
        check(vrs_plans_clear(&files, &bytes));
        printf("removed %" PRIu64 " files\n", files);
    }
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    return 0;
}
