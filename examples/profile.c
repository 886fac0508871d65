/* Where the time goes in a program of one's own: profile FOLDER [FRAMES]
 *
 * Frames go through a pipeline while a profile writes FOLDER/run.trace; then the trace is read: a
 * page, charts, a table of spans. On a GPU every kernel is followed too, where NVIDIA's CUPTI is
 * there. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vrseg/profile.h>
#include <vrseg/vrseg.h>

/* Ends the program with the reason where a call failed; only the expected `or_else` passes. */
static vrs_status check(vrs_status status, vrs_status or_else)
{
    if (status == VRS_OK || status == or_else)
        return status;
    (void)fprintf(stderr, "profile: %s\n", vrs_last_error());
    exit(1);
}

static void run_frames(vrs_pipeline *pipeline, int64_t count)
{
    vrs_result *result;
    for (vrs_frame frame = {0}; frame.id < count; frame.id++) {
        check(vrs_image_alloc(&frame.image, VRS_FORMAT_RGB24, 320, 240), VRS_OK);
        memset(frame.image.planes[0], (int)(frame.id % 200), 320);
        check(vrs_pipeline_submit(pipeline, &frame, -1), VRS_OK);
        while (check(vrs_pipeline_get_result(pipeline, &result, 0), VRS_TIMEOUT) == VRS_OK)
            vrs_result_release(result);
    }
    vrs_pipeline_finish(pipeline);
    while (check(vrs_pipeline_get_result(pipeline, &result, -1), VRS_END) == VRS_OK)
        vrs_result_release(result);
}

/* What a monitoring system would fetch now; the first lines of it. */
static void show_metrics(vrs_profile *profile)
{
    char text[512];
    size_t whole = vrs_profile_metrics(profile, text, sizeof(text));
    printf("metrics, %zu bytes:\n%.*s\n", whole, (int)strcspn(text, "\n"), text);
}

static void show_memory(const vrs_pipeline *pipeline)
{
    vrs_memory_stats stats;
    const vrs_memory *memory = vrs_pipeline_get_memory(pipeline);
    if (memory == NULL) {
        printf("no GPU's memory is used\n");
        return;
    }
    vrs_memory_get_stats(memory, VRS_MEMORY_PLACE_DEVICE, &stats);
    for (int i = 0; i < VRS_MEMORY_OWNERS; i++)
        if (stats.owners[i].used > 0)
            printf("%s: %.1f MB\n", vrs_memory_owner_name((vrs_memory_owner)i),
                   (double)stats.owners[i].used / 1e6);
}

static void record(const char *trace, int64_t frames)
{
    vrs_config *config;
    vrs_model *model;
    vrs_pipeline *pipeline;
    vrs_profile *profile;
    check(vrs_config_create(&config), VRS_OK);
    check(vrs_config_read_environment(config), VRS_OK);
    check(vrs_model_load("selfie-landscape", &model), VRS_OK);
    check(vrs_profile_open(trace, &profile), VRS_OK);
    vrs_profile_note(profile, "input", "pictures that are made here");
    if (vrs_profile_follow_kernels(profile) != VRS_OK) /* before the pipeline is made */
        printf("without kernels: %s\n", vrs_last_error());
    check(vrs_pipeline_create(config, model, &pipeline), VRS_OK);
    check(vrs_pipeline_start(pipeline), VRS_OK);
    check(vrs_profile_attach(profile, pipeline), VRS_OK);
    run_frames(pipeline, frames);
    show_metrics(profile);
    show_memory(pipeline);
    vrs_profile_detach(profile, pipeline);
    vrs_pipeline_destroy(pipeline);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    check(vrs_profile_close(profile), VRS_OK);
}

static void read_back(const char *trace, const char *folder)
{
    char path[4096];
    vrs_profile_report *report;
    check(vrs_report_load(trace, &report), VRS_OK);
    vrs_report_figures f = vrs_report_get(report);
    printf("%" PRIu64 " frames, %.1f a second; p50 %.2f ms, p99 %.2f ms; %d leaks\n", f.frames,
           f.fps, f.latency_ms_p50, f.latency_ms_p99, (int)f.leaks);
    (void)snprintf(path, sizeof(path), "%s/run.html", folder);
    check(vrs_report_write_html(report, NULL, path), VRS_OK);
    (void)snprintf(path, sizeof(path), "%s/charts", folder);
    check(vrs_report_write_plots(report, path), VRS_OK);
    (void)snprintf(path, sizeof(path), "%s/spans.csv", folder);
    check(vrs_report_write_csv(report, path), VRS_OK);
    printf("in the table, for one: %s and %s\n", vrs_span_kind_name(VRS_SPAN_INFER),
           vrs_span_kind_name(VRS_SPAN_QUEUE));
    vrs_report_destroy(report);
}

int main(int argc, char **argv)
{
    char trace[4096];
    const char *folder = argc > 1 ? argv[1] : ".";
    (void)snprintf(trace, sizeof(trace), "%s/run.trace", folder);
    record(trace, argc > 2 ? atoi(argv[2]) : 50);
    read_back(trace, folder);
    return 0;
}
