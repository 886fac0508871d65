/* The programs of bench/peers/ that do the same work, run as they are. */
#define _XOPEN_SOURCE 700 /* realpath() */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <yajl/yajl_tree.h>

#include "cli/bench/bench.h"

/* What a peer prints, at most. */
#define MOST_OUTPUT (1 << 20)
#define MOST_SECONDS 1800.0
/* The exit code of a peer whose Python lacks what it imports. */
#define NOT_INSTALLED 77
/* The name by which the peers know how the network is fed. */
#define KNOWN_NAME "deeplabv3plus_r50_person_512.onnx"

typedef struct output {
    char *text;
    size_t size;
} output;

/* The checkout's folder, above that of the program. False: it is not there. */
static bool find_root(char *root, size_t size)
{
    char program[VRS_BENCH_PATH], path[VRS_BENCH_PATH + 32];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    for (int i = 0; length > 0 && i < 2; i++) {
        while (length > 0 && program[length - 1] != '/')
            length--;
        length -= length > 0 ? 1 : 0;
    }
    if (length <= 0 || (size_t)length >= size)
        return false;
    program[length] = 0;
    (void)snprintf(path, sizeof(path), "%s/bench/peers", program);
    (void)snprintf(root, size, "%s", program);
    return access(path, R_OK) == 0;
}

/* The Python of an environment of `make peers` or `make torch`. */
static void find_python(const char *root, const char *variable, const char *environment, char *path,
                        size_t size)
{
    const char *named = getenv(variable), *local = getenv("VRSEG_LOCAL_DIR");
    if (named != NULL && named[0] != 0)
        (void)snprintf(path, size, "%s", named);
    else if (local != NULL && local[0] != 0)
        (void)snprintf(path, size, "%s/%s/bin/python", local, environment);
    else
        (void)snprintf(path, size, "%s/.local/%s/bin/python", root, environment);
}

/* ---- running one ---- */

_Noreturn static void be_peer(char *const *arguments, int out, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(out, STDOUT_FILENO) < 0)
        _exit(127);
    (void)execvp(arguments[0], arguments);
    _exit(127);
}

/* Reads until the program ends. VRS_CANCELLED, VRS_TIMEOUT. */
static vrs_status receive(int in, output *o, const volatile sig_atomic_t *stop)
{
    int64_t end_ns = vrs_now_ns() + (int64_t)(MOST_SECONDS * 1e9);
    for (;;) {
        struct pollfd ready = {.fd = in, .events = POLLIN};
        if (*stop)
            return vrs_fail(VRS_CANCELLED, "stopped");
        if (vrs_now_ns() > end_ns)
            return vrs_fail(VRS_TIMEOUT, "a peer did not end within %.0f s", MOST_SECONDS);
        int events = poll(&ready, 1, 100);
        if (events == 0 || (events < 0 && errno == EINTR))
            continue;
        ssize_t count = read(in, o->text + o->size, MOST_OUTPUT - 1 - o->size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return VRS_OK;
        o->size += (size_t)count;
        o->text[o->size] = 0;
        if (o->size == MOST_OUTPUT - 1)
            return VRS_OK;
    }
}

/* What the program prints, as text. VRS_SYSTEM: it failed, and said why on standard error. */
static vrs_status run(char *const *arguments, output *o, const volatile sig_atomic_t *stop)
{
    int ends[2];
    o->size = 0;
    o->text[0] = 0;
    if (pipe(ends) != 0)
        return vrs_fail(VRS_SYSTEM, "no pipe for a peer: too many files are open");
    pid_t parent = getpid();
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        be_peer(arguments, ends[1], parent);
    }
    (void)close(ends[1]);
    vrs_status status = child > 0 ? receive(ends[0], o, stop)
                                  : vrs_fail(VRS_SYSTEM, "no process for a peer: memory runs out");
    (void)close(ends[0]);
    if (child > 0 && status != VRS_OK)
        (void)kill(child, SIGKILL);
    int how = 0;
    while (child > 0 && waitpid(child, &how, 0) < 0 && errno == EINTR)
        continue;
    if (status == VRS_OK && WIFEXITED(how) && WEXITSTATUS(how) == NOT_INSTALLED)
        return vrs_fail(VRS_MISSING, "%s lacks what %s imports", arguments[0], arguments[1]);
    if (status == VRS_OK && (!WIFEXITED(how) || WEXITSTATUS(how) != 0))
        status = vrs_fail(VRS_SYSTEM, "%s %s failed", arguments[0], arguments[1]);
    return status;
}

