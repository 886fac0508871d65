#include "media/job/thread_times.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names that vrseg gives, and those of libav's own threads. */
static int32_t stage_of(const char *name)
{
    static const struct {
        const char *prefix;
        int32_t stage;
    } names[] = {
        {"vrs-decode", VRS_STAGE_DECODE}, {"av:", VRS_STAGE_DECODE},
        {"dav1d", VRS_STAGE_DECODE},      {"vrs-pre", VRS_STAGE_PREPROCESS},
        {"vrs-infer", VRS_STAGE_INFER},   {"vrs-post", VRS_STAGE_POSTPROCESS},
        {"vrs-encode", VRS_STAGE_ENCODE},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(name, names[i].prefix, strlen(names[i].prefix)) == 0)
            return names[i].stage;
    return VRS_STAGE_COUNT;
}

static bool read_text(const char *folder, const char *thread, const char *file, char *text,
                      size_t size)
{
    char path[128];
    int n = snprintf(path, sizeof(path), "%s/%.16s/%s", folder, thread, file);
    FILE *f = n > 0 && (size_t)n < sizeof(path) ? fopen(path, "re") : NULL;
    if (f == NULL)
        return false;
    bool good = fgets(text, (int)size, f) != NULL;
    (void)fclose(f);
    return good;
}

/* Takes a thread's time so far out of the list, into the sums. */
static void settle(vrs_thread_times *times, int32_t i)
{
    times->ended_ns[times->threads[i].stage] +=
        times->threads[i].last_ns - times->threads[i].first_ns;
}

/* Room for threads to come: those that have ended leave the list. */
static void drop_ended(vrs_thread_times *times)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < times->count; i++)
        if (times->threads[i].alive)
            times->threads[kept++] = times->threads[i];
        else
            settle(times, i);
    times->count = kept;
}

static void note(vrs_thread_times *times, int32_t id, int32_t stage, int64_t ns)
{
    int32_t i = 0;
    while (i < times->count && times->threads[i].id != id)
        i++;
    if (i == VRS_THREADS_SEEN)
        return;
    bool is_new = i == times->count;
    if (!is_new && ns < times->threads[i].last_ns) { /* another one of the same number */
        settle(times, i);
        times->threads[i].first_ns = 0;
    } else if (!is_new && times->threads[i].stage != stage) { /* another name from now on */
        settle(times, i);
        times->threads[i].first_ns = times->threads[i].last_ns;
    } else if (is_new) {
        times->threads[i].first_ns = times->sampled ? 0 : ns;
        times->count++;
    }
    times->threads[i].id = id;
    times->threads[i].stage = stage;
    times->threads[i].last_ns = ns;
    times->threads[i].alive = true;
}

void vrs_thread_times_sample(vrs_thread_times *times)
{
    static const char tasks[] = "/proc/self/task";
    DIR *folder = opendir(tasks);
    if (folder == NULL)
        return;
    if (times->count > VRS_THREADS_SEEN / 2)
        drop_ended(times);
    for (int32_t i = 0; i < times->count; i++)
        times->threads[i].alive = false;
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        char name[32], time[64];
        if (entry->d_name[0] == '.' || !read_text(tasks, entry->d_name, "comm", name, sizeof(name)))
            continue;
        /* Time spent on the CPU in nanoseconds is the first number: Linux,
         * Documentation/scheduler/sched-stats.rst. */
        if (read_text(tasks, entry->d_name, "schedstat", time, sizeof(time)))
            note(times, (int32_t)strtol(entry->d_name, NULL, 10), stage_of(name),
                 strtoll(time, NULL, 10));
    }
    times->sampled = true;
    (void)closedir(folder);
}

void vrs_thread_times_sum(const vrs_thread_times *times, double seconds[VRS_STAGE_COUNT])
{
    for (int i = 0; i < VRS_STAGE_COUNT; i++)
        seconds[i] = (double)times->ended_ns[i] / 1e9;
    for (int32_t i = 0; i < times->count; i++)
        if (times->threads[i].stage < VRS_STAGE_COUNT)
            seconds[times->threads[i].stage] +=
                (double)(times->threads[i].last_ns - times->threads[i].first_ns) / 1e9;
}
