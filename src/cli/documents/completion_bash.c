/* Completion of bash. */
#include "cli/documents/completion.h"

typedef struct script {
    const char *command;
} script;

static void print_name(const struct argp_option *flag)
{
    if (flag->name != NULL)
        (void)printf("--%s", flag->name);
    else
        (void)printf("-%c", flag->key);
}

static void print_flag(void *opaque, const struct argp_option *flag, const vrs_option_info *option)
{
    (void)opaque;
    (void)option;
    (void)putchar(' ');
    print_name(flag);
}

/* One case: what follows this flag of this command. */
static void print_values(void *opaque, const struct argp_option *flag,
                         const vrs_option_info *option)
{
    const script *s = opaque;
    vrs_value value = vrs_flag_value(flag, option);
    if (value.kind == VRS_VALUE_NONE)
        return;
    (void)printf("    %s:", s->command);
    print_name(flag);
    if (value.kind == VRS_VALUE_WORDS) {
        (void)fputs(") _vrseg_words \"", stdout);
        vrs_print_words(value.words);
        (void)puts("\" ;;");
    } else if (value.kind == VRS_VALUE_CONFIG) {
        (void)puts(") _vrseg_files \"$(\"${COMP_WORDS[0]}\" " VRS_LIST_CONFIGS ")\" ;;");
    } else if (value.kind == VRS_VALUE_MODEL) {
        (void)puts(") _vrseg_files \"$(\"${COMP_WORDS[0]}\" " VRS_LIST_MODELS ")\" ;;");
    } else {
        (void)puts(value.kind == VRS_VALUE_FILE ? ") _vrseg_files ;;" : ") ;;");
    }
}

/* What may follow a command without a flag before it. */
static void print_command(const vrs_command *c, const vrs_config *config)
{
    (void)printf("    %s:*)\n        _vrseg_files \"", c->name);
    size_t length;
    const char *word;
    for (size_t i = 0; (word = vrs_command_word(c, i, &length)) != NULL; i++)
        (void)printf("%s%.*s", i == 0 ? "" : " ", (int)length, word);
    (void)fputs("\"\n        [[ $cur != -* ]] || _vrseg_words \"--help", stdout);
    vrs_flags_visit(c, config, print_flag, NULL);
    (void)puts("\" ;;");
}

void vrs_print_bash(const vrs_config *config)
{
    (void)puts(
        "# Completion of bash for vrseg, made by `vrseg docs bash`.\n\n"
        "_vrseg_words() # WORDS\n{\n"
        "    mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\")\n}\n\n"
        "_vrseg_files() # WORDS beside the files\n{\n"
        "    compopt -o filenames 2>/dev/null\n"
        "    mapfile -t COMPREPLY < <(compgen -W \"${1-}\" -- \"$cur\"; compgen -f -- \"$cur\")\n"
        "}\n\n"
        "_vrseg()\n{\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
        "    COMPREPLY=()\n"
        "    if ((COMP_CWORD == 1)); then");
    (void)fputs("        _vrseg_words \"--help --version", stdout);
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++)
        (void)printf(" %s", c->name);
    (void)puts("\"\n        return\n    fi\n"
               "    # bash takes --flag=value apart at the sign.\n"
               "    if [[ $cur == = ]]; then\n        cur=\n"
               "    elif [[ $prev == = ]]; then\n        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
               "    fi\n    case ${COMP_WORDS[1]}:$prev in");
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++) {
        script s = {c->name};
        vrs_flags_visit(c, config, print_values, &s);
        print_command(c, config);
    }
    (void)puts("    esac\n}\n\ncomplete -F _vrseg vrseg");
}
