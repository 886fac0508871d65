/* vrseg bench: what a device reaches in the configurations of a reference system's table. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/aside.h"
#include "cli/bench/bench.h"
#include "cli/tune/tune.h"
#include "cli/work_folder.h"
#include "vrseg/input.h"

enum {
    KEY_FROM = 0x100,
    KEY_ROWS,
    KEY_QUICK,
    KEY_SECONDS,
    KEY_FRAMES,
    KEY_REPEAT,
    KEY_SIZE,
    KEY_INT8_MODEL,
    KEY_JSON,
    KEY_MARKDOWN,
    KEY_PEERS,
    KEY_KEEP,
    KEY_STRICT,
    KEY_PROGRESS
};

#define DEFAULT_ROWS "f32:1,f16:1,f16:4,f16:8,int8:8,f16:16,int8:16"
/* On a CPU, which has no FP16: its own half precision. */
#define CPU_ROWS DEFAULT_ROWS ",bf16:1"
#define DEFAULT_SECONDS 2.0
#define DEFAULT_REPEAT 3
#define QUICK_FRAMES(batch) ((batch) > 8 ? (batch) : 8)
/* Opening an engine and choosing the plans of a network for a GPU may take long at first. */
#define OPENING_SECONDS 600.0
#define PATIENCE_SECONDS 120.0
/* Of the clip that is made: enough for the fastest row on a GPU, as long as a slow CPU needs. */
#define CLIP_FRAMES_GPU 1200
#define CLIP_SECONDS_GPU 20.0
#define CLIP_SECONDS_CPU 4.0
#define NETWORK "deeplabv3plus-r50-random"
#define NETWORK_INT8 NETWORK "-int8"
#define NETWORK_SIDE 512
#define SMALL_NETWORK "small"

typedef struct bench_args {
    vrs_config *config;
    const char *input;
    bool from[VRS_BENCH_SOURCES];
    const char *rows;
    bool quick, peers, strict;
    double seconds;
    int64_t frames;
    int32_t repeat, width, height;
    const char *int8_model, *output, *json, *markdown, *keep;
    vrs_progress_kind progress;
} bench_args;

typedef struct benching {
    const bench_args *args;
    vrs_bench_table table;
    char folder[VRS_WORK_FOLDER_SIZE]; /* of the network, the clip and what is written */
    bool temporary;
    bool own_network;
    char model[VRS_BENCH_PATH], int8_model[VRS_BENCH_PATH], clip[VRS_BENCH_PATH];
    vrs_bench_work work;
} benching;

static const struct argp_option bench_options[] = {
    {"from", KEY_FROM, "memory|video|both", 0,
     "Frames in memory, end to end from video into a file, or both (both)", 1},
    {"rows", KEY_ROWS, "PRECISION:BATCH,...", 0,
     "Configurations in place of the reference's five and FP16 and INT8 with 16 views", 1},
    {"quick", KEY_QUICK, NULL, 0, "A look: one run of a few frames each", 1},
    {"seconds", KEY_SECONDS, "S", 0, "About how long a run measures (2)", 1},
    {"frames", KEY_FRAMES, "N", 0, "End a run after so many frames", 1},
    {"repeat", KEY_REPEAT, "N", 0, "Runs of each configuration, of which the median counts (3)", 1},
    {"size", KEY_SIZE, "WxH", 0, "Of the frames, where no INPUT is given (1920x1080)", 1},
    {"int8-model", KEY_INT8_MODEL, "MODEL", 0,
     "What --model is when quantised (its name with -int8, where there is such a model)", 1},
    {NULL, 'o', "[KIND:]NAME", 0,
     "What is written in runs from video, as for `vrseg run`; it goes to a folder that is removed "
     "(mask.mp4, of the network's size); null: nothing is encoded",
     1},
    {"peers", KEY_PEERS, NULL, 0,
     "Also run the programs under bench/peers/ that do the same work here", 1},
    {"keep", KEY_KEEP, "DIR", 0,
     "Put the network and the clip that are made into DIR, and leave them there", 1},
    {"strict-targets", KEY_STRICT, NULL, 0, "Exit status 4 where a configuration misses a target",
     1},
    {"json", KEY_JSON, "FILE", 0, "Write every figure as JSON, which bench/store.py takes too", 1},
    {"markdown", KEY_MARKDOWN, "FILE", 0, "Write the table as Markdown", 1},
    {"progress", KEY_PROGRESS, "auto|none", 0, "Whether each figure is shown as it comes (auto)",
     1},
    {0},
};

