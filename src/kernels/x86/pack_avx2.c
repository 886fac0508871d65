/* Alpha in a frame's corners, compiled for AVX2: the mask's rows are summed in whole vectors first,
 * then each two packed pixels take five of the mask. Exact. */
#include "kernels/pack.h"

#include <stdbool.h>

#include "kernels/x86/postprocess_x86.h"

/* The weighted sum of the three rows of an eye's mask, each of `count` columns, with one repeated
 * before and two after: sums[0] is column -1's. */
static void sum_rows(const vrs_pack *p, int32_t eye, int32_t down, int32_t *sums)
{
    const int32_t count = p->width / 2;
    const int16_t *rows[3];
    int32_t weights[3];
    for (int32_t j = 0; j < 3; j++) {
        rows[j] = p->mask +
                  vrs_pack_held(vrs_pack_floor_half(down) + j, p->height - 1) * p->stride +
                  eye * count;
        weights[j] = vrs_pack_weight(down, j);
    }
    for (int32_t x = 0; x < count; x++)
        sums[x + 2] = weights[0] * rows[0][x] + weights[1] * rows[1][x] + weights[2] * rows[2][x];
    sums[0] = sums[1] = sums[2];
    sums[count + 2] = sums[count + 3] = sums[count + 4] = sums[count + 1];
}

/* The packed columns of a row that lie in a circle: from begin to end, of one part of the frame. */
typedef struct span {
    int32_t eye, begin, end;
} span;

/* Parts of the frame by their first column and the one behind the last. */
static int32_t parts_of(int32_t width, span parts[3])
{
    int32_t count = 0, eye, half = 0, x = 0;
    while (x < width && count < 3) {
        /* columns are looked at one by one: a few per thousand of the work */
        eye = vrs_pack_column(width, x, &half);
        const int32_t begin = x;
        while (x < width && vrs_pack_column(width, x, &half) == eye)
            x++;
        if (eye >= 0)
            parts[count++] = (span){eye, begin, x};
    }
    return count;
}

/* Narrows a part to what lies in the circle in a row; empty where nothing does. */
static span narrow(const vrs_pack *p, span part, int32_t down)
{
    int32_t half = 0;
    while (part.begin < part.end) {
        (void)vrs_pack_column(p->width, part.begin, &half);
        if (vrs_pack_in_circle(p->width, p->height, half, down))
            break;
        part.begin++;
    }
    while (part.begin < part.end) {
        (void)vrs_pack_column(p->width, part.end - 1, &half);
        if (vrs_pack_in_circle(p->width, p->height, half, down))
            break;
        part.end--;
    }
    return part;
}

/* Alphas of a row's part into `alpha`, by its column; what is not in the circle is -1. */
static void fill_alpha(const vrs_pack *p, span part, int32_t down, const int32_t *sums,
                       int32_t *alpha)
{
    const span in = narrow(p, part, down);
    int32_t half = 0;
    for (int32_t x = part.begin; x < in.begin; x++)
        alpha[x] = -1;
    for (int32_t x = in.end; x < part.end; x++)
        alpha[x] = -1;
    if (in.begin >= in.end)
        return;
    (void)vrs_pack_column(p->width, in.begin, &half);
    for (int32_t x = in.begin; x < in.end; x++, half += VRS_PACK_HALVES) {
        const int32_t *s = sums + 2 + vrs_pack_floor_half(half);
        const int32_t sum =
            (half & 1) != 0 ? s[0] + 2 * s[1] + 2 * s[2] : 2 * s[0] + 2 * s[1] + s[2];
        alpha[x] = (sum + VRS_PACK_WEIGHT / 2) / VRS_PACK_WEIGHT;
    }
}

static void put(vrs_image *picture, int plane, int32_t x, int32_t y, int32_t code)
{
    uint8_t *row = picture->planes[plane] + y * picture->strides[plane];
    if (picture->format == VRS_FORMAT_YUV420P10)
        ((uint16_t *)(void *)row)[x] = (uint16_t)code;
    else
        row[x] = (uint8_t)code;
}

/* Two rows of columns begin..end-1, both even. */
static void write_rows(const vrs_pack *p, const int32_t *const alpha[2], int32_t begin, int32_t end,
                       int32_t y, vrs_image *picture)
{
    for (int32_t x = begin; x < end; x += 2) {
        const int32_t a[4] = {alpha[0][x], alpha[0][x + 1], alpha[1][x], alpha[1][x + 1]};
        if ((a[0] & a[1] & a[2] & a[3]) < 0)
            continue;
        int32_t sum = 2;
        for (int32_t i = 0; i < 4; i++)
            sum += a[i] > 0 ? a[i] : 0;
        const int32_t cr = vrs_pack_chroma(&p->codes, sum >> 2, p->codes.cr);
        put(picture, 1, x / 2, y / 2, vrs_pack_chroma(&p->codes, sum >> 2, p->codes.cb));
        put(picture, 2, x / 2, y / 2, cr);
        for (int32_t i = 0; i < 4; i++)
            if (a[i] >= 0)
                put(picture, 0, x + i % 2, y + i / 2, vrs_pack_luma(&p->codes, a[i], cr));
    }
}

/* The scratch memory holds the sums of an eye's rows, and behind them a row of alphas; the first
 * row's are the sums' successors. */
void vrs_avx2_pack(const vrs_pack *p, int32_t row_begin, int32_t row_end, vrs_image *picture,
                   void *scratch)
{
    span parts[3];
    const int32_t part_count = parts_of(p->width, parts);
    int32_t *sums = scratch;
    int32_t *rows[2] = {sums + p->width / 2 + 64, sums + p->width / 2 + 64 + p->width + 4};
    const int32_t *const alpha[2] = {rows[0], rows[1]};
    for (int32_t y = row_begin; y < row_end; y += 2) {
        bool any = false;
        for (int32_t j = 0; j < 2; j++) {
            int32_t down, summed = -1;
            bool packed = vrs_pack_row(p->height, y + j, &down) != 0;
            for (int32_t x = 0; x < p->width; x++)
                rows[j][x] = -1;
            for (int32_t i = 0; i < part_count && packed; i++) {
                if (parts[i].eye != summed)
                    sum_rows(p, parts[i].eye, down, sums);
                summed = parts[i].eye;
                fill_alpha(p, parts[i], down, sums, rows[j]);
            }
            any = any || packed;
        }
        for (int32_t i = 0; i < part_count && any; i++)
            write_rows(p, alpha, parts[i].begin & ~1, (parts[i].end + 1) & ~1, y, picture);
    }
}
