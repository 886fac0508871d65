#include "vrseg/layout.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "base/text.h"
#include "vr/layout_words.h"
#include "vrseg/config.h"

#define DEFAULT_FOV 180
#define HALF_CUT 0.25

static const char *const stereo_names[] = {"mono", "sbs", "tb"};
static const char *const projection_names[] = {"flat",    "equirect", "half-equirect",
                                               "fisheye", "mesh",     "cubemap"};
static const char *const lens_names[] = {"", "MKX200", "MKX220", "VRCA220", "RF52"};
static const double lens_fovs[] = {DEFAULT_FOV, 200, 220, 220, 190};
static const char *const voice_names[] = {"option", "container", "name", "content", "nobody"};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *name_in(const char *const *names, size_t count, int index)
{
    return index >= 0 && (size_t)index < count ? names[index] : "unknown";
}

const char *vrs_stereo_name(vrs_stereo stereo)
{
    return name_in(stereo_names, COUNT(stereo_names), (int)stereo);
}

const char *vrs_projection_name(vrs_projection projection)
{
    return name_in(projection_names, COUNT(projection_names), (int)projection);
}

const char *vrs_lens_name(vrs_lens lens)
{
    return name_in(lens_names, COUNT(lens_names), (int)lens);
}

const char *vrs_layout_voice_name(vrs_layout_voice voice)
{
    return name_in(voice_names, COUNT(voice_names), (int)voice);
}

vrs_layout vrs_layout_flat(void)
{
    return (vrs_layout){.stereo = VRS_STEREO_MONO, .projection = VRS_PROJECTION_FLAT};
}

void vrs_layout_put_projection(vrs_layout *layout, vrs_projection projection, double fov,
                               vrs_lens lens)
{
    bool half = projection == VRS_PROJECTION_HALF_EQUIRECT;
    bool fisheye = projection == VRS_PROJECTION_FISHEYE;
    layout->projection = projection;
    layout->lens = fisheye ? lens : VRS_LENS_NONE;
    layout->fov = fisheye ? (lens != VRS_LENS_NONE ? lens_fovs[lens] : fov) : 0;
    layout->cut_left = layout->cut_right = half ? HALF_CUT : 0;
    layout->cut_top = layout->cut_bottom = 0;
}

vrs_status vrs_layout_set_stereo(vrs_layout *layout, const char *word)
{
    static const struct {
        const char *word;
        vrs_stereo stereo;
        bool swapped;
    } words[] = {{"mono", VRS_STEREO_MONO, false},
                 {"sbs", VRS_STEREO_SBS, false},
                 {"tb", VRS_STEREO_TB, false},
                 {"rl", VRS_STEREO_SBS, true},
                 {"bt", VRS_STEREO_TB, true}};
    const char *names[COUNT(words)];
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strcasecmp(words[i].word, word) == 0) {
            layout->stereo = words[i].stereo;
            layout->swapped = words[i].swapped;
            layout->squeezed = false;
            return VRS_OK;
        }
        names[i] = words[i].word;
    }
    const char *nearest = vrs_nearest_name(word, names, COUNT(names));
    return vrs_fail(
        VRS_INVALID,
        "layout: %s is none of mono, sbs, tb, and with the right eye first rl, bt%s%s%s", word,
        nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

static vrs_status set_fov(vrs_layout *layout, const char *text)
{
    double fov;
    if (!vrs_parse_float(text, &fov) || !(fov >= VRS_MIN_FOV && fov <= VRS_MAX_FOV))
        return vrs_fail(VRS_INVALID,
                        "projection: a fisheye of \"%s\" degrees cannot be; the angle across its "
                        "circle is %d to %d, as in fisheye:190",
                        text, VRS_MIN_FOV, VRS_MAX_FOV);
    vrs_layout_put_projection(layout, VRS_PROJECTION_FISHEYE, fov, VRS_LENS_NONE);
    return VRS_OK;
}

vrs_status vrs_layout_set_projection(vrs_layout *layout, const char *word)
{
    static const struct {
        const char *word;
        vrs_projection projection;
        vrs_lens lens;
    } words[] = {{"flat", VRS_PROJECTION_FLAT, VRS_LENS_NONE},
                 {"equirect", VRS_PROJECTION_EQUIRECT, VRS_LENS_NONE},
                 {"half-equirect", VRS_PROJECTION_HALF_EQUIRECT, VRS_LENS_NONE},
                 {"fisheye", VRS_PROJECTION_FISHEYE, VRS_LENS_NONE},
                 {"mesh", VRS_PROJECTION_MESH, VRS_LENS_NONE},
                 {"mkx200", VRS_PROJECTION_FISHEYE, VRS_LENS_MKX200},
                 {"mkx220", VRS_PROJECTION_FISHEYE, VRS_LENS_MKX220},
                 {"vrca220", VRS_PROJECTION_FISHEYE, VRS_LENS_VRCA220},
                 {"rf52", VRS_PROJECTION_FISHEYE, VRS_LENS_RF52}};
    static const char fisheye[] = "fisheye:";
    if (strncasecmp(word, fisheye, sizeof(fisheye) - 1) == 0)
        return set_fov(layout, word + sizeof(fisheye) - 1);
    const char *names[COUNT(words)];
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strcasecmp(words[i].word, word) == 0) {
            vrs_layout_put_projection(layout, words[i].projection, DEFAULT_FOV, words[i].lens);
            return VRS_OK;
        }
        names[i] = words[i].word;
    }
    const char *nearest = vrs_nearest_name(word, names, COUNT(names));
    return vrs_fail(VRS_INVALID,
                    "projection: %s is none of flat, equirect, half-equirect, fisheye, fisheye:FOV "
                    "(%d to %d degrees), mesh, mkx200, mkx220, vrca220, rf52%s%s%s",
                    word, VRS_MIN_FOV, VRS_MAX_FOV, nearest ? "; did you mean \"" : "",
                    nearest ? nearest : "", nearest ? "\"?" : "");
}

