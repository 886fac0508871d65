/* One video into a mask video and a composite: job IN OUT_MASK OUT_COMPOSITE */
#include <stdio.h>

#include <vrseg/job.h>
#include <vrseg/vrseg.h>

static void show(void *opaque, const vrs_job_stats *stats)
{
    (void)opaque;
    (void)fprintf(stderr, "%llu frames, %.1f a second\n", (unsigned long long)stats->written,
                  stats->fps);
}

int main(int argc, char **argv)
{
    vrs_config *config = NULL;
    vrs_job *job = NULL;
    if (argc != 4) {
        (void)fputs("Usage: job IN OUT_MASK OUT_COMPOSITE\n", stderr);
        return 2;
    }
    vrs_status status = vrs_job_config_create(&config);
    if (status == VRS_OK)
        status = vrs_config_set(config, "background", "#202020");
    if (status == VRS_OK)
        status = vrs_job_create(config, argv[1], &job);
    if (status == VRS_OK)
        status = vrs_job_add_output(job, VRS_JOB_MASK, argv[2]);
    if (status == VRS_OK)
        status = vrs_job_add_output(job, VRS_JOB_GREEN, argv[3]);
    if (status == VRS_OK)
        status = vrs_job_run(job, show, NULL);
    if (status == VRS_OK) {
        vrs_job_expected expected;
        vrs_job_get_expected(job, &expected); /* known from the first call of show() on */
        (void)fprintf(stderr, "expected: at most %.0f MB of host memory\n",
                      (double)expected.host_bytes / 1e6);
    }
    if (status != VRS_OK)
        (void)fprintf(stderr, "job: %s: %s\n", vrs_status_text(status), vrs_last_error());
    vrs_job_destroy(job);
    vrs_config_destroy(config);
    return status == VRS_OK ? 0 : 1;
}
