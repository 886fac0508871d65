/* Runs a fuzzer's function on every file of the folders that are named, without libFuzzer. */
#define _XOPEN_SOURCE 700

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/target.h"

#define LARGEST (1 << 20)

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(LARGEST);
    if (!file || !data) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    size_t size = fread(data, 1, LARGEST, file);
    fclose(file);
    /* A copy of just its size, so that reading beyond it is found. */
    uint8_t *exact = realloc(data, size > 0 ? size : 1);
    int result = LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return result;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        struct dirent *entry;
        if (!folder) {
            fprintf(stderr, "%s: is no folder\n", argv[i]);
            return 1;
        }
        while ((entry = readdir(folder)) != NULL) {
            char path[4096];
            snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            if (entry->d_name[0] != '.')
                count += run_file(path) == 0;
        }
        closedir(folder);
    }
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
