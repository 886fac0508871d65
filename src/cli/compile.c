/* vrseg compile: a network's plans for a GPU. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "vrseg/compile.h"

enum { KEY_BATCH = 1, KEY_VERIFY = 2, KEY_PEAK = 3, KEY_JSON = 4 };

static const struct argp_option own_options[] = {
    {"batch", KEY_BATCH, "N,N,...", 0, "Batch sizes to compile for, 1 to 16 each (1,2,4,8,16)", 1},
    {"verify", KEY_VERIFY, NULL, 0, "Compare every node with plain C; name the first that differs",
     1},
    {"peak", KEY_PEAK, "TFLOPS", 0,
     "Peak of the GPU in this precision, for the share of it that each node reaches", 1},
    {"json", KEY_JSON, NULL, 0, "A line of JSON for each node", 1},
    {0},
};

typedef struct arguments {
    vrs_config *config;
    const char *model;
    int32_t batches[16], count;
    bool verify, json;
    vrs_compiling compiling;
    double peak;
    /* what is being printed */
    int32_t batch;
    double micros;
    int32_t shown, wrong, checked;
} arguments;

/* False: not numbers of 1 to 16 with commas. */
static bool read_batches(arguments *a, const char *text)
{
    a->count = 0;
    for (const char *c = text;; c++) {
        char *end;
        long n = strtol(c, &end, 10);
        if (end == c || n < 1 || n > 16 || a->count == 16)
            return false;
        a->batches[a->count++] = (int32_t)n;
        if (*end == 0)
            return true;
        if (*end != ',')
            return false;
        c = end;
    }
}

