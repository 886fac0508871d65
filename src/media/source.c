#include "media/source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/errno_text.h"
#include "media/source_internal.h"

vrs_status vrs_source_open(const vrs_source_params *params, vrs_source **source)
{
    struct stat about;
    *source = NULL;
    if (!params->path || !params->path[0]) {
        return vrs_fail(VRS_INVALID, "no input was named");
    }
    if (params->decoder == VRS_DECODER_NVDEC) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: the decoder nvdec works in runs on the GPU alone; use auto or cpu",
                        params->path);
    }
    bool raw = params->raw_format && params->raw_format[0];
    vrs_status status = VRS_OK;
    if (strcmp(params->path, "-") == 0) {
        status = vrs_file_source_open(params, source);
    } else if (stat(params->path, &about) != 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be opened: %s", params->path,
                        vrs_errno_text(errno));
    } else if (S_ISDIR(about.st_mode) && raw) {
        return vrs_fail(VRS_INVALID, "%s: a folder cannot be read as raw pixels (raw_format)",
                        params->path);
    } else if (S_ISDIR(about.st_mode)) {
        status = vrs_folder_source_open(params, source);
    } else {
        status = vrs_file_source_open(params, source);
    }
    if (status != VRS_OK) {
        return status;
    }
    (*source)->max_frames = params->max_frames;
    vrs_stream_info *info = &(*source)->info;
    if (params->max_frames > 0 && info->frame_estimate > params->max_frames) {
        info->frame_estimate = params->max_frames;
    }
    return VRS_OK;
}

vrs_status vrs_source_read(vrs_source *source, vrs_frame *frame)
{
    if (source->max_frames > 0 && source->frames >= (uint64_t)source->max_frames) {
        return VRS_END;
    }
    *frame = (vrs_frame){.id = (int64_t)source->frames};
    vrs_status status = source->ops->read(source, frame);
    if (status == VRS_OK) {
        source->frames++;
    }
    return status;
}

void vrs_source_close(vrs_source *source)
{
    if (source) {
        source->ops->destroy(source);
    }
}
