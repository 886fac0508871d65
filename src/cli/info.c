/* vrseg info: what a file is, how its pictures lie, and who says so. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "vrseg/input.h"

enum { KEY_JSON = 1 };

static const struct argp_option own_options[] = {
    {"json", KEY_JSON, NULL, 0, "A line of JSON for each file", 1},
    {0},
};

typedef struct arguments {
    vrs_config *config;
    bool json;
    char **files;
    int count;
} arguments;

/* What is known of a file. */
typedef struct facts {
    const char *path;
    vrs_input_info info;
    vrs_layout_reading layout;
} facts;

static error_t parse(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    (void)value;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = a->config;
        return 0;
    case KEY_JSON:
        a->json = true;
        return 0;
    case ARGP_KEY_ARGS:
        a->files = state->argv + state->next;
        a->count = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no file is named");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp *vrs_info_argp(void)
{
    static struct argp_child children[2];
    static const struct argp argp = {
        .options = own_options,
        .parser = parse,
        .args_doc = "FILE...",
        .doc = "Shows what each FILE is, which part of its frames is which eye's, and what the "
               "pixels look at: what the options, the container, the file's name and its first "
               "picture say of that, how sure each is, and who is believed. The options layout and "
               "projection override the others, as they do in a run.",
        .children = children,
    };
    children[0].argp = vrs_flags_argp();
    return &argp;
}

/* ---- lines ---- */

static void print_claims(const vrs_layout_reading *r)
{
    for (int v = 0; v < VRS_VOICES; v++) {
        const vrs_layout_claim *claim = &r->claims[v];
        char sure[48] = "";
        if (claim->stereo > 0 && claim->projection > 0)
            (void)snprintf(sure, sizeof(sure), " (sure: eyes %.2f, projection %.2f)",
                           (double)claim->stereo, (double)claim->projection);
        else if (claim->stereo > 0 || claim->projection > 0)
            (void)snprintf(sure, sizeof(sure), " (sure: %s %.2f)",
                           claim->stereo > 0 ? "eyes" : "projection",
                           (double)(claim->stereo > 0 ? claim->stereo : claim->projection));
        (void)printf("    %-10s %s%s\n", vrs_layout_voice_name((vrs_layout_voice)v),
                     claim->why[0] != 0 ? claim->why : "-", sure);
    }
}

static void print_eyes(const facts *f)
{
    static const char *const names[] = {"left", "right"};
    vrs_rect eyes[2] = {0};
    int count = 0;
    if (vrs_layout_eyes(&f->layout.layout, f->info.width, f->info.height, eyes, &count) != VRS_OK ||
        count < 2)
        return;
    (void)fputs("  eyes        ", stdout);
    for (int e = 0; e < count && e < 2; e++)
        (void)printf("%s%s %dx%d at %d,%d", e > 0 ? ", " : "", names[e], eyes[e].width,
                     eyes[e].height, eyes[e].x, eyes[e].y);
    (void)putchar('\n');
}

static void print_facts(const facts *f)
{
    char text[128];
    const vrs_layout_reading *r = &f->layout;
    (void)printf("%s: %s", f->path, f->info.description);
    if (f->info.frame_estimate > 0)
        (void)printf(", %lld frames", (long long)f->info.frame_estimate);
    vrs_layout_text(&r->layout, text, sizeof(text));
    (void)printf("\n  layout      %s\n", text);
    print_eyes(f);
    if (r->layout.yaw != 0 || r->layout.pitch != 0 || r->layout.roll != 0)
        (void)printf("  turned      yaw %.4g, pitch %.4g, roll %.4g degrees\n", r->layout.yaw,
                     r->layout.pitch, r->layout.roll);
    (void)printf("  by          eyes: %s; projection: %s\n", vrs_layout_voice_name(r->stereo_by),
                 vrs_layout_voice_name(r->projection_by));
    print_claims(r);
    if (r->conflict[0] != 0)
        (void)printf("  contradicts %s\n", r->conflict);
    if (r->doubt[0] != 0)
        (void)printf("  unknown     %s\n", r->doubt);
}

/* ---- JSON ---- */

static void write_layout(yajl_gen gen, const vrs_layout *layout)
{
    char text[128];
    vrs_layout_text(layout, text, sizeof(text));
    vrs_json_text(gen, "layout", vrs_stereo_name(layout->stereo));
    vrs_json_key(gen, "swapped");
    (void)yajl_gen_bool(gen, layout->swapped);
    vrs_json_key(gen, "squeezed");
    (void)yajl_gen_bool(gen, layout->squeezed);
    vrs_json_text(gen, "projection", vrs_projection_name(layout->projection));
    vrs_json_text(gen, "lens", vrs_lens_name(layout->lens));
    vrs_json_number(gen, "fov", layout->fov);
    vrs_json_text(gen, "text", text);
}

static void write_claims(yajl_gen gen, const vrs_layout_reading *r)
{
    vrs_json_key(gen, "claims");
    (void)yajl_gen_map_open(gen);
    for (int v = 0; v < VRS_VOICES; v++) {
        const vrs_layout_claim *claim = &r->claims[v];
        vrs_json_key(gen, vrs_layout_voice_name((vrs_layout_voice)v));
        (void)yajl_gen_map_open(gen);
        vrs_json_reading(gen, "layout_sure", (double)claim->stereo, 2);
        vrs_json_reading(gen, "projection_sure", (double)claim->projection, 2);
        write_layout(gen, &claim->layout);
        vrs_json_text(gen, "why", claim->why);
        (void)yajl_gen_map_close(gen);
    }
    (void)yajl_gen_map_close(gen);
}

static void write_facts(yajl_gen gen, const facts *f)
{
    const vrs_layout_reading *r = &f->layout;
    (void)yajl_gen_map_open(gen);
    vrs_json_text(gen, "file", f->path);
    vrs_json_text(gen, "description", f->info.description);
    vrs_json_integer(gen, "width", f->info.width);
    vrs_json_integer(gen, "height", f->info.height);
    vrs_json_key(gen, "frames");
    if (f->info.frame_estimate >= 0)
        (void)yajl_gen_integer(gen, f->info.frame_estimate);
    else
        (void)yajl_gen_null(gen);
    write_layout(gen, &r->layout);
    vrs_json_text(gen, "layout_by", vrs_layout_voice_name(r->stereo_by));
    vrs_json_text(gen, "projection_by", vrs_layout_voice_name(r->projection_by));
    vrs_json_text(gen, "conflict", r->conflict);
    vrs_json_text(gen, "doubt", r->doubt);
    write_claims(gen, r);
    (void)yajl_gen_map_close(gen);
    vrs_json_line(gen, stdout);
}

/* ---- the command ---- */

static vrs_status show(const arguments *a, yajl_gen gen, const char *path)
{
    facts f = {.path = path};
    vrs_input *input = NULL;
    vrs_status status = vrs_input_open(a->config, path, &input);
    if (status != VRS_OK)
        return status;
    vrs_input_get_info(input, &f.info);
    status = vrs_input_get_layout(input, a->config, &f.layout);
    if (status == VRS_OK && a->json)
        write_facts(gen, &f);
    else if (status == VRS_OK)
        print_facts(&f);
    vrs_input_close(input);
    return status;
}

int vrs_command_info(int argc, char **argv)
{
    arguments a = {.json = false};
    vrs_status status = vrs_flags_config(&a.config);
    if (status != VRS_OK)
        return vrs_report(status);
    (void)argp_parse(vrs_info_argp(), argc, argv, 0, NULL, &a);
    yajl_gen gen = yajl_gen_alloc(NULL);
    int code = gen != NULL ? VRS_EXIT_DONE : VRS_EXIT_FAILED;
    for (int i = 0; i < a.count && gen != NULL; i++) {
        status = show(&a, gen, a.files[i]);
        if (status != VRS_OK)
            code = vrs_report(status);
    }
    if (gen != NULL)
        yajl_gen_free(gen);
    vrs_config_destroy(a.config);
    return code;
}
