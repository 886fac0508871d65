/* vrseg docs: the option table as Markdown, the manual pages and completion; docs/ and what is
 * installed are made from this, so they cannot differ from the program. */
#include <string.h>

#include "cli/cli.h"

static void print_flag(const char *name)
{
    for (; *name != 0; name++)
        (void)putchar(*name == '_' ? '-' : *name);
}

void vrs_print_range(const vrs_option_info *o)
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
        "`vrseg run`, a variable\n`VRSEG_OPTION_NAME` of the environment, a key of its section in "
        "a YAML file (`--config FILE`), and a\nname for `vrs_config_set()`; "
        "[configuration.md](configuration.md) says which goes before which.\n\n    mask:\n      "
        "smooth: on\n      smooth_weight: 0.5");
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
        print_flag(o->name);
        (void)printf("` | `%s` | %s | ", o->name,
                     o->default_value[0] != 0 ? o->default_value : "none");
        vrs_print_range(o);
        (void)printf(" | %s |\n", o->help);
    }
}

/* The command of a name, or NULL with a sentence. */
static const vrs_command *find_command(const char *name)
{
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    (void)fprintf(stderr, "vrseg: docs man %s: there is no such command\n", name);
    return NULL;
}

static void print(const char *what, const vrs_config *config, const vrs_command *command)
{
    if (strcmp(what, "options") == 0)
        print_markdown(config);
    else if (strcmp(what, "man") == 0)
        vrs_print_man(config, command);
    else if (strcmp(what, "bash") == 0)
        vrs_print_bash(config);
    else if (strcmp(what, "zsh") == 0)
        vrs_print_zsh(config);
    else
        vrs_print_fish(config);
}

/* False: not the words that docs takes. */
static bool check_usage(int argc, char **argv)
{
    static const char *const known[] = {"options", "man", "bash", "zsh", "fish"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && argc > 1; i++)
        if (strcmp(argv[1], known[i]) == 0)
            return argc == 2 || (argc == 3 && strcmp(argv[1], "man") == 0);
    return false;
}

int vrs_command_docs(int argc, char **argv)
{
    if (!check_usage(argc, argv)) {
        bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
        if (!help && vrs_refuse_word("docs", argc > 1 ? argv[1] : NULL))
            return VRS_EXIT_USAGE;
        (void)fputs("Usage: vrseg docs options | man [COMMAND] | bash | zsh | fish\n\nPrints the "
                    "option table as Markdown, a manual page, or a shell's completion.\n",
                    help ? stdout : stderr);
        return help ? VRS_EXIT_DONE : VRS_EXIT_USAGE;
    }
    const vrs_command *command = argc == 3 ? find_command(argv[2]) : NULL;
    if (argc == 3 && command == NULL)
        return VRS_EXIT_USAGE;
    vrs_config *config; /* without the environment: the same everywhere */
    if (vrs_job_config_create(&config) != VRS_OK)
        return vrs_report(VRS_NO_MEMORY);
    print(argv[1], config, command);
    vrs_config_destroy(config);
    return VRS_EXIT_DONE;
}
