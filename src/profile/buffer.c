#include "profile/buffer.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

#define PIECE 1024
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void vrs_buffer_free(vrs_buffer *buffer)
{
    vrs_free(buffer->text);
    *buffer = (vrs_buffer){0};
}

vrs_status vrs_buffer_status(const vrs_buffer *buffer)
{
    return buffer->failed ? vrs_fail(VRS_NO_MEMORY, "no memory for %zu bytes of text", buffer->room)
                          : VRS_OK;
}

static void add_bytes(vrs_buffer *buffer, const char *text, size_t length)
{
    if (buffer->failed)
        return;
    if (buffer->length + length + 1 > buffer->room) {
        size_t room = 2 * (buffer->length + length + PIECE);
        char *grown = vrs_realloc(buffer->text, room);
        buffer->failed = grown == NULL;
        if (grown == NULL)
            return;
        buffer->text = grown;
        buffer->room = room;
    }
    memcpy(buffer->text + buffer->length, text, length);
    buffer->length += length;
    buffer->text[buffer->length] = 0;
}

void vrs_buffer_add(vrs_buffer *buffer, const char *text)
{
    add_bytes(buffer, text, strlen(text));
}

void vrs_buffer_format(vrs_buffer *buffer, const char *format, ...)
{
    char piece[PIECE];
    va_list args;
    va_start(args, format);
    (void)vrs_text_vformat(piece, sizeof(piece), format, args);
    va_end(args);
    vrs_buffer_add(buffer, piece);
}

void vrs_buffer_number(vrs_buffer *buffer, double value, int decimals)
{
    static const int64_t powers[] = {1,      10,      100,      1000,      10000,
                                     100000, 1000000, 10000000, 100000000, 1000000000};
    int64_t scale = powers[decimals < 0 ? 0 : decimals > 9 ? 9 : decimals];
    if (!isfinite(value) || fabs(value) > 1e15 || fabs(value) * (double)scale > 9e18) {
        vrs_buffer_add(buffer, "-");
        return;
    }
    int64_t scaled = (int64_t)llround(fabs(value) * (double)scale);
    vrs_buffer_format(buffer, "%s%" PRId64, value < 0 && scaled > 0 ? "-" : "", scaled / scale);
    if (scale > 1)
        vrs_buffer_format(buffer, ".%0*" PRId64, decimals > 9 ? 9 : decimals, scaled % scale);
}

/* Whether the character at `text`, of `bytes` bytes, may be shown. */
static bool is_shown(const char *text, uint32_t *code, size_t *bytes)
{
    *bytes = vrs_text_decode(text, strnlen(text, 4), code);
    bool control = *code < 0x20 || (*code >= 0x7f && *code < 0xa0) || *code == 0xfffe ||
                   *code == 0xffff || (*code >= 0x202a && *code <= 0x202e) ||
                   (*code >= 0x2066 && *code <= 0x2069); /* those that turn the direction */
    return *bytes > 0 && !control;
}

static void add_escaped(vrs_buffer *buffer, const char *text, const char *(*escape)(uint32_t))
{
    while (*text != 0) {
        uint32_t code = 0;
        size_t bytes = 0;
        const char *escaped = is_shown(text, &code, &bytes) ? escape(code) : REPLACEMENT;
        if (escaped != NULL)
            vrs_buffer_add(buffer, escaped);
        else
            add_bytes(buffer, text, bytes);
        text += bytes > 0 ? bytes : 1;
    }
}

static const char *escape_html(uint32_t code)
{
    switch (code) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

static const char *escape_json(uint32_t code)
{
    return code == '"' ? "\\\"" : code == '\\' ? "\\\\" : NULL;
}

void vrs_buffer_html(vrs_buffer *buffer, const char *text)
{
    add_escaped(buffer, text, escape_html);
}

void vrs_buffer_json(vrs_buffer *buffer, const char *text)
{
    vrs_buffer_add(buffer, "\"");
    add_escaped(buffer, text, escape_json);
    vrs_buffer_add(buffer, "\"");
}

size_t vrs_buffer_copy(const vrs_buffer *buffer, char *text, size_t size)
{
    size_t length = buffer->length;
    if (size == 0)
        return buffer->length;
    if (length >= size) {
        length = size - 1;
        while (length > 0 && buffer->text[length - 1] != '\n')
            length--;
    }
    if (length > 0)
        memcpy(text, buffer->text, length);
    text[length] = 0;
    return buffer->length;
}
