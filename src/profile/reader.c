#include "profile/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yajl/yajl_tree.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "base/parse.h"
#include "vrseg/profile.h"
#include "vrseg/system.h"

/* Longer than any line that is written. */
#define LINE_MAX_BYTES 32768
#define TIME_LIMIT INT64_C(1000000000000000000)

typedef struct reader {
    const char *path;
    uint64_t line;
    vrs_event_fn visit;
    void *opaque;
    bool ended;
} reader;

static vrs_status damaged(const reader *r, const char *what)
{
    return vrs_fail(VRS_CORRUPT, "%s: line %llu of the trace is damaged: %s", r->path,
                    (unsigned long long)r->line, what);
}

/* The array under the only member of `line`, if it has `least` elements. */
static yajl_val array_of(yajl_val line, size_t least)
{
    yajl_val value = line->u.object.values[0];
    return YAJL_IS_ARRAY(value) && value->u.array.len >= least ? value : NULL;
}

static yajl_val element(yajl_val array, size_t index)
{
    return array->u.array.values[index];
}

static bool read_text(yajl_val value, const char **text)
{
    *text = YAJL_GET_STRING(value);
    return *text != NULL;
}

static bool read_integer(yajl_val value, int64_t least, int64_t most, int64_t *integer)
{
    if (!YAJL_IS_INTEGER(value))
        return false;
    *integer = YAJL_GET_INTEGER(value);
    return *integer >= least && *integer <= most;
}

static bool read_count(yajl_val value, uint64_t *count)
{
    int64_t integer = 0;
    bool good = read_integer(value, 0, INT64_MAX, &integer);
    *count = good ? (uint64_t)integer : 0;
    return good;
}

static bool read_track(yajl_val value, uint32_t *track)
{
    int64_t integer = 0;
    bool good = read_integer(value, 1, 1 << 20, &integer);
    *track = good ? (uint32_t)integer : 0;
    return good;
}

static bool read_number(yajl_val value, double *number)
{
    /* Its text, as the parser's own reading follows the locale. */
    return YAJL_IS_NUMBER(value) && vrs_parse_float(YAJL_GET_NUMBER(value), number);
}

/* ---- a line of each kind; NULL: read, else what is wrong ---- */

typedef const char *(*line_fn)(reader *r, yajl_val line, vrs_status *status);

static const char *read_note(reader *r, yajl_val line, vrs_status *status)
{
    vrs_event event = {.type = VRS_EVENT_NOTE};
    yajl_val a = array_of(line, 2);
    if (a == NULL || !read_text(element(a, 0), &event.name) ||
        !read_text(element(a, 1), &event.text))
        return "a note is a name and a text";
    *status = r->visit(r->opaque, &event);
    return NULL;
}

static const char *read_track_line(reader *r, yajl_val line, vrs_status *status)
{
    vrs_event event = {.type = VRS_EVENT_TRACK};
    const char *place;
    yajl_val a = array_of(line, 3);
    if (a == NULL || !read_track(element(a, 0), &event.track) ||
        !read_text(element(a, 1), &event.name) || !read_text(element(a, 2), &place))
        return "a track is a number, a name and a place";
    event.gpu = strcmp(place, "gpu") == 0;
    *status = r->visit(r->opaque, &event);
    return NULL;
}

static const char *read_span(reader *r, yajl_val line, vrs_status *status)
{
    vrs_event event = {.type = VRS_EVENT_SPAN};
    yajl_val a = array_of(line, 5);
    if (a == NULL || !read_track(element(a, 0), &event.track) ||
        !read_text(element(a, 1), &event.name) ||
        !read_integer(element(a, 2), -1, INT64_MAX, &event.frame) ||
        !read_integer(element(a, 3), -TIME_LIMIT, TIME_LIMIT, &event.time_ns) ||
        !read_integer(element(a, 4), 0, TIME_LIMIT, &event.length_ns))
        return "a span is a track, a kind, a frame, a begin and a length";
    *status = r->visit(r->opaque, &event);
    return NULL;
}

