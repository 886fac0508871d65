/* The figures as JSON: all that was measured, and beside it "versions" and "rows" as
 * bench/store.py takes them. */
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/json.h"

static void truth(yajl_gen gen, const char *name, bool value)
{
    vrs_json_key(gen, name);
    (void)yajl_gen_bool(gen, value);
}

static void number_or_null(yajl_gen gen, const char *name, double value)
{
    vrs_json_key(gen, name);
    if (value < 0)
        (void)yajl_gen_null(gen);
    else
        (void)yajl_gen_double(gen, value);
}

static void put_latency(yajl_gen gen, const char *name, const vrs_bench_latency *l)
{
    vrs_json_key(gen, name);
    (void)yajl_gen_map_open(gen);
    vrs_json_integer(gen, "frames", l->frames);
    vrs_json_reading(gen, "p50_ms", l->p50_ms, 4);
    vrs_json_reading(gen, "p95_ms", l->p95_ms, 4);
    vrs_json_reading(gen, "p99_ms", l->p99_ms, 4);
    vrs_json_reading(gen, "max_ms", l->most_ms, 4);
    (void)yajl_gen_map_close(gen);
}

static double a_frame(const vrs_bench_run *run, double value)
{
    return value >= 0 && run->frames > 0 ? value / (double)run->frames : -1;
}

static void put_run(yajl_gen gen, const vrs_bench_run *run)
{
    const vrs_bench_use *u = &run->use;
    (void)yajl_gen_map_open(gen);
    vrs_json_integer(gen, "frames", run->frames);
    vrs_json_number(gen, "seconds", run->seconds);
    vrs_json_number(gen, "fps", run->fps);
    put_latency(gen, "latency_all_in_flight", &run->loaded);
    vrs_json_reading(gen, "gpu_percent", u->gpu_percent, 1);
    vrs_json_reading(gen, "sm_percent", u->sm_percent, 2);
    vrs_json_reading(gen, "tensor_percent", u->tensor_percent, 2);
    vrs_json_reading(gen, "dram_percent", u->dram_percent, 2);
    vrs_json_reading(gen, "sm_mhz", u->sm_mhz, 0);
    vrs_json_reading(gen, "power_watts", u->watts, 1);
    vrs_json_reading(gen, "energy_joules", u->joules, 4);
    vrs_json_reading(gen, "gpu_memory_bytes", u->gpu_memory, 0);
    vrs_json_reading(gen, "cpu_percent", u->cpu_percent, 2);
    vrs_json_reading(gen, "other_programs_percent", u->other_percent, 2);
    vrs_json_integer(gen, "throttle", u->throttle);
    (void)yajl_gen_map_close(gen);
}

static double share_of(const vrs_bench_table *t, const char *precision, double fps)
{
    double peak = vrs_bench_peak(&t->device, precision);
    return peak > 0 && t->flops > 0 ? fps * t->flops / peak : -1;
}

static void put_result(yajl_gen gen, const vrs_bench_table *t, const vrs_bench_row *row, int source)
{
    const vrs_bench_result *r = &row->result[source];
    vrs_json_key(gen, vrs_bench_source_name((vrs_bench_source)source));
    (void)yajl_gen_map_open(gen);
    if (!row->measured[source]) {
        vrs_json_text(gen, "not_measured", row->reason[source]);
        (void)yajl_gen_map_close(gen);
        return;
    }
    const vrs_bench_run *run = vrs_bench_median(r);
    if (source == VRS_BENCH_MEMORY)
        put_latency(gen, "latency_one_batch", &r->alone);
    vrs_json_number(gen, "fps", run->fps);
    vrs_json_number(gen, "spread", vrs_bench_spread(r));
    number_or_null(gen, "share_of_peak", share_of(t, row->precision, run->fps));
    vrs_json_reading(gen, "joules_per_frame", a_frame(run, run->use.joules), 5);
    vrs_json_reading(gen, "peak_rss_bytes", r->rss, 0);
    vrs_json_number(gen, "start_seconds", r->start_seconds);
    vrs_json_text(gen, "device", r->device);
    vrs_json_text(gen, "engine", r->engine);
    vrs_json_text(gen, "decoder", r->decoder);
    vrs_json_text(gen, "bottleneck", r->bottleneck);
    vrs_target targets[VRS_MAX_TARGETS];
    vrs_targets_json(gen, targets, vrs_bench_targets(t, row, source, targets));
    vrs_json_key(gen, "runs");
    (void)yajl_gen_array_open(gen);
    for (int32_t i = 0; i < r->runs; i++)
        put_run(gen, &r->run[i]);
    (void)yajl_gen_array_close(gen);
    (void)yajl_gen_map_close(gen);
}

