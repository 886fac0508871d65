/* vrseg models compare: each installed model on the user's own frames. */
#define _XOPEN_SOURCE 700 /* scandir() */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/aside.h"
#include "cli/compare/compare.h"
#include "cli/work_folder.h"
#include "vrseg/input.h"

enum { KEY_MASKS = 0x100, KEY_MODELS, KEY_FRAMES, KEY_SECONDS, KEY_SHEET, KEY_JSON, KEY_PROGRESS };

#define DEFAULT_FRAMES 48
#define MOST_FRAMES 10000
#define DEFAULT_SECONDS 1.0

typedef struct compare_args {
    vrs_config *config;
    const char *input, *masks, *models, *sheet, *json;
    int64_t frames;
    double seconds;
    vrs_progress_kind progress;
} compare_args;

static const struct argp_option compare_options[] = {
    {"masks", KEY_MASKS, "DIR", 0,
     "Folder of the right masks, in the order of the frames (for pictures with the same names): "
     "what is not black is person",
     1},
    {"models", KEY_MODELS, "NAME,NAME,...", 0, "These models alone (all that are installed)", 1},
    {"frames", KEY_FRAMES, "N", 0, "Frames that are looked at, the first ones (48)", 1},
    {"seconds", KEY_SECONDS, "S", 0, "About how long each model's rate is measured (1)", 1},
    {"sheet", KEY_SHEET, "FILE", 0,
     "Write a contact sheet as PNG: each model's people over green in four of the frames", 1},
    {"json", KEY_JSON, "FILE", 0, "Write every figure as JSON", 1},
    {"progress", KEY_PROGRESS, "auto|none", 0, "Whether each model is shown as it comes (auto)", 1},
    {0},
};

static void check_args(const compare_args *a, struct argp_state *state)
{
    if (a->input == NULL)
        argp_error(state, "no input is given: name a video or a folder of pictures");
    if (strcmp(a->input, "-") == 0)
        argp_error(state, "-: standard input cannot be read again for each model");
    if (vrs_config_get_layer(a->config, "model") == VRS_LAYER_SET)
        argp_error(state, "--model: use --models");
}

