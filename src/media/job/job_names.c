/* The outputs of each input, by patterns; and that no two are one file. */
#define _XOPEN_SOURCE 700 /* realpath() */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "media/job/job_internal.h"

_Static_assert(VRS_PATH_MAX >= PATH_MAX, "realpath() writes PATH_MAX bytes");

typedef enum word { WORD_NAME, WORD_EXT, WORD_FOLDER, WORD_NUMBER, WORD_NONE } word;

static const char *const words[WORD_NONE] = {"name", "ext", "folder", "number"};

/* ---- patterns ------------------------------------------------------------------------------- */

/* The word in braces at the start of `text`, WORD_NONE if it is none. */
static word find_word(const char *text)
{
    for (int i = 0; i < WORD_NONE; i++) {
        size_t length = strlen(words[i]);
        if (strncmp(text + 1, words[i], length) == 0 && text[length + 1] == '}')
            return (word)i;
    }
    return WORD_NONE;
}

vrs_status vrs_job_check_pattern(const char *pattern)
{
    for (const char *c = pattern; *c != 0; c++) {
        if (*c != '{' && *c != '}')
            continue;
        if (c[1] == *c) {
            c++;
            continue;
        }
        word found = *c == '{' ? find_word(c) : WORD_NONE;
        if (found == WORD_NONE)
            return vrs_fail(VRS_INVALID,
                            "%s: \"%.*s\" is none of {name}, {ext}, {folder} and {number}; a brace "
                            "itself is {{ or }}",
                            pattern, (int)(strcspn(c, "}") + 1), c);
        c += strlen(words[found]) + 1;
    }
    return VRS_OK;
}

static bool has_word(const char *pattern)
{
    for (const char *c = pattern; *c != 0; c++) {
        if (*c == '{' && c[1] != '{')
            return true;
        c += *c == '{' ? 1 : 0;
    }
    return false;
}

/* The last component of the first `length` bytes of a path, slashes at its end left out. */
static const char *component(const char *path, size_t *length)
{
    size_t end = *length;
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    *length = end - start;
    return path + start;
}

/* Where the extension of a name begins, its dot; a name that begins with a dot has none there. */
static size_t before_extension(const char *name, size_t length)
{
    for (size_t i = length; i > 1; i--)
        if (name[i - 1] == '.')
            return i - 1;
    return length;
}

static int digits_of(int32_t number)
{
    int digits = 1;
    for (; number >= 10; number /= 10)
        digits++;
    return digits;
}

static bool ends_in_dots(const char *name, size_t length)
{
    return length <= 2 && strncmp(name, "..", length) == 0;
}

/* What a word stands for. */
static vrs_status word_text(const vrs_job *job, int32_t index, word what, char *text, size_t size)
{
    const char *path = job->inputs[index].path;
    char resolved[VRS_PATH_MAX];
    size_t length = strlen(path);
    const char *name = component(path, &length);
    if (length > 0 && ends_in_dots(name, length) && realpath(path, resolved) != NULL) {
        path = resolved; /* "." is a folder with a name */
        length = strlen(path);
        name = component(path, &length);
    }
    size_t stem = before_extension(name, length);
    if (what == WORD_NUMBER)
        return vrs_path_format(text, size, "%0*d", digits_of(job->input_count), (int)index + 1);
    if (strcmp(path, "-") == 0 || length == 0)
        return vrs_path_format(text, size, "%s", what == WORD_EXT ? "" : "stdin");
    if (what == WORD_NAME)
        return vrs_path_format(text, size, "%.*s", (int)stem, name);
    if (what == WORD_EXT)
        return vrs_path_format(text, size, "%.*s", (int)(length > stem ? length - stem - 1 : 0),
                               name + stem + (length > stem ? 1 : 0));
    char whole[VRS_PATH_MAX]; /* "clip.mp4" lies in the folder that one works in */
    const char *real = realpath(path, whole) != NULL ? whole : path;
    length = strlen(real);
    size_t above = (size_t)(component(real, &length) - real);
    name = component(real, &above);
    return vrs_path_format(text, size, "%.*s", (int)above, name);
}

static vrs_status append(char *text, size_t *used, const char *more, size_t length)
{
    if (length >= VRS_PATH_MAX - *used)
        return vrs_fail(VRS_INVALID, "the name of an output is longer than %d bytes: %.200s",
                        VRS_PATH_MAX - 1, text);
    memcpy(text + *used, more, length);
    *used += length;
    text[*used] = 0;
    return VRS_OK;
}

static vrs_status expand(const vrs_job *job, int32_t index, const char *pattern, char *text)
{
    size_t used = 0;
    vrs_status status = VRS_OK;
    text[0] = 0;
    for (const char *c = pattern; *c != 0 && status == VRS_OK; c++) {
        if (*c == '{' && c[1] != '{') {
            char more[VRS_PATH_MAX];
            word what = find_word(c); /* the pattern is checked */
            status = word_text(job, index, what, more, sizeof(more));
            if (status == VRS_OK)
                status = append(text, &used, more, strlen(more));
            c += strlen(words[what]) + 1;
            continue;
        }
        status = append(text, &used, c, 1);
        c += *c == '{' || *c == '}' ? 1 : 0;
    }
    return status;
}

