/* The photograph tests/data/person.ppm at any size, as record_models.py makes it: bilinear in whole
 * numbers, every division rounding down. */
#ifndef TESTS_ENGINE_PERSON_H
#define TESTS_ENGINE_PERSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PERSON_SIDE 48

typedef struct person {
    uint8_t pixels[PERSON_SIDE][PERSON_SIDE][3];
} person;

static inline bool person_read(const char *path, person *picture)
{
    static const char wanted[] = "P6\n48 48\n255\n";
    char head[sizeof(wanted)] = "";
    *picture = (person){0};
    FILE *file = fopen(path, "rb");
    bool good = file != NULL && fread(head, sizeof(wanted) - 1, 1, file) == 1 &&
                strcmp(head, wanted) == 0 &&
                fread(picture->pixels, sizeof(picture->pixels), 1, file) == 1;
    if (file != NULL)
        fclose(file);
    return good;
}

typedef struct person_tap {
    int first, second, weight; /* of the second, in 1/256 */
} person_tap;

static inline person_tap person_place(int index, int size)
{
    int place = index * 256 * (PERSON_SIDE - 1) / (size > 1 ? size - 1 : 1);
    int first = place / 256;
    return (person_tap){first, first + 1 < PERSON_SIDE ? first + 1 : first, place % 256};
}

/* R G B codes, rows without padding; columns are rotated to the right by `shift`. */
static inline void person_draw(const person *picture, int width, int height, int shift,
                               uint8_t *rgb)
{
    for (int y = 0; y < height; y++) {
        person_tap down = person_place(y, height);
        for (int x = 0; x < width; x++) {
            person_tap along = person_place((x - shift % width + width) % width, width);
            for (int c = 0; c < 3; c++) {
                int top = picture->pixels[down.first][along.first][c] * (256 - along.weight) +
                          picture->pixels[down.first][along.second][c] * along.weight;
                int bottom = picture->pixels[down.second][along.first][c] * (256 - along.weight) +
                             picture->pixels[down.second][along.second][c] * along.weight;
                rgb[((size_t)y * (size_t)width + (size_t)x) * 3 + (size_t)c] =
                    (uint8_t)((top * (256 - down.weight) + bottom * down.weight) / 65536);
            }
        }
    }
}

#endif
