/* What the kinds of sources share. */
#ifndef VRS_MEDIA_SOURCE_INTERNAL_H
#define VRS_MEDIA_SOURCE_INTERNAL_H

#include "media/source/gpu_frames.h"
#include "media/source/source.h"
#include "media/source/source_convert.h"
#include "media/source/source_reader.h"

/* One container: a video, a picture, a pipe or a camera. Hardware decodes where `gpu` (borrowed;
 * NULL: nowhere) says, and what it gives is put there at once. Errors as vrs_source_open(). */
vrs_status vrs_file_source_open(const vrs_source_params *params, vrs_gpu_frames *gpu,
                                vrs_source **source) VRS_MUST_USE;

/* A folder of pictures, in the order of their names' bytes. Errors as vrs_source_open(). */
vrs_status vrs_folder_source_open(const vrs_source_params *params,
                                  vrs_source **source) VRS_MUST_USE;

/* How `frame` is delivered when it decides itself; `need_yuv`: RGB becomes YUV420P, BT.709. */
vrs_convert_side vrs_source_side(const AVFrame *frame, bool need_yuv);

/* VRS_UNSUPPORTED, naming `name`, when a side is outside 1..VRS_MAX_SIDE. */
vrs_status vrs_source_check_size(const char *name, const AVFrame *frame) VRS_MUST_USE;

/* True when `frame` can be delivered as `side` says without a conversion. */
bool vrs_source_matches(const AVFrame *frame, const vrs_convert_side *side);

/* Makes the image to deliver, converted where it must be. Takes `frame`, also on failure.
 * VRS_NO_MEMORY, VRS_UNSUPPORTED. */
vrs_status vrs_source_image(vrs_converter *converter, const vrs_convert_side *side, AVFrame *frame,
                            vrs_image *image) VRS_MUST_USE;

/* Fills `info` from an open reader and its first frame. */
void vrs_source_fill_info(const vrs_reader *reader, const AVFrame *first,
                          const vrs_convert_side *side, vrs_stream_info *info);

/* Puts the base name of `path` without its extension into source->frame_name. */
void vrs_source_name_frame(vrs_source *source, const char *path);

#endif
