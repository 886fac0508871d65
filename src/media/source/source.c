#include "media/source/source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/errno_text.h"
#include "media/source/source_internal.h"

/* Opens by what the path is. */
static vrs_status open_kind(const vrs_source_params *params, vrs_gpu_frames *gpu,
                            vrs_source **source)
{
    struct stat about;
    bool raw = params->raw_format && params->raw_format[0];
    if (strcmp(params->path, "-") == 0)
        return vrs_file_source_open(params, gpu, source);
    if (stat(params->path, &about) != 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be opened: %s", params->path,
                        vrs_errno_text(errno));
    }
    if (S_ISDIR(about.st_mode) && raw) {
        return vrs_fail(VRS_INVALID, "%s: a folder cannot be read as raw pixels (raw_format)",
                        params->path);
    }
    if (S_ISDIR(about.st_mode) && params->decoder == VRS_DECODER_NVDEC) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: NVDEC does not decode pictures; use the decoder auto or cpu",
                        params->path);
    }
    return S_ISDIR(about.st_mode) ? vrs_folder_source_open(params, source)
                                  : vrs_file_source_open(params, gpu, source);
}

static vrs_status make_gpu(const vrs_source_params *params, vrs_gpu_frames **gpu)
{
    *gpu = NULL;
    if (!params->gpu && params->decoder == VRS_DECODER_NVDEC) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: the decoder nvdec works in runs on the GPU alone; use auto or cpu",
                        params->path);
    }
    if (!params->gpu)
        return VRS_OK;
    const vrs_gpu_frames_params frames = {
        .device = params->gpu->device,
        .memory = params->gpu->memory,
        .slots = params->gpu->slots,
        .stop = params->stop,
        .stop_opaque = params->stop_opaque,
    };
    return vrs_gpu_frames_create(&frames, gpu);
}

vrs_status vrs_source_open(const vrs_source_params *params, vrs_source **source)
{
    vrs_gpu_frames *gpu = NULL;
    *source = NULL;
    if (!params->path || !params->path[0])
        return vrs_fail(VRS_INVALID, "no input was named");
    vrs_status status = make_gpu(params, &gpu);
    if (status == VRS_OK)
        status = open_kind(params, gpu, source);
    if (status != VRS_OK) {
        vrs_gpu_frames_destroy(gpu);
        return status;
    }
    (*source)->gpu = gpu;
    (*source)->max_frames = params->max_frames;
    vrs_stream_info *info = &(*source)->info;
    if (params->max_frames > 0 && info->frame_estimate > params->max_frames)
        info->frame_estimate = params->max_frames;
    return VRS_OK;
}

vrs_status vrs_source_read(vrs_source *source, vrs_frame *frame)
{
    if (source->max_frames > 0 && source->frames >= (uint64_t)source->max_frames)
        return VRS_END;
    *frame = (vrs_frame){.id = (int64_t)source->frames};
    int64_t began_ns = vrs_now_ns();
    vrs_status status = source->gpu ? vrs_gpu_frames_wait(source->gpu) : VRS_OK;
    source->waited_ns = vrs_now_ns() - began_ns;
    if (status == VRS_OK)
        status = source->ops->read(source, frame);
    if (status == VRS_OK && source->gpu && frame->image.memory == VRS_MEMORY_HOST)
        status = vrs_gpu_frames_upload(source->gpu, &frame->image);
    if (status == VRS_OK)
        source->frames++;
    return status;
}

static vrs_status count_to(vrs_source *source, uint64_t frames)
{
    while (source->frames < frames) {
        vrs_frame frame;
        vrs_status status = vrs_source_read(source, &frame);
        if (status == VRS_END) {
            return vrs_fail(VRS_CORRUPT,
                            "the input ends after %llu frames, and %llu of it were finished before",
                            (unsigned long long)source->frames, (unsigned long long)frames);
        }
        if (status != VRS_OK)
            return status;
        vrs_image_release(&frame.image);
    }
    return VRS_OK;
}

vrs_status vrs_source_go_to(vrs_source *source, const vrs_source_place *place)
{
    bool found = place->frame == 0;
    vrs_status status = VRS_OK;
    if (!found && place->known && source->ops->go_to)
        status = source->ops->go_to(source, place, &found);
    if (status != VRS_OK)
        return status;
    uint64_t wanted = (uint64_t)(place->frame - place->before);
    if (!found)
        return count_to(source, wanted);
    source->frames = wanted;
    return VRS_OK;
}

vrs_status vrs_source_jump(vrs_source *source, double seconds)
{
    return source->ops->jump ? source->ops->jump(source, seconds)
                             : vrs_fail(VRS_UNSUPPORTED, "the input cannot seek");
}

void vrs_source_close(vrs_source *source)
{
    if (source) {
        vrs_gpu_frames *gpu = source->gpu;
        vrs_source_layout_free(&source->layout);
        source->ops->destroy(source);
        vrs_gpu_frames_destroy(gpu);
    }
}
