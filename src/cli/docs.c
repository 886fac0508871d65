/* vrseg docs: the option table as Markdown, and the manual page; docs/ and the installed page are
 * made from this, so they cannot differ from the program. */
#include <ctype.h>
#include <string.h>

#include "cli/cli.h"

static void print_flag(const char *name, const char *hyphen)
{
    for (; *name != 0; name++)
        if (*name == '_')
            (void)fputs(hyphen, stdout);
        else
            (void)putchar(*name);
}

static void print_range(const vrs_option_info *o)
{
    if (o->type == VRS_OPTION_CHOICE)
        for (const char *c = o->choices; *c != 0; c++)
            (void)fputs(*c == '|' ? ", " : (char[]){*c, 0}, stdout);
    else if (o->type == VRS_OPTION_BOOL)
        (void)fputs("on, off", stdout);
    else if (o->type == VRS_OPTION_STRING)
        (void)fputs("text", stdout);
    else
        (void)printf("%.10g to %.10g%s%s", o->min, o->max, o->unit[0] != 0 ? " " : "", o->unit);
}

static void print_markdown(const vrs_config *config)
{
    (void)puts(
        "# Options\n\nMade by `vrseg docs options` from the option table. Each is a flag of "
        "`vrseg run`, a key of its\nsection in a YAML file (`--config FILE`), and a name for "
        "`vrs_config_set()`:\n\n    mask:\n      smooth: on\n      smooth_weight: 0.5");
    const char *section = "";
    for (size_t i = 0; i < vrs_config_count(config); i++) {
        const vrs_option_info *o = vrs_config_option(config, i);
        if (strcmp(section, o->section) != 0) {
            section = o->section;
            (void)printf("\n## %s\n\n| flag | key | default | values | what |\n|---|---|---|---|"
                         "---|\n",
                         section);
        }
        (void)fputs("| `--", stdout);
        print_flag(o->name, "-");
        (void)printf("` | `%s` | %s | ", o->name,
                     o->default_value[0] != 0 ? o->default_value : "none");
        print_range(o);
        (void)printf(" | %s |\n", o->help);
    }
}

static void print_man(const vrs_config *config)
{
    (void)printf(".TH VRSEG 1 \"\" \"vrseg %s\" \"User Commands\"\n.SH NAME\nvrseg \\- segment the "
                 "people in video\n.SH SYNOPSIS\n",
                 vrs_version());
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++)
        (void)printf(".B vrseg %s\n%s%s.br\n", c->name, c->arguments,
                     c->arguments[0] != 0 ? "\n" : "");
    (void)puts(".SH COMMANDS");
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++)
        (void)printf(".TP\n.B %s\n%c%s.\n", c->name, toupper((unsigned char)c->summary[0]),
                     c->summary + 1);
    (void)puts(
        ".SH INPUT\nA video, a picture, a folder of pictures, a camera (/dev/video0), or "
        "\\- for standard input.\n.SH OPTIONS OF RUN\n.TP\n.BR \\-o \" "
        "[\\fIKIND\\fR:]\\fIFILE\\fR\"\nWrite an output; may be given up to four times. "
        "KIND is mask, classes, green (people over \\-\\-background), cutout (with alpha) or "
        "preview (one PNG: source, mask, composite). FILE is a video by its extension, a "
        "folder for PNGs (ends with /), \\- for standard output, or null.\n.TP\n.B "
        "\\-\\-output\nKind of the outputs that name none (mask).\n.TP\n.B "
        "\\-\\-config\nRead settings from a YAML file.\n.TP\n.B \\-\\-json\nWrite every "
        "figure of the run as JSON.\n.TP\n.B \\-\\-progress\nHow progress is shown: auto, "
        "json or none.");
    for (size_t i = 0; i < vrs_config_count(config); i++) {
        const vrs_option_info *o = vrs_config_option(config, i);
        (void)fputs(".TP\n.B \\-\\-", stdout);
        print_flag(o->name, "\\-");
        (void)printf("\n%s (", o->help);
        print_range(o);
        (void)printf("; default %s)\n", o->default_value[0] != 0 ? o->default_value : "none");
    }
    (void)puts(".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage or input, 3 done but some frames "
               "are damaged or failed, 130 interrupted.\n.SH ENVIRONMENT\n.TP\n.B "
               "VRSEG_MODELS_DIR\nFolder of the weights; else vrseg/models in XDG_DATA_HOME or "
               "~/.local/share.\n.TP\n.B VRSEG_DESCRIPTORS_DIR\nFolder of descriptors that is "
               "searched first.\n.TP\n.B VRSEG_OPENVINO_DIR\nFolder of OpenVINO's libraries.");
}

int vrs_command_docs(int argc, char **argv)
{
    bool options = argc == 2 && strcmp(argv[1], "options") == 0;
    bool man = argc == 2 && strcmp(argv[1], "man") == 0;
    if (!options && !man) {
        bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
        (void)fputs("Usage: vrseg docs options|man\n", help ? stdout : stderr);
        return help ? VRS_EXIT_DONE : VRS_EXIT_USAGE;
    }
    vrs_config *config;
    if (vrs_job_config_create(&config) != VRS_OK)
        return vrs_report(VRS_NO_MEMORY);
    if (options)
        print_markdown(config);
    else
        print_man(config);
    vrs_config_destroy(config);
    return VRS_EXIT_DONE;
}
