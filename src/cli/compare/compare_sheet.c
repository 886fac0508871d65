/* The contact sheet: the frames, and below them a row a model with its people over green. */
#include <ctype.h>
#include <string.h>

#include "cli/compare/compare.h"
#include "vrseg/input.h"

#define GAP 6
#define SCALE 3 /* of a letter's dots */
#define LETTER_WIDTH (4 * SCALE)
#define CAPTION (5 * SCALE + 2 * GAP) /* height of a line above a row */

/* Letters of 3 x 5 dots: a row is an octal digit, the uppermost first. */
static const struct {
    char letter;
    unsigned rows;
} letters[] = {
    {'A', 025755}, {'B', 065656}, {'C', 034443}, {'D', 065556}, {'E', 074647}, {'F', 074644},
    {'G', 034553}, {'H', 055755}, {'I', 072227}, {'J', 011152}, {'K', 055655}, {'L', 044447},
    {'M', 057755}, {'N', 075555}, {'O', 025552}, {'P', 065644}, {'Q', 025573}, {'R', 065655},
    {'S', 034216}, {'T', 072222}, {'U', 055557}, {'V', 055552}, {'W', 055775}, {'X', 055255},
    {'Y', 055222}, {'Z', 071247}, {'0', 075557}, {'1', 026227}, {'2', 071747}, {'3', 071717},
    {'4', 055711}, {'5', 074717}, {'6', 074757}, {'7', 071111}, {'8', 075757}, {'9', 075717},
    {'-', 000700}, {'.', 000002}, {',', 000024}, {':', 002020}, {'/', 011244}, {'%', 051245},
    {'+', 002720}, {'_', 000007},
};

static unsigned rows_of(char letter)
{
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        if (letters[i].letter == toupper((unsigned char)letter))
            return letters[i].rows;
    return 0;
}

static void write_text(vrs_image *sheet, int32_t left, int32_t top, const char *text)
{
    for (; *text != 0 && left + LETTER_WIDTH <= sheet->width; text++, left += LETTER_WIDTH)
        for (int32_t y = 0; y < 5 * SCALE; y++)
            for (int32_t x = 0; x < 3 * SCALE; x++)
                if ((rows_of(*text) >> (3 * (4 - y / SCALE) + 2 - x / SCALE) & 1) != 0)
                    memset(sheet->planes[0] + (top + y) * sheet->strides[0] + 3 * (left + x), 0xE0,
                           3);
}

/* The picture over green where the mask says so; without a mask the picture. */
static void draw_cell(vrs_image *sheet, int32_t left, int32_t top, const uint8_t *picture,
                      const uint8_t *mask)
{
    static const int green[] = {0, 177, 64};
    for (int32_t y = 0; y < VRS_COMPARE_CELL_HEIGHT; y++)
        for (int32_t x = 0; x < VRS_COMPARE_CELL_WIDTH; x++) {
            size_t at = (size_t)y * VRS_COMPARE_CELL_WIDTH + (size_t)x;
            uint8_t *to = sheet->planes[0] + (top + y) * sheet->strides[0] + 3 * (left + x);
            int share = mask != NULL ? mask[at] : 255;
            for (int i = 0; i < 3; i++)
                to[i] = (uint8_t)((picture[3 * at + (size_t)i] * share + green[i] * (255 - share)) /
                                  255);
        }
}

static void draw_row(vrs_image *sheet, int32_t top, const vrs_comparison *c, const uint8_t *cells,
                     const char *caption)
{
    write_text(sheet, GAP, top + GAP, caption);
    for (int32_t i = 0; i < c->picture_count; i++)
        draw_cell(sheet, GAP + i * (VRS_COMPARE_CELL_WIDTH + GAP), top + CAPTION,
                  c->pictures + (size_t)i * 3 * VRS_COMPARE_CELL_BYTES,
                  cells != NULL ? cells + (size_t)i * VRS_COMPARE_CELL_BYTES : NULL);
}

static void caption_of(const vrs_comparison *c, int32_t index, char *text, size_t size)
{
    const vrs_compared *m = &c->models[index];
    int used = snprintf(text, size, "%s  %.1f fps", m->name, m->result.fps);
    if (m->result.iou >= 0 && used > 0 && (size_t)used < size)
        used += snprintf(text + used, size - (size_t)used, "  IoU %.3f", m->result.iou);
    if (index == c->best && used > 0 && (size_t)used < size)
        (void)snprintf(text + used, size - (size_t)used, "  recommended");
}

vrs_status vrs_compare_sheet(const vrs_comparison *c, const char *path)
{
    const int32_t row = CAPTION + VRS_COMPARE_CELL_HEIGHT;
    vrs_image sheet;
    char caption[256] = "frames";
    int32_t rows = 1, top = 0;
    for (int32_t i = 0; i < c->count; i++)
        rows += c->models[i].measured ? 1 : 0;
    vrs_status status =
        vrs_image_alloc(&sheet, VRS_FORMAT_RGB24,
                        GAP + c->picture_count * (VRS_COMPARE_CELL_WIDTH + GAP), rows * row + GAP);
    if (status != VRS_OK)
        return status;
    for (int32_t i = 0, used = 6; i < c->picture_count && used < (int32_t)sizeof(caption); i++)
        used += snprintf(caption + used, sizeof(caption) - (size_t)used, "%s %lld",
                         i > 0 ? "," : "", (long long)c->picture_frames[i]);
    draw_row(&sheet, top, c, NULL, caption);
    for (int32_t i = 0; i < c->count; i++) {
        if (!c->models[i].measured)
            continue;
        caption_of(c, i, caption, sizeof(caption));
        draw_row(&sheet, top += row, c, c->models[i].cells, caption);
    }
    status = vrs_image_write_png(&sheet, path);
    vrs_image_release(&sheet);
    return status;
}
