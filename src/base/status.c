/* Statuses and the detail sentence of each thread. */
#include "vrseg/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static _Thread_local char detail_text[VRS_DETAIL_SIZE];

const char *vrs_status_name(vrs_status status)
{
    switch (status) {
#define STATUS_NAME(number, name, sentence) \
    case VRS_##name:                        \
        return "VRS_" #name;
        VRS_STATUS_MAP(STATUS_NAME)
#undef STATUS_NAME
    default:
        return "unknown status";
    }
}

const char *vrs_status_text(vrs_status status)
{
    switch (status) {
#define STATUS_TEXT(number, name, sentence) \
    case VRS_##name:                        \
        return sentence;
        VRS_STATUS_MAP(STATUS_TEXT)
#undef STATUS_TEXT
    default:
        return "unknown status";
    }
}

const char *vrs_last_error(void)
{
    return detail_text;
}

/* Arguments may point into the old detail ("%s: %s", path, vrs_last_error()), so the new one is
 * made beside it. */
vrs_status vrs_fail(vrs_status status, const char *format, ...)
{
    int saved = errno;
    char text[VRS_DETAIL_SIZE];
    va_list args;
    va_start(args, format);
    vrs_text_vformat(text, sizeof(text), format, args);
    va_end(args);
    memcpy(detail_text, text, sizeof(text));
    errno = saved;
    return status;
}

vrs_status vrs_fail_in(vrs_status status, const char *prefix)
{
    return vrs_fail(status, "%s: %s", prefix, vrs_last_error());
}
