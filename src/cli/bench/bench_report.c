/* The figures as a table in Markdown, which is also what a terminal shows. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"

/* From here on a machine is called noisy. */
#define MOST_SPREAD 0.05
#define MOST_OTHERS 5.0   /* % of the processors that may be used */
#define MOST_GPU_BUSY 5.0 /* % before anything is measured */

const char *vrs_bench_source_name(vrs_bench_source source)
{
    return source == VRS_BENCH_MEMORY ? "memory" : "video";
}

/* FP32 by the plain units, the others by tensor cores; 82 multiprocessors at 1.695 GHz. */
static const vrs_bench_reference references[] = {
    {"FP32 B1", "f32", 1, 45, 22, 60, 30, 35.6e12},  {"FP16 B1", "f16", 1, 22, 45, 85, 40, 142e12},
    {"FP16 B4", "f16", 4, 50, 80, 90, 60, 142e12},   {"FP16 B8", "f16", 8, 85, 94, 95, 70, 142e12},
    {"INT8 B8", "int8", 8, 45, 178, 98, 75, 284e12},
};
#define REFERENCES ((int32_t)(sizeof(references) / sizeof(references[0])))

const vrs_bench_reference *vrs_bench_reference_row(int32_t index)
{
    return index < REFERENCES ? &references[index] : NULL;
}

