#include "vr/name.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vr/layout_words.h"

#define WORD_SIZE 16
#define HALF_DEGREES 180

typedef struct stereo_word {
    const char *word;
    vrs_stereo stereo;
    bool swapped, squeezed;
} stereo_word;

static const stereo_word stereo_words[] = {
    {"lr", VRS_STEREO_SBS, false, false},    {"sbs", VRS_STEREO_SBS, false, false},
    {"3dh", VRS_STEREO_SBS, false, false},   {"fsbs", VRS_STEREO_SBS, false, false},
    {"hsbs", VRS_STEREO_SBS, false, true},   {"rl", VRS_STEREO_SBS, true, false},
    {"tb", VRS_STEREO_TB, false, false},     {"ou", VRS_STEREO_TB, false, false},
    {"3dv", VRS_STEREO_TB, false, false},    {"tab", VRS_STEREO_TB, false, false},
    {"fou", VRS_STEREO_TB, false, false},    {"hou", VRS_STEREO_TB, false, true},
    {"htab", VRS_STEREO_TB, false, true},    {"bt", VRS_STEREO_TB, true, false},
    {"mono", VRS_STEREO_MONO, false, false}, {"2d", VRS_STEREO_MONO, false, false},
};

/* How much a word of a projection says; of two ranks the higher one counts. */
typedef enum rank {
    RANK_NONE = 0,
    RANK_SHAPE = 1,   /* 180, 360 */
    RANK_FISHEYE = 2, /* without an angle */
    RANK_ANGLE = 3,
    RANK_LENS = 4,
} rank;

typedef struct projection_word {
    const char *word;
    vrs_projection projection;
    vrs_lens lens;
    rank rank;
} projection_word;

