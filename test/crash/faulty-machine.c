// A machine that fails as ordered, as a library to be preloaded into the process under test. Everything is about the
// files below MACHINE_DISK; what is not set does not happen.
//
// MACHINE_SHADOW  Power cut. What a file holds and which names a folder has reach this folder only by fsync or
//                 fdatasync of that file or folder: "file-<inode>" has a file's bytes, "folder-<inode>" a line
//                 "<inode> <f or d> <name>" for each name. After a kill, what is there is what a power cut would have
//                 left at the worst. Removed and replaced files keep a second name there, so that no new file gets an
//                 inode that is in use.
// MACHINE_SYNC    "normal": a write-ahead log reaches the shadow only before its database is written to, as with
//                 synchronous=NORMAL; "off": no database and no write-ahead log reaches it by a sync.
// MACHINE_KILL    "<op> <n> <pattern>": SIGKILL at the n-th such operation on a path that the pattern matches (fnmatch).
//                 write, fsync, rename, unlink: before it; wrote, synced, renamed, unlinked: after it; torn: when half
//                 of the write is done. With MACHINE_ARMED, only what comes while that file is there counts.
// MACHINE_FULL, MACHINE_READ_ONLY
//                 While this file is there, writes to paths that match the pattern in it (an empty file: all) fail with
//                 ENOSPC, or with EROFS, and then nothing can be made, renamed or removed either.
// MACHINE_FAILING While this file is there, writes to paths that match the pattern in it, and their syncs, fail with EIO.
// MACHINE_UNSYNCED
//                 While this file is there, syncs of paths that match the pattern in it fail with EIO, as they do when
//                 the system could not write back what a write had left in its memory.
//                 With MACHINE_SHADOW, pages whose sync failed count as written from then on, as Linux has it: they reach
//                 the shadow only when they are written again.
// MACHINE_CLOCK   A file of eight bytes: how many microseconds the wall clock is ahead, as a little-endian number.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* What a call does when it is not ordered otherwise. */
#define NEXT(name) \
  static __typeof__(&name) next = NULL; \
  if (next == NULL) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static void must(int ok, const char *what) {
  if (ok) return;
  perror(what);
  abort();
}

