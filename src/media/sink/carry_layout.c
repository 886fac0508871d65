/* How an output's pictures lie, beyond what libav's muxers write: VR180's mesh, swapped eyes. */
#include <stdio.h>
#include <string.h>

#include <libavutil/spherical.h>
#include <libavutil/stereo3d.h>

#include "base/alloc.h"
#include "media/sink/carry.h"
#include "media/source/mp4_layout.h"

static bool is_mov(const char *muxer)
{
    return strcmp(muxer, "mp4") == 0 || strcmp(muxer, "mov") == 0;
}

/* Whether the output's pictures lie as the source's mesh says. */
static bool keeps_mesh(const vrs_boxes *source, const vrs_carry_params *params)
{
    return source->sphere == VRS_SPHERE_MESH && source->mesh_size > 0 && !params->tags.plain &&
           (!params->tags.sphere || params->mesh);
}

void vrs_carry_note_layout(const vrs_carry *carry, const vrs_carry_params *params,
                           const char *muxer, char *note, size_t note_size)
{
    const vrs_layout_tags *tags = &params->tags;
    if (keeps_mesh(&carry->said, params) && !is_mov(muxer)) {
        vrs_note_add(note, note_size,
                     "the mesh of its projection (VR180's mshp) is not kept: files that end in "
                     ".mp4 or .mov hold it");
    }
    if (is_mov(muxer) && tags->stereo && tags->layout.swapped &&
        tags->layout.stereo == VRS_STEREO_TB) {
        vrs_note_add(note, note_size,
                     "that the right eye is above is not kept: files that end in .mkv hold it");
    }
}

/* st3d's mode of what libav's muxer was told; -1: nothing. */
static int told_stereo(const AVStream *to)
{
    const AVStereo3D *stereo =
        (const AVStereo3D *)(const void *)av_stream_get_side_data(to, AV_PKT_DATA_STEREO3D, NULL);
    if (!stereo)
        return -1;
    const bool inverted = (stereo->flags & AV_STEREO3D_FLAG_INVERT) != 0;
    switch (stereo->type) {
    case AV_STEREO3D_2D:
        return VRS_ST3D_MONO;
    case AV_STEREO3D_TOPBOTTOM:
        return inverted ? -1 : VRS_ST3D_TB;
    case AV_STEREO3D_SIDEBYSIDE:
        return inverted ? VRS_ST3D_RL : VRS_ST3D_LR;
    default:
        return -1;
    }
}

static void told_sphere(const AVStream *to, vrs_boxes *say)
{
    const AVSphericalMapping *sphere =
        (const AVSphericalMapping *)(const void *)av_stream_get_side_data(to, AV_PKT_DATA_SPHERICAL,
                                                                          NULL);
    if (!sphere)
        return;
    const bool cube = sphere->projection == AV_SPHERICAL_CUBEMAP;
    say->sphere = cube ? VRS_SPHERE_CUBE : VRS_SPHERE_EQUI;
    say->yaw = sphere->yaw;
    say->pitch = sphere->pitch;
    say->roll = sphere->roll;
    if (sphere->projection == AV_SPHERICAL_EQUIRECTANGULAR_TILE) {
        say->top = sphere->bound_top;
        say->bottom = sphere->bound_bottom;
        say->left = sphere->bound_left;
        say->right = sphere->bound_right;
    }
}

/* Whether the stereo mode stays "custom", which is about meshes of the whole frame: it does where
 * nobody says otherwise than they. */
static bool stays_custom(const vrs_boxes *source, const vrs_carry_params *params)
{
    vrs_layout halves = vrs_layout_flat();
    vrs_mesh *mesh = NULL;
    if (source->stereo != VRS_ST3D_CUSTOM || !keeps_mesh(source, params))
        return false;
    if (!params->tags.stereo)
        return true;
    (void)vrs_mp4_layout_read(params->path, &mesh);
    bool same = mesh && vrs_mesh_halves(mesh, &halves) &&
                halves.stereo == params->tags.layout.stereo &&
                halves.swapped == params->tags.layout.swapped;
    vrs_mesh_destroy(mesh);
    return same;
}

