#include "pipeline/views.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "pipeline/internal.h"

/* Part of a tile's side over which its weight grows: neighbours overlap by a quarter. */
#define RAMP_PART 6

vrs_status vrs_views_layout(const vrs_pipeline *pipeline, const vrs_frame *frame,
                            vrs_layout *layout)
{
    const vrs_pipeline_settings *set = &pipeline->settings;
    *layout = frame->layout != NULL ? *frame->layout : vrs_layout_flat();
    vrs_status status = VRS_OK;
    if (strcmp(set->layout, "auto") != 0 && (frame->layout == NULL || set->layout_chosen))
        status = vrs_layout_set_stereo(layout, set->layout);
    if (status == VRS_OK && strcmp(set->projection, "auto") != 0)
        status = vrs_layout_set_projection(layout, set->projection);
    return status;
}

/* The parts of the frame that are looked at whole. */
static vrs_status set_eyes(const vrs_pipeline *pipeline, const vrs_layout *layout,
                           vrs_stream *stream)
{
    const int32_t w = stream->shape.width, h = stream->shape.height;
    const bool sbs = layout->stereo == VRS_STEREO_SBS, tb = layout->stereo == VRS_STEREO_TB;
    stream->view_count = stream->eye_count = 1;
    stream->views[0] = (vrs_rect){0, 0, w, h};
    if (pipeline->settings.views == VRS_VIEWS_WHOLE || (!sbs && !tb))
        return VRS_OK;
    if ((sbs && w < 2) || (tb && h < 2))
        return vrs_fail(VRS_INVALID, "layout %s: a picture of %dx%d cannot be halved",
                        vrs_stereo_name(layout->stereo), w, h);
    /* Of an odd side the second half is the larger one: masks do without equal eyes. */
    const int first = layout->swapped ? 1 : 0;
    stream->view_count = stream->eye_count = 2;
    stream->views[first] = (vrs_rect){0, 0, sbs ? w / 2 : w, tb ? h / 2 : h};
    stream->views[1 - first] =
        (vrs_rect){sbs ? w / 2 : 0, tb ? h / 2 : 0, sbs ? w - w / 2 : w, tb ? h - h / 2 : h};
    return VRS_OK;
}

static vrs_status check_tiles(const vrs_pipeline *pipeline, const vrs_layout *layout)
{
    const bool mesh = layout->projection == VRS_PROJECTION_MESH;
    if (pipeline->settings.views == VRS_VIEWS_TILES && !vrs_is_spherical(layout) &&
        !(mesh && layout->mesh != NULL))
        return vrs_fail(
            VRS_INVALID,
            "views tiles: the picture is %s, tiles are of spherical ones: set "
            "projection to equirect, half-equirect or fisheye:FOV, or views to eyes or crops",
            mesh ? "of a mesh that is not there or cannot be read"
                 : vrs_projection_name(layout->projection));
    if (pipeline->spec->width > VRS_PATCH_MOST / 2 || pipeline->spec->height > VRS_PATCH_MOST / 2 ||
        pipeline->spec->width < 2 || pipeline->spec->height < 2)
        return vrs_fail(
            VRS_UNSUPPORTED,
            "views tiles or crops: the network's picture is %dx%d; tiles are 2 to %d pixels a "
            "side: set views to eyes",
            pipeline->spec->width, pipeline->spec->height, VRS_PATCH_MOST / 2);
    return VRS_OK;
}

static vrs_status add_tile(vrs_stream *stream, const vrs_eye *eye, const vrs_tile *tile)
{
    vrs_view_tile *view = vrs_alloc(sizeof(*view));
    if (view == NULL)
        return VRS_NO_MEMORY;
    stream->tiles[stream->tile_count++] = view;
    view->eye = *eye;
    view->tile = *tile;
    view->warps[0] = (vrs_warp){
        .source = eye->rect,
        .around = vrs_goes_around(&eye->layout) ? 1 : 0,
    };
    return vrs_warp_check(&view->warps[0]);
}

/* An eye whose picture has tiles. What its mesh says is kept with the stream, since the mesh is the
 * source's. */
static vrs_status make_eye(const vrs_layout *layout, vrs_stream *stream, uint32_t index,
                           vrs_eye *eye)
{
    const vrs_rect rect = stream->views[index];
    *eye = (vrs_eye){*layout, rect, vrs_eye_aspect(layout, rect), NULL};
    if (layout->projection != VRS_PROJECTION_MESH || layout->mesh == NULL)
        return VRS_OK;
    vrs_status status =
        vrs_mesh_map_create(vrs_mesh_of_eye(layout->mesh, (int)index), &stream->maps[index]);
    eye->map = stream->maps[index];
    eye->layout.mesh = NULL;
    return status;
}