/* One sentence, and the end. */
static void refuse(const char *flag, const char *value, const char *expected)
{
    (void)fprintf(stderr, "vrseg: %s%s: %s\n", flag, value, expected);
    exit(VRS_EXIT_USAGE);
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    char *end;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = a->config;
        return 0;
    case KEY_BATCH:
        if (!read_batches(a, value))
            refuse("--batch ", value, "expected numbers of 1 to 16 with commas, as in 1,4,16");
        return 0;
    case KEY_VERIFY:
        a->verify = true;
        return 0;
    case KEY_JSON:
        a->json = true;
        return 0;
    case KEY_PEAK:
        a->peak = strtod(value, &end);
        if (*end != 0 || !(a->peak > 0))
            refuse("--peak ", value, "expected a number above 0, in TFLOP/s");
        return 0;
    case ARGP_KEY_ARG:
        if (a->model != NULL)
            refuse("", value, "one model is expected, not two");
        a->model = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void show_progress(void *opaque, const vrs_compile_progress *progress)
{
    arguments *a = opaque;
    vrs_compiling_show(&a->compiling, progress);
}

static void show_effort(void *opaque, const vrs_compile_effort *e)
{
    arguments *a = opaque;
    vrs_compiling_end(&a->compiling);
    if (!a->json)
        (void)printf("%d nodes chosen, %d equal to one of them, %d from the cache; %d convolutions "
                     "asked about, %d plans made and %d refused in %.1f s; %d timed and %d left "
                     "out in %.1f s\n",
                     e->nodes, e->equal, e->restored, e->asked, e->made, e->refused,
                     e->making_seconds, e->timed, e->late, e->timing_seconds);
}

static void show_json(const vrs_compiled_node *n)
{
    (void)printf("{\"batch\": %d, \"node\": \"%s\", \"does\": \"%s\", \"plan\": \"%s\", \"fused\": "
                 "%d, \"us\": %.2f, \"flop\": %.0f, \"bytes\": %.0f, \"tensor_cores\": %s}\n",
                 n->batch, n->name, n->does, n->plan, n->fused, n->micros, n->flops, n->bytes,
                 n->tensor_cores ? "true" : "false");
}

static void show_node(void *opaque, const vrs_compiled_node *n)
{
    arguments *a = opaque;
    if (a->json) {
        show_json(n);
        return;
    }
    if (a->batch != n->batch) {
        if (a->batch != 0)
            (void)printf("%10.1f us in all\n\n", a->micros);
        (void)printf("batch %d\n%10s %8s %8s %6s %5s %2s  %-52s %s\n", n->batch, "us", "GFLOP",
                     "MB", "peak", "fused", "tc", "what", "by");
        a->batch = n->batch;
        a->micros = 0;
    }
    char share[16] = "";
    if (a->peak > 0 && n->micros > 0)
        (void)snprintf(share, sizeof(share), "%.0f%%",
                       100 * n->flops / (n->micros * 1e6) / a->peak);
    a->micros += n->micros;
    (void)printf("%10.1f %8.3f %8.2f %6s %5d %2s  %-52s %s\n", n->micros, n->flops / 1e9,
                 n->bytes / 1e6, share, n->fused, n->tensor_cores ? "*" : "", n->does, n->plan);
}

static void show_check(void *opaque, const vrs_checked_node *n)
{
    arguments *a = opaque;
    a->checked++;
    a->wrong += n->good ? 0 : 1;
    if (n->good)
        return;
    vrs_compiling_end(&a->compiling);
    (void)printf("differs: batch %d, %s (%s): off by %.2g of its size, at most by %g\n", n->batch,
                 n->name, n->does, n->off, n->worst);
}

static int compile(arguments *a)
{
    vrs_model *model;
    vrs_status status = vrs_model_load(a->model, &model);
    if (status != VRS_OK)
        return vrs_report(status);
    char summary[512] = "";
    const vrs_compile_options options = {.batches = a->batches,
                                         .batch_count = a->count,
                                         .verify = a->verify,
                                         .on_progress = show_progress,
                                         .on_effort = show_effort,
                                         .on_node = show_node,
                                         .on_check = show_check,
                                         .opaque = a};
    vrs_compiling_start(&a->compiling, a->json ? VRS_PROGRESS_JSON : VRS_PROGRESS_AUTO);
    status = vrs_compile(a->config, model, &options, summary, sizeof(summary));
    vrs_compiling_end(&a->compiling);
    vrs_model_destroy(model);
    if (a->batch != 0)
        (void)printf("%10.1f us in all\n\n", a->micros);
    if (summary[0] != 0 && !a->json)
        (void)printf("%s\n", summary);
    if (a->checked > 0 && !a->json)
        (void)printf("%d of %d results are as plain C's\n", a->checked - a->wrong, a->checked);
    return status == VRS_OK ? VRS_EXIT_DONE : vrs_report(status);
}

/* The names that people use for two precisions are those of the option. */
static void rename_precisions(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        bool value = strcmp(argv[i - 1], "--precision") == 0;
        if (value && (strcmp(argv[i], "fp16") == 0 || strcmp(argv[i], "fp32") == 0))
            argv[i] = argv[i][2] == '1' ? "f16" : "f32";
    }
}

const struct argp *vrs_compile_argp(void)
{
    static struct argp_child children[2];
    static const struct argp argp = {
        own_options,
        parse,
        "MODEL",
        "Compiles a network for a GPU (--device, --precision), keeps the plans in the cache and "
        "prints them: for each node its time, operations, bytes and who runs it.",
        children,
        NULL,
        NULL};
    children[0].argp = vrs_flags_argp();
    return &argp;
}

int vrs_command_compile(int argc, char **argv)
{
    arguments a = {.batches = {1, 2, 4, 8, 16}, .count = 5};
    vrs_status status = vrs_flags_config(&a.config);
    if (status != VRS_OK)
        return vrs_report(status);
    rename_precisions(argc, argv);
    (void)argp_parse(vrs_compile_argp(), argc, argv, 0, NULL, &a);
    int code = VRS_EXIT_USAGE;
    if (a.model == NULL)
        (void)fputs("vrseg: which model? `vrseg models` lists them\n", stderr);
    else
        code = compile(&a);
    vrs_config_destroy(a.config);
    return code;
}
