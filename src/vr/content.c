#include "vr/content.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "vr/layout_words.h"

#define BLOCKS 4            /* of a half, each way */
#define REACH 24            /* pixels that an object of the other eye may be aside, each way */
#define LIFT 8              /* and higher or lower: real cameras are not quite straight */
#define STEP 2              /* of these two */
#define BLUR 4              /* what is smoother than so many pixels is left out */
#define LEAST_DEVIATION 2.0 /* of a block that shows something, in code values */
#define LEAST_BLOCKS 4
#define ALIKE 0.5f /* from here on halves are two eyes */
#define BLACK 34.0 /* code values: black in limited range with noise */
#define MOST_SURE 0.9f

typedef struct plane {
    const float *data;
    int32_t stride, width, height;
} plane;

/* The picture less its blurred self, into `fine`: two passes of a box with repeated edges. */
static void sharpen(const uint8_t *luma, int32_t stride, int32_t width, int32_t height, float *rows,
                    float *fine)
{
    const int32_t size = 2 * BLUR + 1;
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++) {
            int32_t sum = 0;
            for (int32_t k = -BLUR; k <= BLUR; k++) {
                int32_t at = x + k < 0 ? 0 : x + k >= width ? width - 1 : x + k;
                sum += luma[(size_t)y * (size_t)stride + (size_t)at];
            }
            rows[(size_t)y * (size_t)width + (size_t)x] = (float)sum / (float)size;
        }
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++) {
            float sum = 0;
            for (int32_t k = -BLUR; k <= BLUR; k++) {
                int32_t at = y + k < 0 ? 0 : y + k >= height ? height - 1 : y + k;
                sum += rows[(size_t)at * (size_t)width + (size_t)x];
            }
            fine[(size_t)y * (size_t)width + (size_t)x] =
                (float)luma[(size_t)y * (size_t)stride + (size_t)x] - sum / (float)size;
        }
}

/* Correlation of a block of `a` with that of `b` so many columns and rows aside, as far as both
 * have it. -2: one of them shows nothing. */
static double correlate(const plane *a, const plane *b, vrs_rect block, int32_t aside,
                        int32_t below)
{
    int32_t x0 = block.x > -aside ? block.x : -aside, x1 = block.x + block.width;
    int32_t y0 = block.y > -below ? block.y : -below, y1 = block.y + block.height;
    x1 = x1 < b->width - aside ? x1 : b->width - aside;
    y1 = y1 < b->height - below ? y1 : b->height - below;
    if (x1 - x0 < 4 || y1 - y0 < 4)
        return -2;
    double aa = 0, bb = 0, ab = 0, sa = 0, sb = 0;
    for (int32_t y = y0; y < y1; y++) {
        const float *p = a->data + (ptrdiff_t)y * a->stride;
        const float *q = b->data + (ptrdiff_t)(y + below) * b->stride + aside;
        float row[5] = {0}; /* sums of a row are exact enough in float */
        for (int32_t x = x0; x < x1; x++) {
            row[0] += p[x] * p[x];
            row[1] += q[x] * q[x];
            row[2] += p[x] * q[x];
            row[3] += p[x];
            row[4] += q[x];
        }
        aa += (double)row[0];
        bb += (double)row[1];
        ab += (double)row[2];
        sa += (double)row[3];
        sb += (double)row[4];
    }
    const double n = (double)(x1 - x0) * (y1 - y0);
    const double va = aa / n - (sa / n) * (sa / n), vb = bb / n - (sb / n) * (sb / n);
    if (va < LEAST_DEVIATION * LEAST_DEVIATION || vb < LEAST_DEVIATION * LEAST_DEVIATION)
        return -2;
    return (ab / n - (sa / n) * (sb / n)) / sqrt(va * vb);
}

/* The mean of the blocks' best; false: too few show anything. */
static bool likeness(const plane *a, const plane *b, float *out)
{
    double sum = 0;
    int blocks = 0;
    for (int i = 0; i < BLOCKS * BLOCKS; i++) {
        const int32_t w = a->width / BLOCKS, h = a->height / BLOCKS;
        const vrs_rect block = {i % BLOCKS * w, i / BLOCKS * h, w, h};
        if (correlate(a, a, block, 0, 0) < 0)
            continue;
        double best = -1;
        for (int32_t below = -LIFT; below <= LIFT; below += STEP)
            for (int32_t aside = -REACH; aside <= REACH; aside += STEP)
                best = fmax(best, correlate(a, b, block, aside, below));
        sum += best;
        blocks++;
    }
    *out = blocks > 0 ? (float)(sum / blocks) : 0;
    return blocks >= LEAST_BLOCKS;
}

