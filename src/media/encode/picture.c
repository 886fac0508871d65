#include "media/encode/picture.h"

#include "base/alloc.h"
#include "base/file.h"
#include "media/libav/av.h"

vrs_status vrs_picture_encode(vrs_encoder *encoder, vrs_image *image, int64_t number,
                              AVPacket *packet)
{
    vrs_status status = vrs_encoder_send(encoder, image, number);
    if (status == VRS_OK)
        status = vrs_encoder_receive(encoder, packet);
    return status == VRS_TIMEOUT ? vrs_fail(VRS_IO, "the PNG encoder holds a picture back")
                                 : status;
}

static vrs_encoder_params params_of(const vrs_image *image)
{
    const vrs_color *color = &image->color;
    return (vrs_encoder_params){
        .codec = VRS_CODEC_PNG,
        .kind = VRS_OUTPUT_COMPOSITE,
        .format = image->format,
        .width = image->width,
        .height = image->height,
        .rate = {1, 1},
        .aspect = {0, 1},
        .tags = {vrs_av_from_range(color->range), vrs_av_from_matrix(color->matrix),
                 vrs_av_from_transfer(color->transfer), vrs_av_from_primaries(color->primaries),
                 vrs_av_from_site(color->chroma_site)},
        .threads = 1,
    };
}

vrs_status vrs_picture_write(const char *path, const vrs_image *image)
{
    vrs_av_init();
    vrs_status status = vrs_image_check(image);
    if (status != VRS_OK)
        return status;
    vrs_encoder_params params = params_of(image);
    vrs_encoder *encoder = NULL;
    status = vrs_encoder_open(&params, &encoder);
    AVPacket *packet = vrs_inject("libav") ? av_packet_alloc() : NULL;
    if (status == VRS_OK && !packet)
        status = vrs_fail(VRS_NO_MEMORY, "%s: no memory to write a picture", path);
    if (status == VRS_OK) {
        vrs_image borrowed = *image;
        borrowed.release = NULL;
        status = vrs_picture_encode(encoder, &borrowed, 0, packet);
    }
    if (status == VRS_OK)
        status = vrs_file_replace(path, packet->data, (size_t)packet->size);
    av_packet_free(&packet);
    vrs_encoder_destroy(encoder);
    return status;
}
