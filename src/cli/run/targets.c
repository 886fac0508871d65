#include "cli/run/targets.h"

#include <string.h>

#include "cli/json.h"

static const vrs_option_info *find_option(const vrs_config *config, const char *name)
{
    for (size_t i = 0; i < vrs_config_count(config); i++)
        if (strcmp(vrs_config_option(config, i)->name, name) == 0)
            return vrs_config_option(config, i);
    return NULL; /* the table has every name below */
}

int vrs_targets_check(const vrs_config *config, const vrs_job_stats *stats,
                      vrs_target targets[VRS_MAX_TARGETS])
{
    const vrs_latency *latency = &stats->pipeline.latency;
    const struct {
        const char *option;
        bool most;
        double measured; /* negative: not measured */
    } all[] = {
        {"min_fps", false, stats->fps},
        {"max_p99_ms", true, latency->frames > 0 ? (double)latency->p99_ns / 1e6 : -1},
        {"min_gpu_percent", false, stats->gpu_percent},
        {"min_cpu_percent", false, stats->cpu_share * 100},
        {"max_memory_gb", true, (double)stats->peak_rss_bytes / 1e9},
        {"max_gpu_memory_gb", true, (double)stats->gpu_memory_bytes / 1e9},
    };
    _Static_assert(sizeof(all) / sizeof(all[0]) <= VRS_MAX_TARGETS, "room for all");
    int count = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        double wanted = vrs_config_float(config, all[i].option, 0);
        if (!(wanted > 0))
            continue;
        bool met = all[i].most ? all[i].measured <= wanted : all[i].measured >= wanted;
        targets[count++] = (vrs_target){
            .option = find_option(config, all[i].option),
            .wanted = wanted,
            .measured = all[i].measured,
            .most = all[i].most,
            .state = all[i].measured < 0 ? VRS_TARGET_UNKNOWN
                     : met               ? VRS_TARGET_MET
                                         : VRS_TARGET_MISSED,
        };
    }
    return count;
}

bool vrs_targets_all_met(const vrs_target *targets, int count)
{
    for (int i = 0; i < count; i++)
        if (targets[i].state != VRS_TARGET_MET)
            return false;
    return true;
}

static const char *state_name(vrs_target_state state)
{
    static const char *const names[] = {"met", "missed", "not measured"};
    return names[state];
}

void vrs_targets_print(FILE *out, const vrs_target *targets, int count)
{
    for (int i = 0; i < count; i++) {
        const vrs_target *t = &targets[i];
        (void)fprintf(out, "target %s: ", t->option->name);
        if (t->state == VRS_TARGET_UNKNOWN)
            (void)fputs("not measured in this run", out);
        else
            (void)fprintf(out, "%s, %.4g %s", state_name(t->state), t->measured, t->option->unit);
        (void)fprintf(out, " (wanted: at %s %g %s)\n", t->most ? "most" : "least", t->wanted,
                      t->option->unit);
    }
}

void vrs_targets_json(yajl_gen gen, const vrs_target *targets, int count)
{
    if (count == 0)
        return;
    vrs_json_key(gen, "targets");
    (void)yajl_gen_array_open(gen);
    for (int i = 0; i < count; i++) {
        (void)yajl_gen_map_open(gen);
        vrs_json_text(gen, "name", targets[i].option->name);
        vrs_json_text(gen, "unit", targets[i].option->unit);
        vrs_json_number(gen, "wanted", targets[i].wanted);
        vrs_json_reading(gen, "measured", targets[i].measured, 6);
        vrs_json_text(gen, "state", state_name(targets[i].state));
        (void)yajl_gen_map_close(gen);
    }
    (void)yajl_gen_array_close(gen);
}
