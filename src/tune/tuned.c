/* Settings that were found before: a small YAML file for each model, precision and device. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/config.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "model/sha256.h"
#include "pipeline/place.h"
#include "vrseg/tune.h"

#define FORMAT "1"
#define MAX_KEY 200
#define MAX_FILES 64
#define SUFFIX ".yaml"

static const char *const options[] = {"max_batch_size",     "max_queue_delay_us",  "tickets",
                                      "preprocess_threads", "postprocess_threads", "lanes",
                                      "requests",           "engine_threads",      "decoder",
                                      "decoder_threads",    "encoder_threads"};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

bool vrs_tuned_option(const char *name)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(options[i], name) == 0)
            return true;
    return false;
}

vrs_status vrs_tuned_folder(char *path, size_t size)
{
    char cache[VRS_PATH_MAX];
    vrs_status status = vrs_cache_folder(cache, sizeof(cache));
    return status == VRS_OK ? vrs_path_format(path, size, "%s/tuned", cache) : status;
}

/* One line of printable UTF-8. */
static vrs_status check_text(const char *what, const char *text, size_t most)
{
    size_t length = text != NULL ? strlen(text) : 0;
    if (length == 0 || length > most)
        return vrs_fail(VRS_INVALID, "%s: a text of 1 to %zu bytes was expected", what, most);
    for (size_t i = 0; i < length;) {
        uint32_t code = 0;
        size_t bytes = vrs_text_decode(text + i, length - i, &code);
        if (bytes == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 ||
            code == 0x2029 || code == 0xfeff)
            return vrs_fail(VRS_INVALID, "%s: byte %zu is no printable character", what, i);
        i += bytes;
    }
    return VRS_OK;
}

static vrs_status check_key(const vrs_tuned_key *key)
{
    vrs_status status = check_text("model", key->model, MAX_KEY);
    if (status == VRS_OK)
        status = check_text("precision", key->precision, MAX_KEY);
    return status == VRS_OK ? check_text("device", key->device, MAX_KEY) : status;
}

/* The file of a key: a digest, so that no text of the key gets into a path. */
static vrs_status file_of(const vrs_tuned_key *key, char *folder, char *path, size_t size)
{
    vrs_status status = check_key(key);
    if (status == VRS_OK)
        status = vrs_tuned_folder(folder, size);
    if (status != VRS_OK)
        return status;
    char text[3 * MAX_KEY + 8], digest[VRS_SHA256_TEXT];
    (void)snprintf(text, sizeof(text), "%s\n%s\n%s\n", key->model, key->precision, key->device);
    vrs_sha256_text(text, strlen(text), digest);
    return vrs_path_format(path, size, "%s/%.32s" SUFFIX, folder, digest);
}

/* ---- storing ---- */

/* What is written; larger than everything that fits into it. */
typedef struct page {
    char text[16384];
    size_t used;
} page;

/* `name: "text"`. */
static void put(page *p, const char *indent, const char *name, const char *text)
{
    p->used +=
        (size_t)snprintf(p->text + p->used, sizeof(p->text) - p->used, "%s%s: \"", indent, name);
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\')
            p->text[p->used++] = '\\';
        p->text[p->used++] = *text;
    }
    p->text[p->used++] = '"';
    p->text[p->used++] = '\n';
}