/* ---- one eye ---- */

/* Dark in the corners outside of the inscribed circle, and not inside of its rim. */
static bool has_circle(const uint8_t *luma, int32_t stride, vrs_rect eye)
{
    const double radius = (eye.width < eye.height ? eye.width : eye.height) / 2.0;
    double outside = 0, rim = 0;
    int64_t outside_count = 0, rim_count = 0, bright = 0;
    if (eye.width * 5 < eye.height * 4 || eye.height * 5 < eye.width * 4)
        return false; /* a circle of half an eye leaves more than corners */
    for (int32_t y = 0; y < eye.height; y++)
        for (int32_t x = 0; x < eye.width; x++) {
            const double r = hypot(x + 0.5 - eye.width / 2.0, y + 0.5 - eye.height / 2.0) / radius;
            const int value = luma[(ptrdiff_t)(eye.y + y) * stride + eye.x + x];
            if (r > 1.04) {
                outside += value;
                bright += value > 2 * BLACK;
                outside_count++;
            } else if (r > 0.8 && r < 0.96) {
                rim += value;
                rim_count++;
            }
        }
    if (outside_count < 64 || rim_count < 64)
        return false;
    outside /= (double)outside_count;
    rim /= (double)rim_count;
    return outside < BLACK && bright * 50 < outside_count && rim > outside + 12;
}

static double row_deviation(const uint8_t *row, int32_t count, double *mean)
{
    double sum = 0, squares = 0;
    for (int32_t x = 0; x < count; x++) {
        sum += row[x];
        squares += (double)row[x] * row[x];
    }
    *mean = sum / count;
    return sqrt(fmax(0, squares / count - *mean * *mean));
}

/* The outermost rows of a sphere are a point each. Rows that are black are a letter box. */
static bool has_poles(const uint8_t *luma, int32_t stride, vrs_rect eye)
{
    double all = 0, mean;
    const int32_t begin = eye.height / 4, end_row = eye.height * 3 / 4;
    for (int32_t y = begin; y < end_row; y++)
        all += row_deviation(luma + (ptrdiff_t)(eye.y + y) * stride + eye.x, eye.width, &mean);
    all /= end_row - begin;
    for (int end = 0; end < 2; end++) {
        const int32_t y = end == 0 ? 0 : eye.height - 1;
        const double own =
            row_deviation(luma + (ptrdiff_t)(eye.y + y) * stride + eye.x, eye.width, &mean);
        if (!(own < 0.15 * all) || mean < BLACK)
            return false;
    }
    return true;
}

/* The first column goes on where the last one ends, as nearly as columns do elsewhere. */
static bool goes_round(const uint8_t *luma, int32_t stride, vrs_rect eye)
{
    int64_t across = 0, elsewhere = 0;
    const int32_t begin = eye.height / 8;
    for (int32_t y = begin; y < eye.height - begin; y++) {
        const uint8_t *row = luma + (ptrdiff_t)(eye.y + y) * stride + eye.x;
        for (int32_t x = 0; x + 1 < eye.width; x++)
            elsewhere += row[x] > row[x + 1] ? row[x] - row[x + 1] : row[x + 1] - row[x];
        const int last = row[eye.width - 1];
        across += row[0] > last ? row[0] - last : last - row[0];
    }
    const double rows = eye.height - 2 * begin;
    return (double)across / rows < 2 + 2.5 * (double)elsewhere / (rows * (eye.width - 1));
}

static void look_at_eyes(const uint8_t *luma, int32_t stride, int32_t width, int32_t height,
                         vrs_content *content)
{
    for (int s = 0; s < 3; s++) {
        vrs_rect eye = {0, 0, s == VRS_STEREO_SBS ? width / 2 : width,
                        s == VRS_STEREO_TB ? height / 2 : height};
        vrs_rect other = {width - eye.width, height - eye.height, eye.width, eye.height};
        content->circle[s] = has_circle(luma, stride, eye) && has_circle(luma, stride, other);
        content->poles[s] = has_poles(luma, stride, eye) && has_poles(luma, stride, other);
        content->round[s] = goes_round(luma, stride, eye) && goes_round(luma, stride, other);
    }
}

