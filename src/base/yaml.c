#include "base/yaml.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/options.h"
#include "base/text.h"

struct vrs_yaml {
    char *path;
    char *text;
    size_t size;
    bool loaded; /* document is to be deleted */
    yaml_document_t document;
};

/* Bytes of what a user wrote that a sentence shows, for "%.*s". */
static int shown(const char *text)
{
    return (int)vrs_text_cut(text, strlen(text), 60);
}

static vrs_status fail_at(const vrs_yaml *yaml, size_t line, size_t column, const char *problem)
{
    return vrs_fail(VRS_INVALID, "%s:%zu:%zu: %s", yaml->path, line + 1, column + 1, problem);
}

static vrs_status fail_memory(const vrs_yaml *yaml)
{
    return vrs_fail(VRS_NO_MEMORY, "%s: not enough memory to parse it", yaml->path);
}

/* Errors in the bytes come with an offset, all others with a line and a column. */
static vrs_status fail_syntax(const vrs_yaml *yaml, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return fail_memory(yaml);
    const char *problem = parser->problem != NULL ? parser->problem : "this is not YAML";
    if (parser->error != YAML_READER_ERROR)
        return fail_at(yaml, parser->problem_mark.line, parser->problem_mark.column, problem);
    size_t line = 0;
    size_t column = 0;
    for (size_t i = 0; i < parser->problem_offset && i < yaml->size; i++) {
        column++;
        if (yaml->text[i] == '\n') {
            line++;
            column = 0;
        }
    }
    return fail_at(yaml, line, column, problem);
}

static vrs_status start_parser(const vrs_yaml *yaml, yaml_parser_t *parser)
{
    if (!vrs_inject("yaml parser") || yaml_parser_initialize(parser) == 0)
        return fail_memory(yaml);
    yaml_parser_set_input_string(parser, (const unsigned char *)yaml->text, yaml->size);
    return VRS_OK;
}

/* What is known of a document from the events so far. */
typedef struct scan {
    int documents, depth;
} scan;

static vrs_status check_event(const vrs_yaml *yaml, const yaml_event_t *event, scan *so_far)
{
    const yaml_mark_t *mark = &event->start_mark;
    if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT)
        so_far->depth++;
    if (event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT)
        so_far->depth--;
    if (so_far->depth > VRS_YAML_MAX_DEPTH)
        return fail_at(yaml, mark->line, mark->column, "lists and maps are nested too deeply");
    if (event->type == YAML_ALIAS_EVENT) {
        return fail_at(yaml, mark->line, mark->column,
                       "aliases (*name) are not supported; write the value out");
    }
    if (event->type == YAML_DOCUMENT_START_EVENT && so_far->documents++ > 0) {
        return fail_at(yaml, mark->line, mark->column,
                       "a second document starts here; a file holds one");
    }
    if (event->type == YAML_SCALAR_EVENT &&
        memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL)
        return fail_at(yaml, mark->line, mark->column, "a value with a zero byte");
    return VRS_OK;
}

