/* vrseg run: inputs through the pipeline into files. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/aside.h"
#include "cli/cli.h"
#include "cli/run/inputs.h"
#include "cli/run/profile.h"
#include "cli/run/targets.h"

enum { KEY_JSON = 0x100, KEY_PROGRESS, KEY_OUTPUT_KIND, KEY_STRICT, KEY_TUNED, KEY_LIST };

typedef struct run_args {
    vrs_config *config;
    vrs_inputs inputs;
    struct {
        const char *kind; /* NULL: by --output */
        const char *path;
    } outputs[VRS_MAX_OUTPUTS];
    int output_count;
    const char *default_kind;
    const char *json;
    vrs_progress_kind progress;
    bool strict;
    vrs_run_profile profile;
    bool tuned;
} run_args;

static const struct argp_option run_options[] = {
    {NULL, 'o', "[KIND:]FILE", 0,
     "Write an output; may be given up to four times. KIND is mask, classes, green (people over "
     "--background), cutout (with alpha), alpha (the picture with alpha in its corners, for DeoVR "
     "and "
     "HereSphere) or preview (one PNG: source, mask, composite). FILE is a "
     "video by its extension, a folder for PNGs (ends with /), - for standard output, or null. In "
     "FILE {name} stands for the input's name without folder and extension, {ext} for its "
     "extension, {folder} for the name of its folder, {number} for its place among the inputs, {{ "
     "and }} for braces; with several inputs DIR/ is DIR/{name}/, and other files need such a "
     "word.",
     1},
    {"list", KEY_LIST, "FILE", 0,
     "Take inputs from FILE (- is standard input), a path a line; empty lines and lines that begin "
     "with # are left out. @FILE as an input is the same",
     1},
    {"output", KEY_OUTPUT_KIND, "mask|classes|green|cutout|alpha|preview", 0,
     "Kind of the outputs that name none (mask)", 1},
    {"tuned", KEY_TUNED, NULL, 0,
     "Use the settings that `vrseg tune` has found here for this model and precision, where "
     "nothing "
     "else sets them",
     1},
    {"json", KEY_JSON, "FILE", 0, "Write every figure of the run as JSON", 1},
    {"progress", KEY_PROGRESS, "auto|json|none", 0, "How progress is shown (auto)", 1},
    {"strict-targets", KEY_STRICT, NULL, 0, "Exit status 4 where a target is missed", 1},
    VRS_PROFILE_OPTIONS,
    {0},
};

static void add_output(run_args *args, char *value, struct argp_state *state)
{
    if (args->output_count == VRS_MAX_OUTPUTS)
        argp_error(state, "-o %s: at most %d outputs", value, VRS_MAX_OUTPUTS);
    vrs_job_output kind;
    const char *path;
    if (vrs_kind_split(value, &kind, &path) != VRS_OK)
        exit(vrs_report(VRS_INVALID));
    args->outputs[args->output_count].kind = path != value ? value : NULL;
    args->outputs[args->output_count].path = path;
    if (path[0] == 0)
        argp_error(state, "-o %s: no file is named", value);
    args->output_count++;
}

static void set_progress(run_args *args, const char *value, struct argp_state *state)
{
    if (strcmp(value, "json") == 0)
        args->progress = VRS_PROGRESS_JSON;
    else if (strcmp(value, "none") == 0)
        args->progress = VRS_PROGRESS_NONE;
    else if (strcmp(value, "auto") != 0)
        argp_error(state, "--progress %s: expected auto, json or none", value);
}

