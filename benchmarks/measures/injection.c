/* Injection: makes one system call that changes a folder fail, or ends the process at it.

   Loaded into a process with LD_PRELOAD, so that it sees the calls of Python, SQLite and every other library alike;
   benchmarks/injection.py compiles and drives it. Nothing happens until injection_arm is called, and then only in that
   process, not in its children. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FAIL = 0, KILL = 1, TORN = 2, TERM = 3, SHORT = 4, CLOCK = 5 };

static char folder[PATH_MAX];
static size_t folder_length;
static long wanted;
static int kind, error_number, lasting, with_reads, log_file = -1;
static long clock_jump_s;
static pid_t armed_in;
static atomic_long calls, clock_offset_s;
static atomic_int injected;

/* Count the calls that change something below `below`, and act at the one with the number `at`, counted from 1; 0 only
   counts. `what` is FAIL (with `error`), KILL (before the call), TORN (a write is half done, then KILL), TERM (the signal
   is sent, the call goes on), SHORT (half of a write is done and said), CLOCK (jumps by `jump_s`). With `until_end`,
   every later call fails as well; with `reads`, calls that read count, too. The name and path of each call goes to the
   descriptor `log`, unless it is negative. */
void injection_arm(const char *below, long at, int what, int error, int until_end, int reads, long jump_s, int log)
{
    snprintf(folder, sizeof folder, "%s", below);
    folder_length = strlen(folder);
    wanted = at;
    kind = what;
    error_number = error;
    lasting = until_end;
    with_reads = reads;
    clock_jump_s = jump_s;
    log_file = log;
    atomic_store(&calls, 0);
    atomic_store(&injected, 0);
    atomic_store(&clock_offset_s, 0);
    armed_in = getpid();
}

void injection_disarm(void) { armed_in = 0; atomic_store(&clock_offset_s, 0); }
long injection_calls(void) { return atomic_load(&calls); }
int injection_done(void) { return atomic_load(&injected); }

static int is_below(const char *path)
{
    return strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || path[folder_length] == 0);
}

/* The path of an open file, or of `name` in an open folder. */
static const char *path_of(int descriptor, const char *name, char *buffer)
{
    char link[64];
    ssize_t length = 0;
    if (name != NULL && name[0] == '/') return name;
    if (name != NULL && descriptor == AT_FDCWD) {
        if (getcwd(buffer, PATH_MAX) == NULL) return "";
        length = (ssize_t)strlen(buffer);
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
        length = readlink(link, buffer, PATH_MAX - 1);
        if (length < 0) return "";
        buffer[length] = 0;
    }
    if (name != NULL) snprintf(buffer + length, PATH_MAX - (size_t)length, "/%s", name);
    return buffer;
}

/* What shall become of a call: FAIL (errno is set), SHORT, TORN, or -1 to let it go on. */
static int decide(const char *call, int descriptor, const char *name)
{
    char buffer[PATH_MAX];
    if (armed_in == 0 || getpid() != armed_in) return -1;
    int before = errno;
    const char *path = path_of(descriptor, name, buffer);
    errno = before;
    if (!is_below(path)) return -1;
    long number = atomic_fetch_add(&calls, 1) + 1;
    if (log_file >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%s %s\n", call, path + folder_length);
        syscall(SYS_write, log_file, line, (size_t)length);
    }
    if (wanted == 0 || number < wanted || (number > wanted && !lasting)) return -1;
    atomic_store(&injected, 1);
    switch (kind) {
    case KILL:
        kill(getpid(), SIGKILL);
        return -1;
    case TERM:
        if (number == wanted) kill(getpid(), SIGTERM);
        return -1;
    case CLOCK:
        atomic_store(&clock_offset_s, clock_jump_s);
        return -1;
    case FAIL:
        errno = error_number;
        return FAIL;
    default:
        return kind;
    }
}

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) abort();
    return found;
}

static ssize_t half(size_t size) { return (ssize_t)(size > 1 ? size / 2 : size); }

#define WRITE(call, descriptor, size, whole, part)                                                                     \
    switch (decide(call, descriptor, NULL)) {                                                                          \
    case FAIL: return -1;                                                                                              \
    case SHORT: return part(half(size));                                                                               \
    case TORN: (void)!part(half(size)); kill(getpid(), SIGKILL); return -1;                                            \
    default: return whole;                                                                                             \
    }