static vrs_status add_ring(vrs_pipeline *pipeline, const vrs_layout *layout, vrs_stream *stream)
{
    vrs_status status = check_tiles(pipeline, layout);
    for (uint32_t e = 0; e < stream->eye_count && status == VRS_OK; e++) {
        vrs_eye eye;
        vrs_tile tiles[VRS_MAX_TILES];
        status = make_eye(layout, stream, e, &eye);
        const int32_t count =
            status == VRS_OK ? vrs_tiles_ring(&eye, pipeline->settings.tile_fov, tiles) : 0;
        for (int32_t i = 0; i < count && status == VRS_OK; i++) {
            stream->views[stream->view_count++] = eye.rect;
            status = add_tile(stream, &eye, &tiles[i]);
        }
    }
    return status;
}

/* All places of an eye's crops go into the pool; its views are some crops and the scout. */
static vrs_status add_crops(vrs_pipeline *pipeline, const vrs_layout *layout, vrs_stream *stream)
{
    vrs_status status = check_tiles(pipeline, layout);
    const int32_t wanted = pipeline->settings.crops;
    for (uint32_t e = 0; e < stream->eye_count && status == VRS_OK; e++) {
        vrs_eye eye;
        vrs_tile places[VRS_TILE_PLACES];
        status = make_eye(layout, stream, e, &eye);
        if (status != VRS_OK)
            break;
        const int32_t count = vrs_tiles_places(&eye, pipeline->settings.crop_fov, places);
        stream->crop_count = wanted < count ? wanted : count;
        stream->place_count = count;
        for (int32_t i = 0; i < count && status == VRS_OK; i++)
            status = add_tile(stream, &eye, &places[i]);
        for (int32_t i = 0; i <= stream->crop_count; i++)
            stream->views[stream->view_count++] = eye.rect;
        if (status == VRS_OK && e == 0)
            status = vrs_crops_create(&eye, places, count, stream->crop_count, &stream->crops);
    }
    return status;
}

vrs_status vrs_views_set(vrs_pipeline *pipeline, const vrs_frame *frame, vrs_stream *stream)
{
    if (frame->view_count > 0) {
        stream->view_count = stream->eye_count = frame->view_count;
        memcpy(stream->views, frame->views, sizeof(stream->views));
        return VRS_OK;
    }
    vrs_layout layout;
    vrs_status status = vrs_views_layout(pipeline, frame, &layout);
    if (status == VRS_OK)
        status = set_eyes(pipeline, &layout, stream);
    if (status == VRS_OK && pipeline->settings.views == VRS_VIEWS_TILES)
        status = add_ring(pipeline, &layout, stream);
    if (status == VRS_OK && pipeline->settings.views == VRS_VIEWS_CROPS)
        status = add_crops(pipeline, &layout, stream);
    return status;
}

static vrs_status make_warp(vrs_view_tile *view, const vrs_model_spec *spec, int index)
{
    const size_t corners = ((size_t)spec->width + 1) * ((size_t)spec->height + 1);
    int32_t *positions = vrs_alloc_array(corners, 2 * sizeof(int32_t));
    if (positions == NULL)
        return VRS_NO_MEMORY;
    vrs_warp_fill(&view->eye, &view->tile, spec->width, spec->height, positions);
    view->positions[index] = positions;
    view->warps[index] = view->warps[0];
    view->warps[index].positions = positions;
    view->warps[index].samples =
        vrs_warp_samples(&view->eye, &view->tile, spec->width, spec->height);
    return VRS_OK;
}

/* Whether class maps have a target's size. */
static bool has_classes(const vrs_stream *stream, int32_t target)
{
    bool has = false;
    for (uint32_t i = 0; i < stream->pipeline->output_count; i++)
        has = has ||
              (stream->outputs[i].kind == VRS_OUTPUT_CLASSES && stream->output_target[i] == target);
    return has;
}

/* The part of a view's scores that shows its picture. */
static vrs_rect scores_of(const vrs_stream *stream, uint32_t view)
{
    int32_t width, height;
    vrs_views_scores_size(stream->pipeline, &width, &height);
    return vrs_content_in(stream->plans[view], stream->pipeline->spec, width, height);
}