/* ---- the command line ---- */

static void set_size(bench_args *a, const char *value, struct argp_state *state)
{
    int used = 0;
    if (sscanf(value, "%dx%d%n", &a->width, &a->height, &used) != 2 || value[used] != 0 ||
        a->width < 16 || a->height < 16 || a->width > 16384 || a->height > 16384)
        argp_error(state, "--size %s: expected WxH of 16 to 16384 each", value);
}

static void set_from(bench_args *a, const char *value, struct argp_state *state)
{
    bool both = strcmp(value, "both") == 0;
    a->from[VRS_BENCH_MEMORY] = both || strcmp(value, "memory") == 0;
    a->from[VRS_BENCH_VIDEO] = both || strcmp(value, "video") == 0;
    if (!a->from[VRS_BENCH_MEMORY] && !a->from[VRS_BENCH_VIDEO])
        argp_error(state, "--from %s: expected memory, video or both", value);
}

static bool is_set(const vrs_config *config, const char *name)
{
    return vrs_config_get_layer(config, name) != VRS_LAYER_DEFAULT;
}

static void check_args(const bench_args *a, struct argp_state *state)
{
    static const char *const of_rows[] = {"precision", "max_batch_size", "max_frames"};
    static const char *const instead[] = {"--rows f16:8", "--rows f16:8", "--frames"};
    for (size_t i = 0; i < sizeof(of_rows) / sizeof(of_rows[0]); i++)
        if (vrs_config_get_layer(a->config, of_rows[i]) == VRS_LAYER_SET)
            argp_error(state, "%s is what the configurations set: use %s", of_rows[i], instead[i]);
    if (a->input != NULL && !a->from[VRS_BENCH_VIDEO])
        argp_error(state, "%s: --from memory takes no input", a->input);
    if (a->input != NULL && strcmp(a->input, "-") == 0)
        argp_error(state, "-: standard input cannot be read again for each run");
    if (a->int8_model != NULL && !is_set(a->config, "model"))
        argp_error(state, "--int8-model goes with --model");
    vrs_job_output kind;
    const char *path;
    if (a->output != NULL && vrs_kind_split(a->output, &kind, &path) != VRS_OK)
        exit(vrs_report(VRS_INVALID));
    if (a->output != NULL && !a->from[VRS_BENCH_VIDEO])
        argp_error(state, "-o %s: --from memory writes nothing", a->output);
}

