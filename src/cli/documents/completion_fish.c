/* Completion of fish. */
#include <string.h>

#include "cli/documents/completion.h"

static void print_escaped(const char *text, size_t count)
{
    for (size_t i = 0; i < count && text[i] != 0; i++) {
        if (text[i] == '\'' || text[i] == '\\')
            (void)putchar('\\');
        (void)putchar(text[i]);
    }
}

static void print_help(const char *text)
{
    (void)fputs(" -d '", stdout);
    print_escaped(text, vrs_short_help(text));
    (void)puts("'");
}

/* What vrseg prints when it is called so, later. */
static void print_list(const char *arguments)
{
    (void)fputs(" -a '(vrseg ", stdout);
    print_escaped(arguments, strlen(arguments));
    (void)fputs(")'", stdout);
}

/* A line for one flag of the command `opaque`. */
static void print_flag(void *opaque, const struct argp_option *flag, const vrs_option_info *option)
{
    const char *command = opaque;
    vrs_value value = vrs_flag_value(flag, option);
    (void)printf("complete -c vrseg -n '__fish_seen_subcommand_from %s' ", command);
    if (flag->name != NULL)
        (void)printf("-l %s", flag->name);
    else
        (void)printf("-s %c", flag->key);
    if (value.kind == VRS_VALUE_TEXT || value.kind == VRS_VALUE_WORDS)
        (void)fputs(" -x", stdout);
    if (value.kind > VRS_VALUE_WORDS)
        (void)fputs(" -r -F", stdout);
    if (value.kind == VRS_VALUE_CONFIG)
        print_list(VRS_LIST_CONFIGS);
    if (value.kind == VRS_VALUE_MODEL)
        print_list(VRS_LIST_MODELS);
    if (value.kind == VRS_VALUE_WORDS) {
        (void)fputs(" -a '", stdout);
        vrs_print_words(value.words);
        (void)putchar('\'');
    }
    print_help(option != NULL ? option->help : flag->doc);
}

void vrs_print_fish(const vrs_config *config)
{
    (void)puts("# Completion of fish for vrseg, made by `vrseg docs fish`.\n");
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++) {
        (void)printf("complete -c vrseg -n __fish_use_subcommand -f -a %s", c->name);
        print_help(c->summary);
    }
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++) {
        (void)printf("\ncomplete -c vrseg -n '__fish_seen_subcommand_from %s' -l help -d 'Explain "
                     "the command'\n",
                     c->name);
        char name[64];
        (void)snprintf(name, sizeof(name), "%s", c->name);
        vrs_flags_visit(c, config, print_flag, name);
        size_t length;
        const char *word;
        for (size_t i = 0; (word = vrs_command_word(c, i, &length)) != NULL; i++)
            (void)printf("complete -c vrseg -n '__fish_seen_subcommand_from %s' -f -a %.*s\n", name,
                         (int)length, word);
    }
}