const vrs_bench_reference *vrs_bench_reference_find(const char *precision, int32_t batch)
{
    for (int32_t i = 0; i < REFERENCES; i++)
        if (references[i].batch == batch && strcmp(references[i].precision, precision) == 0)
            return &references[i];
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* Returns the median of the rates, which are sorted. */
static double sort_rates(const vrs_bench_result *r, double rates[VRS_BENCH_MAX_RUNS])
{
    for (int32_t i = 0; i < r->runs; i++)
        rates[i] = r->run[i].fps;
    qsort(rates, (size_t)r->runs, sizeof(double), by_size);
    return rates[(r->runs - 1) / 2];
}

const vrs_bench_run *vrs_bench_median(const vrs_bench_result *r)
{
    double rates[VRS_BENCH_MAX_RUNS], middle = sort_rates(r, rates);
    int32_t i = 0;
    while (i + 1 < r->runs && r->run[i].fps != middle)
        i++;
    return &r->run[i];
}

double vrs_bench_spread(const vrs_bench_result *r)
{
    double rates[VRS_BENCH_MAX_RUNS], middle = sort_rates(r, rates);
    return middle > 0 ? (rates[r->runs - 1] - rates[0]) / middle : 0;
}

/* ---- warnings ---- */

typedef struct noise {
    double spread, others;
    const char *spread_name, *others_name;
    const char *spread_source, *throttle_name;
    int32_t throttle;
} noise;

#define LOWERS_CLOCKS (VRS_THROTTLE_POWER | VRS_THROTTLE_TEMPERATURE | VRS_THROTTLE_HARDWARE)

static noise find_noise(const vrs_bench_table *t)
{
    noise n = {.spread_name = "", .others_name = "", .spread_source = ""};
    for (int32_t i = 0; i < t->row_count; i++)
        for (int s = 0; s < VRS_BENCH_SOURCES; s++) {
            const vrs_bench_row *row = &t->rows[i];
            if (!row->measured[s])
                continue;
            double spread = vrs_bench_spread(&row->result[s]);
            if (spread > n.spread) {
                n.spread = spread;
                n.spread_name = row->name;
                n.spread_source = vrs_bench_source_name((vrs_bench_source)s);
            }
            for (int32_t k = 0; k < row->result[s].runs; k++) {
                const vrs_bench_use *use = &row->result[s].run[k].use;
                if ((n.throttle & LOWERS_CLOCKS) == 0 && (use->throttle & LOWERS_CLOCKS) != 0)
                    n.throttle_name = row->name;
                n.throttle |= use->throttle;
                if (use->other_percent > n.others) {
                    n.others = use->other_percent;
                    n.others_name = row->name;
                }
            }
        }
    return n;
}

void vrs_bench_warnings(const vrs_bench_table *t, void (*say)(void *opaque, const char *sentence),
                        void *opaque)
{
    char text[VRS_DETAIL_SIZE];
    noise n = find_noise(t);
    if (n.spread > MOST_SPREAD) {
        (void)snprintf(
            text, sizeof(text),
            "The machine is noisy: the rates of %s from %s differ by %.0f %% from run to "
            "run.",
            n.spread_name, n.spread_source, 100 * n.spread);
        say(opaque, text);
    }
    if (n.others > MOST_OTHERS) {
        (void)snprintf(text, sizeof(text),
                       "Other programs took up to %.0f %% of the processors (while %s was "
                       "measured).",
                       n.others, n.others_name);
        say(opaque, text);
    }
    if (t->device.gpu_percent > MOST_GPU_BUSY) {
        (void)snprintf(text, sizeof(text),
                       "Another program used the GPU before the first measurement (%.0f %%).",
                       t->device.gpu_percent);
        say(opaque, text);
    }
    if ((n.throttle & LOWERS_CLOCKS) != 0) {
        (void)snprintf(text, sizeof(text),
                       "The GPU lowered its clocks for%s%s%s (first while %s was measured).",
                       (n.throttle & VRS_THROTTLE_POWER) != 0 ? " power" : "",
                       (n.throttle & VRS_THROTTLE_TEMPERATURE) != 0 ? " heat" : "",
                       (n.throttle & VRS_THROTTLE_HARDWARE) != 0 ? " the board's protection" : "",
                       n.throttle_name);
        say(opaque, text);
    }
}

/* ---- targets ---- */

int vrs_bench_targets(const vrs_bench_table *t, const vrs_bench_row *row, int source,
                      vrs_target *targets)
{
    const vrs_bench_result *r = &row->result[source];
    const vrs_bench_run *run = vrs_bench_median(r);
    const vrs_bench_latency *l = source == VRS_BENCH_MEMORY ? &r->alone : &run->loaded;
    const vrs_job_stats stats = {
        .fps = run->fps,
        .pipeline = {.latency = {.frames = (uint64_t)l->frames,
                                 .p99_ns = (int64_t)(l->p99_ms * 1e6)}},
        .gpu_percent = run->use.gpu_percent,
        .cpu_share = run->use.cpu_percent / 100,
        .peak_rss_bytes = (int64_t)r->rss,
        .gpu_memory_bytes = run->use.gpu_memory > 0 ? (int64_t)run->use.gpu_memory : 0,
    };
    return vrs_targets_check(t->config, &stats, targets);
}

bool vrs_bench_targets_met(const vrs_bench_table *t)
{
    bool any = false, met = true;
    for (int32_t i = 0; i < t->row_count; i++)
        for (int s = 0; s < VRS_BENCH_SOURCES; s++) {
            vrs_target targets[VRS_MAX_TARGETS];
            if (!t->rows[i].measured[s])
                continue;
            any = true;
            met =
                vrs_targets_all_met(targets, vrs_bench_targets(t, &t->rows[i], s, targets)) && met;
        }
    return any && met;
}

/* ---- Markdown ---- */

static void say_line(void *opaque, const char *sentence)
{
    (void)fprintf(opaque, "**Warning:** %s\n\n", sentence);
}

/* Text that cannot end a cell. */
static void print_text(FILE *out, const char *text)
{
    for (const char *c = text; *c != 0; c++)
        (void)fputc(*c == '|' || *c == '\n' ? '/' : *c, out);
}

static void print_number(FILE *out, double value, int decimals)
{
    if (value < 0)
        (void)fputs(" -", out);
    else
        (void)fprintf(out, " %.*f", decimals, value);
}

static int decimals_of(double value)
{
    return value >= 100 ? 0 : value >= 10 ? 1 : 2;
}

static void print_latency(FILE *out, const vrs_bench_latency *l)
{
    if (l->frames == 0) {
        (void)fputs(" - |", out);
        return;
    }
    int decimals = decimals_of(l->p50_ms);
    (void)fprintf(out, " %.*f / %.*f / %.*f |", decimals, l->p50_ms, decimals, l->p95_ms, decimals,
                  l->p99_ms);
}

static void print_share(FILE *out, double fps, double flops, double peak)
{
    print_number(out, flops > 0 && peak > 0 ? 100 * fps * flops / peak : -1, 1);
    (void)fputs(" |", out);
}

static void print_use(FILE *out, const vrs_bench_result *r, const vrs_bench_run *run)
{
    const vrs_bench_use *u = &run->use;
    print_number(out, u->gpu_percent, 0);
    (void)fputs(" /", out);
    print_number(out, u->sm_percent, 0);
    (void)fputs(" |", out);
    print_number(out, u->cpu_percent, 0);
    (void)fputs(" |", out);
    print_number(out, r->rss / 1e6, 0);
    (void)fputs(" /", out);
    print_number(out, u->gpu_memory >= 0 ? u->gpu_memory / 1e6 : -1, 0);
    (void)fputs(" |", out);
    print_number(out, u->joules >= 0 && run->frames > 0 ? u->joules / (double)run->frames : -1, 3);
    (void)fputs(" |", out);
}

static void print_reference(FILE *out, const vrs_bench_table *t, const vrs_bench_row *row,
                            double fps)
{
    const vrs_bench_reference *ref =
        t->standard ? vrs_bench_reference_find(row->precision, row->batch) : NULL;
    if (ref == NULL) {
        (void)fputs(" - | - |\n", out);
        return;
    }
    (void)fprintf(out, " %.0f ms, %.0f fps, %.1f %% | %.1f |\n", ref->latency_ms, ref->fps,
                  100 * ref->fps * t->flops / ref->peak, fps / ref->fps);
}

static void print_row(FILE *out, const vrs_bench_table *t, const vrs_bench_row *row, int source)
{
    const vrs_bench_result *r = &row->result[source];
    (void)fprintf(out, "| %s |", row->name);
    if (!row->measured[source]) {
        (void)fputs(" not measured |", out);
        for (int i = 0; i < 7; i++)
            (void)fputs(" - |", out);
        print_reference(out, t, row, 0);
        return;
    }
    const vrs_bench_run *run = vrs_bench_median(r);
    print_latency(out, source == VRS_BENCH_MEMORY ? &r->alone : &run->loaded);
    (void)fprintf(out, " %.*f |", decimals_of(run->fps), run->fps);
    print_number(out, r->runs > 1 ? 100 * vrs_bench_spread(r) : -1, 1);
    (void)fputs(" |", out);
    print_share(out, run->fps, t->flops, vrs_bench_peak(&t->device, row->precision));
    print_use(out, r, run);
    print_reference(out, t, row, run->fps);
}

static void print_reasons(FILE *out, const vrs_bench_table *t, int source)
{
    for (int32_t i = 0; i < t->row_count; i++) {
        const vrs_bench_row *row = &t->rows[i];
        if (row->measured[source] || row->reason[source][0] == 0)
            continue;
        (void)fprintf(out, "- %s: ", row->name);
        print_text(out, row->reason[source]);
        (void)fputc('\n', out);
    }
}

/* What kept each row from being faster. */
static void print_limits(FILE *out, const vrs_bench_table *t, int source)
{
    for (int32_t i = 0; i < t->row_count; i++) {
        const vrs_bench_row *row = &t->rows[i];
        if (!row->measured[source] || row->result[source].bottleneck[0] == 0)
            continue;
        (void)fprintf(out, "- %s, bottleneck: ", row->name);
        print_text(out, row->result[source].bottleneck);
        (void)fputc('\n', out);
    }
}

/* What the configuration wants of each row. */
static void print_targets(FILE *out, const vrs_bench_table *t, int source)
{
    for (int32_t i = 0; i < t->row_count; i++) {
        vrs_target targets[VRS_MAX_TARGETS];
        int count =
            t->rows[i].measured[source] ? vrs_bench_targets(t, &t->rows[i], source, targets) : 0;
        for (int k = 0; k < count; k++) {
            (void)fprintf(out, "- %s: ", t->rows[i].name);
            vrs_targets_print(out, &targets[k], 1);
        }
    }
}

static void print_source(FILE *out, const vrs_bench_table *t, int source)
{
    (void)fprintf(out, "\n### %s\n\n%s\n\n",
                  source == VRS_BENCH_MEMORY ? "From frames in memory" : "End to end from video",
                  t->source_text[source]);
    (void)fprintf(
        out,
        "| configuration | latency ms, p50 / p95 / p99%s | frames/s | spread %% | of the "
        "peak %% | GPU %% NVML / SM active | CPU %% | memory MB, host / GPU | J a frame | "
        "reference: latency, rate, of its peak | times its rate |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n",
        source == VRS_BENCH_MEMORY ? ", one batch at a time" : ", all in flight");
    for (int32_t i = 0; i < t->row_count; i++)
        print_row(out, t, &t->rows[i], source);
    (void)fputc('\n', out);
    print_reasons(out, t, source);
    print_limits(out, t, source);
    print_targets(out, t, source);
}

static void print_peers(FILE *out, const vrs_bench_table *t)
{
    if (t->peer_count == 0 && t->peers_note[0] == 0)
        return;
    (void)fputs("\n### Peers\n\n", out);
    if (t->peer_count > 0)
        (void)fputs("| peer | what | frames/s | latency ms |\n|---|---|---|---|\n", out);
    for (int32_t i = 0; i < t->peer_count; i++) {
        const vrs_bench_peer *p = &t->peers[i];
        (void)fputs("| ", out);
        print_text(out, p->name);
        (void)fputs(" | ", out);
        print_text(out, p->what);
        (void)fputs(" |", out);
        print_number(out, p->fps, decimals_of(p->fps));
        (void)fputs(" |", out);
        print_number(out, p->latency_ms, decimals_of(p->latency_ms));
        (void)fputs(" |\n", out);
    }
    if (t->peers_note[0] != 0)
        (void)fprintf(out, "\n%s\n", t->peers_note);
}

static void print_head(FILE *out, const vrs_bench_table *t)
{
    const vrs_bench_device *d = &t->device;
    (void)fprintf(out, "## vrseg %s on %s\n\n", vrs_version(), d->name);
    if (d->gpu)
        (void)fprintf(out, "%s, driver %s, CUDA %d.%d, %d multiprocessors, %.0f GB.\n", d->id,
                      d->driver, d->cuda_version / 1000, d->cuda_version % 1000 / 10,
                      d->multiprocessors, d->memory_total / 1e9);
    else if (d->note[0] != 0)
        (void)fprintf(out, "On the CPU: %s.\n", d->note);
    (void)fprintf(out, "Network: %s", t->model);
    if (t->flops > 0)
        (void)fprintf(out, "; %.4g GFLOP a frame", t->flops / 1e9);
    (void)fprintf(out, ". Frames of %dx%d, masks of %dx%d.%s\n\n", t->input_width, t->input_height,
                  t->mask_width, t->mask_height, t->stopped ? " Stopped before the end." : "");
    vrs_bench_warnings(t, say_line, out);
}

static void print_legend(FILE *out, const vrs_bench_table *t)
{
    (void)fputs("\nRates, use and energy are those of the run with the median rate; the spread is "
                "the largest rate less the smallest over the median.",
                out);
    (void)fputs(
        " Of the peak: the network's operations a second over the most that the device's units "
        "could do in that precision at its fastest clock",
        out);
    const char *joint = ": ";
    for (size_t i = 0; i < sizeof(t->device.peaks) / sizeof(t->device.peaks[0]); i++) {
        bool wanted = false;
        for (int32_t k = 0; k < t->row_count; k++)
            wanted = wanted || strcmp(t->rows[k].precision, t->device.peaks[i].precision) == 0;
        if (!wanted || !(t->device.peaks[i].operations > 0))
            continue;
        (void)fprintf(out, "%s%s %.4g T/s (%s)", joint, t->device.peaks[i].precision,
                      t->device.peaks[i].operations / 1e12, t->device.peaks[i].how);
        joint = ", ";
    }
    (void)fputs(". NVML counts the time in which some kernel ran, SM active how many of the "
                "multiprocessors had work.",
                out);
    if (t->standard)
        (void)fputs(" The reference is another program's own table on an RTX 3090.", out);
    (void)fputc('\n', out);
}

void vrs_bench_markdown(const vrs_bench_table *t, FILE *out)
{
    print_head(out, t);
    for (int s = 0; s < VRS_BENCH_SOURCES; s++)
        if (t->sources[s])
            print_source(out, t, s);
    print_peers(out, t);
    print_legend(out, t);
}