static vrs_status put_settings(page *p, const vrs_config *config, const char *const *names,
                               int32_t count)
{
    p->used += (size_t)snprintf(p->text + p->used, sizeof(p->text) - p->used, "settings:\n");
    for (int32_t i = 0; i < count; i++) {
        const char *value = vrs_tuned_option(names[i]) ? vrs_config_get(config, names[i]) : NULL;
        if (value == NULL)
            return vrs_fail(VRS_INVALID, "%s: is no option of speed, so it is not remembered",
                            names[i]);
        for (int32_t j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                return vrs_fail(VRS_INVALID, "%s: named twice", names[i]);
        vrs_status status = check_text(names[i], value, 64);
        if (status != VRS_OK)
            return status;
        put(p, "  ", names[i], value);
    }
    return VRS_OK;
}

/* Removes the oldest files while there are more than MAX_FILES. What cannot be removed stays. */
static void forget_oldest(const char *folder)
{
    for (;;) {
        char path[VRS_PATH_MAX], oldest[VRS_PATH_MAX] = "";
        struct timespec when = {0};
        int count = 0;
        DIR *entries = opendir(folder);
        if (entries == NULL)
            return;
        for (struct dirent *e = readdir(entries); e != NULL; e = readdir(entries)) {
            size_t length = strlen(e->d_name), suffix = strlen(SUFFIX);
            struct stat info;
            if (length <= suffix || strcmp(e->d_name + length - suffix, SUFFIX) != 0 ||
                vrs_path_format(path, sizeof(path), "%s/%s", folder, e->d_name) != VRS_OK ||
                lstat(path, &info) != 0)
                continue;
            count++;
            if (oldest[0] == 0 || info.st_mtim.tv_sec < when.tv_sec ||
                (info.st_mtim.tv_sec == when.tv_sec && info.st_mtim.tv_nsec < when.tv_nsec)) {
                when = info.st_mtim;
                (void)snprintf(oldest, sizeof(oldest), "%s", path);
            }
        }
        (void)closedir(entries);
        if (count <= MAX_FILES || unlink(oldest) != 0)
            return;
    }
}

static vrs_status write_page(page *p, const vrs_tuned_key *key, const vrs_config *config,
                             const char *const *names, int32_t count, const char *note)
{
    char folder[VRS_PATH_MAX], path[VRS_PATH_MAX];
    vrs_status status = file_of(key, folder, path, sizeof(path));
    if (status == VRS_OK)
        status = check_text("note", note, VRS_TUNED_NOTE_SIZE - 1);
    if (status != VRS_OK)
        return status;
    p->used = (size_t)snprintf(p->text, sizeof(p->text),
                               "# vrseg: settings found by measuring; may be removed\n");
    put(p, "", "format", FORMAT);
    put(p, "", "model", key->model);
    put(p, "", "precision", key->precision);
    put(p, "", "device", key->device);
    put(p, "", "note", note);
    status = put_settings(p, config, names, count);
    if (status == VRS_OK)
        status = vrs_make_folders(folder);
    if (status == VRS_OK)
        status = vrs_file_replace(path, p->text, p->used);
    if (status == VRS_OK)
        forget_oldest(folder);
    return status;
}

vrs_status vrs_tuned_store(const vrs_tuned_key *key, const vrs_config *config,
                           const char *const *names, int32_t count, const char *note)
{
    if (count < 1 || count > (int32_t)OPTIONS)
        return vrs_fail(VRS_INVALID, "%d settings to remember, expected 1 to %zu", count, OPTIONS);
    page *p = vrs_alloc(sizeof(*p));
    if (p == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = write_page(p, key, config, names, count, note);
    vrs_free(p);
    return status;
}

/* ---- loading ---- */

static bool is_text(const vrs_yaml *yaml, const char *name, const char *expected)
{
    const char *text = vrs_yaml_text(yaml, vrs_yaml_get(yaml, vrs_yaml_root(yaml), name));
    return text != NULL && strcmp(text, expected) == 0;
}

/* That a file is one that vrs_tuned_store() wrote for this key, as far as its settings. */
static vrs_status check_file(const vrs_yaml *yaml, const vrs_tuned_key *key)
{
    static const char *const names[] = {"format", "model", "precision",
                                        "device", "note",  "settings"};
    vrs_yaml_node root = vrs_yaml_root(yaml);
    if (!vrs_yaml_is_map(yaml, root))
        return vrs_yaml_fail(yaml, root, "what `vrseg tune` has remembered was expected");
    vrs_status status = vrs_yaml_check_keys(yaml, root, names, sizeof(names) / sizeof(names[0]));
    if (status != VRS_OK)
        return status;
    if (!is_text(yaml, "format", FORMAT))
        return vrs_yaml_fail(yaml, root, "format: " FORMAT " was expected");
    if (!is_text(yaml, "model", key->model) || !is_text(yaml, "precision", key->precision) ||
        !is_text(yaml, "device", key->device))
        return vrs_yaml_fail(yaml, root, "is for another model, precision or device");
    const char *note = vrs_yaml_text(yaml, vrs_yaml_get(yaml, root, "note"));
    if (check_text("note", note, VRS_TUNED_NOTE_SIZE - 1) != VRS_OK)
        return vrs_yaml_fail(yaml, root, "note: a line of text was expected");
    vrs_yaml_node settings = vrs_yaml_get(yaml, root, "settings");
    if (!vrs_yaml_is_map(yaml, settings))
        return vrs_yaml_fail(yaml, root, "settings: lines \"option: value\" were expected");
    size_t count = vrs_yaml_count(yaml, settings);
    for (size_t i = 0; i < count; i++) {
        vrs_yaml_node name = vrs_yaml_key(yaml, settings, i);
        if (!vrs_tuned_option(vrs_yaml_text(yaml, name)))
            return vrs_yaml_fail(yaml, name, "this is no option of speed");
        if (vrs_yaml_text(yaml, vrs_yaml_value(yaml, settings, i)) == NULL)
            return vrs_yaml_fail(yaml, name, "one value was expected");
    }
    return VRS_OK;
}

/* Keeps the value of one setting for the config, unless something has set that option. */
static vrs_status stage_setting(const vrs_yaml *yaml, const vrs_config *config, vrs_yaml_node key,
                                vrs_yaml_node value, vrs_config_stage *stage)
{
    size_t index = vrs_config_find(config, vrs_yaml_text(yaml, key));
    if (index == VRS_NO_OPTION || config->layers[index] != VRS_LAYER_DEFAULT)
        return VRS_OK; /* the core's config has none of media */
    vrs_status status =
        vrs_option_check(config->options[index], vrs_yaml_text(yaml, value), &stage->values[index]);
    if (status == VRS_INVALID) {
        char why[VRS_DETAIL_SIZE];
        (void)snprintf(why, sizeof(why), "%.400s", vrs_last_error());
        return vrs_yaml_fail(yaml, value, "%s", why);
    }
    if (status == VRS_OK) {
        stage->places[index] = vrs_strdup("vrseg tune");
        status = stage->places[index] != NULL ? VRS_OK : VRS_NO_MEMORY;
    }
    return status;
}

static vrs_status set_all(const vrs_yaml *yaml, vrs_config *config)
{
    vrs_yaml_node settings = vrs_yaml_get(yaml, vrs_yaml_root(yaml), "settings");
    vrs_config_stage stage = {0};
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < vrs_yaml_count(yaml, settings) && status == VRS_OK; i++)
        status = stage_setting(yaml, config, vrs_yaml_key(yaml, settings, i),
                               vrs_yaml_value(yaml, settings, i), &stage);
    if (status == VRS_OK)
        vrs_config_take(config, &stage, VRS_LAYER_FILE);
    vrs_config_drop(&stage);
    return status;
}

vrs_status vrs_tuned_load(const vrs_tuned_key *key, vrs_config *config, char *note)
{
    char folder[VRS_PATH_MAX], path[VRS_PATH_MAX];
    vrs_status status = file_of(key, folder, path, sizeof(path));
    vrs_yaml *yaml = NULL;
    if (status != VRS_OK)
        return status;
    status = vrs_yaml_load(path, &yaml);
    if (status == VRS_NOT_FOUND)
        return vrs_fail(status,
                        "no settings are remembered for %.100s in %.20s on %.100s: `vrseg "
                        "tune` finds them",
                        key->model, key->precision, key->device);
    if (status == VRS_OK)
        status = check_file(yaml, key);
    if (status == VRS_OK)
        status = set_all(yaml, config);
    if (status == VRS_OK)
        (void)snprintf(note, VRS_TUNED_NOTE_SIZE, "%s",
                       vrs_yaml_text(yaml, vrs_yaml_get(yaml, vrs_yaml_root(yaml), "note")));
    vrs_yaml_destroy(yaml);
    if (status == VRS_INVALID)
        return vrs_fail(VRS_CORRUPT, "%.400s; remove the file, or run `vrseg tune` again",
                        vrs_last_error());
    return status;
}
