#define _XOPEN_SOURCE 700

#include "engine/cuda/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "model/sha256.h"

/* A file: magic, digest of all that follows, key, number of entries; each entry's numbers, texts
 * and bytes. Numbers are 32 bits, little endian. */
#define MAGIC "vrsplan1"
#define MAGIC_BYTES 8
#define DIGEST_BYTES (VRS_SHA256_TEXT - 1)
#define HEAD_BYTES (MAGIC_BYTES + DIGEST_BYTES)
#define ENTRY_BYTES (4 * 4 + 32 + 96 + 4)
#define ENTRIES_MAX 1000000

struct vrs_plans {
    char key[VRS_PLANS_KEY];
    vrs_plan_entry *entries;
    int32_t count, room;
    size_t bytes; /* that a file of it has */
};

vrs_status vrs_plans_create(const char *key, vrs_plans **result)
{
    vrs_plans *plans = vrs_alloc(sizeof *plans);
    if (!plans)
        return VRS_NO_MEMORY;
    (void)snprintf(plans->key, sizeof plans->key, "%s", key);
    plans->bytes = HEAD_BYTES + 4 + strlen(plans->key) + 4;
    *result = plans;
    return VRS_OK;
}

void vrs_plans_destroy(vrs_plans *plans)
{
    for (int32_t i = 0; plans && i < plans->count; i++)
        vrs_free((void *)(uintptr_t)plans->entries[i].data);
    if (plans)
        vrs_free(plans->entries);
    vrs_free(plans);
}

vrs_status vrs_plans_add(vrs_plans *plans, const vrs_plan_entry *entry)
{
    size_t bytes = plans->bytes + ENTRY_BYTES + entry->bytes;
    if (entry->bytes > VRS_PLANS_FILE_BYTES || bytes > VRS_PLANS_FILE_BYTES ||
        plans->count == ENTRIES_MAX) {
        return vrs_fail(VRS_INVALID, "the plans of a network take more than %zu MB",
                        VRS_PLANS_FILE_BYTES >> 20);
    }
    if (plans->count == plans->room) {
        int32_t room = plans->room ? plans->room * 2 : 64;
        vrs_plan_entry *grown = vrs_realloc(plans->entries, (size_t)room * sizeof *grown);
        if (!grown)
            return VRS_NO_MEMORY;
        plans->entries = grown;
        plans->room = room;
    }
    void *data = NULL;
    if (entry->bytes > 0) {
        data = vrs_alloc(entry->bytes);
        if (!data)
            return VRS_NO_MEMORY;
        memcpy(data, entry->data, entry->bytes);
    }
    vrs_plan_entry *added = &plans->entries[plans->count++];
    *added = *entry;
    added->data = data;
    plans->bytes = bytes;
    return VRS_OK;
}

const vrs_plan_entry *vrs_plans_find(const vrs_plans *plans, int32_t batch, int32_t node)
{
    for (int32_t i = 0; i < plans->count; i++)
        if (plans->entries[i].batch == batch && plans->entries[i].node == node)
            return &plans->entries[i];
    return NULL;
}

int32_t vrs_plans_count(const vrs_plans *plans)
{
    return plans->count;
}

const vrs_plan_entry *vrs_plans_at(const vrs_plans *plans, int32_t index)
{
    return &plans->entries[index];
}

const char *vrs_plans_key(const vrs_plans *plans)
{
    return plans->key;
}

/* --- bytes --- */

static void put(unsigned char **to, const void *from, size_t bytes)
{
    memcpy(*to, from, bytes);
    *to += bytes;
}

static void put_number(unsigned char **to, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        *(*to)++ = (unsigned char)(number >> (8 * i));
}

vrs_status vrs_plans_format(const vrs_plans *plans, void **data, size_t *bytes)
{
    unsigned char *file = vrs_alloc(plans->bytes);
    if (!file)
        return VRS_NO_MEMORY;
    unsigned char *to = file + HEAD_BYTES;
    put_number(&to, (uint32_t)strlen(plans->key));
    put(&to, plans->key, strlen(plans->key));
    put_number(&to, (uint32_t)plans->count);
    for (int32_t i = 0; i < plans->count; i++) {
        const vrs_plan_entry *e = &plans->entries[i];
        put_number(&to, (uint32_t)e->batch);
        put_number(&to, (uint32_t)e->node);
        put_number(&to, (uint32_t)e->kind);
        put_number(&to, (uint32_t)e->candidate);
        put(&to, e->provider, sizeof e->provider);
        put(&to, e->name, sizeof e->name);
        put_number(&to, (uint32_t)e->bytes);
        put(&to, e->bytes ? e->data : "", e->bytes);
    }
    char digest[VRS_SHA256_TEXT];
    vrs_sha256_text(file + HEAD_BYTES, plans->bytes - HEAD_BYTES, digest);
    memcpy(file, MAGIC, MAGIC_BYTES);
    memcpy(file + MAGIC_BYTES, digest, DIGEST_BYTES);
    *data = file;
    *bytes = plans->bytes;
    return VRS_OK;
}

/* What is left of a file that is being read. */
typedef struct rest {
    const unsigned char *at;
    size_t bytes;
    bool cut;
} rest;

static const void *take(rest *r, size_t bytes)
{
    if (r->cut || bytes > r->bytes) {
        r->cut = true;
        return NULL;
    }
    const void *taken = r->at;
    r->at += bytes;
    r->bytes -= bytes;
    return taken;
}

static uint32_t take_number(rest *r)
{
    const unsigned char *b = take(r, 4);
    return b ? b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24 : 0;
}

static void take_text(rest *r, char *text, size_t size)
{
    const char *from = take(r, size);
    if (from) {
        memcpy(text, from, size);
        text[size - 1] = 0;
    }
}

