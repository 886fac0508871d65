/* Any bytes as a trace: refused with a sentence, or a page, a comparison and a text follow. Bytes
 * that do not begin as a trace are read as what follows its first line. */
#define _XOPEN_SOURCE 700

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "profile/page.h"

static void must(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[] = "{\"vrseg_trace\":1}\n";
    static char text[4096];
    char path[64];
    vrs_profile_report *report = NULL;
    vrs_buffer page = {0};
    FILE *file = tmpfile();
    must(file != NULL, "a temporary file");
    bool begins = size >= 3 && memcmp(data, "{\"v", 3) == 0;
    if (!begins)
        must(fwrite(head, 1, strlen(head), file) == strlen(head), "a temporary file");
    must(fwrite(data, 1, size, file) == size && fflush(file) == 0, "a temporary file");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(file));
    if (vrs_report_load(path, &report) == VRS_OK) {
        vrs_page_write(&page, report, report);
        must(!page.failed && strstr(page.text, "</html>") != NULL, "a page that is not whole");
        must(strstr(page.text, "<script") == NULL, "a page with a script");
        (void)vrs_report_text(report, report, text, sizeof(text));
        vrs_buffer_free(&page);
    } else {
        must(vrs_last_error()[0] != 0, "a refusal without a sentence");
    }
    vrs_report_destroy(report);
    (void)fclose(file);
    return 0;
}