static const char *read_sample(reader *r, yajl_val line, vrs_status *status)
{
    static const char wrong[] = "a sample is a time and an object of numbers";
    vrs_event event = {.type = VRS_EVENT_VALUE};
    yajl_val a = array_of(line, 2);
    if (a == NULL || !read_integer(element(a, 0), -TIME_LIMIT, TIME_LIMIT, &event.time_ns) ||
        !YAJL_IS_OBJECT(element(a, 1)))
        return wrong;
    yajl_val values = element(a, 1);
    for (size_t i = 0; i < values->u.object.len && *status == VRS_OK; i++) {
        event.name = values->u.object.keys[i];
        if (!read_number(values->u.object.values[i], &event.numbers[0]))
            return wrong;
        *status = r->visit(r->opaque, &event);
    }
    return NULL;
}

static const char *read_lost(reader *r, yajl_val line, vrs_status *status)
{
    vrs_event event = {.type = VRS_EVENT_LOST};
    yajl_val a = array_of(line, 2);
    if (a == NULL || !read_integer(element(a, 0), -TIME_LIMIT, TIME_LIMIT, &event.time_ns) ||
        !read_count(element(a, 1), &event.counts[0]))
        return "what is lost is a time and a count";
    *status = r->visit(r->opaque, &event);
    return NULL;
}

static const char *read_exit(reader *r, yajl_val line, vrs_status *status)
{
    static const char wrong[] = "an exit is a place and a list of owners with bytes and blocks";
    vrs_event event = {.type = VRS_EVENT_EXIT};
    yajl_val a = array_of(line, 2);
    if (a == NULL || !read_text(element(a, 0), &event.name) || !YAJL_IS_ARRAY(element(a, 1)))
        return wrong;
    yajl_val list = element(a, 1);
    *status = r->visit(r->opaque, &event);
    event.type = VRS_EVENT_LEFT;
    for (size_t i = 0; i < list->u.array.len && *status == VRS_OK; i++) {
        yajl_val left = element(list, i);
        if (!YAJL_IS_ARRAY(left) || left->u.array.len < 3 ||
            !read_text(element(left, 0), &event.text) ||
            !read_count(element(left, 1), &event.counts[0]) ||
            !read_count(element(left, 2), &event.counts[1]))
            return wrong;
        *status = r->visit(r->opaque, &event);
    }
    return NULL;
}

static const char *read_node(reader *r, yajl_val line, vrs_status *status)
{
    vrs_event event = {.type = VRS_EVENT_NODE};
    int64_t batch = 0;
    yajl_val a = array_of(line, 7);
    bool good = a != NULL && read_integer(element(a, 0), 1, 1 << 20, &batch) &&
                read_text(element(a, 1), &event.name) && read_text(element(a, 2), &event.text) &&
                read_text(element(a, 3), &event.plan);
    for (size_t i = 0; i < 3 && good; i++)
        good = read_number(element(a, 4 + i), &event.numbers[i]);
    if (!good)
        return "a node is a batch size, three texts and three numbers";
    event.batch = (int32_t)batch;
    *status = r->visit(r->opaque, &event);
    return NULL;
}

/* Null is not known. */
static bool read_known(yajl_val value, double *number)
{
    *number = -1;
    return YAJL_IS_NULL(value) || (read_number(value, number) && *number >= 0);
}

static const char *read_counted(reader *r, yajl_val line, vrs_status *status)
{
    vrs_event event = {.type = VRS_EVENT_COUNTED};
    int64_t batch = 0;
    yajl_val a = array_of(line, 4);
    bool good = a != NULL && read_integer(element(a, 0), 1, 1 << 20, &batch) &&
                read_text(element(a, 1), &event.name);
    for (size_t i = 0; i < 2 && good; i++)
        good = read_known(element(a, 2 + i), &event.numbers[i]);
    if (!good)
        return "what was counted is a batch size, a text and two numbers";
    event.batch = (int32_t)batch;
    *status = r->visit(r->opaque, &event);
    return NULL;
}

