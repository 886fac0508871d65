/* The process that measures never opens an engine or a GPU itself, so that it can be forked at any
 * time. */
#include "cli/trial.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vrseg/log.h"
#include "vrseg/system.h"

/* How often it is looked whether to stop. */
#define TICK_MS 100

typedef struct trial {
    vrs_trial_fn fn;
    void *opaque, *report;
    size_t size;
    double most_seconds;
    const volatile sig_atomic_t *stop;
} trial;

static void be_silent(void *opaque, vrs_log_level level, const char *line)
{
    (void)opaque;
    (void)level;
    (void)line;
}

/* The life of the trial's process. What is left of it the system takes back. */
_Noreturn static void live(const trial *t, int out, pid_t parent)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL); /* the parent decides */
    (void)sigaction(SIGPIPE, &action, NULL);
    action.sa_handler = SIG_DFL;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    vrs_log_set(be_silent, NULL, VRS_LOG_ERROR);
    t->fn(t->opaque, t->report);
    ssize_t written = write(out, t->report, t->size); /* less than a pipe holds: at once */
    _exit(written == (ssize_t)t->size ? 0 : 1);
}

/* Reads the report; false: the process ended without one. */
static bool receive(const trial *t, int in, vrs_status *status)
{
    int64_t end_ns = vrs_now_ns() + (int64_t)(t->most_seconds * 1e9);
    size_t got = 0;
    while (got < t->size) {
        struct pollfd ready = {.fd = in, .events = POLLIN};
        if (*t->stop) {
            *status = vrs_fail(VRS_CANCELLED, "stopped");
            return false;
        }
        if (vrs_now_ns() > end_ns) {
            *status =
                vrs_fail(VRS_TIMEOUT, "not done after %.0f s, so it was ended", t->most_seconds);
            return false;
        }
        int events = poll(&ready, 1, TICK_MS);
        if (events == 0 || (events < 0 && errno == EINTR))
            continue;
        ssize_t count = read(in, (char *)t->report + got, t->size - got);
        if (count <= 0 && !(count < 0 && errno == EINTR))
            return false;
        got += count > 0 ? (size_t)count : 0;
    }
    return true;
}

/* Why a process ended that has left no report. */
static vrs_status post_mortem(int how)
{
    if (WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL)
        return vrs_fail(VRS_NO_MEMORY, "it was killed, as the system does where memory runs out");
    if (WIFSIGNALED(how))
        return vrs_fail(VRS_SYSTEM, "it crashed (signal %d)", WTERMSIG(how));
    return vrs_fail(VRS_SYSTEM, "it ended by itself (exit code %d)",
                    WIFEXITED(how) ? WEXITSTATUS(how) : -1);
}

static vrs_status reported_status(const trial *t)
{
    vrs_trial_end end;
    memcpy(&end, t->report, sizeof(end));
    return end.status == VRS_OK ? VRS_OK : vrs_fail(end.status, "%s", end.detail);
}

vrs_status vrs_trial_run(vrs_trial_fn fn, void *opaque, void *report, size_t size,
                         double most_seconds, const volatile sig_atomic_t *stop)
{
    int ends[2];
    const trial t = {fn, opaque, report, size, most_seconds, stop};
    assert(size >= sizeof(vrs_trial_end) && size <= VRS_TRIAL_REPORT_MAX);
    memset(report, 0, size);
    if (pipe(ends) != 0)
        return vrs_fail(VRS_SYSTEM, "no pipe for a trial: too many files are open");
    pid_t parent = getpid();
    (void)fflush(NULL); /* or both write it */
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        live(&t, ends[1], parent);
    }
    (void)close(ends[1]);
    if (child < 0) {
        (void)close(ends[0]);
        return vrs_fail(VRS_SYSTEM, "no process for a trial: memory or processes run out");
    }
    vrs_status status = VRS_OK;
    bool reported = receive(&t, ends[0], &status);
    (void)close(ends[0]);
    if (!reported && status != VRS_OK)
        (void)kill(child, SIGKILL);
    int how = 0;
    while (waitpid(child, &how, 0) < 0 && errno == EINTR)
        continue;
    if (reported)
        return reported_status(&t);
    if (status == VRS_OK && *stop) /* a signal to the group ends the trial too */
        status = vrs_fail(VRS_CANCELLED, "stopped");
    return status != VRS_OK ? status : post_mortem(how);
}
