/* A job's outputs: which codec and format each has, its sink, and what the pipeline must make. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "image/format.h"
#include "media/job_internal.h"

static vrs_output_kind pipeline_kind(vrs_job_output kind)
{
    switch (kind) {
    case VRS_JOB_CLASSES:
        return VRS_OUTPUT_CLASSES;
    case VRS_JOB_GREEN:
        return VRS_OUTPUT_COMPOSITE;
    case VRS_JOB_CUTOUT:
        return VRS_OUTPUT_CUTOUT;
    default:
        return VRS_OUTPUT_MASK;
    }
}

static vrs_status parse_color(const char *text, uint8_t rgb[3])
{
    const char *digits = text[0] == '#' ? text + 1 : text;
    char *end = NULL;
    unsigned long value = strtoul(digits, &end, 16);
    if (strlen(digits) != 6 || *end != 0 || strspn(digits, "0123456789abcdefABCDEF") != 6)
        return vrs_fail(VRS_INVALID, "background: %s is no colour, expected #rrggbb", text);
    for (int i = 0; i < 3; i++)
        rgb[i] = (uint8_t)(value >> (16 - 8 * i));
    return VRS_OK;
}

static vrs_status parse_size(const char *text, int32_t *width, int32_t *height)
{
    *width = *height = 0;
    if (strcmp(text, "source") == 0)
        return VRS_OK;
    if (strcmp(text, "network") == 0) {
        *width = *height = -1;
        return VRS_OK;
    }
    char *end = NULL;
    long w = strtol(text, &end, 10), h = 0;
    if (*end == 'x')
        h = strtol(end + 1, &end, 10);
    if (*end != 0 || w < 1 || h < 1 || w > VRS_MAX_SIDE || h > VRS_MAX_SIDE)
        return vrs_fail(VRS_INVALID,
                        "mask_size: %s is no size, expected source, network or WxH with sides of "
                        "1 to %d",
                        text, VRS_MAX_SIDE);
    *width = (int32_t)w;
    *height = (int32_t)h;
    return VRS_OK;
}

static vrs_codec configured_codec(const vrs_config *config)
{
    static const struct {
        const char *name;
        vrs_codec codec;
    } names[] = {{"h264", VRS_CODEC_H264},     {"hevc", VRS_CODEC_HEVC}, {"ffv1", VRS_CODEC_FFV1},
                 {"prores", VRS_CODEC_PRORES}, {"vp9", VRS_CODEC_VP9},   {"png", VRS_CODEC_PNG},
                 {"raw", VRS_CODEC_RAW}};
    const char *wanted = vrs_config_get(config, "codec");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(wanted, names[i].name) == 0)
            return names[i].codec;
    return VRS_CODEC_AUTO;
}

/* Distinct colours for class indices: index 0, mostly background, is black; the others have their
 * bits spread over R, G, B from the highest bit down, as PASCAL VOC's development kit does. */
static const uint8_t (*class_palette(void))[3]
{
    static uint8_t palette[256][3];
    for (int i = 0; i < 256; i++)
        for (int bit = 0; bit < 8; bit++)
            for (int c = 0; c < 3; c++)
                if (bit % 3 == c && (i >> bit & 1) != 0)
                    palette[i][c] |= (uint8_t)(0x80 >> bit / 3);
    return (const uint8_t(*)[3])palette;
}

static vrs_status describe(vrs_job *job, const vrs_job_sink *out, vrs_pixel_format format,
                           vrs_output_desc *desc)
{
    *desc = (vrs_output_desc){.kind = pipeline_kind(out->kind), .format = format};
    if (out->kind == VRS_JOB_MASK || out->kind == VRS_JOB_CLASSES)
        return parse_size(vrs_config_get(job->config, "mask_size"), &desc->width, &desc->height);
    return parse_color(vrs_config_get(job->config, "background"), desc->background);
}

