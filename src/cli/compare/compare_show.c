/* The models side by side, and which of them is recommended. */
#include <string.h>

#include "cli/compare/compare.h"
#include "cli/json.h"

/* ---- agreement ---- */

/* IoU of a model's cells with what most of the models say, pooled over the cells. */
static double agreement_of(const vrs_comparison *c, const vrs_compared *m, int32_t voters)
{
    size_t pixels = (size_t)c->picture_count * VRS_COMPARE_CELL_BYTES;
    int64_t both = 0, either = 0;
    for (size_t p = 0; p < pixels; p++) {
        int32_t votes = 0;
        for (int32_t i = 0; i < c->count; i++)
            votes += c->models[i].measured && c->models[i].cells[p] >= 128;
        bool person = m->cells[p] >= 128, most = 2 * votes > voters;
        both += person && most;
        either += person || most;
    }
    return either > 0 ? (double)both / (double)either : 1;
}

static void find_agreement(vrs_comparison *c)
{
    int32_t voters = 0;
    for (int32_t i = 0; i < c->count; i++)
        voters += c->models[i].measured ? 1 : 0;
    for (int32_t i = 0; i < c->count; i++)
        if (c->models[i].measured && voters >= 3)
            c->models[i].agreement = agreement_of(c, &c->models[i], voters);
}

/* ---- the recommendation ---- */

/* How good its masks are: by what was given, else by the others, else by their calm; 0..1. */
static double quality(const vrs_comparison *c, const vrs_compared *m)
{
    if (c->masks)
        return m->result.iou;
    if (m->agreement >= 0)
        return m->agreement;
    return m->result.flicker >= 0 ? 1 - m->result.flicker / 100 : 0;
}

/* Whether `a` is to be preferred to `b`: one that keeps up with the video (pictures have no rate),
 * then the better masks, then the rate. */
static bool is_better(const vrs_comparison *c, const vrs_compared *a, const vrs_compared *b)
{
    bool a_keeps_up = a->result.fps >= c->rate, b_keeps_up = b->result.fps >= c->rate;
    if (a_keeps_up != b_keeps_up)
        return a_keeps_up;
    double more = quality(c, a) - quality(c, b);
    return more > 0 || (!(more < 0) && a->result.fps > b->result.fps);
}

void vrs_compare_recommend(vrs_comparison *c)
{
    find_agreement(c);
    c->best = -1;
    for (int32_t i = 0; i < c->count; i++)
        if (c->models[i].measured && !c->models[i].test_only &&
            (c->best < 0 || is_better(c, &c->models[i], &c->models[c->best])))
            c->best = i;
    if (c->best < 0) {
        (void)snprintf(c->why, sizeof(c->why),
                       "none: no model that may be used beyond tests could be measured");
        return;
    }
    const vrs_compared *m = &c->models[c->best];
    bool keeps_up = m->result.fps >= c->rate;
    const char *among = !(c->rate > 0) ? "were measured"
                        : keeps_up     ? "keep up with the video here"
                                       : "were measured, none of which keeps up";
    char masks[160];
    if (c->masks)
        (void)snprintf(masks, sizeof(masks), "its masks are nearest to those given (IoU %.3f)",
                       m->result.iou);
    else if (m->agreement >= 0)
        (void)snprintf(
            masks, sizeof(masks),
            "its masks are nearest to what most models say (IoU %.3f); --masks would tell "
            "more",
            m->agreement);
    else
        (void)snprintf(masks, sizeof(masks),
                       "its masks are the calmest; without --masks nothing says which are right");
    (void)snprintf(c->why, sizeof(c->why), "%s: of those that %s, %s", m->name, among, masks);
}

/* ---- text ---- */

static void cell(FILE *out, double value, int width, int decimals)
{
    if (value < 0)
        (void)fprintf(out, "%*s", width, "-");
    else
        (void)fprintf(out, "%*.*f", width, decimals, value);
}