vrs_status vrs_layout_eyes(const vrs_layout *layout, int32_t width, int32_t height,
                           vrs_rect eyes[2], int *count)
{
    bool sbs = layout->stereo == VRS_STEREO_SBS, stereo = layout->stereo != VRS_STEREO_MONO;
    int32_t side = sbs ? width : height;
    if (stereo && (side % 2 != 0 || side < 2))
        return vrs_fail(VRS_INVALID,
                        "layout %s: a frame of %dx%d has no two halves of one size, its %s is odd; "
                        "is it --layout mono?",
                        vrs_stereo_name(layout->stereo), width, height, sbs ? "width" : "height");
    *count = stereo ? 2 : 1;
    if (!stereo) {
        eyes[0] = eyes[1] = (vrs_rect){0, 0, width, height};
        return VRS_OK;
    }
    vrs_rect first = {0, 0, sbs ? width / 2 : width, sbs ? height : height / 2};
    vrs_rect second = first;
    second.x = sbs ? first.width : 0;
    second.y = sbs ? 0 : first.height;
    eyes[0] = layout->swapped ? second : first;
    eyes[1] = layout->swapped ? first : second;
    return VRS_OK;
}

/* Adds to a text of `size` bytes. */
static void VRS_PRINTF(3, 4) add(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    (void)vrs_text_vformat(text + used, size - used, format, args);
    va_end(args);
}

static void projection_text(const vrs_layout *layout, char *text, size_t size)
{
    double across = 360 * (1 - layout->cut_left - layout->cut_right);
    double down = 180 * (1 - layout->cut_top - layout->cut_bottom);
    switch (layout->projection) {
    case VRS_PROJECTION_EQUIRECT:
    case VRS_PROJECTION_HALF_EQUIRECT:
        add(text, size, "%s %.4g", vrs_projection_name(layout->projection), across);
        if (down < 180)
            add(text, size, " x %.4g", down);
        add(text, size, " degrees");
        break;
    case VRS_PROJECTION_FISHEYE:
        add(text, size, "fisheye %.4g degrees", layout->fov);
        if (layout->lens != VRS_LENS_NONE)
            add(text, size, " (%s)", vrs_lens_name(layout->lens));
        break;
    default:
        add(text, size, "%s", vrs_projection_name(layout->projection));
        break;
    }
}

void vrs_layout_text(const vrs_layout *layout, char *text, size_t size)
{
    static const char *const stereo[] = {"", "side by side", "top-bottom"};
    text[0] = '\0';
    if (layout->stereo == VRS_STEREO_SBS || layout->stereo == VRS_STEREO_TB)
        add(text, size, "%s%s%s, ", stereo[layout->stereo], layout->squeezed ? " (half size)" : "",
            layout->swapped ? ", right eye first" : "");
    projection_text(layout, text, size);
}
