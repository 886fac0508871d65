/* A job's outputs: which codec and format each has, its sink, and what the pipeline must make. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "image/format.h"
#include "media/job/job_internal.h"
#include "media/sink/carry.h"
#include "vr/name.h"

static vrs_output_kind pipeline_kind(vrs_job_output kind)
{
    switch (kind) {
    case VRS_JOB_CLASSES:
        return VRS_OUTPUT_CLASSES;
    case VRS_JOB_GREEN:
        return VRS_OUTPUT_COMPOSITE;
    case VRS_JOB_CUTOUT:
        return VRS_OUTPUT_CUTOUT;
    case VRS_JOB_ALPHA:
        return VRS_OUTPUT_PACKED;
    default:
        return VRS_OUTPUT_MASK;
    }
}

vrs_status vrs_job_color(const vrs_config *config, uint8_t rgb[3])
{
    const char *text = vrs_config_get(config, "background");
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

/* The format is the source's depth in what vrs_sink_choose() says: the pipeline's own choice. */
static vrs_status describe(const vrs_job *job, vrs_job_output kind, vrs_output_desc *desc)
{
    *desc = (vrs_output_desc){.kind = pipeline_kind(kind),
                              .red = strcmp(vrs_config_get(job->config, "alpha"), "red") == 0};
    if (kind == VRS_JOB_MASK || kind == VRS_JOB_CLASSES)
        return parse_size(vrs_config_get(job->config, "mask_size"), &desc->width, &desc->height);
    return vrs_job_color(job->config, desc->background);
}

vrs_status vrs_job_check_outputs(const vrs_job *job)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < job->pattern_count && status == VRS_OK; i++) {
        vrs_job_output kind = job->patterns[i].kind;
        const char *path = job->inputs[0].outputs[i];
        vrs_codec codec = configured_codec(job->config);
        vrs_pixel_format format;
        vrs_output_desc desc;
        if (kind != VRS_JOB_PREVIEW && strcmp(path, "null") != 0)
            status =
                vrs_sink_choose(path, pipeline_kind(kind), VRS_FORMAT_YUV420P, &codec, &format);
        if (status == VRS_OK)
            status = describe(job, kind, &desc);
    }
    return status;
}

/* Pixels of an output before there is a pipeline. */
static void output_size(const vrs_job_slot *slot, const vrs_output_desc *desc, int32_t *width,
                        int32_t *height)
{
    const vrs_job *job = slot->job;
    *width = desc->width > 0 ? desc->width : slot->source->info.width;
    *height = desc->height > 0 ? desc->height : slot->source->info.height;
    if (desc->width == -1) {
        vrs_model_info model = vrs_model_get_info(job->model);
        const vrs_stereo stereo = slot->layout.layout.stereo;
        *width = model.input_width * (stereo == VRS_STEREO_SBS ? 2 : 1);
        *height = model.input_height * (stereo == VRS_STEREO_TB ? 2 : 1);
    }
}

/* NVENC by itself only in a run on the GPU: a run on the CPU is the same on every
 * machine. */
static vrs_encoder_place configured_encoder(const vrs_job_slot *slot)
{
    const vrs_job *job = slot->job;
    const char *name = vrs_config_get(job->config, "encoder");
    bool gpu = vrs_fleet_place(job->fleet, slot->home)->device != NULL;
    bool lost = !gpu && vrs_fleet_place(job->fleet, 0)->device != NULL;
    if (strcmp(name, "nvenc") == 0 && !lost)
        return VRS_ENCODER_NVENC;
    return strcmp(name, "auto") == 0 && gpu ? VRS_ENCODER_AUTO : VRS_ENCODER_CPU;
}

/* The folders that a pattern names are made: with a folder for each input nobody can make them all
 * before. */
static vrs_status make_folders(const vrs_job *job, const vrs_job_sink *out)
{
    char folder[VRS_PATH_MAX];
    size_t length = strlen(out->path);
    if (job->input_count == 1)
        return VRS_OK;
    while (length > 1 && out->path[length - 1] == '/')
        length--;
    while (length > 0 && out->path[length - 1] != '/')
        length--;
    if (length < 2)
        return VRS_OK; /* in the folder that one works in, or in the root */
    vrs_status status = vrs_path_format(folder, sizeof(folder), "%.*s", (int)length - 1, out->path);
    return status == VRS_OK ? vrs_make_folders(folder) : status;
}

/* What an output's container is to say. Players go by it, so a picture's guess is left out. */
static vrs_layout_tags tags_of(const vrs_job_slot *slot, vrs_job_output kind)
{
    const vrs_layout_reading *r = &slot->layout;
    return (vrs_layout_tags){
        .stereo = r->stereo_by < VRS_VOICE_CONTENT,
        /* libav keeps what it knows of cubes as it is. */
        .sphere =
            r->projection_by < VRS_VOICE_CONTENT && r->layout.projection != VRS_PROJECTION_CUBEMAP,
        .plain = kind == VRS_JOB_ALPHA, /* a fisheye now */
        .layout = r->layout,
    };
}

