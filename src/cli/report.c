/* vrseg report: what a trace says, as a page and in other formats. */
#include <stdlib.h>
#include <string.h>

#include "cli/aside.h"
#include "cli/cli.h"

#define PATH_SIZE 4096
#define TEXT_SIZE 65536

enum { KEY_COMPARE = 0x100, KEY_CHROME, KEY_CSV, KEY_PLOTS };

static const struct argp_option options[] = {
    {NULL, 'o', "FILE", 0, "Write the page (the trace's name with .html)", 1},
    {"compare", KEY_COMPARE, "OLD", 0,
     "Compare with another trace: what got slower or faster, by how much, beyond noise", 1},
    {"chrome", KEY_CHROME, "FILE", 0, "Write a trace for Perfetto or chrome://tracing", 1},
    {"csv", KEY_CSV, "FILE", 0, "Write every span as a line of CSV", 1},
    {"plots", KEY_PLOTS, "DIR", 0, "Write the charts as SVG files", 1},
    {0},
};

typedef struct arguments {
    const char *trace, *page, *old, *chrome, *csv, *plots;
} arguments;

static error_t parse(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case 'o':
        a->page = value;
        return 0;
    case KEY_COMPARE:
        a->old = value;
        return 0;
    case KEY_CHROME:
        a->chrome = value;
        return 0;
    case KEY_CSV:
        a->csv = value;
        return 0;
    case KEY_PLOTS:
        a->plots = value;
        return 0;
    case ARGP_KEY_ARG:
        if (a->trace != NULL)
            argp_error(state, "%s: one trace at a time; --compare takes another", value);
        a->trace = value;
        return 0;
    case ARGP_KEY_END:
        if (a->trace == NULL)
            argp_error(state, "no trace is given: 'vrseg run ... --trace FILE' writes one");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool page_path(const char *trace, char *path, size_t size)
{
    const char *slash = strrchr(trace, '/'), *dot = strrchr(trace, '.');
    bool ending = dot != NULL && dot > trace && (slash == NULL || dot > slash + 1);
    size_t length = ending ? (size_t)(dot - trace) : strlen(trace);
    int written = snprintf(path, size, "%.*s.html", (int)length, trace);
    return written > 0 && (size_t)written < size && strcmp(path, trace) != 0;
}

/* What is written can be, and overwrites neither trace that is read, nor each other. */
static vrs_status check_distinct(const arguments *a, const char *page)
{
    const vrs_aside files[] = {{"the trace", a->trace},
                               {"the trace to compare with", a->old},
                               {"-o", page},
                               {"--chrome", a->chrome},
                               {"--csv", a->csv}};
    vrs_status status = VRS_OK;
    for (size_t i = 2; i < sizeof(files) / sizeof(files[0]) && status == VRS_OK; i++) {
        status = vrs_aside_distinct(files[i].what, files[i].path, files, i);
        if (status == VRS_OK)
            status = vrs_aside_writable(files[i].what, files[i].path);
    }
    return status;
}

static vrs_status write_all(const arguments *a, const vrs_profile_report *report,
                            const vrs_profile_report *old)
{
    char path[PATH_SIZE];
    vrs_status status = VRS_OK;
    const char *page = a->page;
    bool asked = a->chrome != NULL || a->csv != NULL || a->plots != NULL;
    if (page == NULL && !asked) {
        if (!page_path(a->trace, path, sizeof(path)))
            return vrs_fail(VRS_INVALID,
                            "%s: no name for the page follows from this one: name it "
                            "with -o",
                            a->trace);
        page = path;
    }
    status = check_distinct(a, page);
    if (status == VRS_OK && a->chrome != NULL)
        status = vrs_report_write_chrome(report, a->chrome);
    if (status == VRS_OK && a->csv != NULL)
        status = vrs_report_write_csv(report, a->csv);
    if (status == VRS_OK && a->plots != NULL)
        status = vrs_report_write_plots(report, a->plots);
    if (status == VRS_OK && page != NULL)
        status = vrs_report_write_html(report, old, page);
    if (status == VRS_OK && page != NULL)
        (void)printf("page: %s\n", page);
    return status;
}

static vrs_status show(const arguments *a)
{
    static char text[TEXT_SIZE];
    vrs_profile_report *report = NULL, *old = NULL;
    vrs_status status = vrs_report_load(a->trace, &report);
    if (status == VRS_OK && a->old != NULL)
        status = vrs_report_load(a->old, &old);
    if (status == VRS_OK)
        status = write_all(a, report, old);
    if (status == VRS_OK) {
        (void)vrs_report_text(report, old, text, sizeof(text));
        (void)fputs(text, stdout);
    }
    vrs_report_destroy(report);
    vrs_report_destroy(old);
    return status;
}

const struct argp *vrs_report_argp(void)
{
    static const struct argp parser = {
        options,
        parse,
        "TRACE",
        "Shows what a trace of 'vrseg run --trace' says: on the terminal, and as one page of HTML "
        "that holds everything.\vA trace that was cut short is read as far as it goes.",
        NULL,
        NULL,
        NULL};
    return &parser;
}

int vrs_command_report(int argc, char **argv)
{
    arguments a = {0};
    if (argp_parse(vrs_report_argp(), argc, argv, 0, NULL, &a) != 0)
        return VRS_EXIT_USAGE;
    vrs_status status = show(&a);
    return status == VRS_OK ? VRS_EXIT_DONE : vrs_report(status);
}
