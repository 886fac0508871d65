/* vrseg tune: the fastest settings, found by short runs. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/aside.h"
#include "cli/tune/tune.h"
#include "cli/work_folder.h"

enum {
    KEY_SYNTHETIC = 0x100,
    KEY_GOAL,
    KEY_RATE,
    KEY_LATENCY,
    KEY_TRIALS,
    KEY_SECONDS,
    KEY_EXHAUSTIVE,
    KEY_SEARCH,
    KEY_SAVE,
    KEY_TABLE,
    KEY_JSON,
    KEY_PROGRESS,
    KEY_REMEMBER,
    KEY_SEED
};

/* A trial's time, and the shares of it after which it is ended from outside: opening an engine and
 * choosing the plans of a network for a GPU may take long at first. */
#define DEFAULT_SECONDS 2.0
#define OPENING_SECONDS 300.0
#define CLIP_TIMES 2.5
/* A rate below this share of the best is not measured to the end. */
#define HOPELESS 0.6
/* A rate that is asked for counts as met from here on. */
#define NEARLY 0.99
/* Fewer frames than this say little. */
#define FEW_FRAMES 30

typedef struct tune_args {
    vrs_config *config;
    const char *input;
    bool synthetic;
    int32_t width, height;
    const char *outputs[VRS_MAX_OUTPUTS];
    int output_count;
    bool goal_latency;
    double rate, most_latency, seconds;
    int32_t trials;
    uint32_t seed;
    bool exhaustive, remember;
    const char *searched[VRS_TUNE_MAX_PARAMETERS];
    int searched_count;
    const char *save, *table, *json;
    vrs_progress_kind progress;
} tune_args;

/* A search under way. */
typedef struct tuning {
    const tune_args *args;
    char folder[VRS_WORK_FOLDER_SIZE]; /* of the trials' outputs */
    char clip_folder[VRS_WORK_FOLDER_SIZE], clip[VRS_TUNE_PATH];
    vrs_job_output kinds[VRS_MAX_OUTPUTS];
    char paths[VRS_MAX_OUTPUTS][VRS_TUNE_PATH];
    bool encodes;
    vrs_tune_work work;
    vrs_tune_choices choices;
    vrs_tune_params params;
    vrs_tune_show show;
} tuning;

static const struct argp_option tune_options[] = {
    {NULL, 'o', "[KIND:]NAME", 0,
     "What the run will write, as for `vrseg run`; it is written to a folder that is removed "
     "(mask.mp4); null: nothing is encoded. May be given up to four times.",
     1},
    {"synthetic", KEY_SYNTHETIC, "WxH", OPTION_ARG_OPTIONAL,
     "In place of INPUT a moving texture (1920x1080)", 1},
    {"goal", KEY_GOAL, "throughput|latency", 0,
     "Most frames a second, or least latency at --rate (throughput)", 1},
    {"rate", KEY_RATE, "FPS", 0, "Frames a second that a goal of latency must keep up with", 1},
    {"max-latency", KEY_LATENCY, "MS", 0,
     "Most latency, from capture to mask at the 99th percentile, that a goal of throughput may "
     "cost",
     1},
    {"trials", KEY_TRIALS, "N", 0,
     "Trials at most (a tenth of all combinations, between 12 and 96)", 1},
    {"trial-seconds", KEY_SECONDS, "S", 0, "About how long a trial runs (2)", 1},
    {"exhaustive", KEY_EXHAUSTIVE, NULL, 0, "Try every combination", 1},
    {"search", KEY_SEARCH, "NAME=V,V,...", 0,
     "Search over this option and these values alone; may be given several times. By default those "
     "of speed that no flag or file sets",
     1},
    {"save", KEY_SAVE, "FILE", 0, "Write the settings as YAML, for --config of `vrseg run`", 1},
    {"remember", KEY_REMEMBER, "on|off", 0,
     "Keep what was found for `vrseg run --tuned`, by model, precision and device (on)", 1},
    {"table", KEY_TABLE, "FILE", 0, "Write each trial as a line of CSV", 1},
    {"json", KEY_JSON, "FILE", 0, "Write the result as JSON", 1},
    {"progress", KEY_PROGRESS, "auto|json|none", 0, "How the trials are shown (auto)", 1},
    {"seed", KEY_SEED, "N", 0, "Another one makes other first guesses (1)", 1},
    {0},
};

