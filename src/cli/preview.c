/* vrseg preview: what a file is and what masks it gets, before a night's run. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define PATH_SIZE 4096
#define PLACES 12
#define SECONDS 10.0

enum { KEY_SECONDS = 1, KEY_PLACES };

static const struct argp_option own_options[] = {
    {"output", 'o', "FOLDER", 0, "Where NAME_preview.png and NAME_preview.mp4 go (.)", 1},
    {"seconds", KEY_SECONDS, "S", 0, "Length of the clip, from the film's middle; 0: none (10)", 1},
    {"places", KEY_PLACES, "N", 0, "Places on the sheet, evenly over the film, 1 to 64 (12)", 1},
    {0},
};

typedef struct arguments {
    vrs_config *config;
    const char *file, *folder;
    double seconds;
    int32_t places;
} arguments;

static bool is_interrupted(void *opaque)
{
    (void)opaque;
    return *vrs_interrupted() != 0;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = a->config;
        return 0;
    case 'o':
        a->folder = value;
        return 0;
    case KEY_SECONDS:
        a->seconds = vrs_flag_number("seconds", value, 0, 3600, state);
        return 0;
    case KEY_PLACES:
        a->places = (int32_t)vrs_flag_number("places", value, 1, 64, state);
        return 0;
    case ARGP_KEY_ARG:
        if (a->file != NULL)
            argp_error(state, "%s: one file at a time", value);
        a->file = value;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no file is named");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp *vrs_preview_argp(void)
{
    static struct argp_child children[2];
    static const struct argp argp = {
        .options = own_options,
        .parser = parse,
        .args_doc = "FILE",
        .doc =
            "Looks at FILE before a long run: says how its pictures lie and who says so (vrseg "
            "info), and writes a sheet of places all over the film and a clip of its middle, "
            "each with the picture, its mask and the people over --background side by side, made "
            "with the model and the settings that the same flags give a run.",
        .children = children,
    };
    children[0].argp = vrs_flags_argp();
    return &argp;
}

/* FOLDER/NAME_preview.EXTENSION */
static vrs_status name_output(const arguments *a, const char *extension, char path[PATH_SIZE])
{
    const char *slash = strrchr(a->file, '/'), *name = slash != NULL ? slash + 1 : a->file;
    const char *dot = strrchr(name, '.');
    size_t length = dot != NULL && dot > name ? (size_t)(dot - name) : strlen(name);
    const size_t folder = strlen(a->folder);
    const bool slashed = folder > 0 && a->folder[folder - 1] == '/';
    if (strcmp(a->file, "-") == 0) {
        name = "stdin";
        length = strlen(name);
    }
    int written = snprintf(path, PATH_SIZE, "%s%s%.*s_preview.%s", a->folder, slashed ? "" : "/",
                           (int)length, name, extension);
    return written > 0 && written < PATH_SIZE
               ? VRS_OK
               : vrs_fail(VRS_INVALID, "%s: the name is too long", a->file);
}

static void print_time(double seconds)
{
    const long minutes = (long)(seconds / 60);
    if (minutes >= 60)
        (void)printf("%ld h %02ld min", minutes / 60, minutes % 60);
    else if (minutes > 0)
        (void)printf("%ld min %02ld s", minutes, (long)seconds % 60);
    else
        (void)printf("%.0f s", seconds);
}

static void print_result(const arguments *a, const vrs_look_result *r, const char *sheet,
                         const char *clip)
{
    char text[128];
    vrs_layout_text(&r->layout.layout, text, sizeof(text));
    (void)printf("%s\n  layout  %s (eyes by %s, projection by %s)\n", a->file, text,
                 vrs_layout_voice_name(r->layout.stereo_by),
                 vrs_layout_voice_name(r->layout.projection_by));
    if (r->layout.conflict[0] != 0)
        (void)printf("          %s\n", r->layout.conflict);
    if (r->layout.doubt[0] != 0)
        (void)printf("          %s\n", r->layout.doubt);
    (void)printf("  sheet   %s: %d places%s, people in %d, %.1f %% of the picture on average\n",
                 sheet, r->places, r->in_order ? " from the beginning, as it cannot seek" : "",
                 r->with_people, 100 * r->coverage);
    if (clip == NULL || r->clip_frames == 0)
        return;
    (void)printf("  clip    %s: %lld frames\n", clip, (long long)r->clip_frames);
    if (r->frame_estimate <= 0 || r->clip_fps <= 0)
        return;
    (void)printf("  run     %lld frames take about ", (long long)r->frame_estimate);
    print_time((double)r->frame_estimate / r->clip_fps);
    (void)printf(" at the clip's %.1f frames/s\n", r->clip_fps);
}

static vrs_status look(const arguments *a)
{
    char sheet[PATH_SIZE], clip[PATH_SIZE];
    vrs_look_result result;
    const bool wants_clip = a->seconds > 0;
    vrs_status status = name_output(a, "png", sheet);
    if (status == VRS_OK)
        status = name_output(a, "mp4", clip);
    if (status != VRS_OK)
        return status;
    const vrs_look_params params = {
        .sheet = sheet,
        .clip = wants_clip ? clip : NULL,
        .places = a->places,
        .seconds = wants_clip ? a->seconds : SECONDS,
        .stop = is_interrupted,
    };
    status = vrs_media_look(a->config, a->file, &params, &result);
    if (status == VRS_OK)
        print_result(a, &result, sheet, params.clip);
    return status;
}

int vrs_command_preview(int argc, char **argv)
{
    arguments a = {.folder = ".", .seconds = SECONDS, .places = PLACES};
    vrs_status status = vrs_flags_config(&a.config);
    if (status != VRS_OK)
        return vrs_report(status);
    (void)argp_parse(vrs_preview_argp(), argc, argv, 0, NULL, &a);
    vrs_interrupts_catch();
    status = look(&a);
    vrs_config_destroy(a.config);
    return status == VRS_OK ? VRS_EXIT_DONE : vrs_report(status);
}
