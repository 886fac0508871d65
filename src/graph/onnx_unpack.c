/* From bytes to protobuf-c's structures. */
#include <inttypes.h>

#include "base/alloc.h"
#include "graph/onnx_reader.h"

/* A file of a network nests some eight messages; protobuf-c's unpacking recurses without a limit,
 * so the nesting is looked at first. The number of messages bounds what they take in memory. */
#define MAX_DEPTH 24
#define MAX_MESSAGES 4000000

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct walk {
    const uint8_t *data;
    size_t at;
    size_t messages;
    const char *name;
} walk;

static vrs_status fail_damaged(const walk *w, const char *what)
{
    return vrs_fail(VRS_FORMAT, "%s: is not an ONNX file, or is damaged: %s at byte %zu", w->name,
                    what, w->at);
}

static vrs_status read_varint(walk *w, size_t end, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && w->at < end; shift += 7) {
        uint8_t byte = w->data[w->at++];
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return VRS_OK;
    }
    return fail_damaged(w, "a number without an end");
}

/* Reads the key of a field and the bytes that it has; those of a number are passed over. */
static vrs_status read_field(walk *w, size_t end, uint64_t *field, uint64_t *length, int *wire)
{
    uint64_t key;
    vrs_status status = read_varint(w, end, &key);
    if (status != VRS_OK)
        return status;
    *field = key >> 3;
    *wire = (int)(key & 7);
    *length = *wire == WIRE_64 ? 8 : *wire == WIRE_32 ? 4 : 0;
    if (*wire == WIRE_VARINT || *wire == WIRE_BYTES) {
        uint64_t value;
        status = read_varint(w, end, &value);
        *length = *wire == WIRE_BYTES ? value : 0;
    } else if (*wire != WIRE_64 && *wire != WIRE_32) {
        return fail_damaged(w, "a field of an unknown kind");
    }
    if (status == VRS_OK && (*field == 0 || *field > UINT32_MAX || *length > end - w->at))
        return fail_damaged(w, "a field that goes on beyond the end: it is cut short");
    return status;
}

static vrs_status check_nesting(walk *w, size_t end, const ProtobufCMessageDescriptor *message,
                                int depth)
{
    if (depth > MAX_DEPTH || ++w->messages > MAX_MESSAGES) {
        return fail_damaged(w, depth > MAX_DEPTH ? "messages nested too deeply"
                                                 : "more parts than any network has");
    }
    while (w->at < end) {
        uint64_t field, length;
        int wire;
        vrs_status status = read_field(w, end, &field, &length, &wire);
        if (status != VRS_OK)
            return status;
        const ProtobufCFieldDescriptor *known =
            protobuf_c_message_descriptor_get_field(message, (unsigned)field);
        size_t next = w->at + (size_t)length;
        if (known && known->type == PROTOBUF_C_TYPE_MESSAGE && wire == WIRE_BYTES)
            status = check_nesting(w, next, known->descriptor, depth + 1);
        if (status != VRS_OK)
            return status;
        w->at = next;
    }
    return VRS_OK;
}

static void *take(void *failed, size_t size)
{
    void *block = vrs_alloc(size);
    if (!block)
        *(bool *)failed = true;
    return block;
}

static void give(void *failed, void *block)
{
    (void)failed;
    vrs_free(block);
}

vrs_status vrs_onnx_unpack(const void *data, size_t size, const char *name,
                           Onnx__ModelProto **model)
{
    walk w = {.data = data, .name = name};
    vrs_status status = check_nesting(&w, size, &onnx__model_proto__descriptor, 0);
    if (status != VRS_OK)
        return status;
    bool failed = false;
    ProtobufCAllocator allocator = {.alloc = take, .free = give, .allocator_data = &failed};
    *model = onnx__model_proto__unpack(&allocator, size, data);
    if (*model)
        return VRS_OK;
    return failed ? VRS_NO_MEMORY
                  : vrs_fail(VRS_FORMAT,
                             "%s: is not an ONNX file, or is damaged: its fields are "
                             "not those of a model",
                             name);
}

void vrs_onnx_free(Onnx__ModelProto *model)
{
    bool failed = false;
    ProtobufCAllocator allocator = {.alloc = take, .free = give, .allocator_data = &failed};
    if (model)
        onnx__model_proto__free_unpacked(model, &allocator);
}