void vrs_compare_print(const vrs_comparison *c, FILE *out)
{
    (void)fprintf(out, "%s, %dx%d, on %s\n\n", c->input, c->width, c->height, c->device.name);
    (void)fprintf(out, "%-26s %9s %9s %9s %8s %8s %8s %8s %9s\n", "MODEL", "FPS", "MEMORY MB",
                  "PERSON %", "IOU", "DTSSD", "FLICKER", "AGREES", "FRAMES");
    for (int32_t i = 0; i < c->count; i++) {
        const vrs_compared *m = &c->models[i];
        if (!m->measured)
            continue;
        (void)fprintf(out, "%-26s", m->name);
        cell(out, m->result.fps, 10, 1);
        cell(out, m->result.rss / 1e6, 10, 0);
        cell(out, 100 * m->result.coverage, 10, 1);
        cell(out, m->result.iou, 9, 4);
        cell(out, m->result.dtssd, 9, 2);
        cell(out, m->result.flicker, 9, 3);
        cell(out, m->agreement, 9, 3);
        (void)fprintf(out, "%10lld%s\n", (long long)m->result.frames,
                      m->test_only ? "  for tests only" : "");
    }
    for (int32_t i = 0; i < c->count; i++)
        if (!c->models[i].measured && c->models[i].reason[0] != 0)
            (void)fprintf(out, "%s: %s\n", c->models[i].name, c->models[i].reason);
    (void)fputs(
        "\nFPS: of a full pipeline. Memory: of the process, with the frames. IoU, dtSSD: beside "
        "the "
        "given masks. Flicker: percent that a mask changes where the picture stands still. Agrees: "
        "IoU with what most models say.\n",
        out);
    if (c->stopped)
        (void)fputs("Stopped before the end.\n", out);
    (void)fprintf(out, "recommended: %s\n", c->why);
}

/* ---- JSON ---- */

static void put_model(yajl_gen gen, const vrs_compared *m)
{
    const vrs_compare_result *r = &m->result;
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "name", m->name);
    vrs_json_text(gen, "title", m->title);
    vrs_json_text(gen, "licence", m->licence);
    vrs_json_key(gen, "test_only");
    (void)yajl_gen_bool(gen, m->test_only);
    if (!m->measured) {
        vrs_json_text(gen, "not_measured", m->reason);
        (void)yajl_gen_map_close(gen);
        return;
    }
    vrs_json_integer(gen, "frames", r->frames);
    vrs_json_reading(gen, "fps", r->fps, 3);
    vrs_json_reading(gen, "peak_rss_bytes", r->rss, 0);
    vrs_json_reading(gen, "gpu_memory_bytes", r->gpu_memory, 0);
    vrs_json_reading(gen, "coverage", r->coverage, 6);
    vrs_json_reading(gen, "iou", r->iou, 6);
    vrs_json_reading(gen, "dtssd", r->dtssd, 6);
    vrs_json_reading(gen, "flicker_percent", r->flicker, 6);
    vrs_json_reading(gen, "agreement", m->agreement, 6);
    vrs_json_text(gen, "device", r->device);
    vrs_json_text(gen, "engine", r->engine);
    (void)yajl_gen_map_close(gen);
}

vrs_status vrs_compare_json(const vrs_comparison *c, const char *path)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    if (gen == NULL)
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for the figures", path);
    (void)yajl_gen_config(gen, yajl_gen_beautify, 1);
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "version", vrs_version());
    vrs_json_text(gen, "input", c->input);
    vrs_json_integer(gen, "width", c->width);
    vrs_json_integer(gen, "height", c->height);
    vrs_json_reading(gen, "rate", c->rate > 0 ? c->rate : -1, 3);
    vrs_json_text(gen, "device", c->device.name);
    vrs_json_text(gen, "recommended", c->best >= 0 ? c->models[c->best].name : "");
    vrs_json_text(gen, "why", c->why);
    vrs_json_key(gen, "models");
    (void)yajl_gen_array_open(gen);
    for (int32_t i = 0; i < c->count; i++)
        put_model(gen, &c->models[i]);
    (void)yajl_gen_array_close(gen);
    (void)yajl_gen_map_close(gen);
    vrs_status status = vrs_json_write(gen, path);
    yajl_gen_free(gen);
    return status;
}