static void put_reference(yajl_gen gen, const vrs_bench_table *t, const vrs_bench_row *row)
{
    const vrs_bench_reference *ref =
        t->standard ? vrs_bench_reference_find(row->precision, row->batch) : NULL;
    if (ref == NULL)
        return;
    vrs_json_key(gen, "reference");
    (void)yajl_gen_map_open(gen);
    vrs_json_number(gen, "latency_ms", ref->latency_ms);
    vrs_json_number(gen, "fps", ref->fps);
    vrs_json_number(gen, "gpu_percent", ref->gpu_percent);
    vrs_json_number(gen, "cpu_percent", ref->cpu_percent);
    vrs_json_number(gen, "share_of_peak", ref->fps * t->flops / ref->peak);
    (void)yajl_gen_map_close(gen);
}

/* ---- rows for bench/store.py ---- */

typedef struct figure {
    const char *name, *unit, *better;
    double value;                 /* negative: there is none */
    double peer, limit, target;   /* likewise */
    const vrs_bench_result *runs; /* its rates are the row's runs; NULL: the value alone */
} figure;

static void put_figure(yajl_gen gen, const vrs_bench_row *row, int source, const figure *f)
{
    char name[96];
    if (f->value < 0)
        return;
    (void)snprintf(name, sizeof(name), "%s, %s/%s", row->name,
                   vrs_bench_source_name((vrs_bench_source)source), f->name);
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "name", name);
    vrs_json_number(gen, "value", f->value);
    vrs_json_text(gen, "unit", f->unit);
    vrs_json_text(gen, "better", f->better);
    vrs_json_key(gen, "peer");
    if (f->peer < 0)
        (void)yajl_gen_null(gen);
    else
        vrs_json_item(gen, "reference system, RTX 3090");
    number_or_null(gen, "peer_value", f->peer);
    number_or_null(gen, "limit", f->limit);
    number_or_null(gen, "target", f->target);
    vrs_json_key(gen, "runs");
    (void)yajl_gen_array_open(gen);
    for (int32_t i = 0; f->runs != NULL && i < f->runs->runs; i++)
        (void)yajl_gen_double(gen, f->runs->run[i].fps);
    if (f->runs == NULL)
        (void)yajl_gen_double(gen, f->value);
    (void)yajl_gen_array_close(gen);
    (void)yajl_gen_map_close(gen);
}

/* What is to be reached on a GPU: the reference's figures, and where it calls a row "VR" 60 frames
 * a second within 50 ms. */
static double target_of(const vrs_bench_table *t, const vrs_bench_reference *ref, bool latency)
{
    if (ref == NULL || !t->device.gpu)
        return -1;
    bool vr = ref->batch == 1 && strcmp(ref->precision, "f16") == 0;
    return latency ? (vr ? 50 : ref->latency_ms) : vr ? 60 : ref->fps;
}

