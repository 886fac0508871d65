/* Completion of zsh. */
#include <string.h>

#include "cli/documents/completion.h"

/* Text inside of single quotes; `special` gets a backslash before it. */
static void print_escaped(const char *text, size_t count, const char *special)
{
    for (size_t i = 0; i < count && text[i] != 0; i++)
        if (text[i] == '\'')
            (void)fputs("'\\''", stdout);
        else if (strchr(special, text[i]) != NULL)
            (void)printf("\\%c", text[i]);
        else
            (void)putchar(text[i]);
}

/* One specification of _arguments: '--flag=[help]:value:action'. */
static void print_flag(void *opaque, const struct argp_option *flag, const vrs_option_info *option)
{
    (void)opaque;
    vrs_value value = vrs_flag_value(flag, option);
    const char *help = option != NULL ? option->help : flag->doc;
    if (flag->name != NULL)
        (void)printf("            '--%s%s[", flag->name, value.kind == VRS_VALUE_NONE ? "" : "=");
    else
        (void)printf("            '*-%c[", flag->key); /* may be given again */
    print_escaped(help, vrs_short_help(help), "\\[]:");
    (void)putchar(']');
    if (value.kind != VRS_VALUE_NONE)
        (void)fputs(":value:", stdout);
    if (value.kind == VRS_VALUE_WORDS) {
        (void)putchar('(');
        vrs_print_words(value.words);
        (void)putchar(')');
    }
    if (value.kind == VRS_VALUE_FILE)
        (void)fputs("_files", stdout);
    if (value.kind == VRS_VALUE_CONFIG)
        (void)fputs("_vrseg_configs", stdout);
    if (value.kind == VRS_VALUE_MODEL)
        (void)fputs("_vrseg_models", stdout);
    (void)puts("' \\");
}

static void print_command(const vrs_command *c, const vrs_config *config)
{
    (void)printf("    %s)\n        _arguments \\\n            '--help[Explain the command]' \\\n",
                 c->name);
    vrs_flags_visit(c, config, print_flag, NULL);
    size_t length;
    const char *word = vrs_command_word(c, 0, &length);
    if (word == NULL) {
        (void)puts("            '*:file:_files' ;;");
        return;
    }
    (void)fputs("            '1:what:(", stdout);
    for (size_t i = 0; (word = vrs_command_word(c, i, &length)) != NULL; i++)
        (void)printf("%s%.*s", i == 0 ? "" : " ", (int)length, word);
    (void)puts(")' ;;");
}

void vrs_print_zsh(const vrs_config *config)
{
    (void)puts("#compdef vrseg\n# Completion of zsh for vrseg, made by `vrseg docs zsh`.\n\n"
               "_vrseg_configs() {\n    local -a names\n"
               "    names=(${(f)\"$(vrseg " VRS_LIST_CONFIGS ")\"})\n"
               "    _alternative \"names:configuration:(${names})\" 'files:file:_files'\n}\n\n"
               "_vrseg_models() {\n    local -a names\n"
               "    names=(${(f)\"$(vrseg " VRS_LIST_MODELS ")\"})\n"
               "    _alternative \"names:model:(${names})\" 'files:file:_files'\n}\n\n"
               "_vrseg() {\n    local -a commands\n    commands=(");
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++) {
        (void)printf("        '%s:", c->name);
        print_escaped(c->summary, strlen(c->summary), "\\:");
        (void)puts("'");
    }
    (void)puts("    )\n    if (( CURRENT == 2 )); then\n"
               "        _describe -t commands command commands\n        return\n    fi\n"
               "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n"
               "    case $command in");
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++)
        print_command(c, config);
    (void)puts("    esac\n}\n\n_vrseg \"$@\"");
}