static void set_size(tune_args *args, const char *value, struct argp_state *state)
{
    int used = 0;
    args->synthetic = true;
    if (value != NULL &&
        (sscanf(value, "%dx%d%n", &args->width, &args->height, &used) != 2 || value[used] != 0 ||
         args->width < 16 || args->height < 16 || args->width > 16384 || args->height > 16384))
        argp_error(state, "--synthetic=%s: expected WxH of 16 to 16384 each", value);
}

static bool one_of(const char *flag, const char *value, const char *no, const char *yes,
                   struct argp_state *state)
{
    if (strcmp(value, no) != 0 && strcmp(value, yes) != 0)
        argp_error(state, "--%s %s: expected %s or %s", flag, value, yes, no);
    return strcmp(value, yes) == 0;
}

static void set_progress(tune_args *args, const char *value, struct argp_state *state)
{
    static const char *const names[] = {"auto", "json", "none"};
    for (int i = 0; i < 3; i++)
        if (strcmp(value, names[i]) == 0) {
            args->progress = (vrs_progress_kind)i;
            return;
        }
    argp_error(state, "--progress %s: expected auto, json or none", value);
}

/* What fits together. */
static void check_args(const tune_args *a, struct argp_state *state)
{
    if (a->input == NULL && !a->synthetic)
        argp_error(state, "no input is given: name a video, or add --synthetic");
    if (a->input != NULL && a->synthetic)
        argp_error(state, "%s: either an input or --synthetic", a->input);
    if (a->input != NULL && strcmp(a->input, "-") == 0)
        argp_error(state, "-: standard input cannot be read again for each trial");
    if (a->goal_latency && !(a->rate > 0))
        argp_error(state, "--goal latency: at which rate? Add --rate FPS");
    if (!a->goal_latency && a->rate > 0)
        argp_error(state, "--rate goes with --goal latency");
    if (a->goal_latency && a->most_latency > 0)
        argp_error(state, "--max-latency goes with --goal throughput");
    if (a->goal_latency && !a->synthetic)
        argp_error(state, "least latency is measured on frames in memory: add --synthetic=WxH in "
                          "place of the input");
    if (a->synthetic && (a->goal_latency || a->most_latency > 0) && a->output_count > 0)
        argp_error(state,
                   "-o %s: latency of frames in memory is measured up to the mask, nothing "
                   "is written",
                   a->outputs[0]);
}