static const char *read_kernel(reader *r, yajl_val line, vrs_status *status)
{
    vrs_event event = {.type = VRS_EVENT_KERNEL};
    int64_t batch = 0;
    yajl_val a = array_of(line, 7);
    bool good = a != NULL && read_integer(element(a, 0), 0, 1 << 20, &batch) &&
                read_text(element(a, 1), &event.name) && read_text(element(a, 2), &event.text) &&
                read_count(element(a, 3), &event.counts[0]);
    for (size_t i = 0; i < 3 && good; i++)
        good = read_number(element(a, 4 + i), &event.numbers[i]);
    if (!good)
        return "a kernel is a batch size, two texts, a count and three numbers";
    event.batch = (int32_t)batch;
    *status = r->visit(r->opaque, &event);
    return NULL;
}

/* The number of a kernel. */
static bool read_kernel_id(yajl_val value, uint64_t *id)
{
    return read_count(value, id) && *id >= 1 && *id <= UINT32_MAX;
}

static const char *read_kernel_name(reader *r, yajl_val line, vrs_status *status)
{
    vrs_event event = {.type = VRS_EVENT_KERNEL_ID};
    int64_t batch = 0;
    yajl_val a = array_of(line, 4);
    if (a == NULL || !read_kernel_id(element(a, 0), &event.counts[0]) ||
        !read_integer(element(a, 1), 0, 1 << 20, &batch) ||
        !read_text(element(a, 2), &event.name) || !read_text(element(a, 3), &event.text))
        return "a kernel's name is a number, a batch size and two texts";
    event.batch = (int32_t)batch;
    *status = r->visit(r->opaque, &event);
    return NULL;
}

static const char *read_kernel_run(reader *r, yajl_val line, vrs_status *status)
{
    vrs_event event = {.type = VRS_EVENT_KERNEL_RUN};
    yajl_val a = array_of(line, 4);
    if (a == NULL || !read_track(element(a, 0), &event.track) ||
        !read_kernel_id(element(a, 1), &event.counts[0]) ||
        !read_integer(element(a, 2), -TIME_LIMIT, TIME_LIMIT, &event.time_ns) ||
        !read_integer(element(a, 3), 0, TIME_LIMIT, &event.length_ns))
        return "a run of a kernel is a track, a kernel, a begin and a length";
    *status = r->visit(r->opaque, &event);
    return NULL;
}

static const char *read_end(reader *r, yajl_val line, vrs_status *status)
{
    vrs_event event = {.type = VRS_EVENT_END};
    yajl_val a = array_of(line, 3);
    if (a == NULL || !read_integer(element(a, 0), -TIME_LIMIT, TIME_LIMIT, &event.time_ns) ||
        !read_count(element(a, 1), &event.counts[0]) ||
        !read_count(element(a, 2), &event.counts[1]))
        return "the end is a time and two counts";
    r->ended = true;
    *status = r->visit(r->opaque, &event);
    return NULL;
}

/* ---- lines ---- */

static vrs_status read_first(const reader *r, yajl_val line)
{
    const char *path[] = {"vrseg_trace", NULL}, *by[] = {"vrseg", NULL};
    yajl_val version = yajl_tree_get(line, path, yajl_t_number);
    if (!YAJL_IS_INTEGER(version))
        return vrs_fail(VRS_FORMAT,
                        "%s: not a trace of vrseg: its first line has no "
                        "\"vrseg_trace\"",
                        r->path);
    const char *maker = YAJL_GET_STRING(yajl_tree_get(line, by, yajl_t_string));
    if (YAJL_GET_INTEGER(version) != VRS_TRACE_VERSION)
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: a trace of version %lld, written by vrseg %.32s; this is vrseg %s, "
                        "which reads version %d: use the one that wrote it",
                        r->path, (long long)YAJL_GET_INTEGER(version),
                        maker != NULL ? maker : "(not named)", VRS_VERSION_TEXT, VRS_TRACE_VERSION);
    return VRS_OK;
}