static void put_rows_of(yajl_gen gen, const vrs_bench_table *t, const vrs_bench_row *row,
                        int source)
{
    const vrs_bench_result *r = &row->result[source];
    const vrs_bench_run *run = vrs_bench_median(r);
    const vrs_bench_use *u = &run->use;
    const vrs_bench_reference *ref =
        t->standard ? vrs_bench_reference_find(row->precision, row->batch) : NULL;
    bool alone = source == VRS_BENCH_MEMORY;
    const vrs_bench_latency *l = alone ? &r->alone : &run->loaded;
    double peak = vrs_bench_peak(&t->device, row->precision);
    double share = share_of(t, row->precision, run->fps);
    const figure figures[] = {
        {"latency p50", "ms", "lower", l->p50_ms, alone && ref ? ref->latency_ms : -1, -1, -1,
         NULL},
        {"latency p95", "ms", "lower", l->p95_ms, -1, -1, -1, NULL},
        {"latency p99", "ms", "lower", l->p99_ms, -1, -1, alone ? target_of(t, ref, true) : -1,
         NULL},
        {"rate", "frames/s", "higher", run->fps, ref ? ref->fps : -1,
         peak > 0 && t->flops > 0 ? peak / t->flops : -1, target_of(t, ref, false), r},
        {"of the peak", "%", "higher", share < 0 ? -1 : 100 * share,
         ref ? 100 * ref->fps * t->flops / ref->peak : -1, -1, -1, NULL},
        {"spread of the rate", "%", "lower", r->runs > 1 ? 100 * vrs_bench_spread(r) : -1, -1, -1,
         -1, NULL},
        {"GPU busy", "%", "higher", u->gpu_percent, ref ? ref->gpu_percent : -1, -1, -1, NULL},
        {"SM active", "%", "higher", u->sm_percent, -1, -1, -1, NULL},
        {"CPU", "%", "lower", u->cpu_percent, ref ? ref->cpu_percent : -1, -1, -1, NULL},
        {"host memory", "MB", "lower", r->rss / 1e6, -1, -1, -1, NULL},
        {"GPU memory", "MB", "lower", u->gpu_memory < 0 ? -1 : u->gpu_memory / 1e6, -1, -1, -1,
         NULL},
        {"energy", "J/frame", "lower", a_frame(run, u->joules), -1, -1, -1, NULL},
    };
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        put_figure(gen, row, source, &figures[i]);
}

static void put_rows(yajl_gen gen, const vrs_bench_table *t)
{
    vrs_json_key(gen, "rows");
    (void)yajl_gen_array_open(gen);
    for (int s = 0; s < VRS_BENCH_SOURCES; s++)
        for (int32_t i = 0; i < t->row_count; i++)
            if (t->rows[i].measured[s])
                put_rows_of(gen, t, &t->rows[i], s);
    (void)yajl_gen_array_close(gen);
}

/* The engine that ran most lately. */
static const char *engine_of(const vrs_bench_table *t)
{
    const char *engine = "none";
    for (int32_t i = 0; i < t->row_count; i++)
        for (int s = 0; s < VRS_BENCH_SOURCES; s++)
            if (t->rows[i].measured[s])
                engine = t->rows[i].result[s].engine;
    return engine;
}

static void put_versions(yajl_gen gen, const vrs_bench_table *t)
{
    char cuda[24];
    vrs_json_key(gen, "versions");
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "vrseg", vrs_version());
    if (t->device.gpu) {
        (void)snprintf(cuda, sizeof(cuda), "%d.%d", t->device.cuda_version / 1000,
                       t->device.cuda_version % 1000 / 10);
        vrs_json_text(gen, "gpu", t->device.name);
        vrs_json_text(gen, "driver", t->device.driver);
        vrs_json_text(gen, "cuda", cuda);
    }
    vrs_json_text(gen, "engine", engine_of(t));
    vrs_json_text(gen, "network", t->model);
    (void)yajl_gen_map_close(gen);
}

/* ---- everything ---- */

