/* The metrics of a run over HTTP, for Prometheus; the server is GNU libmicrohttpd. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "cli/run/metrics.h"

#define TEXT_SIZE 262144
#define CONNECTIONS 16
#define PATIENCE_S 10

struct vrs_metrics {
    vrs_profile *profile;
    struct MHD_Daemon *daemon;
    char *text;
    char where[64];
};

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type,
                             const char *body, size_t size)
{
    /* Copied: the next request writes over the text. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

/* One thread answers all. */
static enum MHD_Result answer(void *opaque, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request)
{
    static const char plain[] = "text/plain; charset=utf-8";
    static const char wrong_method[] = "Only GET is answered.\n";
    static const char not_here[] = "The metrics are at /metrics.\n";
    vrs_metrics *metrics = opaque;
    (void)version;
    (void)upload;
    if (*request == NULL) { /* its head alone is there: the answer comes with the next call */
        *request = metrics;
        return MHD_YES;
    }
    *upload_size = 0;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, plain, wrong_method,
                     sizeof(wrong_method) - 1);
    if (strcmp(url, "/metrics") != 0)
        return reply(connection, MHD_HTTP_NOT_FOUND, plain, not_here, sizeof(not_here) - 1);
    (void)vrs_profile_metrics(metrics->profile, metrics->text, TEXT_SIZE);
    return reply(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", metrics->text,
                 strlen(metrics->text));
}

bool vrs_metrics_parse(const char *text, struct sockaddr_in *address)
{
    char host[INET_ADDRSTRLEN] = "127.0.0.1";
    const char *colon = strrchr(text, ':'), *port = colon != NULL ? colon + 1 : text;
    if (colon != NULL) {
        if ((size_t)(colon - text) >= sizeof(host))
            return false;
        memcpy(host, text, (size_t)(colon - text));
        host[colon - text] = 0;
    }
    if (port[0] == 0 || strlen(port) > 5 || strspn(port, "0123456789") != strlen(port))
        return false;
    long number = strtol(port, NULL, 10);
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_port = htons((uint16_t)number);
    return number <= UINT16_MAX && inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

static vrs_status refuse(const char *where, int error)
{
    if (error == EADDRINUSE)
        return vrs_fail(VRS_BUSY,
                        "--metrics-port %s: another program listens there; choose "
                        "another port, or 0 for one that is free",
                        where);
    if (error == EACCES)
        return vrs_fail(VRS_PERMISSION,
                        "--metrics-port %s: not allowed; ports below 1024 are the "
                        "administrator's",
                        where);
    if (error == EADDRNOTAVAIL)
        return vrs_fail(VRS_INVALID, "--metrics-port %s: this machine has no such address", where);
    return vrs_fail(VRS_SYSTEM, "--metrics-port %s: cannot listen there (error %d)", where, error);
}

/* A socket that listens, or -1 with errno. */
static int listen_at(struct sockaddr_in *address)
{
    int on = 1;
    socklen_t size = sizeof(*address);
    int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (handle < 0)
        return -1;
    (void)setsockopt(handle, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(handle, (struct sockaddr *)address, sizeof(*address)) == 0 &&
        listen(handle, CONNECTIONS) == 0 &&
        getsockname(handle, (struct sockaddr *)address, &size) == 0)
        return handle;
    int error = errno;
    (void)close(handle);
    errno = error;
    return -1;
}

vrs_status vrs_metrics_start(vrs_profile *profile, const struct sockaddr_in *wanted,
                             vrs_metrics **out)
{
    char host[INET_ADDRSTRLEN] = "";
    struct sockaddr_in address = *wanted;
    vrs_metrics *metrics = calloc(1, sizeof(*metrics));
    if (metrics != NULL)
        metrics->text = malloc(TEXT_SIZE);
    if (metrics == NULL || metrics->text == NULL) {
        free(metrics);
        return vrs_fail(VRS_NO_MEMORY, "no memory to serve metrics");
    }
    (void)inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host));
    (void)snprintf(metrics->where, sizeof(metrics->where), "%s:%u", host, ntohs(address.sin_port));
    metrics->profile = profile;
    int handle = listen_at(&address);
    int error = errno;
    if (handle >= 0) {
        (void)snprintf(metrics->where, sizeof(metrics->where), "%s:%u", host,
                       ntohs(address.sin_port));
        metrics->daemon = MHD_start_daemon(
            MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, metrics,
            MHD_OPTION_LISTEN_SOCKET, handle, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)PATIENCE_S, MHD_OPTION_END);
        if (metrics->daemon == NULL)
            (void)close(handle);
    }
    if (metrics->daemon == NULL) {
        vrs_status status = refuse(metrics->where, handle >= 0 ? 0 : error);
        vrs_metrics_stop(metrics);
        return status;
    }
    *out = metrics;
    return VRS_OK;
}

const char *vrs_metrics_where(const vrs_metrics *metrics)
{
    return metrics->where;
}

void vrs_metrics_stop(vrs_metrics *metrics)
{
    if (metrics == NULL)
        return;
    if (metrics->daemon != NULL)
        MHD_stop_daemon(metrics->daemon); /* closes the socket too */
    free(metrics->text);
    free(metrics);
}