static vrs_status read_other(reader *r, yajl_val line)
{
    static const struct {
        const char *key;
        line_fn read;
    } kinds[] = {{"span", read_span},
                 {"sample", read_sample},
                 {"note", read_note},
                 {"track", read_track_line},
                 {"lost", read_lost},
                 {"exit", read_exit},
                 {"node", read_node},
                 {"counted", read_counted},
                 {"kernel", read_kernel},
                 {"end", read_end},
                 {"kernel_id", read_kernel_name},
                 {"kernel_run", read_kernel_run}};
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(line->u.object.keys[0], kinds[i].key) == 0) {
            const char *wrong = kinds[i].read(r, line, &status);
            return wrong == NULL ? status : damaged(r, wrong);
        }
    return VRS_OK;
}

static vrs_status read_line(reader *r, const char *text)
{
    char error[128] = "";
    yajl_val line = vrs_inject("yajl") ? yajl_tree_parse(text, error, sizeof(error)) : NULL;
    if (line == NULL && error[0] == 0)
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for line %llu", r->path,
                        (unsigned long long)r->line);
    vrs_status status;
    if (!YAJL_IS_OBJECT(line) || line->u.object.len == 0)
        status = r->line > 1 ? damaged(r, "it is no JSON object")
                             : vrs_fail(VRS_FORMAT,
                                        "%s: not a trace of vrseg: its first line is "
                                        "no JSON object",
                                        r->path);
    else
        status = r->line == 1 ? read_first(r, line) : read_other(r, line);
    yajl_tree_free(line);
    return status;
}

/* The next line without its end. VRS_END: there is none, or none that is whole. */
static vrs_status next_line(reader *r, FILE *file, char *text)
{
    errno = 0;
    if (fgets(text, LINE_MAX_BYTES, file) == NULL)
        return ferror(file) == 0 ? VRS_END
                                 : vrs_fail(vrs_errno_status(errno), "%s: cannot read it: %s",
                                            r->path, vrs_errno_text(errno));
    size_t length = strlen(text);
    r->line++;
    if (length > 0 && text[length - 1] == '\n') {
        text[length - 1] = 0;
        return VRS_OK;
    }
    if (feof(file) != 0 && r->line > 1)
        return VRS_END;
    if (r->line == 1)
        return vrs_fail(VRS_FORMAT, "%s: not a trace of vrseg: its first line is not whole",
                        r->path);
    return damaged(r, length + 1 < LINE_MAX_BYTES ? "it holds a zero byte" : "it is too long");
}

static vrs_status open_trace(const char *path, FILE **file)
{
    struct stat info;
    int handle = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (handle < 0)
        return vrs_fail(vrs_errno_status(errno), "%s: cannot open it: %s", path,
                        vrs_errno_text(errno));
    if (fstat(handle, &info) != 0 || !S_ISREG(info.st_mode)) {
        (void)close(handle);
        return vrs_fail(VRS_FORMAT, "%s: not a trace of vrseg: it is no regular file", path);
    }
    *file = vrs_inject("memory") ? fdopen(handle, "r") : NULL;
    if (*file != NULL)
        return VRS_OK;
    (void)close(handle);
    return vrs_fail(VRS_NO_MEMORY, "%s: no memory to read it", path);
}

vrs_status vrs_trace_read(const char *path, vrs_event_fn visit, void *opaque, bool *cut_short)
{
    reader r = {.path = path, .visit = visit, .opaque = opaque};
    FILE *file = NULL;
    char *text = vrs_alloc(LINE_MAX_BYTES);
    vrs_status status = text == NULL ? VRS_NO_MEMORY : open_trace(path, &file);
    while (status == VRS_OK) {
        status = next_line(&r, file, text);
        if (status == VRS_OK)
            status = read_line(&r, text);
    }
    if (status == VRS_END && r.line == 0)
        status = vrs_fail(VRS_FORMAT, "%s: not a trace of vrseg: it is empty", path);
    if (file != NULL)
        (void)fclose(file);
    vrs_free(text);
    if (cut_short != NULL)
        *cut_short = !r.ended;
    return status == VRS_END ? VRS_OK : status;
}
