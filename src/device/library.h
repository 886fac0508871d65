/* A library that is opened at run time through a list of its functions, so that one program starts
 * everywhere and says what is missing. */
#ifndef VRS_DEVICE_LIBRARY_H
#define VRS_DEVICE_LIBRARY_H

#include <stddef.h>

#include "vrseg/status.h"

/* A function: where its address goes in the caller's table. */
typedef struct vrs_library_symbol {
    const char *name;
    size_t offset;
} vrs_library_symbol;

/* An element of a vrs_library_symbol array, for X-macro lists of (member, symbol, ...). */
#define VRS_LIBRARY_SYMBOL(table, member, symbol) {#symbol, offsetof(table, member)},

typedef struct vrs_library_spec {
    const char *file;     /* what dlopen() is given: "libcuda.so.1" */
    const char *variable; /* environment variable whose path replaces it; NULL: none */
    const char *advice;   /* how to get it, the end of the sentence: "install ..." */
    const vrs_library_symbol *symbols;
    size_t symbol_count;
} vrs_library_spec;

/* Opens the library and fills `table`, whose members at the symbols' offsets are pointers to
 * functions. Borrows `spec`. Any thread. VRS_MISSING: it cannot be opened (with the loader's
 * reason), or lacks a function (by its name); the sentence ends with the advice. Test injection:
 * "library". */
vrs_status vrs_library_open(const vrs_library_spec *spec, void *table, void **handle) VRS_MUST_USE;

/* NULL is fine. */
void vrs_library_close(void *handle);

#endif
