/* One long video on several machines that share a folder: shards IN OUT I/N
 *
 * Each machine runs it with its own I; whoever finds all parts there makes OUT of them. What comes
 * out decodes to the same frames as one run of all. */
#include <stdio.h>

#include <vrseg/job.h>
#include <vrseg/vrseg.h>

static vrs_status run_part(const char *input, const char *output, const char *part)
{
    vrs_config *config = NULL;
    vrs_job *job = NULL;
    vrs_status status = vrs_job_config_create(&config);
    if (status == VRS_OK)
        status = vrs_config_set(config, "shard", part);
    if (status == VRS_OK) /* a part is a number of these */
        status = vrs_config_set(config, "segment_frames", "4");
    if (status == VRS_OK)
        status = vrs_job_create(config, input, &job);
    if (status == VRS_OK)
        status = vrs_job_add_output(job, VRS_JOB_MASK, output);
    if (status == VRS_OK)
        status = vrs_job_run(job, NULL, NULL);
    vrs_job_destroy(job);
    vrs_config_destroy(config);
    return status;
}

int main(int argc, char **argv)
{
    char note[VRS_DETAIL_SIZE];
    if (argc != 4) {
        (void)fputs("Usage: shards IN OUT I/N\n", stderr);
        return 2;
    }
    vrs_status status = run_part(argv[1], argv[2], argv[3]);
    if (status == VRS_OK) {
        status = vrs_job_join(argv[2], true, note, sizeof(note));
        if (status == VRS_NOT_FOUND) { /* another part is not there yet */
            printf("waits: %s\n", vrs_last_error());
            return 0;
        }
    }
    if (status != VRS_OK) {
        (void)fprintf(stderr, "shards: %s: %s\n", vrs_status_text(status), vrs_last_error());
        return 1;
    }
    printf("%s is whole%s%s\n", argv[2], note[0] != 0 ? ": " : "", note);
    return 0;
}