/* Pixels of an output before there is a pipeline. */
static void output_size(const vrs_job *job, const vrs_output_desc *desc, int32_t *width,
                        int32_t *height)
{
    *width = desc->width > 0 ? desc->width : job->source->info.width;
    *height = desc->height > 0 ? desc->height : job->source->info.height;
    if (desc->width == -1) {
        vrs_model_info model = vrs_model_get_info(job->model);
        const char *layout = vrs_config_get(job->config, "layout");
        *width = model.input_width * (strcmp(layout, "sbs") == 0 ? 2 : 1);
        *height = model.input_height * (strcmp(layout, "tb") == 0 ? 2 : 1);
    }
}

/* NVENC by itself only in a run on the GPU: a run on the CPU is the same on every
 * machine. */
static vrs_encoder_place configured_encoder(const vrs_job *job)
{
    const char *name = vrs_config_get(job->config, "encoder");
    if (strcmp(name, "nvenc") == 0)
        return VRS_ENCODER_NVENC;
    return strcmp(name, "auto") == 0 && job->place.device != NULL ? VRS_ENCODER_AUTO
                                                                  : VRS_ENCODER_CPU;
}

static vrs_status open_sink(vrs_job *job, vrs_job_sink *out)
{
    vrs_codec codec = configured_codec(job->config);
    vrs_pixel_format format = VRS_FORMAT_NONE;
    vrs_status status = vrs_sink_choose(out->path, pipeline_kind(out->kind),
                                        job->source->info.format, &codec, &format);
    vrs_output_desc desc;
    if (status == VRS_OK)
        status = describe(job, out, format, &desc);
    if (status != VRS_OK)
        return status;
    out->format = format;
    const char *options = vrs_config_get(job->config, "encoder_options");
    vrs_sink_params params = {
        .path = out->path,
        .kind = desc.kind,
        .codec = codec,
        .encoder = configured_encoder(job),
        .stream = &job->source->info,
        .format = format,
        .source_path = job->input,
        .keep_streams = vrs_config_bool(job->config, "keep_streams"),
        .preset = vrs_config_get(job->config, "preset"),
        .crf = vrs_config_float(job->config, "crf", 20),
        .bitrate = vrs_config_int(job->config, "bitrate", 0),
        .encoder_options = options[0] != 0 ? options : NULL,
        .threads = (int32_t)vrs_config_int(job->config, "encoder_threads", 0),
        .segment_frames = (int32_t)vrs_config_int(job->config, "segment_frames", 1800),
        .overwrite = vrs_config_bool(job->config, "overwrite"),
        .palette = class_palette(),
    };
    output_size(job, &desc, &params.width, &params.height);
    return vrs_sink_open(&params, &out->sink);
}

vrs_status vrs_job_open_sinks(vrs_job *job)
{
    for (int32_t i = 0; i < job->sink_count; i++) {
        vrs_job_sink *out = &job->sinks[i];
        bool writes = out->kind != VRS_JOB_PREVIEW && strcmp(out->path, "null") != 0;
        vrs_status status = writes ? open_sink(job, out) : VRS_OK;
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

vrs_status vrs_job_describe_outputs(vrs_job *job)
{
    job->preview_output = -1;
    for (int32_t i = 0; i < job->sink_count; i++) {
        vrs_job_sink *out = &job->sinks[i];
        if (out->kind == VRS_JOB_PREVIEW)
            continue;
        vrs_output_desc desc;
        vrs_status status = describe(job, out, out->format, &desc);
        if (status == VRS_OK)
            status = vrs_pipeline_add_output(job->pipeline, &desc);
        if (status != VRS_OK)
            return status;
        out->output = (int32_t)job->pipeline_outputs++;
        if (out->kind == VRS_JOB_MASK)
            job->preview_output = out->output;
    }
    if (job->preview == NULL || job->preview_output >= 0)
        return VRS_OK;
    vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK, .format = VRS_FORMAT_GRAY8};
    job->preview_output = (int32_t)job->pipeline_outputs++;
    return vrs_pipeline_add_output(job->pipeline, &mask);
}

vrs_status vrs_job_make_preview(vrs_job *job)
{
    uint8_t background[3];
    vrs_status status = parse_color(vrs_config_get(job->config, "background"), background);
    for (int32_t i = 0; i < job->sink_count && status == VRS_OK; i++)
        if (job->sinks[i].kind == VRS_JOB_PREVIEW && job->preview == NULL)
            status = vrs_preview_create(background, job->place.device, &job->preview);
    return status;
}