static error_t parse_value(bench_args *a, int key, char *value, struct argp_state *state)
{
    switch (key) {
    case KEY_SECONDS:
        a->seconds = vrs_flag_number("seconds", value, 0.01, 3600, state);
        return 0;
    case KEY_FRAMES:
        a->frames = (int64_t)vrs_flag_number("frames", value, 1, 1e9, state);
        return 0;
    case KEY_REPEAT:
        a->repeat = (int32_t)vrs_flag_number("repeat", value, 1, VRS_BENCH_MAX_RUNS, state);
        return 0;
    case KEY_PROGRESS:
        a->progress = vrs_flag_progress(value, state);
        return 0;
    case ARGP_KEY_ARG:
        if (a->input != NULL)
            argp_error(state, "%s: one input at a time", value);
        a->input = value;
        return 0;
    case ARGP_KEY_END:
        check_args(a, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_bench(int key, char *value, struct argp_state *state)
{
    bench_args *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = a->config;
        return 0;
    case KEY_FROM:
        set_from(a, value, state);
        return 0;
    case KEY_SIZE:
        set_size(a, value, state);
        return 0;
    case KEY_ROWS:
        a->rows = value;
        return 0;
    case KEY_QUICK:
        a->quick = true;
        return 0;
    case KEY_PEERS:
        a->peers = true;
        return 0;
    case KEY_STRICT:
        a->strict = true;
        return 0;
    case KEY_INT8_MODEL:
        a->int8_model = value;
        return 0;
    case 'o':
        a->output = value;
        return 0;
    case KEY_JSON:
        a->json = value;
        return 0;
    case KEY_MARKDOWN:
        a->markdown = value;
        return 0;
    case KEY_KEEP:
        a->keep = value;
        return 0;
    default:
        return parse_value(a, key, value, state);
    }
}

/* ---- rows ---- */

/* "f16:8" up to a comma or the end. */
static vrs_status parse_row(const char *text, size_t length, vrs_config *config, vrs_bench_row *row)
{
    const char *colon = memchr(text, ':', length);
    size_t name = colon != NULL ? (size_t)(colon - text) : length;
    char *end = NULL;
    long batch = colon != NULL ? strtol(colon + 1, &end, 10) : 0;
    if (colon == NULL || name == 0 || name >= sizeof(row->precision) || end != text + length ||
        batch < 1 || batch > 16)
        return vrs_fail(VRS_INVALID,
                        "--rows %.*s: expected PRECISION:BATCH with a batch of 1 to 16, as in "
                        "f16:8",
                        (int)length, text);
    memcpy(row->precision, text, name);
    row->precision[name] = 0;
    row->batch = (int32_t)batch;
    const char *p = row->precision;
    const char *shown = strcmp(p, "f32") == 0    ? "FP32"
                        : strcmp(p, "f16") == 0  ? "FP16"
                        : strcmp(p, "tf32") == 0 ? "TF32"
                        : strcmp(p, "bf16") == 0 ? "BF16"
                                                 : "INT8";
    (void)snprintf(row->name, sizeof(row->name), "%s B%d", shown, row->batch);
    return vrs_config_set(config, "precision", p); /* says which there are */
}

static vrs_status parse_rows(const char *text, vrs_config *config, vrs_bench_table *t)
{
    vrs_status status = VRS_OK;
    for (const char *at = text; status == VRS_OK; at += strcspn(at, ",") + 1) {
        if (t->row_count == VRS_BENCH_MAX_ROWS)
            return vrs_fail(VRS_INVALID, "--rows: at most %d configurations", VRS_BENCH_MAX_ROWS);
        status = parse_row(at, strcspn(at, ","), config, &t->rows[t->row_count]);
        t->row_count += status == VRS_OK ? 1 : 0;
        if (at[strcspn(at, ",")] == 0)
            break;
    }
    return status;
}

/* ---- the network ---- */

static void note(const bench_args *a, const char *text)
{
    if (a->progress == VRS_PROGRESS_AUTO)
        (void)fprintf(stderr, "vrseg: %s\n", text);
}

static bool wants(const vrs_bench_table *t, bool int8)
{
    for (int32_t i = 0; i < t->row_count; i++)
        if ((strcmp(t->rows[i].precision, "int8") == 0) == int8)
            return true;
    return false;
}

static vrs_status write_network(benching *b, const char *name, int32_t side, double width,
                                bool quantised)
{
    const vrs_bench_network params = {.side = side, .width = width, .quantised = quantised};
    return vrs_bench_network_write(&params, b->folder, name);
}

/* The default network: deterministic, so that its plans and its compiled forms are kept. */
static vrs_status make_network(benching *b)
{
    const vrs_bench_table *t = &b->table;
    vrs_status status = VRS_OK;
    b->own_network = true;
    (void)snprintf(b->model, sizeof(b->model), "%s/" NETWORK ".yaml", b->folder);
    (void)snprintf(b->int8_model, sizeof(b->int8_model), "%s/" NETWORK_INT8 ".yaml", b->folder);
    note(b->args, "the network is made: DeepLabV3+ ResNet-50 with random weights");
    if (wants(t, false) || b->args->peers)
        status = write_network(b, NETWORK, NETWORK_SIDE, 1, false);
    if (status == VRS_OK && wants(t, true))
        status = write_network(b, NETWORK_INT8, NETWORK_SIDE, 1, true);
    return status;
}

/* The user's, and where there is one of the name, or beside it, the quantised one. */
static vrs_status name_networks(benching *b)
{
    const char *given = vrs_config_get(b->args->config, "model");
    const char *dot = strrchr(given, '.');
    size_t stem = dot != NULL && strchr(dot, '/') == NULL ? (size_t)(dot - given) : strlen(given);
    vrs_model *model;
    (void)snprintf(b->model, sizeof(b->model), "%s", given);
    int length = b->args->int8_model != NULL
                     ? snprintf(b->int8_model, sizeof(b->int8_model), "%s", b->args->int8_model)
                     : snprintf(b->int8_model, sizeof(b->int8_model), "%.*s-int8%s", (int)stem,
                                given, given + stem);
    if (strlen(given) >= sizeof(b->model) || length < 0 || length >= (int)sizeof(b->int8_model))
        return vrs_fail(VRS_INVALID, "--model %.100s...: the name is too long", given);
    if (b->args->int8_model == NULL) {
        bool there = vrs_model_load(b->int8_model, &model) == VRS_OK;
        if (there)
            vrs_model_destroy(model);
        else
            (void)snprintf(b->int8_model, sizeof(b->int8_model), "%s", given);
    }
    return VRS_OK;
}

typedef struct counted {
    vrs_trial_end end;
    vrs_model_cost cost;
} counted;

static void count(void *opaque, void *report)
{
    counted *c = report;
    vrs_model *model;
    c->end.status = vrs_model_load(opaque, &model);
    if (c->end.status == VRS_OK) {
        c->end.status = vrs_model_count(model, &c->cost);
        vrs_model_destroy(model);
    }
    if (c->end.status != VRS_OK)
        (void)snprintf(c->end.detail, sizeof(c->end.detail), "%s", vrs_last_error());
}

/* What it is, and how large. That its operations cannot be counted, for a node that our reader does
 * not know, costs a column. */
static vrs_status describe_network(benching *b)
{
    vrs_bench_table *t = &b->table;
    const char *named = wants(t, false) ? b->model : b->int8_model;
    vrs_model *model;
    counted c;
    vrs_status status = vrs_model_load(named, &model);
    if (status != VRS_OK)
        return status;
    vrs_model_info info = vrs_model_get_info(model);
    t->mask_width = info.input_width;
    t->mask_height = info.input_height;
    if (b->own_network)
        (void)snprintf(t->model, sizeof(t->model),
                       "DeepLabV3+ ResNet-50, %dx%d, random weights (the same each time; made by "
                       "this program)",
                       info.input_width, info.input_height);
    else
        (void)snprintf(t->model, sizeof(t->model), "%s: %s", info.name, info.title);
    vrs_model_destroy(model);
    (void)snprintf(b->work.output, sizeof(b->work.output), "%s", named);
    if (vrs_trial_run(count, b->work.output, &c, sizeof(c), PATIENCE_SECONDS, vrs_interrupted()) ==
        VRS_OK)
        t->flops = c.cost.flops;
    return VRS_OK;
}

/* ---- the clip ---- */

/* On a GPU the network runs there or not at all: by itself a run would go on with the CPU. */
static vrs_status set_device(benching *b)
{
    vrs_config *config = b->args->config;
    vrs_status status = vrs_config_set(config, "device", b->table.device.id);
    bool free_choice = strcmp(vrs_config_get(config, "engine"), "auto") == 0;
    if (status == VRS_OK && b->table.device.gpu && free_choice)
        status = vrs_config_set(config, "engine", "cuda");
    return status;
}

/* A moving texture, written by a run with a network that costs nothing. */
static vrs_status make_clip(benching *b)
{
    const bench_args *a = b->args;
    char paths[1][VRS_TUNE_PATH];
    bool gpu = b->table.device.gpu;
    vrs_tune_report report;
    (void)snprintf(b->clip, sizeof(b->clip), "%s/clip.mp4", b->folder);
    (void)snprintf(paths[0], sizeof(paths[0]), "%s/" SMALL_NETWORK ".yaml", b->folder);
    char text[128];
    (void)snprintf(text, sizeof(text), "a clip of %dx%d is made", a->width, a->height);
    note(a, text);
    vrs_status status = write_network(b, SMALL_NETWORK, 64, 1.0 / 16, false);
    if (status == VRS_OK)
        status = vrs_config_set(a->config, "model", paths[0]);
    if (status == VRS_OK)
        status = vrs_config_set(a->config, "precision", "f32");
    if (status == VRS_OK && a->frames > 0 && a->frames < CLIP_FRAMES_GPU) {
        (void)snprintf(text, sizeof(text), "%lld", (long long)a->frames);
        status = vrs_config_set(a->config, "max_frames", text);
    } else if (status == VRS_OK) {
        (void)snprintf(text, sizeof(text), "%d", CLIP_FRAMES_GPU);
        status = vrs_config_set(a->config, "max_frames", text);
    }
    (void)snprintf(paths[0], sizeof(paths[0]), "%s", b->clip);
    vrs_tune_work work = {.width = a->width,
                          .height = a->height,
                          .paths = paths,
                          .seconds = gpu ? CLIP_SECONDS_GPU : CLIP_SECONDS_CPU,
                          .most_seconds = OPENING_SECONDS};
    if (status == VRS_OK)
        status = vrs_tune_clip_make(a->config, &work, vrs_interrupted(), &report);
    return status;
}

static vrs_status find_video(benching *b)
{
    const bench_args *a = b->args;
    vrs_bench_table *t = &b->table;
    const char *name = a->output != NULL ? a->output : "mask:mask.mp4";
    b->work.kind = VRS_JOB_MASK;
    vrs_status status = vrs_kind_split(name, &b->work.kind, &name);
    if (status != VRS_OK)
        return status;
    if (name[0] == 0 || strcmp(name, "-") == 0 || strchr(name, '/') != NULL)
        return vrs_fail(VRS_INVALID,
                        "-o %s: the name of a file without a folder is wanted, or null", a->output);
    bool null = strcmp(name, "null") == 0;
    int length = null ? snprintf(b->work.output, sizeof(b->work.output), "null")
                      : snprintf(b->work.output, sizeof(b->work.output), "%s/%s", b->folder, name);
    if (length < 0 || length >= (int)sizeof(b->work.output))
        return vrs_fail(VRS_INVALID, "-o %.100s: the name is too long", name);
    status = a->input == NULL ? make_clip(b) : VRS_OK;
    b->work.input = a->input != NULL ? a->input : b->clip;
    (void)snprintf(t->source_text[VRS_BENCH_VIDEO], sizeof(t->source_text[0]),
                   "%s, decoded, segmented and %s. Opening is not counted; closing the files is.",
                   a->input != NULL ? a->input : "A clip of moving texture in H.264",
                   null ? "not written" : "written as a video");
    return status;
}

/* ---- measuring ---- */

static vrs_status set_row(benching *b, const vrs_bench_row *row)
{
    vrs_config *config = b->args->config;
    char batch[16];
    bool int8 = strcmp(row->precision, "int8") == 0;
    (void)snprintf(batch, sizeof(batch), "%d", row->batch);
    vrs_status status = vrs_config_set(config, "model", int8 ? b->int8_model : b->model);
    if (status == VRS_OK)
        status = vrs_config_set(config, "precision", row->precision);
    if (status == VRS_OK)
        status = vrs_config_set(config, "max_batch_size", batch);
    if (status == VRS_OK && !is_set(config, "mask_size"))
        status = vrs_config_set(config, "mask_size", "network");
    return status;
}

static void show(const bench_args *a, const vrs_bench_row *row, vrs_bench_source source)
{
    const vrs_bench_result *r = &row->result[source];
    if (a->progress != VRS_PROGRESS_AUTO)
        return;
    if (!row->measured[source])
        (void)fprintf(stderr, "vrseg: %s from %s: not measured: %s\n", row->name,
                      vrs_bench_source_name(source), row->reason[source]);
    else
        (void)fprintf(stderr, "vrseg: %s from %s: %.1f frames/s, %.2f ms\n", row->name,
                      vrs_bench_source_name(source), vrs_bench_median(r)->fps,
                      source == VRS_BENCH_MEMORY ? r->alone.p50_ms
                                                 : vrs_bench_median(r)->loaded.p50_ms);
}

/* Choosing the plans of a network for a GPU takes memory that its use does not: a process of its
 * own does that before the first measurement, which says what goes wrong. VRS_CANCELLED. */
static vrs_status make_plans(benching *b, vrs_bench_row *row, vrs_bench_result *result)
{
    vrs_status status = VRS_OK;
    if (b->table.device.gpu && !row->opened) {
        b->work.open_only = true;
        status = vrs_bench_measure(b->args->config, &b->work, vrs_interrupted(), result);
        b->work.open_only = false;
    }
    row->opened = true;
    return status == VRS_CANCELLED ? status : VRS_OK;
}

/* VRS_CANCELLED; what else goes wrong is the row's. */
static vrs_status measure_row(benching *b, vrs_bench_row *row, vrs_bench_source source)
{
    const bench_args *a = b->args;
    b->work.source = source;
    b->work.batch = row->batch;
    b->work.runs = b->table.runs;
    b->work.seconds = a->quick ? 0 : a->seconds;
    b->work.frames = a->frames > 0 ? a->frames : a->quick ? QUICK_FRAMES(row->batch) : 0;
    b->work.width = a->width;
    b->work.height = a->height;
    b->work.most_seconds = OPENING_SECONDS + (b->work.runs + 2) * (a->seconds + PATIENCE_SECONDS);
    (void)snprintf(b->work.pci, sizeof(b->work.pci), "%s", b->table.device.pci);
    vrs_status status = set_row(b, row);
    if (status == VRS_OK)
        status = make_plans(b, row, &row->result[source]);
    if (status == VRS_OK)
        status = vrs_bench_measure(a->config, &b->work, vrs_interrupted(), &row->result[source]);
    row->status[source] = status;
    row->measured[source] = status == VRS_OK && row->result[source].runs > 0;
    if (!row->measured[source])
        (void)snprintf(row->reason[source], sizeof(row->reason[source]), "%s", vrs_last_error());
    if (status == VRS_CANCELLED)
        return status;
    show(a, row, source);
    return VRS_OK;
}

static vrs_status measure_all(benching *b)
{
    vrs_status status = VRS_OK;
    for (int s = 0; s < VRS_BENCH_SOURCES && status == VRS_OK; s++)
        for (int32_t i = 0; i < b->table.row_count && status == VRS_OK && b->table.sources[s]; i++)
            status = measure_row(b, &b->table.rows[i], (vrs_bench_source)s);
    if (status == VRS_OK && b->args->peers) {
        char model[VRS_BENCH_PATH + 64];
        (void)snprintf(model, sizeof(model), "%s/" NETWORK ".onnx", b->folder);
        const char *video = b->table.sources[VRS_BENCH_VIDEO] ? b->work.input : NULL;
        note(b->args, "the peers run");
        status = vrs_bench_peers_run(&b->table, b->own_network ? model : NULL, video,
                                     b->args->frames > 0 ? b->args->frames : 12, vrs_interrupted());
    }
    return status;
}

/* ---- from the beginning to the end ---- */

static vrs_status check_files(const bench_args *a)
{
    const vrs_aside files[] = {
        {"the input", a->input}, {"--json", a->json}, {"--markdown", a->markdown}};
    vrs_status status = VRS_OK;
    for (size_t i = 1; i < sizeof(files) / sizeof(files[0]) && status == VRS_OK; i++) {
        status = vrs_aside_distinct(files[i].what, files[i].path, files, i);
        if (status == VRS_OK)
            status = vrs_aside_writable(files[i].what, files[i].path);
    }
    if (status == VRS_OK && a->keep != NULL && access(a->keep, W_OK | X_OK) != 0)
        status = vrs_fail(VRS_PERMISSION, "--keep %s: there is no such folder that can be written",
                          a->keep);
    vrs_input *input = NULL;
    if (status == VRS_OK && a->input != NULL) /* before a network is made that takes minutes */
        status = vrs_input_open(a->config, a->input, &input);
    vrs_input_close(input);
    return status;
}

static vrs_status prepare(benching *b)
{
    const bench_args *a = b->args;
    vrs_bench_table *t = &b->table;
    vrs_status status = check_files(a);
    if (status == VRS_OK)
        status = vrs_bench_device_find(a->config, vrs_interrupted(), &t->device);
    if (status == VRS_OK)
        status = set_device(b);
    if (status == VRS_OK)
        status = parse_rows(a->rows != NULL ? a->rows
                            : t->device.gpu ? DEFAULT_ROWS
                                            : CPU_ROWS,
                            a->config, t);
    if (status != VRS_OK)
        return status;
    b->temporary = a->keep == NULL;
    if (b->temporary)
        status = vrs_work_folder_make(b->folder, sizeof(b->folder));
    else if (snprintf(b->folder, sizeof(b->folder), "%s", a->keep) >= (int)sizeof(b->folder))
        status = vrs_fail(VRS_INVALID, "--keep %.100s...: the name is too long", a->keep);
    if (status == VRS_OK)
        status = is_set(a->config, "model") ? name_networks(b) : make_network(b);
    if (status == VRS_OK)
        status = describe_network(b);
    return status;
}

/* The Markdown goes to standard output, unless JSON does. */
static vrs_status deliver(const benching *b)
{
    const bench_args *a = b->args;
    bool taken = a->json != NULL && strcmp(a->json, "-") == 0;
    vrs_bench_markdown(&b->table, taken ? stderr : stdout);
    vrs_status status = a->json != NULL ? vrs_bench_json(&b->table, a->json) : VRS_OK;
    if (a->markdown == NULL)
        return status;
    FILE *file = strcmp(a->markdown, "-") == 0 ? stdout : fopen(a->markdown, "we");
    if (file == NULL)
        return vrs_fail(VRS_PERMISSION, "--markdown %s: cannot be written", a->markdown);
    if (file != stdout) {
        vrs_bench_markdown(&b->table, file);
        if (fclose(file) != 0 && status == VRS_OK)
            status = vrs_fail(VRS_IO, "--markdown %s: cannot be written", a->markdown);
    }
    return status;
}

/* The exit code where nothing could be measured is that of the first row. */
static int exit_code(const benching *b)
{
    for (int s = 0; s < VRS_BENCH_SOURCES; s++)
        for (int32_t i = 0; i < b->table.row_count; i++)
            if (b->table.rows[i].measured[s])
                return b->table.stopped                                       ? VRS_EXIT_INTERRUPTED
                       : b->args->strict && !vrs_bench_targets_met(&b->table) ? VRS_EXIT_TARGETS
                                                                              : VRS_EXIT_DONE;
    int first = b->table.sources[VRS_BENCH_MEMORY] ? VRS_BENCH_MEMORY : VRS_BENCH_VIDEO;
    return b->table.stopped ? VRS_EXIT_INTERRUPTED : vrs_exit_code(b->table.rows[0].status[first]);
}

static int bench(benching *b)
{
    const bench_args *a = b->args;
    vrs_bench_table *t = &b->table;
    t->runs = a->quick ? 1 : a->repeat;
    t->config = a->config;
    t->input_width = a->width;
    t->input_height = a->height;
    memcpy(t->sources, a->from, sizeof(t->sources));
    (void)snprintf(t->source_text[VRS_BENCH_MEMORY], sizeof(t->source_text[0]),
                   "Pictures that lie decoded in host memory, up to the mask in host memory. The "
                   "rate is that of a full pipeline.");
    vrs_status status = prepare(b);
    if (status == VRS_OK && t->sources[VRS_BENCH_VIDEO])
        status = find_video(b);
    t->standard = b->own_network && a->input == NULL && a->width == 1920 && a->height == 1080;
    if (status == VRS_OK)
        status = measure_all(b);
    t->stopped = status == VRS_CANCELLED;
    if (status != VRS_OK && !t->stopped)
        return vrs_report(status);
    status = deliver(b);
    return status == VRS_OK ? exit_code(b) : vrs_report(status);
}

const struct argp *vrs_bench_argp(void)
{
    static struct argp_child children[2];
    static const struct argp argp = {
        .options = bench_options,
        .parser = parse_bench,
        .args_doc = "[INPUT]",
        .doc =
            "Measures what the device (--device) reaches in the configurations of a reference "
            "system's table and shows both: rate and latency, use of GPU and CPU, memory, energy "
            "and share of the device's peak, from frames in memory and end to end from video. "
            "By default the network is DeepLabV3+ ResNet-50 with random weights, made here, and "
            "the video a clip of moving texture; --model and INPUT take others. A configuration "
            "that the device cannot run says why.\v"
            "Exit status: 0 something was measured, 1 failed, 2 wrong usage or input, 4 a target "
            "was missed (with --strict-targets), 130 interrupted (what was measured is shown).",
        .children = children,
    };
    children[0].argp = vrs_flags_argp();
    return &argp;
}

int vrs_command_bench(int argc, char **argv)
{
    bench_args args = {.from = {true, true},
                       .seconds = DEFAULT_SECONDS,
                       .repeat = DEFAULT_REPEAT,
                       .width = 1920,
                       .height = 1080};
    vrs_status status = vrs_flags_config(&args.config);
    if (status != VRS_OK)
        return vrs_report(status);
    (void)argp_parse(vrs_bench_argp(), argc, argv, 0, NULL, &args);
    benching *b = calloc(1, sizeof(*b));
    vrs_bench_row *rows = calloc(VRS_BENCH_MAX_ROWS, sizeof(*rows));
    vrs_bench_peer *peers = calloc(VRS_BENCH_MAX_PEERS, sizeof(*peers));
    int code;
    if (b == NULL || rows == NULL || peers == NULL) {
        code = vrs_report(vrs_fail(VRS_NO_MEMORY, "no memory for a benchmark"));
    } else {
        b->args = &args;
        b->table.rows = rows;
        b->table.peers = peers;
        vrs_interrupts_catch();
        code = bench(b);
        if (b->temporary)
            vrs_work_folder_remove(b->folder);
    }
    free(peers);
    free(rows);
    free(b);
    vrs_config_destroy(args.config);
    return code;
}