/* Grids of whole eyes in class maps, as flat pictures have them. */
static vrs_status make_eye_grids(vrs_stream *stream)
{
    static const vrs_tile whole = {.width = 1.0, .height = 1.0};
    const int32_t w = stream->shape.width, h = stream->shape.height;
    for (int32_t t = 0; t < stream->target_count; t++)
        for (uint32_t e = 0; e < stream->eye_count && has_classes(stream, t); e++) {
            const vrs_target *target = &stream->targets[t];
            const vrs_eye eye = {vrs_layout_flat(), stream->views[e], 1.0, NULL};
            const vrs_rect from = scores_of(stream, e);
            if (target->rects[e].width == 0 || target->rects[e].height == 0)
                continue;
            stream->eye_grids[t][e] =
                vrs_alloc_array(vrs_patch_pairs(target->rects[e]), 2 * sizeof(int32_t));
            if (stream->eye_grids[t][e] == NULL)
                return VRS_NO_MEMORY;
            vrs_patch_fill(&eye, &whole, target->rects[e], w, h, target->width, target->height,
                           from.width, from.height, stream->eye_grids[t][e]);
        }
    return VRS_OK;
}

vrs_status vrs_views_make_grids(vrs_stream *stream)
{
    const vrs_model_spec *spec = stream->pipeline->spec;
    const int32_t w = stream->shape.width, h = stream->shape.height;
    for (uint32_t i = 0; i < stream->tile_count; i++) {
        vrs_view_tile *view = stream->tiles[i];
        vrs_status status = make_warp(view, spec, 0);
        if (status == VRS_OK && stream->pipeline->smaller.engine != NULL)
            status = make_warp(view, stream->pipeline->smaller.spec, 1);
        if (status != VRS_OK)
            return status;
        for (int32_t t = 0; t < stream->target_count; t++) {
            const vrs_target *target = &stream->targets[t];
            const vrs_rect rect =
                vrs_patch_rect(&view->eye, &view->tile, w, h, target->width, target->height);
            view->rects[t] = rect;
            if (rect.width == 0)
                continue; /* too small a mask for it */
            view->patches[t] = vrs_alloc_array(vrs_patch_pairs(rect), 2 * sizeof(int32_t));
            if (view->patches[t] == NULL)
                return VRS_NO_MEMORY;
            vrs_patch_fill(&view->eye, &view->tile, rect, w, h, target->width, target->height,
                           spec->width, spec->height, view->patches[t]);
        }
    }
    return vrs_views_keep_scores(stream) ? make_eye_grids(stream) : VRS_OK;
}

void vrs_views_free(vrs_stream *stream)
{
    vrs_crops_destroy(stream->crops);
    vrs_mesh_map_destroy(stream->maps[0]);
    vrs_mesh_map_destroy(stream->maps[1]);
    for (int t = 0; t <= VRS_MAX_OUTPUTS; t++) {
        vrs_free(stream->eye_grids[t][0]);
        vrs_free(stream->eye_grids[t][1]);
    }
    for (uint32_t i = 0; i < stream->tile_count; i++) {
        vrs_view_tile *view = stream->tiles[i];
        vrs_free(view->positions[0]);
        vrs_free(view->positions[1]);
        for (int t = 0; t <= VRS_MAX_OUTPUTS; t++)
            vrs_free(view->patches[t]);
        vrs_free(view);
    }
}

static int32_t ramp_of(int32_t side)
{
    const int32_t ramp = (side << VRS_PATCH_BITS) / RAMP_PART;
    return ramp > 0 ? ramp : 1;
}

const vrs_view_tile *vrs_views_tile(const vrs_ticket *ticket, uint32_t view)
{
    const vrs_stream *stream = ticket->stream;
    return view < stream->eye_count ? NULL : stream->tiles[ticket->tile[view]];
}

/* Of a view behind the eyes: its eye, and its number among that one's. */
static uint32_t eye_of(const vrs_stream *stream, uint32_t view, int32_t *number)
{
    const uint32_t each = (uint32_t)stream->crop_count + 1;
    const uint32_t place = view - stream->eye_count;
    *number = (int32_t)(place % each);
    return place / each;
}

/* Whether the view's mask is looked at and no more. */
static bool is_scout(const vrs_stream *stream, uint32_t view)
{
    int32_t number = 0;
    if (stream->crops == NULL)
        return false;
    (void)eye_of(stream, view, &number);
    return number == stream->crop_count;
}