/* Refuses what the document tree no longer shows: libyaml resolves aliases while it builds it. */
static vrs_status check_events(const vrs_yaml *yaml)
{
    yaml_parser_t parser;
    vrs_status status = start_parser(yaml, &parser);
    if (status != VRS_OK)
        return status;
    scan so_far = {0};
    bool more = true;
    while (status == VRS_OK && more) {
        yaml_event_t event;
        if (yaml_parser_parse(&parser, &event) == 0) {
            status = fail_syntax(yaml, &parser);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        status = check_event(yaml, &event, &so_far);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return status;
}

static vrs_status build_document(vrs_yaml *yaml)
{
    yaml_parser_t parser;
    vrs_status status = start_parser(yaml, &parser);
    if (status != VRS_OK)
        return status;
    if (yaml_parser_load(&parser, &yaml->document) != 0)
        yaml->loaded = true;
    else
        status = fail_syntax(yaml, &parser);
    yaml_parser_delete(&parser);
    return status;
}

/* NULL for 0 and for numbers that no node has. */
static const yaml_node_t *find_node(const vrs_yaml *yaml, vrs_yaml_node node)
{
    const yaml_node_t *start = yaml->document.nodes.start;
    if (node < 1 || node > yaml->document.nodes.top - start)
        return NULL;
    return &start[node - 1];
}

typedef struct key_place {
    const char *text;
    vrs_yaml_node node;
} key_place;

static int compare_keys(const void *a, const void *b)
{
    const key_place *left = a;
    const key_place *right = b;
    int order = strcmp(left->text, right->text);
    return order != 0 ? order : left->node - right->node;
}

/* Sorted, because a hostile file may have many keys. */
static vrs_status check_map(const vrs_yaml *yaml, vrs_yaml_node map)
{
    size_t count = vrs_yaml_count(yaml, map);
    key_place *keys = vrs_alloc_array(count, sizeof(*keys));
    if (keys == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < count && status == VRS_OK; i++) {
        keys[i].node = vrs_yaml_key(yaml, map, i);
        keys[i].text = vrs_yaml_text(yaml, keys[i].node);
        if (keys[i].text == NULL)
            status = vrs_yaml_fail(yaml, keys[i].node, "a key must be plain text");
    }
    if (status == VRS_OK)
        qsort(keys, count, sizeof(*keys), compare_keys);
    for (size_t i = 1; i < count && status == VRS_OK; i++) {
        if (strcmp(keys[i - 1].text, keys[i].text) == 0) {
            status = vrs_yaml_fail(
                yaml, keys[i].node, "\"%.*s\" is given twice, first in line %d; remove one",
                shown(keys[i].text), keys[i].text, vrs_yaml_line(yaml, keys[i - 1].node));
        }
    }
    vrs_free(keys);
    return status;
}

static vrs_status check_maps(const vrs_yaml *yaml)
{
    vrs_yaml_node end = (vrs_yaml_node)(yaml->document.nodes.top - yaml->document.nodes.start);
    for (vrs_yaml_node node = 1; node <= end; node++) {
        if (vrs_yaml_is_map(yaml, node)) {
            vrs_status status = check_map(yaml, node);
            if (status != VRS_OK)
                return status;
        }
    }
    return VRS_OK;
}

static vrs_status load(vrs_yaml *yaml, const char *path)
{
    yaml->path = vrs_strdup(path);
    if (yaml->path == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_file_read(path, VRS_YAML_MAX_BYTES, &yaml->text, &yaml->size);
    if (status == VRS_OK)
        status = check_events(yaml);
    if (status == VRS_OK)
        status = build_document(yaml);
    if (status == VRS_OK)
        status = check_maps(yaml);
    return status;
}

vrs_status vrs_yaml_load(const char *path, vrs_yaml **yaml)
{
    vrs_yaml *made = vrs_alloc(sizeof(*made));
    if (made == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = load(made, path);
    if (status != VRS_OK) {
        vrs_yaml_destroy(made);
        return status;
    }
    *yaml = made;
    return VRS_OK;
}

void vrs_yaml_destroy(vrs_yaml *yaml)
{
    if (yaml == NULL)
        return;
    if (yaml->loaded)
        yaml_document_delete(&yaml->document);
    vrs_free(yaml->text);
    vrs_free(yaml->path);
    vrs_free(yaml);
}

vrs_yaml_node vrs_yaml_root(const vrs_yaml *yaml)
{
    return find_node(yaml, 1) != NULL ? 1 : 0;
}

const char *vrs_yaml_path(const vrs_yaml *yaml)
{
    return yaml->path;
}

int vrs_yaml_line(const vrs_yaml *yaml, vrs_yaml_node node)
{
    const yaml_node_t *found = find_node(yaml, node);
    return found != NULL ? (int)found->start_mark.line + 1 : 1;
}

bool vrs_yaml_is_map(const vrs_yaml *yaml, vrs_yaml_node node)
{
    const yaml_node_t *found = find_node(yaml, node);
    return found != NULL && found->type == YAML_MAPPING_NODE;
}

bool vrs_yaml_is_list(const vrs_yaml *yaml, vrs_yaml_node node)
{
    const yaml_node_t *found = find_node(yaml, node);
    return found != NULL && found->type == YAML_SEQUENCE_NODE;
}

const char *vrs_yaml_text(const vrs_yaml *yaml, vrs_yaml_node node)
{
    const yaml_node_t *found = find_node(yaml, node);
    if (found == NULL || found->type != YAML_SCALAR_NODE)
        return NULL;
    return (const char *)found->data.scalar.value;
}

size_t vrs_yaml_count(const vrs_yaml *yaml, vrs_yaml_node node)
{
    const yaml_node_t *found = find_node(yaml, node);
    if (found == NULL || found->type == YAML_SCALAR_NODE)
        return 0;
    if (found->type == YAML_MAPPING_NODE)
        return (size_t)(found->data.mapping.pairs.top - found->data.mapping.pairs.start);
    return (size_t)(found->data.sequence.items.top - found->data.sequence.items.start);
}

vrs_yaml_node vrs_yaml_item(const vrs_yaml *yaml, vrs_yaml_node list, size_t index)
{
    if (!vrs_yaml_is_list(yaml, list) || index >= vrs_yaml_count(yaml, list))
        return 0;
    return find_node(yaml, list)->data.sequence.items.start[index];
}

vrs_yaml_node vrs_yaml_key(const vrs_yaml *yaml, vrs_yaml_node map, size_t index)
{
    if (!vrs_yaml_is_map(yaml, map) || index >= vrs_yaml_count(yaml, map))
        return 0;
    return find_node(yaml, map)->data.mapping.pairs.start[index].key;
}

vrs_yaml_node vrs_yaml_value(const vrs_yaml *yaml, vrs_yaml_node map, size_t index)
{
    if (!vrs_yaml_is_map(yaml, map) || index >= vrs_yaml_count(yaml, map))
        return 0;
    return find_node(yaml, map)->data.mapping.pairs.start[index].value;
}

vrs_yaml_node vrs_yaml_get(const vrs_yaml *yaml, vrs_yaml_node map, const char *key)
{
    size_t count = vrs_yaml_is_map(yaml, map) ? vrs_yaml_count(yaml, map) : 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(vrs_yaml_text(yaml, vrs_yaml_key(yaml, map, i)), key) == 0)
            return vrs_yaml_value(yaml, map, i);
    return 0;
}

static bool is_among(const char *text, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return true;
    return false;
}

vrs_status vrs_yaml_check_keys(const vrs_yaml *yaml, vrs_yaml_node map, const char *const *names,
                               size_t count)
{
    size_t keys = vrs_yaml_is_map(yaml, map) ? vrs_yaml_count(yaml, map) : 0;
    for (size_t i = 0; i < keys; i++) {
        vrs_yaml_node key = vrs_yaml_key(yaml, map, i);
        const char *text = vrs_yaml_text(yaml, key);
        if (is_among(text, names, count))
            continue;
        const char *nearest = vrs_nearest_name(text, names, count);
        if (nearest == NULL)
            return vrs_yaml_fail(yaml, key, "unknown key \"%.*s\"", shown(text), text);
        return vrs_yaml_fail(yaml, key, "unknown key \"%.*s\"; did you mean \"%s\"?", shown(text),
                             text, nearest);
    }
    return VRS_OK;
}

vrs_status vrs_yaml_fail(const vrs_yaml *yaml, vrs_yaml_node node, const char *format, ...)
{
    char text[VRS_DETAIL_SIZE];
    va_list args;
    va_start(args, format);
    vrs_text_vformat(text, sizeof(text), format, args);
    va_end(args);
    return vrs_fail(VRS_INVALID, "%s:%d: %s", yaml->path, vrs_yaml_line(yaml, node), text);
}
