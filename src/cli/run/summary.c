/* The figures of a run, for people and as JSON. */
#include <string.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "cli/run/targets.h"

/* A line for each of several inputs. */
static void print_inputs(FILE *out, vrs_job *job, const vrs_job_stats *s)
{
    for (int32_t i = 0; i < s->inputs.all && s->inputs.all > 1; i++) {
        vrs_job_input_stats input = vrs_job_get_input(job, i);
        (void)fprintf(out, "  %-7s %s: %llu frames in %.2f s", vrs_job_state_name(input.state),
                      input.path, (unsigned long long)input.written, input.seconds);
        if (input.damaged > 0 || input.failed > 0)
            (void)fprintf(out, ", %llu damaged, %llu failed", (unsigned long long)input.damaged,
                          (unsigned long long)input.failed);
        const char *why = input.state == VRS_JOB_FAILED ? input.detail : input.note;
        (void)fprintf(out, "%s%s\n", why[0] != 0 ? ": " : "", why);
    }
}

void vrs_summary_print(FILE *out, const vrs_config *config, vrs_job *job, const vrs_job_stats *s)
{
    if (s->inputs.all > 1)
        (void)fprintf(out, "%d of %d inputs are done:\n", s->inputs.done, s->inputs.all);
    print_inputs(out, job, s);
    if (s->written == 0) {
        if (s->inputs.done > 0 && s->note[0] != 0)
            (void)fprintf(out, "note: %s\n", s->note);
        return;
    }
    (void)fprintf(out,
                  "%llu frames in %.2f s: %.1f fps; first mask after %.2f s; %.1f ms of CPU a "
                  "frame; %.0f MB\n",
                  (unsigned long long)s->written, s->seconds, s->fps, s->first_mask_seconds,
                  s->written > 0 ? 1e3 * s->cpu_seconds / (double)s->written : 0,
                  (double)s->peak_rss_bytes / 1e6);
    vrs_load_print(out, s);
    (void)fprintf(out,
                  "device: %s; decoded by %s; network: %s; stages side by side: %.2f on average\n",
                  s->device, s->decoder, s->engine, s->overlap);
    (void)fprintf(out, "bottleneck: %s\n", s->bottleneck);
    if (s->damaged > 0 || s->failed > 0)
        (void)fprintf(out, "%llu damaged, %llu failed frames\n", (unsigned long long)s->damaged,
                      (unsigned long long)s->failed);
    if (s->note[0] != 0)
        (void)fprintf(out, "note: %s\n", s->note);
    vrs_target targets[VRS_MAX_TARGETS];
    vrs_targets_print(out, targets, vrs_targets_check(config, s, targets));
}

static void generate_input(yajl_gen gen, const vrs_job_input_stats *input)
{
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "input", input->path);
    vrs_json_key(gen, "outputs");
    (void)yajl_gen_array_open(gen);
    for (int32_t i = 0; i < input->output_count; i++)
        vrs_json_item(gen, input->outputs[i]);
    (void)yajl_gen_array_close(gen);
    vrs_json_text(gen, "state", vrs_job_state_name(input->state));
    vrs_json_text(gen, "status", vrs_status_name(input->status));
    vrs_json_text(gen, "detail", input->detail);
    vrs_json_integer(gen, "frames", (int64_t)input->written);
    vrs_json_integer(gen, "damaged", (int64_t)input->damaged);
    vrs_json_integer(gen, "failed", (int64_t)input->failed);
    vrs_json_number(gen, "seconds", input->seconds);
    vrs_json_text(gen, "decoder", input->decoder);
    vrs_json_text(gen, "note", input->note);
    (void)yajl_gen_map_close(gen);
}

static void generate_inputs(yajl_gen gen, vrs_job *job, const vrs_job_stats *s)
{
    vrs_json_integer(gen, "inputs_done", s->inputs.done);
    vrs_json_integer(gen, "inputs_failed", s->inputs.failed);
    vrs_json_key(gen, "inputs");
    (void)yajl_gen_array_open(gen);
    for (int32_t i = 0; i < s->inputs.all; i++) {
        vrs_job_input_stats input = vrs_job_get_input(job, i);
        generate_input(gen, &input);
    }
    (void)yajl_gen_array_close(gen);
}

static void generate(yajl_gen gen, const vrs_config *config, vrs_job *job, const vrs_job_stats *s,
                     const vrs_expect_time *time)
{
    vrs_job_expected expected;
    vrs_job_get_expected(job, &expected);
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "version", vrs_version());
    if (s->inputs.all == 1)
        vrs_json_text(gen, "input", vrs_job_get_input(job, 0).path);
    generate_inputs(gen, job, s);
    vrs_expect_json(gen, &expected, time);
    vrs_json_integer(gen, "frames", (int64_t)s->written);
    vrs_json_integer(gen, "damaged", (int64_t)s->damaged);
    vrs_json_integer(gen, "failed", (int64_t)s->failed);
    vrs_json_number(gen, "start_seconds", s->start_seconds);
    vrs_json_number(gen, "start_cpu_seconds", s->start_cpu_seconds);
    vrs_json_number(gen, "seconds", s->seconds);
    vrs_json_number(gen, "fps", s->fps);
    vrs_json_number(gen, "first_mask_seconds", s->first_mask_seconds);
    vrs_json_number(gen, "cpu_seconds", s->cpu_seconds);
    vrs_json_number(gen, "cpu_share", s->cpu_share);
    vrs_json_integer(gen, "peak_rss_bytes", s->peak_rss_bytes);
    vrs_json_integer(gen, "gpu_memory_bytes", s->gpu_memory_bytes);
    vrs_json_reading(gen, "gpu_percent", s->gpu_percent, 1);
    vrs_json_text(gen, "device", s->device);
    vrs_json_text(gen, "device_fallback", s->fallback);
    vrs_json_text(gen, "decoder", s->decoder);
    vrs_json_text(gen, "engine", s->engine);
    vrs_json_number(gen, "overlap", s->overlap);
    vrs_load_json(gen, s);
    vrs_json_text(gen, "note", s->note);
    vrs_target targets[VRS_MAX_TARGETS];
    vrs_targets_json(gen, targets, vrs_targets_check(config, s, targets));
    (void)yajl_gen_map_close(gen);
}

vrs_status vrs_summary_json(const char *path, const vrs_config *config, vrs_job *job,
                            const vrs_job_stats *stats, const vrs_expect_time *time)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    if (gen == NULL)
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for the figures", path);
    (void)yajl_gen_config(gen, yajl_gen_beautify, 1);
    generate(gen, config, job, stats, time);
    vrs_status status = vrs_json_write(gen, path);
    yajl_gen_free(gen);
    return status;
}