static error_t parse_run(int key, char *value, struct argp_state *state)
{
    run_args *args = state->input;
    vrs_job_output kind;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = args->config;
        return 0;
    case 'o':
        add_output(args, value, state);
        return 0;
    case KEY_OUTPUT_KIND:
        if (!vrs_kind_find(value, strlen(value), &kind))
            argp_error(state,
                       "--output %s: expected mask, classes, green, cutout, alpha or preview",
                       value);
        args->default_kind = value;
        return 0;
    case KEY_STRICT:
        args->strict = true;
        return 0;
    case KEY_TUNED:
        args->tuned = true;
        return 0;
    case KEY_JSON:
        args->json = value;
        return 0;
    case KEY_PROGRESS:
        set_progress(args, value, state);
        return 0;
    case KEY_LIST:
    case ARGP_KEY_ARG:
        if ((key == KEY_LIST ? vrs_inputs_list(&args->inputs, value)
                             : vrs_inputs_add(&args->inputs, value)) != VRS_OK)
            exit(vrs_report(VRS_INVALID));
        return 0;
    case ARGP_KEY_END:
        if (args->inputs.count == 0)
            argp_error(state, "no input is given");
        if (args->output_count == 0)
            argp_error(state, "no output is given: add -o FILE");
        return 0;
    default:
        return vrs_run_profile_parse(&args->profile, key, value, state);
    }
}

static vrs_job *volatile running_job;
static volatile sig_atomic_t interrupts;

/* The first interrupt finishes what is in flight, the second stops at once. */
static void interrupted(int signal_number)
{
    (void)signal_number;
    interrupts++;
    if (running_job != NULL)
        vrs_job_stop(running_job, interrupts > 1);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = interrupted};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN; /* a closed pipe or a full disk is a failed write */
    (void)sigaction(SIGPIPE, &action, NULL);
    (void)sigaction(SIGXFSZ, &action, NULL);
}

static vrs_status make_job(const run_args *args, vrs_job **job)
{
    vrs_status status = vrs_job_create(args->config, NULL, job);
    for (size_t i = 0; i < args->inputs.count && status == VRS_OK; i++)
        status = vrs_job_add_input(*job, args->inputs.paths[i]);
    if (status == VRS_OK && args->profile.profile != NULL)
        status = vrs_job_set_profile(*job, args->profile.profile);
    for (int i = 0; i < args->output_count && status == VRS_OK; i++) {
        const char *name = args->outputs[i].kind;
        size_t length = name != NULL ? strcspn(name, ":") : strlen(args->default_kind);
        vrs_job_output kind = VRS_JOB_MASK;
        (void)vrs_kind_find(name != NULL ? name : args->default_kind, length, &kind);
        status = vrs_job_add_output(*job, kind, args->outputs[i].path);
    }
    return status;
}

static bool writes_to_stdout(const run_args *args)
{
    for (int i = 0; i < args->output_count; i++)
        if (strcmp(args->outputs[i].path, "-") == 0)
            return true;
    return args->json != NULL && strcmp(args->json, "-") == 0;
}

/* Something is in the files, but not all: frames or whole inputs are missing. */
static bool is_partial(vrs_status status, const vrs_job_stats *stats)
{
    return status == VRS_CORRUPT && stats->inputs.done > 0;
}

static int run_job(const run_args *args, vrs_job *job)
{
    vrs_progress progress;
    vrs_progress_start(&progress, args->progress, job);
    running_job = job;
    catch_signals();
    vrs_status status = vrs_job_run(job, vrs_progress_show, &progress);
    running_job = NULL;
    vrs_progress_end(&progress);
    int code = status == VRS_OK ? VRS_EXIT_DONE : vrs_report(status);
    vrs_job_stats stats = vrs_job_get_stats(job); /* after the report: it may set the last error */
    if (is_partial(status, &stats))
        code = VRS_EXIT_FRAMES;
    if (stats.written > 0 || (stats.inputs.all > 1 && stats.inputs.waiting < stats.inputs.all))
        vrs_summary_print(writes_to_stdout(args) ? stderr : stdout, args->config, job, &stats);
    if (args->json != NULL) {
        status = vrs_summary_json(args->json, args->config, job, &stats, &progress.time);
        if (status != VRS_OK && code == VRS_EXIT_DONE)
            code = vrs_report(status);
    }
    vrs_target targets[VRS_MAX_TARGETS];
    int count = vrs_targets_check(args->config, &stats, targets);
    if (args->strict && code == VRS_EXIT_DONE && !vrs_targets_all_met(targets, count))
        code = VRS_EXIT_TARGETS;
    return code;
}

/* Before anything is opened: what is written beside the outputs overwrites no input, no output and
 * none of its own kind, and can be written at the end. */
