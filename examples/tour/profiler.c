/* Part 6: a trace of a run, what it says, and the page made of it. */
#include <stdio.h>

#include "tour.h"
#include "vrseg/job.h"

void tour_profiler(const tour *t)
{
    static const char *const settings[] = {NULL};
    char trace[4096], page[4096], chrome[4096], text[4096];
    vrs_job *job = NULL;
    vrs_profile *profile = NULL;
    vrs_profile_report *report = NULL;
    vrs_config *config = tour_config(settings);
    (void)snprintf(trace, sizeof trace, "%s/tour.trace", t->folder);
    (void)snprintf(page, sizeof page, "%s/tour.html", t->folder);
    (void)snprintf(chrome, sizeof chrome, "%s/tour.chrome.json", t->folder);
    tour_require(vrs_config_set(config, "model", t->model));
    tour_require(vrs_profile_open(trace, &profile));
    tour_require(vrs_job_create(config, t->video, &job));
    tour_require(vrs_job_add_output(job, VRS_JOB_MASK, "null"));
    tour_require(vrs_job_set_profile(job, profile));
    tour_require(vrs_job_run(job, NULL, NULL));
    vrs_job_destroy(job);
    vrs_config_destroy(config);
    tour_require(vrs_profile_close(profile));
    tour_require(vrs_report_load(trace, &report));
    (void)vrs_report_text(report, NULL, text, sizeof text);
    tour_print(text);
    tour_require(vrs_report_write_html(report, NULL, page));
    tour_require(vrs_report_write_chrome(report, chrome));
    (void)printf("   the whole of it: %s; for Perfetto: %s\n", page, chrome);
    vrs_report_destroy(report);
}