ssize_t write(int file, const void *bytes, size_t size)
{
#define PART(n) REAL(write)(file, bytes, (size_t)(n))
    WRITE("write", file, size, REAL(write)(file, bytes, size), PART)
#undef PART
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset)
{
#define PART(n) REAL(pwrite)(file, bytes, (size_t)(n), offset)
    WRITE("pwrite", file, size, REAL(pwrite)(file, bytes, size, offset), PART)
#undef PART
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t offset)
{
#define PART(n) REAL(pwrite64)(file, bytes, (size_t)(n), offset)
    WRITE("pwrite", file, size, REAL(pwrite64)(file, bytes, size, offset), PART)
#undef PART
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
#define PART(n) REAL(writev)(file, parts, (int)(n))
    WRITE("writev", file, (size_t)count, REAL(writev)(file, parts, count), PART)
#undef PART
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size)
{
#define PART(n) REAL(sendfile)(to, from, offset, (size_t)(n))
    WRITE("sendfile", to, size, REAL(sendfile)(to, from, offset, size), PART)
#undef PART
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t size)
{
#define PART(n) REAL(sendfile64)(to, from, offset, (size_t)(n))
    WRITE("sendfile", to, size, REAL(sendfile64)(to, from, offset, size), PART)
#undef PART
}

ssize_t copy_file_range(int from, off64_t *start, int to, off64_t *offset, size_t size, unsigned int flags)
{
#define PART(n) REAL(copy_file_range)(from, start, to, offset, (size_t)(n), flags)
    WRITE("copy_file_range", to, size, REAL(copy_file_range)(from, start, to, offset, size, flags), PART)
#undef PART
}

#define READ(file, whole) return with_reads && decide("read", file, NULL) == FAIL ? -1 : whole;

ssize_t read(int file, void *bytes, size_t size) { READ(file, REAL(read)(file, bytes, size)) }
ssize_t pread(int file, void *bytes, size_t size, off_t at) { READ(file, REAL(pread)(file, bytes, size, at)) }
ssize_t pread64(int file, void *bytes, size_t size, off64_t at) { READ(file, REAL(pread64)(file, bytes, size, at)) }

DIR *opendir(const char *path)
{
    return with_reads && decide("opendir", AT_FDCWD, path) == FAIL ? NULL : REAL(opendir)(path);
}

/* A call that is done whole or not at all. For TORN it is the kill before it. */
#define SIMPLE(call, descriptor, name, whole)                                                                          \
    switch (decide(call, descriptor, name)) {                                                                          \
    case FAIL: return -1;                                                                                              \
    case TORN: kill(getpid(), SIGKILL); return -1;                                                                     \
    default: return whole;                                                                                             \
    }

int fsync(int file) { SIMPLE("fsync", file, NULL, REAL(fsync)(file)) }
int fdatasync(int file) { SIMPLE("fdatasync", file, NULL, REAL(fdatasync)(file)) }
int ftruncate(int file, off_t size) { SIMPLE("ftruncate", file, NULL, REAL(ftruncate)(file, size)) }
int ftruncate64(int file, off64_t size) { SIMPLE("ftruncate", file, NULL, REAL(ftruncate64)(file, size)) }
/* Whether something could be written. */
int access(const char *path, int how)
{
    if (!(how & W_OK)) return REAL(access)(path, how);
    SIMPLE("access", AT_FDCWD, path, REAL(access)(path, how))
}

int faccessat(int at, const char *path, int how, int flags)
{
    if (!(how & W_OK)) return REAL(faccessat)(at, path, how, flags);
    SIMPLE("access", at, path, REAL(faccessat)(at, path, how, flags))
}

