#include "model/onnx_outline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/errno_text.h"

/* Fields of ModelProto by their numbers in onnx.proto (the two versions are numbers, all others
 * bytes), and the wire types of Protocol Buffers that they use. */
enum {
    FIELD_IR_VERSION = 1,
    FIELD_MODEL_VERSION = 5,
    FIELD_GRAPH = 7,
    FIELD_OPERATOR_SET = 8,
    FIELD_LIMIT = 64
};
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

/* Of GraphProto and NodeProto. */
enum { GRAPH_NODE = 1, NODE_OPERATOR = 4 };

/* Most fields that an outermost message may have; ModelProto has a dozen kinds, most once. */
#define MAX_FIELDS 100000

typedef struct walk {
    const char *path;
    FILE *file;
    uint64_t size;
    bool has_graph, has_operator_set;
    uint64_t graph_begin, graph_end; /* of the graph's contents */
} walk;

static uint64_t place(const walk *w)
{
    return (uint64_t)ftello(w->file);
}

static vrs_status fail_cut(const walk *w, uint64_t end)
{
    return vrs_fail(VRS_FORMAT,
                    "%s: is cut short: it has %" PRIu64 " bytes and its contents go on to byte "
                    "%" PRIu64 "; bring the whole file",
                    w->path, w->size, end);
}

static vrs_status fail_other(const walk *w)
{
    return vrs_fail(VRS_FORMAT, "%s: is not an ONNX file (at byte %" PRIu64 ")", w->path, place(w));
}

/* A number of 7 bits a byte, lowest first. */
static vrs_status read_varint(const walk *w, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        int c = getc(w->file);
        if (c == EOF && ferror(w->file))
            return vrs_fail(VRS_IO, "%s: cannot be read (%s)", w->path, vrs_errno_text(errno));
        if (c == EOF)
            return fail_cut(w, w->size + 1);
        *value |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            return VRS_OK;
    }
    return fail_other(w);
}

static vrs_status skip(const walk *w, uint64_t length)
{
    uint64_t here = place(w);
    if (length > UINT64_MAX / 2 || here + length > w->size)
        return fail_cut(w, length > UINT64_MAX / 2 ? length : here + length);
    if (fseeko(w->file, (off_t)length, SEEK_CUR) != 0)
        return vrs_fail(VRS_IO, "%s: cannot be read (%s)", w->path, vrs_errno_text(errno));
    return VRS_OK;
}

static vrs_status walk_field(walk *w)
{
    uint64_t key, length = 0;
    vrs_status status = read_varint(w, &key);
    if (status != VRS_OK)
        return status;
    uint64_t field = key >> 3;
    bool number = field == FIELD_IR_VERSION || field == FIELD_MODEL_VERSION;
    if (field == 0 || field > FIELD_LIMIT || (key & 7) != (number ? WIRE_VARINT : WIRE_BYTES))
        return fail_other(w);
    status = read_varint(w, &length);
    if (field == FIELD_GRAPH) {
        w->has_graph = true;
        w->graph_begin = place(w);
        w->graph_end = w->graph_begin + length;
    }
    w->has_operator_set = w->has_operator_set || field == FIELD_OPERATOR_SET;
    return status == VRS_OK && !number ? skip(w, length) : status;
}

/* A file may be cut between two fields, too: those that every ONNX file has must be there. */
static vrs_status walk_file(walk *w)
{
    for (int fields = 0; place(w) < w->size; fields++) {
        vrs_status status = fields < MAX_FIELDS ? walk_field(w) : fail_other(w);
        if (status != VRS_OK)
            return status;
    }
    if (!w->has_graph || !w->has_operator_set) {
        return vrs_fail(VRS_FORMAT, "%s: is not an ONNX file, or is cut short: it holds no %s",
                        w->path, w->has_graph ? "operator set" : "graph");
    }
    return VRS_OK;
}

/* --- looking for operators --- */

/* A field of a message that ends at byte `end`: its number, and the byte behind it. Its contents
 * are next in the file. */
static vrs_status open_field(const walk *w, uint64_t end, uint64_t *field, uint64_t *field_end)
{
    uint64_t key = 0, length = 0;
    vrs_status status = read_varint(w, &key);
    if (status == VRS_OK)
        status = read_varint(w, &length);
    uint64_t here = place(w);
    if (status == VRS_OK && ((key & 7) != WIRE_BYTES || here > end || length > end - here))
        return fail_other(w);
    *field = key >> 3;
    *field_end = here + length;
    return status;
}

/* Compares the `length` bytes that are next with the operator's name. */
static vrs_status read_operator(const walk *w, uint64_t length, bool *quantised)
{
    static const char name[] = "QuantizeLinear";
    char text[sizeof name];
    if (length != sizeof name - 1)
        return VRS_OK; /* another one; the caller skips it */
    if (fread(text, 1, sizeof name - 1, w->file) != sizeof name - 1)
        return vrs_fail(VRS_IO, "%s: cannot be read (%s)", w->path, vrs_errno_text(errno));
    *quantised = *quantised || memcmp(text, name, sizeof name - 1) == 0;
    return VRS_OK;
}

static vrs_status seek(const walk *w, uint64_t to)
{
    if (fseeko(w->file, (off_t)to, SEEK_SET) != 0)
        return vrs_fail(VRS_IO, "%s: cannot be read (%s)", w->path, vrs_errno_text(errno));
    return VRS_OK;
}

static vrs_status read_node(const walk *w, uint64_t end, bool *quantised)
{
    vrs_status status = VRS_OK;
    while (status == VRS_OK && place(w) < end) {
        uint64_t field = 0, field_end = 0;
        status = open_field(w, end, &field, &field_end);
        if (status == VRS_OK && field == NODE_OPERATOR)
            status = read_operator(w, field_end - place(w), quantised);
        if (status == VRS_OK)
            status = seek(w, field_end);
    }
    return status;
}

static vrs_status read_graph(const walk *w, bool *quantised)
{
    vrs_status status = seek(w, w->graph_begin);
    while (status == VRS_OK && !*quantised && place(w) < w->graph_end) {
        uint64_t field = 0, field_end = 0;
        status = open_field(w, w->graph_end, &field, &field_end);
        if (status == VRS_OK && field == GRAPH_NODE)
            status = read_node(w, field_end, quantised);
        if (status == VRS_OK)
            status = seek(w, field_end);
    }
    return status;
}

/* Opens the file and walks it; with `quantised`, the nodes of its graph, too. */
static vrs_status read_file(const char *path, bool *quantised)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be found (%s)", path,
                        vrs_errno_text(errno));
    }
    if (!S_ISREG(info.st_mode))
        return vrs_fail(VRS_FORMAT, "%s: is not an ONNX file but a folder or a device", path);
    walk w = {.path = path, .file = fopen(path, "rb"), .size = (uint64_t)info.st_size};
    if (!w.file) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be opened (%s)", path,
                        vrs_errno_text(errno));
    }
    vrs_status status = walk_file(&w);
    if (status == VRS_OK && quantised)
        status = read_graph(&w, quantised);
    fclose(w.file);
    return status;
}

vrs_status vrs_onnx_outline_check(const char *path)
{
    return read_file(path, NULL);
}

vrs_status vrs_onnx_find_quantised(const char *path, bool *quantised)
{
    *quantised = false;
    return read_file(path, quantised);
}
