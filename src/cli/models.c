/* vrseg models: list, show, fetch; compare is in compare.c. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

static const char *state_of(const vrs_model_info *info)
{
    if (info->installed)
        return "installed";
    return info->fetchable ? "can be fetched" : "bring your own";
}

static bool print_row(void *opaque, const vrs_model_info *info)
{
    (void)opaque;
    (void)printf("%-26s %-16s %4dx%-4d %-12s %s%s\n", info->name, state_of(info), info->input_width,
                 info->input_height, info->test_only ? "tests only" : info->licence, info->title,
                 info->test_only ? " (for tests only)" : "");
    return true;
}

static int list(void)
{
    (void)printf("%-26s %-16s %-9s %-12s %s\n", "NAME", "STATE", "INPUT", "LICENCE", "WHAT");
    vrs_status status = vrs_models_list(print_row, NULL);
    char folder[4096];
    if (status == VRS_OK)
        status = vrs_models_dir(folder, sizeof(folder));
    if (status != VRS_OK)
        return vrs_report(status);
    (void)printf("\nThe ONNX file of a model that is not installed belongs in %s as NAME.onnx.\n",
                 folder);
    return VRS_EXIT_DONE;
}

static int show(const char *name)
{
    vrs_model *model;
    vrs_status status = vrs_model_load(name, &model);
    if (status != VRS_OK)
        return vrs_report(status);
    vrs_model_info info = vrs_model_get_info(model);
    (void)printf("name: %s\ntitle: %s\nlicence: %s%s\nsource: %s\nstate: %s\ninput: %dx%d\n"
                 "recurrent: %s\ndescriptor: %s\nweights: %s\n",
                 info.name, info.title, info.licence, info.test_only ? " (for tests only)" : "",
                 info.source, state_of(&info), info.input_width, info.input_height,
                 info.recurrent ? "yes" : "no", info.descriptor_path, info.weights_path);
    if (info.class_count > 1)
        for (int32_t i = 0; i < info.class_count; i++)
            (void)printf("class %d: %s\n", i, vrs_model_class_name(model, i));
    vrs_model_destroy(model);
    return VRS_EXIT_DONE;
}

/* The tool lies beside the program: in a build folder, or installed. VRS_MISSING. */
static vrs_status find_tool(char *path, size_t size)
{
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[length > 0 ? length : 0] = 0;
    char *slash = strrchr(program, '/');
    if (slash != NULL)
        *slash = 0;
    static const char *const places[] = {"../tools/models/fetch.py",
                                         "../share/vrseg/tools/models/fetch.py"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int n = snprintf(path, size, "%s/%s", program, places[i]);
        if (n > 0 && (size_t)n < size && access(path, R_OK) == 0)
            return VRS_OK;
    }
    return vrs_fail(VRS_MISSING,
                    "models/fetch.py is not beside the program in %s: install vrseg "
                    "whole, with `meson install`",
                    program);
}

/* The converter is a Python tool: weights are published in formats of the Python world. */
static int run_fetch(const char *name)
{
    char folder[4096], tool[4096];
    vrs_status status = vrs_models_dir(folder, sizeof(folder));
    if (status == VRS_OK)
        status = find_tool(tool, sizeof(tool));
    if (status != VRS_OK)
        return vrs_report(status);
    pid_t child = fork();
    if (child == 0) {
        (void)execl("/usr/bin/python3", "python3", tool, name, "--out", folder, (char *)NULL);
        _exit(127);
    }
    int how = 0;
    if (child < 0 || waitpid(child, &how, 0) != child)
        return vrs_report(vrs_fail(VRS_SYSTEM, "%s: cannot be started", tool));
    if (!WIFEXITED(how) || WEXITSTATUS(how) != 0)
        return WIFEXITED(how) && WEXITSTATUS(how) == VRS_EXIT_USAGE ? VRS_EXIT_USAGE
                                                                    : VRS_EXIT_FAILED;
    return show(name);
}

static int fetch(const char *name)
{
    vrs_model *model;
    vrs_status status = vrs_model_load(name, &model);
    if (status != VRS_OK)
        return vrs_report(status);
    vrs_model_info info = vrs_model_get_info(model);
    if (!info.fetchable)
        status = vrs_fail(VRS_UNSUPPORTED, "%s cannot be fetched (%s): put its file at %s", name,
                          info.source, info.weights_path);
    vrs_model_destroy(model);
    return status == VRS_OK ? run_fetch(name) : vrs_report(status);
}

int vrs_command_models(int argc, char **argv)
{
    if (argc == 1 || (argc == 2 && strcmp(argv[1], "list") == 0))
        return list();
    if (argc == 3 && strcmp(argv[1], "show") == 0)
        return show(argv[2]);
    if (argc == 3 && strcmp(argv[1], "fetch") == 0)
        return fetch(argv[2]);
    if (argc >= 2 && strcmp(argv[1], "compare") == 0) {
        static char name[] = "vrseg models compare";
        argv[1] = name;
        return vrs_models_compare(argc - 1, argv + 1);
    }
    bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
    if (!help && vrs_refuse_word("models", argv[1]))
        return VRS_EXIT_USAGE;
    (void)fputs("Usage: vrseg models [list | show NAME | fetch NAME | compare FILE]\n",
                help ? stdout : stderr);
    return help ? VRS_EXIT_DONE : VRS_EXIT_USAGE;
}
