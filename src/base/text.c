#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes that a UTF-8 sequence with this first byte has; 1 for anything else. */
static size_t sequence_length(unsigned char first)
{
    if (first >= 0xf0)
        return first < 0xf8 ? 4 : 1;
    if (first >= 0xe0)
        return 3;
    return first >= 0xc0 ? 2 : 1;
}

size_t vrs_text_cut(const char *text, size_t length, size_t limit)
{
    if (length <= limit)
        return length;
    size_t start = limit;
    while (start > 0 && limit - start < 3 && ((unsigned char)text[start] & 0xc0) == 0x80)
        start--;
    /* `start` is where the character that holds text[limit] begins, if that is one at all. */
    return start + sequence_length((unsigned char)text[start]) > limit ? start : limit;
}

bool vrs_text_vformat(char *text, size_t size, const char *format, va_list args)
{
    memset(text, 0, size);
    int length = vsnprintf(text, size, format, args);
    if (length < 0) {
        text[0] = '\0';
        return false;
    }
    if ((size_t)length < size)
        return true;
    /* The byte that vsnprintf() cut off is unknown, so the last whole character that certainly
     * fits is looked for from the end. */
    size_t end = size - 1;
    size_t start = end;
    while (start > 0 && end - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0) {
        start--;
        if (start + sequence_length((unsigned char)text[start]) > end)
            memset(text + start, 0, size - start);
    }
    return false;
}

size_t vrs_text_decode(const char *text, size_t length, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    static const unsigned char first_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned char first = length > 0 ? (unsigned char)text[0] : 0xff;
    size_t bytes = sequence_length(first);
    if (bytes > length || (bytes == 1 && first >= 0x80))
        return 0;
    uint32_t value = first & first_mask[bytes];
    for (size_t i = 1; i < bytes; i++) {
        unsigned char next = (unsigned char)text[i];
        if ((next & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (next & 0x3f);
    }
    if (value < least[bytes] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code = value;
    return bytes;
}