static vrs_status check_aside(const run_args *args)
{
    const char *trace = args->profile.path[0] != 0 ? args->profile.path : NULL;
    const vrs_aside files[] = {
        {"the trace", trace}, {"--report", args->profile.report}, {"--json", args->json}};
    const size_t count = sizeof(files) / sizeof(files[0]);
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < count && status == VRS_OK; i++) {
        status = vrs_aside_distinct(files[i].what, files[i].path, files, i);
        for (size_t n = 0; n < args->inputs.count && status == VRS_OK; n++)
            status = vrs_aside_distinct(files[i].what, files[i].path,
                                        &(vrs_aside){"the input", args->inputs.paths[n]}, 1);
        for (int n = 0; n < args->output_count && status == VRS_OK; n++)
            status = vrs_aside_distinct(files[i].what, files[i].path,
                                        &(vrs_aside){"the output", args->outputs[n].path}, 1);
    }
    /* The folder of plots, which a trace may lie in, is made with the trace. */
    if (status == VRS_OK && (args->profile.trace != NULL || args->profile.report != NULL))
        status = vrs_aside_writable("the trace", trace);
    if (status == VRS_OK)
        status = vrs_aside_writable("--json", args->json);
    return status == VRS_OK ? vrs_aside_writable("--report", args->profile.report) : status;
}

/* What is asked for strictly and set nowhere is a mistake that nothing else shows. */
static void check_strict(const run_args *args)
{
    vrs_target targets[VRS_MAX_TARGETS];
    const vrs_job_stats none = {0};
    if (args->strict && vrs_targets_check(args->config, &none, targets) == 0)
        (void)fputs("vrseg: --strict-targets: no target is set, so none can be missed; set one, as "
                    "--min-fps 60, or take a configuration that has some (vr)\n",
                    stderr);
}

static vrs_status use_tuned(const run_args *args)
{
    char note[VRS_TUNED_NOTE_SIZE];
    vrs_status status = args->tuned ? vrs_tuned_use(args->config, note) : VRS_OK;
    if (args->tuned && status == VRS_OK && args->progress == VRS_PROGRESS_AUTO)
        (void)fprintf(stderr, "vrseg: settings found by measuring: %s\n", note);
    return status;
}

const struct argp *vrs_run_argp(void)
{
    static struct argp_child children[2];
    static const struct argp argp = {
        .options = run_options,
        .parser = parse_run,
        .args_doc = "INPUT...",
        .doc = "Segments the people in each INPUT: a video, a picture, a folder of pictures, a "
               "camera (/dev/video0), - for standard input, or @FILE for what FILE lists. Several "
               "share one network, and some are read side by side; one that fails does not stop "
               "the others.\v"
               "Exit status: 0 done (also on --device-fallback, when a GPU was lost), 1 failed, 2 "
               "wrong usage or input, 3 done but some frames are "
               "damaged or failed or some inputs are not done, 4 done but a target was missed "
               "(with --strict-targets), 130 interrupted (what was finished is in the files). When "
               "no input of several is done, it is the first one's.",
        .children = children,
    };
    children[0].argp = vrs_flags_argp();
    return &argp;
}

int vrs_command_run(int argc, char **argv)
{
    run_args args = {.default_kind = "mask"};
    vrs_status status = vrs_flags_config(&args.config);
    if (status != VRS_OK)
        return vrs_report(status);
    (void)argp_parse(vrs_run_argp(), argc, argv, 0, NULL, &args);
    vrs_job *job = NULL;
    status = vrs_run_profile_name(&args.profile);
    if (status == VRS_OK)
        status = check_aside(&args);
    if (status == VRS_OK)
        status = vrs_run_profile_begin(&args.profile);
    if (status == VRS_OK)
        status = use_tuned(&args);
    if (status == VRS_OK) {
        check_strict(&args);
        status = make_job(&args, &job);
    }
    int code = status == VRS_OK ? run_job(&args, job) : vrs_report(status);
    vrs_job_destroy(job);
    vrs_inputs_clear(&args.inputs);
    status = vrs_run_profile_end(&args.profile);
    if (status != VRS_OK && code == VRS_EXIT_DONE)
        code = vrs_report(status);
    vrs_config_destroy(args.config);
    return code;
}
