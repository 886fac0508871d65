/* Constants of an ONNX file, in any of the ways in which it can hold them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "base/file.h"
#include "graph/onnx_reader.h"
#include "kernels/half.h"

/* Numbers of onnx.proto's TensorProto.DataType. */
enum {
    ONNX_FLOAT = 1,
    ONNX_UINT8 = 2,
    ONNX_INT8 = 3,
    ONNX_INT32 = 6,
    ONNX_INT64 = 7,
    ONNX_BOOL = 9,
    ONNX_FLOAT16 = 10,
    ONNX_DOUBLE = 11,
    ONNX_BFLOAT16 = 16
};

#define TWO_GB ((uint64_t)1 << 31)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ONNX's bytes are taken as they are");

vrs_dtype vrs_onnx_dtype(int64_t type)
{
    switch (type) {
    case ONNX_FLOAT:
    case ONNX_FLOAT16:
    case ONNX_DOUBLE:
    case ONNX_BFLOAT16:
        return VRS_DTYPE_F32;
    case ONNX_UINT8:
        return VRS_DTYPE_U8;
    case ONNX_INT8:
        return VRS_DTYPE_I8;
    case ONNX_INT32:
        return VRS_DTYPE_I32;
    case ONNX_INT64:
        return VRS_DTYPE_I64;
    case ONNX_BOOL:
        return VRS_DTYPE_BOOL;
    default:
        return VRS_DTYPE_COUNT;
    }
}

static size_t stored_bytes(int32_t type)
{
    return type == ONNX_DOUBLE                             ? 8
           : type == ONNX_FLOAT16 || type == ONNX_BFLOAT16 ? 2
                                                           : vrs_dtype_bytes(vrs_onnx_dtype(type));
}

static float from_bfloat(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Turns the file's elements into ours. */
static void convert(int32_t type, const uint8_t *from, void *to, size_t count)
{
    float *floats = to;
    for (size_t i = 0; i < count && type == ONNX_FLOAT16; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, sizeof(half));
        floats[i] = vrs_half_to_float(half);
    }
    for (size_t i = 0; i < count && type == ONNX_BFLOAT16; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, sizeof(half));
        floats[i] = from_bfloat(half);
    }
    for (size_t i = 0; i < count && type == ONNX_DOUBLE; i++) {
        double value;
        memcpy(&value, from + 8 * i, sizeof(value));
        floats[i] = (float)value;
    }
    for (size_t i = 0; i < count && type == ONNX_BOOL; i++)
        ((uint8_t *)to)[i] = from[i] != 0;
    if (type != ONNX_FLOAT16 && type != ONNX_BFLOAT16 && type != ONNX_DOUBLE && type != ONNX_BOOL)
        memcpy(to, from, count * stored_bytes(type));
}

/* How many elements are held as numbers. */
static size_t count_numbers(const Onnx__TensorProto *tensor)
{
    switch (tensor->data_type) {
    case ONNX_FLOAT:
        return tensor->n_float_data;
    case ONNX_INT64:
        return tensor->n_int64_data;
    case ONNX_DOUBLE:
        return tensor->n_double_data;
    default:
        return tensor->n_int32_data;
    }
}

/* Takes over `count` elements that are held as numbers. */
static void convert_numbers(const Onnx__TensorProto *tensor, void *to, size_t count)
{
    if (tensor->data_type == ONNX_FLOAT) {
        memcpy(to, tensor->float_data, count * sizeof(float));
        return;
    }
    if (tensor->data_type == ONNX_INT64) {
        memcpy(to, tensor->int64_data, count * sizeof(int64_t));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (tensor->data_type == ONNX_DOUBLE) {
            ((float *)to)[i] = (float)tensor->double_data[i];
            continue;
        }
        int32_t number = tensor->int32_data[i];
        if (tensor->data_type == ONNX_INT32) {
            ((int32_t *)to)[i] = number;
        } else if (tensor->data_type == ONNX_FLOAT16) {
            ((float *)to)[i] = vrs_half_to_float((uint16_t)number);
        } else if (tensor->data_type == ONNX_BFLOAT16) {
            ((float *)to)[i] = from_bfloat((uint16_t)number);
        } else {
            ((uint8_t *)to)[i] =
                tensor->data_type == ONNX_BOOL ? number != 0 : (uint8_t)(number & 0xff);
        }
    }
}

