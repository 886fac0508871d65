#include "cli/documents/completion.h"

#include <string.h>

static vrs_value option_value(const vrs_option_info *o)
{
    bool number = o->type == VRS_OPTION_INT || o->type == VRS_OPTION_FLOAT;
    if (o->type == VRS_OPTION_BOOL)
        return (vrs_value){VRS_VALUE_WORDS, "on|off"};
    if (o->type == VRS_OPTION_CHOICE)
        return (vrs_value){VRS_VALUE_WORDS, o->choices};
    if (number && strcmp(o->default_value, "auto") == 0)
        return (vrs_value){VRS_VALUE_WORDS, "auto"};
    if (strcmp(o->name, "model") == 0)
        return (vrs_value){VRS_VALUE_MODEL, ""};
    if (o->type == VRS_OPTION_STRING && strcmp(o->default_value, "auto") != 0)
        return (vrs_value){VRS_VALUE_FILE, ""}; /* some are; offering one too many does no harm */
    return (vrs_value){VRS_VALUE_TEXT, ""};
}

vrs_value vrs_flag_value(const struct argp_option *flag, const vrs_option_info *option)
{
    if (option != NULL)
        return option_value(option);
    if (flag->arg == NULL || (flag->flags & OPTION_ARG_OPTIONAL) != 0)
        return (vrs_value){VRS_VALUE_NONE, ""};
    if (strcmp(flag->arg, "NAME|FILE") == 0)
        return (vrs_value){VRS_VALUE_CONFIG, ""};
    if (strstr(flag->arg, "FILE") != NULL || strstr(flag->arg, "DIR") != NULL)
        return (vrs_value){VRS_VALUE_FILE, ""};
    if (strspn(flag->arg, "abcdefghijklmnopqrstuvwxyz0123456789-|") == strlen(flag->arg))
        return (vrs_value){VRS_VALUE_WORDS, flag->arg};
    return (vrs_value){VRS_VALUE_TEXT, ""};
}

size_t vrs_short_help(const char *help)
{
    size_t length = strcspn(help, ";(");
    for (size_t i = 0; i + 2 < length; i++)
        if (strncmp(help + i, ". ", 2) == 0 && help[i + 2] >= 'A' && help[i + 2] <= 'Z')
            length = i;
    while (length > 0 && (help[length - 1] == ' ' || help[length - 1] == '.'))
        length--;
    return length;
}

void vrs_print_words(const char *words)
{
    for (; *words != 0; words++)
        (void)putchar(*words == '|' ? ' ' : *words);
}