/* ---- what it printed ---- */

static double number(yajl_val object, const char *name)
{
    const char *path[] = {name, NULL};
    yajl_val value = yajl_tree_get(object, path, yajl_t_number);
    return value != NULL ? strtod(YAJL_GET_NUMBER(value), NULL) : -1;
}

static const char *text(yajl_val object, const char *name)
{
    const char *path[] = {name, NULL};
    yajl_val value = yajl_tree_get(object, path, yajl_t_string);
    return value != NULL ? YAJL_GET_STRING(value) : "";
}

static void add(vrs_bench_table *t, const char *name, const char *what, double fps, double latency)
{
    if (t->peer_count == VRS_BENCH_MAX_PEERS)
        return;
    vrs_bench_peer *p = &t->peers[t->peer_count++];
    (void)snprintf(p->name, sizeof(p->name), "%s", name);
    (void)snprintf(p->what, sizeof(p->what), "%s", what);
    p->fps = fps;
    p->latency_ms = latency;
}

/* torch_engine.py: microseconds of a batch, or the reason why something does not run.
 * ort_opencv_script.py: a rate of frames. */
static void take_line(vrs_bench_table *t, const char *line)
{
    char what[96];
    yajl_val object = yajl_tree_parse(line, NULL, 0);
    if (object == NULL)
        return;
    double batch = number(object, "batch"), rate = number(object, "rate_us");
    if (batch > 0 && rate > 0) {
        (void)snprintf(what, sizeof(what), "the network alone, %s B%.0f", text(object, "precision"),
                       batch);
        add(t, text(object, "peer"), what, batch * 1e6 / rate, number(object, "latency_us") / 1e3);
    } else if (number(object, "fps") > 0) {
        add(t, text(object, "peer"), "video to masks, f32 B1", number(object, "fps"), -1);
    } else if (text(object, "reason")[0] != 0) {
        (void)snprintf(what, sizeof(what), "not run: %s", text(object, "reason"));
        add(t, text(object, "peer"), what, -1, -1);
    }
    yajl_tree_free(object);
}

