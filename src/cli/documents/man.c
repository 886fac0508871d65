/* Manual pages: one of vrseg, and one for each command, made from its flags. */
#include <ctype.h>
#include <string.h>

#include "cli/cli.h"

/* Text as roff shows it: '-' is a hyphen there, '\' an escape, and '.' at a line's start a request.
 * At most `count` bytes. */
static void print_roff(const char *text, size_t count)
{
    for (size_t i = 0; i < count && text[i] != 0; i++) {
        bool starts = i == 0 || text[i - 1] == '\n';
        if (starts && (text[i] == '.' || text[i] == '\''))
            (void)fputs("\\&", stdout);
        if (text[i] == '-')
            (void)fputs("\\-", stdout);
        else if (text[i] == '\\')
            (void)fputs("\\e", stdout);
        else
            (void)putchar(text[i]);
    }
}

static void print_text(const char *text)
{
    print_roff(text, SIZE_MAX);
}

/* What a page is in the midst of. */
typedef struct page {
    const char *section; /* of the options before */
    bool all;            /* the options of the table are listed, not only named */
    bool named;          /* they were */
} page;

static void print_option(const vrs_option_info *o, page *p)
{
    if (!p->all) {
        if (!p->named)
            (void)puts(".PP\nEvery option of\n.BR vrseg\\-run (1)\nis a flag here too.");
        p->named = true;
        return;
    }
    if (strcmp(p->section, o->section) != 0)
        (void)printf(".SS %s\n", o->section);
    p->section = o->section;
    (void)fputs(".TP\n.BI \\-\\-", stdout);
    for (const char *c = o->name; *c != 0; c++)
        (void)fputs(*c == '_' ? "\\-" : (char[]){*c, 0}, stdout);
    (void)puts(" \" VALUE\"");
    print_text(o->help);
    (void)fputs(" (", stdout);
    vrs_print_range(o);
    (void)printf("; default %s)\n", o->default_value[0] != 0 ? o->default_value : "none");
}

static void print_flag(void *opaque, const struct argp_option *flag, const vrs_option_info *option)
{
    if (option != NULL) {
        print_option(option, opaque);
        return;
    }
    (void)fputs(".TP\n.BI ", stdout);
    if (flag->name != NULL) {
        (void)fputs("\\-\\-", stdout);
        print_text(flag->name);
    } else {
        (void)printf("\\-%c", flag->key);
    }
    if (flag->arg != NULL) {
        bool optional = (flag->flags & OPTION_ARG_OPTIONAL) != 0;
        (void)fputs(optional ? " \"[=" : " \" ", stdout);
        print_text(flag->arg);
        (void)fputs(optional ? "]\"" : "\"", stdout);
    }
    (void)putchar('\n');
    print_text(flag->doc != NULL ? flag->doc : "");
    (void)putchar('\n');
}

static void print_title(const char *name, const char *summary)
{
    (void)fputs(".TH ", stdout);
    for (const char *c = name; *c != 0; c++)
        (void)putchar(toupper((unsigned char)*c));
    (void)printf(" 1 \"\" \"vrseg %s\" \"User Commands\"\n.SH NAME\n%s \\- %s\n", vrs_version(),
                 name, summary);
}

static void print_environment(void)
{
    (void)puts(
        ".SH ENVIRONMENT\n.TP\n.BI VRSEG_OPTION_ NAME\nThe option NAME, in capitals: "
        "VRSEG_OPTION_MAX_BATCH_SIZE. It goes before a configuration and behind a flag.\n.TP\n.B "
        "VRSEG_CONFIGS_DIR\nFolder of configurations that is searched first.\n.TP\n.B "
        "VRSEG_MODELS_DIR\nFolder of the weights; else vrseg/models in XDG_DATA_HOME or "
        "~/.local/share.\n.TP\n.B VRSEG_DESCRIPTORS_DIR\nFolder of descriptors that is "
        "searched first.\n.TP\n.B VRSEG_OPENVINO_DIR\nFolder of OpenVINO's libraries.");
}

static void print_whole(void)
{
    print_title("vrseg", "segment the people in video");
    (void)puts(".SH SYNOPSIS");
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++) {
        (void)printf(".B vrseg %s\n", c->name);
        print_text(c->arguments);
        (void)printf("%s.br\n", c->arguments[0] != 0 ? "\n" : "");
    }
    (void)puts(".SH COMMANDS");
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++)
        (void)printf(".TP\n.BR vrseg\\-%s (1)\n%c%s.\n", c->name,
                     toupper((unsigned char)c->summary[0]), c->summary + 1);
    (void)puts(
        ".SH CONFIGURATION\nA setting is the default's, a configuration's (\\-\\-config NAME "
        "or FILE), an environment variable's or a flag's; each goes before those named "
        "first.\n.B vrseg config\nshows every setting and where it comes from, and\n.B vrseg "
        "config \\-\\-list\nthe configurations that are installed.\n.SH EXIT STATUS\n0 done, "
        "1 failed, 2 wrong usage or input, 3 done but some frames are damaged or failed, 4 "
        "done but a target was missed (with \\-\\-strict\\-targets), 130 interrupted.");
    print_environment();
}

static void print_description(const vrs_command *command, const char *doc)
{
    (void)puts("\n.SH DESCRIPTION");
    if (doc == NULL) {
        (void)printf("%c%s.\n", toupper((unsigned char)command->summary[0]), command->summary + 1);
        return;
    }
    print_roff(doc, strcspn(doc, "\v"));
    (void)putchar('\n');
}

void vrs_print_man(const vrs_config *config, const vrs_command *command)
{
    if (command == NULL) {
        print_whole();
        return;
    }
    const struct argp *argp = command->argp != NULL ? command->argp() : NULL;
    const char *doc = argp != NULL ? argp->doc : NULL;
    char name[64];
    (void)snprintf(name, sizeof(name), "vrseg-%s", command->name);
    print_title(name, command->summary);
    (void)printf(".SH SYNOPSIS\n.B vrseg %s\n", command->name);
    print_text(command->arguments);
    print_description(command, doc);
    page p = {.section = "", .all = strcmp(command->name, "run") == 0};
    if (argp != NULL)
        (void)puts(".SH OPTIONS");
    vrs_flags_visit(command, config, print_flag, &p);
    const char *after = doc != NULL ? strchr(doc, '\v') : NULL;
    if (after != NULL) {
        (void)puts(".SH NOTES");
        print_text(after + 1);
        (void)putchar('\n');
    }
    (void)puts(".SH SEE ALSO\n.BR vrseg (1)");
}
