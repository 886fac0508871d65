/* Paths as text, and what they name. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/errno_text.h"
#include "base/file.h"
#include "base/text.h"

vrs_status vrs_path_format(char *path, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool whole = vrs_text_vformat(path, size, format, args);
    va_end(args);
    if (!whole) {
        return vrs_fail(VRS_INVALID, "%.200s...: the path is longer than %zu bytes", path,
                        size - 1);
    }
    return VRS_OK;
}

static vrs_status make_folder(const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0) {
        return S_ISDIR(info.st_mode)
                   ? VRS_OK
                   : vrs_fail(VRS_INVALID, "%s: exists and is not a folder", path);
    }
    /* Another process may have made it since. */
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        int error = errno;
        return vrs_fail(vrs_errno_status(error), "%s: cannot create the folder: %s", path,
                        vrs_errno_text(error));
    }
    return VRS_OK;
}

vrs_status vrs_make_folders(const char *path)
{
    char part[VRS_PATH_MAX];
    vrs_status status = vrs_path_format(part, sizeof(part), "%s", path);
    if (status != VRS_OK)
        return status;
    for (char *c = part; *c != '\0'; c++) {
        if (*c == '/' && c != part) {
            *c = '\0';
            status = make_folder(part);
            *c = '/';
            if (status != VRS_OK)
                return status;
        }
    }
    return make_folder(part);
}

bool vrs_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

const char *vrs_path_base(const char *path)
{
    const char *base = path;
    for (const char *c = path; *c != '\0'; c++)
        if (*c == '/' && c[1] != '/' && c[1] != '\0')
            base = c + 1;
    return base;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

const char *vrs_path_extension(const char *path, char *buffer, size_t size)
{
    const char *base = vrs_path_base(path);
    size_t length = strcspn(base, "/");
    size_t dot = length;
    while (dot > 0 && base[dot - 1] != '.')
        dot--;
    /* `dot` is where the extension starts; a name's first character is no extension's dot. */
    size_t count = dot > 1 ? length - dot : 0;
    if (count >= size)
        count = 0;
    for (size_t i = 0; i < count; i++)
        buffer[i] = lower(base[dot + i]);
    buffer[count] = '\0';
    return buffer;
}

vrs_status vrs_program_folder(char *path, size_t size)
{
    char program[VRS_PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length < 0) {
        int error = errno;
        return vrs_fail(vrs_errno_status(error), "/proc/self/exe: cannot read the link: %s",
                        vrs_errno_text(error));
    }
    program[length] = '\0';
    size_t folder = (size_t)(vrs_path_base(program) - program);
    return vrs_path_format(path, size, "%.*s", folder > 1 ? (int)folder - 1 : (int)folder, program);
}