static void take(vrs_bench_table *t, char *printed)
{
    char *rest = NULL;
    for (char *line = strtok_r(printed, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        if (line[0] == '{')
            take_line(t, line);
}

/* ---- which ---- */

/* A pointer that exec does not write to. */
static char *argument(const char *text)
{
    union {
        const char *from;
        char *to;
    } both = {.from = text};
    return both.to;
}

/* PyTorch with the same network: on a GPU in all its ways, on the CPU eager and compiled. */
static vrs_status run_torch(const char *root, bool gpu, output *o,
                            const volatile sig_atomic_t *stop)
{
    char python[VRS_BENCH_PATH + 64], script[VRS_BENCH_PATH + 64];
    find_python(root, "VRSEG_TORCH_PYTHON", "torch-venv", python, sizeof(python));
    (void)snprintf(script, sizeof(script), "%s/bench/peers/torch_engine.py", root);
    if (strchr(python, '/') != NULL && access(python, X_OK) != 0)
        return vrs_fail(VRS_MISSING,
                        "%s is missing: run `make torch`, or name a Python that has "
                        "torch and torchvision by VRSEG_TORCH_PYTHON",
                        python);
    char *arguments[] = {python, script, argument("--device"), argument(gpu ? "cuda" : "cpu"),
                         NULL};
    return run(arguments, o, stop);
}

static vrs_status run_script(const char *root, const char *model, const char *video, int64_t frames,
                             output *o, const volatile sig_atomic_t *stop)
{
    char python[VRS_BENCH_PATH + 64], script[VRS_BENCH_PATH + 64], known[VRS_BENCH_PATH + 64];
    char count[24];
    find_python(root, "VRSEG_PEERS_PYTHON", "peers-venv", python, sizeof(python));
    (void)snprintf(script, sizeof(script), "%s/bench/peers/ort_opencv_script.py", root);
    (void)snprintf(known, sizeof(known), "%.*s/" KNOWN_NAME, (int)(strrchr(model, '/') - model),
                   model);
    (void)snprintf(count, sizeof(count), "%lld", (long long)frames);
    if (strchr(python, '/') != NULL && access(python, X_OK) != 0)
        return vrs_fail(VRS_MISSING,
                        "%s is missing: run `make peers`, or name a Python that has "
                        "onnxruntime and OpenCV by VRSEG_PEERS_PYTHON",
                        python);
    if (symlink(model, known) != 0 && errno != EEXIST)
        return vrs_fail(VRS_PERMISSION, "%s: cannot be made", known);
    char *arguments[] = {python,
                         script,
                         argument("--video"),
                         argument(video),
                         argument("--model"),
                         known,
                         argument("--output"),
                         argument("mask"),
                         argument("--frames"),
                         count,
                         NULL};
    vrs_status status = run(arguments, o, stop);
    (void)unlink(known);
    return status;
}

/* What a peer printed goes into the table; one that did not run has a line there, and its reason
 * below. VRS_CANCELLED. */
static vrs_status finish(vrs_bench_table *t, output *o, const char *peer, vrs_status status)
{
    size_t used = strlen(t->peers_note);
    take(t, o->text);
    if (status == VRS_OK || status == VRS_CANCELLED)
        return status;
    add(t, peer, status == VRS_MISSING ? "not installed" : "not run", -1, -1);
    (void)snprintf(t->peers_note + used, sizeof(t->peers_note) - used, "%s%s: not run: %s.",
                   used > 0 ? " " : "", peer, vrs_last_error());
    return VRS_OK;
}

static vrs_status run_all(vrs_bench_table *t, const char *root, const char *model,
                          const char *video, int64_t frames, output *o,
                          const volatile sig_atomic_t *stop)
{
    vrs_status status = VRS_OK;
    if (!t->device.gpu) {
        status = video == NULL ? vrs_fail(VRS_UNSUPPORTED, "it takes a video: leave out --from "
                                                           "memory")
                               : run_script(root, model, video, frames, o, stop);
        status = finish(t, o, "OpenCV and ONNX Runtime", status);
    }
    o->text[0] = 0;
    return status == VRS_OK ? finish(t, o, "PyTorch", run_torch(root, t->device.gpu, o, stop))
                            : status;
}

vrs_status vrs_bench_peers_run(vrs_bench_table *t, const char *model, const char *video,
                               int64_t frames, const volatile sig_atomic_t *stop)
{
    char root[VRS_BENCH_PATH];
    output o = {.text = calloc(1, MOST_OUTPUT)};
    vrs_status status;
    if (o.text == NULL)
        status = vrs_fail(VRS_NO_MEMORY, "no memory for what peers print");
    else if (model == NULL)
        status = vrs_fail(VRS_UNSUPPORTED, "the peers have the default network, and another one is "
                                           "measured");
    else if (!find_root(root, sizeof(root)))
        status = vrs_fail(VRS_MISSING, "bench/peers is not beside the program: they are run from a "
                                       "checkout's build folder");
    else
        status = run_all(t, root, model, video, frames, &o, stop);
    free(o.text);
    if (status != VRS_OK && status != VRS_CANCELLED)
        (void)snprintf(t->peers_note, sizeof(t->peers_note), "Not run: %s.", vrs_last_error());
    return status == VRS_CANCELLED ? status : VRS_OK;
}