static vrs_status name_output(vrs_job *job, int32_t index, int32_t output)
{
    const char *pattern = job->patterns[output].path;
    size_t length = strlen(pattern);
    char whole[VRS_PATH_MAX], text[VRS_PATH_MAX];
    bool folder = length > 0 && pattern[length - 1] == '/';
    bool same = job->input_count > 1 && !has_word(pattern) && strcmp(pattern, "null") != 0;
    vrs_status status =
        vrs_path_format(whole, sizeof(whole), "%s%s", pattern, same && folder ? "{name}/" : "");
    if (status == VRS_OK && same && !folder) {
        char extension[32];
        (void)vrs_path_extension(pattern, extension, sizeof(extension));
        return vrs_fail(VRS_INVALID,
                        "%s: %d inputs cannot go to one output: put {name} into it, as in "
                        "out/{name}.%s, or name a folder/",
                        pattern, job->input_count, extension[0] != 0 ? extension : "mp4");
    }
    if (status == VRS_OK)
        status = expand(job, index, whole, text);
    if (status != VRS_OK)
        return status;
    job->inputs[index].outputs[output] = vrs_strdup(text);
    return job->inputs[index].outputs[output] != NULL ? VRS_OK : VRS_NO_MEMORY;
}

/* ---- one file twice ------------------------------------------------------------------------- */

/* A file by the name that it has however it is named. */
typedef struct real_name {
    char *path;
    const char *given, *input;
    bool is_input;
} real_name;

/* Links followed; of what is not there yet the folder's. What lies in no folder is left as it is:
 * opening it says so. */
static vrs_status find_real(const char *path, char *real)
{
    if (realpath(path, real) != NULL)
        return VRS_OK;
    size_t length = strlen(path);
    const char *name = component(path, &length);
    size_t above = (size_t)(name - path);
    char folder[VRS_PATH_MAX], whole[VRS_PATH_MAX];
    vrs_status status = vrs_path_format(folder, sizeof(folder), "%.*s", above > 0 ? (int)above : 1,
                                        above > 0 ? path : ".");
    if (status != VRS_OK)
        return status;
    const char *known = realpath(folder, whole) != NULL ? whole : folder;
    size_t end = strlen(known);
    bool slash = end > 0 && known[end - 1] == '/';
    return vrs_path_format(real, VRS_PATH_MAX, "%s%s%.*s", known, slash ? "" : "/", (int)length,
                           name);
}

static bool is_file(const char *path)
{
    return strcmp(path, "-") != 0 && strcmp(path, "null") != 0;
}

static vrs_status add_real(real_name *names, size_t *count, const char *path, const char *input)
{
    char real[VRS_PATH_MAX];
    if (!is_file(path))
        return VRS_OK;
    vrs_status status = find_real(path, real);
    if (status != VRS_OK)
        return status;
    real_name *name = &names[*count];
    *name = (real_name){vrs_strdup(real), path, input, path == input};
    if (name->path == NULL)
        return VRS_NO_MEMORY;
    (*count)++;
    return VRS_OK;
}

/* Inputs first among equals. */
static int compare(const void *a, const void *b)
{
    const real_name *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order != 0 ? order : (int)y->is_input - (int)x->is_input;
}

static vrs_status refuse(const real_name *a, const real_name *b)
{
    if (a->is_input)
        return vrs_fail(VRS_INVALID,
                        "%s: is an input itself (%s), and an output of %s; choose another output",
                        b->given, a->given, b->input);
    if (strcmp(a->input, b->input) == 0 && a->given != b->given && strcmp(a->given, b->given) != 0)
        return vrs_fail(VRS_INVALID, "%s and %s of the input %s are one file", a->given, b->given,
                        a->input);
    return vrs_fail(VRS_INVALID,
                    "%s: %s and %s are both to be written there; tell them apart by {folder} or "
                    "{number}",
                    a->given, a->input, b->input);
}

static vrs_status find_double(real_name *names, size_t count)
{
    qsort(names, count, sizeof(*names), compare);
    for (size_t i = 1; i < count; i++) {
        const real_name *before = &names[i - 1];
        bool same = strcmp(before->path, names[i].path) == 0;
        if (same && !names[i].is_input) /* an input twice shows by its outputs */
            return refuse(before, &names[i]);
    }
    return VRS_OK;
}

static vrs_status refuse_doubles(vrs_job *job)
{
    size_t room = (size_t)job->input_count * (size_t)(job->pattern_count + 1), count = 0;
    real_name *names = vrs_alloc_array(room, sizeof(*names));
    if (names == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < job->input_count && status == VRS_OK; i++) {
        const vrs_job_input *input = &job->inputs[i];
        status = add_real(names, &count, input->path, input->path);
        for (int32_t k = 0; k < job->pattern_count && status == VRS_OK; k++)
            status = add_real(names, &count, input->outputs[k], input->path);
    }
    if (status == VRS_OK)
        status = find_double(names, count);
    for (size_t i = 0; i < count; i++)
        vrs_free(names[i].path);
    vrs_free(names);
    return status;
}

vrs_status vrs_job_name_outputs(vrs_job *job)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < job->input_count; i++)
        for (int32_t k = 0; k < job->pattern_count && status == VRS_OK; k++)
            status = name_output(job, i, k);
    return status == VRS_OK ? refuse_doubles(job) : status;
}
