/* vrseg doctor: what this machine is, what is missing and how to get it, whether a configuration
 * can run, and the self-test. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/doctor/doctor.h"

enum { KEY_JSON = 1, KEY_SELF_TEST, KEY_DEPLOY, KEY_FOLDER, KEY_ROOM, KEY_FRAME };

static const struct argp_option doctor_options[] = {
    {"json", KEY_JSON, NULL, 0, "Print one JSON object (docs/doctor.md) in place of lines", 1},
    {"self-test", KEY_SELF_TEST, NULL, 0,
     "Also run each kernel and a tiny network on each engine and device beside plain C", 1},
    {"deploy", KEY_DEPLOY, "NAME|FILE", 0,
     "Also go through the checklist of a deployment, with the settings of a configuration", 1},
    {"output-folder", KEY_FOLDER, "FOLDER", 0, "Of --deploy: where outputs will go (.)", 1},
    {"room", KEY_ROOM, "GB", 0, "Of --deploy: room that the outputs need (10)", 1},
    {"frame", KEY_FRAME, "WxH", 0, "Of --deploy: size of the frames (3840x2160)", 1},
    {0},
};

static void load_config(vrs_doctor *d, const char *path)
{
    if (vrs_config_load(d->config, path) != VRS_OK)
        exit(vrs_report(VRS_INVALID));
}

static error_t parse_doctor(int key, char *value, struct argp_state *state)
{
    vrs_doctor *d = state->input;
    char *end;
    double room;
    int used = 0;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = d->config;
        return 0;
    case KEY_JSON:
        d->json = true;
        return 0;
    case KEY_SELF_TEST:
        d->self_test = true;
        return 0;
    case KEY_DEPLOY:
        load_config(d, value);
        d->deploy = d->config_file = value;
        return 0;
    case KEY_FOLDER:
        d->options.output = value;
        return 0;
    case KEY_ROOM:
        room = strtod(value, &end);
        if (end == value || *end != 0 || !(room >= 0 && room <= 1e6))
            argp_error(state, "--room %s: expected gigabytes, 0 to 1000000", value);
        d->options.output_bytes = room > 0 ? (uint64_t)(room * 1e9) : 1;
        return 0;
    case KEY_FRAME:
        if (sscanf(value, "%5dx%5d%n", &d->options.width, &d->options.height, &used) != 2 ||
            value[used] != 0 || d->options.width < 1 || d->options.height < 1)
            argp_error(state, "--frame %s: expected WIDTHxHEIGHT, as in 1920x1080", value);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: no argument is expected", value);
        return 0;
    case ARGP_KEY_END:
        if (d->deploy == NULL &&
            (d->options.output != NULL || d->options.output_bytes > 0 || d->options.width > 0))
            argp_error(state, "--output-folder, --room and --frame go with --deploy");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* A vrs_check_fn: keeps the check, and shows it at once unless all is printed as JSON. */
static void take_check(void *opaque, const vrs_check *check)
{
    vrs_doctor *d = opaque;
    vrs_doctor_list *list = &d->lists[d->section];
    if (list->count == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : 32;
        vrs_check *grown = realloc(list->checks, room * sizeof(*grown));
        if (grown == NULL) {
            d->out_of_memory = true;
            return;
        }
        list->checks = grown;
        list->room = room;
    }
    list->checks[list->count++] = *check;
    d->failed += check->required && check->state == VRS_CHECK_FAILED ? 1 : 0;
    if (!d->json)
        vrs_doctor_print_check(check, d->section);
}

static bool count_installed(void *opaque, const vrs_model_info *info)
{
    vrs_doctor *d = opaque;
    d->models_installed += info->installed ? 1 : 0;
    d->models_known++;
    return true;
}

static void read_gpus(vrs_doctor *d)
{
    int32_t count = 0;
    if (vrs_gpu_count(&count) != VRS_OK) {
        (void)snprintf(d->no_gpu, sizeof(d->no_gpu), "%s", vrs_last_error());
        return;
    }
    d->gpus = calloc((size_t)count, sizeof(*d->gpus));
    d->out_of_memory = d->gpus == NULL;
    for (int32_t i = 0; i < count && d->gpus != NULL; i++)
        if (vrs_gpu_read(i, &d->gpus[i]) == VRS_OK)
            d->gpu_count++;
}