static error_t parse_value(tune_args *args, int key, char *value, struct argp_state *state)
{
    switch (key) {
    case 'o':
        if (args->output_count == VRS_MAX_OUTPUTS)
            argp_error(state, "-o %s: at most %d outputs", value, VRS_MAX_OUTPUTS);
        args->outputs[args->output_count++] = value;
        return 0;
    case KEY_SEARCH:
        if (args->searched_count == VRS_TUNE_MAX_PARAMETERS)
            argp_error(state, "--search %s: at most %d options", value, VRS_TUNE_MAX_PARAMETERS);
        args->searched[args->searched_count++] = value;
        return 0;
    case KEY_RATE:
        args->rate = vrs_flag_number("rate", value, 0.1, 100000, state);
        return 0;
    case KEY_LATENCY:
        args->most_latency = vrs_flag_number("max-latency", value, 0.01, 1e6, state);
        return 0;
    case KEY_TRIALS:
        args->trials = (int32_t)vrs_flag_number("trials", value, 1, VRS_TUNE_MAX_TRIALS, state);
        return 0;
    case KEY_SECONDS:
        args->seconds = vrs_flag_number("trial-seconds", value, 0.05, 600, state);
        return 0;
    case KEY_SEED:
        args->seed = (uint32_t)vrs_flag_number("seed", value, 0, 4294967295.0, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_tune(int key, char *value, struct argp_state *state)
{
    tune_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = args->config;
        return 0;
    case KEY_SYNTHETIC:
        set_size(args, value, state);
        return 0;
    case KEY_GOAL:
        args->goal_latency = one_of("goal", value, "throughput", "latency", state);
        return 0;
    case KEY_REMEMBER:
        args->remember = one_of("remember", value, "off", "on", state);
        return 0;
    case KEY_EXHAUSTIVE:
        args->exhaustive = true;
        return 0;
    case KEY_SAVE:
        args->save = value;
        return 0;
    case KEY_TABLE:
        args->table = value;
        return 0;
    case KEY_JSON:
        args->json = value;
        return 0;
    case KEY_PROGRESS:
        set_progress(args, value, state);
        return 0;
    case ARGP_KEY_ARG:
        if (args->input != NULL)
            argp_error(state, "%s: one input at a time", value);
        args->input = value;
        return 0;
    case ARGP_KEY_END:
        check_args(args, state);
        return 0;
    default:
        return parse_value(args, key, value, state);
    }
}

/* ---- before the first trial ---- */

/* The outputs, inside the folder of the trials. */
static vrs_status place_outputs(tuning *t)
{
    static const char *const usual[] = {"mask.mp4"};
    const tune_args *a = t->args;
    bool memory = t->work.input == NULL;
    int count = memory ? 0 : a->output_count > 0 ? a->output_count : 1;
    for (int i = 0; i < count; i++) {
        const char *name = a->output_count > 0 ? a->outputs[i] : usual[0];
        t->kinds[i] = VRS_JOB_MASK;
        vrs_status status = vrs_kind_split(name, &t->kinds[i], &name);
        if (status != VRS_OK)
            return status;
        if (name[0] == 0 || strcmp(name, "-") == 0)
            return vrs_fail(VRS_INVALID, "-o %s: a trial needs the name of a file, or null",
                            a->outputs[i]);
        size_t length = strlen(name), base = length;
        while (base > 0 && name[base - 1] == '/')
            base--; /* a folder keeps its '/' */
        while (base > 0 && name[base - 1] != '/')
            base--;
        bool null = strcmp(name, "null") == 0;
        int used =
            null ? snprintf(t->paths[i], VRS_TUNE_PATH, "null")
                 : snprintf(t->paths[i], VRS_TUNE_PATH, "%s/%d-%s", t->folder, i, name + base);
        if (used < 0 || used >= VRS_TUNE_PATH)
            return vrs_fail(VRS_INVALID, "-o %.100s: the name is too long", name);
        t->encodes = t->encodes || (!null && t->kinds[i] != VRS_JOB_PREVIEW);
    }
    t->work.kinds = t->kinds;
    t->work.paths = t->paths;
    t->work.output_count = count;
    return VRS_OK;
}

/* Before hours of measuring: that the result can be written, and overwrites nothing. */
static vrs_status check_save(const tune_args *a)
{
    const char *path = a->save;
    const vrs_aside files[] = {
        {"the input", a->input}, {"--table", a->table}, {"--json", a->json}, {"--save", path}};
    for (size_t i = 1; i < sizeof(files) / sizeof(files[0]); i++) {
        vrs_status status = vrs_aside_distinct(files[i].what, files[i].path, files, i);
        if (status == VRS_OK)
            status = vrs_aside_writable(files[i].what, files[i].path);
        if (status != VRS_OK)
            return status;
    }
    if (path == NULL)
        return VRS_OK;
    char folder[VRS_TUNE_PATH];
    const char *slash = strrchr(path, '/');
    int length = snprintf(folder, sizeof(folder), "%.*s", slash != NULL ? (int)(slash - path) : 1,
                          slash != NULL ? path : ".");
    if (length < 0 || length >= (int)sizeof(folder))
        return vrs_fail(VRS_INVALID, "--save %.100s...: the name is too long", path);
    if (access(slash == path ? "/" : folder, W_OK) != 0 || path[0] == 0 ||
        (slash != NULL && slash[1] == 0))
        return vrs_fail(VRS_PERMISSION, "--save %.300s: cannot be written there", path);
    return VRS_OK;
}

static vrs_status make_clip(tuning *t)
{
    const tune_args *a = t->args;
    char paths[1][VRS_TUNE_PATH];
    vrs_status status = vrs_work_folder_make(t->clip_folder, sizeof(t->clip_folder));
    if (status != VRS_OK)
        return status;
    (void)snprintf(t->clip, sizeof(t->clip), "%s/clip.mp4", t->clip_folder);
    (void)snprintf(paths[0], sizeof(paths[0]), "%s", t->clip);
    vrs_tune_work work = {.width = a->width,
                          .height = a->height,
                          .paths = paths,
                          .seconds = CLIP_TIMES * a->seconds,
                          .most_seconds = CLIP_TIMES * a->seconds + OPENING_SECONDS};
    vrs_tune_report report;
    if (a->progress == VRS_PROGRESS_AUTO)
        (void)fprintf(stderr, "vrseg: a clip of %dx%d is made\n", a->width, a->height);
    t->work.input = t->clip;
    return vrs_tune_clip_make(a->config, &work, vrs_interrupted(), &report);
}

/* A run with the settings as they are: it fills caches, says how many frames a trial takes, and
 * finds what would be wrong with every trial. Without memory for it others may still do. */
static vrs_status first_run(tuning *t, vrs_tune_report *first)
{
    vrs_status status = vrs_tune_trial_run(t->args->config, &t->work, vrs_interrupted(), first);
    if (status == VRS_NO_MEMORY || status == VRS_DEVICE) {
        (void)fprintf(stderr, "vrseg: as it is: %s\n", vrs_last_error());
        return VRS_OK;
    }
    if (status == VRS_OK && t->work.input != NULL)
        t->work.frames = (int64_t)first->frames;
    if (status == VRS_OK && t->args->progress == VRS_PROGRESS_AUTO)
        (void)fprintf(stderr,
                      "vrseg: device %s, network by %s; as it is: %.1f fps over %llu "
                      "frames%s\n",
                      first->device, first->engine, first->fps, (unsigned long long)first->frames,
                      first->frames < FEW_FRAMES ? ", which are few: figures will be rough" : "");
    return status;
}

static vrs_status make_space(tuning *t, const vrs_tune_report *first)
{
    const tune_args *a = t->args;
    vrs_status status = VRS_OK;
    for (int i = 0; i < a->searched_count && status == VRS_OK; i++)
        status = vrs_tune_choices_add(&t->choices, a->config, a->searched[i]);
    if (status == VRS_OK && a->searched_count == 0)
        vrs_tune_choices_make(&t->choices, a->config, first, t->work.input != NULL, t->encodes);
    if (status == VRS_OK && t->choices.count == 0)
        status = vrs_fail(VRS_INVALID, "there is nothing to search: flags or files set all options "
                                       "of speed");
    return status;
}

/* ---- trials ---- */

static vrs_status measure(void *opaque, const vrs_tune_trial *trial, vrs_tune_measurement *m)
{
    tuning *t = opaque;
    vrs_tune_report report;
    memset(&report, 0, sizeof(report));
    bool throughput = t->params.goal == VRS_TUNE_THROUGHPUT;
    bool compared = throughput && trial->best_choice != NULL && !trial->again;
    t->work.hopeless = compared ? HOPELESS * trial->best.fps : 0;
    vrs_status status = vrs_tune_choices_set(&t->choices, trial->choice, t->args->config);
    if (status == VRS_OK)
        status = vrs_tune_trial_run(t->args->config, &t->work, vrs_interrupted(), &report);
    vrs_work_folder_empty(t->folder);
    if (status == VRS_CANCELLED)
        return status;
    vrs_tune_show_trial(&t->show, trial, status, &report);
    m->fps = report.fps;
    m->latency_ms = report.latency_ms;
    return status;
}

static void set_params(tuning *t)
{
    const tune_args *a = t->args;
    t->params = (vrs_tune_params){.parameters = t->choices.parameters,
                                  .count = t->choices.count,
                                  .trials = a->trials,
                                  .exhaustive = a->exhaustive,
                                  .seed = a->seed};
    t->params.goal = a->goal_latency       ? VRS_TUNE_LATENCY
                     : a->most_latency > 0 ? VRS_TUNE_BOUNDED
                                           : VRS_TUNE_THROUGHPUT;
    t->params.bound = a->goal_latency ? NEARLY * a->rate : a->most_latency;
    t->show = (vrs_tune_show){.progress = a->progress,
                              .goal = t->params.goal,
                              .choices = &t->choices,
                              .most = vrs_tune_most_trials(&t->params)};
}

/* ---- after the last ---- */

static vrs_status remember(const tuning *t, const vrs_tune_result *r)
{
    const char *names[VRS_TUNE_MAX_PARAMETERS];
    char note[VRS_TUNED_NOTE_SIZE];
    vrs_tuned_texts texts;
    for (int32_t i = 0; i < t->choices.count; i++)
        names[i] = t->choices.parameters[i].name;
    (void)snprintf(note, sizeof(note), "%s; %.1f fps, %.1f as it was; %d trials",
                   t->params.goal == VRS_TUNE_LATENCY ? "least latency" : "most frames a second",
                   r->best.fps, r->start.fps, r->trials);
    vrs_status status = vrs_tuned_texts_make(t->args->config, &texts);
    if (status == VRS_OK)
        status = vrs_tuned_store(&texts.key, t->args->config, names, t->choices.count, note);
    if (status == VRS_OK)
        (void)printf("`vrseg run --tuned` uses them: %s in %s on %s\n", texts.model,
                     texts.precision, texts.device);
    return status;
}

/* Prints the result first: whatever cannot be written, it is there. */
static vrs_status deliver(tuning *t, const vrs_tune_result *r)
{
    const tune_args *a = t->args;
    vrs_tune_show_result(&t->show, r);
    vrs_status status = vrs_tune_choices_set(&t->choices, r->choice, a->config);
    if (status == VRS_OK) /* a limit of the trials, not of the runs to come */
        status = vrs_config_set(a->config, "max_frames", "0");
    if (status == VRS_OK && a->save != NULL) {
        status = vrs_config_save(a->config, a->save);
        if (status == VRS_OK)
            (void)printf("written: %s, for `vrseg run --config`\n", a->save);
    }
    if (a->json != NULL) {
        vrs_status written = vrs_tune_show_json(&t->show, r, a->json);
        status = status != VRS_OK ? status : written;
    }
    if (status == VRS_OK && a->remember)
        status = remember(t, r);
    if (status == VRS_OK && t->show.table_failed)
        status = vrs_fail(VRS_IO, "%s: cannot be written", a->table);
    return status;
}

static vrs_status search(tuning *t, bool *stopped)
{
    const tune_args *a = t->args;
    vrs_tune_report first;
    vrs_tune_result result;
    t->work.input = a->input;
    t->work.width = a->width;
    t->work.height = a->height;
    t->work.rate = a->rate;
    t->work.seconds = a->seconds;
    t->work.most_seconds = 4 * a->seconds + OPENING_SECONDS;
    bool memory = a->goal_latency || a->most_latency > 0;
    vrs_status status = a->synthetic && !memory ? make_clip(t) : VRS_OK;
    if (status == VRS_OK)
        status = place_outputs(t);
    if (status == VRS_OK)
        status = first_run(t, &first);
    if (status == VRS_OK)
        status = make_space(t, &first);
    if (status != VRS_OK)
        return status;
    set_params(t);
    if (a->table != NULL)
        status = vrs_tune_show_table(&t->show, a->table);
    if (status == VRS_OK)
        status = vrs_tune_search(&t->params, measure, t, &result);
    if (status == VRS_OK) {
        *stopped = result.end == VRS_TUNE_STOPPED;
        status = deliver(t, &result);
    }
    if (t->show.table != NULL)
        (void)fclose(t->show.table);
    return status;
}

static int tune(const tune_args *args)
{
    tuning *t = calloc(1, sizeof(*t));
    bool stopped = false;
    if (t == NULL)
        return vrs_report(vrs_fail(VRS_NO_MEMORY, "no memory for a search"));
    t->args = args;
    vrs_interrupts_catch();
    vrs_status status = check_save(args);
    if (status == VRS_OK)
        status = vrs_work_folder_make(t->folder, sizeof(t->folder));
    if (status == VRS_OK)
        status = search(t, &stopped);
    vrs_work_folder_remove(t->folder);
    vrs_work_folder_remove(t->clip_folder);
    free(t);
    if (status != VRS_OK)
        return vrs_report(status);
    return stopped ? VRS_EXIT_INTERRUPTED : VRS_EXIT_DONE;
}

const struct argp *vrs_tune_argp(void)
{
    static struct argp_child children[2];
    static const struct argp argp = {
        .options = tune_options,
        .parser = parse_tune,
        .args_doc = "INPUT\n--synthetic[=WxH]",
        .doc = "Finds the settings with which INPUT, a video or a folder of pictures, goes through "
               "this machine fastest, by short runs.\v"
               "An interrupt ends the search with the best so far. Exit status: 0 done, 1 failed, "
               "2 wrong usage or input, 130 interrupted (what was found is written).",
        .children = children,
    };
    children[0].argp = vrs_flags_argp();
    return &argp;
}

int vrs_command_tune(int argc, char **argv)
{
    tune_args args = {
        .width = 1920, .height = 1080, .seconds = DEFAULT_SECONDS, .seed = 1, .remember = true};
    vrs_status status = vrs_flags_config(&args.config);
    if (status != VRS_OK)
        return vrs_report(status);
    (void)argp_parse(vrs_tune_argp(), argc, argv, 0, NULL, &args);
    int code = tune(&args);
    vrs_config_destroy(args.config);
    return code;
}