int truncate(const char *path, off_t size) { SIMPLE("truncate", AT_FDCWD, path, REAL(truncate)(path, size)) }
int truncate64(const char *path, off64_t size) { SIMPLE("truncate", AT_FDCWD, path, REAL(truncate64)(path, size)) }
int fchmod(int file, mode_t mode) { SIMPLE("fchmod", file, NULL, REAL(fchmod)(file, mode)) }
int chmod(const char *path, mode_t mode) { SIMPLE("chmod", AT_FDCWD, path, REAL(chmod)(path, mode)) }
int unlink(const char *path) { SIMPLE("unlink", AT_FDCWD, path, REAL(unlink)(path)) }
int unlinkat(int at, const char *path, int flags) { SIMPLE("unlink", at, path, REAL(unlinkat)(at, path, flags)) }
int rmdir(const char *path) { SIMPLE("rmdir", AT_FDCWD, path, REAL(rmdir)(path)) }
int mkdir(const char *path, mode_t mode) { SIMPLE("mkdir", AT_FDCWD, path, REAL(mkdir)(path, mode)) }
int mkdirat(int at, const char *path, mode_t mode) { SIMPLE("mkdir", at, path, REAL(mkdirat)(at, path, mode)) }
int rename(const char *from, const char *to) { SIMPLE("rename", AT_FDCWD, to, REAL(rename)(from, to)) }
int link(const char *from, const char *to) { SIMPLE("link", AT_FDCWD, to, REAL(link)(from, to)) }
int linkat(int from_at, const char *from, int at, const char *to, int flags)
{
    SIMPLE("link", at, to, REAL(linkat)(from_at, from, at, to, flags))
}
int symlink(const char *from, const char *to) { SIMPLE("symlink", AT_FDCWD, to, REAL(symlink)(from, to)) }

int renameat(int from_at, const char *from, int at, const char *to)
{
    SIMPLE("rename", at, to, REAL(renameat)(from_at, from, at, to))
}

int renameat2(int from_at, const char *from, int at, const char *to, unsigned int flags)
{
    SIMPLE("rename", at, to, REAL(renameat2)(from_at, from, at, to, flags))
}

/* These give the error as their result. */
int posix_fallocate(int file, off_t offset, off_t size)
{
    switch (decide("fallocate", file, NULL)) {
    case FAIL: return errno;
    case TORN: kill(getpid(), SIGKILL); return EIO;
    default: return REAL(posix_fallocate)(file, offset, size);
    }
}

int posix_fallocate64(int file, off64_t offset, off64_t size)
{
    switch (decide("fallocate", file, NULL)) {
    case FAIL: return errno;
    case TORN: kill(getpid(), SIGKILL); return EIO;
    default: return REAL(posix_fallocate64)(file, offset, size);
    }
}

static int opens_to_write(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0; }

#define OPEN(at, path, whole)                                                                                          \
    mode_t mode = 0;                                                                                                   \
    if ((flags & O_CREAT) || (flags & __O_TMPFILE) == __O_TMPFILE) {                                                   \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }                                                                                                                  \
    if (!with_reads && !opens_to_write(flags)) return whole;                                                                          \
    SIMPLE("open", at, path, whole)

int open(const char *path, int flags, ...) { OPEN(AT_FDCWD, path, REAL(open)(path, flags, mode)) }
int open64(const char *path, int flags, ...) { OPEN(AT_FDCWD, path, REAL(open64)(path, flags, mode)) }
int openat(int at, const char *path, int flags, ...) { OPEN(at, path, REAL(openat)(at, path, flags, mode)) }
int openat64(int at, const char *path, int flags, ...) { OPEN(at, path, REAL(openat64)(at, path, flags, mode)) }

FILE *fopen(const char *path, const char *how)
{
    if (how[0] != 'r' || strchr(how, '+') != NULL) {
        switch (decide("open", AT_FDCWD, path)) {
        case FAIL: return NULL;
        case TORN: kill(getpid(), SIGKILL); return NULL;
        default: break;
        }
    }
    return REAL(fopen)(path, how);
}

FILE *fopen64(const char *path, const char *how)
{
    if (how[0] != 'r' || strchr(how, '+') != NULL) {
        switch (decide("open", AT_FDCWD, path)) {
        case FAIL: return NULL;
        case TORN: kill(getpid(), SIGKILL); return NULL;
        default: break;
        }
    }
    return REAL(fopen64)(path, how);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = REAL(clock_gettime)(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += atomic_load(&clock_offset_s);
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int result = REAL(gettimeofday)(now, zone);
    if (result == 0) now->tv_sec += atomic_load(&clock_offset_s);
    return result;
}

time_t time(time_t *now)
{
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now != NULL) *now = found.tv_sec;
    return found.tv_sec;
}
