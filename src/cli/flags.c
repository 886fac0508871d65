/* Flags from the option table. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* Keys of generated flags begin above every character that a command uses itself. */
#define FIRST_KEY 0x1000
#define CONFIG_KEY (FIRST_KEY - 1)
/* More than a command has. */
#define MAX_FLAGS 512
#define MAX_LISTS 8

/* Prints a message; option names in its first `count` bytes as flags are written. */
static void print_as_flag(const char *text, size_t count)
{
    for (size_t i = 0; text[i] != 0; i++)
        (void)fputc(i < count && text[i] == '_' ? '-' : text[i], stderr);
    (void)fputc('\n', stderr);
}

static const char *last_file; /* of --config */

const char *vrs_flags_file(void)
{
    return last_file;
}

static error_t parse_flag(int key, char *value, struct argp_state *state)
{
    vrs_config *config = state->input;
    if (key == CONFIG_KEY && config != NULL) {
        vrs_status status = vrs_config_load(config, value);
        if (status != VRS_OK)
            exit(vrs_report(status));
        last_file = value;
        return 0;
    }
    if (key < FIRST_KEY || config == NULL || (size_t)(key - FIRST_KEY) >= vrs_config_count(config))
        return ARGP_ERR_UNKNOWN; /* argp's own keys begin above ours */
    const vrs_option_info *option = vrs_config_option(config, (size_t)(key - FIRST_KEY));
    if (vrs_config_set(config, option->name, value) != VRS_OK) {
        (void)fputs("vrseg: --", stderr);
        print_as_flag(vrs_last_error(), strlen(option->name));
        exit(VRS_EXIT_USAGE);
    }
    return 0;
}

static char *flag_name(const char *option)
{
    char *name = strdup(option);
    for (char *c = name; c != NULL && *c != 0; c++)
        *c = *c == '_' ? '-' : *c;
    return name;
}

static char *flag_help(const vrs_option_info *o)
{
    char text[512];
    const char *unit = o->unit[0] != 0 ? o->unit : "";
    (void)snprintf(text, sizeof(text), "%s%s%s%s%s (%s%s%s)", o->help,
                   o->choices[0] != 0 ? " One of " : "", o->choices, o->choices[0] != 0 ? "." : "",
                   "", o->default_value[0] != 0 ? o->default_value : "none",
                   unit[0] != 0 ? ", " : "", unit);
    return strdup(text);
}

static const char *value_name(vrs_option_type type)
{
    static const char *const names[] = {"N", "X", "on|off", "TEXT", "CHOICE"};
    return names[type];
}

/* Fills the argp options, a heading for each section; false when memory is out. */
static bool fill(const vrs_config *config, struct argp_option *options)
{
    const char *section = "";
    int group = 10;
    *options++ = (struct argp_option){
        .name = "config",
        .key = CONFIG_KEY,
        .arg = "NAME|FILE",
        .doc = "Read settings from a configuration (`vrseg config --list`) or a YAML file; "
               "variables VRSEG_OPTION_NAME go before it, flags before both",
        .group = group,
    };
    for (size_t i = 0; i < vrs_config_count(config); i++) {
        const vrs_option_info *o = vrs_config_option(config, i);
        if (strcmp(section, o->section) != 0) {
            section = o->section;
            group++;
            *options++ = (struct argp_option){.doc = section, .group = group};
        }
        options->name = flag_name(o->name);
        options->doc = flag_help(o);
        if (options->name == NULL || options->doc == NULL)
            return false;
        options->key = FIRST_KEY + (int)i;
        options->arg = value_name(o->type);
        options->group = group;
        options++;
    }
    return true;
}

const struct argp *vrs_flags_argp(void)
{
    static struct argp argp;
    if (argp.options != NULL)
        return &argp;
    vrs_config *config;
    if (vrs_job_config_create(&config) != VRS_OK)
        return NULL;
    struct argp_option *options =
        calloc(2 * vrs_config_count(config) + 2, sizeof(struct argp_option));
    if (options != NULL && fill(config, options)) {
        argp.options = options;
        argp.parser = parse_flag;
    } else {
        free(options); /* memory is out, and the program ends */
    }
    vrs_config_destroy(config);
    return argp.options != NULL ? &argp : NULL;
}