void vrs_carry_find_layout(vrs_carry *carry, const vrs_carry_params *params,
                           const vrs_container *container)
{
    const char *muxer = container->format->oformat->name;
    const vrs_boxes *source = &carry->said;
    vrs_boxes *say = &carry->layout;
    *say = (vrs_boxes){.stereo = told_stereo(container->video)};
    told_sphere(container->video, say);
    if (say->stereo < 0 && !params->tags.stereo)
        say->stereo = source->stereo == VRS_ST3D_CUSTOM ? -1 : source->stereo;
    if (stays_custom(source, params))
        say->stereo = VRS_ST3D_CUSTOM;
    if (keeps_mesh(source, params)) {
        say->sphere = VRS_SPHERE_MESH;
        say->mesh_place = source->mesh_place;
        say->mesh_size = source->mesh_size;
        say->yaw = source->yaw;
        say->pitch = source->pitch;
        say->roll = source->roll;
    }
    carry->put_layout =
        is_mov(muxer) && (say->stereo >= 0 || say->sphere != VRS_SPHERE_NONE) &&
        (strcmp(muxer, "mov") == 0 || say->sphere == VRS_SPHERE_MESH || say->stereo > VRS_ST3D_LR);
}

vrs_status vrs_carry_put_layout(const vrs_carry *carry, const vrs_carry_params *params,
                                const char *path)
{
    uint8_t *mesh = NULL;
    vrs_status status = VRS_OK;
    if (!carry->put_layout)
        return VRS_OK;
    if (carry->layout.sphere == VRS_SPHERE_MESH)
        status = vrs_mp4_mesh_bytes(params->path, &carry->layout, &mesh);
    if (status == VRS_OK)
        status = vrs_mp4_layout_write(path, &carry->layout, mesh);
    vrs_free(mesh);
    return status;
}

/* ---- as a line ------------------------------------------------------------------------------ */

void vrs_carry_layout_text(const vrs_carry_params *params, char *text, size_t size)
{
    const vrs_layout_tags *tags = &params->tags;
    const vrs_layout *l = &tags->layout;
    (void)snprintf(text, size, "%d %d %d %d, %d %d %d, %.9g %.9g %.9g %.9g, %.9g %.9g %.9g",
                   tags->stereo, tags->sphere, tags->plain, params->mesh, (int)l->stereo,
                   l->swapped, (int)l->projection, l->cut_left, l->cut_right, l->cut_top,
                   l->cut_bottom, l->yaw, l->pitch, l->roll);
}

void vrs_carry_layout_parse(const char *text, vrs_carry_params *params)
{
    int flags[4], words[3];
    vrs_layout layout = vrs_layout_flat();
    if (sscanf(text, "%1d %1d %1d %1d, %1d %1d %1d, %lf %lf %lf %lf, %lf %lf %lf", &flags[0],
               &flags[1], &flags[2], &flags[3], &words[0], &words[1], &words[2], &layout.cut_left,
               &layout.cut_right, &layout.cut_top, &layout.cut_bottom, &layout.yaw, &layout.pitch,
               &layout.roll) != 14 ||
        words[0] < 0 || words[0] > VRS_STEREO_TB || words[2] < 0 ||
        words[2] > VRS_PROJECTION_CUBEMAP)
        return;
    layout.stereo = (vrs_stereo)words[0];
    layout.swapped = words[1] != 0;
    layout.projection = (vrs_projection)words[2];
    params->tags = (vrs_layout_tags){
        .stereo = flags[0] != 0, .sphere = flags[1] != 0, .plain = flags[2] != 0, .layout = layout};
    params->mesh = flags[3] != 0;
}
