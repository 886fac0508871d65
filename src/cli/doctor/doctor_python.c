/* The Python packages of tools/: what the lists in requirements/ name, looked for in the
 * environments that `make setup` and `make torch` make. Python itself is not started. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"

/* A list of packages and the environment that they belong into. */
typedef struct environment {
    const char *name, *list, *folder, *gives, *remedy;
} environment;

static const environment environments[] = {
    {"Python tools", "tools.txt", "tools-venv",
     "`vrseg models fetch`, which converts weights, and the sample clip", "make setup"},
    {"PyTorch tools", "torch.txt", "torch-venv",
     "tools/vrseg-export, vrseg-train and vrseg-quantize", "make torch"},
};

/* The folder with requirements/ in it: the checkout, or the installed copy. */
static bool find_root(char *root, size_t size)
{
    char program[4096], file[4200];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[length > 0 ? length : 0] = 0;
    char *slash = strrchr(program, '/');
    if (slash == NULL)
        return false;
    *slash = 0;
    static const char *const places[] = {"..", "../share/vrseg"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int n = snprintf(root, size, "%s/%s", program, places[i]);
        int m = snprintf(file, sizeof(file), "%s/requirements/tools.txt", root);
        if (n > 0 && (size_t)n < size && m > 0 && (size_t)m < sizeof(file) &&
            access(file, R_OK) == 0)
            return true;
    }
    return false;
}

/* Where environments are: the same rules as tools/setup/private.py. */
static bool find_private(const char *root, char *folder, size_t size)
{
    char file[4200];
    const char *own = getenv("VRSEG_LOCAL_DIR"), *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    int n = 0;
    (void)snprintf(file, sizeof(file), "%s/meson.build", root);
    if (own != NULL && own[0] != 0)
        n = snprintf(folder, size, "%s", own);
    else if (access(file, R_OK) == 0)
        n = snprintf(folder, size, "%s/.local", root);
    else if (data != NULL && data[0] == '/')
        n = snprintf(folder, size, "%s/vrseg", data);
    else if (home != NULL && home[0] != 0)
        n = snprintf(folder, size, "%s/.local/share/vrseg", home);
    return n > 0 && (size_t)n < size;
}

/* lib/python3.N/site-packages of an environment; its first entry that is one. */
static bool find_packages(const char *venv, char *folder, size_t size)
{
    char library[4300];
    (void)snprintf(library, sizeof(library), "%s/lib", venv);
    DIR *dir = opendir(library);
    bool found = false;
    for (struct dirent *e; dir != NULL && !found && (e = readdir(dir)) != NULL;) {
        int n = snprintf(folder, size, "%s/%s/site-packages", library, e->d_name);
        found = strncmp(e->d_name, "python3", 7) == 0 && n > 0 && (size_t)n < size &&
                access(folder, R_OK) == 0;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return found;
}

/* PyPI's names: case, and which of - _ . stands between words, do not count. */
static char plain(char c)
{
    return c == '-' || c == '.' ? '_' : (char)tolower((unsigned char)c);
}

static bool same_name(const char *a, size_t length, const char *b)
{
    for (size_t i = 0; i < length; i++)
        if (plain(a[i]) != plain(b[i]))
            return false;
    return true;
}

/* Whether "NAME-VERSION.dist-info" is there; a local part of the version ("+cpu") does not count.
 */
static bool is_installed(const char *packages, const char *name, size_t length, const char *version)
{
    DIR *dir = opendir(packages);
    bool found = false;
    for (struct dirent *e; dir != NULL && !found && (e = readdir(dir)) != NULL;) {
        const char *entry = e->d_name;
        size_t version_length = strlen(version);
        if (strlen(entry) <= length + 1 + version_length || entry[length] != '-')
            continue;
        const char *rest = entry + length + 1 + version_length;
        found = same_name(name, length, entry) &&
                strncmp(entry + length + 1, version, version_length) == 0 &&
                (*rest == '+' || strcmp(rest, ".dist-info") == 0);
    }
    if (dir != NULL)
        (void)closedir(dir);
    return found;
}

/* Lines "name==version --hash=..."; others are comments. */
static void compare(FILE *list, const char *packages, int *wanted, int *found, char *missing,
                    size_t size)
{
    char line[1024], version[64];
    while (fgets(line, sizeof(line), list) != NULL) {
        char *equals = strstr(line, "==");
        if (line[0] == '#' || equals == NULL)
            continue;
        (void)snprintf(version, sizeof(version), "%.*s", (int)strcspn(equals + 2, " ;\n"),
                       equals + 2);
        ++*wanted;
        if (is_installed(packages, line, (size_t)(equals - line), version)) {
            ++*found;
            continue;
        }
        size_t used = strlen(missing);
        (void)snprintf(missing + used, size - used, "%s%.*s %s", used > 0 ? ", " : "",
                       (int)(equals - line), line, version);
    }
}

static void check_environment(const environment *e, const char *root, const char *private_folder,
                              vrs_check_fn visit, void *opaque)
{
    char path[4200], packages[4600], missing[256] = "";
    int wanted = 0, found = 0;
    vrs_check check = {.state = VRS_CHECK_WARNING};
    (void)snprintf(path, sizeof(path), "%s/requirements/%s", root, e->list);
    FILE *list = fopen(path, "re");
    if (list == NULL)
        return; /* an installed copy brings no list of tools that it has not */
    (void)snprintf(check.name, sizeof(check.name), "%s", e->name);
    (void)snprintf(check.wanted, sizeof(check.wanted), "what requirements/%s names", e->list);
    (void)snprintf(check.gives, sizeof(check.gives), "%s", e->gives);
    (void)snprintf(path, sizeof(path), "%s/%s", private_folder, e->folder);
    if (find_packages(path, packages, sizeof(packages))) {
        compare(list, packages, &wanted, &found, missing, sizeof(missing));
        check.state = found == wanted ? VRS_CHECK_OK : VRS_CHECK_WARNING;
        (void)snprintf(check.found, sizeof(check.found), "%d of %d packages%s%s", found, wanted,
                       missing[0] != 0 ? "; missing: " : "", missing);
    } else {
        (void)snprintf(check.found, sizeof(check.found), "there is no environment %.400s", path);
    }
    (void)fclose(list);
    if (check.state != VRS_CHECK_OK)
        (void)snprintf(check.remedy, sizeof(check.remedy), "%s", e->remedy);
    visit(opaque, &check);
}

void vrs_doctor_check_python(vrs_check_fn visit, void *opaque)
{
    char root[4096], private_folder[4096];
    if (!find_root(root, sizeof(root)) ||
        !find_private(root, private_folder, sizeof(private_folder)))
        return;
    for (size_t i = 0; i < sizeof(environments) / sizeof(environments[0]); i++)
        check_environment(&environments[i], root, private_folder, visit, opaque);
}
