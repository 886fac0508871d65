#include "base/errno_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *vrs_errno_text(int error)
{
    static _Thread_local char text[128];
    int saved = errno;
    if (strerror_r(error, text, sizeof(text)) != 0)
        snprintf(text, sizeof(text), "error %d", error);
    errno = saved;
    return text;
}

vrs_status vrs_errno_status(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
        return VRS_NOT_FOUND;
    case ENAMETOOLONG:
        return VRS_INVALID;
    case EACCES:
    case EPERM:
    case EROFS:
        return VRS_PERMISSION;
    case ENOSPC:
    case EDQUOT:
        return VRS_NO_SPACE;
    case ENOMEM:
        return VRS_NO_MEMORY;
    default:
        return VRS_IO;
    }
}
