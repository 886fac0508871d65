#include "vr/decide.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vr/layout_words.h"

/* Fields of another layout that come with the stereo, and with the projection. */
static void take_stereo(vrs_layout *to, const vrs_layout *from)
{
    to->stereo = from->stereo;
    to->swapped = from->swapped;
    to->squeezed = from->squeezed;
}

static void take_projection(vrs_layout *to, const vrs_layout *from)
{
    vrs_layout whole = *from;
    take_stereo(&whole, to);
    *to = whole;
}

static bool same_stereo(const vrs_layout *a, const vrs_layout *b)
{
    return a->stereo == b->stereo && a->swapped == b->swapped;
}

/* Angles of a degree's difference are the same: who wrote 180 meant about that. */
static bool same_projection(const vrs_layout *a, const vrs_layout *b)
{
    return a->projection == b->projection && fabs(a->fov - b->fov) < 1;
}

static const char *stereo_words(const vrs_layout *layout)
{
    static const char *const words[2][3] = {
        {"one eye", "eyes side by side", "eyes one above the other"},
        {"one eye", "eyes side by side, the right one first",
         "eyes one above the other, the right one first"}};
    return words[layout->swapped ? 1 : 0][layout->stereo];
}

static const char *said_by(vrs_layout_voice voice)
{
    static const char *const words[] = {"the option", "the container", "the file name",
                                        "the picture"};
    return words[voice];
}

/* What one says, of the eyes or of the projection. */
static void say(const vrs_layout *layout, bool stereo, char text[64])
{
    vrs_layout eye = *layout;
    eye.stereo = VRS_STEREO_MONO;
    if (stereo)
        (void)snprintf(text, 64, "%s", stereo_words(layout));
    else
        vrs_layout_text(&eye, text, 64);
}

static void add_conflict(vrs_layout_reading *r, vrs_layout_voice winner, vrs_layout_voice loser,
                         bool stereo)
{
    static const char *const why[] = {"", "the container wins, as players go by it",
                                      "the file name wins, as a picture can only be guessed at",
                                      ""};
    char won[64], lost[64];
    size_t used = strlen(r->conflict);
    say(&r->claims[winner].layout, stereo, won);
    say(&r->claims[loser].layout, stereo, lost);
    if (winner == VRS_VOICE_OPTION) {
        (void)snprintf(r->conflict + used, sizeof(r->conflict) - used,
                       "%s%s says %s, %s %s: an option always wins", used > 0 ? "; " : "",
                       said_by(winner), won, said_by(loser), lost);
        return;
    }
    (void)snprintf(r->conflict + used, sizeof(r->conflict) - used,
                   "%s%s says %s, %s %s: %s; --%s says otherwise", used > 0 ? "; " : "",
                   said_by(winner), won, said_by(loser), lost, why[winner],
                   stereo ? "layout" : "projection");
}

/* The first that says something; the others that say something else are named. A picture's guess
 * at a projection contradicts nobody: it knows no angles; that it shows no two eyes is told by
 * look_at_eyes(). */
static vrs_layout_voice choose(vrs_layout_reading *r, bool stereo)
{
    vrs_layout_voice winner = VRS_VOICE_NONE;
    for (int v = 0; v < VRS_VOICES; v++) {
        const vrs_layout_claim *claim = &r->claims[v];
        if ((stereo ? claim->stereo : claim->projection) <= 0)
            continue;
        if (winner == VRS_VOICE_NONE) {
            winner = (vrs_layout_voice)v;
            continue;
        }
        const vrs_layout *a = &r->claims[winner].layout, *b = &claim->layout;
        bool guess = v == VRS_VOICE_CONTENT;
        bool alone = guess && b->stereo == VRS_STEREO_MONO;
        if (stereo ? !alone && !(guess ? a->stereo == b->stereo : same_stereo(a, b))
                   : !guess && !same_projection(a, b))
            add_conflict(r, winner, (vrs_layout_voice)v, stereo);
    }
    return winner;
}

/* What the pictures say against what was taken. */
static void look_at_eyes(const vrs_content *content, vrs_layout_reading *r)
{
    const vrs_stereo stereo = r->layout.stereo;
    size_t used = strlen(r->conflict);
    if (content == NULL || !content->seen || stereo == VRS_STEREO_MONO ||
        content->alike[stereo] >= VRS_CONTENT_DIFFERENT)
        return;
    (void)snprintf(r->conflict + used, sizeof(r->conflict) - used,
                   "%sthe two eyes of the first picture show different things (likeness %.2f); is "
                   "it --layout mono?",
                   used > 0 ? "; " : "", (double)content->alike[stereo]);
}

static void doubt(const char *name, vrs_layout_reading *r)
{
    bool eyes = r->stereo_by == VRS_VOICE_NONE, sphere = r->projection_by == VRS_VOICE_NONE;
    if (!eyes && !sphere)
        return;
    (void)snprintf(r->doubt, sizeof(r->doubt),
                   "%.80s: %s cannot be told and %s taken as %s; say it with %s%s%s", name,
                   eyes && sphere ? "its layout and projection"
                   : eyes         ? "its layout"
                                  : "its projection",
                   eyes && sphere ? "are" : "is",
                   eyes && sphere ? "one flat picture"
                   : eyes         ? "one eye"
                                  : "flat",
                   eyes ? "--layout sbs|tb|mono" : "", eyes && sphere ? " and " : "",
                   sphere ? "--projection equirect|half-equirect|fisheye[:FOV]|flat" : "");
}

vrs_status vrs_layout_decide(const char *name, const vrs_content *content, int32_t width,
                             int32_t height, vrs_layout_reading *r)
{
    vrs_rect eyes[2];
    int count;
    r->layout = vrs_layout_flat();
    r->conflict[0] = r->doubt[0] = '\0';
    r->claims[VRS_VOICE_CONTENT] = (vrs_layout_claim){.layout = vrs_layout_flat()};
    int known = -1;
    for (int v = VRS_VOICE_CONTENT - 1; v >= 0; v--)
        if (r->claims[v].stereo > 0)
            known = (int)r->claims[v].layout.stereo;
    if (content != NULL)
        vrs_content_claim(content, known, width, height, &r->claims[VRS_VOICE_CONTENT]);
    r->stereo_by = choose(r, true);
    if (r->stereo_by != VRS_VOICE_NONE)
        take_stereo(&r->layout, &r->claims[r->stereo_by].layout);
    r->projection_by = choose(r, false);
    if (r->projection_by != VRS_VOICE_NONE)
        take_projection(&r->layout, &r->claims[r->projection_by].layout);
    const vrs_layout *boxes = &r->claims[VRS_VOICE_CONTAINER].layout;
    if (r->layout.projection == VRS_PROJECTION_MESH && r->layout.mesh == NULL) {
        r->layout.mesh = boxes->mesh;
        if (boxes->mesh == NULL && r->projection_by == VRS_VOICE_OPTION)
            return vrs_fail(VRS_UNSUPPORTED,
                            "%s: --projection mesh, but the file holds no mesh that can be read; "
                            "say --projection equirect|half-equirect|fisheye[:FOV]|flat",
                            name);
    }
    look_at_eyes(content, r);
    doubt(name, r);
    vrs_status status = vrs_layout_eyes(&r->layout, width, height, eyes, &count);
    return status == VRS_OK ? VRS_OK : vrs_fail_in(status, name);
}