void vrs_views_choose(vrs_ticket *ticket)
{
    vrs_stream *stream = ticket->stream;
    int32_t places[VRS_CROPS_MOST + 2];
    ticket->looked = false;
    ticket->moved = 0;
    if (ticket->restart)
        stream->past_begin = ticket->stream_sequence;
    if (stream->crops != NULL)
        vrs_crops_places(stream->crops, ticket->stream_sequence, stream->past_begin, places);
    for (uint32_t v = stream->eye_count; v < stream->view_count; v++) {
        int32_t number = 0;
        if (stream->crops == NULL) {
            ticket->tile[v] = (uint8_t)(v - stream->eye_count);
            continue;
        }
        const uint32_t eye = eye_of(stream, v, &number);
        const int32_t place = places[number == stream->crop_count ? number + (int32_t)eye : number];
        ticket->tile[v] = (uint8_t)((int32_t)eye * stream->place_count + place);
    }
}

void vrs_views_look(vrs_ticket *ticket, int16_t *const masks[VRS_MAX_VIEWS])
{
    const vrs_stream *stream = ticket->stream;
    const vrs_model_spec *spec = ticket->pipeline->spec;
    if (stream->crops == NULL || ticket->result.repeated)
        return;
    memset(ticket->seen, 0, sizeof(*ticket->seen));
    for (uint32_t v = 0; v < stream->eye_count; v++) {
        const vrs_rect c = vrs_preprocess_content(stream->plans[v]);
        vrs_crops_add_eye(ticket->seen, masks[v] + (ptrdiff_t)c.y * spec->width + c.x, c.width,
                          c.height, spec->width);
    }
    for (uint32_t v = stream->eye_count; v < stream->view_count; v++)
        vrs_crops_add_place(stream->crops, ticket->seen, ticket->tile[v] % stream->place_count,
                            masks[v], spec->width, spec->height, spec->width);
    ticket->looked = true;
}

void vrs_views_follow(vrs_ticket *ticket)
{
    vrs_stream *stream = ticket->stream;
    for (uint32_t v = stream->eye_count; v < stream->view_count; v++) {
        vrs_view_state *state = &stream->state[v];
        if (stream->crops == NULL || ticket->result.status != VRS_OK)
            continue;
        if (ticket->result.repeated)
            ticket->tile[v] = state->tile;
        else if (ticket->tile[v] != state->tile)
            ticket->moved |= 1U << v;
        state->tile = ticket->tile[v];
    }
}

vrs_patch vrs_views_patch(const vrs_ticket *ticket, uint32_t view, int32_t target)
{
    const vrs_model_spec *spec = ticket->pipeline->spec;
    const vrs_view_tile *tile = vrs_views_tile(ticket, view);
    const vrs_rect none = {0};
    return (vrs_patch){
        .rect = is_scout(ticket->stream, view) ? none : tile->rects[target],
        .positions = tile->patches[target],
        .width = spec->width,
        .height = spec->height,
        .stride = spec->width,
        .ramp_x = ramp_of(spec->width),
        .ramp_y = ramp_of(spec->height),
    };
}

bool vrs_views_keep_scores(const vrs_stream *stream)
{
    return stream->pipeline->want_classes && stream->view_count > stream->eye_count;
}

void vrs_views_scores_size(const vrs_pipeline *pipeline, int32_t *width, int32_t *height)
{
    const vrs_engine_io *io = pipeline->io;
    *width = io->scores_width * io->enlarge;
    *height = io->scores_height * io->enlarge;
}

int32_t vrs_views_class_parts(const vrs_ticket *ticket, int32_t target,
                              vrs_class_part parts[VRS_MAX_VIEWS])
{
    const vrs_stream *stream = ticket->stream;
    int32_t width, height, count = 0;
    vrs_views_scores_size(ticket->pipeline, &width, &height);
    for (uint32_t v = 0; v < stream->view_count; v++) {
        const bool eye = v < stream->eye_count;
        const vrs_rect from = eye ? scores_of(stream, v) : (vrs_rect){0, 0, width, height};
        vrs_patch tile = {.width = from.width, .height = from.height};
        if (eye) {
            tile.rect = stream->targets[target].rects[v];
            tile.positions = stream->eye_grids[target][v];
        } else {
            tile = vrs_views_patch(ticket, v, target);
        }
        if (tile.positions == NULL || tile.rect.width == 0 || tile.rect.height == 0 ||
            from.width < 2 || from.height < 2)
            continue;
        parts[count++] = (vrs_class_part){
            .patch = {.rect = tile.rect,
                      .positions = tile.positions,
                      .width = tile.width,
                      .height = tile.height,
                      .columns = from.width,
                      .rows = from.height,
                      .class_stride = (ptrdiff_t)width * height,
                      .row_stride = width,
                      .ramp_x = tile.ramp_x,
                      .ramp_y = tile.ramp_y},
            .view = v,
            .origin = (ptrdiff_t)from.y * width + from.x,
        };
    }
    return count;
}
