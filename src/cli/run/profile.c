/* The flags of a run that profile it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/run/profile.h"

error_t vrs_run_profile_parse(vrs_run_profile *p, int key, char *value, struct argp_state *state)
{
    switch (key) {
    case VRS_KEY_TRACE:
        p->trace = value;
        return 0;
    case VRS_KEY_REPORT:
        p->report = value;
        return 0;
    case VRS_KEY_PLOTS:
        p->plots = value;
        return 0;
    case VRS_KEY_DEEP:
        p->kernels = true;
        return 0;
    case VRS_KEY_METRICS:
        if (!vrs_metrics_parse(value, &p->address))
            argp_error(state,
                       "--metrics-port %s: expected a port from 0 to 65535, or "
                       "ADDRESS:PORT with a numeric IPv4 address",
                       value);
        p->serves = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

vrs_status vrs_run_profile_name(vrs_run_profile *p)
{
    int length = 0;
    if (p->trace != NULL)
        length = snprintf(p->path, sizeof(p->path), "%s", p->trace);
    else if (p->report != NULL)
        length = snprintf(p->path, sizeof(p->path), "%s.trace", p->report);
    else if (p->plots != NULL)
        length = snprintf(p->path, sizeof(p->path), "%s/run.trace", p->plots);
    return length >= 0 && (size_t)length < sizeof(p->path)
               ? VRS_OK
               : vrs_fail(VRS_INVALID, "the trace's name is too long");
}

/* Before the trace, which may be in it. */
static vrs_status make_plots_folder(const vrs_run_profile *p)
{
    struct stat info;
    if (p->plots == NULL || (stat(p->plots, &info) == 0 && S_ISDIR(info.st_mode)))
        return VRS_OK;
    if (mkdir(p->plots, 0777) == 0)
        return VRS_OK;
    const char *reason = errno == EEXIST   ? "a file has its name"
                         : errno == ENOENT ? "the folder above it does not exist"
                                           : "permission denied, or nothing can be made there";
    return vrs_fail(errno == EEXIST   ? VRS_INVALID
                    : errno == ENOENT ? VRS_NOT_FOUND
                                      : VRS_PERMISSION,
                    "--plots %s: the folder cannot be made: %s", p->plots, reason);
}

vrs_status vrs_run_profile_begin(vrs_run_profile *p)
{
    if (p->kernels && p->path[0] == 0)
        return vrs_fail(VRS_INVALID,
                        "--deep: add --trace FILE or --report FILE, where the kernels' "
                        "times are to be");
    if (p->trace == NULL && p->report == NULL && p->plots == NULL && !p->serves)
        return VRS_OK;
    vrs_status status = make_plots_folder(p);
    if (status == VRS_OK)
        status = vrs_profile_open(p->path[0] != 0 ? p->path : NULL, &p->profile);
    if (status == VRS_OK && p->kernels)
        status = vrs_profile_follow_kernels(p->profile);
    if (status == VRS_OK && p->serves) {
        status = vrs_metrics_start(p->profile, &p->address, &p->server);
        if (status == VRS_OK)
            (void)fprintf(stderr, "vrseg: metrics are at http://%s/metrics\n",
                          vrs_metrics_where(p->server));
    }
    return status;
}

static vrs_status write_report(const vrs_run_profile *p)
{
    vrs_profile_report *report = NULL;
    if (p->report == NULL && p->plots == NULL)
        return VRS_OK;
    vrs_status status = vrs_report_load(p->path, &report);
    if (status == VRS_OK && p->report != NULL)
        status = vrs_report_write_html(report, NULL, p->report);
    if (status == VRS_OK && p->plots != NULL)
        status = vrs_report_write_plots(report, p->plots);
    vrs_report_destroy(report);
    return status;
}

vrs_status vrs_run_profile_end(vrs_run_profile *p)
{
    if (p->profile == NULL)
        return VRS_OK;
    vrs_metrics_stop(p->server);
    vrs_status status = vrs_profile_close(p->profile);
    p->profile = NULL;
    p->server = NULL;
    return status == VRS_OK ? write_report(p) : status;
}