/* Where an external tensor lies. */
typedef struct place {
    const char *location;
    uint64_t offset, length;
    bool has_length;
} place;

static vrs_status read_place(const Onnx__TensorProto *tensor, const char *file, const char *name,
                             place *where)
{
    for (size_t i = 0; i < tensor->n_external_data; i++) {
        const char *key = vrs_onnx_text(tensor->external_data[i]->key);
        const char *value = vrs_onnx_text(tensor->external_data[i]->value);
        bool length = strcmp(key, "length") == 0;
        if (strcmp(key, "location") == 0) {
            where->location = value;
        } else if (length || strcmp(key, "offset") == 0) {
            char *end = NULL;
            errno = 0;
            uint64_t number = strtoull(value, &end, 10);
            if (errno != 0 || end == value || *end != '\0' || value[0] == '-') {
                return vrs_fail(VRS_FORMAT,
                                "%s: constant \"%.100s\" has the %s \"%.40s\" in an "
                                "external file, which is no number of bytes",
                                file, name, key, value);
            }
            *(length ? &where->length : &where->offset) = number;
            where->has_length = where->has_length || length;
        }
    }
    const char *location = where->location;
    if (!location || location[0] == '\0' || location[0] == '/' || strstr(location, "..")) {
        return vrs_fail(VRS_FORMAT,
                        "%s: constant \"%.100s\" lies in the external file \"%.100s\", which is "
                        "not a name below the model's own folder",
                        file, name, vrs_onnx_text(location));
    }
    return VRS_OK;
}

static vrs_status read_part(const char *path, const char *name, const place *where, uint64_t bytes,
                            uint8_t **data)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return vrs_fail(vrs_errno_status(errno),
                        "%s: the weights of \"%.100s\" are in this file, which cannot be found "
                        "(%s): bring it into the model's folder",
                        path, name, vrs_errno_text(errno));
    }
    uint64_t size = S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
    if (where->offset > size || bytes > size - where->offset) {
        return vrs_fail(VRS_FORMAT,
                        "%s: is cut short: it has %" PRIu64 " bytes, and the weights of \"%.100s\" "
                        "are %" PRIu64 " bytes at byte %" PRIu64,
                        path, size, name, bytes, where->offset);
    }
    *data = vrs_alloc(bytes);
    FILE *file = *data && vrs_inject("fopen") ? fopen(path, "rb") : NULL;
    bool read = file && fseeko(file, (off_t)where->offset, SEEK_SET) == 0 &&
                fread(*data, 1, bytes, file) == bytes;
    vrs_status status = VRS_OK;
    if (!*data) {
        status = VRS_NO_MEMORY;
    } else if (!read) {
        status = vrs_fail(VRS_IO, "%s: the weights of \"%.100s\" cannot be read (%s)", path, name,
                          vrs_errno_text(errno));
    }
    if (file)
        fclose(file);
    return status;
}

/* Reads an external tensor's bytes, owned. */
static vrs_status read_external(const vrs_reader *reader, const Onnx__TensorProto *tensor,
                                const char *name, uint64_t bytes, uint8_t **data)
{
    const char *model = reader->graph->name;
    place where = {0};
    vrs_status status = read_place(tensor, model, name, &where);
    char path[VRS_PATH_MAX];
    if (status == VRS_OK && !reader->folder) {
        status = vrs_fail(VRS_UNSUPPORTED,
                          "%s: constant \"%.100s\" lies in the external file "
                          "\"%.100s\", and there is no folder to look for it",
                          model, name, where.location);
    }
    if (status == VRS_OK && where.has_length && where.length != bytes) {
        status = vrs_fail(VRS_FORMAT,
                          "%s: constant \"%.100s\" has %" PRIu64 " bytes by its dims and %" PRIu64
                          " in the external file \"%.100s\"",
                          model, name, bytes, where.length, where.location);
    }
    if (status == VRS_OK)
        status = vrs_path_format(path, sizeof(path), "%s/%s", reader->folder, where.location);
    return status == VRS_OK ? read_part(path, name, &where, bytes, data) : status;
}

