/* What a shell can complete, for the scripts of bash, zsh and fish. */
#ifndef VRS_CLI_COMPLETION_H
#define VRS_CLI_COMPLETION_H

#include "cli/cli.h"

typedef enum vrs_value_kind {
    VRS_VALUE_NONE = 0,   /* the flag stands alone */
    VRS_VALUE_TEXT = 1,   /* a number, a name: nothing to offer */
    VRS_VALUE_WORDS = 2,  /* one of `words`, separated by '|' */
    VRS_VALUE_FILE = 3,   /* a file or a folder */
    VRS_VALUE_CONFIG = 4, /* the name of a configuration, or a file */
    VRS_VALUE_MODEL = 5,  /* the name of a model, or a file */
} vrs_value_kind;

typedef struct vrs_value {
    vrs_value_kind kind;
    const char *words;
} vrs_value;

/* What prints the names of models and of configurations, after the program's own name. */
#define VRS_LIST_CONFIGS "config --list 2>/dev/null | sed 's/ .*//'"
#define VRS_LIST_MODELS "models list 2>/dev/null | sed -n '2,/^$/s/ .*//p'"

/* What may follow a flag; both as vrs_flags_visit() gives them. */
vrs_value vrs_flag_value(const struct argp_option *flag, const vrs_option_info *option);

/* How much of a flag's help is shown beside it: the first sentence, without what is in brackets. */
size_t vrs_short_help(const char *help);

/* Prints `words`, with blanks where the '|' are. */
void vrs_print_words(const char *words);

#endif