static int is_below(const char *path, const char *dir) {
  size_t length = dir == NULL ? 0 : strlen(dir);
  return length > 0 && strncmp(path, dir, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return 1;
}

static int is_on_disk(const char *path) { return is_below(path, getenv("MACHINE_DISK")); }

static int ends_with(const char *text, const char *end) {
  size_t a = strlen(text), b = strlen(end);
  return a >= b && strcmp(text + a - b, end) == 0;
}

/* --- killed at a named point */

static void kill_at(const char *op, const char *path) {
  static long reached = 0;
  const char *order = getenv("MACHINE_KILL"), *armed = getenv("MACHINE_ARMED");
  char wanted[16], pattern[PATH_MAX];
  long n;
  if (order == NULL || sscanf(order, "%15s %ld %4095s", wanted, &n, pattern) != 3) return;
  if (strcmp(op, wanted) != 0 || !is_on_disk(path) || fnmatch(pattern, path, 0) != 0) return;
  if (armed != NULL && syscall(SYS_faccessat, AT_FDCWD, armed, F_OK) != 0) return;
  if (__atomic_add_fetch(&reached, 1, __ATOMIC_SEQ_CST) == n) kill(getpid(), SIGKILL);
}

/* --- a full disk, a disk that can only be read */

static int is_refused(const char *variable, const char *path) {
  const char *flag = getenv(variable);
  char pattern[PATH_MAX];
  int saved = errno;
  if (flag == NULL || !is_on_disk(path)) return 0;
  int fd = syscall(SYS_openat, AT_FDCWD, flag, O_RDONLY);
  if (fd < 0) {
    errno = saved;
    return 0;
  }
  ssize_t length = read(fd, pattern, sizeof pattern - 1);
  syscall(SYS_close, fd);
  if (length <= 0) return 1;
  pattern[length] = 0;
  return fnmatch(pattern, path, 0) == 0;
}

static int refusal_of(const char *path) {
  if (is_refused("MACHINE_READ_ONLY", path)) return EROFS;
  if (is_refused("MACHINE_FAILING", path)) return EIO;
  return is_refused("MACHINE_FULL", path) ? ENOSPC : 0;
}

static int is_read_only(const char *path) {
  if (!is_refused("MACHINE_READ_ONLY", path)) return 0;
  errno = EROFS;
  return 1;
}

/* --- only what was synced survives */

static pthread_mutex_t shadow_lock = PTHREAD_MUTEX_INITIALIZER;

/* Pages that were written and not synced, of a machine whose syncs can fail: only these go to the shadow then. */
#define DIRTY_MAX 65536
#define PAGE 4096
static struct dirty {
  ino_t inode;
  off64_t page;
} dirty[DIRTY_MAX];
static size_t dirty_count = 0;

static int is_by_page(void) { return getenv("MACHINE_SHADOW") != NULL && getenv("MACHINE_BY_PAGE") != NULL; }

static void note_dirty(int fd, off64_t from, ssize_t bytes) {
  struct stat status;
  if (!is_by_page() || bytes <= 0 || fstat(fd, &status) != 0) return;
  pthread_mutex_lock(&shadow_lock);
  for (off64_t page = from / PAGE; page <= (from + bytes - 1) / PAGE; page++) {
    size_t at = 0;
    while (at < dirty_count && (dirty[at].inode != status.st_ino || dirty[at].page != page)) at++;
    must(at < DIRTY_MAX, "too many pages are not synced");
    dirty[at] = (struct dirty){status.st_ino, page};
    if (at == dirty_count) dirty_count++;
  }
  pthread_mutex_unlock(&shadow_lock);
}

/* Brings the dirty pages of a file to the shadow, or forgets them where there is none. */
static void clean(const char *path, const struct stat *status, const char *to) {
  char name[PATH_MAX], bytes[PAGE];
  int in = -1, out = -1;
  if (to != NULL) {
    snprintf(name, sizeof name, "%s/file-%lu", to, (unsigned long)status->st_ino);
    in = open(path, O_RDONLY);
    if (in < 0 && errno == ENOENT) return;
    must(in >= 0, path);
    out = open(name, O_WRONLY | O_CREAT, 0600);
    must(out >= 0, name);
  }
  size_t left = 0;
  for (size_t i = 0; i < dirty_count; i++) {
    if (dirty[i].inode != status->st_ino) {
      dirty[left++] = dirty[i];
      continue;
    }
    if (out < 0) continue;
    ssize_t n = pread(in, bytes, PAGE, dirty[i].page * PAGE);
    must(n >= 0 && syscall(SYS_pwrite64, out, bytes, n, dirty[i].page * PAGE) == n, name);
  }
  dirty_count = left;
  if (out < 0) return;
  must(syscall(SYS_ftruncate, out, status->st_size) == 0, name);
  close(in);
  close(out);
}

/* Copies what the file holds now, whole or not at all. */
static void mirror_file(const char *path, const struct stat *status, const char *to) {
  char draft[PATH_MAX], name[PATH_MAX], bytes[65536];
  snprintf(draft, sizeof draft, "%s/draft", to);
  snprintf(name, sizeof name, "%s/file-%lu", to, (unsigned long)status->st_ino);
  int in = open(path, O_RDONLY);
  if (in < 0 && errno == ENOENT) return; // Removed and still open: nobody will find it again.
  must(in >= 0, path);
  int out = open(draft, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  must(out >= 0, draft);
  for (ssize_t n; (n = read(in, bytes, sizeof bytes)) != 0;) must(n > 0 && write(out, bytes, n) == n, draft);
  close(in);
  close(out);
  must(rename(draft, name) == 0, name);
}

static void mirror_folder(const char *path, const struct stat *status, const char *to) {
  char draft[PATH_MAX], name[PATH_MAX];
  snprintf(draft, sizeof draft, "%s/draft", to);
  snprintf(name, sizeof name, "%s/folder-%lu", to, (unsigned long)status->st_ino);
  DIR *folder = opendir(path);
  FILE *out = fopen(draft, "w");
  must(folder != NULL && out != NULL, draft);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      fprintf(out, "%lu %c %s\n", (unsigned long)entry->d_ino, entry->d_type == DT_DIR ? 'd' : 'f', entry->d_name);
  closedir(folder);
  must(fclose(out) == 0, draft);
  must(rename(draft, name) == 0, name);
}

static int is_synced_less(const char *path, const char *than) {
  const char *mode = getenv("MACHINE_SYNC");
  return mode != NULL && strcmp(mode, than) == 0 && (ends_with(path, "-wal") || (than[0] == 'o' && ends_with(path, ".db")));
}

/* With synchronous=NORMAL a write-ahead log is synced when its database is about to be written to. */
static void sync_log_of(const char *path) {
  const char *mode = getenv("MACHINE_SYNC"), *to = getenv("MACHINE_SHADOW");
  char log[PATH_MAX];
  struct stat status;
  if (mode == NULL || strcmp(mode, "normal") != 0 || to == NULL || !ends_with(path, ".db")) return;
  if (snprintf(log, sizeof log, "%s-wal", path) >= (int)sizeof log || stat(log, &status) != 0) return;
  pthread_mutex_lock(&shadow_lock);
  mirror_file(log, &status, to);
  pthread_mutex_unlock(&shadow_lock);
}

static void mirror(int fd, const char *path, const char *to) {
  struct stat status;
  if (is_synced_less(path, "normal") || is_synced_less(path, "off")) return;
  must(fstat(fd, &status) == 0, path);
  pthread_mutex_lock(&shadow_lock);
  if (S_ISDIR(status.st_mode)) mirror_folder(path, &status, to);
  else if (is_by_page()) clean(path, &status, to);
  else mirror_file(path, &status, to);
  pthread_mutex_unlock(&shadow_lock);
}

static int sync_as_ordered(int fd, int (*next)(int)) {
  const char *to = getenv("MACHINE_SHADOW");
  char path[PATH_MAX];
  if (!path_of(fd, path) || !is_on_disk(path)) return next(fd);
  if (is_refused("MACHINE_FAILING", path) || is_refused("MACHINE_UNSYNCED", path)) {
    struct stat status;
    if (is_by_page() && fstat(fd, &status) == 0) {
      pthread_mutex_lock(&shadow_lock);
      clean(path, &status, NULL);
      pthread_mutex_unlock(&shadow_lock);
    }
    errno = EIO;
    return -1;
  }
  kill_at("fsync", path);
  int result = 0;
  if (to == NULL) result = next(fd);
  else mirror(fd, path, to);
  kill_at("synced", path);
  return result;
}

int fsync(int fd) {
  NEXT(fsync);
  return sync_as_ordered(fd, next);
}

int fdatasync(int fd) {
  NEXT(fdatasync);
  return sync_as_ordered(fd, next);
}

static void keep_inode(int at, const char *path) {
  static int kept = 0;
  const char *to = getenv("MACHINE_SHADOW");
  char name[PATH_MAX];
  if (to == NULL || (path[0] == '/' && !is_on_disk(path))) return;
  snprintf(name, sizeof name, "%s/kept-%d-%d", to, (int)getpid(), __atomic_fetch_add(&kept, 1, __ATOMIC_SEQ_CST));
  linkat(at, path, AT_FDCWD, name, 0);
}

/* --- the calls */

int unlink(const char *path) {
  NEXT(unlink);
  if (is_read_only(path)) return -1;
  kill_at("unlink", path);
  keep_inode(AT_FDCWD, path);
  int result = next(path);
  kill_at("unlinked", path);
  return result;
}

int unlinkat(int at, const char *path, int flags) {
  NEXT(unlinkat);
  if (is_read_only(path)) return -1;
  kill_at("unlink", path);
  if ((flags & AT_REMOVEDIR) == 0) keep_inode(at, path);
  int result = next(at, path, flags);
  kill_at("unlinked", path);
  return result;
}

int remove(const char *path) {
  NEXT(remove);
  if (is_read_only(path)) return -1;
  kill_at("unlink", path);
  keep_inode(AT_FDCWD, path);
  int result = next(path);
  kill_at("unlinked", path);
  return result;
}

int rename(const char *old, const char *path) {
  NEXT(rename);
  const char *to = getenv("MACHINE_SHADOW");
  if (is_read_only(path)) return -1;
  kill_at("rename", path);
  if (to == NULL || !is_below(path, to)) keep_inode(AT_FDCWD, path);
  int result = next(old, path);
  kill_at("renamed", path);
  return result;
}

int mkdir(const char *path, mode_t mode) {
  NEXT(mkdir);
  return is_read_only(path) ? -1 : next(path, mode);
}

static int open_as_ordered(const char *path, int flags, mode_t mode, int (*next)(const char *, int, ...)) {
  if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0 && is_read_only(path)) return -1;
  return next(path, flags, mode);
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    NEXT(name); \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    return open_as_ordered(path, flags, mode, next); \
  }

OPEN(open)
OPEN(open64)

int ftruncate64(int fd, off64_t length) {
  NEXT(ftruncate64);
  char path[PATH_MAX];
  if (path_of(fd, path) && is_read_only(path)) return -1;
  return next(fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

struct put {
  int fd;
  const void *bytes;
  size_t count;
  off64_t offset; /* -1: where the file is */
};

static ssize_t put_now(struct put put) {
  NEXT(write);
  static __typeof__(&pwrite64) next_at = NULL;
  if (next_at == NULL) next_at = dlsym(RTLD_NEXT, "pwrite64");
  ssize_t done = put.offset < 0 ? next(put.fd, put.bytes, put.count) : next_at(put.fd, put.bytes, put.count, put.offset);
  int saved = errno;
  char path[PATH_MAX];
  if (is_by_page() && path_of(put.fd, path) && is_on_disk(path))
    note_dirty(put.fd, put.offset < 0 ? lseek64(put.fd, 0, SEEK_CUR) - done : put.offset, done);
  errno = saved;
  return done;
}

static ssize_t write_as_ordered(struct put put) {
  char path[PATH_MAX];
  if (getenv("MACHINE_DISK") == NULL || !path_of(put.fd, path) || !is_on_disk(path)) return put_now(put);
  int refusal = refusal_of(path);
  if (refusal != 0) {
    errno = refusal;
    return -1;
  }
  sync_log_of(path);
  kill_at("write", path);
  struct put half = put;
  half.count = put.count / 2;
  const char *order = getenv("MACHINE_KILL");
  if (order != NULL && strncmp(order, "torn ", 5) == 0 && half.count > 0) {
    ssize_t done = put_now(half);
    kill_at("torn", path);
    if (done != (ssize_t)half.count) return done;
    half.bytes = (const char *)put.bytes + done;
    half.count = put.count - done;
    if (put.offset >= 0) half.offset = put.offset + done;
    ssize_t rest = put_now(half);
    return rest < 0 ? done : done + rest;
  }
  ssize_t result = put_now(put);
  kill_at("wrote", path);
  return result;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  return write_as_ordered((struct put){fd, bytes, count, -1});
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  return write_as_ordered((struct put){fd, bytes, count, offset});
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }

/* --- a wall clock that steps */

static int64_t ahead_us(void) {
  static const int64_t *ahead = NULL;
  static const int64_t none = 0;
  if (ahead == NULL) {
    const char *path = getenv("MACHINE_CLOCK");
    int fd = path == NULL ? -1 : syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
    const void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0) syscall(SYS_close, fd);
    ahead = map == MAP_FAILED ? &none : map;
  }
  return *(volatile const int64_t *)ahead;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    int64_t us = (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000 + ahead_us();
    time->tv_sec = us / 1000000;
    time->tv_nsec = us % 1000000 * 1000 + time->tv_nsec % 1000;
  }
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec time;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &time) != 0) return -1;
  now->tv_sec = time.tv_sec;
  now->tv_usec = time.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
