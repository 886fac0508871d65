/* vrseg join: the shards of an output become one file. */
#include <stdio.h>

#include "cli/cli.h"
#include "vrseg/job.h"

enum { KEY_KEEP = 1 };

static const struct argp_option own_options[] = {
    {"no-overwrite", KEY_KEEP, NULL, 0, "Refuse an output that exists", 1},
    {0},
};

typedef struct arguments {
    const char *output;
    bool keep;
} arguments;

static error_t parse(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case KEY_KEEP:
        a->keep = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->output != NULL)
            argp_error(state, "one output at a time: %s is one too many", value);
        a->output = value;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no output is named");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp *vrs_join_argp(void)
{
    static const struct argp argp = {
        .options = own_options,
        .parser = parse,
        .args_doc = "OUTPUT",
        .doc = "Makes OUTPUT of the shards that `vrseg run INPUT -o OUTPUT --shard I/N` has left "
               "beside it, on this machine or on others that share the folder, and removes them. "
               "What comes out decodes to the same frames as one run of all. A shard that is "
               "missing, not whole, or made with other settings is named, and nothing is changed.",
    };
    return &argp;
}

int vrs_command_join(int argc, char **argv)
{
    arguments a = {.output = NULL};
    char note[VRS_DETAIL_SIZE] = "";
    (void)argp_parse(vrs_join_argp(), argc, argv, 0, NULL, &a);
    vrs_status status = vrs_job_join(a.output, !a.keep, note, sizeof(note));
    if (status != VRS_OK)
        return vrs_report(status);
    if (note[0] != 0)
        (void)fprintf(stderr, "note: %s\n", note);
    return VRS_EXIT_DONE;
}
