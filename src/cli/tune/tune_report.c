/* What `vrseg tune` shows: a line for each trial, the table, the result. */
#include <errno.h>
#include <string.h>

#include "cli/json.h"
#include "cli/tune/tune.h"

vrs_status vrs_tune_show_table(vrs_tune_show *s, const char *path)
{
    s->table = fopen(path, "we");
    if (s->table == NULL)
        return vrs_fail(errno == ENOENT                      ? VRS_NOT_FOUND
                        : errno == EACCES || errno == EISDIR ? VRS_PERMISSION
                                                             : VRS_IO,
                        "%s: cannot be written", path);
    for (int32_t i = 0; i < s->choices->count; i++)
        (void)fprintf(s->table, "%s,", s->choices->parameters[i].name);
    s->table_failed = fprintf(s->table, "fps,latency_ms\n") < 0;
    return VRS_OK;
}

/* Names and values without commas, figures, "failed,failed" where there are none. */
static void write_row(vrs_tune_show *s, const vrs_tune_trial *trial, vrs_status status,
                      const vrs_tune_report *report)
{
    for (int32_t i = 0; i < s->choices->count; i++)
        (void)fprintf(s->table, "%s,", s->choices->values[i][trial->choice[i]]);
    int written = status == VRS_OK
                      ? fprintf(s->table, "%.3f,%.3f\n", report->fps, report->latency_ms)
                      : fprintf(s->table, "failed,failed\n");
    s->table_failed = s->table_failed || written < 0 || fflush(s->table) != 0;
}

static void put_settings(const vrs_tune_show *s, yajl_gen gen, const int32_t *choice)
{
    vrs_json_key(gen, "settings");
    (void)yajl_gen_map_open(gen);
    for (int32_t i = 0; i < s->choices->count; i++)
        vrs_json_text(gen, s->choices->parameters[i].name, s->choices->values[i][choice[i]]);
    (void)yajl_gen_map_close(gen);
}

static void put_measurement(yajl_gen gen, const vrs_tune_measurement *m)
{
    vrs_json_reading(gen, "fps", m->fps > 0 ? m->fps : -1, 2);
    vrs_json_reading(gen, "latency_ms", m->latency_ms > 0 ? m->latency_ms : -1, 2);
}

static void show_json(const vrs_tune_show *s, const vrs_tune_trial *trial, vrs_status status,
                      const vrs_tune_report *report)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    if (gen == NULL)
        return; /* a line less */
    vrs_tune_measurement m = {status == VRS_OK ? report->fps : -1, report->latency_ms};
    (void)yajl_gen_map_open(gen);
    vrs_json_integer(gen, "trial", trial->number);
    vrs_json_integer(gen, "of", s->most);
    put_measurement(gen, &m);
    put_settings(s, gen, trial->choice);
    vrs_json_text(gen, "error", status == VRS_OK ? "" : vrs_last_error());
    (void)yajl_gen_map_close(gen);
    vrs_json_line(gen, stderr);
    yajl_gen_free(gen);
}

/* "41.2 fps", and its latency where the goal looks at it. */
static const char *figure(const vrs_tune_show *s, double fps, double latency_ms, char text[64])
{
    if (s->goal == VRS_TUNE_THROUGHPUT)
        (void)snprintf(text, 64, "%.1f fps", fps);
    else
        (void)snprintf(text, 64, "%.1f fps, %.1f ms", fps, latency_ms);
    return text;
}

void vrs_tune_show_trial(vrs_tune_show *s, const vrs_tune_trial *trial, vrs_status status,
                         const vrs_tune_report *report)
{
    char settings[512], now[64], best[64] = "";
    if (s->table != NULL)
        write_row(s, trial, status, report);
    if (s->progress == VRS_PROGRESS_JSON)
        show_json(s, trial, status, report);
    if (s->progress != VRS_PROGRESS_AUTO)
        return;
    vrs_tune_choices_text(s->choices, trial->choice, settings, sizeof(settings));
    if (status != VRS_OK) {
        (void)fprintf(stderr, "trial %d of %lld: cannot be used: %s: %s\n", trial->number,
                      (long long)s->most, settings, vrs_last_error());
        return;
    }
    (void)figure(s, report->fps, report->latency_ms, now);
    if (trial->best_choice != NULL)
        (void)figure(s, trial->best.fps, trial->best.latency_ms, best);
    (void)fprintf(stderr, "trial %d of %lld: %s%s%s%s%s: %s\n", trial->number, (long long)s->most,
                  now, report->cut ? ", ended early" : "", best[0] != 0 ? " (best so far " : "",
                  best, best[0] != 0 ? ")" : "", settings);
}

static const char *reason(vrs_tune_end end)
{
    return end == VRS_TUNE_SPENT       ? ""
           : end == VRS_TUNE_CONVERGED ? "; nothing else promises more"
                                       : "; stopped";
}

void vrs_tune_show_result(const vrs_tune_show *s, const vrs_tune_result *r)
{
    char best[64], start[64];
    (void)printf("best: %s", figure(s, r->best.fps, r->best.latency_ms, best));
    if (r->start.fps > 0)
        (void)printf("; as it was: %s", figure(s, r->start.fps, r->start.latency_ms, start));
    (void)printf(
        "\n%d trials, %d of them could not be used; a trial's figure is within %.1f %%%s\n",
        r->trials, r->failed, 100 * r->noise, reason(r->end));
    if (!r->met)
        (void)puts("no settings keep the bound: these come nearest");
    for (int32_t i = 0; i < s->choices->count; i++)
        (void)printf("  %-20s %s%s\n", s->choices->parameters[i].name,
                     s->choices->values[i][r->choice[i]],
                     r->choice[i] == s->choices->parameters[i].start ? "" : "  (changed)");
}

static void generate(const vrs_tune_show *s, const vrs_tune_result *r, yajl_gen gen)
{
    static const char *const goals[] = {"throughput", "latency", "bounded throughput"};
    static const char *const ends[] = {"spent", "converged", "stopped"};
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "version", vrs_version());
    vrs_json_text(gen, "goal", goals[s->goal]);
    put_measurement(gen, &r->best);
    vrs_json_key(gen, "start");
    (void)yajl_gen_map_open(gen);
    put_measurement(gen, &r->start);
    (void)yajl_gen_map_close(gen);
    put_settings(s, gen, r->choice);
    vrs_json_number(gen, "noise", r->noise);
    vrs_json_key(gen, "met");
    (void)yajl_gen_bool(gen, r->met);
    vrs_json_integer(gen, "trials", r->trials);
    vrs_json_integer(gen, "failed", r->failed);
    vrs_json_text(gen, "end", ends[r->end]);
    (void)yajl_gen_map_close(gen);
}

vrs_status vrs_tune_show_json(const vrs_tune_show *s, const vrs_tune_result *result,
                              const char *path)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    if (gen == NULL)
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for the figures", path);
    (void)yajl_gen_config(gen, yajl_gen_beautify, 1);
    generate(s, result, gen);
    vrs_status status = vrs_json_write(gen, path);
    yajl_gen_free(gen);
    return status;
}