static const projection_word projection_words[] = {
    {"360", VRS_PROJECTION_EQUIRECT, VRS_LENS_NONE, RANK_SHAPE},
    {"eac360", VRS_PROJECTION_CUBEMAP, VRS_LENS_NONE, RANK_SHAPE},
    {"180", VRS_PROJECTION_HALF_EQUIRECT, VRS_LENS_NONE, RANK_SHAPE},
    {"180x180", VRS_PROJECTION_HALF_EQUIRECT, VRS_LENS_NONE, RANK_SHAPE},
    {"dome", VRS_PROJECTION_HALF_EQUIRECT, VRS_LENS_NONE, RANK_SHAPE},
    {"flat", VRS_PROJECTION_FLAT, VRS_LENS_NONE, RANK_SHAPE},
    {"vr180", VRS_PROJECTION_FISHEYE, VRS_LENS_NONE, RANK_FISHEYE},
    {"fisheye", VRS_PROJECTION_FISHEYE, VRS_LENS_NONE, RANK_FISHEYE},
    {"mkx200", VRS_PROJECTION_FISHEYE, VRS_LENS_MKX200, RANK_LENS},
    {"mkx220", VRS_PROJECTION_FISHEYE, VRS_LENS_MKX220, RANK_LENS},
    {"vrca220", VRS_PROJECTION_FISHEYE, VRS_LENS_VRCA220, RANK_LENS},
    {"rf52", VRS_PROJECTION_FISHEYE, VRS_LENS_RF52, RANK_LENS},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* What was found so far. */
typedef struct finding {
    const stereo_word *stereo;
    char stereo_text[WORD_SIZE];
    bool stereo_twice; /* two words that contradict each other */
    rank rank;
    vrs_layout projection;
    char projection_text[WORD_SIZE];
    bool projection_twice, doubtful;
    char wrong[WORD_SIZE]; /* an angle that no fisheye has */
} finding;

/* The next word of a name in lower case; false: there is none. Longer ones are cut, and so are no
 * word that is known. */
static bool next_word(const char **text, const char *end, char word[WORD_SIZE])
{
    static const char between[] = "_- .()[]+,";
    size_t length = 0;
    while (*text < end && strchr(between, **text) != NULL)
        (*text)++;
    for (; *text < end && strchr(between, **text) == NULL; (*text)++)
        if (length + 1 < WORD_SIZE)
            word[length++] = (char)tolower((unsigned char)**text);
    word[length] = '\0';
    return length > 0;
}

/* "f190", "190f" and "fisheye190": the angle; 0: another word. */
static int angle_of(const char *word)
{
    char *end = NULL;
    const char *digits = strncmp(word, "fisheye", 7) == 0 ? word + 7 : word;
    bool before = digits != word;
    if (!before && word[0] == 'f') {
        digits = word + 1;
        before = true;
    }
    if (!isdigit((unsigned char)digits[0]))
        return 0;
    long value = strtol(digits, &end, 10);
    bool whole = before ? *end == '\0' : strcmp(end, "f") == 0;
    return whole && end - digits <= 3 ? (int)value : 0;
}

static void take_stereo(finding *f, const char *word)
{
    for (size_t i = 0; i < COUNT(stereo_words); i++) {
        const stereo_word *s = &stereo_words[i];
        if (strcmp(s->word, word) != 0)
            continue;
        if (f->stereo != NULL &&
            (f->stereo->stereo != s->stereo || f->stereo->swapped != s->swapped))
            f->stereo_twice = true;
        if (f->stereo == NULL || s->squeezed) {
            f->stereo = s;
            (void)snprintf(f->stereo_text, WORD_SIZE, "%s", word);
        }
    }
}

static void put(finding *f, const char *word, rank found, const vrs_layout *layout)
{
    if (found < f->rank)
        return;
    if (found == f->rank)
        f->projection_twice = f->projection_twice ||
                              f->projection.projection != layout->projection ||
                              f->projection.fov != layout->fov;
    else
        f->projection_twice = false;
    f->rank = found;
    f->projection = *layout;
    f->doubtful = strcmp(word, "vr180") == 0;
    (void)snprintf(f->projection_text, WORD_SIZE, "%s", word);
}

static void take_projection(finding *f, const char *word)
{
    vrs_layout layout = vrs_layout_flat();
    int angle = angle_of(word);
    if (angle >= VRS_MIN_FOV && angle <= VRS_MAX_FOV) {
        vrs_layout_put_projection(&layout, VRS_PROJECTION_FISHEYE, angle, VRS_LENS_NONE);
        put(f, word, RANK_ANGLE, &layout);
    } else if (angle > 0) {
        (void)snprintf(f->wrong, WORD_SIZE, "%s", word);
    }
    for (size_t i = 0; i < COUNT(projection_words); i++) {
        const projection_word *p = &projection_words[i];
        if (strcmp(p->word, word) == 0) {
            vrs_layout_put_projection(&layout, p->projection, HALF_DEGREES, p->lens);
            put(f, word, p->rank, &layout);
        }
    }
}

/* The base name of a path without its extension. */
static const char *stem(const char *path, const char **end)
{
    const char *slash = strrchr(path, '/'), *begin = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(begin, '.');
    *end = dot != NULL && dot > begin ? dot : begin + strlen(begin);
    return begin;
}

static void add(char *why, size_t size, const char *what, const char *word, const char *more)
{
    size_t used = strlen(why);
    (void)snprintf(why + used, size - used, "%s%s \"%s\"%s", used > 0 ? "; " : "", what, word,
                   more);
}

static void explain(const finding *f, bool implied, vrs_layout_claim *claim)
{
    char *why = claim->why;
    const size_t size = sizeof(claim->why);
    if (f->stereo != NULL)
        add(why, size, "the word", f->stereo_text,
            f->stereo_twice ? " and another one contradict each other" : "");
    if (implied)
        add(why, size, "players take 180 degrees for", f->stereo_text, " alone");
    if (f->rank != RANK_NONE)
        add(why, size, "the word", f->projection_text,
            f->projection_twice ? " and another one contradict each other"
            : f->doubtful       ? ", a fisheye to some players alone"
                                : "");
    if (f->wrong[0] != '\0')
        add(why, size, "no fisheye has the angle", f->wrong, " (90 to 270)");
}

void vrs_name_claim(const char *path, vrs_layout_claim *claim)
{
    finding f = {.stereo = NULL};
    char word[WORD_SIZE];
    const char *end, *text = stem(path, &end);
    *claim = (vrs_layout_claim){.layout = vrs_layout_flat()};
    while (next_word(&text, end, word)) {
        take_stereo(&f, word);
        take_projection(&f, word);
    }
    bool said = f.stereo != NULL && !f.stereo_twice;
    bool implied = f.rank == RANK_NONE && said &&
                   (strcmp(f.stereo_text, "lr") == 0 || strcmp(f.stereo_text, "tb") == 0);
    if (f.rank != RANK_NONE && !f.projection_twice) {
        claim->layout = f.projection;
        claim->projection = f.doubtful ? VRS_NAME_HALF : VRS_NAME_SURE;
    } else if (implied) {
        vrs_layout_put_projection(&claim->layout, VRS_PROJECTION_HALF_EQUIRECT, 0, VRS_LENS_NONE);
        claim->projection = VRS_NAME_HALF;
    }
    if (said) {
        claim->layout.stereo = f.stereo->stereo;
        claim->layout.swapped = f.stereo->swapped;
        claim->layout.squeezed = f.stereo->squeezed;
        claim->stereo = VRS_NAME_SURE;
    }
    explain(&f, implied, claim);
}

bool vrs_name_has_word(const char *path, const char *wanted)
{
    char word[WORD_SIZE];
    const char *end, *text = stem(path, &end);
    while (next_word(&text, end, word))
        if (strcmp(word, wanted) == 0)
            return true;
    return false;
}

void vrs_name_words(const vrs_layout *layout, bool alpha, char words[VRS_NAME_WORDS_SIZE])
{
    const bool fisheye = layout->projection == VRS_PROJECTION_FISHEYE;
    const int fov = fisheye ? (int)(layout->fov + 0.5) : HALF_DEGREES;
    bool known = layout->lens != VRS_LENS_NONE && layout->lens != VRS_LENS_RF52;
    if (!alpha)
        (void)snprintf(words, VRS_NAME_WORDS_SIZE, "_LR_%s_SBS_passthrough",
                       layout->projection == VRS_PROJECTION_EQUIRECT ? "360" : "180");
    else if (fisheye && known)
        (void)snprintf(words, VRS_NAME_WORDS_SIZE, "_LR_180_%s_alpha", vrs_lens_name(layout->lens));
    else if (fov == 190)
        (void)snprintf(words, VRS_NAME_WORDS_SIZE, "_LR_180_FISHEYE190_alpha");
    else
        (void)snprintf(words, VRS_NAME_WORDS_SIZE, "_LR_180_FISHEYE_F%d_alpha", fov);
}