static error_t parse_compare(int key, char *value, struct argp_state *state)
{
    compare_args *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = a->config;
        return 0;
    case KEY_MASKS:
        a->masks = value;
        return 0;
    case KEY_MODELS:
        a->models = value;
        return 0;
    case KEY_FRAMES:
        a->frames = (int64_t)vrs_flag_number("frames", value, 1, MOST_FRAMES, state);
        return 0;
    case KEY_SECONDS:
        a->seconds = vrs_flag_number("seconds", value, 0.01, 3600, state);
        return 0;
    case KEY_SHEET:
        a->sheet = value;
        return 0;
    case KEY_JSON:
        a->json = value;
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

/* ---- which models ---- */

static void add_model(vrs_comparison *c, const char *name, const vrs_model_info *info)
{
    vrs_compared *m = &c->models[c->count++];
    (void)snprintf(m->name, sizeof(m->name), "%s", name);
    (void)snprintf(m->title, sizeof(m->title), "%s", info->title);
    (void)snprintf(m->licence, sizeof(m->licence), "%s", info->licence);
    m->test_only = info->test_only;
    m->agreement = -1;
}

static bool take_model(void *opaque, const vrs_model_info *info)
{
    vrs_comparison *c = opaque;
    if (info->installed && c->count < VRS_COMPARE_MAX_MODELS)
        add_model(c, info->name, info);
    return true;
}

/* By names, descriptors or files, as the option model takes them. */
static vrs_status take_named(const compare_args *a, vrs_comparison *c)
{
    char name[sizeof(c->models[0].name)];
    for (const char *at = a->models; at != NULL;) {
        size_t length = strcspn(at, ",");
        vrs_model *model;
        if (length >= sizeof(name) || c->count == VRS_COMPARE_MAX_MODELS)
            return vrs_fail(VRS_INVALID, "--models: a name is too long, or they are too many");
        (void)snprintf(name, sizeof(name), "%.*s", (int)length, at);
        vrs_status status = vrs_model_load(name, &model);
        if (status != VRS_OK)
            return status;
        vrs_model_info info = vrs_model_get_info(model);
        if (!info.installed)
            status = vrs_fail(VRS_NOT_FOUND, "%s is not installed: its file belongs at %s", name,
                              info.weights_path);
        else
            add_model(c, name, &info);
        vrs_model_destroy(model);
        if (status != VRS_OK)
            return status;
        at = at[length] == ',' ? at + length + 1 : NULL;
    }
    return VRS_OK;
}

static vrs_status find_models(const compare_args *a, vrs_comparison *c)
{
    vrs_status status = a->models != NULL ? take_named(a, c) : vrs_models_list(take_model, c);
    if (status == VRS_OK && c->count == 0)
        status = vrs_fail(VRS_NOT_FOUND, "no model is installed: `vrseg models fetch NAME` brings "
                                         "one, `vrseg models` lists them");
    return status;
}

/* ---- pictures and their masks ---- */

static bool is_picture(const char *name)
{
    static const char *const ends[] = {".bmp", ".jpeg", ".jpg",  ".pgm", ".png",
                                       ".ppm", ".tif",  ".tiff", ".webp"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && name[0] != '.' && i < sizeof(ends) / sizeof(ends[0]); i++)
        if (strcasecmp(dot, ends[i]) == 0)
            return true;
    return false;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int pictures_alone(const struct dirent *entry)
{
    return is_picture(entry->d_name) ? 1 : 0;
}

/* Whether a mask's name goes with a picture's: NAME.* or NAME_mask.*. */
static bool goes_with(const char *mask, const char *picture)
{
    size_t length = (size_t)(strrchr(picture, '.') - picture);
    return strncmp(mask, picture, length) == 0 &&
           (mask[length] == '.' || strncmp(mask + length, "_mask.", 6) == 0);
}

static void free_names(struct dirent **names, int count)
{
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* Pictures and masks go together by their names. For a video their order counts. */
static vrs_status check_masks(const compare_args *a)
{
    struct stat info;
    struct dirent **pictures = NULL, **masks = NULL;
    if (a->masks == NULL || stat(a->input, &info) != 0 || !S_ISDIR(info.st_mode))
        return VRS_OK;
    int count = scandir(a->input, &pictures, pictures_alone, by_name);
    int mask_count = scandir(a->masks, &masks, pictures_alone, by_name);
    vrs_status status = VRS_OK;
    if (count < 0 || mask_count < 0)
        status = vrs_fail(VRS_NOT_FOUND, "%s: cannot be listed", count < 0 ? a->input : a->masks);
    for (int i = 0; status == VRS_OK && i < count && i < a->frames; i++)
        if (i >= mask_count || !goes_with(masks[i]->d_name, pictures[i]->d_name))
            status = vrs_fail(VRS_INVALID,
                              "--masks %s: there is no mask for %s; wanted is one of its name for "
                              "each picture, and nothing else",
                              a->masks, pictures[i]->d_name);
    free_names(pictures, count > 0 ? count : 0);
    free_names(masks, mask_count > 0 ? mask_count : 0);
    return status;
}

/* ---- the input ---- */

typedef struct looked {
    vrs_trial_end end;
    vrs_input_info info;
} looked;

/* In a process of its own: libav has threads. */
static void look(void *opaque, void *report)
{
    const compare_args *a = opaque;
    looked *l = report;
    vrs_input *input;
    l->end.status = vrs_input_open(a->config, a->input, &input);
    if (l->end.status == VRS_OK) {
        vrs_input_get_info(input, &l->info);
        vrs_input_close(input);
    } else {
        (void)snprintf(l->end.detail, sizeof(l->end.detail), "%s", vrs_last_error());
    }
}

static vrs_status look_at_input(compare_args *a, vrs_comparison *c)
{
    looked l;
    vrs_status status = vrs_trial_run(look, a, &l, sizeof(l), 120, vrs_interrupted());
    if (status != VRS_OK)
        return status;
    c->width = l.info.width;
    c->height = l.info.height;
    if (!l.info.still && l.info.rate_num > 0 && l.info.rate_den > 0)
        c->rate = (double)l.info.rate_num / l.info.rate_den;
    return VRS_OK;
}

/* The sheet's frames, after everything that is forked. */
static vrs_status read_pictures(const compare_args *a, vrs_comparison *c, int64_t frames)
{
    const vrs_input_tensor tensor = {.width = VRS_COMPARE_CELL_WIDTH,
                                     .height = VRS_COMPARE_CELL_HEIGHT,
                                     .letterbox = true,
                                     .bytes = true,
                                     .scale = {1, 1, 1}};
    vrs_input *input;
    int32_t wanted = frames < VRS_COMPARE_CELLS ? (int32_t)frames : VRS_COMPARE_CELLS;
    vrs_status status = vrs_input_open(a->config, a->input, &input);
    if (status != VRS_OK)
        return status;
    for (int64_t i = 0; status == VRS_OK && c->picture_count < wanted; i++) {
        vrs_frame frame;
        if (vrs_compare_frame(frames, c->picture_count) != i) {
            status = vrs_input_read(input, &frame);
            vrs_image_release(&frame.image);
            continue;
        }
        c->picture_frames[c->picture_count] = i;
        status = vrs_input_read_tensor(
            input, &tensor, c->pictures + (size_t)c->picture_count * 3 * VRS_COMPARE_CELL_BYTES,
            NULL);
        c->picture_count += status == VRS_OK ? 1 : 0;
    }
    vrs_input_close(input);
    return status;
}

/* ---- measuring ---- */

static vrs_status read_cells(const char *path, uint8_t *cells)
{
    FILE *file = fopen(path, "re");
    size_t size = file != NULL
                      ? fread(cells, 1, (size_t)VRS_COMPARE_CELLS * VRS_COMPARE_CELL_BYTES, file)
                      : 0;
    if (file != NULL)
        (void)fclose(file);
    return size > 0 ? VRS_OK : vrs_fail(VRS_IO, "%s: cannot be read", path);
}

static vrs_status measure_model(const compare_args *a, const vrs_compare_work *work,
                                vrs_compared *m)
{
    vrs_status status = vrs_config_set(a->config, "model", m->name);
    if (status == VRS_OK)
        status = vrs_compare_measure(a->config, work, vrs_interrupted(), &m->result);
    if (status == VRS_CANCELLED)
        return status;
    m->cells = calloc(VRS_COMPARE_CELLS, VRS_COMPARE_CELL_BYTES);
    if (m->cells == NULL)
        return vrs_fail(VRS_NO_MEMORY, "no memory for a contact sheet");
    if (status == VRS_OK)
        status = read_cells(work->cells, m->cells);
    m->measured = status == VRS_OK;
    if (!m->measured)
        (void)snprintf(m->reason, sizeof(m->reason), "%s", vrs_last_error());
    if (a->progress == VRS_PROGRESS_AUTO && m->measured)
        (void)fprintf(stderr, "vrseg: %s: %.1f frames/s\n", m->name, m->result.fps);
    else if (a->progress == VRS_PROGRESS_AUTO)
        (void)fprintf(stderr, "vrseg: %s: %s\n", m->name, m->reason);
    return VRS_OK;
}

static vrs_status measure_all(const compare_args *a, vrs_comparison *c, const char *folder)
{
    vrs_compare_work work = {
        .input = a->input, .masks = a->masks, .frames = a->frames, .seconds = a->seconds};
    vrs_status status = VRS_OK;
    (void)snprintf(work.pci, sizeof(work.pci), "%s", c->device.pci);
    (void)snprintf(work.cells, sizeof(work.cells), "%s/cells", folder);
    for (int32_t i = 0; i < c->count && status == VRS_OK; i++)
        status = measure_model(a, &work, &c->models[i]);
    return status;
}

/* ---- from the beginning to the end ---- */

static const vrs_compared *first_measured(const vrs_comparison *c)
{
    for (int32_t i = 0; i < c->count; i++)
        if (c->models[i].measured)
            return &c->models[i];
    return NULL;
}

static vrs_status deliver(const compare_args *a, vrs_comparison *c)
{
    const vrs_compared *any = first_measured(c);
    if (any == NULL)
        return vrs_fail(c->models[0].result.end.status != VRS_OK ? c->models[0].result.end.status
                                                                 : VRS_CANCELLED,
                        "%s: %s", c->models[0].name,
                        c->models[0].reason[0] != 0 ? c->models[0].reason : "not measured");
    vrs_status status = read_pictures(a, c, any->result.frames);
    if (status != VRS_OK)
        return status;
    vrs_compare_recommend(c);
    bool taken = a->json != NULL && strcmp(a->json, "-") == 0;
    vrs_compare_print(c, taken ? stderr : stdout);
    if (a->sheet != NULL)
        status = vrs_compare_sheet(c, a->sheet);
    if (status == VRS_OK && a->json != NULL)
        status = vrs_compare_json(c, a->json);
    return status;
}

static vrs_status check_files(const compare_args *a)
{
    const vrs_aside files[] = {{"the input", a->input}, {"--sheet", a->sheet}, {"--json", a->json}};
    vrs_status status = VRS_OK;
    for (size_t i = 1; i < sizeof(files) / sizeof(files[0]) && status == VRS_OK; i++) {
        status = vrs_aside_distinct(files[i].what, files[i].path, files, i);
        if (status == VRS_OK)
            status = vrs_aside_writable(files[i].what, files[i].path);
    }
    return status;
}

static vrs_status compare(compare_args *a, vrs_comparison *c)
{
    char folder[VRS_WORK_FOLDER_SIZE] = "";
    vrs_status status = check_files(a);
    if (status == VRS_OK)
        status = check_masks(a);
    if (status == VRS_OK)
        status = find_models(a, c);
    if (status == VRS_OK)
        status = look_at_input(a, c);
    if (status == VRS_OK)
        status = vrs_bench_device_find(a->config, vrs_interrupted(), &c->device);
    if (status == VRS_OK)
        status = vrs_config_set(a->config, "device", c->device.id);
    if (status == VRS_OK)
        status = vrs_work_folder_make(folder, sizeof(folder));
    if (status == VRS_OK)
        status = measure_all(a, c, folder);
    vrs_work_folder_remove(folder);
    c->stopped = status == VRS_CANCELLED;
    return status == VRS_OK || c->stopped ? deliver(a, c) : status;
}

static int run_compare(compare_args *a)
{
    vrs_comparison c = {.input = a->input, .masks = a->masks != NULL, .best = -1};
    c.models = calloc(VRS_COMPARE_MAX_MODELS, sizeof(*c.models));
    c.pictures = calloc(VRS_COMPARE_CELLS, (size_t)3 * VRS_COMPARE_CELL_BYTES);
    vrs_interrupts_catch();
    vrs_status status = c.models == NULL || c.pictures == NULL
                            ? vrs_fail(VRS_NO_MEMORY, "no memory for a comparison")
                            : compare(a, &c);
    for (int32_t i = 0; i < c.count; i++)
        free(c.models[i].cells);
    free(c.models);
    free(c.pictures);
    if (status != VRS_OK)
        return vrs_report(status);
    return c.stopped ? VRS_EXIT_INTERRUPTED : VRS_EXIT_DONE;
}

int vrs_models_compare(int argc, char **argv)
{
    static struct argp_child children[2];
    static const struct argp argp = {
        .options = compare_options,
        .parser = parse_compare,
        .args_doc = "FILE",
        .doc = "Runs each installed model on frames of FILE, a video or a folder of pictures, and "
               "shows rate, memory, flicker, and with --masks how right it is; recommends one.\v"
               "Exit status: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted (what was "
               "measured is shown).",
        .children = children,
    };
    compare_args args = {.frames = DEFAULT_FRAMES, .seconds = DEFAULT_SECONDS};
    vrs_status status = vrs_flags_config(&args.config);
    if (status != VRS_OK)
        return vrs_report(status);
    children[0].argp = vrs_flags_argp();
    (void)argp_parse(&argp, argc, argv, 0, NULL, &args);
    int code = run_compare(&args);
    vrs_config_destroy(args.config);
    return code;
}