static void put_device(yajl_gen gen, const vrs_bench_device *d)
{
    vrs_json_key(gen, "device");
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "id", d->id);
    vrs_json_text(gen, "name", d->name);
    vrs_json_text(gen, "note", d->note);
    vrs_json_text(gen, "driver", d->driver);
    vrs_json_number(gen, "memory_total_bytes", d->memory_total);
    vrs_json_key(gen, "peaks");
    (void)yajl_gen_map_open(gen);
    for (size_t i = 0; i < sizeof(d->peaks) / sizeof(d->peaks[0]); i++) {
        if (!(d->peaks[i].operations > 0))
            continue;
        vrs_json_key(gen, d->peaks[i].precision);
        (void)yajl_gen_map_open(gen);
        vrs_json_number(gen, "operations_per_second", d->peaks[i].operations);
        vrs_json_text(gen, "how", d->peaks[i].how);
        (void)yajl_gen_map_close(gen);
    }
    (void)yajl_gen_map_close(gen);
    (void)yajl_gen_map_close(gen);
}

static void put_peers(yajl_gen gen, const vrs_bench_table *t)
{
    vrs_json_key(gen, "peers");
    (void)yajl_gen_array_open(gen);
    for (int32_t i = 0; i < t->peer_count; i++) {
        (void)yajl_gen_map_open(gen);
        vrs_json_text(gen, "name", t->peers[i].name);
        vrs_json_text(gen, "what", t->peers[i].what);
        vrs_json_reading(gen, "fps", t->peers[i].fps, 3);
        vrs_json_reading(gen, "latency_ms", t->peers[i].latency_ms, 4);
        (void)yajl_gen_map_close(gen);
    }
    (void)yajl_gen_array_close(gen);
    vrs_json_text(gen, "peers_note", t->peers_note);
}

static void say_item(void *opaque, const char *sentence)
{
    vrs_json_item(opaque, sentence);
}

static void put_configuration(yajl_gen gen, const vrs_bench_table *t, const vrs_bench_row *row)
{
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "name", row->name);
    vrs_json_text(gen, "precision", row->precision);
    vrs_json_integer(gen, "batch", row->batch);
    for (int s = 0; s < VRS_BENCH_SOURCES; s++)
        if (t->sources[s])
            put_result(gen, t, row, s);
    put_reference(gen, t, row);
    (void)yajl_gen_map_close(gen);
}

static void generate(yajl_gen gen, const vrs_bench_table *t)
{
    (void)yajl_gen_map_open(gen);
    put_device(gen, &t->device);
    vrs_json_text(gen, "model", t->model);
    vrs_json_number(gen, "flops_per_frame", t->flops);
    vrs_json_integer(gen, "input_width", t->input_width);
    vrs_json_integer(gen, "input_height", t->input_height);
    vrs_json_integer(gen, "mask_width", t->mask_width);
    vrs_json_integer(gen, "mask_height", t->mask_height);
    truth(gen, "compares_with_reference", t->standard);
    truth(gen, "stopped", t->stopped);
    vrs_json_key(gen, "warnings");
    (void)yajl_gen_array_open(gen);
    vrs_bench_warnings(t, say_item, gen);
    (void)yajl_gen_array_close(gen);
    vrs_json_key(gen, "configurations");
    (void)yajl_gen_array_open(gen);
    for (int32_t i = 0; i < t->row_count; i++)
        put_configuration(gen, t, &t->rows[i]);
    (void)yajl_gen_array_close(gen);
    put_peers(gen, t);
    put_versions(gen, t);
    put_rows(gen, t);
    (void)yajl_gen_map_close(gen);
}

vrs_status vrs_bench_json(const vrs_bench_table *t, const char *path)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    if (gen == NULL)
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for the figures", path);
    (void)yajl_gen_config(gen, yajl_gen_beautify, 1);
    generate(gen, t);
    vrs_status status = vrs_json_write(gen, path);
    yajl_gen_free(gen);
    return status;
}