/* Players know what an output is by its name: where it does not say so, the note does. */
static void note_name(vrs_job_slot *slot, const vrs_job_sink *out)
{
    char words[VRS_NAME_WORDS_SIZE], extension[16];
    const vrs_layout *layout = &slot->layout.layout;
    bool alpha = out->kind == VRS_JOB_ALPHA;
    bool green = out->kind == VRS_JOB_GREEN && layout->stereo == VRS_STEREO_SBS &&
                 layout->projection != VRS_PROJECTION_FLAT;
    if ((!alpha && !green) || vrs_name_has_word(out->path, alpha ? "alpha" : "passthrough"))
        return;
    vrs_name_words(layout, alpha, words);
    (void)vrs_path_extension(out->path, extension, sizeof(extension));
    vrs_note_add(slot->note, sizeof(slot->note),
                 "players see the %s by the file's name: let it end in %s%s%s",
                 alpha ? "alpha" : "green screen", words, extension[0] != 0 ? "." : "", extension);
}

/* An input that is begun again finds what its first try has left. */
static vrs_status open_sink(vrs_job_slot *slot, vrs_job_sink *out)
{
    const vrs_job *job = slot->job;
    vrs_codec codec = configured_codec(job->config);
    vrs_pixel_format format = VRS_FORMAT_NONE;
    vrs_status status = vrs_sink_choose(out->path, pipeline_kind(out->kind),
                                        slot->source->info.format, &codec, &format);
    vrs_output_desc desc;
    if (status == VRS_OK)
        status = describe(job, out->kind, &desc);
    if (status != VRS_OK)
        return status;
    const vrs_layout_tags tags = tags_of(slot, out->kind);
    note_name(slot, out);
    const char *options = vrs_config_get(job->config, "encoder_options");
    char settings[VRS_SETTINGS_SIZE];
    vrs_job_settings(job, settings);
    vrs_sink_params params = {
        .path = out->path,
        .kind = desc.kind,
        .tags = &tags,
        .codec = codec,
        .encoder = configured_encoder(slot),
        .stream = &slot->source->info,
        .format = format,
        .source_path = slot->input->path,
        .keep_streams = vrs_config_bool(job->config, "keep_streams"),
        .preset = vrs_config_get(job->config, "preset"),
        .crf = vrs_config_float(job->config, "crf", 20),
        .bitrate = vrs_config_int(job->config, "bitrate", 0),
        .encoder_options = options[0] != 0 ? options : NULL,
        .threads = (int32_t)vrs_config_int(job->config, "encoder_threads", 0),
        .segment_frames = (int32_t)vrs_config_int(job->config, "segment_frames", 1800),
        .overwrite = vrs_config_bool(job->config, "overwrite") || slot->input->tries > 1,
        .resume = vrs_slot_resumes(slot, codec),
        .settings = settings,
        .shard = job->range.shard,
        .shards = job->range.shards,
        .partial = slot->range.any,
        .origin_pts = slot->range.origin,
        .palette = class_palette(),
    };
    output_size(slot, &desc, &params.width, &params.height);
    status = make_folders(job, out);
    if (status == VRS_OK)
        status = vrs_sink_open(&params, &out->sink);
    if (status == VRS_INVALID && slot->by_nvenc && slot->input->tries > 1) {
        /* Of another encoder, which went with its GPU: no file can hold both. */
        params.resume = false;
        vrs_note_add(slot->note, sizeof(slot->note),
                     "%s is made anew, as its segments were of the GPU's encoder", out->path);
        status = vrs_sink_open(&params, &out->sink);
    }
    if (status == VRS_OK && out->sink->by_nvenc)
        slot->by_nvenc = true;
    return status;
}

static bool writes(const vrs_job_sink *out)
{
    return !out->whole && out->kind != VRS_JOB_PREVIEW && strcmp(out->path, "null") != 0;
}

vrs_status vrs_slot_open_sinks(vrs_job_slot *slot)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < slot->job->pattern_count && status == VRS_OK; i++)
        if (writes(&slot->sinks[i]))
            status = open_sink(slot, &slot->sinks[i]);
    return status;
}

vrs_status vrs_job_describe_outputs(vrs_job *job)
{
    int32_t outputs = 0;
    bool previews = false;
    for (int32_t i = 0; i < job->pattern_count; i++) {
        vrs_job_output kind = job->patterns[i].kind;
        int32_t output = kind == VRS_JOB_PREVIEW ? -1 : outputs++;
        for (int32_t k = 0; k < job->slot_count; k++)
            job->slots[k].sinks[i].output = output;
        previews = previews || output < 0;
        if (output < 0)
            continue;
        vrs_output_desc desc;
        vrs_status status = describe(job, kind, &desc);
        if (status == VRS_OK)
            status = vrs_fleet_add_output(job->fleet, &desc);
        if (status != VRS_OK)
            return status;
        if (kind == VRS_JOB_MASK)
            job->preview_output = output;
    }
    if (!previews || job->preview_output >= 0)
        return VRS_OK;
    vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK, .format = VRS_FORMAT_GRAY8};
    job->preview_output = outputs;
    return vrs_fleet_add_output(job->fleet, &mask);
}

vrs_status vrs_slot_make_preview(vrs_job_slot *slot)
{
    const vrs_job *job = slot->job;
    const vrs_place *place = vrs_fleet_place(job->fleet, slot->home);
    uint8_t background[3];
    vrs_status status = vrs_job_color(job->config, background);
    for (int32_t i = 0; i < job->pattern_count && status == VRS_OK; i++)
        if (job->patterns[i].kind == VRS_JOB_PREVIEW && slot->preview == NULL)
            status = vrs_preview_create(background, place->device, &slot->preview);
    return status;
}