static vrs_status read_entries(rest *r, vrs_plans *plans)
{
    uint32_t count = take_number(r);
    vrs_status status = VRS_OK;
    for (uint32_t i = 0; i < count && !r->cut && status == VRS_OK; i++) {
        vrs_plan_entry e = {.batch = (int32_t)take_number(r)};
        e.node = (int32_t)take_number(r);
        e.kind = (int32_t)take_number(r);
        e.candidate = (int32_t)take_number(r);
        take_text(r, e.provider, sizeof e.provider);
        take_text(r, e.name, sizeof e.name);
        e.bytes = take_number(r);
        e.data = take(r, e.bytes);
        status = r->cut ? VRS_OK : vrs_plans_add(plans, &e);
    }
    if (status == VRS_INVALID || (status == VRS_OK && (r->cut || r->bytes != 0)))
        return vrs_fail(VRS_FORMAT, "cached plans that contradict themselves");
    return status;
}

vrs_status vrs_plans_parse(const void *data, size_t bytes, const char *key, vrs_plans **result)
{
    rest r = {data, bytes, false};
    const char *magic = take(&r, MAGIC_BYTES), *digest = take(&r, DIGEST_BYTES);
    if (!magic || !digest || memcmp(magic, MAGIC, MAGIC_BYTES) != 0)
        return vrs_fail(VRS_FORMAT, "not a file of plans, or one of another version");
    char found[VRS_SHA256_TEXT];
    vrs_sha256_text(r.at, r.bytes, found);
    if (memcmp(found, digest, DIGEST_BYTES) != 0)
        return vrs_fail(VRS_FORMAT, "cached plans that are damaged: their checksum is wrong");
    char text[VRS_PLANS_KEY];
    size_t length = take_number(&r);
    const char *own = length < sizeof text ? take(&r, length) : NULL;
    if (!own || memchr(own, 0, length))
        return vrs_fail(VRS_FORMAT, "cached plans without a key");
    memcpy(text, own, length);
    text[length] = 0;
    if (key && strcmp(key, text) != 0)
        return vrs_fail(VRS_FORMAT, "cached plans of something else: %.200s", text);
    vrs_plans *plans;
    vrs_status status = vrs_plans_create(text, &plans);
    if (status != VRS_OK)
        return status;
    status = read_entries(&r, plans);
    if (status != VRS_OK) {
        vrs_plans_destroy(plans);
        return status;
    }
    *result = plans;
    return VRS_OK;
}

/* --- files --- */

static vrs_status path_of(const char *folder, const char *key, char *path, size_t size)
{
    char digest[VRS_SHA256_TEXT];
    vrs_sha256_text(key, strlen(key), digest);
    return vrs_path_format(path, size, "%s/%s" VRS_PLANS_SUFFIX, folder, digest);
}

vrs_status vrs_plans_read(const char *folder, const char *key, vrs_plans **plans)
{
    char path[VRS_PATH_MAX], *data;
    size_t size;
    vrs_status status = path_of(folder, key, path, sizeof path);
    if (status == VRS_OK)
        status = vrs_file_read(path, VRS_PLANS_FILE_BYTES, &data, &size);
    if (status != VRS_OK)
        return status;
    status = vrs_plans_parse(data, size, key, plans);
    vrs_free(data);
    if (status == VRS_OK) /* read lately */
        (void)utimensat(AT_FDCWD, path, NULL, 0);
    return status;
}

/* --- the bound of the folder --- */

static bool is_plans(const char *name)
{
    size_t length = strlen(name), suffix = strlen(VRS_PLANS_SUFFIX);
    return length > suffix && strcmp(name + length - suffix, VRS_PLANS_SUFFIX) == 0;
}

/* Bytes of all files, and the one that was read longest ago. */
static size_t survey(DIR *folder, char oldest[256])
{
    size_t bytes = 0;
    struct timespec least = {0};
    oldest[0] = 0;
    rewinddir(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        struct stat info;
        if (!is_plans(entry->d_name) || fstatat(dirfd(folder), entry->d_name, &info, 0) != 0)
            continue;
        bytes += (size_t)info.st_size;
        bool older = info.st_mtim.tv_sec < least.tv_sec ||
                     (info.st_mtim.tv_sec == least.tv_sec && info.st_mtim.tv_nsec < least.tv_nsec);
        if (oldest[0] == 0 || older) {
            (void)snprintf(oldest, 256, "%s", entry->d_name);
            least = info.st_mtim;
        }
    }
    return bytes;
}

/* Takes files away until there is room. Under a lock, so that two programs do not take twice. */
static void make_room(const char *path, size_t bytes)
{
    DIR *folder = opendir(path);
    if (!folder)
        return;
    if (flock(dirfd(folder), LOCK_EX) == 0) {
        char oldest[256];
        while (survey(folder, oldest) + bytes > VRS_PLANS_BYTES && oldest[0] != 0 &&
               unlinkat(dirfd(folder), oldest, 0) == 0) {
        }
    }
    (void)closedir(folder); /* and the lock */
}

vrs_status vrs_plans_write(const char *folder, const vrs_plans *plans)
{
    char path[VRS_PATH_MAX];
    void *data;
    size_t bytes;
    vrs_status status = path_of(folder, plans->key, path, sizeof path);
    if (status == VRS_OK)
        status = vrs_make_folders(folder);
    if (status == VRS_OK)
        status = vrs_plans_format(plans, &data, &bytes);
    if (status != VRS_OK)
        return status;
    make_room(folder, bytes);
    status = vrs_file_replace(path, data, bytes);
    vrs_free(data);
    return status;
}
