#include "pipeline/packed.h"

#include "base/alloc.h"
#include "pipeline/internal.h"
#include "vr/unroll.h"

static bool is_wanted(const vrs_stream *stream)
{
    bool wanted = false;
    for (uint32_t i = 0; i < stream->pipeline->output_count; i++)
        wanted = wanted || stream->pipeline->outputs[i].kind == VRS_OUTPUT_PACKED;
    return wanted;
}

static vrs_status check(const vrs_stream *stream, const vrs_layout *layout)
{
    const int32_t width = stream->shape.width, height = stream->shape.height;
    if (layout->stereo != VRS_STEREO_SBS)
        return vrs_fail(VRS_UNSUPPORTED,
                        "packed alpha: players take it side by side, this layout is %s; if that is "
                        "wrong say --layout sbs",
                        vrs_stereo_name(layout->stereo));
    bool unrolls = vrs_can_unroll(layout);
    if (!unrolls && layout->projection != VRS_PROJECTION_FISHEYE)
        return vrs_fail(VRS_UNSUPPORTED,
                        "packed alpha: players take it of fisheyes, this projection is %s; say "
                        "--projection half-equirect, which is made one, or fisheye:FOV",
                        vrs_projection_name(layout->projection));
    if (width % 2 != 0 || height % 2 != 0 || (unrolls && width % 4 != 0))
        return vrs_fail(VRS_UNSUPPORTED,
                        "packed alpha: a frame of %dx%d; its sides must be even%s: scale it first",
                        width, height,
                        unrolls ? ", the width a multiple of 4 where a fisheye is made" : "");
    return VRS_OK;
}

vrs_status vrs_packed_set(vrs_stream *stream, const vrs_layout *layout)
{
    vrs_packed *p = &stream->packed;
    p->wanted = is_wanted(stream);
    if (!p->wanted)
        return VRS_OK;
    vrs_status status = check(stream, layout);
    if (status != VRS_OK)
        return status;
    p->unrolls = vrs_can_unroll(layout);
    for (int k = 0; k < 2; k++) {
        const int32_t width = stream->shape.width / (p->unrolls ? 2 : 1) >> k;
        const int32_t height = stream->shape.height >> k;
        const int32_t cell = vrs_unroll_cell(width, height);
        p->eye[k] = (vrs_unroll_size){width, height, cell, (width >> cell) + 2};
        if (!p->unrolls)
            continue;
        p->grids[k] = vrs_alloc_array((size_t)vrs_packed_nodes(p, k), 2 * sizeof(*p->grids[k]));
        if (p->grids[k] == NULL)
            return VRS_NO_MEMORY;
        vrs_unroll_fill(layout, width, height, p->grids[k]);
    }
    return VRS_OK;
}

void vrs_packed_free(vrs_stream *stream)
{
    for (int k = 0; k < 2; k++) {
        vrs_free(stream->packed.grids[k]);
        stream->packed.grids[k] = NULL;
    }
    stream->packed = (vrs_packed){.wanted = false};
}

int64_t vrs_packed_nodes(const vrs_packed *packed, int index)
{
    return vrs_unroll_nodes(packed->eye[index].width, packed->eye[index].height);
}

/* A plane of the source as one of the output's: of UV pairs each second sample. */
static vrs_unroll plane_part(const vrs_packed *p, const vrs_image *source, const vrs_image *output,
                             int plane, int eye, int32_t outside)
{
    const vrs_format_info *info = vrs_format_get(source->format);
    const vrs_unroll_size size = p->eye[plane > 0];
    bool pairs = info->planes == 2 && plane > 0;
    const int from = pairs ? 1 : plane, step = pairs ? 2 : 1;
    const ptrdiff_t bytes = info->sample_bytes, column = (ptrdiff_t)eye * size.width;
    return (vrs_unroll){
        .size = size,
        .grid = p->grids[plane > 0],
        .src = source->planes[from] + (column * step + (pairs ? plane - 1 : 0)) * bytes,
        .dst = output->planes[plane] + column * bytes,
        .src_stride = source->strides[from],
        .dst_stride = output->strides[plane],
        .sample_bytes = info->sample_bytes,
        .src_step = step,
        .src_shift = info->sample_shift,
        .outside = outside,
    };
}

int32_t vrs_packed_parts(const vrs_packed *p, const vrs_image *source, const vrs_image *output,
                         const void *mask, void *fish, ptrdiff_t stride,
                         vrs_unroll parts[VRS_PACKED_PARTS])
{
    static const uint8_t black[3] = {0, 0, 0};
    int32_t ycc[3], count = 0;
    vrs_color_from_rgb8(vrs_color_resolve(source), vrs_format_get(source->format)->depth, black,
                        ycc);
    for (int eye = 0; eye < (p->unrolls ? 2 : 1); eye++)
        for (int plane = 0; plane < 3; plane++)
            parts[count++] = plane_part(p, source, output, plane, eye, ycc[plane]);
    for (int eye = 0; eye < 2 && p->unrolls; eye++) {
        const ptrdiff_t column = (ptrdiff_t)eye * p->eye[0].width * (ptrdiff_t)sizeof(int16_t);
        parts[count++] = (vrs_unroll){
            .size = p->eye[0],
            .grid = p->grids[0],
            .src = (const char *)mask + column,
            .dst = (char *)fish + column,
            .src_stride = stride,
            .dst_stride = stride,
            .sample_bytes = sizeof(int16_t),
            .src_step = 1,
            .outside = 0,
        };
    }
    return count;
}
