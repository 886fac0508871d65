#include "cli/json.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

void vrs_json_key(yajl_gen gen, const char *name)
{
    (void)yajl_gen_string(gen, (const unsigned char *)name, strlen(name));
}

void vrs_json_item(yajl_gen gen, const char *value)
{
    if (yajl_gen_string(gen, (const unsigned char *)value, strlen(value)) != yajl_gen_status_ok)
        (void)yajl_gen_null(gen);
}

void vrs_json_text(yajl_gen gen, const char *name, const char *value)
{
    vrs_json_key(gen, name);
    vrs_json_item(gen, value);
}

void vrs_json_integer(yajl_gen gen, const char *name, int64_t value)
{
    vrs_json_key(gen, name);
    (void)yajl_gen_integer(gen, value);
}

void vrs_json_number(yajl_gen gen, const char *name, double value)
{
    vrs_json_key(gen, name);
    (void)yajl_gen_double(gen, value);
}

void vrs_json_reading(yajl_gen gen, const char *name, double value, int decimals)
{
    char digits[64];
    int length = snprintf(digits, sizeof(digits), "%.*f", decimals, value);
    vrs_json_key(gen, name);
    if (value < 0 || length < 0 || (size_t)length >= sizeof(digits))
        (void)yajl_gen_null(gen);
    else
        (void)yajl_gen_number(gen, digits, (size_t)length);
}

void vrs_json_line(yajl_gen gen, FILE *out)
{
    const unsigned char *json;
    size_t length;
    if (yajl_gen_get_buf(gen, &json, &length) == yajl_gen_status_ok) {
        (void)fwrite(json, 1, length, out);
        (void)fputc('\n', out);
    }
    yajl_gen_clear(gen);
    yajl_gen_reset(gen, NULL);
}

vrs_status vrs_json_write(yajl_gen gen, const char *path)
{
    const unsigned char *json;
    size_t length;
    if (yajl_gen_get_buf(gen, &json, &length) != yajl_gen_status_ok)
        return VRS_OK;
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (file == NULL)
        return vrs_fail(errno == ENOENT ? VRS_NOT_FOUND : VRS_IO, "%s: cannot be written", path);
    bool good = fwrite(json, 1, length, file) == length;
    good = (file == stdout ? fflush(file) : fclose(file)) == 0 && good;
    return good ? VRS_OK : vrs_fail(VRS_IO, "%s: cannot be written", path);
}