static void read_machine(vrs_doctor *d)
{
    vrs_system_read(&d->system);
    vrs_media_read(&d->media);
    read_gpus(d);
    if (vrs_models_dir(d->models_folder, sizeof(d->models_folder)) != VRS_OK)
        d->models_folder[0] = 0;
    if (vrs_models_list(count_installed, d) != VRS_OK)
        d->models_known = -1;
    if (vrs_disk_read(".", &d->disk) != VRS_OK ||
        vrs_disk_measure(".", 32 << 20, 1, &d->write_rate, &d->read_rate) != VRS_OK)
        d->write_rate = d->read_rate = 0; /* a folder that is not to be written to */
}

static void begin(vrs_doctor *d, vrs_doctor_section section, const char *heading)
{
    d->section = section;
    if (!d->json)
        vrs_doctor_print_heading(heading);
}

static void tell_config(vrs_doctor *d)
{
    vrs_check check = {.name = "configuration",
                       .required = true,
                       .wanted = "a YAML file whose keys and values are options",
                       .gives = "the settings that are checked"};
    (void)snprintf(check.found, sizeof(check.found), "%s", d->config_file);
    take_check(d, &check);
}

static vrs_status check_all(vrs_doctor *d)
{
    begin(d, VRS_DOCTOR_REQUIREMENTS, "requirements");
    if (d->config_file == NULL)
        d->config_file = vrs_flags_file();
    if (d->config_file != NULL)
        tell_config(d);
    vrs_status status = vrs_requirements_check(d->config, take_check, d);
    if (status == VRS_OK)
        status = vrs_media_check(d->config, take_check, d);
    vrs_doctor_check_python(take_check, d);
    if (status == VRS_OK && d->deploy != NULL) {
        begin(d, VRS_DOCTOR_DEPLOYMENT, "deployment");
        d->options.run = true;
        status = vrs_deploy_check(d->config, &d->options, take_check, d);
    }
    if (status == VRS_OK && d->self_test) {
        begin(d, VRS_DOCTOR_SELF_TEST, "self-test");
        status = vrs_self_test(take_check, d);
    }
    return status;
}

static int diagnose(vrs_doctor *d)
{
    read_machine(d);
    if (!d->json)
        vrs_doctor_print_machine(d);
    vrs_status status = check_all(d);
    if (d->out_of_memory)
        status = vrs_fail(VRS_NO_MEMORY, "no memory for the list of checks");
    if (status != VRS_OK)
        return vrs_report(status) != VRS_EXIT_DONE ? VRS_EXIT_FAILED : VRS_EXIT_DONE;
    if (d->json)
        vrs_doctor_print_json(d);
    else if (d->failed == 0)
        (void)puts("\nEverything that a run needs is here.");
    else
        (void)printf("\n%d thing%s that a run needs %s missing or wrong.\n", d->failed,
                     d->failed == 1 ? "" : "s", d->failed == 1 ? "is" : "are");
    return d->failed == 0 ? VRS_EXIT_DONE : VRS_EXIT_FAILED;
}

const struct argp *vrs_doctor_argp(void)
{
    static struct argp_child children[2];
    static const struct argp argp = {
        .options = doctor_options,
        .parser = parse_doctor,
        .doc = "Shows what this machine is, what vrseg finds on it and what is missing, with the "
               "command that brings it. The options of `vrseg run` say for which settings.\v"
               "Exit status: 0 these settings can run here, 1 something that they need is missing "
               "or wrong, 2 wrong usage.",
        .children = children,
    };
    children[0].argp = vrs_flags_argp();
    return &argp;
}

int vrs_command_doctor(int argc, char **argv)
{
    static vrs_doctor doctor; /* large, and one is enough */
    vrs_status status = vrs_flags_config(&doctor.config);
    if (status != VRS_OK)
        return vrs_report(status);
    (void)argp_parse(vrs_doctor_argp(), argc, argv, 0, NULL, &doctor);
    int code = diagnose(&doctor);
    for (int i = 0; i < VRS_DOCTOR_SECTIONS; i++)
        free(doctor.lists[i].checks);
    free(doctor.gpus);
    vrs_config_destroy(doctor.config);
    return code;
}