vrs_status vrs_flags_config(vrs_config **config)
{
    vrs_config *made;
    vrs_status status = vrs_job_config_create(&made);
    if (status != VRS_OK)
        return status;
    status = vrs_config_read_environment(made);
    if (status == VRS_OK)
        *config = made;
    else
        vrs_config_destroy(made);
    return status;
}

double vrs_flag_number(const char *flag, const char *value, double low, double high,
                       struct argp_state *state)
{
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end != 0 || !(number >= low && number <= high))
        argp_error(state, "--%s %s: expected a number from %g to %g", flag, value, low, high);
    return number;
}

vrs_progress_kind vrs_flag_progress(const char *value, struct argp_state *state)
{
    if (strcmp(value, "auto") != 0 && strcmp(value, "none") != 0)
        argp_error(state, "--progress %s: expected auto or none", value);
    return strcmp(value, "none") == 0 ? VRS_PROGRESS_NONE : VRS_PROGRESS_AUTO;
}

/* argp's lists end with an entry that is empty. */
static bool is_end(const struct argp_option *o)
{
    return o->name == NULL && o->key == 0 && o->doc == NULL && o->group == 0;
}

/* All flags of a command: argp's own, the command's, and those of its argp's children. */
typedef struct flag_lists {
    const struct argp_option *lists[MAX_LISTS];
    size_t count;
} flag_lists;

static flag_lists find_lists(const struct argp *argp)
{
    static const struct argp_option argps[] = {{.name = "help"}, {.name = "usage"}, {0}};
    flag_lists all = {{argps, argp->options}, 2};
    for (const struct argp_child *c = argp->children; c != NULL && c->argp != NULL; c++)
        if (all.count < MAX_LISTS)
            all.lists[all.count++] = c->argp->options;
    return all;
}

/* Whether `word` is this flag: "-x", "--name" or "--name=value"; with `whole` not abbreviated. */
static bool is_flag(const struct argp_option *o, const char *word, bool whole)
{
    if (word[1] != '-')
        return word[1] == o->key && word[2] == 0;
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    return o->name != NULL && strncmp(o->name, name, length) == 0 &&
           (!whole || o->name[length] == 0);
}

static const struct argp_option *find_flag(const flag_lists *all, const char *word)
{
    for (int whole = 1; whole >= 0; whole--)
        for (size_t i = 0; i < all->count; i++)
            for (const struct argp_option *o = all->lists[i]; !is_end(o); o++)
                if (is_flag(o, word, whole != 0))
                    return o;
    return NULL;
}

/* Says that there is no such flag, and which of all is the nearest. */
static void refuse_flag(const flag_lists *all, const char *word)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *names[MAX_FLAGS];
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        for (const struct argp_option *o = all->lists[i]; !is_end(o) && count < MAX_FLAGS; o++)
            if (o->name != NULL)
                names[count++] = o->name;
    const char *nearest = vrs_nearest_name(name, names, count);
    (void)fprintf(stderr, "vrseg: there is no option \"%s\"", name);
    if (nearest != NULL)
        (void)fprintf(stderr, "; did you mean \"%s\"?", nearest);
    (void)fputc('\n', stderr);
}

#define MAX_WORDS 16

