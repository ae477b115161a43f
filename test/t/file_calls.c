/*-------------------------------------------------------------------------
 *
 * file_calls.c
 *	  Writes down what a server does with its files.
 *
 * Preloaded into a server by 035_model_image_files.pl: every call below adds
 * a line "process call path details" to the file $FILE_CALLS and then does
 * what was asked, by the bare system call.  Tracing a process would need a
 * privilege that containers often lack; preloading needs none.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
/* Two names for each call: programs with 64-bit offsets use the second. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static void note(const char *call, const char *path, const char *format,...)
			__attribute__((format(printf, 3, 4)));

/* One write() to a file opened for appending: lines do not mix. */
static void
note(const char *call, const char *path, const char *format,...)
{
	const char *log = getenv("FILE_CALLS");
	int			saved = errno;
	char		line[9000];
	int			length;
	int			file;
	va_list		arguments;

	if (log == NULL)
		return;
	length = snprintf(line, 8800, "%d %s %s ", (int) getpid(), call, path);
	va_start(arguments, format);
	length += vsnprintf(line + length, 190, format, arguments);
	va_end(arguments);
	line[length++] = '\n';
	file = (int) syscall(SYS_openat, AT_FDCWD, log,
						 O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (file >= 0)
	{
		(void) !syscall(SYS_write, file, line, length);
		(void) syscall(SYS_close, file);
	}
	errno = saved;
}

static const char *
path_of(int file)
{
	static __thread char path[4096];
	char		link[64];
	ssize_t		length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	length = readlink(link, path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	return path;
}

/* ---------- opening and naming ---------- */

static int
open_and_note(const char *path, int flags, mode_t mode)
{
	note("open", path, "%s%s%s%s mode=%o",
		 (flags & O_ACCMODE) == O_RDONLY ? "read" : "write",
		 flags & O_CREAT ? " create" : "", flags & O_EXCL ? " exclusive" : "",
		 flags & (O_SYNC | O_DSYNC) ? " sync" : "", (unsigned) mode);
	return (int) syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		va_list arguments; \
		mode_t mode = 0; \
		if (flags & (O_CREAT | O_TMPFILE)) \
		{ \
			va_start(arguments, flags); \
			mode = va_arg(arguments, mode_t); \
			va_end(arguments); \
		} \
		return open_and_note(path, flags, mode); \
	}
OPEN(open)
OPEN(open64)

/* what a compiler makes of open() with two arguments, fortified */
int			__open_2(const char *path, int flags);
int			__open64_2(const char *path, int flags);

int
__open_2(const char *path, int flags)
{
	return open_and_note(path, flags, 0);
}

int
__open64_2(const char *path, int flags)
{
	return open_and_note(path, flags, 0);
}

int
rename(const char *from, const char *to)
{
	note("rename", from, "-> %s", to);
	return (int) syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
unlink(const char *path)
{
	note("unlink", path, "%s", "");
	return (int) syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* ---------- writing ---------- */

ssize_t
write(int file, const void *data, size_t bytes)
{
	/* most are to pipes and sockets */
	const char *path = path_of(file);

	if (strstr(path, "pgsql_tmp") != NULL)
		note("write", path, "%zu", bytes);
	return syscall(SYS_write, file, data, bytes);
}

#define PWRITE(name, offset_type) \
	ssize_t name(int file, const void *data, size_t bytes, \
				 offset_type offset) \
	{ \
		note("pwrite", path_of(file), "%zu", bytes); \
		return syscall(SYS_pwrite64, file, data, bytes, (off64_t) offset); \
	}
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define FTRUNCATE(name, offset_type) \
	int name(int file, offset_type bytes) \
	{ \
		note("ftruncate", path_of(file), "%lld", (long long) bytes); \
		return (int) syscall(SYS_ftruncate, file, (off64_t) bytes); \
	}
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

#define MMAP(name, offset_type) \
	void *name(void *address, size_t bytes, int protection, int flags, \
			   int file, offset_type offset) \
	{ \
		if (file >= 0) \
			note("mmap", path_of(file), "%s %s", protection & PROT_WRITE ? "writable" : "read-only", \
				 flags & MAP_SHARED ? "shared" : "private"); \
		return (void *) syscall(SYS_mmap, address, bytes, protection, flags, \
								file, (off64_t) offset); \
	}
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

/* ---------- forcing to disk ---------- */

int
fsync(int file)
{
	note("sync", path_of(file), "%s", "fsync");
	return (int) syscall(SYS_fsync, file);
}

int
fdatasync(int file)
{
	note("sync", path_of(file), "%s", "fdatasync");
	return (int) syscall(SYS_fdatasync, file);
}

int
syncfs(int file)
{
	note("sync", path_of(file), "%s", "syncfs");
	return (int) syscall(SYS_syncfs, file);
}

int
sync_file_range(int file, off64_t offset, off64_t bytes, unsigned flags)
{
	note("sync", path_of(file), "%s", "sync_file_range");
	return (int) syscall(SYS_sync_file_range, file, offset, bytes, flags);
}

/* of which file is not to be seen: nobody here should call it on one */
int
msync(void *address, size_t bytes, int flags)
{
	note("msync", "?", "%zu", bytes);
	return (int) syscall(SYS_msync, address, bytes, flags);
}