/* Checks type and dims; counts the elements, 0 where an axis is of 0. */
static vrs_status check_header(const vrs_reader *reader, const Onnx__TensorProto *tensor,
                               const char *name, size_t *count)
{
    const char *file = reader->graph->name;
    if (vrs_onnx_dtype(tensor->data_type) == VRS_DTYPE_COUNT) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: constant \"%.100s\" is of ONNX's type number %d, which is not "
                        "supported; floats, bytes, 32-bit and 64-bit integers and booleans are",
                        file, name, tensor->data_type);
    }
    if (tensor->n_dims > VRS_GRAPH_MAX_RANK) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: constant \"%.100s\" has %zu axes, and at most %d are "
                        "supported",
                        file, name, tensor->n_dims, VRS_GRAPH_MAX_RANK);
    }
    uint64_t elements = 1;
    bool empty = false;
    for (size_t i = 0; i < tensor->n_dims; i++) {
        if (tensor->dims[i] < 0) {
            return vrs_fail(VRS_FORMAT,
                            "%s: constant \"%.100s\" has a size of %" PRId64 " along axis %zu",
                            file, name, tensor->dims[i], i);
        }
        empty = empty || tensor->dims[i] == 0;
        if (!empty && (uint64_t)tensor->dims[i] > TWO_GB / elements) {
            elements = TWO_GB;
            break;
        }
        elements *= empty ? 1 : (uint64_t)tensor->dims[i];
    }
    if (!empty && elements >= TWO_GB / stored_bytes(tensor->data_type)) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: constant \"%.100s\" has 2 GB or more, which is not supported", file,
                        name);
    }
    *count = empty ? 0 : (size_t)elements;
    return VRS_OK;
}

/* Takes the memory of a constant; called when as many bytes are known to be there. */
static vrs_status take_room(vrs_value *value)
{
    value->data = vrs_alloc_aligned(vrs_value_bytes(value));
    return value->data ? VRS_OK : VRS_NO_MEMORY;
}

static vrs_status fill_external(const vrs_reader *reader, const Onnx__TensorProto *tensor,
                                size_t count, vrs_value *value)
{
    uint8_t *data = NULL;
    vrs_status status =
        read_external(reader, tensor, value->name, count * stored_bytes(tensor->data_type), &data);
    if (status == VRS_OK)
        status = take_room(value);
    if (status == VRS_OK)
        convert(tensor->data_type, data, value->data, count);
    vrs_free(data);
    return status;
}

/* Fills `value`, whose shape is set, with `count` elements. */
static vrs_status fill(const vrs_reader *reader, const Onnx__TensorProto *tensor, size_t count,
                       vrs_value *value)
{
    if (tensor->has_data_location &&
        tensor->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return fill_external(reader, tensor, count, value);
    size_t wanted = tensor->has_raw_data ? count * stored_bytes(tensor->data_type) : count;
    size_t there = tensor->has_raw_data ? tensor->raw_data.len : count_numbers(tensor);
    if (there != wanted) {
        return vrs_fail(VRS_FORMAT,
                        "%s: constant \"%.100s\" has %zu %s by its dims, and %zu are there",
                        reader->graph->name, value->name, wanted,
                        tensor->has_raw_data ? "bytes" : "elements", there);
    }
    vrs_status status = take_room(value);
    if (status == VRS_OK && tensor->has_raw_data)
        convert(tensor->data_type, tensor->raw_data.data, value->data, count);
    else if (status == VRS_OK)
        convert_numbers(tensor, value->data, count);
    return status;
}

vrs_status vrs_onnx_tensor(vrs_reader *reader, const Onnx__TensorProto *tensor, const char *name,
                           int32_t *index)
{
    *index = VRS_NO_VALUE;
    size_t count = 0;
    vrs_status status = check_header(reader, tensor, name, &count);
    if (status != VRS_OK || count == 0)
        return status;
    int32_t made = VRS_NO_VALUE;
    status = vrs_graph_add_value(reader->graph, name, &made);
    if (status != VRS_OK)
        return status;
    vrs_value *value = &reader->graph->values[made];
    status = vrs_value_shape(value, vrs_onnx_dtype(tensor->data_type), (int32_t)tensor->n_dims,
                             tensor->dims);
    if (status != VRS_OK)
        return vrs_fail_in(status, reader->graph->name);
    *index = made;
    return fill(reader, tensor, count, value);
}
