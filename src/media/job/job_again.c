/* An input whose GPU was lost goes on by itself where another device is left or the fallback takes
 * over: it is opened there as a run with resume opens it, behind its last whole segment. */
#include <string.h>
#include <sys/stat.h>

#include "media/job/job_internal.h"
#include "media/sink/carry.h"
#include "vrseg/log.h"

/* Whether a path can be read or written once more from its beginning. */
static bool is_lasting(const char *path, bool missing)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return missing;
    return S_ISREG(info.st_mode) || S_ISDIR(info.st_mode);
}

bool vrs_slot_may_begin_again(const vrs_job_slot *slot)
{
    const vrs_job_input *input = slot->input;
    bool possible = is_lasting(input->path, false);
    for (int32_t i = 0; i < slot->job->pattern_count && possible; i++)
        possible = strcmp(input->outputs[i], "null") == 0 ||
                   (strcmp(input->outputs[i], "-") != 0 && is_lasting(input->outputs[i], true));
    return possible;
}

/* Opening an engine makes threads, which inherit the name. */
bool vrs_job_has_device(vrs_job *job)
{
    bool fell_back = vrs_fleet_fallback(job->fleet)[0] != 0;
    vrs_thread_name("vrs-infer");
    bool alive = vrs_fleet_fall_back(job->fleet);
    vrs_thread_name("vrseg");
    if (!fell_back && vrs_fleet_fallback(job->fleet)[0] != 0 &&
        vrs_job_profile_attach(job) != VRS_OK)
        vrs_log(VRS_LOG_WARNING, "the profile ends here: %s", vrs_last_error());
    return alive;
}

static bool ends(vrs_job *job)
{
    return atomic_load(&job->stop) != 0 || atomic_load(&job->failed);
}

/* The GPU's encoder says that it failed, and not why. */
static bool lost_its_gpu(const vrs_job_slot *slot)
{
    vrs_device *device = vrs_fleet_place(slot->job->fleet, slot->home)->device;
    return slot->failure == VRS_DEVICE_LOST ||
           (slot->failure != VRS_OK && slot->by_nvenc && device != NULL &&
            vrs_device_check(device) == VRS_DEVICE_LOST);
}

/* What was lost before the fleet works is replaced when that is made. */
bool vrs_slot_begin_again(vrs_job_slot *slot, bool *passed)
{
    vrs_job *job = slot->job;
    const vrs_job_input *input = slot->input;
    if (!lost_its_gpu(slot) || ends(job) || !vrs_slot_may_begin_again(slot) ||
        !vrs_slot_pass_gate(slot, passed) || !vrs_job_has_device(job) || ends(job) ||
        input->tries >= vrs_fleet_count(job->fleet))
        return false;
    const char *to = vrs_fleet_fallback(job->fleet);
    to = to[0] != 0 ? to : "another GPU";
    vrs_log(VRS_LOG_WARNING, "%s: goes on on %s, as its own GPU was lost: %s", input->path, to,
            slot->failure_text);
    vrs_slot_close(slot);
    slot->note[0] = 0;
    vrs_note_add(slot->note, sizeof(slot->note), "went on on %s, as its own GPU was lost", to);
    vrs_mutex_lock(&job->lock);
    vrs_slot_begin_anew(slot);
    vrs_mutex_unlock(&job->lock);
    return true;
}
