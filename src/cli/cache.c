/* vrseg cache: the plans that were kept. */
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "vrseg/compile.h"

typedef struct totals {
    uint64_t files, bytes;
} totals;

static void show(void *opaque, const vrs_cached_plans *plans)
{
    totals *t = opaque;
    char when[32] = "";
    time_t used = (time_t)plans->used_s;
    struct tm parts;
    if (localtime_r(&used, &parts) != NULL)
        (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &parts);
    (void)printf("%8.2f MB  %s  %s\n", (double)plans->bytes / 1e6, when,
                 plans->key != NULL ? plans->key : plans->path);
    t->files++;
    t->bytes += plans->bytes;
}

static int list(void)
{
    totals t = {0, 0};
    char folder[4096];
    vrs_status status = vrs_plans_folder(folder, sizeof(folder));
    if (status == VRS_OK)
        status = vrs_plans_list(show, &t);
    if (status != VRS_OK)
        return vrs_report(status);
    (void)printf("%llu file%s of compiled plans, %.2f MB, in %s\n", (unsigned long long)t.files,
                 t.files == 1 ? "" : "s", (double)t.bytes / 1e6, folder);
    return VRS_EXIT_DONE;
}

static int clear(void)
{
    uint64_t files, bytes;
    vrs_status status = vrs_plans_clear(&files, &bytes);
    if (status != VRS_OK)
        return vrs_report(status);
    (void)printf("%llu file%s removed, %.2f MB\n", (unsigned long long)files, files == 1 ? "" : "s",
                 (double)bytes / 1e6);
    return VRS_EXIT_DONE;
}

int vrs_command_cache(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "list";
    if (argc > 2 || strcmp(what, "--help") == 0) {
        bool help = argc == 2;
        (void)fputs("Usage: vrseg cache [list | clear]\n\nLists or removes the plans of networks "
                    "that were compiled for GPUs.\n",
                    help ? stdout : stderr);
        return help ? VRS_EXIT_DONE : VRS_EXIT_USAGE;
    }
    if (strcmp(what, "list") == 0)
        return list();
    if (strcmp(what, "clear") == 0)
        return clear();
    (void)vrs_refuse_word("cache", what);
    return VRS_EXIT_USAGE;
}
