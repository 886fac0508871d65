/* vrseg monitor: what a GPU is doing, a line at a time: a table on a terminal, JSON lines
 * elsewhere. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/json.h"

#define HEADER_EVERY 20
/* NVML counts over a tenth of a second at least. */
#define FIRST_MS 120

typedef struct settings {
    double interval;
    long count; /* 0: until it is stopped */
    long device;
} settings;

enum { KEY_INTERVAL = 'i', KEY_COUNT = 'n', KEY_DEVICE = 'd' };

static const struct argp_option options[] = {
    {"interval", KEY_INTERVAL, "SECONDS", 0, "Time between readings, 0.1 to 3600 (1)", 0},
    {"count", KEY_COUNT, "N", 0, "Readings; 0: until stopped (0)", 0},
    {"device", KEY_DEVICE, "N", 0, "GPU by its number, in the order of the PCI bus (0)", 0},
    {0}};

/* True where the whole text is a number between the two. */
static bool parse_between(const char *text, double least, double most, double *value)
{
    char *end = NULL;
    errno = 0;
    double parsed = strtod(text, &end);
    if (errno != 0 || end == text || *end != 0 || !(parsed >= least && parsed <= most))
        return false;
    *value = parsed;
    return true;
}

/* Ends the parsing with a sentence. */
static error_t refuse(const char *what, const char *value, const char *expected)
{
    (void)fprintf(stderr, "vrseg: %s%s: %s\n", what, value, expected);
    return EINVAL;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    settings *s = state->input;
    double value = 0;
    switch (key) {
    case KEY_INTERVAL:
        if (!parse_between(arg, 0.1, 3600, &s->interval))
            return refuse("--interval ", arg, "expected 0.1 to 3600 seconds");
        return 0;
    case KEY_COUNT:
        if (!parse_between(arg, 0, 1e9, &value) || value != (double)(long)value)
            return refuse("--count ", arg, "expected a whole number, 0 or more");
        s->count = (long)value;
        return 0;
    case KEY_DEVICE:
        if (!parse_between(arg, 0, 1023, &value) || value != (double)(long)value)
            return refuse("--device ", arg, "expected the number of a GPU, counted from 0");
        s->device = (long)value;
        return 0;
    case ARGP_KEY_ARG:
        return refuse("", arg, "no argument is expected");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- a table ---- */

static void print_cell(double value, int width, int decimals)
{
    if (value < 0)
        (void)printf("%*s", width, "-");
    else
        (void)printf("%*.*f", width, decimals, value);
}

static const char *throttle_text(int32_t throttle)
{
    if (throttle < 0)
        return "-";
    if ((throttle & VRS_THROTTLE_HARDWARE) != 0)
        return "hardware";
    if ((throttle & VRS_THROTTLE_TEMPERATURE) != 0)
        return "heat";
    if ((throttle & VRS_THROTTLE_POWER) != 0)
        return "power";
    return (throttle & VRS_THROTTLE_SETTING) != 0 ? "setting" : "no";
}

static double in_gb(int64_t bytes)
{
    return bytes < 0 ? -1 : (double)bytes / 1e9;
}

static void print_row(const vrs_monitor_reading *r, long line)
{
    if (line % HEADER_EVERY == 0)
        (void)puts(" used GB  free GB  GPU %   SM %  tensor %  DRAM %  NVDEC %  NVENC %  SM MHz  "
                   "mem MHz  watts  deg C  throttled");
    print_cell(in_gb(r->memory_used), 8, 2);
    print_cell(in_gb(r->memory_free), 9, 2);
    print_cell(r->gpu_percent, 7, 0);
    print_cell(r->sm_percent, 7, 1);
    print_cell(r->tensor_percent, 10, 1);
    print_cell(r->dram_percent, 8, 1);
    print_cell(r->decoder_percent, 9, 0);
    print_cell(r->encoder_percent, 9, 0);
    print_cell(r->sm_mhz, 8, 0);
    print_cell(r->memory_mhz, 9, 0);
    print_cell(r->power_watts, 7, 0);
    print_cell(r->temperature_c, 7, 0);
    (void)printf("  %s\n", throttle_text(r->throttle));
}

/* ---- JSON lines ---- */

static void add_throttle(yajl_gen gen, int32_t throttle)
{
    static const struct {
        vrs_throttle flag;
        const char *name;
    } reasons[] = {{VRS_THROTTLE_POWER, "power"},
                   {VRS_THROTTLE_TEMPERATURE, "temperature"},
                   {VRS_THROTTLE_HARDWARE, "hardware"},
                   {VRS_THROTTLE_SETTING, "setting"}};
    vrs_json_key(gen, "throttle");
    if (throttle < 0) {
        (void)yajl_gen_null(gen);
        return;
    }
    (void)yajl_gen_array_open(gen);
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if ((throttle & (int32_t)reasons[i].flag) != 0)
            vrs_json_key(gen, reasons[i].name);
    (void)yajl_gen_array_close(gen);
}

static void print_json(yajl_gen gen, const vrs_monitor_reading *r, const settings *s,
                       const char *name)
{
    (void)yajl_gen_map_open(gen);
    vrs_json_reading(gen, "seconds", (double)r->time_ns / 1e9, 3);
    vrs_json_integer(gen, "device", s->device);
    vrs_json_text(gen, "name", name);
    vrs_json_reading(gen, "memory_total_bytes", (double)r->memory_total, 0);
    vrs_json_reading(gen, "memory_used_bytes", (double)r->memory_used, 0);
    vrs_json_reading(gen, "memory_free_bytes", (double)r->memory_free, 0);
    vrs_json_reading(gen, "gpu_percent", r->gpu_percent, 0);
    vrs_json_reading(gen, "memory_percent", r->memory_percent, 0);
    vrs_json_reading(gen, "sm_percent", r->sm_percent, 2);
    vrs_json_reading(gen, "tensor_percent", r->tensor_percent, 2);
    vrs_json_reading(gen, "dram_percent", r->dram_percent, 2);
    vrs_json_reading(gen, "decoder_percent", r->decoder_percent, 0);
    vrs_json_reading(gen, "encoder_percent", r->encoder_percent, 0);
    vrs_json_reading(gen, "sm_mhz", r->sm_mhz, 0);
    vrs_json_reading(gen, "memory_mhz", r->memory_mhz, 0);
    vrs_json_reading(gen, "power_watts", r->power_watts, 1);
    vrs_json_reading(gen, "power_limit_watts", r->power_limit_watts, 1);
    vrs_json_reading(gen, "energy_joules", r->energy_joules, 3);
    vrs_json_reading(gen, "temperature_c", r->temperature_c, 0);
    add_throttle(gen, r->throttle);
    (void)yajl_gen_map_close(gen);
    vrs_json_line(gen, stdout);
}

static int watch(vrs_monitor *monitor, const settings *s, yajl_gen gen)
{
    bool table = isatty(STDOUT_FILENO) != 0;
    vrs_monitor_reading reading;
    /* What is counted between two readings is to be in the first one that is shown. */
    vrs_status status = vrs_monitor_read(monitor, &reading);
    (void)poll(NULL, 0, status == VRS_OK ? FIRST_MS : 0);
    if (table)
        (void)printf("%s, driver %s\n", vrs_monitor_name(monitor), vrs_monitor_driver(monitor));
    for (long i = 0; s->count == 0 || i < s->count; i++) {
        if (i != 0)
            (void)poll(NULL, 0, (int)(s->interval * 1000)); /* a signal ends the program */
        status = vrs_monitor_read(monitor, &reading);
        if (status != VRS_OK)
            return vrs_report(status);
        if (table)
            print_row(&reading, i);
        else
            print_json(gen, &reading, s, vrs_monitor_name(monitor));
        if (fflush(stdout) != 0)
            return VRS_EXIT_FAILED;
    }
    return VRS_EXIT_DONE;
}

const struct argp *vrs_monitor_argp(void)
{
    static const struct argp parser = {
        options,
        parse_option,
        NULL,
        "Shows what an NVIDIA GPU is doing: memory, utilisation, clocks, power, temperature and "
        "throttling. A table on a terminal, JSON lines elsewhere.\vGPU % is the time in which "
        "some kernel ran; SM % how many of the multiprocessors had work, from Hopper on. "
        "What a GPU does not tell is - or null.",
        NULL,
        NULL,
        NULL};
    return &parser;
}

int vrs_command_monitor(int argc, char **argv)
{
    settings s = {.interval = 1};
    if (argp_parse(vrs_monitor_argp(), argc, argv, 0, NULL, &s) != 0)
        return VRS_EXIT_USAGE;
    vrs_monitor *monitor = NULL;
    vrs_status status = vrs_monitor_open((int32_t)s.device, &monitor);
    if (status != VRS_OK)
        return vrs_report(status);
    yajl_gen gen = yajl_gen_alloc(NULL);
    int code = gen != NULL ? watch(monitor, &s, gen) : vrs_report(VRS_NO_MEMORY);
    if (gen != NULL)
        yajl_gen_free(gen);
    vrs_monitor_close(monitor);
    return code;
}
