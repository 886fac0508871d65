/* The flags of a run that profile it: --trace, --report, --plots, --metrics-port. */
#ifndef VRS_CLI_PROFILE_H
#define VRS_CLI_PROFILE_H

#include "cli/run/metrics.h"

typedef struct vrs_run_profile {
    const char *trace, *report, *plots; /* NULL: not wanted */
    bool kernels;
    struct sockaddr_in address;
    bool serves;
    char path[4096]; /* of the trace; "": none is written */
    vrs_profile *profile;
    vrs_metrics *server;
} vrs_run_profile;

/* The flags among those of a command. */
enum { VRS_KEY_TRACE = 0x400, VRS_KEY_REPORT, VRS_KEY_PLOTS, VRS_KEY_METRICS, VRS_KEY_DEEP };
/* clang-format off */
#define VRS_PROFILE_OPTIONS \
    {"trace", VRS_KEY_TRACE, "FILE", 0, \
     "Write what ran when, as JSON lines, while the run goes on; 'vrseg report' reads it", 2}, \
    {"report", VRS_KEY_REPORT, "FILE", 0, \
     "Write a page about the run at its end; without --trace its trace is FILE.trace", 2}, \
    {"plots", VRS_KEY_PLOTS, "DIR", 0, \
     "Write charts of the run as SVG at its end; without --trace and --report its trace is " \
     "DIR/run.trace", 2}, \
    {"deep", VRS_KEY_DEEP, NULL, 0, \
     "With --trace or --report: also what each kernel of the GPU takes and which node of the " \
     "network it is of, by NVIDIA's CUPTI; costs some of the rate", 2}, \
    {"metrics-port", VRS_KEY_METRICS, "[ADDRESS:]PORT", 0, \
     "Serve the metrics of the run to Prometheus at http://ADDRESS:PORT/metrics; ADDRESS is " \
     "127.0.0.1, the machine itself, unless it is given; port 0 is one that is free", 2}
/* clang-format on */
/* ARGP_ERR_UNKNOWN: a key of somebody else's. */
error_t vrs_run_profile_parse(vrs_run_profile *run, int key, char *value, struct argp_state *state);

/* Says in `path` where the trace goes; makes nothing. VRS_INVALID: too long. */
vrs_status vrs_run_profile_name(vrs_run_profile *run) VRS_MUST_USE;
/* After it: opens what was asked for, before the job is made: `profile` stays NULL where nothing
 * was. */
vrs_status vrs_run_profile_begin(vrs_run_profile *run) VRS_MUST_USE;
/* After the job was destroyed: closes, and writes the report and the plots. Also after a failed
 * begin. */
vrs_status vrs_run_profile_end(vrs_run_profile *run) VRS_MUST_USE;

#endif