vrs_status vrs_content_look(const uint8_t *luma, int32_t stride, int32_t width, int32_t height,
                            vrs_content *content)
{
    *content = (vrs_content){.seen = false};
    if (width < VRS_CONTENT_LEAST || height < VRS_CONTENT_LEAST)
        return VRS_OK;
    const size_t pixels = (size_t)width * (size_t)height;
    float *fine = vrs_alloc_array(2 * pixels, sizeof(*fine));
    if (fine == NULL)
        return VRS_NO_MEMORY;
    sharpen(luma, stride, width, height, fine + pixels, fine);
    const plane left = {fine, width, width / 2, height};
    const plane right = {fine + width / 2, width, width / 2, height};
    const plane top = {fine, width, width, height / 2};
    const plane bottom = {fine + (size_t)width * (size_t)(height / 2), width, width, height / 2};
    bool sbs = likeness(&left, &right, &content->alike[VRS_STEREO_SBS]);
    bool tb = likeness(&top, &bottom, &content->alike[VRS_STEREO_TB]);
    content->seen = sbs && tb;
    vrs_free(fine);
    look_at_eyes(luma, stride, width, height, content);
    return VRS_OK;
}

/* ---- as a layout ---- */

/* Whether halves of such a frame are eyes of a usual shape. Those of a plain one can be, squeezed,
 * but a wall of bricks is like itself, too. */
static bool fits(vrs_stereo stereo, double aspect)
{
    return stereo == VRS_STEREO_SBS ? aspect >= 1.85 && aspect < 4.2
                                    : aspect >= 0.45 && aspect < 1.2;
}

bool vrs_content_matters(int32_t width, int32_t height)
{
    const double aspect = (double)width / height;
    return fits(VRS_STEREO_SBS, aspect) || fits(VRS_STEREO_TB, aspect);
}

static void claim_stereo(const vrs_content *content, double aspect, vrs_layout_claim *claim)
{
    const float sbs = content->alike[VRS_STEREO_SBS], tb = content->alike[VRS_STEREO_TB];
    const float most = sbs > tb ? sbs : tb;
    const vrs_stereo stereo = sbs > tb ? VRS_STEREO_SBS : VRS_STEREO_TB;
    if (most >= ALIKE && !fits(stereo, aspect)) {
        (void)snprintf(
            claim->why, sizeof(claim->why),
            "the %s halves are alike (%.2f), which says nothing in a frame of this shape",
            sbs > tb ? "left and right" : "upper and lower", (double)most);
    } else if (most >= ALIKE) {
        claim->layout.stereo = stereo;
        claim->stereo = most < MOST_SURE ? most : MOST_SURE;
        (void)snprintf(claim->why, sizeof(claim->why),
                       "the %s halves show one scene (likeness %.2f)",
                       sbs > tb ? "left and right" : "upper and lower", (double)most);
    } else if (most < VRS_CONTENT_DIFFERENT) {
        claim->stereo = 0.6f;
        (void)snprintf(claim->why, sizeof(claim->why),
                       "its halves show different things (likeness %.2f and %.2f)", (double)sbs,
                       (double)tb);
    }
}

void vrs_content_claim(const vrs_content *content, int stereo, int32_t width, int32_t height,
                       vrs_layout_claim *claim)
{
    *claim = (vrs_layout_claim){.layout = vrs_layout_flat()};
    if (!content->seen)
        return;
    claim_stereo(content, (double)width / height, claim);
    const int s = stereo >= 0 ? stereo : (int)claim->layout.stereo;
    const double aspect = (double)(s == VRS_STEREO_SBS ? width / 2 : width) /
                          (s == VRS_STEREO_TB ? height / 2 : height);
    bool square = aspect > 0.8 && aspect<1.25, wide = aspect> 1.8 && aspect < 2.2;
    const char *text = "";
    if (content->circle[s]) {
        vrs_layout_put_projection(&claim->layout, VRS_PROJECTION_FISHEYE, 180, VRS_LENS_NONE);
        claim->projection = 0.7f;
        text = "black corners around a circle in each eye";
    } else if (content->poles[s] && content->round[s]) {
        vrs_layout_put_projection(&claim->layout, VRS_PROJECTION_EQUIRECT, 0, VRS_LENS_NONE);
        claim->projection = wide ? 0.7f : 0.6f;
        text = "even rows at the poles, and the left edge goes on at the right one";
    } else if (content->poles[s] && square) {
        vrs_layout_put_projection(&claim->layout, VRS_PROJECTION_HALF_EQUIRECT, 0, VRS_LENS_NONE);
        claim->projection = 0.6f;
        text = "square eyes with even rows at the poles";
    } else if (!square && !wide) {
        claim->projection = 0.5f;
        text = "no circle, and no shape of a sphere's picture";
    }
    size_t used = strlen(claim->why);
    if (text[0] != '\0')
        (void)snprintf(claim->why + used, sizeof(claim->why) - used, "%s%s", used > 0 ? "; " : "",
                       text);
}
