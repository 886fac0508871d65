#include "device/library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* The name of a function that the library has not, or NULL. */
static const char *find_symbols(void *handle, const vrs_library_spec *spec, char *table)
{
    for (size_t i = 0; i < spec->symbol_count; i++) {
        const vrs_library_symbol *symbol = &spec->symbols[i];
        void *address = vrs_inject("library") ? dlsym(handle, symbol->name) : NULL;
        if (!address)
            return symbol->name;
        /* ISO C has no cast from an object's pointer to a function's. */
        memcpy(table + symbol->offset, &address, sizeof address);
    }
    return NULL;
}

vrs_status vrs_library_open(const vrs_library_spec *spec, void *table, void **handle)
{
    const char *path = spec->variable ? getenv(spec->variable) : NULL;
    if (!path || !*path)
        path = spec->file;
    *handle = vrs_inject("library") ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!*handle) {
        const char *reason = dlerror();
        /* The loader begins with the path, which the sentence has already. */
        size_t length = strlen(path);
        if (reason && strncmp(reason, path, length) == 0 && strncmp(reason + length, ": ", 2) == 0)
            reason += length + 2;
        return vrs_fail(VRS_MISSING, "%s cannot be opened (%s): %s", path,
                        reason ? reason : "no reason given", spec->advice);
    }
    const char *missing = find_symbols(*handle, spec, table);
    if (!missing)
        return VRS_OK;
    (void)dlclose(*handle);
    *handle = NULL;
    return vrs_fail(VRS_MISSING, "%s has no function %s: %s", path, missing, spec->advice);
}

void vrs_library_close(void *handle)
{
    if (handle)
        (void)dlclose(handle);
}
