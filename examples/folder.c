/* Many videos with one set of engines: folder OUT_FOLDER IN...
 *
 * The masks of a.mp4 become OUT_FOLDER/a.mp4. One that cannot be read is an affair of its own. The
 * first Ctrl-C finishes the frames that are on their way and closes the files, the second one stops
 * at once. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include <vrseg/job.h>
#include <vrseg/vrseg.h>

static volatile sig_atomic_t interrupts;

static void interrupt(int number)
{
    (void)number;
    interrupts++;
}

/* While the job runs, several times a second. */
static void look(void *opaque, const vrs_job_stats *stats)
{
    (void)stats;
    if (interrupts > 0)
        vrs_job_stop(opaque, interrupts > 1);
}

static void show(vrs_job *job)
{
    vrs_job_stats all = vrs_job_get_stats(job);
    for (int32_t i = 0; i < all.inputs.all; i++) {
        vrs_job_input_stats s = vrs_job_get_input(job, i);
        printf("%s: %s, %" PRIu64 " frames%s%s\n", s.path, vrs_job_state_name(s.state), s.written,
               s.detail[0] != 0 ? ": " : "", s.detail);
    }
    for (int i = 0; i < VRS_RESOURCE_COUNT; i++) /* what it was that limited */
        if (all.resources[i] >= 0)
            printf("%s %.0f %%, ", vrs_resource_name((vrs_resource)i), 100 * all.resources[i]);
    printf("%s\n", all.bottleneck);
}

/* Whether it went well; says it where not, before another call replaces the reason. */
static bool good(vrs_status status)
{
    if (status != VRS_OK)
        (void)fprintf(stderr, "folder: %s: %s\n", vrs_status_text(status), vrs_last_error());
    return status == VRS_OK;
}

static bool run(const vrs_config *config, int argc, char **argv)
{
    char outputs[1024];
    vrs_job *job = NULL;
    bool done = good(vrs_job_create(config, NULL, &job));
    for (int i = 2; i < argc && done; i++)
        done = good(vrs_job_add_input(job, argv[i]));
    (void)snprintf(outputs, sizeof(outputs), "%s/{name}.mp4", argv[1]);
    done = done && good(vrs_job_add_output(job, VRS_JOB_MASK, outputs));
    if (done) {
        (void)signal(SIGINT, interrupt);
        done = good(vrs_job_run(job, look, job));
        (void)signal(SIGINT, SIG_DFL);
        show(job);
    }
    vrs_job_destroy(job);
    return done;
}

int main(int argc, char **argv)
{
    vrs_config *config = NULL;
    if (argc < 3) {
        (void)fputs("Usage: folder OUT_FOLDER IN...\n", stderr);
        return 2;
    }
    bool done = good(vrs_job_config_create(&config)) &&
                good(vrs_config_set(config, "inputs_at_once", "2")) && run(config, argc, argv);
    vrs_config_destroy(config);
    return done ? 0 : 1;
}