bool vrs_refuse_word(const char *command, const char *word)
{
    char texts[MAX_WORDS][32];
    const char *names[MAX_WORDS] = {0}, *found;
    size_t count = 0, length = 0;
    const vrs_command *c = vrs_commands;
    while (c->name != NULL && strcmp(c->name, command) != 0)
        c++;
    for (; count < MAX_WORDS && (found = vrs_command_word(c, count, &length)) != NULL; count++) {
        (void)snprintf(texts[count], sizeof(texts[0]), "%.*s", (int)length, found);
        names[count] = texts[count];
        if (word == NULL || strcmp(word, texts[count]) == 0)
            return false;
    }
    (void)fprintf(stderr, "vrseg: %s %s: expected", command, word);
    for (size_t i = 0; i < count; i++)
        (void)fprintf(stderr, "%s %s", i == 0 ? "" : i + 1 < count ? "," : " or", names[i]);
    const char *nearest = vrs_nearest_name(word, names, count);
    if (nearest != NULL)
        (void)fprintf(stderr, "; did you mean \"%s\"?", nearest);
    (void)fputc('\n', stderr);
    return true;
}

/* "--resume" stands for "--resume=on" where a flag, a path or nothing follows: any other word is
 * meant as its value. */
static bool complete_switch(const struct argp_option *flag, char **word, const char *next)
{
    bool bare = next == NULL || next[0] == '-' || strpbrk(next, "./@") != NULL;
    bool is_switch =
        bare && flag->arg != NULL && strcmp(flag->arg, value_name(VRS_OPTION_BOOL)) == 0;
    if (!is_switch || strchr(*word, '=') != NULL)
        return false;
    size_t size = strlen(*word) + sizeof("=on");
    char *completed = malloc(size);
    if (completed == NULL)
        return false;
    (void)snprintf(completed, size, "%s=on", *word);
    *word = completed; /* lives as long as the program, as the words do */
    return true;
}

bool vrs_flags_known(const vrs_command *command, int argc, char **argv)
{
    const struct argp *argp = command->argp != NULL ? command->argp() : NULL;
    if (argp == NULL)
        return true; /* it looks at its words itself */
    flag_lists all = find_lists(argp);
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        bool written_out = strncmp(argv[i], "--", 2) == 0;
        bool flag = written_out || (argv[i][0] == '-' && argv[i][1] != 0);
        const struct argp_option *known = flag ? find_flag(&all, argv[i]) : NULL;
        if (written_out && known == NULL) {
            refuse_flag(&all, argv[i]);
            return false;
        }
        if (known != NULL && complete_switch(known, &argv[i], i + 1 < argc ? argv[i + 1] : NULL))
            continue;
        /* What follows a flag without "=" is its value, whatever it looks like. */
        if (known != NULL && known->arg != NULL && (known->flags & OPTION_ARG_OPTIONAL) == 0 &&
            strchr(argv[i], '=') == NULL)
            i++;
    }
    return true;
}

static void visit_options(const struct argp_option *options, const vrs_config *config,
                          vrs_flag_fn visit, void *opaque)
{
    for (const struct argp_option *o = options; o != NULL && !is_end(o); o++) {
        bool generated = o->key >= FIRST_KEY && options == vrs_flags_argp()->options;
        if (o->name != NULL || (o->key > ' ' && o->key < 0x7f))
            visit(opaque, o,
                  generated ? vrs_config_option(config, (size_t)(o->key - FIRST_KEY)) : NULL);
    }
}

void vrs_flags_visit(const vrs_command *command, const vrs_config *config, vrs_flag_fn visit,
                     void *opaque)
{
    const struct argp *argp = command->argp != NULL ? command->argp() : NULL;
    if (argp == NULL || vrs_flags_argp() == NULL)
        return;
    visit_options(argp->options, config, visit, opaque);
    for (const struct argp_child *c = argp->children; c != NULL && c->argp != NULL; c++)
        visit_options(c->argp->options, config, visit, opaque);
}

const char *vrs_command_word(const vrs_command *command, size_t index, size_t *length)
{
    if (command->argp != NULL || strchr(command->arguments, '|') == NULL)
        return NULL;
    const char *word = command->arguments;
    for (;; index--) {
        word += strspn(word, "[| ");
        *length = strspn(word, "abcdefghijklmnopqrstuvwxyz-");
        if (index == 0)
            return *length > 0 ? word : NULL;
        word = strstr(word, " | ");
        if (word == NULL)
            return NULL;
    }
}
