#include <string.h>

#include "cli/cli.h"

const vrs_command vrs_commands[] = {
    {"run", "INPUT... -o OUTPUT", "segment the people in videos, pictures or folders",
     vrs_command_run, vrs_run_argp},
    {"join", "OUTPUT", "make one file of the shards of an output", vrs_command_join, vrs_join_argp},
    {"info", "FILE... [--json]", "show what files are: eyes, projection, and who says so",
     vrs_command_info, vrs_info_argp},
    {"preview", "FILE [-o FOLDER]",
     "look at a file before a long run: layout, masks all over it, ten seconds as a clip",
     vrs_command_preview, vrs_preview_argp},
    {"models", "[list | fetch NAME | show NAME | compare FILE]",
     "list, fetch and show models, compare them on frames of yours", vrs_command_models, NULL},
    {"config", "[--config NAME|FILE] [--json | --schema | --list]",
     "show every setting and where it comes from", vrs_command_config, vrs_config_argp},
    {"compile", "MODEL [--batch N,N,...] [--verify]",
     "compile a network for a GPU and show its plans", vrs_command_compile, vrs_compile_argp},
    {"cache", "[list | clear]", "list or remove compiled plans", vrs_command_cache, NULL},
    {"tune", "INPUT | --synthetic[=WxH] [--save FILE]",
     "find the fastest settings for this machine by short runs", vrs_command_tune, vrs_tune_argp},
    {"bench", "[INPUT] [--model MODEL] [--json FILE]",
     "measure this device beside a reference system's table", vrs_command_bench, vrs_bench_argp},
    {"doctor", "[--json] [--self-test] [--deploy NAME|FILE]",
     "show what this machine is and what is missing, check a deployment, test kernels and engines",
     vrs_command_doctor, vrs_doctor_argp},
    {"monitor", "[--interval S] [--count N] [--device N]",
     "show what an NVIDIA GPU is doing, as a table or as JSON lines", vrs_command_monitor,
     vrs_monitor_argp},
    {"report", "TRACE [-o FILE] [--compare OLD]",
     "show what a run's trace says, as a page, compared, and in other formats", vrs_command_report,
     vrs_report_argp},
    {"docs", "options | man [COMMAND] | bash | zsh | fish",
     "print the option table as Markdown, a manual page, or a shell's completion", vrs_command_docs,
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

int vrs_exit_code(vrs_status status)
{
    switch (status) {
    case VRS_OK:
        return VRS_EXIT_DONE;
    case VRS_INVALID:
    case VRS_NOT_FOUND:
    case VRS_PERMISSION:
    case VRS_FORMAT:
    case VRS_CORRUPT:
    case VRS_UNSUPPORTED:
        return VRS_EXIT_USAGE;
    case VRS_CANCELLED:
        return VRS_EXIT_INTERRUPTED;
    default:
        return VRS_EXIT_FAILED;
    }
}

int vrs_report(vrs_status status)
{
    const char *detail = vrs_last_error();
    (void)fprintf(stderr, "vrseg: %s\n", detail[0] != 0 ? detail : vrs_status_text(status));
    return vrs_exit_code(status);
}

static void print_help(FILE *out)
{
    (void)fputs("Usage: vrseg COMMAND [ARGUMENTS]\n\nSegments the people in video.\n\n", out);
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++)
        (void)fprintf(out, "  vrseg %s %s\n      %s\n", c->name, c->arguments, c->summary);
    (void)fputs("\n'vrseg COMMAND --help' explains a command. 'vrseg --version' prints the "
                "version.\n",
                out);
}

static int unknown_command(const char *word)
{
    (void)fprintf(stderr, "vrseg: %s: no such command, expected one of:", word);
    const char *names[32];
    size_t count = 0;
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++) {
        (void)fprintf(stderr, " %s", c->name);
        if (count < sizeof(names) / sizeof(names[0]))
            names[count++] = c->name;
    }
    const char *nearest = vrs_nearest_name(word, names, count);
    if (nearest != NULL)
        (void)fprintf(stderr, "; did you mean \"%s\"?", nearest);
    (void)fputc('\n', stderr);
    return VRS_EXIT_USAGE;
}

/* What a command says is its work, and half of it is a failure. A run's work is its files. */
static int end(int code, bool says)
{
    if ((fflush(stdout) == 0 && ferror(stdout) == 0) || !says || code != VRS_EXIT_DONE)
        return code;
    return vrs_report(vrs_fail(VRS_IO, "standard output cannot be written; is its disk full?"));
}

int main(int argc, char **argv)
{
    argp_err_exit_status = VRS_EXIT_USAGE;
    if (argc < 2) {
        print_help(stderr);
        return VRS_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return end(VRS_EXIT_DONE, true);
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("vrseg %s\n", vrs_version());
        return end(VRS_EXIT_DONE, true);
    }
    for (const vrs_command *c = vrs_commands; c->name != NULL; c++)
        if (strcmp(argv[1], c->name) == 0) {
            char name[64];
            (void)snprintf(name, sizeof(name), "vrseg %s", c->name);
            argv[1] = name;
            if (!vrs_flags_known(c, argc - 1, argv + 1))
                return VRS_EXIT_USAGE;
            return end(c->run(argc - 1, argv + 1), c->run != vrs_command_run);
        }
    return unknown_command(argv[1]);
}
