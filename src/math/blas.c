/*-------------------------------------------------------------------------
 *
 * blas.c
 *	  Loading OpenBLAS late, quietly and alone.
 *
 *-------------------------------------------------------------------------
 */
#include "math/blas.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Debian's name of the directory of libraries of this kind of processor */
#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MULTIARCH "powerpc64le-linux-gnu"
#elif defined(__s390x__)
#define MULTIARCH "s390x-linux-gnu"
#elif defined(__riscv) && __riscv_xlen == 64
#define MULTIARCH "riscv64-linux-gnu"
#else
#define MULTIARCH "."
#endif

/* The serial builds first; then the others, which obey the variables below. */
static const char *const known_places[] = {
	"/usr/lib/" MULTIARCH "/openblas-serial/libopenblas.so.0",
	"/usr/lib64/libopenblas.so.0",
	"/usr/lib/" MULTIARCH "/openblas-pthread/libopenblas.so.0",
	"/usr/lib/" MULTIARCH "/openblas-openmp/libopenblas.so.0",
	"/usr/lib64/libopenblasp.so.0",
	"/usr/local/lib/libopenblas.so.0",
	NULL
};

/* CBLAS's own numbers */
enum
{
	CBLAS_ROW_ORDER = 101,
	CBLAS_NO_TRANSPOSE = 111,
	CBLAS_TRANSPOSE = 112
};

typedef void (*SgemmFunction) (int order, int transpose_a, int transpose_b,
							   int m, int n, int k,
							   float alpha, const float *a, int lda,
							   const float *b, int ldb,
							   float beta, float *c, int ldc);

static SgemmFunction sgemm;
static BlasStatus broken = BLAS_OK;	/* a failure that cannot be mended */
static char library[256];
static char detail[512];

/* Tasks of this process; 0 where /proc does not tell. */
static int
count_tasks(void)
{
	DIR		   *directory = opendir("/proc/self/task");
	struct dirent *entry;
	int			count = 0;

	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL)
	{
		if (entry->d_name[0] != '.')
			count++;
	}
	closedir(directory);
	return count;
}

/*
 * The loader runs the library's constructors, which may start threads: they
 * inherit this thread's signal mask, so none of them will ever take a signal
 * from the server.  The variables ask that there be no such threads.
 */
static void *
load_quietly(const char *place)
{
	sigset_t	all;
	sigset_t	before;
	void	   *handle;

	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	setenv("OMP_NUM_THREADS", "1", 1);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	handle = dlopen(place, RTLD_NOW | RTLD_LOCAL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return handle;
}

static BlasStatus
open_library(const char *place)
{
	int			tasks = count_tasks();
	void	   *handle = load_quietly(place);
	void	   *function;

	if (handle == NULL)
	{
		const char *why = dlerror();

		snprintf(detail, sizeof(detail), "The library could not be loaded: %s.", why ? why : place);
		return BLAS_NOT_LOADED;
	}
	function = dlsym(handle, "cblas_sgemm");
	if (function == NULL)
	{
		snprintf(detail, sizeof(detail), "The library \"%s\" has no function cblas_sgemm.", place);
		dlclose(handle);
		return BLAS_NO_FUNCTION;
	}
	if (count_tasks() > tasks)
	{
		snprintf(detail, sizeof(detail), "The library \"%s\" started threads of its own.", place);
		return broken = BLAS_STARTED_THREADS;
	}
	memcpy(&sgemm, &function, sizeof(sgemm));
	snprintf(library, sizeof(library), "%s", place);
	return BLAS_OK;
}

BlasStatus
blas_open_from(const char *const *places)
{
	BlasStatus	status = BLAS_NOT_FOUND;

	if (sgemm != NULL)
		return BLAS_OK;
	if (broken != BLAS_OK)
		return broken;
	snprintf(detail, sizeof(detail), "OpenBLAS was not found on this server.");
	for (; *places != NULL; places++)
	{
		if (access(*places, R_OK) != 0)
			continue;
		status = open_library(*places);
		if (status == BLAS_OK || broken != BLAS_OK)
			break;
	}
	return status;
}

BlasStatus
blas_open(void)
{
	return blas_open_from(known_places);
}

const char *
blas_detail(void)
{
	return detail;
}

const char *
blas_hint(void)
{
	return "Install OpenBLAS without threads: the package libopenblas0-serial "
		"on Debian and Ubuntu, openblas-serial on Fedora.";
}

const char *
blas_library(void)
{
	return sgemm != NULL ? library : NULL;
}

void
blas_product(int rows, int columns, int inner, BlasMatrix a, BlasMatrix b,
			 float beta, float *c, int c_stride)
{
	sgemm(CBLAS_ROW_ORDER,
		  a.transposed ? CBLAS_TRANSPOSE : CBLAS_NO_TRANSPOSE,
		  b.transposed ? CBLAS_TRANSPOSE : CBLAS_NO_TRANSPOSE,
		  rows, columns, inner, 1.0f, a.values, a.stride, b.values, b.stride,
		  beta, c, c_stride);
}
